/* test_loop — what a round is: callbacks, hooks, the flush behind them, and only then the memory goes. */
#include "tests/support/testing.h"

#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fd.h"
#include "base/mem.h"
#include "event/loop.h"
#include "event/signal.h"

static struct loop *loop;
static char story[200];		/* what happened, in order */

static void
tell(const char *what)
{
	size_t len = strlen(story);

	(void)snprintf(story + len, sizeof(story) - len, "%s%s", len > 0 ? " " : "", what);
}

static int
setup(void **state)
{
	struct err err;

	(void)state;
	story[0] = '\0';
	loop = loop_new(&err);
	return loop == NULL ? -1 : 0;
}

static int
teardown(void **state)
{
	(void)state;
	loop_free(loop);
	return 0;
}

struct ball {			/* thrown away from its own callback */
	struct watch	watch;
	struct hook	hook;
	struct discard	discard;
	int		fds[2];
};

static void
ball_free(void *arg)
{
	tell("free");
	mem_free(arg);
}

static void
ball_hook(void *arg)
{
	(void)arg;
	tell("hook");
	loop_stop(loop);
}

static void
ball_ready(void *arg, int what)
{
	struct ball *ball = arg;

	assert_int_equal(what, WATCH_READ);
	tell("ready");
	loop_at_end(loop, &ball->hook, ball_hook, ball);
	loop_at_end(loop, &ball->hook, ball_hook, ball);	/* asking twice counts once */
	watch_stop(&ball->watch);
	watch_stop(&ball->watch);
	fd_close(&ball->fds[0]);
	fd_close(&ball->fds[1]);
	loop_discard(loop, &ball->discard, ball_free, ball);
	ball->watch.wants = 0;		/* still ours until the round is over */
}

static void
every(void *arg)
{
	(void)arg;
	tell("every");
}

static void
test_round(void **state)
{
	struct ball *ball = mem_zalloc(sizeof(*ball));

	(void)state;
	assert_int_equal(pipe(ball->fds), 0);
	assert_int_equal(write(ball->fds[1], "x", 1), 1);
	assert_int_equal(watch_start(&ball->watch, loop, ball->fds[0], WATCH_READ, ball_ready, ball), 0);
	loop_every_round(loop, every, NULL);
	assert_int_equal(loop_run(loop), 0);
	assert_string_equal(story, "ready hook every free");
}

static struct hook first, second, third;

static void
say(void *arg)
{
	tell(arg);
}

static void
ask_more(void *arg)
{
	tell(arg);
	loop_hook_cancel(loop, &second);
	loop_at_end(loop, &third, say, "third");
	loop_stop(loop);
}

/* A hook may ask for others, which run in the same round, and cancel those that have not run. */
static void
test_hooks(void **state)
{
	(void)state;
	loop_at_end(loop, &first, ask_more, "first");
	loop_at_end(loop, &second, say, "second");
	assert_int_equal(loop_run(loop), 0);
	assert_string_equal(story, "first third");
	assert_false(first.queued || second.queued || third.queued);
}

static void
test_hook_cancel_at_the_end(void **state)
{
	(void)state;
	loop_at_end(loop, &first, say, "first");
	loop_at_end(loop, &second, say, "second");
	loop_hook_cancel(loop, &second);
	loop_hook_cancel(loop, &second);
	loop_at_end(loop, &third, ask_more, "last");	/* the list's end must be right after the cancel */
	assert_int_equal(loop_run(loop), 0);
	assert_string_equal(story, "first last third");
}

struct pair {
	struct watch	watch;
	int		fds[2], seen;
};

static void
pair_ready(void *arg, int what)
{
	struct pair *pair = arg;

	pair->seen |= what;
	if (what & WATCH_WRITE) {
		watch_want(&pair->watch, WATCH_READ);	/* else it is ready for ever */
		assert_int_equal(write(pair->fds[1], "x", 1), 1);
	}
	if (what & WATCH_READ) {
		watch_want(&pair->watch, 0);
		loop_stop(loop);
	}
}

static void
test_watch_want(void **state)
{
	struct pair pair = { .seen = 0 };

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair.fds), 0);
	assert_int_equal(watch_start(&pair.watch, loop, pair.fds[0], WATCH_READ | WATCH_WRITE, pair_ready, &pair), 0);
	assert_int_equal(loop_run(loop), 0);
	assert_int_equal(pair.seen, WATCH_READ | WATCH_WRITE);
	assert_int_equal(loop_run(loop), 0);	/* nothing is wanted: nothing to wait for */
	watch_stop(&pair.watch);
	fd_close(&pair.fds[0]);
	fd_close(&pair.fds[1]);
}

static void
signalled(void *arg, int signo)
{
	(void)arg;
	assert_int_equal(signo, SIGUSR1);
	tell("signal");
	loop_stop(loop);
}

static void
test_signal(void **state)
{
	struct signal_watch w;

	(void)state;
	assert_int_equal(signal_start(&w, loop, SIGUSR1, signalled, NULL), 0);
	assert_int_equal(raise(SIGUSR1), 0);
	assert_int_equal(loop_run(loop), 0);
	assert_string_equal(story, "signal");
	signal_stop(&w);
	signal_stop(&w);
}

#define ROUND(fn)	cmocka_unit_test_setup_teardown(fn, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		ROUND(test_round),      ROUND(test_hooks),  ROUND(test_hook_cancel_at_the_end),
		ROUND(test_watch_want), ROUND(test_signal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
