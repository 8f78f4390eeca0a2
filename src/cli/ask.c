#include "cli/ask.h"

#include <strings.h>

bool ask(const struct app *app, const char *question)
{
    fprintf(stderr, "%s [yN] ", question);
    fflush(stderr);
    char line[16] = "";
    bool answered = fgets(line, sizeof(line), stdin) != NULL;
    if (!answered || !app->config.in_tty)
        fputc('\n', stderr);
    line[strcspn(line, "\n")] = '\0';
    return answered && (strcasecmp(line, "y") == 0 || strcasecmp(line, "yes") == 0);
}
