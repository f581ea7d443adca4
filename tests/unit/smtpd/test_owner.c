/*
 * The owner: listeners, limits per client, handing connections over, reload, lookup's cache.
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fault.h"
#include "base/fd.h"
#include "net/listen.h"
#include "smtpd/handoff.h"
#include "smtpd/routes.h"
#include "tests/support/testing.h"
#include "tests/unit/smtpd/world.h"

#define STRANGER	"192.0.2.7"
#define FRIEND		"10.1.2.3"
#define MAIL		"MAIL FROM:<a@example.org>\r\n"

static struct world w;

static int
open_mx(void **state)
{
	(void)state;
	world_open(&w, ROLE_MX);
	return 0;
}

static int
open_trusted(void **state)
{
	(void)state;
	world_open(&w, ROLE_TRUSTED);
	return 0;
}

static int
close_world(void **state)
{
	(void)state;
	world_close(&w);
	return 0;
}

static int
listen_somewhere(struct sockaddress *at)
{
	struct sockaddress any;
	struct err err;
	int fd;

	assert_int_equal(sockaddress_parse(SLICE_LIT("127.0.0.1"), 0, &any), 0);
	fd = listen_tcp(&any, 16, &err);
	assert_true(fd >= 0);
	assert_int_equal(listen_address(fd, at), 0);
	return fd;
}

static void
dial(const struct sockaddress *at)
{
	world_hang_up(&w);
	w.client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_true(w.client >= 0);
	assert_int_equal(connect(w.client, &at->any, at->len), 0);
}

static void
test_listener(void **state)
{
	struct sockaddress at;

	(void)state;
	smtpd_listener(w.smtpd, listen_somewhere(&at));
	for (int i = 0; i < 3; i++) {
		dial(&at);
		world_expect(&w, "220 mx.example.net");
		world_talk(&w, "QUIT\r\n", "221");
		world_expect_close(&w);
	}
	assert_true(world_logged(&w, "=unknown[127.0.0.1]"));
}

/* A reload takes the address away: the supervisor shuts the socket down, and we let go of it without a word. */
static void
test_listener_shut_down(void **state)
{
	struct sockaddress at, other;
	int fd = listen_somewhere(&at), keep = dup(fd);

	(void)state;
	smtpd_listener(w.smtpd, listen_somewhere(&other));
	smtpd_listener(w.smtpd, fd);
	assert_int_equal(shutdown(keep, SHUT_RDWR), 0);
	world_run_round(&w);
	world_run_round(&w);
	assert_int_equal(fcntl(fd, F_GETFD), -1);
	assert_false(world_logged(&w, "cannot accept"));
	dial(&other);
	world_expect(&w, "220");
	fd_close(&keep);
}

#ifdef POSTHORN_FAULTS
/* Out of descriptors: the listener rests instead of spinning, and takes up work again. */
static void
test_listener_rests(void **state)
{
	struct sockaddress at;

	(void)state;
	smtpd_listener(w.smtpd, listen_somewhere(&at));
	fault_plan("accept:1:EMFILE");
	dial(&at);
	world_expect(&w, "220");
	assert_true(world_logged(&w, "cannot accept a connection"));
	assert_int_equal(fault_count("accept") < 10, 1);
	fault_plan(NULL);
}
#endif

/* What a client said before we could greet. */
static void
test_early_without_delay(void **state)
{
	struct sockaddress peer;
	int fds[2];

	(void)state;
	world_hang_up(&w);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
	assert_int_equal(sockaddress_parse(SLICE_LIT(STRANGER), 1, &peer), 0);
	w.client = fds[0];
	world_say(&w, "EHLO early\r\n");
	smtpd_connection(w.smtpd, fds[1], &peer);
	world_expect(&w, "554 5.5.0");
	world_expect_close(&w);
	assert_int_equal(w.events[EVENT_IMPROPER_PIPELINING], 1);
}

static void
test_max_sessions(void **state)
{
	struct sockaddress at;
	int held;

	(void)state;
	w.conf.smtpd.max_sessions = 1;
	world_reopen(&w);
	smtpd_listener(w.smtpd, listen_somewhere(&at));
	dial(&at);
	world_expect(&w, "220");
	held = w.client;
	w.client = -1;
	dial(&at);
	world_run_round(&w);
	assert_int_equal(buf_len(&w.got), 0);	/* waits in the kernel's queue */
	fd_close(&held);
	world_expect(&w, "220");
}

