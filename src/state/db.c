#include "state/db.h"

#include <fcntl.h>

struct db {
    sqlite3 *handle;
};

enum { BUSY_TIMEOUT_MS = 30000 };

static int db_error(struct db *db, struct error *err, const char *what)
{
    int code = sqlite3_errcode(db->handle) & 0xff;
    error_set(err,
              code == SQLITE_FULL   ? ENOSPC
              : code == SQLITE_BUSY ? EBUSY
                                    : EIO,
              "state database: %s: %s", what, sqlite3_errmsg(db->handle));
    if (code == SQLITE_FULL)
        return error_hint(err, "the disk is full: make room and run the command again");
    if (code == SQLITE_CORRUPT || code == SQLITE_NOTADB)
        return error_hint(err,
                          "the file is damaged: stop what runs, move it away, and run the command again");
    return -err->code;
}

static int db_close(struct db *db)
{
    sqlite3_close(db->handle);
    return 0;
}

int db_open(const void *owner, const char *path, struct db **ret, struct error *err)
{
    struct db *db = mem_new(owner, struct db);
    talloc_set_destructor(db, db_close);
    /*
     * Command lines are in it, so it is made with its mode. Closed before SQLite opens it: a close drops all
     * locks that the process has on a file (fcntl(2)).
     */
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    cleanup_close_fn(&fd);
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;
    if (sqlite3_open_v2(path, &db->handle, flags, NULL) != SQLITE_OK) {
        struct error cause = ERROR_INIT;
        db_error(db, &cause, "open");
        talloc_free(db);
        return error_set(err, cause.code, "%s ('%s')", cause.text, path);
    }
    sqlite3_busy_timeout(db->handle, BUSY_TIMEOUT_MS);
    /*
     * The log is left as it is when a command ends and becomes part of the database when it has grown: a
     * command would otherwise wait for the disk twice at its end.
     */
    sqlite3_db_config(db->handle, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    sqlite3_wal_autocheckpoint(db->handle, 200);
    int r = db_run(db, err, "PRAGMA journal_mode=WAL", "");
    if (r == 0)
        r = db_run(db, err, "PRAGMA synchronous=NORMAL", "");
    if (r == 0)
        r = db_run(db, err, "PRAGMA foreign_keys=ON", "");
    if (r < 0) {
        talloc_free(db);
        return r;
    }
    *ret = db;
    return 0;
}

static int each_va(struct db *db, db_row *handler, void *data, struct error *err, const char *sql,
                   const char *types, va_list ap)
{
    sqlite3_stmt *statement;
    if (sqlite3_prepare_v2(db->handle, sql, -1, &statement, NULL) != SQLITE_OK)
        return db_error(db, err, "prepare");
    for (int i = 0; types[i]; i++) {
        if (types[i] == 's')
            sqlite3_bind_text(statement, i + 1, va_arg(ap, const char *), -1, SQLITE_TRANSIENT);
        else
            sqlite3_bind_int64(statement, i + 1, va_arg(ap, int64_t));
    }
    int r = 0, step;
    while (r == 0 && (step = sqlite3_step(statement)) == SQLITE_ROW)
        if (handler)
            r = handler(data, statement, err);
    if (r >= 0)
        r = step == SQLITE_DONE || step == SQLITE_ROW ? 0 : db_error(db, err, "write");
    sqlite3_finalize(statement);
    return r;
}

int db_run(struct db *db, struct error *err, const char *sql, const char *types, ...)
{
    va_list ap;
    va_start(ap, types);
    int r = each_va(db, NULL, NULL, err, sql, types, ap);
    va_end(ap);
    return r;
}

int db_each(struct db *db, db_row *handler, void *data, struct error *err, const char *sql, const char *types,
            ...)
{
    va_list ap;
    va_start(ap, types);
    int r = each_va(db, handler, data, err, sql, types, ap);
    va_end(ap);
    return r;
}

int db_begin(struct db *db, struct error *err)
{
    return db_run(db, err, "BEGIN IMMEDIATE", "");
}

int db_end(struct db *db, int result, struct error *err)
{
    if (result >= 0) {
        int r = db_run(db, err, "COMMIT", "");
        if (r == 0)
            return result;
        result = r;
    }
    struct error ignored = ERROR_INIT;
    db_run(db, &ignored, "ROLLBACK", "");
    return result;
}

char *db_text(const void *owner, sqlite3_stmt *row, int column)
{
    return mem_strdup(owner, (const char *)sqlite3_column_text(row, column));
}

int64_t db_int(sqlite3_stmt *row, int column)
{
    return sqlite3_column_int64(row, column);
}
