/*
 * relay — the whole room: a queue on the deliver wire, DNS from a table, scripted mail servers on loopback.
 */
#include "tests/support/testing.h"

#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/crc32c.h"
#include "base/fd.h"
#include "base/log.h"
#include "event/timer.h"
#include "ipc/channel.h"
#include "net/listen.h"
#include "relay/relay.h"
#include "tests/unit/relay/relay_dns.h"
#include "tests/unit/relay/script_peer.h"
#include "tests/unit/relay/table_dns.h"
#include "wire/deliver.h"

#define MX_COUNT	2	/* 127.0.0.1 and 127.0.0.2, the same port */
#define PEERS_MAX	8
#define HELLO		"S 220 mx ESMTP\nC EHLO me.test\nS 250-mx\nS 250 PIPELINING\n"
#define GOOD		"C MAIL FROM:<s@me.test>\nC RCPT TO:<a@x.test>\nC DATA\nS 250 ok\nS 250 ok\nS 354 go\nB\nS 250 2.0.0 ok\n"
#define QUIT		"C QUIT\nS 221 bye\nE"
#define CONTENT		"Subject: x\r\n\r\n.hello\r\n"

static struct conf conf;
static struct loop *loop;
static struct relay *relay;
static struct channel *queue;
static struct table_dns dns;
static struct timer beat;
static struct sockaddress own[1];
static struct conf_listener own_listener = { .at = { .count = 1, .v = own } };
static int listeners[MX_COUNT];
static struct watch listener_watches[MX_COUNT];
static uint16_t port;
static struct script_peer *peers[PEERS_MAX];
static unsigned peer_count;
static const char *scripts[PEERS_MAX];
static uint32_t credit, lease_count, result_count;
static char leases[200], said[2000];	/* what HELLO and RESULTS told */
static bool stopped;

/* ---- the queue's side ---- */

static int
on_hello(void *arg, struct reader *in, int fd)
{
	struct deliver_hello hello;
	struct arena arena;

	(void)arg;
	(void)fd;
	arena_init(&arena, 1 << 20);
	assert_int_equal(deliver_hello_get(in, &arena, &hello), 0);
	credit = hello.credit;
	lease_count = hello.count;
	leases[0] = '\0';
	for (uint32_t i = 0; i < hello.count; i++) {
		size_t len = strlen(leases);

		snprintf(leases + len, sizeof(leases) - len, "%llu/%llu/%u ", (unsigned long long)hello.leases[i].lease,
		    (unsigned long long)hello.leases[i].id, hello.leases[i].count);
	}
	arena_fini(&arena);
	return 0;
}

static void
add_result(const struct deliver_result *r)
{
	static const char letters[ACTION_COUNT] = { [ACTION_RELAYED] = 'R', [ACTION_FAILED] = 'F', [ACTION_DELAYED] = 'D', [ACTION_UNKNOWN] = 'U' };
	char status[STATUS_PRINT_SIZE];
	size_t len = strlen(said);

	snprintf(said + len, sizeof(said) - len, " %u%c%s", r->index, letters[r->outcome.action], status_print(r->outcome.status, status));
}

static int
on_results(void *arg, struct reader *in, int fd)
{
	struct deliver_results results;
	struct arena arena;
	size_t len = strlen(said);

	(void)arg;
	(void)fd;
	arena_init(&arena, 1 << 20);
	assert_int_equal(deliver_results_get(in, &arena, &results), 0);
	assert_true(results.finished);
	result_count++;
	snprintf(said + len, sizeof(said) - len, "%s%llu:", len > 0 ? "; " : "", (unsigned long long)results.lease);
	for (uint32_t i = 0; i < results.count; i++)
		add_result(&results.results[i]);
	if (results.damaged)
		strlcat(said, " damaged", sizeof(said));
	arena_fini(&arena);
	return 0;
}

static void
on_wire_end(void *arg, const char *why)
{
	(void)arg;
	(void)why;
	strlcat(said, " END", sizeof(said));
	channel_close(&queue);
}

