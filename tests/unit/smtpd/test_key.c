/*
 * test_key — handshakes with a key that is elsewhere, and what its holder refuses to sign.
 *
 * The holder is a forked child that answers as smtpd/key/main.c does; the parent is smtpd: it has certificates and no private key.
 */
#include "tests/support/testing.h"

#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <openssl/ssl.h>
#include <openssl/x509.h>

#include "base/fd.h"
#include "ipc/channel.h"
#include "net/tls_context.h"
#include "smtpd/key/provider.h"
#include "smtpd/key/sign.h"
#include "tests/support/certificate.h"

static EVP_PKEY *rsa, *ec;
static char *rsa_chain, *ec_chain;
static const char *const names[] = { "mx.example.org", NULL };

/* ---- the holder ---- */

static void
serve(int fd, const struct signer *signer)
{
	struct chan_sync *wire = chan_sync_open(fd, "key", KEY_VERSION, NULL);
	struct key_question q;
	struct reader in;
	struct buf signature;
	int other;

	buf_init(&signature, KEY_SIGNATURE_MAX);
	while (wire != NULL && chan_sync_next(wire, &in, &other, NULL) == KEY_SIGN && key_question_get(&in, &q) == 0) {
		struct key_answer answer = { 0 };

		buf_reset(&signature);
		if (signer_sign(signer, &q, &signature) == 0)
			answer.signature = buf_slice(&signature);
		key_answer_put(chan_sync_begin(wire, KEY_SIGNATURE), &answer);
		if (chan_sync_send(wire, -1, NULL) == -1)
			break;
	}
	_exit(0);
}

static struct signer *
signer_of(EVP_PKEY *one, EVP_PKEY *two)
{
	struct signer *s = signer_new();
	EVP_PKEY *keys[] = { one, two };

	for (size_t i = 0; i < 2; i++) {
		const char *chain = keys[i] == rsa ? rsa_chain : ec_chain;
		char *pem = keys[i] == NULL ? NULL : certificate_key_pem(keys[i]);
		struct err err = { 0, "" };

		if (pem != NULL && signer_add(s, slice_str(pem), slice_str(chain), &err) == -1)
			fail_msg("%s", err.text);
		free(pem);
	}
	return s;
}

static pid_t
hold(struct signer *signer)
{
	int fds[2];
	pid_t pid;

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		(void)close(fds[0]);
		serve(fds[1], signer);
	}
	(void)close(fds[1]);
	key_provider_wire(fds[0]);
	signer_free(&signer);
	return pid;
}

static void
release(pid_t pid)
{
	key_provider_wire(-1);
	(void)waitpid(pid, NULL, 0);
}

/* ---- handshakes, in memory ---- */

static struct tls_context *
context(void)
{
	static const struct tls_server_options options = { TLS_FLOOR_1_2, "mx" };
	struct err err = { 0, "" };
	struct tls_identity ids[] = { { 0, slice_str(rsa_chain), NULL }, { 0, slice_str(ec_chain), NULL } };
	struct tls_context *c;

	for (size_t i = 0; i < 2; i++)
		if ((ids[i].key = key_provider_key(ids[i].chain, &err)) == NULL)
			fail_msg("%s", err.text);
	c = tls_server_new(ids, 2, &options, &err);
	if (c == NULL)
		fail_msg("%s", err.text);
	EVP_PKEY_free(ids[0].key);
	EVP_PKEY_free(ids[1].key);
	return c;
}

/* true: both sides are done. */
static bool
shake(SSL *server, SSL *client)
{
	for (int i = 0; i < 10; i++) {
		int a = SSL_do_handshake(client), b = SSL_do_handshake(server);

		if (a == 1 && b == 1)
			return true;
		if ((a != 1 && SSL_get_error(client, a) != SSL_ERROR_WANT_READ) ||
		    (b != 1 && SSL_get_error(server, b) != SSL_ERROR_WANT_READ))
			return false;
	}
	return false;
}

