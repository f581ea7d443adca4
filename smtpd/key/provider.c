/*
 * provider — see provider.h. Key management and signatures in OpenSSL's sense (provider-keymgmt(7), provider-signature(7)).
 *
 * A key here is a public half, kept as a key of the default provider, and the name under which key knows the private one. It never gives
 * out a private half, so OpenSSL cannot carry it over to another provider and has to sign through this one.
 */
#include "smtpd/key/provider.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <openssl/core_dispatch.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/params.h>
#include <openssl/pem.h>
#include <openssl/provider.h>
#include <openssl/rsa.h>
#include <openssl/sha.h>
#include <openssl/x509.h>

#include "base/log.h"
#include "base/mem.h"
#include "ipc/channel.h"
#include "wire/key.h"

#define PROVIDER	"posthorn"
#define PUBLIC_PARAM	"posthorn-public"	/* SubjectPublicKeyInfo, DER */
#define PATIENCE_S	2
#define RSA_NAMES	"RSA:rsaEncryption"
#define EC_NAMES	"EC:id-ecPublicKey"

struct remote_key {
	EVP_PKEY	*public;
	uint8_t		 id[KEY_ID_SIZE];
};

struct signature {
	const struct remote_key	*key;
	enum key_digest		 digest;
	bool			 pss;
};

static struct chan_sync *wire;
static int wire_fd = -1;		/* its descriptor, borrowed */
static unsigned owed;			/* answers that came too late for their questions */

/* ---- the wire ---- */

void
key_provider_wire(int fd)
{
	const struct timeval patience = { .tv_sec = PATIENCE_S };
	struct err err;

	chan_sync_close(&wire);
	owed = 0;
	wire_fd = fd;
	if (fd == -1)
		return;
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	wire = chan_sync_open(fd, "key", KEY_VERSION, &err);
	if (wire == NULL)
		log_error("%s", err.text);
}

/* The next answer. -1: there is none within the time (owed counts it), or the wire has ended. */
static int
hear(struct key_answer *answer)
{
	struct err err = { 0, "it has ended" };
	struct reader in;
	int fd, type = chan_sync_next(wire, &in, &fd, &err);

	if (type == KEY_SIGNATURE && key_answer_get(&in, answer) == 0)
		return 0;
	log_error("no signature: the wire to key: %s", err.text);
	if (type == -1 && (err.code == EAGAIN || err.code == EWOULDBLOCK))
		owed++;
	else
		chan_sync_close(&wire);
	return -1;
}

/* Whether key has caught up with us. What it owes is not waited for: it may be stopped, and who asks is a whole worker. */
static bool
caught_up(void)
{
	struct pollfd ready = { .fd = wire_fd, .events = POLLIN };
	struct key_answer late;

	while (wire != NULL && owed > 0 && (chan_sync_more(wire) || poll(&ready, 1, 0) > 0)) {
		owed--;
		if (hear(&late) == -1)
			break;
	}
	return wire != NULL && owed == 0;
}

bool
key_provider_ready(void)
{
	return caught_up();
}

/* 0, or -1: no answer. */
static int
ask(const struct key_question *q, struct key_answer *answer)
{
	struct err err;

	if (!caught_up())
		return -1;
	key_question_put(chan_sync_begin(wire, KEY_SIGN), q);
	if (chan_sync_send(wire, -1, &err) == 0)
		return hear(answer);
	log_error("no signature: %s", err.text);
	chan_sync_close(&wire);		/* half a question may be there */
	return -1;
}

/* ---- keys ---- */

static void *
key_new(void *context)
{
	(void)context;
	return mem_zalloc(sizeof(struct remote_key));
}

static void
key_free(void *arg)
{
	struct remote_key *key = arg;

	if (key == NULL)
		return;
	EVP_PKEY_free(key->public);
	mem_free(key);
}

static int
key_has(const void *arg, int selection)
{
	(void)selection;
	return arg != NULL;
}

static int
key_match(const void *a, const void *b, int selection)
{
	(void)selection;
	return EVP_PKEY_eq(((const struct remote_key *)a)->public, ((const struct remote_key *)b)->public) == 1;
}

