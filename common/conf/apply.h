#ifndef CONF_APPLY_H
#define CONF_APPLY_H
/* apply — texts with places become values in a struct conf. Private to conf. */
#include "conf/conf.h"
#include "conf/source.h"

/* Fills defaults, then what the files say; each bad text goes to the report and leaves the default
 * and marks the entry. -1: no memory. */
int	conf_apply(struct conf *, struct source *, struct conf_report *);

#endif
