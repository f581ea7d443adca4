#ifndef NET_PROXY_H
#define NET_PROXY_H
/*
 * proxy — the header of the PROXY protocol, versions 1 and 2 (haproxy.org, proxy-protocol.txt): who the client of a proxy is.
 *
 * Pure, total over any bytes. Whose word on that is believed is the caller's business.
 */
#include "base/slice.h"
#include "net/sockaddr.h"

#define PROXY_MAX	4096	/* bytes of a header that we read, extensions included */

enum proxy_result {
	PROXY_NONE,
	PROXY_MORE,	/* good so far */
	PROXY_CLIENT,	/* *client is filled in */
	PROXY_SELF,	/* the proxy speaks for itself (a check of our health), or does not know for whom */
	PROXY_BAD	/* no such header, or one that is broken */
};

/* *len: of the header, for CLIENT and SELF; what follows it is the client's. */
enum proxy_result	proxy_parse(struct slice in, size_t *len, struct sockaddress *client);

#endif
