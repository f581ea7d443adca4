#ifndef LOOKUP_TABLES_H
#define LOOKUP_TABLES_H
/*
 * tables — which version of each file the answers come from. Several workers read the same file at
 * different times; only a version that nobody has told of before makes older answers void.
 */
#include <bsd/sys/queue.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"

struct table;
SLIST_HEAD(tables, table);

void	tables_init(struct tables *);
void	tables_fini(struct tables *);
/* A worker has read this version. True: another one was known until now. */
bool	tables_changed(struct tables *, struct slice path, uint64_t stamp);

#endif