/* A certificate's public half, which OpenSSL wants to compare with ours. */
static EVP_PKEY *
foreign_public(const char *kind, const OSSL_PARAM params[])
{
	EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, kind, "provider=default");
	EVP_PKEY *key = NULL;

	if (context != NULL && EVP_PKEY_fromdata_init(context) == 1)
		(void)EVP_PKEY_fromdata(context, &key, EVP_PKEY_PUBLIC_KEY, (OSSL_PARAM *)(uintptr_t)params);
	EVP_PKEY_CTX_free(context);
	return key;
}

static int
key_import(struct remote_key *key, const char *kind, const OSSL_PARAM params[])
{
	const OSSL_PARAM *own = OSSL_PARAM_locate_const(params, PUBLIC_PARAM);
	const unsigned char *der;
	const void *data;
	size_t len;

	if (own == NULL) {
		key->public = foreign_public(kind, params);
		return key->public != NULL;
	}
	if (OSSL_PARAM_get_octet_string_ptr(own, &data, &len) != 1)
		return 0;
	der = data;
	SHA256(data, len, key->id);
	key->public = d2i_PUBKEY(NULL, &der, (long)len);
	return key->public != NULL;
}

static int
rsa_import(void *key, int selection, const OSSL_PARAM params[])
{
	(void)selection;
	return key_import(key, "RSA", params);
}

static int
ec_import(void *key, int selection, const OSSL_PARAM params[])
{
	(void)selection;
	return key_import(key, "EC", params);
}

static int
key_export(void *arg, int selection, OSSL_CALLBACK *take, void *take_arg)
{
	const struct remote_key *key = arg;
	OSSL_PARAM *params = NULL;
	int result;

	if ((selection & OSSL_KEYMGMT_SELECT_PRIVATE_KEY) != 0 || EVP_PKEY_todata(key->public, EVP_PKEY_PUBLIC_KEY, &params) != 1)
		return 0;
	result = take(params, take_arg);
	OSSL_PARAM_free(params);
	return result;
}

static const OSSL_PARAM *
key_types(int selection)
{
	static const OSSL_PARAM types[] = { OSSL_PARAM_octet_string(PUBLIC_PARAM, NULL, 0), OSSL_PARAM_END };

	(void)selection;
	return types;
}

static int
key_get_params(void *arg, OSSL_PARAM params[])
{
	return EVP_PKEY_get_params(((struct remote_key *)arg)->public, params);
}

static const OSSL_PARAM *
key_gettable(void *context)
{
	static const OSSL_PARAM list[] = {
		OSSL_PARAM_int(OSSL_PKEY_PARAM_BITS, NULL),
		OSSL_PARAM_int(OSSL_PKEY_PARAM_SECURITY_BITS, NULL),
		OSSL_PARAM_int(OSSL_PKEY_PARAM_MAX_SIZE, NULL),
		OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_DEFAULT_DIGEST, NULL, 0),
		OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, NULL, 0),
		OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_EC_POINT_CONVERSION_FORMAT, NULL, 0),
		OSSL_PARAM_END,
	};

	(void)context;
	return list;
}

static const char *
rsa_operation(int operation)
{
	(void)operation;
	return "RSA";
}

static const char *
ec_operation(int operation)
{
	return operation == OSSL_OP_SIGNATURE ? "ECDSA" : "EC";
}

/* ---- signatures ---- */

static void *
signature_new(void *context, const char *properties)
{
	(void)context;
	(void)properties;
	return mem_zalloc(sizeof(struct signature));
}

static void
signature_free(void *arg)
{
	mem_free(arg);
}

static const struct {
	const char	*name;
	enum key_digest	 digest;
} digests[] = {
	{ "SHA256", KEY_SHA256 }, { "SHA2-256", KEY_SHA256 }, { "SHA384", KEY_SHA384 }, { "SHA2-384", KEY_SHA384 },
	{ "SHA512", KEY_SHA512 }, { "SHA2-512", KEY_SHA512 },
};

