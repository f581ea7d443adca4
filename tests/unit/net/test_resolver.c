/*
 * resolver — against two small DNS servers that live on the same loop and answer by the first label of the name.
 */
#include "tests/support/testing.h"

#include <unistd.h>

#include "base/fd.h"
#include "event/timer.h"
#include "net/resolver.h"

#define SERVERS	2

struct server {
	int		 fd, listener, stream;	/* UDP; TCP at the same port, and one connection to it */
	unsigned	 number, packets, tcp_questions;
	uint16_t	 asked_from;		/* the port of the last question */
	struct watch	 watch, listener_watch, stream_watch;
	struct sockaddress address;
};

struct asked {			/* one question of a test and what came of it */
	struct question		 question;
	unsigned		 told;
	enum dns_result		 result;
	uint16_t		 count;
	uint8_t			 rcode;
	struct asked		*cancels, *asks_again;
	const char		*name;
};

static struct loop *loop;
static struct resolver *resolver;
static struct server servers[SERVERS];
static struct timer guard;
static bool late;
static unsigned outstanding;
enum { RCODE_OK, RCODE_FORMERR, RCODE_SERVFAIL, RCODE_NXDOMAIN };

#define TCP_RECORDS	100		/* more than a datagram of ours may hold */

/* Appends one A record (192.0.2.1) or, without one, an SOA in the authority part. */
static size_t
put_rest(uint8_t *p, bool found, uint8_t ttl)
{
	static const uint8_t head[] = { 0xc0, 12, 0, 1, 0, 1, 0, 0, 0 };
	static const uint8_t soa[] = { 0xc0, 12, 0, 6, 0, 1, 0, 0, 0, 60, 0, 22 };

	if (!found) {
		memset(p, 0, sizeof(soa) + 22);
		memcpy(p, soa, sizeof(soa));
		p[sizeof(soa) + 21] = 60;
		return sizeof(soa) + 22;
	}
	memcpy(p, head, sizeof(head));
	memcpy(p + sizeof(head), (uint8_t[]){ ttl, 0, 4, 192, 0, 2, 1 }, 7);
	return sizeof(head) + 7;
}

static void
answer(struct server *s, uint8_t *p, size_t question_len, const struct sockaddress *to, unsigned rcode, bool found, uint8_t ttl)
{
	size_t len = question_len;

	p[2] = 0x81;
	p[3] = (uint8_t)(0x80 | rcode);
	memset(p + 6, 0, 6);
	p[7] = found;
	p[9] = !found && (rcode == RCODE_OK || rcode == RCODE_NXDOMAIN);
	if (found || p[9])
		len += put_rest(p + len, found, ttl);
	assert_int_equal(sendto(s->fd, p, len, 0, &to->any, to->len), (ssize_t)len);
}

static bool
label_is(const uint8_t *p, const char *label)
{
	return p[12] == strlen(label) && memcmp(p + 13, label, strlen(label)) == 0;
}

/* The answer that does not fit: "come by TCP". */
static void
answer_cut(struct server *s, uint8_t *p, size_t len, const struct sockaddress *to)
{
	p[2] = 0x83;
	p[3] = 0x80;
	memset(p + 6, 0, 6);
	assert_int_equal(sendto(s->fd, p, len, 0, &to->any, to->len), (ssize_t)len);
}

/* An empty datagram, one with another id, one of two bytes: none of them is the answer, nor the end of hope. */
static void
send_garbage(struct server *s, const uint8_t *p, const struct sockaddress *to)
{
	uint8_t other[12];

	memcpy(other, p, sizeof(other));
	other[0] = (uint8_t)~other[0];
	other[2] = 0x81;
	other[3] = 0x83;
	assert_int_equal(sendto(s->fd, p, 0, 0, &to->any, to->len), 0);
	assert_int_equal(sendto(s->fd, other, sizeof(other), 0, &to->any, to->len), sizeof(other));
	assert_int_equal(sendto(s->fd, other, 2, 0, &to->any, to->len), 2);
}

