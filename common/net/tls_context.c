/*
 * tls_context — one SSL_CTX for each name a server has, and one for a client.
 */
#include "net/tls_context.h"

#include <stdio.h>
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "base/mem.h"

#define SETS_MAX	64	/* names of one listener */
#define CHAIN_MAX	16	/* certificates behind the leaf */
#define TICKETS		1	/* a session: mail clients rarely come twice at once */
#define TICKET_NAME	16
#define TICKET_MAC	32
#define TICKET_CIPHER	32

struct tls_context {
	unsigned	 users;
	SSL_CTX		*ssl[SETS_MAX];	/* [0] is the one that connections begin with */
	size_t		 count;
	size_t		 authorities;	/* that a client believes */
};

static struct {
	uint8_t	keys[TLS_TICKET_KEYS][TLS_TICKET_KEY_SIZE];
	size_t	count;
} tickets;

#define STRONG	"ECDHE+AESGCM:ECDHE+CHACHA20"	/* of TLS 1.2; TLS 1.3 has no others */

static const struct {
	int		 version;
} floors[TLS_FLOOR_COUNT] = {
	[TLS_FLOOR_NONE] = { TLS1_2_VERSION }, [TLS_FLOOR_1_2] = { TLS1_2_VERSION }, [TLS_FLOOR_1_3] = { TLS1_3_VERSION },
};

int
tls_init(struct err *err)
{
	if (OPENSSL_init_ssl(OPENSSL_INIT_LOAD_SSL_STRINGS | OPENSSL_INIT_NO_LOAD_CONFIG | OPENSSL_INIT_NO_ATEXIT, NULL) == 1)
		return 0;
	return err_set(err, "OpenSSL does not start");
}

const char *
tls_words(char *out, size_t size)
{
	unsigned long code, first = 0;
	const char *reason;

	while ((code = ERR_get_error()) != 0)
		if (first == 0)
			first = code;
	reason = first == 0 ? NULL : ERR_reason_error_string(first);
	(void)snprintf(out, size, "%s", reason != NULL ? reason : "no reason given");
	return out;
}

static int
fail(struct err *err, const char *what)
{
	char words[160];

	return err_set(err, "%s: %s", what, tls_words(words, sizeof(words)));
}

void
tls_ticket_keys(const uint8_t (*keys)[TLS_TICKET_KEY_SIZE], size_t count)
{
	tickets.count = count < TLS_TICKET_KEYS ? count : TLS_TICKET_KEYS;
	OPENSSL_cleanse(tickets.keys, sizeof(tickets.keys));
	for (size_t i = 0; i < tickets.count; i++)
		memcpy(tickets.keys[i], keys[i], TLS_TICKET_KEY_SIZE);
}

bool
tls_has_ticket_keys(void)
{
	return tickets.count > 0;
}

static int
use_ticket_key(const uint8_t *key, unsigned char iv[EVP_MAX_IV_LENGTH], EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac, int seal)
{
	OSSL_PARAM params[] = {
		OSSL_PARAM_octet_string(OSSL_MAC_PARAM_KEY, (void *)(uintptr_t)(key + TICKET_NAME), TICKET_MAC),
		OSSL_PARAM_utf8_string(OSSL_MAC_PARAM_DIGEST, (void *)(uintptr_t)"SHA256", 0),
		OSSL_PARAM_END,
	};

	return EVP_CipherInit_ex(cipher, EVP_aes_256_cbc(), NULL, key + TICKET_NAME + TICKET_MAC, iv, seal) == 1 &&
	    EVP_MAC_CTX_set_params(mac, params) == 1;
}

/* SSL_CTX_set_tlsext_ticket_key_evp_cb(3): 1 fine, 2 fine and give a newer one, 0 no such key: a full handshake, -1 trouble. */
static int
on_ticket(SSL *ssl, unsigned char name[TICKET_NAME], unsigned char iv[EVP_MAX_IV_LENGTH], EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac,
    int seal)
{
	(void)ssl;
	if (seal) {
		if (tickets.count == 0 || EVP_CIPHER_CTX_get_iv_length(cipher) > EVP_MAX_IV_LENGTH || RAND_bytes(iv, 16) != 1)
			return -1;
		memcpy(name, tickets.keys[0], TICKET_NAME);
		return use_ticket_key(tickets.keys[0], iv, cipher, mac, 1) ? 1 : -1;
	}
	for (size_t i = 0; i < tickets.count; i++)
		if (CRYPTO_memcmp(name, tickets.keys[i], TICKET_NAME) == 0)
			return !use_ticket_key(tickets.keys[i], iv, cipher, mac, 0) ? -1 : i == 0 ? 1 : 2;
	return 0;
}

