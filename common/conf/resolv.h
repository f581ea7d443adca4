#ifndef CONF_RESOLV_H
#define CONF_RESOLV_H
/* resolv — the DNS servers that the host's administrator named in resolv.conf(5). Private to
 * conf. */
#include "conf/conf.h"

#define RESOLV_CONF		"/etc/resolv.conf"
#define RESOLV_SERVERS_MAX	3	/* as the C library reads */

/* The nameserver lines with literal addresses, port 53; none when the file is missing or has
 * none. -1: no memory. */
int	resolv_servers(const char *path, struct arena *, struct conf_addresses *out);

#endif
