#include "cli/configlist.h"

#include "base/str.h"

#include <stdio.h>

/* Depth first; a cycle, which the loader refuses, would end at the name that is there already. */
static void visit(const void *owner, const struct project *project, const char *name, struct omap *done)
{
    const struct service *service = project_service(project, name);
    if (!service || omap_has(done, name))
        return;
    omap_set(done, name, (void *)service);
    for (size_t i = 0; i < service->depends_on_count; i++)
        visit(owner, project, service->depends_on[i].service, done);
    puts(name);
}

void configlist_services(const void *owner, const struct project *project)
{
    struct omap *done = omap_new(owner);
    char **names = NULL;
    omap_foreach (e, project->services)
        names = strv_add(owner, names, e->key);
    strv_sort(names);
    for (char **name = names; name && *name; name++)
        visit(owner, project, *name, done);
}

static void print_keys(const void *owner, const struct omap *map)
{
    char **names = NULL;
    omap_foreach (e, map)
        names = strv_add(owner, names, e->key);
    strv_sort(names);
    for (char **name = names; name && *name; name++)
        puts(*name);
}

void configlist_volumes(const void *owner, const struct project *project)
{
    print_keys(owner, project->volumes);
}

void configlist_networks(const void *owner, const struct project *project)
{
    print_keys(owner, project->networks);
}

void configlist_profiles(const void *owner, const struct project *project)
{
    struct omap *seen = omap_new(owner);
    const struct omap *const maps[] = {project->services, project->disabled};
    for (size_t i = 0; i < ARRAY_SIZE(maps); i++)
        omap_foreach (e, maps[i]) {
            const struct service *service = e->value;
            for (char **p = service->profiles; p && *p; p++)
                omap_set(seen, *p, *p);
        }
    print_keys(owner, seen);
}

void configlist_images(const void *owner, const struct project *project)
{
    omap_foreach (e, project->services) {
        const struct service *service = e->value;
        if (service->image)
            puts(service->image);
        else
            puts(mem_printf(owner, "%s-%s", project->name, e->key));
    }
}

void configlist_environment(const void *owner, const struct project *project)
{
    char **lines = NULL;
    omap_foreach (e, project->environment)
        lines = strv_addf(owner, lines, "%s=%s", e->key, e->value ? (char *)e->value : "");
    strv_sort(lines);
    for (char **line = lines; line && *line; line++)
        puts(*line);
}

int configlist_hashes(const void *owner, const struct project *project, const char *which, struct error *err)
{
    char **names = NULL;
    if (str_eq(which, "*")) {
        omap_foreach (e, project->services)
            names = strv_add(owner, names, e->key);
        strv_sort(names);
    } else {
        names = strv_split(owner, which, ',');
    }
    for (char **name = names; name && *name; name++) {
        const struct service *service = project_service(project, *name);
        if (!service)
            return error_set(err, ENOENT, "no such service: %s", *name);
        printf("%s %s\n", *name, service->config_hash ? service->config_hash : "");
    }
    return 0;
}
