#ifndef NET_TLS_STREAM_H
#define NET_TLS_STREAM_H
/*
 * tls_stream — TLS under a stream (event/stream.h), either side; the stream's owner goes on as before.
 */
#include "base/buf.h"
#include "event/stream.h"
#include "net/tls_context.h"

struct ssl_st;

struct tls_facts {
	const char	*protocol, *cipher;	/* "TLSv1.3", "TLS_AES_256_GCM_SHA384" */
	int		 bits, of_bits;		/* of the key: used, possible */
	const char	*exchange;		/* "X25519"; NULL: not known */
	const char	*signature;		/* what the server's key signed with, "ECDSA"; NULL: no key took part (a resumed session) */
	const char	*server_name;		/* that the client asked for (SNI); NULL: none. Unchecked text of the peer */
	bool		 resumed;
};

/* Begins the handshake; on_open or on_end follows. -1: err, and the stream is of no use (stream_put_layer). Uses the context until then and
 * as long as the stream lives. */
int		 tls_accept(struct stream *, struct tls_context *, struct err *);
/* name: the host that is meant (SNI), which tls_distrust is about; NULL or an address: none is named. */
int		 tls_connect(struct stream *, struct tls_context *, const char *name, struct err *);
bool		 tls_active(const struct stream *);		/* every byte goes through TLS, or will when the handshake is over */
/* Once it is open. Texts live as long as the stream. */
void		 tls_facts(const struct stream *, struct tls_facts *);
/* "TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits) key-exchange X25519 server-signature ECDSA", as Postfix writes it. */
void		 tls_facts_print(const struct stream *, struct buf *out);
/* Once it is open, at the client's side: NULL when the certificate is that of the host which was named, by an authority of the context;
 * else why it proves nothing, in words. */
const char	*tls_distrust(const struct stream *);
/* Why on_end came, in OpenSSL's words; "" when it was no matter of TLS. */
const char	*tls_why(const struct stream *);
/* OpenSSL's side of it, for what is asked rarely. */
struct ssl_st	*tls_ssl(const struct stream *);

#endif
