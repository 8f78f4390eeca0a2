#include "cli/reference.h"

#include "base/mem.h"
#include "base/str.h"

void reference_split(const void *owner, const char *reference, char **ret_repository, char **ret_tag)
{
    static const char *const defaults[] = {"docker.io/library/", "docker.io/"};
    for (size_t i = 0; i < ARRAY_SIZE(defaults); i++) {
        const char *rest = str_after(reference, defaults[i]);
        if (rest) {
            reference = rest;
            break;
        }
    }
    const char *digest = strchr(reference, '@');
    size_t length = digest ? (size_t)(digest - reference) : strlen(reference);
    char *name = mem_strndup(owner, reference, length);
    char *slash = strrchr(name, '/'), *colon = strchr(slash ? slash : name, ':');
    *ret_tag = mem_strdup(owner, colon ? colon + 1 : digest ? "<none>" : "latest");
    if (colon)
        *colon = '\0';
    *ret_repository = name;
}
