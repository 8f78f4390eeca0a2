#pragma once
/*
 * Shell completion from the tables. The shells' stubs (completions/) call `compote __complete WORD...` with
 * the words after the program's name, the last one being completed, and get a candidate on each line, with a
 * tab and a description behind it; or one line ":file" or ":dir" for names of files.
 */
#include "cli/app.h"

struct completion {
    char **lines;      /* candidates, filtered by what has been typed */
    const char *names; /* what kind of names is wanted besides: "service", "project", "file" ...; or NULL */
};

void complete_words(const void *owner, char *const *words, struct completion *ret);