static void
on_packet(void *arg, int what)
{
	struct server *s = arg;
	struct sockaddress from = { .len = sizeof(from.v4) };
	uint8_t p[1024];
	ssize_t n = recvfrom(s->fd, p, 512, 0, &from.any, &from.len);
	size_t end = 12;

	(void)what;
	assert_true(n > 12);
	s->packets++;
	s->asked_from = sockaddress_port(&from);
	assert_true((p[3] & 0x20) != 0 || p[11] == 0);	/* AD is asked for, but for the retry without EDNS */
	while (p[end] != 0)
		end += p[end] + 1u;
	end += 5;
	if (label_is(p, "found"))
		answer(s, p, end, &from, RCODE_OK, true, 60);
	else if (label_is(p, "brief"))
		answer(s, p, end, &from, RCODE_OK, true, 0);
	else if (label_is(p, "nodata"))
		answer(s, p, end, &from, RCODE_OK, false, 0);
	else if (label_is(p, "noname"))
		answer(s, p, end, &from, RCODE_NXDOMAIN, false, 0);
	else if (label_is(p, "servfail") || (label_is(p, "half") && s->number == 0))
		answer(s, p, end, &from, RCODE_SERVFAIL, false, 0);
	else if (label_is(p, "half"))
		answer(s, p, end, &from, RCODE_OK, true, 60);
	else if (label_is(p, "old"))
		answer(s, p, end, &from, p[11] == 1 ? RCODE_FORMERR : RCODE_OK, p[11] == 0, 60);
	else if (label_is(p, "large") || label_is(p, "stall"))
		answer_cut(s, p, end, &from);
	else if (label_is(p, "garbage")) {
		send_garbage(s, p, &from);
		answer(s, p, end, &from, RCODE_OK, true, 60);
	}
	/* "silent" gets nothing */
}

static void
on_tcp_question(void *arg, int what)
{
	static const uint8_t record[] = { 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 192, 0, 2, 1 };
	struct server *s = arg;
	uint8_t p[512 + TCP_RECORDS * sizeof(record)];
	ssize_t n = recv(s->stream, p, 512, 0);
	size_t end = 14;

	(void)what;
	if (n <= 14) {
		watch_stop(&s->stream_watch);
		fd_close(&s->stream);
		return;
	}
	s->tcp_questions++;
	if (label_is(p + 2, "stall"))
		return;
	while (p[end] != 0)
		end += p[end] + 1u;
	end += 5;
	p[4] = 0x81;
	p[5] = 0x80;
	memset(p + 8, 0, 6);
	p[9] = TCP_RECORDS;
	for (unsigned i = 0; i < TCP_RECORDS; i++, end += sizeof(record)) {
		memcpy(p + end, record, sizeof(record));
		p[end + sizeof(record) - 1] = (uint8_t)i;
	}
	p[0] = (uint8_t)((end - 2) >> 8);
	p[1] = (uint8_t)(end - 2);
	/* In two pieces: a stream has no edges. */
	assert_int_equal(send(s->stream, p, 700, MSG_NOSIGNAL), 700);
	assert_int_equal(send(s->stream, p + 700, end - 700, MSG_NOSIGNAL), (ssize_t)(end - 700));
}

