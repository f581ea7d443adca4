#ifndef CONF_FILL_H
#define CONF_FILL_H
/*
 * fill — a struct conf as rows see it: sections with a base address, titled ones with items.
 * Private to conf; in conf.c.
 */
#include "conf/conf.h"
#include "conf/setting.h"

/* The struct that the section's rows count their offsets from; `item` is 0 for a plain section. */
void		*section_base(const struct section *, struct conf *, uint32_t item);
const void	*section_base_const(const struct section *, const struct conf *, uint32_t item);
uint32_t	 section_items(const struct section *, const struct conf *);	/* 1 for a plain section */
const char	*section_title(const struct section *, const void *base);	/* titled sections only */

/* For titled sections. -1: no memory, or more than item_max. */
int		 section_resize(const struct section *, struct conf *, uint32_t count);	/* forgets earlier items */
int		 section_set_title(const struct section *, struct conf *, uint32_t item, struct slice);
int		 section_set_initial(const struct section *, struct conf *, uint32_t item);

int		 conf_set_initial(struct conf *);	/* every default of the plain sections */
/* What follows from other settings: listener and domain when none is given, ports, lower case.
 * -1: no memory. */
int		 conf_settle(struct conf *);

#endif