/* The configuration says that mx workers listen there. */
static void
name_listener(struct sockaddress *at)
{
	static struct conf_listener listener;

	listener = (struct conf_listener){ .role = LISTENER_MX, .at = { .count = 1, .v = at } };
	w.conf.listeners = &listener;
	w.conf.listener_count = 1;
}

/* An mx worker and a trusted one; the peer is real, since the trusted one asks the kernel. */
static void
test_handoff(void **state)
{
	struct control_wire wire = { .kind = WIRE_HANDOFF, .role = ROLE_MX, .number = 0 };
	struct smtpd *mx;
	struct sockaddress at;
	struct err err;
	int fds[2], public = listen_somewhere(&at);

	(void)state;
	name_listener(&at);
	assert_int_equal(network_parse(SLICE_LIT("127.0.0.0/8"), &w.trusted), 0);
	world_reopen(&w);
	mx = smtpd_new(w.loop, settings_new(&w.conf, NULL, &err), ROLE_MX, 4, NULL, NULL, &err);
	assert_non_null(mx);
	smtpd_listener(mx, public);
	/* nobody to take it: not now, for a session of the mx worker would say never */
	dial(&at);
	world_expect(&w, "421 4.7.0");
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
	smtpd_wire(w.smtpd, &wire, fds[0]);
	smtpd_wire(mx, &wire, fds[1]);
	dial(&at);
	world_expect(&w, "220");
	world_talk(&w, "HELO x\r\n", "250");
	world_talk(&w, MAIL, "250");
	world_talk(&w, "RCPT TO:<x@elsewhere.example>\r\n", "250 2.1.5");
	/* the trusted worker no longer trusts that network: the same connection is a stranger's there */
	assert_int_equal(network_parse(SLICE_LIT("10.0.0.0/8"), &w.trusted), 0);
	smtpd_reload(w.smtpd, settings_new(&w.conf, NULL, &err));
	dial(&at);
	world_expect(&w, "220");
	world_talk(&w, "HELO x\r\n", "250");
	world_talk(&w, MAIL, "250");
	world_talk(&w, "RCPT TO:<x@elsewhere.example>\r\n", "554 5.7.1");
	world_hang_up(&w);
	world_run_round(&w);
	smtpd_free(&mx);
}

/* Our own listeners rest when there are enough sessions; a giver cannot be rested, so what it gives is turned away. */
static void
test_handoff_full(void **state)
{
	struct control_wire wire = { .kind = WIRE_HANDOFF, .role = ROLE_MX, .number = 0 };
	struct sockaddress at;
	struct smtpd *mx;
	struct err err;
	int fds[2], held, public = listen_somewhere(&at);

	(void)state;
	name_listener(&at);
	assert_int_equal(network_parse(SLICE_LIT("127.0.0.0/8"), &w.trusted), 0);
	w.conf.smtpd.max_sessions = 1;
	world_reopen(&w);
	mx = smtpd_new(w.loop, settings_new(&w.conf, NULL, &err), ROLE_MX, 4, NULL, NULL, &err);
	assert_non_null(mx);
	smtpd_listener(mx, public);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
	smtpd_wire(w.smtpd, &wire, fds[0]);
	smtpd_wire(mx, &wire, fds[1]);
	dial(&at);
	world_expect(&w, "220");
	held = w.client;
	w.client = -1;
	dial(&at);
	world_expect(&w, "421 4.7.0");
	world_expect_close(&w);
	fd_close(&held);
	world_run_round(&w);
	smtpd_free(&mx);
}

static void
ignore_end(void *arg, const char *why)
{
	(void)arg;
	(void)why;
}

