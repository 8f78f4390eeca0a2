#pragma once
/*
 * SQLite with the error value. One connection for each process; write-ahead log, so that readers never wait.
 * A row handler gets the statement and reads its columns with db_text and db_int.
 *
 * Parameters are given by a type string: 's' a string (NULL is SQL NULL), 'i' an int64_t.
 */
#include "base/error.h"
#include "base/mem.h"

#include <sqlite3.h>
#include <stdint.h>

struct db;

int db_open(const void *owner, const char *path, struct db **ret, struct error *err);

int db_run(struct db *db, struct error *err, const char *sql, const char *types, ...);

/* A negative return of the handler ends the query with that error. */
typedef int db_row(void *data, sqlite3_stmt *row, struct error *err);
int db_each(struct db *db, db_row *handler, void *data, struct error *err, const char *sql, const char *types,
            ...);

/* Write transactions. db_end commits when `result` is not negative, rolls back otherwise, and returns the
 * outcome. */
int db_begin(struct db *db, struct error *err);
int db_end(struct db *db, int result, struct error *err);

char *db_text(const void *owner, sqlite3_stmt *row, int column); /* NULL for SQL NULL */
int64_t db_int(sqlite3_stmt *row, int column);