static int
signature_set(void *arg, const OSSL_PARAM params[])
{
	const OSSL_PARAM *mode = params == NULL ? NULL : OSSL_PARAM_locate_const(params, OSSL_SIGNATURE_PARAM_PAD_MODE);
	struct signature *s = arg;
	int number;

	if (mode == NULL)
		return 1;
	if (mode->data_type == OSSL_PARAM_UTF8_STRING)
		s->pss = mode->data != NULL && strcmp(mode->data, OSSL_PKEY_RSA_PAD_MODE_PSS) == 0;
	else if (OSSL_PARAM_get_int(mode, &number) == 1)
		s->pss = number == RSA_PKCS1_PSS_PADDING;
	return 1;
}

static int
signature_init(void *arg, const char *digest, void *key, const OSSL_PARAM params[])
{
	struct signature *s = arg;

	*s = (struct signature){ .key = key };
	for (size_t i = 0; digest != NULL && i < sizeof(digests) / sizeof(digests[0]); i++)
		if (strcasecmp(digest, digests[i].name) == 0)
			s->digest = digests[i].digest;
	return s->digest != KEY_DIGEST_NONE && signature_set(s, params);
}

static int
signature_sign(void *arg, unsigned char *out, size_t *len, size_t size, const unsigned char *content, size_t content_len)
{
	const struct signature *s = arg;
	struct key_question q = { .digest = s->digest, .pss = s->pss, .content = slice_of((const char *)content, content_len) };
	struct key_answer answer;

	if (out == NULL) {
		*len = (size_t)EVP_PKEY_get_size(s->key->public);
		return 1;
	}
	memcpy(q.id, s->key->id, KEY_ID_SIZE);
	if (content_len > KEY_CONTENT_MAX || ask(&q, &answer) == -1 || answer.signature.len == 0 || answer.signature.len > size)
		return 0;
	memcpy(out, answer.signature.p, answer.signature.len);
	*len = answer.signature.len;
	return 1;
}

static const OSSL_PARAM *
signature_settable(void *signature, void *context)
{
	static const OSSL_PARAM list[] = {
		OSSL_PARAM_utf8_string(OSSL_SIGNATURE_PARAM_PAD_MODE, NULL, 0),
		OSSL_PARAM_utf8_string(OSSL_SIGNATURE_PARAM_PSS_SALTLEN, NULL, 0),
		OSSL_PARAM_utf8_string(OSSL_SIGNATURE_PARAM_MGF1_DIGEST, NULL, 0),
		OSSL_PARAM_utf8_string(OSSL_SIGNATURE_PARAM_DIGEST, NULL, 0),
		OSSL_PARAM_END,
	};

	(void)signature;
	(void)context;
	return list;
}

/* ---- the provider ---- */

