#ifndef CONF_SUGGEST_H
#define CONF_SUGGEST_H
/* suggest — what somebody who wrote an unknown name may have meant. Pure. */
#include "conf/setting.h"

/* "did you mean `port`?", or where the names are listed. Returns out. */
const char	*suggest_name(const struct section *, const char *wrong, char *out, size_t size);

#endif
