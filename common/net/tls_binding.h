#ifndef NET_TLS_BINDING_H
#define NET_TLS_BINDING_H
/*
 * tls_binding — what this TLS connection has and a forwarded one has not: data to bind a login to (RFC 5056, RFC 5929, RFC 9266).
 */
#include "event/stream.h"

#define TLS_EXPORTER_BYTES	32
#define TLS_END_POINT_MAX	64

/* tls-exporter: both sides and nobody else can compute it. 0: none (no TLS, or older than 1.3, where it may not be unique). */
size_t	tls_exporter(const struct stream *, char out[TLS_EXPORTER_BYTES]);
/* tls-server-end-point: the hash of the server's certificate, of ours when we are the server. 0: none. */
size_t	tls_end_point(const struct stream *, char out[TLS_END_POINT_MAX]);

#endif