/* A frame without a socket, or one to who only gives, costs the wire and nothing else. */
static void
test_handoff_abuse(void **state)
{
	struct control_wire wire = { .kind = WIRE_HANDOFF, .role = ROLE_MX, .number = 7 };
	static const struct channel_ops ops = { .wire = "handoff", .version = HANDOFF_VERSION, .on_end = ignore_end };
	struct channel *c;
	struct err err;
	int fds[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
	smtpd_wire(w.smtpd, &wire, fds[0]);
	c = channel_open(w.loop, fds[1], &ops, NULL, &err);
	assert_non_null(c);
	(void)channel_begin(c, HANDOFF_CONNECTION);
	assert_int_equal(channel_end(c), 0);
	world_run_round(&w);
	channel_close(&c);
	assert_true(world_logged(&w, "handoff wire 7: a bad frame"));
	world_hello(&w, STRANGER);
}

/* Who is connected keeps what it was told; who comes gets the new. */
static void
test_reload(void **state)
{
	struct err err;
	int old;

	(void)state;
	world_hello(&w, STRANGER);
	old = w.client;
	w.client = -1;
	w.conf.message_size = 500;
	smtpd_reload(w.smtpd, settings_new(&w.conf, NULL, &err));
	world_connect(&w, STRANGER);
	world_expect(&w, "220");
	assert_non_null(strstr(world_ehlo(&w), " SIZE 500 "));
	world_hang_up(&w);
	w.client = old;
	world_talk(&w, "MAIL FROM:<a@example.org> SIZE=501\r\n", "250");
}

static void
test_status(void **state)
{
	struct buf out;

	(void)state;
	world_hello(&w, STRANGER);
	buf_init(&out, 4096);
	smtpd_status(w.smtpd, &out);
	assert_non_null(strstr(buf_cstr(&out), "sessions 1\n"));
	assert_non_null(strstr(buf_cstr(&out), "content_bytes 0\n"));
	buf_fini(&out);
}

/* What an mx worker that was broken into could make itself, with a peer in a trusted network: none of it becomes a session. */
static void
test_handoff_forged(void **state)
{
	static const struct channel_ops ops = { .wire = "handoff", .version = HANDOFF_VERSION, .on_end = ignore_end };
	struct control_wire wire = { .kind = WIRE_HANDOFF, .role = ROLE_MX, .number = 7 };
	struct sockaddress public, resolver;
	int fds[2], made[4], listening = listen_somewhere(&public), dns = listen_somewhere(&resolver);
	struct channel *c;
	struct err err;

	(void)state;
	name_listener(&public);
	assert_int_equal(network_parse(SLICE_LIT("127.0.0.0/8"), &w.trusted), 0);
	world_reopen(&w);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
	smtpd_wire(w.smtpd, &wire, fds[0]);
	c = channel_open(w.loop, fds[1], &ops, NULL, &err);
	assert_non_null(c);
	/* UDP at the right port; TCP to somebody else; the listener itself; a file */
	made[0] = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(made[0], &public.any, public.len), 0);
	assert_int_equal(connect(made[0], &public.any, public.len), 0);
	made[1] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(connect(made[1], &resolver.any, resolver.len), 0);
	made[2] = dup(listening);
	made[3] = open("/dev/null", O_RDWR | O_CLOEXEC);
	for (size_t i = 0; i < 4; i++) {
		(void)channel_begin(c, HANDOFF_CONNECTION);
		assert_int_equal(channel_end_fd(c, made[i]), 0);
		fd_close(&made[i]);
	}
	for (int i = 0; i < 5; i++)
		world_run_round(&w);
	assert_int_equal(w.events[EVENT_CONNECT], 0);
	channel_close(&c);
	fd_close(&listening);
	fd_close(&dns);
}

/* What may be remembered of an answer, and for how long. */
static void
test_cache(void **state)
{
	struct route routes[] = {
		{ .verdict = ROUTE_LOCAL }, { .verdict = ROUTE_REMOTE }, { .verdict = ROUTE_UNKNOWN }, { .verdict = ROUTE_TRY_LATER },
		{ .verdict = ROUTE_INVALID },
	};
	struct route_answer answer = { .generation = 0, .ttl_ms = 60000, .count = 5, .routes = routes };
	struct routes *r = routes_new(w.loop, NULL);
	char name[32];

	(void)state;
	assert_non_null(r);
	for (uint32_t i = 0; i < 5; i++) {
		snprintf(name, sizeof(name), "%u@x.y", i);
		routes_learn(r, &answer, i, slice_str(name));
		assert_int_equal(routes_known(r, slice_str(name)), i < 2 ? routes[i].verdict : ROUTE_NONE);
	}
	answer.ttl_ms = 0;
	routes_learn(r, &answer, 0, SLICE_LIT("never@x.y"));
	assert_int_equal(routes_known(r, SLICE_LIT("never@x.y")), ROUTE_NONE);
	answer.ttl_ms = 1;
	routes_learn(r, &answer, 0, SLICE_LIT("soon@x.y"));
	usleep(3000);
	world_run_round(&w);
	assert_int_equal(routes_known(r, SLICE_LIT("soon@x.y")), ROUTE_NONE);
	answer.ttl_ms = 60000;
	for (unsigned i = 0; i < ROUTES_CACHED + 10; i++) {
		snprintf(name, sizeof(name), "%u@many.y", i);
		routes_learn(r, &answer, 0, slice_str(name));
	}
	assert_int_equal(routes_count(r), ROUTES_CACHED);
	assert_int_equal(routes_known(r, SLICE_LIT("0@many.y")), ROUTE_NONE);
	assert_int_equal(routes_known(r, SLICE_LIT("100@many.y")), ROUTE_LOCAL);
	routes_free(&r);
}

