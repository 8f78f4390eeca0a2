#include "imaged/job.h"
int job_load(struct job *job UNUSED, struct error *err)
{
    return error_set(err, ENOSYS, "load");
}
