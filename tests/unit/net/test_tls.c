/* test_tls — TLS under a stream: both sides in one loop, and the mischief that a peer can do. */
#include "tests/support/testing.h"

#include <errno.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "base/buf.h"
#include "base/fd.h"
#include "event/timer.h"
#include "net/tls_binding.h"
#include "net/tls_stream.h"
#include "tests/support/certificate.h"

#define IN_MAX	(16 * 1024)
#define OUT_MAX	(8 * 1024 * 1024)

struct side {
	struct stream	*stream;
	struct buf	 seen;
	int		 opens, ends;
	enum stream_end	 how;
	bool		 echo;		/* sends back what it gets */
	bool		 deaf;		/* leaves all input where it is */
};

static struct loop *loop;
static struct timer guard;
static struct side server, client;
static struct tls_context *server_context, *client_context;
static EVP_PKEY *rsa, *ec;
static bool (*done)(void);

static const struct tls_server_options options = { TLS_FLOOR_1_2, "mx" };

static void
look(void)
{
	if (done != NULL && done())
		loop_stop(loop);
}

static void
on_input(void *arg)
{
	struct side *side = arg;
	struct slice in = stream_input(side->stream);

	if (side->deaf)
		return;
	(void)buf_put_slice(&side->seen, in);
	if (side->echo)
		(void)stream_write(side->stream, in);
	stream_consume(side->stream, in.len);
	look();
}

static void
on_end(void *arg, enum stream_end how, int error)
{
	struct side *side = arg;

	(void)error;
	side->ends++;
	side->how = how;
	look();
}

static void
on_open(void *arg)
{
	struct side *side = arg;

	side->opens++;
	look();
}

static const struct stream_ops ops = { .on_input = on_input, .on_end = on_end, .on_open = on_open };

static void
too_long(void *arg)
{
	(void)arg;
	loop_stop(loop);
}

static struct tls_context *
context_of(EVP_PKEY *first, const char *name, EVP_PKEY *second, const char *second_name)
{
	const char *names[] = { name, NULL }, *other[] = { second_name, NULL };
	char *a = certificate_pem(first, names), *b = second == NULL ? NULL : certificate_pem(second, other);
	struct tls_identity ids[] = { { 0, slice_str(a), first }, { 1, slice_str(b == NULL ? "" : b), second } };
	struct err err = { 0, "" };
	struct tls_context *c = tls_server_new(ids, second == NULL ? 1 : 2, &options, &err);

	free(a);
	free(b);
	if (c == NULL)
		print_message("# %s\n", err.text);
	return c;
}

static void
side_open(struct side *side, int fd)
{
	struct err err;

	*side = (struct side){ 0 };
	buf_init(&side->seen, OUT_MAX);
	side->stream = stream_open(loop, fd, IN_MAX, IN_MAX, OUT_MAX, &ops, side, &err);
	assert_non_null(side->stream);
}

static void
side_close(struct side *side)
{
	stream_close(&side->stream);
	buf_fini(&side->seen);
}

static int
setup(void **state)
{
	struct err err;
	int fds[2];

	(void)state;
	loop = loop_new(&err);
	if (loop == NULL || timer_init(&guard, loop, too_long, NULL) == -1 || socketpair(AF_UNIX, SOCK_STREAM, 0, fds) == -1)
		return -1;
	timer_set(&guard, 20000);
	side_open(&server, fds[0]);
	side_open(&client, fds[1]);
	server_context = context_of(ec, "mx.example.org", rsa, "other.example.org");
	client_context = tls_client_new(SLICE_LIT(""), &err);
	return server_context != NULL && client_context != NULL ? 0 : -1;
}

static int
teardown(void **state)
{
	(void)state;
	side_close(&server);
	side_close(&client);
	timer_fini(&guard);
	loop_free(loop);
	tls_context_drop(&server_context);
	tls_context_drop(&client_context);
	return 0;
}

static void
run_until(bool (*what)(void))
{
	done = what;
	if (!what())
		assert_int_equal(loop_run(loop), 0);
	done = NULL;
	assert_true(what());
}

static bool
both_open(void)
{
	return server.opens == 1 && client.opens == 1;
}

static bool
server_ended(void)
{
	return server.ends == 1;
}

static bool
either_ended(void)
{
	return server.ends + client.ends > 0;
}

static void
open_both(const char *name)
{
	struct err err = { 0, "" };

	assert_int_equal(tls_accept(server.stream, server_context, &err), 0);
	assert_int_equal(tls_connect(client.stream, client_context, name, &err), 0);
	run_until(both_open);
}

