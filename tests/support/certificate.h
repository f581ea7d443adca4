#ifndef SUPPORT_CERTIFICATE_H
#define SUPPORT_CERTIFICATE_H
/* certificate — keys and self-signed certificates for tests, made on the spot. */
#include <openssl/evp.h>

enum key_kind { KEY_RSA_2048, KEY_EC_P256 };

EVP_PKEY	*certificate_key(enum key_kind);
/* PEM of a certificate of this key for these host names (the list ends with NULL); the caller's, free(3). */
char		*certificate_pem(EVP_PKEY *, const char *const *names);
char		*certificate_key_pem(EVP_PKEY *);

#endif
