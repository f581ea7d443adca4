/* test_tls_trust — what a server's certificate proves to a client, and whose certificates may be believed. */
#include "tests/support/testing.h"

#include <stdio.h>
#include <sys/socket.h>

#include "event/timer.h"
#include "net/tls_stream.h"
#include "tests/support/certificate.h"

#define MAX	(16 * 1024)

static EVP_PKEY *key, *other_key;
static char *pem, *other_pem;
static struct tls_context *server_context;
static struct loop *loop;
static struct timer guard;
static unsigned opens;

static void
on_input(void *arg)
{
	(void)arg;
}

static void
on_end(void *arg, enum stream_end how, int error)
{
	(void)arg;
	(void)how;
	(void)error;
}

static void
on_open(void *arg)
{
	(void)arg;
	if (++opens == 2)
		loop_stop(loop);
}

static void
too_long(void *arg)
{
	(void)arg;
	loop_stop(loop);
}

static const struct stream_ops ops = { .on_input = on_input, .on_end = on_end, .on_open = on_open };

static int
setup_group(void **state)
{
	static const char *const names[] = { "mx.example.org", "*.pool.example.org", NULL }, *const others[] = { "other.example.org", NULL };
	const struct tls_server_options options = { TLS_FLOOR_1_2, "mx" };
	struct err err;

	(void)state;
	key = certificate_key(KEY_EC_P256);
	other_key = certificate_key(KEY_EC_P256);
	pem = certificate_pem(key, names);
	other_pem = certificate_pem(other_key, others);
	server_context = tls_server_new(&(struct tls_identity){ .chain = slice_str(pem), .key = key }, 1, &options, &err);
	loop = loop_new(&err);
	return server_context == NULL || loop == NULL || timer_init(&guard, loop, too_long, NULL) == -1 ? -1 : 0;
}

static int
teardown_group(void **state)
{
	(void)state;
	timer_fini(&guard);
	loop_free(loop);
	tls_context_drop(&server_context);
	EVP_PKEY_free(key);
	EVP_PKEY_free(other_key);
	free(pem);
	free(other_pem);
	return 0;
}

/* Meets the server as this name, and says what the client thinks of it. */
static const char *
meet(const char *authorities, const char *name, char out[100])
{
	struct tls_context *context;
	struct stream *server, *client;
	const char *distrust;
	struct err err;
	int fds[2];

	context = tls_client_new(slice_str(authorities), &err);
	assert_non_null(context);
	assert_int_equal(tls_client_trusts(context), authorities[0] != '\0');
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds), 0);
	assert_non_null(server = stream_open(loop, fds[0], MAX, MAX, MAX, &ops, NULL, &err));
	assert_non_null(client = stream_open(loop, fds[1], MAX, MAX, MAX, &ops, NULL, &err));
	opens = 0;
	timer_set(&guard, 20000);
	assert_int_equal(tls_accept(server, server_context, &err), 0);
	assert_int_equal(tls_connect(client, context, name, &err), 0);
	assert_int_equal(loop_run(loop), 0);
	assert_int_equal(opens, 2);
	distrust = tls_distrust(client);
	(void)snprintf(out, 100, "%s", distrust == NULL ? "trusted" : distrust);
	stream_close(&client);
	stream_close(&server);
	tls_context_drop(&context);
	return out;
}

