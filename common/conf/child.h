#ifndef CONF_CHILD_H
#define CONF_CHILD_H
/*
 * child — the configuration's files, parsed and checked by a process that is thrown away
 * afterwards.
 *
 * The parser leaks after an error and may even end its process; here that costs a child. A child
 * that crashes, hangs for CHILD_PATIENCE_MS or sends what does not decode is a refused
 * configuration.
 */
#include "conf/conf.h"
#include "conf/report.h"

#define CHILD_PATIENCE_MS	10000

/*
 * 0: *out is the configuration (the caller's to free), with generation 0. -1: the report names
 * every mistake; *out is NULL. Blocks for as long as the child works, which is some milliseconds.
 * The report is initialised by the caller.
 */
int	conf_load_in_child(const char *path, struct conf **out, struct conf_report *);
/* Where a server with this configuration has its sockets, even if the file has mistakes by now. -1:
 * the file cannot be read, or `size` is too small. */
int	conf_find_run_directory(const char *path, char *out, size_t size);

#endif