static void
on_tcp(void *arg, int what)
{
	struct server *s = arg;

	(void)what;
	watch_stop(&s->stream_watch);
	fd_close(&s->stream);
	s->stream = accept4(s->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	assert_true(s->stream >= 0);
	assert_int_equal(watch_start(&s->stream_watch, loop, s->stream, WATCH_READ, on_tcp_question, s), 0);
}

/* UDP and TCP at one port of loopback; -1: somebody else has the one or the other. */
static int
bind_both(struct server *s, const struct sockaddress *at)
{
	s->listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	s->fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	assert_true(s->fd >= 0 && s->listener >= 0);
	s->address.len = sizeof(s->address.v4);
	if (bind(s->fd, &at->any, at->len) == 0 && getsockname(s->fd, &s->address.any, &s->address.len) == 0 &&
	    bind(s->listener, &s->address.any, s->address.len) == 0 && listen(s->listener, 4) == 0)
		return 0;
	fd_close(&s->fd);
	fd_close(&s->listener);
	return -1;
}

static void
server_start(struct server *s, unsigned number)
{
	struct sockaddress any;
	int tries = 20;

	*s = (struct server){ .number = number, .stream = -1 };
	assert_int_equal(sockaddress_parse(SLICE_LIT("127.0.0.1"), 0, &any), 0);
	while (bind_both(s, &any) == -1)
		assert_true(--tries > 0);
	assert_int_equal(watch_start(&s->watch, loop, s->fd, WATCH_READ, on_packet, s), 0);
	assert_int_equal(watch_start(&s->listener_watch, loop, s->listener, WATCH_READ, on_tcp, s), 0);
}

static void
server_stop(struct server *s)
{
	watch_stop(&s->watch);
	watch_stop(&s->listener_watch);
	watch_stop(&s->stream_watch);
	fd_close(&s->fd);
	fd_close(&s->listener);
	fd_close(&s->stream);
}

static struct resolver_conf
conf_of(const struct sockaddress *addresses)
{
	return (struct resolver_conf){ .servers = addresses, .count = SERVERS, .timeout_ms = 100, .tries = 3 };
}

static void
on_guard(void *arg)
{
	(void)arg;
	late = true;
	loop_stop(loop);
}

static int
setup(void **state)
{
	struct sockaddress addresses[SERVERS];
	struct err err;

	(void)state;
	loop = loop_new(&err);
	assert_non_null(loop);
	for (unsigned i = 0; i < SERVERS; i++) {
		server_start(&servers[i], i);
		addresses[i] = servers[i].address;
	}
	const struct resolver_conf conf = conf_of(addresses);
	resolver = resolver_new(loop, &conf, &err);
	assert_non_null(resolver);
	assert_int_equal(timer_init(&guard, loop, on_guard, NULL), 0);
	late = false;
	outstanding = 0;
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	resolver_free(&resolver);
	assert_null(resolver);
	for (unsigned i = 0; i < SERVERS; i++)
		server_stop(&servers[i]);
	timer_fini(&guard);
	loop_free(loop);
	return 0;
}

static void ask(struct asked *, const char *);

static void
on_done(void *arg, const struct dns_answer *a)
{
	struct asked *asked = arg;
	struct asked *again = asked->asks_again;

	asked->told++;
	asked->result = a->result;
	asked->count = a->count;
	asked->rcode = a->rcode;
	outstanding--;
	if (asked->cancels != NULL) {
		resolver_cancel(&asked->cancels->question);
		outstanding--;
	}
	asked->asks_again = NULL;
	if (again != NULL)
		ask(again, asked->name);
	if (outstanding == 0)
		loop_stop(loop);
}

static void
ask(struct asked *asked, const char *name)
{
	asked->name = name;
	outstanding++;
	assert_int_equal(resolver_ask(resolver, &asked->question, slice_str(name), DNS_A, on_done, asked), 0);
}

static void
run(void)
{
	timer_set(&guard, 10000);
	assert_int_equal(loop_run(loop), 0);
	assert_false(late);
	timer_stop(&guard);
}

static void
test_results(void **state)
{
	static const struct { const char *name; enum dns_result result; unsigned count, rcode, packets; } rows[] = {
		{ "found.example", DNS_FOUND, 1, RCODE_OK, 1 },
		{ "nodata.example", DNS_NO_DATA, 0, RCODE_OK, 1 },
		{ "noname.example", DNS_NO_NAME, 0, RCODE_NXDOMAIN, 1 },
		{ "servfail.example", DNS_TEMPORARY, 0, RCODE_SERVFAIL, 2 },	/* both servers were asked */
		{ "half.example", DNS_FOUND, 1, RCODE_OK, 2 },			/* the second knew */
		{ "old.example", DNS_FOUND, 1, RCODE_OK, 2 },			/* the same server, without EDNS */
		{ "large.example", DNS_FOUND, DNS_RECORDS_MAX, RCODE_OK, 1 },	/* and once more by TCP */
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct asked a = { 0 };
		unsigned before = servers[0].packets + servers[1].packets;

		ask(&a, rows[i].name);
		assert_int_equal(a.told, 0);		/* never from inside */
		run();
		if (a.result != rows[i].result || a.count != rows[i].count)
			ROW(i, rows[i].name);
		assert_int_equal(a.told, 1);
		assert_int_equal(a.result, rows[i].result);
		assert_int_equal(a.count, rows[i].count);
		assert_int_equal(a.rcode, rows[i].rcode);
		assert_int_equal(servers[0].packets + servers[1].packets - before, rows[i].packets);
	}
}

static void
test_silence(void **state)
{
	struct asked a = { 0 };

	(void)state;
	ask(&a, "silent.example");
	run();
	assert_int_equal(a.result, DNS_TEMPORARY);
	assert_true(servers[0].packets >= 3 && servers[1].packets >= 3);
}

/* What is no answer is thrown away, and the one that comes behind it counts. */
static void
test_garbage(void **state)
{
	struct asked a = { 0 };

	(void)state;
	ask(&a, "garbage.example");
	run();
	assert_int_equal(a.told, 1);
	assert_int_equal(a.result, DNS_FOUND);
	assert_int_equal(a.rcode, RCODE_OK);
}

/* A server that says "by TCP" and then nothing: trouble, in bounded time, and its connections do not pile up. */
static void
test_tcp_stall(void **state)
{
	struct asked a = { 0 }, after = { 0 };

	(void)state;
	ask(&a, "stall.example");
	run();
	assert_int_equal(a.told, 1);
	assert_int_equal(a.result, DNS_TEMPORARY);
	assert_true(servers[0].tcp_questions + servers[1].tcp_questions > 0);
	ask(&after, "found.example");
	run();
	assert_int_equal(after.result, DNS_FOUND);
}

/* Nobody listens when we start: trouble at once or soon, never a "no"; and when they are back they are asked. */
static void
test_down_and_back(void **state)
{
	struct sockaddress at[SERVERS];
	struct asked down = { 0 }, up = { 0 };

	(void)state;
	for (unsigned i = 0; i < SERVERS; i++) {
		at[i] = servers[i].address;
		server_stop(&servers[i]);
	}
	ask(&down, "found.example");
	run();
	assert_int_equal(down.result, DNS_TEMPORARY);
	for (unsigned i = 0; i < SERVERS; i++) {
		servers[i] = (struct server){ .number = i, .stream = -1 };
		assert_int_equal(bind_both(&servers[i], &at[i]), 0);
		assert_int_equal(watch_start(&servers[i].watch, loop, servers[i].fd, WATCH_READ, on_packet, &servers[i]), 0);
	}
	ask(&up, "found.example");
	run();
	assert_int_equal(up.result, DNS_FOUND);
}

/* RFC 5452 9.2: who wants to forge an answer must guess the port, too, and each time anew. */
static void
test_source_ports(void **state)
{
	uint16_t ports[4];
	unsigned changes = 0;

	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		struct asked a = { 0 };
		char name[32];

		snprintf(name, sizeof(name), "found.n%u.example", i);
		ask(&a, name);
		run();
		ports[i] = servers[0].asked_from;
		changes += i > 0 && ports[i] != ports[i - 1];
	}
	assert_true(changes > 0);
}

