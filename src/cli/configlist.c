#include "cli/configlist.h"

#include "cli/table.h"

#include "base/str.h"
#include "compose/load.h"
#include "data/yaml_write.h"
#include "oci/json.h"

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

int configlist_services(const void *owner, const struct project *project, const char *argument UNUSED,
                        struct error *err UNUSED)
{
    struct omap *done = omap_new(owner);
    char **names = NULL;
    omap_foreach (e, project->services)
        names = strv_add(owner, names, e->key);
    strv_sort(names);
    for (char **name = names; name && *name; name++)
        visit(owner, project, *name, done);
    return 0;
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

int configlist_volumes(const void *owner, const struct project *project, const char *argument UNUSED,
                       struct error *err UNUSED)
{
    print_keys(owner, project->volumes);
    return 0;
}

int configlist_networks(const void *owner, const struct project *project, const char *argument UNUSED,
                        struct error *err UNUSED)
{
    print_keys(owner, project->networks);
    return 0;
}

int configlist_profiles(const void *owner, const struct project *project, const char *argument UNUSED,
                        struct error *err UNUSED)
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
    return 0;
}

int configlist_images(const void *owner, const struct project *project, const char *argument UNUSED,
                      struct error *err UNUSED)
{
    omap_foreach (e, project->services) {
        const struct service *service = e->value;
        if (service->image)
            puts(service->image);
        else
            puts(mem_printf(owner, "%s%s%s", project->name, project->separator, e->key));
    }
    return 0;
}

int configlist_environment(const void *owner, const struct project *project, const char *argument UNUSED,
                           struct error *err UNUSED)
{
    char **lines = NULL;
    omap_foreach (e, project->environment)
        lines = strv_addf(owner, lines, "%s=%s", e->key, e->value ? (char *)e->value : "");
    strv_sort(lines);
    for (char **line = lines; line && *line; line++)
        puts(*line);
    return 0;
}

int configlist_hashes(const void *owner, const struct project *project, const char *argument,
                      struct error *err)
{
    char **names = NULL;
    if (str_eq(argument, "*")) {
        omap_foreach (e, project->services)
            names = strv_add(owner, names, e->key);
        strv_sort(names);
    } else {
        names = strv_split(owner, argument, ',');
        strv_sort(names);
    }
    for (char **name = names; name && *name; name++) {
        const struct service *service = project_service(project, *name);
        if (!service) {
            bool disabled = omap_has(project->disabled, *name);
            return error_set(err, ENOENT, "no such service: %s: %s", *name,
                             disabled ? "disabled" : "not found");
        }
        printf("%s %s\n", *name, service->config_hash ? service->config_hash : "");
    }
    return 0;
}

int configlist_models(const void *owner UNUSED, const struct project *project, const char *argument UNUSED,
                      struct error *err UNUSED)
{
    node_foreach_entry (e, node_get(project->tree, "models")) {
        const char *model = node_get_text(e->value, "model");
        if (!str_is_empty(model))
            puts(model);
    }
    return 0;
}

static void print_variables_json(struct project_variable *const *variables, size_t count)
{
    cleanup_json json_t *all = json_object();
    for (size_t i = 0; i < count; i++) {
        const struct project_variable *v = variables[i];
        json_object_set_new(all, v->name,
                            json_pack("{s:s, s:s, s:s, s:b}", "Name", v->name, "DefaultValue",
                                      v->fallback ? v->fallback : "", "PresenceValue",
                                      v->alternate ? v->alternate : "", "Required", v->required));
    }
    cleanup_malloc char *text = mem_check(json_dumps(all, JSON_INDENT(4)));
    puts(text);
}

static void print_variables_yaml(const void *owner, struct project_variable *const *variables, size_t count)
{
    struct arena *arena = arena_new(owner);
    struct node *all = node_new(arena, NODE_MAP, NULL);
    struct buffer out = BUFFER_INIT(owner);
    for (size_t i = 0; i < count; i++) {
        const struct project_variable *v = variables[i];
        struct node *map = node_new(arena, NODE_MAP, NULL);
        node_set(arena, map, "name", node_string(arena, v->name, NULL));
        node_set(arena, map, "defaultvalue", node_string(arena, v->fallback ? v->fallback : "", NULL));
        node_set(arena, map, "presencevalue", node_string(arena, v->alternate ? v->alternate : "", NULL));
        node_set(arena, map, "required", node_bool(arena, v->required, NULL));
        node_set(arena, all, v->name, map);
    }
    yaml_write(&out, all);
    fwrite(out.data, 1, out.size, stdout);
}

static void print_variables_table(const void *owner, struct project_variable *const *variables, size_t count)
{
    struct table *table = table_new(owner, 20, 3);
    table_row(table, "NAME", "REQUIRED", "DEFAULT VALUE", "ALTERNATE VALUE");
    for (size_t i = 0; i < count; i++)
        table_row(table, variables[i]->name, variables[i]->required ? "true" : "false",
                  variables[i]->fallback ? variables[i]->fallback : "",
                  variables[i]->alternate ? variables[i]->alternate : "");
    fputs(table_print(owner, table), stdout);
}

int configlist_variables(const void *owner, const struct project *project, const char *argument,
                         struct error *err)
{
    struct project_variable **variables;
    size_t count;
    int r = project_variables(owner, project, &variables, &count, err);
    if (r < 0)
        return r;
    if (str_eq(argument, "json"))
        print_variables_json(variables, count);
    else if (str_eq(argument, "yaml"))
        print_variables_yaml(owner, variables, count);
    else if (str_is_empty(argument) || str_eq(argument, "table"))
        print_variables_table(owner, variables, count);
    else
        return error_set(err, EINVAL, "unsupported format \"%s\": table, json or yaml", argument);
    return 0;
}
