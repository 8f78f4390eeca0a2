#include "state/state.h"

#include "state/db.h"
#include "state/detail.h"
#include "sys/fs.h"

struct state {
    struct db *db;
};

/* Each entry brings the database from version n to n + 1 (PRAGMA user_version). Entries are never changed,
 * only added. */
/* clang-format off */
static const char *const migrations[][8] = {
    {
        "CREATE TABLE projects (name TEXT PRIMARY KEY, working_dir TEXT, config_files TEXT, environment_files TEXT)",
        "CREATE TABLE containers (id TEXT PRIMARY KEY, name TEXT UNIQUE NOT NULL, project TEXT NOT NULL,"
        " service TEXT NOT NULL, number INTEGER, oneoff INTEGER, ready INTEGER, stopped INTEGER, config_hash TEXT,"
        " image TEXT, image_id TEXT, created INTEGER, detail TEXT)",
        "CREATE INDEX containers_by_project ON containers (project, service, number)",
        "CREATE TABLE networks (name TEXT PRIMARY KEY, project TEXT NOT NULL, key TEXT, config_hash TEXT,"
        " bridge TEXT UNIQUE, subnet TEXT, gateway TEXT, subnet6 TEXT, gateway6 TEXT, ip_range TEXT,"
        " internal INTEGER, last_address TEXT)",
        "CREATE TABLE leases (network TEXT NOT NULL, address TEXT NOT NULL, container TEXT NOT NULL,"
        " PRIMARY KEY (network, address))",
        "CREATE INDEX leases_by_container ON leases (container)",
        "CREATE TABLE volumes (name TEXT PRIMARY KEY, project TEXT NOT NULL, key TEXT, driver TEXT, service TEXT,"
        " number INTEGER, target TEXT, config_hash TEXT)",
    },
    {
        "ALTER TABLE volumes ADD COLUMN options TEXT",
        "ALTER TABLE volumes ADD COLUMN labels TEXT",
    },
    {
        "ALTER TABLE containers ADD COLUMN config TEXT",
    },
};
/* clang-format on */

static int read_version(void *data, sqlite3_stmt *row, struct error *err UNUSED)
{
    *(int64_t *)data = db_int(row, 0);
    return 0;
}

static int migrate(struct db *db, struct error *err)
{
    const int64_t newest = ARRAY_SIZE(migrations);
    int64_t version = 0;
    int r = db_each(db, read_version, &version, err, "PRAGMA user_version", "");
    if (r < 0 || version == newest)
        return r;
    r = db_begin(db, err);
    if (r < 0)
        return r;
    /* Again, now that nobody else can be migrating. */
    r = db_each(db, read_version, &version, err, "PRAGMA user_version", "");
    if (r == 0 && version > newest)
        r = error_set(err, EPROTO, "state database: version %lld is newer than this program knows (%lld)",
                      (long long)version, (long long)newest);
    for (; r == 0 && version < newest; version++)
        for (size_t i = 0; r == 0 && i < ARRAY_SIZE(migrations[0]) && migrations[version][i]; i++)
            r = db_run(db, err, migrations[version][i], "");
    if (r == 0) {
        char sql[64];
        snprintf(sql, sizeof(sql), "PRAGMA user_version=%lld", (long long)newest);
        r = db_run(db, err, sql, "");
    }
    return db_end(db, r, err);
}

int state_open(const void *owner, const char *root, struct state **ret, struct error *err)
{
    struct state *state = mem_new(owner, struct state);
    int r = fs_mkdir_p(root, 0711, err);
    if (r == 0)
        r = db_open(state, mem_printf(state, "%s/state.db", root), &state->db, err);
    if (r == 0)
        r = migrate(state->db, err);
    if (r < 0) {
        talloc_free(state);
        return r;
    }
    *ret = state;
    return 0;
}

int state_begin(struct state *state, struct error *err)
{
    return db_begin(state->db, err);
}

int state_end(struct state *state, int result, struct error *err)
{
    return db_end(state->db, result, err);
}

/* A growing array of talloc objects that a query fills. */
struct rows {
    const void *owner;
    void **items;
    size_t count;
};

/* ---- projects ---- */

int state_project_put(struct state *state, const struct project_record *p, struct error *err)
{
    return db_run(state->db, err,
                  "INSERT INTO projects VALUES (?,?,?,?) ON CONFLICT (name) DO UPDATE SET "
                  "working_dir=excluded.working_dir,"
                  " config_files=excluded.config_files, environment_files=excluded.environment_files",
                  "ssss", p->name, p->working_dir, p->config_files, p->environment_files);
}