static void
test_shared(void **state)
{
	struct asked a[5] = { 0 };

	(void)state;
	for (unsigned i = 0; i < 5; i++)
		ask(&a[i], i % 2 ? "Found.Example" : "found.example");
	run();
	for (unsigned i = 0; i < 5; i++)
		assert_int_equal(a[i].told, 1);
	assert_int_equal(servers[0].packets, 1);
}

static void
test_cache(void **state)
{
	static const struct { const char *name; unsigned packets; } rows[] = {
		{ "found.example", 1 }, { "noname.example", 1 }, { "nodata.example", 1 },
		{ "brief.example", 3 },			/* TTL 0 */
		{ "servfail.example", 6 },		/* trouble is not kept */
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		unsigned before = servers[0].packets + servers[1].packets;

		for (unsigned k = 0; k < 3; k++) {
			struct asked a = { 0 };

			ask(&a, rows[i].name);
			run();
			assert_int_equal(a.told, 1);
		}
		if (servers[0].packets + servers[1].packets - before != rows[i].packets)
			ROW(i, rows[i].name);
		assert_int_equal(servers[0].packets + servers[1].packets - before, rows[i].packets);
	}
	assert_int_equal(resolver_packets(resolver), servers[0].packets + servers[1].packets);
}

/* One asker cancels another that is told in the same breath; a third asks again from inside its answer. */
static void
test_from_inside(void **state)
{
	struct asked a[3] = { 0 }, again = { 0 };

	(void)state;
	a[0].asks_again = &again;
	a[2].cancels = &a[1];		/* the last to ask is told first */
	for (unsigned i = 0; i < 3; i++)
		ask(&a[i], "found.example");
	run();
	assert_int_equal(a[0].told, 1);
	assert_int_equal(a[1].told, 0);
	assert_int_equal(a[2].told, 1);
	assert_int_equal(again.told, 1);
	assert_int_equal(again.result, DNS_FOUND);
}

