#include "cli/command.h"

#include <assert.h>
#include <signal.h>

/* Exit statuses that are not 1; scripts know them from docker compose. */
static const struct {
    int code, status;
} statuses[] = {
    {ECANCELED, 130}, /* interrupted */
};

static int exit_status(const struct error *err)
{
    for (size_t i = 0; i < ARRAY_SIZE(statuses); i++)
        if (statuses[i].code == err->code)
            return statuses[i].status;
    return 1;
}

int main(int argc UNUSED, char **argv)
{
    struct error err = ERROR_INIT;
    cleanup_ctx TALLOC_CTX *ctx = mem_ctx();
    struct app app = {.ctx = ctx};
    config_read(ctx, argv[0], environ, &app.config);
    int r = command_dispatch(&app, argv[0] ? argv + 1 : argv, &err);
    assert((r < 0) == error_is_set(&err));
    if (r >= 0 && (fflush(stdout) != 0 || ferror(stdout)))
        r = error_errno(&err, "write standard output");
    if (r >= 0)
        return r;
    fflush(stdout);
    app_report(&app, &err);
    return exit_status(&err);
}