/* RFC 7301, and ALPACA (CVE-2021-3618): who says which protocol it means must mean ours. */
static int
on_alpn(SSL *ssl, const unsigned char **out, unsigned char *len, const unsigned char *in, unsigned in_len, void *arg)
{
	static const unsigned char ours[] = "\4smtp";
	unsigned char *chosen;

	(void)ssl;
	(void)arg;
	if (SSL_select_next_proto(&chosen, len, ours, sizeof(ours) - 1, in, in_len) != OPENSSL_NPN_NEGOTIATED)
		return SSL_TLSEXT_ERR_ALERT_FATAL;
	*out = chosen;
	return SSL_TLSEXT_ERR_OK;
}

/* An unknown name gets the default: many clients name the address they connected to, or nothing that we know. */
static int
on_server_name(SSL *ssl, int *alert, void *arg)
{
	const struct tls_context *c = arg;
	const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);

	(void)alert;
	for (size_t i = 0; name != NULL && i < c->count; i++)
		if (X509_check_host(SSL_CTX_get0_certificate(c->ssl[i]), name, 0, 0, NULL) == 1)
			return SSL_set_SSL_CTX(ssl, c->ssl[i]) == NULL ? SSL_TLSEXT_ERR_ALERT_FATAL : SSL_TLSEXT_ERR_OK;
	return SSL_TLSEXT_ERR_OK;
}

