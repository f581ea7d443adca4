#ifndef CONF_SHOW_H
#define CONF_SHOW_H
/*
 * show — the rows for people: a configuration as a file, all settings with their documentation, the
 * list in the manual. Used by posthorn(1) only.
 */
#include "conf/conf.h"

void	conf_show(const struct conf *, struct buf *);	/* a file that parses again to the same configuration */
/* Every setting with what it means, its bounds and its default. */
void	conf_show_defaults(struct buf *);
void	conf_show_manual(struct buf *);			/* the same as mdoc(7), for posthorn.conf(5) */

#endif