/* The tables change: what was known is asked again, also when the old answer arrives behind the news. */
static void
test_generation(void **state)
{
	(void)state;
	world_hello(&w, STRANGER);
	world_talk(&w, MAIL, "250");
	world_talk(&w, "RCPT TO:<user1@example.net>\r\n", "250");
	world_talk(&w, "RCPT TO:<user1@example.net>\r\n", "250");
	assert_int_equal(w.questions, 1);
	lookup_generation_put(channel_begin(w.lookup, LOOKUP_GENERATION), 2);
	assert_int_equal(channel_end(w.lookup), 0);
	world_run_round(&w);
	world_talk(&w, "RCPT TO:<user1@example.net>\r\n", "250");	/* answered out of generation 1 */
	world_talk(&w, "RCPT TO:<user1@example.net>\r\n", "250");
	assert_int_equal(w.questions, 3);
	w.generation = 2;
	world_talk(&w, "RCPT TO:<user1@example.net>\r\n", "250");
	world_talk(&w, "RCPT TO:<user1@example.net>\r\n", "250");
	assert_int_equal(w.questions, 4);
}

#define TEST(name, opener)	cmocka_unit_test_setup_teardown(name, opener, close_world)

/* Each reload replaces lookup: what was asked of the one before, and what is asked while there is none, the next one answers. */
static void
test_lookup_is_replaced(void **state)
{
	(void)state;
	world_hello(&w, STRANGER);
	world_talk(&w, "MAIL FROM:<a@example.org>\r\n", "250");
	w.hold_answers = true;
	w.questions = 0;
	world_say(&w, "RCPT TO:<user1@example.net>\r\nRCPT TO:<user2@example.net>\r\n");
	world_until(&w, &w.questions, 1);
	channel_close(&w.lookup);
	world_run_round(&w);
	w.hold_answers = false;
	world_lookup(&w);
	world_expect(&w, "250 2.1.5");
	world_expect(&w, "250 2.1.5");
	channel_close(&w.lookup);
	world_run_round(&w);
	world_say(&w, "RCPT TO:<user3@example.net>\r\n");
	world_run_round(&w);
	world_lookup(&w);
	world_expect(&w, "250 2.1.5");
	channel_close(&w.lookup);
	world_talk(&w, "RCPT TO:<user4@example.net>\r\n", "451 4.3.0");	/* nobody comes */
	world_talk(&w, "RCPT TO:<user5@example.net>\r\n", "451 4.3.0");
	world_lookup(&w);
	world_talk(&w, "RCPT TO:<user4@example.net>\r\n", "250 2.1.5");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_listener, open_mx),
		TEST(test_listener_shut_down, open_mx),
#ifdef POSTHORN_FAULTS
		TEST(test_listener_rests, open_mx),
#endif
		TEST(test_early_without_delay, open_mx),
		TEST(test_max_sessions, open_mx),
		TEST(test_handoff, open_trusted),
		TEST(test_handoff_full, open_trusted),
		TEST(test_handoff_abuse, open_trusted),
		TEST(test_handoff_forged, open_trusted),
		TEST(test_reload, open_mx),
		TEST(test_status, open_mx),
		TEST(test_cache, open_mx),
		TEST(test_generation, open_mx),
		TEST(test_lookup_is_replaced, open_mx),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