static int read_project(void *data, sqlite3_stmt *row, struct error *err UNUSED)
{
    struct rows *rows = data;
    struct project_record *p = mem_new(rows->owner, struct project_record);
    p->name = db_text(p, row, 0);
    p->working_dir = db_text(p, row, 1);
    p->config_files = db_text(p, row, 2);
    p->environment_files = db_text(p, row, 3);
    mem_append(rows->owner, rows->items, rows->count, p);
    return 0;
}

int state_project_get(const void *owner, struct state *state, const char *name, struct project_record **ret,
                      struct error *err)
{
    struct rows rows = {.owner = owner};
    int r = db_each(state->db, read_project, &rows, err, "SELECT * FROM projects WHERE name=?", "s", name);
    if (r < 0)
        return r;
    if (rows.count == 0)
        return STATE_ABSENT;
    *ret = rows.items[0];
    return 0;
}

int state_project_remove(struct state *state, const char *name, struct error *err)
{
    return db_run(state->db, err, "DELETE FROM projects WHERE name=?", "s", name);
}

int state_projects(const void *owner, struct state *state, struct project_record ***ret, size_t *ret_count,
                   struct error *err)
{
    struct rows rows = {.owner = owner};
    int r = db_each(state->db, read_project, &rows, err, "SELECT * FROM projects ORDER BY name", "");
    *ret = (struct project_record **)rows.items;
    *ret_count = rows.count;
    return r;
}

/* ---- containers ---- */

static int read_number(void *data, sqlite3_stmt *row, struct error *err UNUSED)
{
    *(int64_t *)data = db_int(row, 0);
    return 0;
}

int state_container_put(struct state *state, const struct container_record *c, struct error *err)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    int64_t taken = 0;
    /* One transaction: of two commands that take the same name at once, one is refused. */
    int r = db_begin(state->db, err);
    if (r < 0)
        return r;
    r = db_each(state->db, read_number, &taken, err, "SELECT count(*) FROM containers WHERE name=? AND id<>?",
                "ss", c->name, c->id);
    if (r == 0 && !taken)
        r = db_run(state->db, err, "INSERT OR REPLACE INTO containers VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
                   "ssssiiiisssiss", c->id, c->name, c->project, c->service, (int64_t)c->number,
                   (int64_t)c->oneoff, (int64_t)c->ready, (int64_t)c->stopped, c->config_hash, c->image,
                   c->image_id, c->created, detail_print(tmp, c), c->config);
    return db_end(state->db, r == 0 && taken ? STATE_TAKEN : r, err);
}

int state_container_remove(struct state *state, const char *id, struct error *err)
{
    int r = db_run(state->db, err, "DELETE FROM leases WHERE container=?", "s", id);
    return r < 0 ? r : db_run(state->db, err, "DELETE FROM containers WHERE id=?", "s", id);
}

static int read_container(void *data, sqlite3_stmt *row, struct error *err)
{
    struct rows *rows = data;
    struct container_record *c = mem_new(rows->owner, struct container_record);
    c->id = db_text(c, row, 0);
    c->name = db_text(c, row, 1);
    c->project = db_text(c, row, 2);
    c->service = db_text(c, row, 3);
    c->number = (int)db_int(row, 4);
    c->oneoff = db_int(row, 5);
    c->ready = db_int(row, 6);
    c->stopped = db_int(row, 7);
    c->config_hash = db_text(c, row, 8);
    c->image = db_text(c, row, 9);
    c->image_id = db_text(c, row, 10);
    c->created = db_int(row, 11);
    mem_append(rows->owner, rows->items, rows->count, c);
    return detail_parse(c, (const char *)sqlite3_column_text(row, 12), err);
}

int state_containers(const void *owner, struct state *state, const char *project,
                     struct container_record ***ret, size_t *ret_count, struct error *err)
{
    struct rows rows = {.owner = owner};
    int r = db_each(state->db, read_container, &rows, err,
                    "SELECT * FROM containers WHERE ?1 IS NULL OR project=?1 ORDER BY project, service, "
                    "oneoff, number, name",
                    "s", project);
    *ret = (struct container_record **)rows.items;
    *ret_count = rows.count;
    return r;
}

int state_container_unready(struct state *state, const char *id, struct error *err)
{
    return db_run(state->db, err, "UPDATE containers SET ready=0 WHERE id=?", "s", id);
}

static int read_config(void *data, sqlite3_stmt *row, struct error *err UNUSED)
{
    struct container_record *c = data;
    c->config = db_text(c, row, 0);
    return 0;
}

