#ifndef CONF_CHECK_H
#define CONF_CHECK_H
/* check — what one setting alone cannot know: whether they fit each other. Private to conf. */
#include "conf/conf.h"
#include "conf/source.h"

/* All mistakes go to the report, each at the place of the setting that should change. The conf
 * is settled. */
void	conf_check(const struct conf *, const struct source *, struct conf_report *);

#endif
