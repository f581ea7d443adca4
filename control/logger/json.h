#ifndef LOGGER_JSON_H
#define LOGGER_JSON_H
/* json — a record as one JSON object on one line: the same facts as lines.c, the same event id. */
#include "control/logger/lines.h"

/* -1: no room or no memory; `out` is as it was. */
int	json_put(struct buf *out, const struct line_source *, const struct log_record *);

#endif
