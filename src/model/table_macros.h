#pragma once
/* Short names for rows, for the table files only. The rest of a row's members follow as arguments. */
#define ROW(type_, key_, ...)                                                                                \
    {                                                                                                        \
        KEY(key_), .type = &type_, __VA_ARGS__                                                               \
    }
#define OBJECT(name_, fields_, ...)                                                                          \
    {                                                                                                        \
        .name = name_, .fields = fields_, .count = ARRAY_SIZE(fields_), __VA_ARGS__                          \
    }