static void
test_handshake_and_facts(void **state)
{
	struct tls_facts facts;

	(void)state;
	open_both("mx.example.org");
	tls_facts(server.stream, &facts);
	assert_string_equal(facts.protocol, "TLSv1.3");
	assert_string_equal(facts.server_name, "mx.example.org");
	assert_string_equal(facts.exchange, "X25519");
	assert_string_equal(facts.signature, "ECDSA");
	assert_int_equal(facts.bits, 256);
	assert_false(facts.resumed);
	assert_true(tls_active(server.stream));
}

/* Both sides have the same to bind to, whichever certificate it is; another connection has another exporter. */
static void
test_bindings(void **state)
{
	char ours[TLS_END_POINT_MAX], theirs[TLS_END_POINT_MAX], before[TLS_EXPORTER_BYTES] = "";

	for (int i = 0; i < 2; i++) {
		open_both(i == 0 ? "mx.example.org" : "other.example.org");
		assert_int_equal(tls_end_point(server.stream, ours), 32);
		assert_int_equal(tls_end_point(client.stream, theirs), 32);
		assert_memory_equal(ours, theirs, 32);
		assert_int_equal(tls_exporter(server.stream, ours), TLS_EXPORTER_BYTES);
		assert_int_equal(tls_exporter(client.stream, theirs), TLS_EXPORTER_BYTES);
		assert_memory_equal(ours, theirs, TLS_EXPORTER_BYTES);
		assert_memory_not_equal(ours, before, TLS_EXPORTER_BYTES);
		memcpy(before, ours, sizeof(before));
		(void)teardown(state);
		assert_int_equal(setup(state), 0);
	}
	assert_int_equal(tls_exporter(server.stream, ours), 0);		/* in clear */
	assert_int_equal(tls_end_point(server.stream, ours), 0);
}

static bool
echoed(void)
{
	return buf_len(&client.seen) == 5 * 1024 * 1024;
}

/* More than all buffers on the way hold, both directions at once. */
static void
test_megabytes_both_ways(void **state)
{
	static char block[1024 * 1024];

	(void)state;
	for (size_t i = 0; i < sizeof(block); i++)
		block[i] = (char)(i * 7 + i / 4096);
	server.echo = true;
	open_both(NULL);
	for (int i = 0; i < 5; i++)
		assert_int_equal(stream_write(client.stream, slice_of(block, sizeof(block))), 0);
	run_until(echoed);
	for (size_t i = 0; i < 5; i++)
		assert_memory_equal(buf_slice(&client.seen).p + i * sizeof(block), block, sizeof(block));
}

static bool
server_has_some(void)
{
	return stream_input(server.stream).len >= IN_MAX;
}

static bool
server_has_all(void)
{
	return buf_len(&server.seen) == 100000;
}

/* Reading rests while the owner leaves input; what TLS has read meanwhile is not forgotten. */
static void
test_an_owner_that_waits(void **state)
{
	static char block[100000];

	(void)state;
	server.deaf = true;
	open_both(NULL);
	assert_int_equal(stream_write(client.stream, slice_of(block, sizeof(block))), 0);
	for (int i = 0; i < 1000 && !server_has_some(); i++) {
		done = server_has_some;
		timer_set(&guard, 10);
		assert_int_equal(loop_run(loop), 0);
	}
	timer_set(&guard, 20000);
	assert_true(server_has_some());
	server.deaf = false;
	(void)buf_put_slice(&server.seen, stream_input(server.stream));
	stream_consume(server.stream, stream_input(server.stream).len);
	run_until(server_has_all);
}

static SSL *
ssl_of(const struct side *side)
{
	return tls_ssl(side->stream);
}

static const struct {
	const char	*asked, *got;
} names[] = {
	{ "mx.example.org", "mx.example.org" },
	{ "other.example.org", "other.example.org" },
	{ "stranger.example.org", "mx.example.org" },
	{ NULL, "mx.example.org" },
	{ "192.0.2.1", "mx.example.org" },
};

static void
test_certificate_by_name(void **state)
{
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		X509 *peer;

		ROW(i, names[i].asked);
		open_both(names[i].asked);
		peer = SSL_get1_peer_certificate(ssl_of(&client));
		assert_int_equal(X509_check_host(peer, names[i].got, 0, 0, NULL), 1);
		X509_free(peer);
		teardown(state);
		assert_int_equal(setup(state), 0);
	}
}

/* A stranger's end of the line, by hand. */
static int
stranger(void)
{
	int fd = dup(stream_fd(client.stream));

	stream_close(&client.stream);
	return fd;
}

