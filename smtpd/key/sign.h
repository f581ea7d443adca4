#ifndef KEY_SIGN_H
#define KEY_SIGN_H
/*
 * sign — private keys, and what they sign: the server's part of a TLS handshake and nothing else.
 *
 * A worker that was broken into can use a key as long as it lives, in handshakes with clients; it cannot have the key, nor anything
 * signed or decrypted that is no handshake (RELIABILITY claim C5 is tested in tests/unit/smtpd/test_key.c).
 */
#include "base/buf.h"
#include "base/err.h"
#include "wire/key.h"

struct signer;

struct signer	*signer_new(void);				/* without keys; NULL: no memory */
void		 signer_free(struct signer **);
/* A private key in PEM form, RSA of at least 2,048 bits or EC, not encrypted, that belongs to the first certificate of this chain (PEM).
 * -1: err. */
int		 signer_add(struct signer *, struct slice pem, struct slice chain, struct err *);
bool		 signer_has(const struct signer *, const uint8_t id[KEY_ID_SIZE]);
/* Appends the signature. -1: no such key, or the content is none that a TLS server signs, or OpenSSL fails. */
int		 signer_sign(const struct signer *, const struct key_question *, struct buf *out);
/*
 * What a server signs in a handshake: RFC 8446 4.4.3 (64 spaces, the server's context string, a zero, the hash of the conversation), or
 * RFC 8422 5.4 (both randoms and an ECDHE key on a named curve). Pure.
 */
bool		 sign_is_handshake(struct slice content);

#endif
