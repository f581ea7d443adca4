/* pool — who is found again, who is not, and who leaves by himself. */
#include "tests/support/testing.h"

#include <sys/socket.h>

#include "base/log.h"
#include "event/timer.h"
#include "net/tls_context.h"
#include "relay/pool/pool.h"
#include "tests/unit/relay/script_peer.h"

#define HELLO	"S 220 mx\nC EHLO me.test\nS 250 mx\n"
#define MANY	505		/* more than the pool keeps */

static struct conf conf;
static struct loop *loop;
static struct client_house *house;
static struct pool *pool;
static struct timer beat;
static struct script_peer *peers[MANY];
static unsigned peer_count;

static void
on_beat(void *arg)
{
	(void)arg;
	loop_stop(loop);
}

static void
rounds(int n)
{
	while (n-- > 0) {
		timer_set(&beat, 3);
		assert_int_equal(loop_run(loop), 0);
	}
}

static void
on_ready(void *arg)
{
	*(bool *)arg = true;
}

static void
on_sent(void *arg)
{
	(void)arg;
	fail_msg("nothing was sent");
}

static void
on_gone(void *arg, const struct outcome *why)
{
	(void)arg;
	fail_msg("gone: %.*s", SLICE_FMT(why->text));
}

static const struct client_ops ops = { .ready = on_ready, .sent = on_sent, .gone = on_gone };

/* A connection that has said hello; the server goes on with `script`. */
static struct client *
connect_one(const char *script)
{
	struct sockaddress address;
	struct client *client;
	bool ready = false;
	struct err err;
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds), 0);
	assert_int_equal(sockaddress_parse(SLICE_LIT("192.0.2.1"), 25, &address), 0);
	peers[peer_count++] = peer_new(loop, fds[1], script);
	client = client_open(house, fds[0], "mx", &address, 0, &ops, &ready, &err);
	assert_non_null(client);
	for (int i = 0; i < 100 && !ready; i++)
		rounds(1);
	assert_true(ready);
	return client;
}

static void
test_take_give(void **state)
{
	struct client *a = connect_one(HELLO "E"), *b = connect_one(HELLO "E"), *was_a = a, *was_b = b;

	(void)state;
	assert_null(pool_take(pool, SLICE_LIT("a.test"), false));
	pool_give(pool, SLICE_LIT("a.test"), &a, 100);
	assert_null(a);
	pool_give(pool, SLICE_LIT("b.test:26"), &b, 100);
	assert_int_equal(pool_count(pool), 2);
	assert_null(pool_take(pool, SLICE_LIT("b.test"), false));
	b = pool_take(pool, SLICE_LIT("B.test:26"), false);
	assert_ptr_equal(b, was_b);
	assert_null(pool_take(pool, SLICE_LIT("b.test:26"), false));
	a = pool_take(pool, SLICE_LIT("a.test"), false);
	assert_ptr_equal(a, was_a);
	assert_int_equal(pool_count(pool), 0);
	client_close(&a);
	client_close(&b);
}

/* What has carried enough, or is not idle, says QUIT or goes at once. */
static void
test_not_kept(void **state)
{
	struct client *a = connect_one(HELLO "C QUIT\nS 221 bye\nE");

	(void)state;
	pool_give(pool, SLICE_LIT("a.test"), &a, 0);
	assert_null(a);
	assert_int_equal(pool_count(pool), 0);
	rounds(5);
	assert_true(peer_done(peers[0]));
	assert_int_equal(client_house_count(house), 0);
}

/* A word, or the end, from the other side while nobody asks for anything. */
static void
test_leaves(void **state)
{
	static const char *const words[] = { "", "421 4.3.2 going down\r\n", "250 what\r\n", "garbage\r\n" };

	(void)state;
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		struct client *client = connect_one(HELLO "E");

		pool_give(pool, SLICE_LIT("a.test"), &client, 100);
		assert_int_equal(pool_count(pool), 1);
		if (i == 0)
			peer_free(&peers[--peer_count]);
		else
			peer_say(peers[peer_count - 1], words[i]);
		rounds(4);
		if (pool_count(pool) != 0)
			ROW(i, words[i]);
		assert_int_equal(pool_count(pool), 0);
		assert_int_equal(client_house_count(house), 0);
	}
}

static void
test_idle_time(void **state)
{
	struct client *client;

	(void)state;
	conf.relay.idle_timeout = 20;
	client = connect_one(HELLO "C QUIT\nS 221 bye\nE");
	pool_give(pool, SLICE_LIT("a.test"), &client, 100);
	rounds(20);
	assert_int_equal(pool_count(pool), 0);
	assert_true(peer_done(peers[0]));
}

static void
test_bounded(void **state)
{
	(void)state;
	for (unsigned i = 0; i < MANY; i++) {
		struct client *client = connect_one(HELLO "E");

		pool_give(pool, SLICE_LIT("a.test"), &client, 100);
	}
	assert_in_range(pool_count(pool), 100, MANY - 1);
	pool_drop_all(pool);
	assert_int_equal(pool_count(pool), 0);
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
	struct tls_context *tls;
	struct err err;

	(void)state;
	log_sink_set(no_log, NULL);
	conf.hostname = hostname;
	r->greeting_timeout = r->hello_timeout = r->quit_timeout = r->idle_timeout = 5000;
	loop = loop_new(&err);
	tls = tls_client_new(SLICE_LIT(""), &err);
	house = client_house_new(loop, &conf, &tls, &err);
	pool = pool_new(loop, &err);
	assert_non_null(pool);
	assert_int_equal(timer_init(&beat, loop, on_beat, NULL), 0);
	peer_count = 0;
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	pool_free(&pool);
	client_house_free(&house);
	while (peer_count > 0)
		peer_free(&peers[--peer_count]);
	timer_fini(&beat);
	loop_free(loop);
	return 0;
}

#define WITH_POOL(f)	cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = { WITH_POOL(test_take_give), WITH_POOL(test_not_kept), WITH_POOL(test_leaves),
		WITH_POOL(test_idle_time), WITH_POOL(test_bounded) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