static const struct frame_handler handlers[DELIVER_FRAME_COUNT] = {
	[DELIVER_HELLO] = { "HELLO", on_hello, false },
	[DELIVER_RESULTS] = { "RESULTS", on_results, false },
};
static const struct channel_ops queue_ops = { .wire = "deliver", .version = DELIVER_VERSION, .handlers = handlers,
    .handler_count = DELIVER_FRAME_COUNT, .on_end = on_wire_end };

static void
connect_queue(void)
{
	struct err err;
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds), 0);
	channel_close(&queue);
	queue = channel_open(loop, fds[0], &queue_ops, NULL, &err);
	assert_non_null(queue);
	relay_wire(relay, fds[1]);
}

static void
give(uint64_t lease, const char *nexthop, int fd)
{
	struct job_recipient recipients[2] = { { .index = 3, .address = SLICE_LIT("a@x.test") } };
	struct deliver_job job = { .lease = lease, .id = 1000 + lease, .body = BODY_7BIT, .nexthop = slice_str(nexthop),
	    .reverse_path = SLICE_LIT("s@me.test"), .size = sizeof(CONTENT) - 1, .by_fd = fd != -1,
	    .crc = fd != -1 ? crc32c(0, CONTENT, sizeof(CONTENT) - 1) : 0, .count = 1, .recipients = recipients };

	if (fd == -1)
		job.content = SLICE_LIT(CONTENT);
	deliver_job_put(channel_begin(queue, DELIVER_JOB), &job);
	assert_int_equal(channel_end_fd(queue, fd), 0);
}

static void
say(enum deliver_frame type, uint64_t lease)
{
	deliver_lease_put(channel_begin(queue, (uint16_t)type), &(struct deliver_lease){ .lease = lease });
	assert_int_equal(channel_end(queue), 0);
}

/* ---- mail servers ---- */

