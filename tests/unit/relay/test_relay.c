/* test_relay — the whole room: jobs go where DNS sends them, results come back, and queues and mail servers come and go. */
#include "tests/unit/relay/room.h"

#include <stdio.h>
#include <sys/resource.h>

#include "base/fd.h"
#include "net/tls_context.h"

#define HELLO		"S 220 mx ESMTP\nC EHLO me.test\nS 250-mx\nS 250 PIPELINING\n"
#define GOOD		"C MAIL FROM:<s@me.test>\nC RCPT TO:<a@x.test>\nC DATA\nS 250 ok\nS 250 ok\nS 354 go\nB\nS 250 2.0.0 ok\n"
#define QUIT		"C QUIT\nS 221 bye\nE"

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

/* A reload while DNS is asked: the configuration of the question is gone when the answer comes. */
static void
test_own_name(void **state)
{
	char *name = strdup("me.test"), *kept = conf.hostname;

	(void)state;
	conf.hostname = name;
	watch_want(&dns.watch, 0);		/* it is slow */
	give(1, "me.test", -1);
	rounds(5);
	memset(name, 'x', strlen(name));
	free(name);
	conf.hostname = kept;
	watch_want(&dns.watch, WATCH_READ);
	run_until(":");
	assert_string_equal(said, "1: 3F5.4.6");
}

/* Our own shortage is not said of the next hop. */
static void
test_no_descriptor(void **state)
{
	struct rlimit limit, none;

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	none = limit;
	none.rlim_cur = 3;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	give(1, "[127.0.0.1]", -1);
	run_until(":");
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
	assert_string_equal(said, "1: 3D4.3.0");
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

static bool stopped;

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
	stopped = false;
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
	struct tls_context *tls = tls_client_new(SLICE_LIT(""), &err), *other_tls = tls_client_new(SLICE_LIT(""), &err);

	(void)state;
	table_dns_start(&other, loop, other_rows);
	next.dns.servers.v = &other.address;
	assert_int_equal(relay_reload(relay, &next, &tls, &err), 0);
	give(1, "two.test", -1);
	run_until("1:");
	assert_string_equal(said, "1: 3F5.1.10");
	next.dns.servers.count = 0;		/* and the system names none */
	assert_int_equal(relay_reload(relay, &next, &other_tls, &err), -1);
	table_dns_stop(&other);
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
		WITH_RELAY(test_routes), WITH_RELAY(test_own_name), WITH_RELAY(test_no_descriptor), WITH_RELAY(test_private), WITH_RELAY(test_reuse), WITH_RELAY(test_reuse_limits), WITH_RELAY(test_stale),
		WITH_RELAY(test_by_fd), WITH_RELAY(test_damaged), WITH_RELAY(test_new_queue), WITH_RELAY(test_cancel), WITH_RELAY(test_bad_frames), WITH_RELAY(test_stop),
		WITH_RELAY(test_reload), WITH_RELAY(test_unconfirmed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