static bool
handshake(struct tls_context *c, int version, const char *algorithms)
{
	SSL_CTX *mine = SSL_CTX_new(TLS_client_method());
	SSL *server = SSL_new(tls_context_ssl(c)), *client = SSL_new(mine);
	BIO *a, *b;
	bool done;

	SSL_set_num_tickets(server, 0);
	SSL_set_options(server, SSL_OP_NO_TICKET);
	SSL_set_accept_state(server);
	SSL_set_connect_state(client);
	SSL_set_min_proto_version(client, version);
	SSL_set_max_proto_version(client, version);
	assert_int_equal(SSL_set1_sigalgs_list(client, algorithms), 1);
	assert_int_equal(BIO_new_bio_pair(&a, 0, &b, 0), 1);
	SSL_set_bio(server, a, a);
	SSL_set_bio(client, b, b);
	done = shake(server, client);
	SSL_free(server);
	SSL_free(client);
	SSL_CTX_free(mine);
	return done;
}

static const struct {
	const char	*name;
	int		 version;
	const char	*algorithms;
} kinds[] = {
	{ "TLS 1.3, RSA-PSS, SHA-256", TLS1_3_VERSION, "rsa_pss_rsae_sha256" },
	{ "TLS 1.3, RSA-PSS, SHA-512", TLS1_3_VERSION, "rsa_pss_rsae_sha512" },
	{ "TLS 1.3, ECDSA, SHA-256", TLS1_3_VERSION, "ecdsa_secp256r1_sha256" },
	{ "TLS 1.2, RSA PKCS#1, SHA-256", TLS1_2_VERSION, "RSA+SHA256" },
	{ "TLS 1.2, RSA PKCS#1, SHA-384", TLS1_2_VERSION, "RSA+SHA384" },
	{ "TLS 1.2, RSA-PSS", TLS1_2_VERSION, "rsa_pss_rsae_sha384" },
	{ "TLS 1.2, ECDSA", TLS1_2_VERSION, "ECDSA+SHA256:ECDSA+SHA512" },
};

static void
test_handshakes(void **state)
{
	pid_t pid = hold(signer_of(rsa, ec));
	struct tls_context *c = context();

	(void)state;
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		ROW(i, kinds[i].name);
		assert_true(handshake(c, kinds[i].version, kinds[i].algorithms));
	}
	tls_context_drop(&c);
	release(pid);
}

/* No handshake without a holder, or with one that does not have the key; and no crash. */
static void
test_without_the_key(void **state)
{
	struct tls_context *c;
	pid_t pid;

	(void)state;
	key_provider_wire(-1);
	assert_false(key_provider_ready());
	c = context();
	assert_false(handshake(c, TLS1_3_VERSION, "ecdsa_secp256r1_sha256"));
	pid = hold(signer_of(rsa, NULL));
	assert_false(handshake(c, TLS1_3_VERSION, "ecdsa_secp256r1_sha256"));
	assert_true(handshake(c, TLS1_3_VERSION, "rsa_pss_rsae_sha256"));
	release(pid);
	assert_false(handshake(c, TLS1_3_VERSION, "rsa_pss_rsae_sha256"));
	pid = hold(signer_of(rsa, ec));
	assert_true(handshake(c, TLS1_3_VERSION, "ecdsa_secp256r1_sha256"));
	release(pid);
	tls_context_drop(&c);
}

/* ---- what is signed ---- */

static char verify[64 + 34 + 32], exchange[64 + 4 + 65];

static void
make_contents(void)
{
	memset(verify, ' ', 64);
	memcpy(verify + 64, "TLS 1.3, server CertificateVerify", 34);
	memset(verify + 98, 0x5a, 32);
	memset(exchange, 0x77, sizeof(exchange));
	memcpy(exchange + 64, "\3\0\27\101", 4);
}

static void
test_only_handshakes_are_signed(void **state)
{
	static char digest_info[51], long_one[400];
	char bad[sizeof(verify)];

	(void)state;
	make_contents();
	assert_true(sign_is_handshake(slice_of(verify, sizeof(verify))));
	assert_true(sign_is_handshake(slice_of(exchange, sizeof(exchange))));
	assert_false(sign_is_handshake(slice_of("", 0)));
	assert_false(sign_is_handshake(slice_of(digest_info, sizeof(digest_info))));
	assert_false(sign_is_handshake(slice_of(long_one, sizeof(long_one))));
	for (size_t len = 0; len < sizeof(verify); len++)
		assert_false(sign_is_handshake(slice_of(verify, len)));
	for (size_t len = 0; len < sizeof(exchange); len++)
		assert_false(sign_is_handshake(slice_of(exchange, len)));
	/* every byte in front of the hash counts: a client's signature, another protocol's, a padding of its own */
	for (size_t i = 0; i < 98; i++) {
		memcpy(bad, verify, sizeof(bad));
		bad[i] ^= 1;
		assert_false(sign_is_handshake(slice_of(bad, sizeof(bad))));
	}
}

