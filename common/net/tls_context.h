#ifndef NET_TLS_CONTEXT_H
#define NET_TLS_CONTEXT_H
/*
 * tls_context — OpenSSL, set up once for many connections.
 *
 * A context is counted: connections keep the one they began with while new ones get that of the next configuration. TLS 1.2 and 1.3,
 * no renegotiation (CVE-2009-3555), no compression, no session cache in memory (CVE-2024-2511), no early data. OpenSSL's configuration file is
 * not read: what a posthorn allows stands in its own.
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/slice.h"

struct evp_pkey_st;
struct ssl_ctx_st;
struct tls_context;

enum tls_floor { TLS_FLOOR_NONE, TLS_FLOOR_1_2, TLS_FLOOR_1_3, TLS_FLOOR_COUNT };

/* Who a server is: a chain of certificates, leaf first (PEM), and the key of the leaf. */
struct tls_identity {
	unsigned		 set;	/* those of one set are for the same names and differ in the kind of key; they stand together */
	struct slice		 chain;
	struct evp_pkey_st	*key;	/* borrowed */
};

struct tls_server_options {
	enum tls_floor	floor;
	const char	*realm;		/* tickets of one realm mean nothing in another: the listener's role */
};

#define TLS_TICKET_KEY_SIZE	80	/* name 16, HMAC 32, AES-256 32 */
#define TLS_TICKET_KEYS		2	/* the present one and the one before it, which still opens tickets */

/* Before anything else of OpenSSL, and before the sandbox. -1: err. */
int			 tls_init(struct err *);
/* The first set is for clients that name no host, or none of ours; others by the names in a leaf certificate (SNI, RFC 6066 3). NULL: err. */
struct tls_context	*tls_server_new(const struct tls_identity *, size_t count, const struct tls_server_options *, struct err *);
/* For a client that takes any certificate (opportunistic TLS: RFC 3207 4, RFC 7435), and says afterwards what it is worth: tls_distrust.
 * authorities: whose certificates are believed (PEM, one behind the other); empty: nobody's. NULL: err. */
struct tls_context	*tls_client_new(struct slice authorities, struct err *);
bool			 tls_client_trusts(const struct tls_context *);	/* somebody */
struct tls_context	*tls_context_use(struct tls_context *);
void			 tls_context_drop(struct tls_context **);
struct ssl_ctx_st	*tls_context_ssl(const struct tls_context *);
/* Keys for the tickets of all contexts of this process (RFC 5077), `keys` of TLS_TICKET_KEY_SIZE bytes each, newest first. Without any: no
 * tickets. Copied. */
void			 tls_ticket_keys(const uint8_t (*keys)[TLS_TICKET_KEY_SIZE], size_t count);
bool			 tls_has_ticket_keys(void);
/* OpenSSL's own words for what went wrong last, oldest error first; empties its queue. */
const char		*tls_words(char *out, size_t size);

#endif