static void
test_clear_text_instead_of_tls(void **state)
{
	struct err err;
	int fd = stranger();

	(void)state;
	assert_int_equal(tls_accept(server.stream, server_context, &err), 0);
	assert_int_equal(write(fd, "EHLO client.example\r\n", 21), 21);
	run_until(server_ended);
	assert_int_equal(server.how, STREAM_ERROR);
	assert_int_equal(server.opens, 0);
	assert_true(tls_why(server.stream)[0] != '\0');
	close(fd);
}

static bool
server_has_input(void)
{
	return stream_input(server.stream).len > 0;
}

/* CVE-2011-0411: what was sent in clear may not be read as if it had come through TLS. */
static void
test_unread_clear_text_refuses_tls(void **state)
{
	struct err err;
	int fd = stranger();

	(void)state;
	server.deaf = true;
	assert_int_equal(write(fd, "RSET\r\n", 6), 6);
	for (int i = 0; i < 100 && !server_has_input(); i++) {
		timer_set(&guard, 10);
		assert_int_equal(loop_run(loop), 0);
	}
	assert_true(server_has_input());
	assert_int_equal(tls_accept(server.stream, server_context, &err), -1);
	assert_false(tls_active(server.stream));
	close(fd);
}

static bool
server_ended_alone(void)
{
	return server.ends == 1 && server.how == STREAM_EOF;
}

/* CVE-2026-45185: after the peer's close_notify nothing is read any more, least of all in clear. */
static void
test_nothing_behind_close_notify(void **state)
{
	int fd;

	(void)state;
	open_both(NULL);
	fd = dup(stream_fd(client.stream));
	stream_close_after_flush(&client.stream, 50);
	run_until(server_ended_alone);
	(void)send(fd, "MAIL FROM:<>\r\n", 14, MSG_NOSIGNAL);
	timer_set(&guard, 100);		/* and the client has lingered */
	assert_int_equal(loop_run(loop), 0);
	assert_int_equal(buf_len(&server.seen), 0);
	assert_int_equal(server.ends, 1);
	close(fd);
}

/* The peer's goodbye comes with its last bytes, and its socket stays open: nothing else will ever say that it ended. */
static void
test_goodbye_in_the_same_breath(void **state)
{
	(void)state;
	open_both(NULL);
	assert_int_equal(SSL_write(ssl_of(&client), "QUIT", 4), 4);
	(void)SSL_shutdown(ssl_of(&client));
	run_until(server_ended_alone);
	assert_slice(buf_slice(&server.seen), "QUIT");
}

static int
unread(const struct side *side)
{
	int n = -1;

	return ioctl(stream_fd(side->stream), FIONREAD, &n) == -1 ? -1 : n;
}

/* Records without data, of which TLS has no limit, are read in portions: others have their turn between. */
static void
test_key_updates_are_no_reason_to_stay(void **state)
{
	BIO *records = BIO_new(BIO_s_mem());
	char *bytes;
	long len, sent, rounds = 0;

	(void)state;
	open_both(NULL);
	SSL_set0_wbio(ssl_of(&client), records);
	for (int i = 0; i < 10000; i++)
		assert_true(SSL_key_update(ssl_of(&client), SSL_KEY_UPDATE_NOT_REQUESTED) == 1 && SSL_do_handshake(ssl_of(&client)) == 1);
	len = BIO_get_mem_data(records, &bytes);
	sent = send(stream_fd(client.stream), bytes, (size_t)len, MSG_DONTWAIT);
	assert_true(sent > 128 * 1024);
	for (; unread(&server) > 0 && rounds < 1000; rounds++) {
		timer_set(&guard, 0);
		assert_int_equal(loop_run(loop), 0);
	}
	assert_in_range(rounds, 4, 999);
	assert_int_equal(server.ends, 0);
}

static void
test_foreign_protocols_are_refused(void **state)
{
	static const unsigned char http[] = "\2h2\10http/1.1", smtp[] = "\2h2\4smtp";
	struct err err;

	assert_int_equal(tls_accept(server.stream, server_context, &err), 0);
	assert_int_equal(tls_connect(client.stream, client_context, NULL, &err), 0);
	assert_int_equal(SSL_set_alpn_protos(ssl_of(&client), http, sizeof(http) - 1), 0);
	run_until(either_ended);
	assert_int_equal(server.opens, 0);
	teardown(state);
	assert_int_equal(setup(state), 0);
	assert_int_equal(tls_accept(server.stream, server_context, &err), 0);
	assert_int_equal(tls_connect(client.stream, client_context, NULL, &err), 0);
	assert_int_equal(SSL_set_alpn_protos(ssl_of(&client), smtp, sizeof(smtp) - 1), 0);
	run_until(both_open);
}

