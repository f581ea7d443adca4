#ifndef SUPERVISOR_WIRING_H
#define SUPERVISOR_WIRING_H
/* wiring — socket pairs between siblings. When a child is replaced, all its wires are made anew and both ends are told. */
#include "control/supervisor/child.h"

/* `c` has just become ready: joins it with every ready sibling that the table of wires names. */
void	wiring_join(const struct child_list *, struct child *c);
/* `c` has just been started: logger, if it serves, gets its log socket (before it is ready: start-up has news, too). */
void	wiring_log(const struct child_list *, const struct child *c);

#endif