#define FN(id, fn)	{ (id), (void (*)(void))(fn) }
#define KEY_FUNCTIONS(kind) { \
	FN(OSSL_FUNC_KEYMGMT_NEW, key_new), \
	FN(OSSL_FUNC_KEYMGMT_FREE, key_free), \
	FN(OSSL_FUNC_KEYMGMT_HAS, key_has), \
	FN(OSSL_FUNC_KEYMGMT_MATCH, key_match), \
	FN(OSSL_FUNC_KEYMGMT_IMPORT, kind##_import), \
	FN(OSSL_FUNC_KEYMGMT_IMPORT_TYPES, key_types), \
	FN(OSSL_FUNC_KEYMGMT_EXPORT, key_export), \
	FN(OSSL_FUNC_KEYMGMT_EXPORT_TYPES, key_types), \
	FN(OSSL_FUNC_KEYMGMT_GET_PARAMS, key_get_params), \
	FN(OSSL_FUNC_KEYMGMT_GETTABLE_PARAMS, key_gettable), \
	FN(OSSL_FUNC_KEYMGMT_QUERY_OPERATION_NAME, kind##_operation), \
	{ 0, NULL } }

static const OSSL_DISPATCH rsa_functions[] = KEY_FUNCTIONS(rsa), ec_functions[] = KEY_FUNCTIONS(ec);

static const OSSL_DISPATCH signature_functions[] = {
	FN(OSSL_FUNC_SIGNATURE_NEWCTX, signature_new),
	FN(OSSL_FUNC_SIGNATURE_FREECTX, signature_free),
	FN(OSSL_FUNC_SIGNATURE_DIGEST_SIGN_INIT, signature_init),
	FN(OSSL_FUNC_SIGNATURE_DIGEST_SIGN, signature_sign),
	FN(OSSL_FUNC_SIGNATURE_SET_CTX_PARAMS, signature_set),
	FN(OSSL_FUNC_SIGNATURE_SETTABLE_CTX_PARAMS, signature_settable),
	{ 0, NULL },
};

static const OSSL_ALGORITHM *
query(void *context, int operation, int *no_cache)
{
	static const OSSL_ALGORITHM keys[] = {
		{ RSA_NAMES, "provider=" PROVIDER, rsa_functions, "a key elsewhere" },
		{ EC_NAMES, "provider=" PROVIDER, ec_functions, "a key elsewhere" },
		{ NULL, NULL, NULL, NULL },
	}, signatures[] = {
		{ RSA_NAMES, "provider=" PROVIDER, signature_functions, "asked for" },
		{ "ECDSA", "provider=" PROVIDER, signature_functions, "asked for" },
		{ NULL, NULL, NULL, NULL },
	};

	(void)context;
	*no_cache = 0;
	return operation == OSSL_OP_KEYMGMT ? keys : operation == OSSL_OP_SIGNATURE ? signatures : NULL;
}

static int
provider_init(const OSSL_CORE_HANDLE *handle, const OSSL_DISPATCH *in, const OSSL_DISPATCH **out, void **context)
{
	static const OSSL_DISPATCH functions[] = { FN(OSSL_FUNC_PROVIDER_QUERY_OPERATION, query), { 0, NULL } };

	(void)in;
	*out = functions;
	*context = (void *)(uintptr_t)handle;
	return 1;
}

int
key_provider_init(struct err *err)
{
	/* Both have keys called RSA; who names no provider means the default one. */
	if (OSSL_PROVIDER_add_builtin(NULL, PROVIDER, provider_init) == 1 && OSSL_PROVIDER_load(NULL, "default") != NULL &&
	    OSSL_PROVIDER_load(NULL, PROVIDER) != NULL && EVP_set_default_properties(NULL, "?provider=default") == 1)
		return 0;
	return err_set(err, "OpenSSL does not take our provider");
}

static X509 *
leaf_of(struct slice chain)
{
	BIO *in = BIO_new_mem_buf(chain.p, (int)chain.len);
	X509 *leaf = in == NULL ? NULL : PEM_read_bio_X509_AUX(in, NULL, NULL, NULL);

	BIO_free(in);
	return leaf;
}

static EVP_PKEY *
key_of(const char *kind, unsigned char *der, size_t len)
{
	OSSL_PARAM params[] = { OSSL_PARAM_octet_string(PUBLIC_PARAM, der, len), OSSL_PARAM_END };
	EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, kind, "provider=" PROVIDER);
	EVP_PKEY *key = NULL;

	if (context != NULL && EVP_PKEY_fromdata_init(context) == 1)
		(void)EVP_PKEY_fromdata(context, &key, EVP_PKEY_KEYPAIR, params);
	EVP_PKEY_CTX_free(context);
	return key;
}

EVP_PKEY *
key_provider_key(struct slice chain, struct err *err)
{
	static const char *const kinds[] = { "RSA", "EC" };
	X509 *leaf = leaf_of(chain);
	const EVP_PKEY *public = leaf == NULL ? NULL : X509_get0_pubkey(leaf);
	unsigned char *der = NULL;
	int len = public == NULL ? 0 : i2d_PUBKEY(public, &der);
	EVP_PKEY *key = NULL;

	(void)err_set(err, len <= 0 ? "there is no certificate in PEM form in it" : "its kind of key is not served: RSA or EC would be right");
	for (size_t i = 0; len > 0 && i < 2; i++)
		if (EVP_PKEY_is_a(public, kinds[i]) && (key = key_of(kinds[i], der, (size_t)len)) == NULL)
			(void)err_set(err, "OpenSSL does not take it");
	OPENSSL_free(der);
	X509_free(leaf);
	ERR_clear_error();
	return key;
}