static void
test_old_protocols_are_refused(void **state)
{
	struct err err;

	(void)state;
	assert_int_equal(tls_accept(server.stream, server_context, &err), 0);
	assert_int_equal(tls_connect(client.stream, client_context, NULL, &err), 0);
	SSL_set_security_level(ssl_of(&client), 0);
	SSL_set_min_proto_version(ssl_of(&client), TLS1_VERSION);
	SSL_set_max_proto_version(ssl_of(&client), TLS1_1_VERSION);
	run_until(either_ended);
	assert_int_equal(server.opens + client.opens, 0);
}

/* Makes a session with the server, and gives out its ticket. */
static SSL_SESSION *
ticket_of_a_session(void **state)
{
	SSL_SESSION *session;

	server.echo = true;
	open_both("mx.example.org");
	(void)stream_puts(client.stream, "x");
	while (buf_len(&client.seen) == 0) {
		timer_set(&guard, 20);
		assert_int_equal(loop_run(loop), 0);
	}
	session = SSL_get1_session(ssl_of(&client));
	SSL_set_shutdown(ssl_of(&client), SSL_SENT_SHUTDOWN);	/* OpenSSL forgets the sessions of connections that broke off */
	teardown(state);
	assert_int_equal(setup(state), 0);
	return session;
}

static bool
resumes(SSL_SESSION *session)
{
	struct tls_facts facts;
	struct err err;

	assert_int_equal(tls_accept(server.stream, server_context, &err), 0);
	assert_int_equal(tls_connect(client.stream, client_context, "mx.example.org", &err), 0);
	assert_int_equal(SSL_set_session(ssl_of(&client), session), 1);
	run_until(both_open);
	tls_facts(server.stream, &facts);
	SSL_set_shutdown(ssl_of(&client), SSL_SENT_SHUTDOWN);
	return facts.resumed;
}

/* Workers share keys; a key that was replaced still opens, one replaced twice does not; nothing passes between realms. */
static void
test_tickets(void **state)
{
	uint8_t keys[TLS_TICKET_KEYS][TLS_TICKET_KEY_SIZE] = { { 1 }, { 2 } };
	const uint8_t newer[TLS_TICKET_KEYS][TLS_TICKET_KEY_SIZE] = { { 3 }, { 1 } }, newest[TLS_TICKET_KEYS][TLS_TICKET_KEY_SIZE] = { { 4 }, { 3 } };
	SSL_SESSION *session;

	tls_ticket_keys(keys, 2);
	session = ticket_of_a_session(state);
	assert_true(SSL_SESSION_has_ticket(session));
	assert_true(resumes(session));
	teardown(state);
	assert_int_equal(setup(state), 0);
	tls_ticket_keys(newer, 2);
	assert_true(resumes(session));
	teardown(state);
	assert_int_equal(setup(state), 0);
	tls_ticket_keys(newest, 2);
	assert_false(resumes(session));
	SSL_SESSION_free(session);
	tls_ticket_keys(NULL, 0);
}

static void
test_a_key_that_does_not_fit(void **state)
{
	const char *host[] = { "mx.example.org", NULL };
	char *pem = certificate_pem(ec, host);
	struct tls_identity wrong = { 0, slice_str(pem), rsa }, none = { 0, slice_str("nothing"), ec };
	struct err err = { 0, "" };

	(void)state;
	assert_null(tls_server_new(&wrong, 1, &options, &err));
	assert_non_null(strstr(err.text, "does not belong"));
	assert_null(tls_server_new(&none, 1, &options, &err));
	assert_non_null(strstr(err.text, "cannot be used"));
	free(pem);
}

static int
group_setup(void **state)
{
	struct err err;

	(void)state;
	if (tls_init(&err) == -1)
		return -1;
	rsa = certificate_key(KEY_RSA_2048);
	ec = certificate_key(KEY_EC_P256);
	return 0;
}

static int
group_teardown(void **state)
{
	(void)state;
	EVP_PKEY_free(rsa);
	EVP_PKEY_free(ec);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(fn)	cmocka_unit_test_setup_teardown(fn, setup, teardown)
		TEST(test_handshake_and_facts),
		TEST(test_bindings),
		TEST(test_megabytes_both_ways),
		TEST(test_an_owner_that_waits),
		TEST(test_certificate_by_name),
		TEST(test_clear_text_instead_of_tls),
		TEST(test_unread_clear_text_refuses_tls),
		TEST(test_nothing_behind_close_notify),
		TEST(test_goodbye_in_the_same_breath),
		TEST(test_key_updates_are_no_reason_to_stay),
		TEST(test_foreign_protocols_are_refused),
		TEST(test_old_protocols_are_refused),
		TEST(test_tickets),
		TEST(test_a_key_that_does_not_fit),
	};

	return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
