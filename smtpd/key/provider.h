#ifndef KEY_PROVIDER_H
#define KEY_PROVIDER_H
/*
 * provider — an OpenSSL provider whose keys are elsewhere: smtpd uses them like its own, and each signature is asked for on the key wire.
 *
 * A question blocks the process for as long as key needs for a signature (EC some 50 us, RSA of 2,048 bits some 700 us) and two seconds
 * at most; then nobody asks until the late answer has come. Without a wire, or when key refuses, the handshake fails.
 */
#include <stdbool.h>

#include "base/err.h"
#include "base/slice.h"

struct evp_pkey_st;

/* After tls_init, once. -1: err. */
int			 key_provider_init(struct err *);
/* The wire to key; again when key was replaced. Takes fd; -1: there is none any more. */
void			 key_provider_wire(int fd);
bool			 key_provider_ready(void);	/* there is a wire, and key answers: handshakes may begin */
/* The key that belongs to this certificate's public half (a PEM chain, leaf first). The caller's. NULL: err. */
struct evp_pkey_st	*key_provider_key(struct slice chain, struct err *);

#endif