static void
test_cancel(void **state)
{
	struct asked before = { 0 }, flying = { 0 }, other = { 0 };

	(void)state;
	ask(&before, "found.example");
	resolver_cancel(&before.question);	/* before a packet left */
	resolver_cancel(&before.question);
	outstanding--;
	ask(&flying, "silent.example");
	ask(&other, "nodata.example");
	outstanding--;				/* for the silent one */
	run();
	resolver_cancel(&flying.question);
	assert_int_equal(other.told, 1);
	assert_int_equal(before.told + flying.told, 0);
}

/* What is under way goes to the new servers. */
static void
test_configure(void **state)
{
	struct sockaddress only[SERVERS] = { servers[1].address, servers[1].address };
	struct resolver_conf conf = conf_of(only);
	struct asked a = { 0 };
	struct err err;

	(void)state;
	ask(&a, "half.example");
	conf.count = 1;
	assert_int_equal(resolver_configure(resolver, &conf, &err), 0);
	run();
	assert_int_equal(a.result, DNS_FOUND);
	assert_int_equal(servers[0].packets, 0);
	conf.count = 0;
	assert_int_equal(resolver_configure(resolver, &conf, &err), -1);
}

static void
test_refused(void **state)
{
	struct asked a = { 0 };

	(void)state;
	assert_int_equal(resolver_ask(resolver, &a.question, SLICE_LIT("a b"), DNS_A, on_done, &a), -1);
	assert_int_equal(resolver_ask(resolver, &a.question, SLICE_LIT(""), DNS_MX, on_done, &a), -1);
	/* Questions without end are refused, not kept. */
	static struct asked many[5000];
	unsigned taken = 0;
	char name[32];

	for (unsigned i = 0; i < 5000; i++) {
		snprintf(name, sizeof(name), "n%u.example", i);
		taken += resolver_ask(resolver, &many[i].question, slice_str(name), DNS_A, on_done, &many[i]) == 0;
	}
	assert_in_range(taken, 1000, 4999);
	for (unsigned i = 0; i < 5000; i++)
		resolver_cancel(&many[i].question);
}

static void
test_system(void **state)
{
	struct sockaddress found[RESOLVER_SERVERS_MAX];
	struct err err;
	int count = resolver_system_servers(found, RESOLVER_SERVERS_MAX, &err);

	(void)state;
	assert_in_range(count, 1, RESOLVER_SERVERS_MAX);
	for (int i = 0; i < count; i++)
		assert_int_not_equal(sockaddress_port(&found[i]), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_results, setup, teardown),
		cmocka_unit_test_setup_teardown(test_silence, setup, teardown),
		cmocka_unit_test_setup_teardown(test_garbage, setup, teardown),
		cmocka_unit_test_setup_teardown(test_tcp_stall, setup, teardown),
		cmocka_unit_test_setup_teardown(test_down_and_back, setup, teardown),
		cmocka_unit_test_setup_teardown(test_source_ports, setup, teardown),
		cmocka_unit_test_setup_teardown(test_shared, setup, teardown),
		cmocka_unit_test_setup_teardown(test_cache, setup, teardown),
		cmocka_unit_test_setup_teardown(test_from_inside, setup, teardown),
		cmocka_unit_test_setup_teardown(test_cancel, setup, teardown),
		cmocka_unit_test_setup_teardown(test_configure, setup, teardown),
		cmocka_unit_test_setup_teardown(test_refused, setup, teardown),
		cmocka_unit_test(test_system),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