static void
on_connection(void *arg, int what)
{
	int *listener = arg, fd = accept4(*listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	(void)what;
	assert_true(fd >= 0);
	assert_true(peer_count < PEERS_MAX);
	assert_non_null(scripts[peer_count]);
	peers[peer_count] = peer_new(loop, fd, scripts[peer_count]);
	peer_count++;
}

/* One port at all addresses; -1: somebody else has it at one of them. */
static int
listen_same_port(void)
{
	static const char *const names[MX_COUNT] = { "127.0.0.1", "127.0.0.2" };
	struct sockaddress at;
	struct err err;

	port = 0;
	for (int i = 0; i < MX_COUNT; i++) {
		assert_int_equal(sockaddress_parse(slice_str(names[i]), port, &at), 0);
		listeners[i] = listen_tcp(&at, 16, &err);
		if (listeners[i] == -1) {
			while (i-- > 0)
				fd_close(&listeners[i]);
			return -1;
		}
		assert_int_equal(listen_address(listeners[i], &at), 0);
		port = sockaddress_port(&at);
	}
	return 0;
}

static void
listen_all(void)
{
	int tries = 20;

	while (listen_same_port() == -1)
		assert_true(--tries > 0);
	for (int i = 0; i < MX_COUNT; i++)
		assert_int_equal(watch_start(&listener_watches[i], loop, listeners[i], WATCH_READ, on_connection, &listeners[i]), 0);
}

/* ---- the fixture ---- */

static void
on_beat(void *arg)
{
	(void)arg;
	loop_stop(loop);
}

/* Rounds until `said` holds so many results (or "END"), at most three seconds. */
static void
run_until(const char *wanted)
{
	for (int i = 0; i < 600 && strstr(said, wanted) == NULL; i++) {
		timer_set(&beat, 5);
		assert_int_equal(loop_run(loop), 0);
	}
}

static void
rounds(int n)
{
	while (n-- > 0) {
		timer_set(&beat, 3);
		assert_int_equal(loop_run(loop), 0);
	}
}

/* Rounds until so many connections have come, at most three seconds. */
static void
run_until_peers(unsigned n)
{
	for (int i = 0; i < 600 && peer_count < n; i++)
		rounds(1);
	assert_int_equal(peer_count, n);
}

static void
no_log(enum log_level level, struct slice text, void *arg)
{
	(void)level;
	(void)text;
	(void)arg;
}

static void
set_conf(void)
{
	static char hostname[] = "me.test";
	struct conf_relay *r = &conf.relay;

	conf = (struct conf){ .hostname = hostname, .listener_count = 1, .listeners = &own_listener };
	conf.dns.servers.count = 1;
	conf.dns.servers.v = &dns.address;
	conf.dns.timeout = 200;
	conf.dns.tries = 3;
	r->mx_port = port;
	r->allow_private_targets = true;
	r->connect_timeout = r->greeting_timeout = r->hello_timeout = r->mail_timeout = r->rcpt_timeout = r->data_timeout = 5000;
	r->block_timeout = r->dot_timeout = r->rset_timeout = r->quit_timeout = 5000;
	r->idle_timeout = 5000;
	r->connection_messages = 100;
	r->max_addresses = 5;
	assert_int_equal(sockaddress_parse(SLICE_LIT("127.0.0.4"), port, &own[0]), 0);
}

static int
setup(void **state)
{
	static const struct relay_system system = { .server_count = 0 };
	struct err err;

	(void)state;
	log_sink_set(no_log, NULL);
	loop = loop_new(&err);
	table_dns_start(&dns, loop, dns_rows);
	listen_all();
	set_conf();
	assert_int_equal(timer_init(&beat, loop, on_beat, NULL), 0);
	relay = relay_new(loop, &conf, &system, &err);
	assert_non_null(relay);
	peer_count = 0;
	memset(scripts, 0, sizeof(scripts));
	said[0] = '\0';
	stopped = false;
	result_count = 0;
	connect_queue();
	return 0;
}

/* As queue does: a job for each result, and never more than the credit without one. Ends when all is given, or nothing moves. */
static void
give_by_credit(uint64_t *given, uint64_t all)
{
	for (int idle = 0; idle < 100 && result_count < all && queue != NULL; idle++) {
		uint32_t before = result_count;

		while (*given < all && *given - result_count < credit)
			give(++*given, "null.test", -1);
		rounds(1);
		if (result_count > before)
			idle = 0;
	}
}

static int
teardown(void **state)
{
	(void)state;
	relay_free(&relay);
	channel_close(&queue);
	for (unsigned i = 0; i < peer_count; i++) {
		if (peer_trouble(peers[i]) != NULL)
			fail_msg("server %u: %s", i, peer_trouble(peers[i]));
		peer_free(&peers[i]);
	}
	for (int i = 0; i < MX_COUNT; i++) {
		watch_stop(&listener_watches[i]);
		fd_close(&listeners[i]);
	}
	table_dns_stop(&dns);
	timer_fini(&beat);
	loop_free(loop);
	return 0;
}

/* ---- tests ---- */

static void
test_routes(void **state)
{
	static const struct { const char *nexthop, *scripts[3], *result; } rows[] = {
		{ "two.test", { HELLO GOOD QUIT }, "3R2.0.0" },
		{ "dead.test", { HELLO GOOD QUIT }, "3R2.0.0" },			/* the first refuses connections */
		{ "dead.test", { HELLO GOOD QUIT }, "3R2.0.0" },			/* ... and is remembered */
		{ "implicit.test", { HELLO GOOD QUIT }, "3R2.0.0" },
		{ "halftrouble.test", { HELLO GOOD QUIT }, "3R2.0.0" },
		{ "two.test", { "S 421 4.3.2 busy\nE", HELLO GOOD QUIT }, "3R2.0.0" },
		{ "two.test", { "S 554 5.3.2 no mail here\nE", "S 554 5.3.2 no\nE" }, "3D4.3.0" },
		{ "two.test", { HELLO "C MAIL*\nC RCPT*\nC DATA\nX", HELLO GOOD QUIT }, "3R2.0.0" },
		{ "two.test", { HELLO "C MAIL*\nC RCPT*\nC DATA\nS 250 ok\nS 450 4.2.0 later\nS 554 no\n" QUIT }, "3D4.2.0" },
		{ "two.test", { HELLO "C MAIL*\nC RCPT*\nC DATA\nS 250 ok\nS 250 ok\nS 354 go\nB\nX" }, "3U4.4.2" },	/* never tried elsewhere */
		{ "null.test", { NULL }, "3F5.1.10" },
		{ "nothing.test", { NULL }, "3F5.1.2" },
		{ "trouble.test", { NULL }, "3D4.4.3" },
		{ "mxtrouble.test", { NULL }, "3D4.4.3" },
		{ "nohost.test", { NULL }, "3F5.4.4" },
		{ "oddhost.test", { NULL }, "3D4.4.3" },	/* records that are no addresses */
		{ "me.test", { NULL }, "3F5.4.6" },
		{ "mine.test", { NULL }, "3F5.4.6" },
		{ "not a host", { NULL }, "3F5.1.2" },
		{ "[127.0.0.9]", { NULL }, "3D4.4.1" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char wanted[40];

		(void)teardown(state);
		(void)setup(state);
		memcpy(scripts, rows[i].scripts, sizeof(rows[i].scripts));
		conf.relay.idle_timeout = 1;
		give(i + 1, rows[i].nexthop, -1);
		run_until(":");
		rounds(4);
		snprintf(wanted, sizeof(wanted), "%zu: %s", i + 1, rows[i].result);
		if (strcmp(said, wanted) != 0)
			ROW(i, rows[i].nexthop);
		assert_string_equal(said, wanted);
		for (unsigned k = 0; k < 3 && rows[i].scripts[k] != NULL; k++)
			assert_true(k < peer_count && peer_done(peers[k]));
	}
	assert_in_range(credit, 1, AGENT_CREDIT_MAX);
}

static void
test_private(void **state)
{
	static char smart_host[] = "[127.0.0.1]";

	(void)state;
	conf.relay.allow_private_targets = false;
	give(1, "two.test", -1);
	run_until("1:");
	assert_string_equal(said, "1: 3F5.4.4");
	said[0] = '\0';
	/* The administrator may send mail where a stranger's DNS may not. */
	conf.relay.smart_host = smart_host;
	scripts[0] = HELLO GOOD "E";
	give(2, smart_host, -1);
	run_until("2:");
	assert_string_equal(said, "2: 3R2.0.0");
}

static void
test_reuse(void **state)
{
	(void)state;
	scripts[0] = HELLO GOOD GOOD "E";
	give(1, "two.test", -1);
	run_until("1:");
	give(2, "TWO.test", -1);
	run_until("2:");
	assert_string_equal(said, "1: 3R2.0.0; 2: 3R2.0.0");
	assert_int_equal(peer_count, 1);
	assert_int_equal(dns.questions, 5);
	assert_slice(peer_content(peers[0]), "Subject: x\r\n\r\n..hello\r\n.\r\n");
}

static void
test_reuse_limits(void **state)
{
	(void)state;
	conf.relay.connection_messages = 1;
	scripts[0] = HELLO GOOD QUIT;
	scripts[1] = HELLO GOOD QUIT;
	give(1, "two.test", -1);
	run_until("1:");
	give(2, "two.test", -1);
	run_until("2:");
	rounds(5);
	assert_int_equal(peer_count, 2);
	assert_true(peer_done(peers[0]) && peer_done(peers[1]));
	/* Idle for too long: QUIT. */
	conf.relay.connection_messages = 100;
	conf.relay.idle_timeout = 30;
	scripts[2] = HELLO GOOD QUIT;
	give(3, "two.test", -1);
	run_until("3:");
	rounds(30);
	assert_true(peer_done(peers[2]));
}

/* The idle connection is dead when the second job tries it: a new one, and no harm done. */
static void
test_stale(void **state)
{
	(void)state;
	scripts[0] = HELLO GOOD "C MAIL*\nC RCPT*\nC DATA\nX";
	scripts[1] = HELLO GOOD "E";
	give(1, "two.test", -1);
	run_until("1:");
	give(2, "two.test", -1);
	run_until("2:");
	assert_string_equal(said, "1: 3R2.0.0; 2: 3R2.0.0");
	assert_int_equal(peer_count, 2);
}

static void
test_by_fd(void **state)
{
	struct err err;
	int fd = fd_sealed("content", CONTENT, sizeof(CONTENT) - 1, &err);

	(void)state;
	scripts[0] = HELLO GOOD "E";
	give(1, "implicit.test", fd);
	fd_close(&fd);
	run_until("1:");
	assert_string_equal(said, "1: 3R2.0.0");
	assert_slice(peer_content(peers[0]), "Subject: x\r\n\r\n..hello\r\n.\r\n");
}

/* One byte is not what it was: the server is left without the dot, no other one is tried, and a new queue hears the same. */
static void
test_damaged(void **state)
{
	char content[] = CONTENT;
	struct err err;
	int fd;

	(void)state;
	content[2] ^= 1;
	fd = fd_sealed("content", content, sizeof(content) - 1, &err);
	scripts[0] = HELLO "C MAIL*\nC RCPT*\nC DATA\nS 250 ok\nS 250 ok\nS 354 go\nN";
	give(1, "two.test", fd);
	fd_close(&fd);
	run_until("1:");
	rounds(30);
	assert_string_equal(said, "1: damaged");
	assert_int_equal(peer_count, 1);
	connect_queue();
	run_until("; 1:");
	assert_string_equal(said, "1: damaged; 1: damaged");
	say(DELIVER_COMMITTED, 1);
	rounds(10);
	connect_queue();
	rounds(10);
	assert_int_equal(lease_count, 0);
}

/* queue dies: what is in flight and what was not confirmed is presented to the next one. */
static void
test_new_queue(void **state)
{
	(void)state;
	scripts[0] = HELLO GOOD "E";
	scripts[1] = "E";			/* says nothing */
	give(1, "two.test", -1);
	run_until("1:");
	give(2, "[127.0.0.2]", -1);
	run_until_peers(2);
	said[0] = '\0';
	connect_queue();
	rounds(5);
	assert_int_equal(lease_count, 2);
	assert_non_null(strstr(leases, "1/1001/1 "));
	assert_non_null(strstr(leases, "2/1002/1 "));
	assert_string_equal(said, "1: 3R2.0.0");	/* again */
	say(DELIVER_COMMITTED, 1);
	say(DELIVER_COMMITTED, 77);		/* never heard of: ignored */
	rounds(3);
	connect_queue();
	rounds(5);
	assert_string_equal(leases, "2/1002/1 ");
	/* A queue that does not know the lease says so; nothing was sent, so the job ends. */
	said[0] = '\0';
	say(DELIVER_COMMITTED, 2);
	run_until("2:");
	assert_string_equal(said, "2:");
	connect_queue();
	rounds(5);
	assert_int_equal(lease_count, 0);
}

static void
test_cancel(void **state)
{
	(void)state;
	scripts[0] = "E";
	give(1, "two.test", -1);
	run_until_peers(1);
	say(DELIVER_CANCEL, 1);
	say(DELIVER_CANCEL, 99);
	run_until("1:");
	assert_string_equal(said, "1:");		/* nothing has happened to anybody */
	/* Once the conversation is about the message it goes on. */
	scripts[1] = HELLO "C MAIL*\nC RCPT*\nC DATA\nE";
	give(2, "two.test", -1);
	run_until_peers(2);
	for (int i = 0; i < 600 && !peer_at_end(peers[1]); i++)
		rounds(1);
	say(DELIVER_CANCEL, 2);
	rounds(5);
	assert_string_equal(said, "1:");
	connect_queue();
	rounds(5);
	assert_string_equal(leases, "2/1002/1 ");	/* and the first is forgotten */
}

static void
test_bad_frames(void **state)
{
	(void)state;
	scripts[0] = "E";
	give(1, "two.test", -1);
	give(1, "two.test", -1);		/* the same lease twice */
	run_until("END");
	assert_string_equal(said, " END");
	connect_queue();
	rounds(5);
	assert_string_equal(leases, "1/1001/1 ");
}

static void
on_stopped(void *arg)
{
	(void)arg;
	stopped = true;
}

static void
test_stop(void **state)
{
	struct buf status;

	(void)state;
	scripts[0] = HELLO "C MAIL*\nC RCPT*\nC DATA\nS 250 ok\nS 250 ok\nE";
	scripts[1] = "E";
	give(1, "[127.0.0.1]", -1);
	run_until_peers(1);
	rounds(8);
	give(2, "[127.0.0.2]", -1);
	run_until_peers(2);
	buf_init(&status, 1000);
	relay_status(relay, &status);
	assert_non_null(strstr(buf_cstr(&status), "jobs 2\n"));
	buf_fini(&status);
	relay_stop(relay, on_stopped, NULL);
	run_until("2:");
	assert_string_equal(said, "2:");		/* had not begun */
	assert_false(stopped);
	give(3, "[127.0.0.2]", -1);			/* too late: nobody takes it */
	rounds(5);
	assert_string_equal(said, "2:");
	peer_free(&peers[0]);				/* the first server dies */
	peers[0] = peers[1];
	peer_count = 1;
	run_until("1:");
	assert_false(stopped);
	say(DELIVER_COMMITTED, 1);
	rounds(5);
	assert_true(stopped);
}

static void
test_reload(void **state)
{
	static const struct dns_row other_rows[] = { { "two.test", DNS_MX, 0, "0 ." }, { .name = NULL } };
	struct table_dns other;
	struct conf next = conf;
	struct err err;

	(void)state;
	table_dns_start(&other, loop, other_rows);
	next.dns.servers.v = &other.address;
	assert_int_equal(relay_reload(relay, &next, &err), 0);
	give(1, "two.test", -1);
	run_until("1:");
	assert_string_equal(said, "1: 3F5.1.10");
	next.dns.servers.count = 0;		/* and the system names none */
	assert_int_equal(relay_reload(relay, &next, &err), -1);
	table_dns_stop(&other);
}

/* A disk that is slow to confirm: results wait, so that leases never become more than a wire may hold. */
static void
test_unconfirmed(void **state)
{
	const uint64_t all = AGENT_LEASES_MAX + 1000;
	uint64_t given = 0, confirmed = 0;

	(void)state;
	rounds(3);
	give_by_credit(&given, all);
	assert_non_null(queue);
	assert_int_equal(given, AGENT_LEASES_MAX);
	assert_int_equal(result_count, AGENT_LEASES_MAX - credit);
	while (confirmed < all && queue != NULL) {
		uint32_t before = result_count;

		while (confirmed < before)
			say(DELIVER_COMMITTED, ++confirmed);
		give_by_credit(&given, all);
		assert_true(result_count > before || confirmed == all);
	}
	assert_int_equal(result_count, all);
	rounds(5);
	connect_queue();
	rounds(5);
	assert_int_equal(lease_count, 0);
}

#define WITH_RELAY(f)	cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_RELAY(test_routes), WITH_RELAY(test_private), WITH_RELAY(test_reuse), WITH_RELAY(test_reuse_limits), WITH_RELAY(test_stale),
		WITH_RELAY(test_by_fd), WITH_RELAY(test_damaged),
		WITH_RELAY(test_new_queue), WITH_RELAY(test_cancel), WITH_RELAY(test_bad_frames), WITH_RELAY(test_stop),
		WITH_RELAY(test_reload), WITH_RELAY(test_unconfirmed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
