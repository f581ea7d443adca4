/*
 * torture — one message through relay with the n-th allocation failing, for every n. Whatever happens, nothing crashes or leaks, and what
 * queue hears is true: relayed only when the server took the message, failed never, silence only with the wire's end or no relay at all.
 *
 * The mail server and DNS live in a child, where memory is not short.
 */
#include "tests/support/testing.h"

#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fault.h"
#include "base/fd.h"
#include "base/log.h"
#include "event/timer.h"
#include "ipc/channel.h"
#include "net/listen.h"
#include "net/tls_context.h"
#include "relay/relay.h"
#include "tests/unit/relay/script_peer.h"
#include "tests/unit/relay/table_dns.h"
#include "wire/deliver.h"

#define CONTENT	"Subject: x\r\n\r\nhello\r\n"
#define SCRIPT	"S 220 mx ESMTP\nC EHLO*\nS 250-mx\nS 250 PIPELINING\nC MAIL*\nC RCPT*\nC RCPT*\nC DATA\nS 250 ok\nS 250 ok\nS 550 5.1.1 no\nS 354 go\nB\nS 250 ok\nE"
#define MOST	2000

#ifdef POSTHORN_FAULTS

static const struct dns_row dns_rows[] = {
	{ "x.test", DNS_MX, 0, "10 mx.test" }, { "mx.test", DNS_A, 0, "127.0.0.1" }, { .name = NULL },
};

static struct conf conf;
static struct sockaddress dns_address;
static pid_t child;
static struct loop *loop;
static bool ended, over;
static enum action actions[2];

/* ---- the child ---- */

static void
on_connection(void *arg, int what)
{
	int fd = accept4(*(int *)arg, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	(void)what;
	if (fd >= 0)
		(void)peer_new(loop, fd, SCRIPT);	/* lives as long as the child */
}

_Noreturn static void
serve(int listener, int tell)
{
	static struct table_dns dns;
	struct watch watch;
	struct err err;

	loop = loop_new(&err);
	table_dns_start(&dns, loop, dns_rows);
	if (fd_write_all(tell, &dns.address, sizeof(dns.address)) == -1 ||
	    watch_start(&watch, loop, listener, WATCH_READ, on_connection, &listener) == -1)
		_exit(1);
	(void)loop_run(loop);
	_exit(0);
}

/* ---- the queue's side ---- */

static int
on_hello(void *arg, struct reader *in, int fd)
{
	(void)arg;
	(void)in;
	(void)fd;
	return 0;
}

static int
on_results(void *arg, struct reader *in, int fd)
{
	struct deliver_results results;
	struct arena arena;

	(void)arg;
	(void)fd;
	arena_init(&arena, 1 << 20);
	if (deliver_results_get(in, &arena, &results) == 0) {
		over = true;
		for (uint32_t i = 0; i < results.count; i++)
			actions[results.results[i].index] = results.results[i].outcome.action;
	} else {
		ended = true;			/* it is our own memory that was short */
	}
	arena_fini(&arena);
	loop_stop(loop);
	return 0;
}

static void
on_end(void *arg, const char *why)
{
	(void)arg;
	(void)why;
	ended = true;
	loop_stop(loop);
}

static const struct frame_handler handlers[DELIVER_FRAME_COUNT] = {
	[DELIVER_HELLO] = { "HELLO", on_hello, false },
	[DELIVER_RESULTS] = { "RESULTS", on_results, false },
};
static const struct channel_ops queue_ops = { .wire = "deliver", .version = DELIVER_VERSION, .handlers = handlers,
    .handler_count = DELIVER_FRAME_COUNT, .on_end = on_end };

static void
give(struct channel *queue)
{
	struct job_recipient recipients[2] = { { .index = 0, .address = SLICE_LIT("a@x.test") }, { .index = 1, .address = SLICE_LIT("b@x.test") } };
	const struct deliver_job job = { .lease = 1, .id = 2, .body = BODY_7BIT, .nexthop = SLICE_LIT("x.test"), .reverse_path = SLICE_LIT("s@me.test"),
	    .size = sizeof(CONTENT) - 1, .content = SLICE_LIT(CONTENT), .count = 2, .recipients = recipients };

	deliver_job_put(channel_begin(queue, DELIVER_JOB), &job);
	(void)channel_end(queue);
}

static void
on_late(void *arg)
{
	(void)arg;
	loop_stop(loop);
}

static void
converse(struct relay *relay, int fds[2])
{
	struct channel *queue;
	struct timer late;
	struct err err;

	queue = channel_open(loop, fds[0], &queue_ops, NULL, &err);
	if (queue == NULL) {
		close(fds[1]);
		ended = true;
		return;
	}
	relay_wire(relay, fds[1]);
	give(queue);
	assert_int_equal(timer_init(&late, loop, on_late, NULL), 0);
	timer_set(&late, 5000);
	(void)loop_run(loop);
	timer_fini(&late);
	channel_close(&queue);
}

static void
one_life(void)
{
	static const struct relay_system system = { .server_count = 0 };
	struct tls_context *tls;
	struct relay *relay;
	struct err err;
	int fds[2];

	ended = over = false;
	memset(actions, 0, sizeof(actions));
	loop = loop_new(&err);
	if (loop == NULL) {
		ended = true;
		return;
	}
	tls = tls_client_new(SLICE_LIT(""), &err);
	relay = tls == NULL ? NULL : relay_new(loop, &conf, &system, &tls, &err);
	if (relay == NULL) {
		ended = true;
		assert_true(err.text[0] != '\0');
	} else {
		assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds), 0);
		converse(relay, fds);
	}
	relay_free(&relay);
	loop_free(loop);
}

