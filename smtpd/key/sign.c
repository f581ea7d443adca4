/*
 * sign — see sign.h.
 */
#include "smtpd/key/sign.h"

#include <string.h>

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/sha.h>
#include <openssl/x509.h>

#include "base/mem.h"

#define KEYS_MAX	256
#define RSA_BITS_MIN	2048
#define PADDING		64	/* RFC 8446 4.4.3: octets of 32 */
#define RANDOMS		64	/* RFC 8422 5.4: 32 of the client, 32 of the server */
#define NAMED_CURVE	3	/* ECCurveType */

struct signer {
	size_t		 count;
	struct {
		uint8_t		 id[KEY_ID_SIZE];
		EVP_PKEY	*key;
	} keys[KEYS_MAX];
};

struct signer *
signer_new(void)
{
	return mem_zalloc(sizeof(struct signer));
}

void
signer_free(struct signer **sp)
{
	struct signer *s = *sp;

	*sp = NULL;
	if (s == NULL)
		return;
	for (size_t i = 0; i < s->count; i++)
		EVP_PKEY_free(s->keys[i].key);
	mem_free(s);
}

static const char *
why_unfit(const EVP_PKEY *key)
{
	if (EVP_PKEY_is_a(key, "EC"))
		return NULL;
	if (!EVP_PKEY_is_a(key, "RSA"))
		return "its kind is not served: RSA or EC would be right";
	return EVP_PKEY_get_bits(key) < RSA_BITS_MIN ? "it is too short: RSA of 2048 bits or more would be right" : NULL;
}

static int
id_of(const EVP_PKEY *key, uint8_t id[KEY_ID_SIZE])
{
	unsigned char *der = NULL;
	int len = i2d_PUBKEY(key, &der);

	if (len <= 0)
		return -1;
	SHA256(der, (size_t)len, id);
	OPENSSL_free(der);
	return 0;
}

/* A password that nobody could type: never asks. */
static int
no_password(char *out, int size, int writing, void *arg)
{
	(void)out;
	(void)size;
	(void)writing;
	(void)arg;
	return -1;
}

static bool
belongs(const EVP_PKEY *key, struct slice chain)
{
	BIO *in = BIO_new_mem_buf(chain.p, (int)chain.len);
	X509 *leaf = in == NULL ? NULL : PEM_read_bio_X509_AUX(in, NULL, no_password, NULL);
	bool result = leaf != NULL && X509_check_private_key(leaf, key) == 1;

	X509_free(leaf);
	BIO_free(in);
	return result;
}

int
signer_add(struct signer *s, struct slice pem, struct slice chain, struct err *err)
{
	BIO *in = BIO_new_mem_buf(pem.p, (int)pem.len);
	EVP_PKEY *key = in == NULL ? NULL : PEM_read_bio_PrivateKey(in, NULL, no_password, NULL);
	const char *why = key == NULL ? "there is no private key in PEM form in it, or it has a password" : why_unfit(key);

	BIO_free(in);
	if (why == NULL && !belongs(key, chain))
		why = "it does not belong to the certificate";
	ERR_clear_error();
	if (why == NULL && (s->count == KEYS_MAX || id_of(key, s->keys[s->count].id) == -1))
		why = "there is no room for it";
	if (why != NULL) {
		EVP_PKEY_free(key);
		return err_set(err, "%s", why);
	}
	s->keys[s->count++].key = key;
	return 0;
}

static EVP_PKEY *
find(const struct signer *s, const uint8_t id[KEY_ID_SIZE])
{
	for (size_t i = 0; i < s->count; i++)
		if (memcmp(s->keys[i].id, id, KEY_ID_SIZE) == 0)
			return s->keys[i].key;
	return NULL;
}

bool
signer_has(const struct signer *s, const uint8_t id[KEY_ID_SIZE])
{
	return find(s, id) != NULL;
}

static bool
is_certificate_verify(struct slice content)
{
	static const char context[] = "TLS 1.3, server CertificateVerify";	/* with its zero */
	size_t hash = content.len - PADDING - sizeof(context);

	if (content.len < PADDING + sizeof(context) || (hash != 32 && hash != 48))
		return false;
	for (size_t i = 0; i < PADDING; i++)
		if (content.p[i] != ' ')
			return false;
	return memcmp(content.p + PADDING, context, sizeof(context)) == 0;
}

/* ServerECDHParams: curve type, curve (2 bytes), length of the point (1), point. */
static bool
is_key_exchange(struct slice content)
{
	return content.len > RANDOMS + 4 && content.p[RANDOMS] == NAMED_CURVE &&
	    content.len == RANDOMS + 4 + (size_t)(unsigned char)content.p[RANDOMS + 3];
}

bool
sign_is_handshake(struct slice content)
{
	return is_certificate_verify(content) || is_key_exchange(content);
}

static const EVP_MD *
digest_of(enum key_digest digest)
{
	switch (digest) {
	case KEY_SHA256:
		return EVP_sha256();
	case KEY_SHA384:
		return EVP_sha384();
	default:
		return EVP_sha512();
	}
}

static bool
set_padding(EVP_PKEY_CTX *context, const EVP_PKEY *key, bool pss)
{
	if (!EVP_PKEY_is_a(key, "RSA"))
		return true;
	if (!pss)
		return EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PADDING) == 1;
	return EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PSS_PADDING) == 1 &&
	    EVP_PKEY_CTX_set_rsa_pss_saltlen(context, RSA_PSS_SALTLEN_DIGEST) == 1;
}

static bool
sign_with(EVP_MD_CTX *md, EVP_PKEY *key, const struct key_question *q, unsigned char *out, size_t *len)
{
	EVP_PKEY_CTX *context;

	return EVP_DigestSignInit(md, &context, digest_of(q->digest), NULL, key) == 1 && set_padding(context, key, q->pss) &&
	    EVP_DigestSign(md, out, len, (const unsigned char *)q->content.p, q->content.len) == 1;
}

int
signer_sign(const struct signer *s, const struct key_question *q, struct buf *out)
{
	EVP_PKEY *key = find(s, q->id);
	unsigned char signature[KEY_SIGNATURE_MAX];
	size_t len = sizeof(signature);
	EVP_MD_CTX *md;
	bool done;

	if (key == NULL || !sign_is_handshake(q->content) || (md = EVP_MD_CTX_new()) == NULL)
		return -1;
	done = sign_with(md, key, q, signature, &len);
	EVP_MD_CTX_free(md);
	ERR_clear_error();
	return done ? buf_append(out, signature, len) : -1;
}
