/* The variables that a project's files name, for `config --variables`. */
#include "base/str.h"
#include "compose/load.h"
#include "data/node.h"
#include "data/template.h"

static void use(void *data, const struct template_reference *reference)
{
    struct omap *found = data;
    struct project_variable *v = omap_get(found, reference->name);
    if (!v) {
        v = mem_new(found, struct project_variable);
        v->name = mem_strdup(v, reference->name);
        omap_set(found, v->name, v);
    }
    v->required |= reference->operation == '?';
    if (reference->operation == '-' && str_is_empty(v->fallback))
        v->fallback = mem_strdup(v, reference->operand);
    if (reference->operation == '+' && str_is_empty(v->alternate))
        v->alternate = mem_strdup(v, reference->operand);
}

static int walk(const struct node *node, struct omap *found, struct error *err)
{
    int r = 0;
    if (node_text(node)) {
        r = template_references(node->text, use, found, err);
        if (r < 0 && node->file)
            return error_wrap(err, "%s:%u:%u", node->file, node->line, node->col);
    }
    node_foreach_item (i, node)
        if (r == 0)
            r = walk(node->list.items[i], found, err);
    node_foreach_entry (e, node)
        if (r == 0)
            r = walk(e->value, found, err);
    return r;
}

static int by_name(const void *a, const void *b)
{
    return strcmp((*(struct project_variable *const *)a)->name, (*(struct project_variable *const *)b)->name);
}

int project_variables(const void *owner, const struct project *project, struct project_variable ***ret,
                      size_t *ret_count, struct error *err)
{
    struct omap *found = omap_new(owner);
    struct project_variable **variables = NULL;
    size_t count = 0;
    int r = walk(project->tree, found, err);
    if (r < 0)
        return r;
    omap_foreach (e, found)
        mem_append(owner, variables, count, (struct project_variable *)e->value);
    if (count)
        qsort(variables, count, sizeof(struct project_variable *), by_name);
    *ret = variables;
    *ret_count = count;
    return 0;
}
