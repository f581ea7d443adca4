/* connect — arrives, is refused, is too late, is called off. */
#include "tests/support/testing.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <unistd.h>

#include "base/fd.h"
#include "net/connect.h"
#include "net/listen.h"

#define CROWD	16

static struct loop *loop;
static struct timer guard;
static int told, got_fd, got_error;

static void
on_done(void *arg, int fd, int error)
{
	(void)arg;
	told++;
	got_fd = fd;
	got_error = error;
	loop_stop(loop);
}

static void
on_guard(void *arg)
{
	(void)arg;
	loop_stop(loop);
}

static void
run(int64_t ms)
{
	timer_set(&guard, ms);
	assert_int_equal(loop_run(loop), 0);
	timer_stop(&guard);
}

static int
listen_somewhere(int backlog, struct sockaddress *at)
{
	struct err err;
	int fd;

	assert_int_equal(sockaddress_parse(SLICE_LIT("127.0.0.1"), 0, at), 0);
	fd = listen_tcp(at, backlog, &err);
	assert_true(fd >= 0);
	assert_int_equal(listen_address(fd, at), 0);
	return fd;
}

static void
test_arrives(void **state)
{
	struct connecting c = { 0 };
	struct sockaddress at, from, peer = { .len = sizeof(peer.v4) };
	int listener = listen_somewhere(5, &at), flag = 0;
	socklen_t len = sizeof(flag);

	(void)state;
	told = 0;
	assert_int_equal(sockaddress_parse(SLICE_LIT("127.0.0.77"), 0, &from), 0);
	connect_start(&c, loop, &at, &from, 5000, on_done, NULL);
	assert_int_equal(told, 0);
	run(5000);
	assert_int_equal(told, 1);
	assert_int_equal(got_error, 0);
	assert_true(fcntl(got_fd, F_GETFL) & O_NONBLOCK);
	assert_true(fcntl(got_fd, F_GETFD) & FD_CLOEXEC);
	assert_int_equal(getsockopt(got_fd, IPPROTO_TCP, TCP_NODELAY, &flag, &len), 0);
	assert_int_not_equal(flag, 0);
	assert_int_equal(getsockname(got_fd, &peer.any, &peer.len), 0);
	assert_true(sockaddress_same_host(&peer, &from));
	fd_close(&got_fd);
	fd_close(&listener);
}

static void
test_refused(void **state)
{
	struct connecting c = { 0 };
	struct sockaddress at, foreign;
	int listener = listen_somewhere(5, &at);

	(void)state;
	told = 0;
	fd_close(&listener);
	connect_start(&c, loop, &at, NULL, 5000, on_done, NULL);
	assert_int_equal(told, 0);
	run(5000);
	assert_int_equal(told, 1);
	assert_int_equal(got_error, ECONNREFUSED);
	assert_int_equal(got_fd, -1);
	/* A source that is not ours. */
	assert_int_equal(sockaddress_parse(SLICE_LIT("192.0.2.1"), 0, &foreign), 0);
	connect_start(&c, loop, &at, &foreign, 5000, on_done, NULL);
	assert_int_equal(told, 1);
	run(5000);
	assert_int_equal(told, 2);
	assert_int_equal(got_error, EADDRNOTAVAIL);
}

/* A listener whose queue is full answers nobody. */
static void
test_late(void **state)
{
	struct connecting c[CROWD] = { { 0 } };
	struct sockaddress at;
	int listener = listen_somewhere(0, &at), late = 0;

	(void)state;
	for (int i = 0; i < CROWD; i++) {
		told = 0;
		connect_start(&c[i], loop, &at, NULL, 60, on_done, NULL);
		run(5000);
		assert_int_equal(told, 1);
		if (got_error == ETIMEDOUT)
			late++;
		/* Those that got in stay: their descriptors are closed with the test. */
	}
	assert_true(late > 0);
	fd_close(&listener);
}

static void
test_stop(void **state)
{
	struct connecting c = { 0 };
	struct sockaddress at;
	int listener = listen_somewhere(5, &at);

	(void)state;
	told = 0;
	connect_stop(&c);		/* never started */
	connect_start(&c, loop, &at, NULL, 5000, on_done, NULL);
	connect_stop(&c);
	connect_stop(&c);
	fd_close(&listener);
	connect_start(&c, loop, &at, NULL, 5000, on_done, NULL);
	connect_stop(&c);
	run(30);
	assert_int_equal(told, 0);
}

static int
setup(void **state)
{
	struct err err;

	(void)state;
	loop = loop_new(&err);
	return loop == NULL ? -1 : timer_init(&guard, loop, on_guard, NULL);
}

static int
teardown(void **state)
{
	(void)state;
	timer_fini(&guard);
	loop_free(loop);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_arrives), cmocka_unit_test(test_refused), cmocka_unit_test(test_late), cmocka_unit_test(test_stop),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
