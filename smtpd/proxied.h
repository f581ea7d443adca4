#ifndef SMTPD_PROXIED_H
#define SMTPD_PROXIED_H
/*
 * proxied — connections from listed proxies, until their header (net/proxy.h) has said whose they are.
 *
 * Of such a connection no byte behind the header is read, so that whoever takes it over finds what the client said, TLS as well. A
 * proxy that says nothing in time, or something else, is cut off without a word.
 */
#include "event/loop.h"
#include "net/sockaddr.h"

struct proxied;

/* The fd is the callee's. itself: the proxy speaks for itself, or does not say for whom; then *client is the proxy. */
typedef void proxied_fn(void *arg, int fd, const struct sockaddress *client, bool itself);

struct proxied	*proxied_new(struct loop *, proxied_fn *, void *arg);
void		 proxied_free(struct proxied **);		/* cuts off those that wait */
void		 proxied_wait(struct proxied *, int fd, const struct sockaddress *proxy);	/* takes the fd */

#endif
