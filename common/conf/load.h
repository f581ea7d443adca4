#ifndef CONF_LOAD_H
#define CONF_LOAD_H
/*
 * load — the configuration's files as a struct conf. The only room that knows libconfuse.
 *
 * libconfuse keeps its state in globals, leaks after an error, and its scanner may end the process:
 * so conf_load runs in a process that is thrown away afterwards. Everybody but tests calls
 * conf_load_in_child (child.h).
 */
#include "conf/conf.h"
#include "conf/report.h"


/* The run directory alone, also from files with mistakes: a tool must reach a server whose
 * administrator is in the middle of a change. Appends to the buf; -1: the file says nothing that
 * can be understood. */
int		 load_run_directory(const char *path, struct buf *);
/* The whole way: files, texts, values, checks. NULL: the report says why. */
struct conf	*conf_load(const char *path, struct conf_report *);

#endif
