/* Canonical tree to struct: each entry whose row has a member is put there by the row's type. */
#include "schema/schema.h"

void schema_bind(const void *owner, const struct node *tree, void *into)
{
    node_foreach_entry (e, tree) {
        const struct schema_field *field = e->row;
        if (field && field->member && field->type->bind && e->value->kind != NODE_NULL)
            field->type->bind(owner, e->value, (char *)into + field->member - 1);
    }
}