/* Only of the host that was named, and only by somebody who is believed. */
static void
test_distrust(void **state)
{
	static const struct { const char *name; enum { MAKER, OTHER, NOBODY } believed; const char *distrust; } rows[] = {
		{ "mx.example.org", MAKER, "trusted" },
		{ "MX.Example.ORG", MAKER, "trusted" },
		{ "a.pool.example.org", MAKER, "trusted" },
		{ "a.b.pool.example.org", MAKER, "hostname mismatch" },
		{ "mx2.example.org", MAKER, "hostname mismatch" },
		{ "example.org", MAKER, "hostname mismatch" },
		{ "192.0.2.1", MAKER, "it has no name that a certificate could prove" },
		{ NULL, MAKER, "it has no name that a certificate could prove" },
		{ "mx.example.org", OTHER, "self-signed certificate" },
		{ "mx.example.org", NOBODY, "self-signed certificate" },
	};
	const char *const believed[] = { [MAKER] = pem, [OTHER] = other_pem, [NOBODY] = "" };
	char out[100];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const char *distrust = meet(believed[rows[i].believed], rows[i].name, out);

		if (strcmp(distrust, rows[i].distrust) != 0)
			ROW(i, rows[i].name == NULL ? "no name" : rows[i].name);
		assert_string_equal(distrust, rows[i].distrust);
	}
}

/* A file of authorities has at least one, and nothing broken. */
static void
test_authorities(void **state)
{
	static const struct { const char *name, *before, *after; bool whole, good; } rows[] = {
		{ "one", "", "", true, true },
		{ "with words around it", "# an authority\n", "\nthe end\n", true, true },
		{ "words alone", "nothing\n", "", false, false },
		{ "half of one", "-----BEGIN CERTIFICATE-----\nMIIB\n", "", false, false },
		{ "one and half of one", "", "-----BEGIN CERTIFICATE-----\nMIIB\n", true, false },
		{ "one and rubbish", "", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", true, false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct tls_context *c;
		char text[8000];
		struct err err;

		ROW(i, rows[i].name);
		(void)snprintf(text, sizeof(text), "%s%s%s", rows[i].before, rows[i].whole ? pem : "", rows[i].after);
		c = tls_client_new(slice_str(text), &err);
		assert_int_equal(c != NULL, rows[i].good);
		tls_context_drop(&c);
	}
}

/* A chain with a damaged certificate in it would be sent without the rest, and believed by those alone who know the issuer. */
static void
test_damaged_chain(void **state)
{
	static const char *const tails[] = { "", "\nwords\n", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
		"-----BEGIN CERTIFICATE-----\n" };
	const struct tls_server_options options = { TLS_FLOOR_1_2, "mx" };
	char both[8192];

	(void)state;
	for (size_t i = 0; i < sizeof(tails) / sizeof(tails[0]); i++) {
		struct err err = { 0, "" };
		struct tls_context *c;

		(void)snprintf(both, sizeof(both), "%s%s%s", pem, other_pem, tails[i]);
		c = tls_server_new(&(struct tls_identity){ .chain = slice_str(both), .key = key }, 1, &options, &err);
		assert_int_equal(c != NULL, i < 2);
		assert_int_equal(strstr(err.text, "chain cannot be read") != NULL, i >= 2);
		tls_context_drop(&c);
	}
}

/* As many as there is room for are taken, and one more is told. */
static void
test_long_chain(void **state)
{
	const struct tls_server_options options = { TLS_FLOOR_1_2, "mx" };
	size_t size = 18 * (strlen(pem) + strlen(other_pem));
	char *all = calloc(1, size);

	(void)state;
	assert_non_null(all);
	(void)snprintf(all, size, "%s", pem);
	for (int behind = 1; behind <= 17; behind++) {
		struct err err = { 0, "" };
		struct tls_context *c;

		(void)snprintf(all + strlen(all), size - strlen(all), "%s", other_pem);
		c = tls_server_new(&(struct tls_identity){ .chain = slice_str(all), .key = key }, 1, &options, &err);
		assert_int_equal(c != NULL, behind <= 16);
		assert_int_equal(strstr(err.text, "more than 16") != NULL, behind > 16);
		tls_context_drop(&c);
	}
	free(all);
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_distrust), cmocka_unit_test(test_authorities), cmocka_unit_test(test_damaged_chain),
		cmocka_unit_test(test_long_chain) };

	return cmocka_run_group_tests(tests, setup_group, teardown_group);
}
