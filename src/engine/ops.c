/* The table of operations: a row says how each is called and what does it. */
#include "engine/ops.h"

const struct op_row op_rows[OP__COUNT] = {
    [OP_PULL] = {"pull",     "Pulling",  "Pulled",    op_pull,               op_pull_cancel          },
    [OP_NETWORK_CREATE] = {"create",   "Creating", "Created",   op_network_create,     NULL                    },
    [OP_VOLUME_CREATE] = {"create",   "Creating", "Created",   op_volume_create,      NULL                    },
    [OP_CONTAINER_CREATE] = {"create",   "Creating", "Created",   op_container_create,   NULL                    },
    [OP_CONTAINER_RECREATE] = {"recreate", "Recreate", "Recreated", op_container_recreate, NULL                    },
    [OP_CONTAINER_START] = {"start",    "Starting", "Started",   op_container_start,    NULL                    },
    [OP_CONTAINER_WAIT] = {"wait",     "Waiting",  NULL,        op_container_wait,     op_container_wait_cancel},
    [OP_CONTAINER_STOP] = {"stop",     "Stopping", "Stopped",   op_container_stop,     NULL                    },
    [OP_CONTAINER_KILL] = {"kill",     "Killing",  "Killed",    op_container_kill,     NULL                    },
    [OP_CONTAINER_REMOVE] = {"remove",   "Removing", "Removed",   op_container_remove,   NULL                    },
    [OP_NETWORK_REMOVE] = {"remove",   "Removing", "Removed",   op_network_remove,     NULL                    },
    [OP_VOLUME_REMOVE] = {"remove",   "Removing", NULL,        op_volume_remove,      NULL                    },
    [OP_IMAGE_REMOVE] = {"remove",   "Removing", "Removed",   op_image_remove,       NULL                    },
    [OP_PROVIDER_UP] = {"create",   "Creating", "Created",   op_provider,           op_provider_cancel      },
    [OP_PROVIDER_DOWN] = {"remove",   "Removing", "Removed",   op_provider,           op_provider_cancel      },
};
