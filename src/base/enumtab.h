#pragma once
/*
 * Enumerations and their names. An enumeration ends with X__COUNT and has one table of names:
 *
 *     static const char *const state_names[] = {[STATE_RUNNING] = "running", ...};
 *     ENUM_NAMES(container_state, state_names, STATE__COUNT)
 *
 * defines container_state_name(value) and container_state_parse(text, &value).
 */
#include "base/str.h"

#include <stdbool.h>

#define ENUM_NAMES_DECLARE(type)                                                                             \
    const char *type##_name(enum type value);                                                                \
    bool type##_parse(const char *name, enum type *ret);

#define ENUM_NAMES(type, table, count)                                                                       \
    _Static_assert(sizeof(table) / sizeof(table[0]) == (count), "one name for each value");                  \
    const char *type##_name(enum type value)                                                                 \
    {                                                                                                        \
        return (unsigned)value < (unsigned)(count) ? table[value] : NULL;                                    \
    }                                                                                                        \
    bool type##_parse(const char *name, enum type *ret)                                                      \
    {                                                                                                        \
        for (unsigned i = 0; i < (unsigned)(count); i++)                                                     \
            if (str_eq(table[i], name)) {                                                                    \
                *ret = (enum type)i;                                                                         \
                return true;                                                                                 \
            }                                                                                                \
        return false;                                                                                        \
    }
