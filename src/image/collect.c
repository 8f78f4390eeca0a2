#include "base/omap.h"
#include "base/path.h"
#include "base/str.h"
#include "base/strv.h"
#include "image/index.h"
#include "oci/digest.h"
#include "sys/fs.h"

#include <fts.h>

int64_t image_tree_bytes(const char *path)
{
    char *paths[] = {(char *)(uintptr_t)path, NULL};
    FTS *walk = fts_open(paths, FTS_PHYSICAL | FTS_XDEV | FTS_NOCHDIR, NULL);
    int64_t bytes = 0;
    for (FTSENT *e; walk && (e = fts_read(walk));) {
        bool is_file = e->fts_info == FTS_F || e->fts_info == FTS_DEFAULT || e->fts_info == FTS_SL;
        if (is_file || e->fts_info == FTS_D)
            bytes += e->fts_statp->st_blocks * 512 / (is_file ? (int64_t)e->fts_statp->st_nlink : 1);
    }
    if (walk)
        fts_close(walk);
    return bytes;
}

/* Renamed out of the way first, so that nobody sees a layer that is half gone. */
static int remove_layer(const struct image_store *store, const char *name, int64_t *bytes, struct error *err)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    char *path = image_layer_path(tmp, store, name), *dead = path;
    if (name[0] != '.') {
        dead = mem_printf(tmp, "%s/layers/.dead-%s", store->root, name);
        if (fs_exists(dead) && fs_remove_tree(dead, err) < 0)
            return error_wrap(err, "remove layer");
        if (rename(path, dead) < 0)
            return error_errno(err, "rename '%s'", path);
    }
    *bytes += image_tree_bytes(dead);
    return fs_remove_tree(dead, err);
}

static int collect_layers(const struct image_store *store, const struct omap *needed, int64_t *bytes,
                          struct error *err)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    char **names;
    int r = fs_list(tmp, image_store_path(tmp, store, "layers"), &names, err);
    for (size_t i = 0; r == 0 && names && names[i]; i++)
        if (!omap_has(needed, names[i]))
            r = remove_layer(store, names[i], bytes, err);
    return r;
}

static int collect_files(const struct image_store *store, const char *dir, const struct omap *needed,
                         int64_t *bytes, struct error *err)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    char **names;
    int r = fs_list(tmp, image_store_path(tmp, store, dir), &names, err);
    for (size_t i = 0; r == 0 && names && names[i]; i++) {
        if (omap_has(needed, names[i]))
            continue;
        char *path = mem_printf(tmp, "%s/%s/%s", store->root, dir, names[i]);
        struct stat st;
        if (lstat(path, &st) == 0)
            *bytes += st.st_blocks * 512;
        r = fs_remove_tree(path, err);
    }
    return r;
}

int image_collect(const struct image_store *store, const struct image_index *index, char *const *keep,
                  bool partial, int64_t *ret_bytes, struct error *err)
{
    cleanup_ctx TALLOC_CTX *tmp = mem_ctx();
    cleanup_close int lock = -1;
    int64_t bytes = 0;
    int r = fs_lock(image_store_path(tmp, store, "transfer.lock"), false, false, &lock, err);
    if (r < 0)
        return r;
    *ret_bytes = 0;
    if (r == LOCK_BUSY)
        return 0;
    struct omap *layers = omap_new(tmp), *blobs = omap_new(tmp), *none = omap_new(tmp);
    for (size_t i = 0; i < index->count; i++) {
        const struct image_record *record = index->records[i];
        omap_set(blobs, digest_hex(record->manifest), store->root);
        omap_set(blobs, digest_hex(record->config), store->root);
        for (size_t n = 0; record->layers && record->layers[n]; n++)
            omap_set(layers, record->layers[n], store->root);
    }
    for (; keep && *keep; keep++)
        omap_set(layers, path_name(*keep), store->root);
    r = collect_layers(store, layers, &bytes, err);
    if (r == 0)
        r = collect_files(store, "blobs/sha256", blobs, &bytes, err);
    if (r == 0)
        r = collect_files(store, "locks", none, &bytes, err);
    if (r == 0 && partial)
        r = collect_files(store, "blobs/partial", none, &bytes, err);
    *ret_bytes = bytes;
    return r;
}
