/* room — see room.h. */
#include "tests/unit/relay/room.h"

#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/crc32c.h"
#include "base/fd.h"
#include "base/log.h"
#include "event/timer.h"
#include "net/listen.h"
#include "net/tls_context.h"
#include "tests/unit/relay/relay_dns.h"

#define MX_COUNT	2	/* 127.0.0.1 and 127.0.0.2, the same port */

struct conf conf;
struct loop *loop;
struct relay *relay;
struct channel *queue;
struct table_dns dns;
struct script_peer *peers[PEERS_MAX];
unsigned peer_count;
const char *scripts[PEERS_MAX];
const char *authorities = "";
uint32_t credit, lease_count, result_count;
char leases[200], said[2000];
static struct timer beat;
static struct sockaddress own[1];
static struct conf_listener own_listener = { .at = { .count = 1, .v = own } };
static int listeners[MX_COUNT];
static struct watch listener_watches[MX_COUNT];
static uint16_t port;

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

void
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

void
give(uint64_t lease, const char *nexthop, int fd)
{
	give_as(lease, nexthop, &(struct asked){ .tls = TLS_TAG_NONE }, fd);
}

void
give_as(uint64_t lease, const char *nexthop, const struct asked *asked, int fd)
{
	struct job_recipient recipients[TO_MAX] = { { .index = 3, .address = SLICE_LIT("a@x.test") } };
	struct deliver_job job = { .lease = lease, .id = 1000 + lease, .body = BODY_7BIT, .tls = asked->tls, .nexthop = slice_str(nexthop),
	    .reverse_path = slice_str(asked->null_path ? "" : "s@me.test"), .size = sizeof(CONTENT) - 1, .by_fd = fd != -1,
	    .crc = fd != -1 ? crc32c(0, CONTENT, sizeof(CONTENT) - 1) : 0, .count = 1, .recipients = recipients };

	for (uint32_t i = 0; i < TO_MAX && asked->to[i] != NULL; i++) {
		recipients[i] = (struct job_recipient){ .index = 3 + i, .address = slice_str(asked->to[i]) };
		job.count = i + 1;
	}
	if (fd == -1)
		job.content = SLICE_LIT(CONTENT);
	deliver_job_put(channel_begin(queue, DELIVER_JOB), &job);
	assert_int_equal(channel_end_fd(queue, fd), 0);
}

void
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

static void
on_beat(void *arg)
{
	(void)arg;
	loop_stop(loop);
}

/* ---- rounds ---- */

void
run_until(const char *wanted)
{
	for (int i = 0; i < 600 && strstr(said, wanted) == NULL; i++) {
		timer_set(&beat, 5);
		assert_int_equal(loop_run(loop), 0);
	}
}

void
rounds(int n)
{
	while (n-- > 0) {
		timer_set(&beat, 3);
		assert_int_equal(loop_run(loop), 0);
	}
}

void
run_until_peers(unsigned n)
{
	for (int i = 0; i < 600 && peer_count < n; i++)
		rounds(1);
	assert_int_equal(peer_count, n);
}

/* ---- the whole of it ---- */

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
	r->block_timeout = r->dot_timeout = r->rset_timeout = r->quit_timeout = r->tls_timeout = 5000;
	r->idle_timeout = 5000;
	r->connection_messages = 100;
	r->max_addresses = 5;
	assert_int_equal(sockaddress_parse(SLICE_LIT("127.0.0.4"), port, &own[0]), 0);
}

int
setup(void **state)
{
	static const struct relay_system system = { .server_count = 0 };
	struct tls_context *tls;
	struct err err;

	(void)state;
	log_sink_set(no_log, NULL);
	loop = loop_new(&err);
	table_dns_start(&dns, loop, dns_rows);
	listen_all();
	set_conf();
	assert_int_equal(timer_init(&beat, loop, on_beat, NULL), 0);
	tls = tls_client_new(slice_str(authorities), &err);
	assert_non_null(tls);
	relay = relay_new(loop, &conf, &system, &tls, &err);
	assert_non_null(relay);
	peer_count = 0;
	memset(scripts, 0, sizeof(scripts));
	said[0] = '\0';
	result_count = 0;
	connect_queue();
	return 0;
}

int
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
