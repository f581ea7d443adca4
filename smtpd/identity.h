#ifndef SMTPD_IDENTITY_H
#define SMTPD_IDENTITY_H
/* identity — certificates of the configuration, made into what a listener shows its clients; the keys stay in `key`. */
#include "conf/conf.h"
#include "net/tls_context.h"
#include "proc/files.h"

/* NULL: err names the tls section and what is wrong with it. */
struct tls_context	*identity_context(const struct conf *, const struct conf_listener *, const struct files *, struct err *);

#endif