int state_container_config(struct state *state, struct container_record *c, struct error *err)
{
    return db_each(state->db, read_config, c, err, "SELECT config FROM containers WHERE id=?", "s", c->id);
}

int state_container_set_stopped(struct state *state, const char *id, bool stopped, struct error *err)
{
    return db_run(state->db, err, "UPDATE containers SET stopped=? WHERE id=?", "is", (int64_t)stopped, id);
}

/* ---- networks and leases ---- */

int state_network_put(struct state *state, const struct network_record *n, struct error *err)
{
    /* Not OR REPLACE, which would take away another network whose bridge has the same name. */
    return db_run(state->db, err,
                  "INSERT INTO networks VALUES (?,?,?,?,?,?,?,?,?,?,?,?) ON CONFLICT (name) DO UPDATE SET "
                  "project=excluded.project, key=excluded.key, config_hash=excluded.config_hash,"
                  " bridge=excluded.bridge, subnet=excluded.subnet, gateway=excluded.gateway,"
                  " subnet6=excluded.subnet6, gateway6=excluded.gateway6, ip_range=excluded.ip_range,"
                  " internal=excluded.internal, last_address=excluded.last_address",
                  "ssssssssssis", n->name, n->project, n->key, n->config_hash, n->bridge, n->subnet,
                  n->gateway, n->subnet6, n->gateway6, n->ip_range, (int64_t)n->internal, n->last_address);
}

static int read_network(void *data, sqlite3_stmt *row, struct error *err UNUSED)
{
    struct rows *rows = data;
    struct network_record *n = mem_new(rows->owner, struct network_record);
    char **const texts[] = {&n->name,   &n->project, &n->key,     &n->config_hash, &n->bridge,
                            &n->subnet, &n->gateway, &n->subnet6, &n->gateway6,    &n->ip_range};
    for (int i = 0; i < (int)ARRAY_SIZE(texts); i++)
        *texts[i] = db_text(n, row, i);
    n->internal = db_int(row, 10);
    n->last_address = db_text(n, row, 11);
    mem_append(rows->owner, rows->items, rows->count, n);
    return 0;
}

int state_network_get(const void *owner, struct state *state, const char *name, struct network_record **ret,
                      struct error *err)
{
    struct rows rows = {.owner = owner};
    int r = db_each(state->db, read_network, &rows, err, "SELECT * FROM networks WHERE name=?", "s", name);
    if (r < 0)
        return r;
    if (rows.count == 0)
        return STATE_ABSENT;
    *ret = rows.items[0];
    return 0;
}

int state_network_remove(struct state *state, const char *name, struct error *err)
{
    int r = db_run(state->db, err, "DELETE FROM leases WHERE network=?", "s", name);
    return r < 0 ? r : db_run(state->db, err, "DELETE FROM networks WHERE name=?", "s", name);
}

int state_networks(const void *owner, struct state *state, const char *project, struct network_record ***ret,
                   size_t *ret_count, struct error *err)
{
    struct rows rows = {.owner = owner};
    int r = db_each(state->db, read_network, &rows, err,
                    "SELECT * FROM networks WHERE ?1 IS NULL OR project=?1 ORDER BY name", "s", project);
    *ret = (struct network_record **)rows.items;
    *ret_count = rows.count;
    return r;
}

struct leases {
    struct omap *used; /* plain address -> container id */
};

static int read_lease(void *data, sqlite3_stmt *row, struct error *err UNUSED)
{
    struct leases *leases = data;
    char *address = db_text(leases->used, row, 0), *container = db_text(leases->used, row, 1);
    omap_set_str(leases->used, address, container);
    return 0;
}

static int lease_choose(const void *owner, struct state *state, const struct network_record *n,
                        const char *container, const char *wanted, char **ret, struct error *err)
{
    struct leases leases = {.used = omap_new(owner)};
    int r = db_each(state->db, read_lease, &leases, err,
                    "SELECT address, container FROM leases WHERE network=?", "s", n->name);
    if (r < 0)
        return r;
    const char *slash = strchr(n->subnet, '/');
    omap_foreach (e, leases.used) {
        if (strcmp(e->value, container) == 0 && (!wanted || strcmp(e->key, wanted) == 0)) {
            *ret = mem_printf(owner, "%s%s", e->key, slash);
            return 0;
        }
    }
    if (wanted) {
        const char *holder = omap_get(leases.used, wanted);
        if (holder)
            return STATE_TAKEN;
        *ret = mem_printf(owner, "%s%s", wanted, slash);
    } else {
        r = ipam_next_address(owner, n->subnet, n->ip_range, n->gateway, n->last_address, leases.used, ret,
                              err);
        if (r < 0)
            return error_wrap(err, "network %s", n->name);
    }
    char *plain = mem_strndup(owner, *ret, strcspn(*ret, "/"));
    r = db_run(state->db, err, "INSERT INTO leases VALUES (?,?,?)", "sss", n->name, plain, container);
    if (r == 0 && !wanted)
        r = db_run(state->db, err, "UPDATE networks SET last_address=? WHERE name=?", "ss", plain, n->name);
    return r;
}