static int
id_of(const EVP_PKEY *key, uint8_t id[KEY_ID_SIZE])
{
	unsigned char *der = NULL;
	int len = i2d_PUBKEY(key, &der);
	unsigned size;

	(void)EVP_Digest(der, (size_t)len, id, &size, EVP_sha256(), NULL);
	OPENSSL_free(der);
	return (int)size;
}

static void
test_the_signer_refuses(void **state)
{
	struct signer *s = signer_of(ec, NULL);
	struct key_question q = { .digest = KEY_SHA256 };
	struct buf out;

	(void)state;
	make_contents();
	buf_init(&out, KEY_SIGNATURE_MAX);
	assert_int_equal(id_of(ec, q.id), KEY_ID_SIZE);
	assert_true(signer_has(s, q.id));
	q.content = slice_of(verify, sizeof(verify));
	assert_int_equal(signer_sign(s, &q, &out), 0);
	assert_true(buf_len(&out) > 60);
	q.content = SLICE_LIT("From: alice@example.org\r\n");
	assert_int_equal(signer_sign(s, &q, &out), -1);
	assert_int_equal(id_of(rsa, q.id), KEY_ID_SIZE);
	q.content = slice_of(verify, sizeof(verify));
	assert_int_equal(signer_sign(s, &q, &out), -1);
	buf_fini(&out);
	signer_free(&s);
}

static void
test_keys_that_are_none(void **state)
{
	struct signer *s = signer_new();
	EVP_PKEY *short_key = EVP_RSA_gen(1024), *other = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	char *short_pem = certificate_key_pem(short_key), *other_pem = certificate_key_pem(other);
	char *rsa_pem = certificate_key_pem(rsa);
	struct err err = { 0, "" };

	(void)state;
	assert_int_equal(signer_add(s, SLICE_LIT("no key"), slice_str(ec_chain), &err), -1);
	assert_non_null(strstr(err.text, "PEM"));
	assert_int_equal(signer_add(s, slice_str(rsa_chain), slice_str(rsa_chain), &err), -1);
	assert_int_equal(signer_add(s, slice_str(short_pem), slice_str(rsa_chain), &err), -1);
	assert_non_null(strstr(err.text, "2048"));
	assert_int_equal(signer_add(s, slice_str(other_pem), slice_str(ec_chain), &err), -1);
	assert_non_null(strstr(err.text, "RSA or EC"));
	assert_int_equal(signer_add(s, slice_str(rsa_pem), slice_str(ec_chain), &err), -1);
	assert_non_null(strstr(err.text, "does not belong"));
	assert_int_equal(signer_add(s, slice_str(rsa_pem), SLICE_LIT("no certificate"), &err), -1);
	free(rsa_pem);
	free(short_pem);
	free(other_pem);
	EVP_PKEY_free(short_key);
	EVP_PKEY_free(other);
	signer_free(&s);
}

static int
group_setup(void **state)
{
	struct err err;

	(void)state;
	if (tls_init(&err) == -1 || key_provider_init(&err) == -1)
		return -1;
	rsa = certificate_key(KEY_RSA_2048);
	ec = certificate_key(KEY_EC_P256);
	rsa_chain = certificate_pem(rsa, names);
	ec_chain = certificate_pem(ec, names);
	return rsa_chain != NULL && ec_chain != NULL ? 0 : -1;
}

static int
group_teardown(void **state)
{
	(void)state;
	free(rsa_chain);
	free(ec_chain);
	EVP_PKEY_free(rsa);
	EVP_PKEY_free(ec);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_handshakes),
		cmocka_unit_test(test_without_the_key),
		cmocka_unit_test(test_only_handshakes_are_signed),
		cmocka_unit_test(test_the_signer_refuses),
		cmocka_unit_test(test_keys_that_are_none),
	};

	return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