static void
test_every_allocation(void **state)
{
	unsigned relayed = 0, n;
	char plan[32];

	(void)state;
	for (n = 1; n < MOST; n++) {
		snprintf(plan, sizeof(plan), "alloc:%u", n);
		fault_plan(plan);
		one_life();
		long passed = fault_count("alloc");

		fault_plan(NULL);
		if (!over && !ended)
			fail_msg("silence after allocation %u failed", n);
		assert_true(actions[0] != ACTION_FAILED && actions[1] != ACTION_RELAYED && actions[1] != ACTION_UNKNOWN);
		relayed += actions[0] == ACTION_RELAYED;
		if (passed < (long)n)
			break;
	}
	/* The last life had all it wanted. */
	assert_in_range(n, 20, MOST - 1);
	assert_int_equal(actions[0], ACTION_RELAYED);
	assert_int_equal(actions[1], ACTION_FAILED);
	print_message("# %u allocations, %u lives in which the message was relayed\n", n - 1, relayed);
}

static void
no_log(enum log_level level, struct slice text, void *arg)
{
	(void)level;
	(void)text;
	(void)arg;
}

static int
setup(void **state)
{
	static char hostname[] = "me.test";
	struct conf_relay *r = &conf.relay;
	struct sockaddress at;
	int listener, tell[2];
	struct err err;

	(void)state;
	log_sink_set(no_log, NULL);
	assert_int_equal(sockaddress_parse(SLICE_LIT("127.0.0.1"), 0, &at), 0);
	listener = listen_tcp(&at, 16, &err);
	assert_int_equal(listen_address(listener, &at), 0);
	assert_int_equal(pipe(tell), 0);
	child = fork();
	if (child == 0)
		serve(listener, tell[1]);
	close(listener);
	assert_int_equal(fd_read_full(tell[0], &dns_address, sizeof(dns_address)), sizeof(dns_address));
	close(tell[0]);
	close(tell[1]);
	conf = (struct conf){ .hostname = hostname };
	conf.dns.servers.count = 1;
	conf.dns.servers.v = &dns_address;
	conf.dns.timeout = 20;
	conf.dns.tries = 3;
	r->mx_port = sockaddress_port(&at);
	r->allow_private_targets = true;
	r->connect_timeout = r->greeting_timeout = r->hello_timeout = r->mail_timeout = r->rcpt_timeout = r->data_timeout = 1000;
	r->block_timeout = r->dot_timeout = r->rset_timeout = r->quit_timeout = r->idle_timeout = 1000;
	r->connection_messages = 100;
	r->max_addresses = 5;
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_every_allocation) };

	return cmocka_run_group_tests(tests, setup, teardown);
}

#else

/* Without fault points there is nothing to see here: 77 is "skipped". */
int
main(void)
{
	return 77;
}

#endif