int state_lease(const void *owner, struct state *state, const char *network, const char *container,
                const char *wanted, char **ret, struct error *err)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    struct network_record *n;
    int r = db_begin(state->db, err);
    if (r < 0)
        return r;
    r = state_network_get(tmp, state, network, &n, err);
    if (r == STATE_ABSENT)
        r = error_set(err, ENOENT, "network %s is not there", network);
    char *address = NULL;
    if (r == 0)
        r = lease_choose(tmp, state, n, container, wanted, &address, err);
    r = db_end(state->db, r, err);
    if (r == 0)
        *ret = mem_strdup(owner, address);
    return r;
}

/* ---- volumes ---- */

int state_volume_put(struct state *state, const struct volume_record *v, struct error *err)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    return db_run(state->db, err,
                  "INSERT INTO volumes VALUES (?,?,?,?,?,?,?,?,?,?) ON CONFLICT (name) DO UPDATE SET "
                  "key=excluded.key, driver=excluded.driver, service=excluded.service,"
                  " number=excluded.number, target=excluded.target, config_hash=excluded.config_hash,"
                  " options=excluded.options, labels=excluded.labels WHERE project=excluded.project",
                  "sssssissss", v->name, v->project, v->key, v->driver, v->service, (int64_t)v->number,
                  v->target, v->config_hash, map_print(tmp, v->options), map_print(tmp, v->labels));
}

static int read_volume(void *data, sqlite3_stmt *row, struct error *err)
{
    struct rows *rows = data;
    struct volume_record *v = mem_new(rows->owner, struct volume_record);
    v->name = db_text(v, row, 0);
    v->project = db_text(v, row, 1);
    v->key = db_text(v, row, 2);
    v->driver = db_text(v, row, 3);
    v->service = db_text(v, row, 4);
    v->number = (int)db_int(row, 5);
    v->target = db_text(v, row, 6);
    v->config_hash = db_text(v, row, 7);
    mem_append(rows->owner, rows->items, rows->count, v);
    int r = map_parse(v, db_text(v, row, 8), &v->options, err);
    return r < 0 ? r : map_parse(v, db_text(v, row, 9), &v->labels, err);
}

int state_volume_get(const void *owner, struct state *state, const char *name, struct volume_record **ret,
                     struct error *err)
{
    struct rows rows = {.owner = owner};
    int r = db_each(state->db, read_volume, &rows, err, "SELECT * FROM volumes WHERE name=?", "s", name);
    if (r < 0)
        return r;
    if (rows.count == 0)
        return STATE_ABSENT;
    *ret = rows.items[0];
    return 0;
}

int state_volume_find_anonymous(const void *owner, struct state *state, const char *project,
                                const char *service, int number, const char *target,
                                struct volume_record **ret, struct error *err)
{
    struct rows rows = {.owner = owner};
    int r = db_each(state->db, read_volume, &rows, err,
                    "SELECT * FROM volumes WHERE project=? AND service=? AND number=? AND target=?", "ssis",
                    project, service, (int64_t)number, target);
    if (r < 0)
        return r;
    if (rows.count == 0)
        return STATE_ABSENT;
    *ret = rows.items[0];
    return 0;
}

int state_volume_detach(struct state *state, const char *project, const char *service, int number,
                        struct error *err)
{
    return db_run(
        state->db, err,
        "UPDATE volumes SET service=NULL, number=0, target=NULL WHERE project=? AND service=? AND number=?",
        "ssi", project, service, (int64_t)number);
}

int state_volume_remove(struct state *state, const char *name, struct error *err)
{
    return db_run(state->db, err, "DELETE FROM volumes WHERE name=?", "s", name);
}

int state_volumes(const void *owner, struct state *state, const char *project, struct volume_record ***ret,
                  size_t *ret_count, struct error *err)
{
    struct rows rows = {.owner = owner};
    int r = db_each(state->db, read_volume, &rows, err,
                    "SELECT * FROM volumes WHERE ?1 IS NULL OR project=?1 ORDER BY name", "s", project);
    *ret = (struct volume_record **)rows.items;
    *ret_count = rows.count;
    return r;
}