static SSL_CTX *
new_ssl(const SSL_METHOD *method, enum tls_floor floor)
{
	SSL_CTX *ssl = SSL_CTX_new(method);

	if (ssl == NULL)
		return NULL;
	SSL_CTX_set_options(ssl, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_IGNORE_UNEXPECTED_EOF |
	    SSL_OP_CIPHER_SERVER_PREFERENCE);
	/* An idle connection holds no record buffers: 51 KiB become 17. */
	SSL_CTX_set_mode(ssl, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	SSL_CTX_set_read_ahead(ssl, 1);
	SSL_CTX_set_session_cache_mode(ssl, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_security_level(ssl, 2);
	if (SSL_CTX_set_min_proto_version(ssl, floors[floor].version) == 1)
		return ssl;
	SSL_CTX_free(ssl);
	return NULL;
}

/* Takes the leaf and what follows it. -1: err. */
static int
load_chain(SSL_CTX *ssl, struct slice pem, struct err *err)
{
	BIO *in = BIO_new_mem_buf(pem.p, (int)pem.len);
	X509 *leaf = in == NULL ? NULL : PEM_read_bio_X509_AUX(in, NULL, NULL, NULL), *next;
	int result = leaf != NULL && SSL_CTX_use_certificate(ssl, leaf) == 1 ? 0 : fail(err, "the certificate cannot be used");

	X509_free(leaf);
	ERR_clear_error();	/* what is looked at below is how the reading ended */
	for (int n = 0; result == 0 && (next = PEM_read_bio_X509(in, NULL, NULL, NULL)) != NULL; n++)
		if (n == CHAIN_MAX || SSL_CTX_add0_chain_cert(ssl, next) != 1) {
			X509_free(next);
			result = n == CHAIN_MAX ? err_set(err, "more than %d certificates behind the first", CHAIN_MAX) :
			    fail(err, "the certificate's chain cannot be used");
		}
	if (result == 0 && ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE)
		result = fail(err, "the certificate's chain cannot be read");
	ERR_clear_error();	/* "no start line": the end of the file */
	BIO_free(in);
	return result;
}

static int
add_identity(SSL_CTX *ssl, const struct tls_identity *id, struct err *err)
{
	if (load_chain(ssl, id->chain, err) == -1)
		return -1;
	if (SSL_CTX_use_PrivateKey(ssl, id->key) != 1 || SSL_CTX_check_private_key(ssl) != 1)
		return fail(err, "the key does not belong to the certificate");
	return 0;
}

/* For identities of one set. NULL: err. */
static SSL_CTX *
new_server(const struct tls_identity *ids, size_t count, const struct tls_server_options *options, struct err *err)
{
	SSL_CTX *ssl = new_ssl(TLS_server_method(), options->floor);

	if (ssl == NULL || SSL_CTX_set_cipher_list(ssl, STRONG) != 1 ||
	    SSL_CTX_set_session_id_context(ssl, (const unsigned char *)options->realm, (unsigned)strlen(options->realm)) != 1 ||
	    SSL_CTX_set_tlsext_ticket_key_evp_cb(ssl, on_ticket) != 1 || SSL_CTX_set_num_tickets(ssl, TICKETS) != 1) {
		(void)fail(err, "no TLS context");
		SSL_CTX_free(ssl);
		return NULL;
	}
	SSL_CTX_set_alpn_select_cb(ssl, on_alpn, NULL);
	(void)SSL_CTX_set_options(ssl, SSL_OP_CLEANSE_PLAINTEXT);	/* passwords come this way */
	(void)SSL_CTX_set_mode(ssl, SSL_MODE_NO_AUTO_CHAIN);	/* what is sent is what the file holds: nothing is looked for in each handshake */
	for (size_t i = 0; i < count; i++)
		if (add_identity(ssl, &ids[i], err) == -1) {
			SSL_CTX_free(ssl);
			return NULL;
		}
	return ssl;
}

static size_t
length_of_set(const struct tls_identity *ids, size_t count)
{
	size_t n = 1;

	while (n < count && ids[n].set == ids[0].set)
		n++;
	return n;
}

static struct tls_context *
new_context(struct err *err)
{
	struct tls_context *c = mem_zalloc(sizeof(*c));

	if (c == NULL)
		(void)err_memory(err, "no memory for TLS");
	else
		c->users = 1;
	return c;
}

struct tls_context *
tls_server_new(const struct tls_identity *ids, size_t count, const struct tls_server_options *options, struct err *err)
{
	struct tls_context *c = new_context(err);

	for (size_t i = 0, n; c != NULL && i < count; i += n) {
		SSL_CTX *ssl = NULL;

		n = length_of_set(ids + i, count - i);
		if (c->count == SETS_MAX)
			(void)err_set(err, "more than %d certificates for one listener", SETS_MAX);
		else
			ssl = new_server(ids + i, n, options, err);
		if (ssl == NULL) {
			tls_context_drop(&c);
			return NULL;
		}
		c->ssl[c->count++] = ssl;
	}
	if (c != NULL && c->count > 0) {
		SSL_CTX_set_tlsext_servername_callback(c->ssl[0], on_server_name);
		SSL_CTX_set_tlsext_servername_arg(c->ssl[0], c);
	}
	return c;
}

/* Into the context's store. -1: err. */
static int
load_authorities(struct tls_context *c, struct slice pem, struct err *err)
{
	BIO *in = BIO_new_mem_buf(pem.p, (int)pem.len);
	X509_STORE *store = SSL_CTX_get_cert_store(c->ssl[0]);
	int result = in == NULL ? fail(err, "no memory for the authorities") : 0;
	X509 *next;

	while (result == 0 && (next = PEM_read_bio_X509_AUX(in, NULL, NULL, NULL)) != NULL) {
		if (X509_STORE_add_cert(store, next) == 1)
			c->authorities++;
		else
			result = fail(err, "an authority's certificate cannot be used");
		X509_free(next);
	}
	if (result == 0 && ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE)
		result = fail(err, "an authority's certificate cannot be read");
	ERR_clear_error();	/* "no start line": the end of the file */
	BIO_free(in);
	if (result == 0 && c->authorities == 0)
		result = err_set(err, "there is no certificate in it");
	return result;
}

struct tls_context *
tls_client_new(struct slice authorities, struct err *err)
{
	struct tls_context *c = new_context(err);

	if (c == NULL)
		return NULL;
	c->ssl[0] = new_ssl(TLS_client_method(), TLS_FLOOR_1_2);
	if (c->ssl[0] == NULL)
		(void)fail(err, "no TLS context");
	if (c->ssl[0] == NULL || (authorities.len > 0 && load_authorities(c, authorities, err) == -1)) {
		SSL_CTX_free(c->ssl[0]);
		mem_free(c);
		return NULL;
	}
	c->count = 1;
	/* Anybody's certificate will do, so old hashes and short keys in it are nobody's business. */
	SSL_CTX_set_security_level(c->ssl[0], 1);
	SSL_CTX_set_verify(c->ssl[0], SSL_VERIFY_NONE, NULL);
	return c;
}

bool
tls_client_trusts(const struct tls_context *c)
{
	return c->authorities > 0;
}

struct tls_context *
tls_context_use(struct tls_context *c)
{
	c->users++;
	return c;
}

void
tls_context_drop(struct tls_context **cp)
{
	struct tls_context *c = *cp;

	*cp = NULL;
	if (c == NULL || --c->users > 0)
		return;
	for (size_t i = 0; i < c->count; i++)
		SSL_CTX_free(c->ssl[i]);
	mem_free(c);
}

SSL_CTX *
tls_context_ssl(const struct tls_context *c)
{
	return c->ssl[0];
}
