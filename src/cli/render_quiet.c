#include "cli/render.h"

void render_quiet_event(struct progress_sink *sink UNUSED, const struct progress_event *event UNUSED)
{
}
