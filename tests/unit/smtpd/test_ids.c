/* test_ids — queue ids on lease: clients that leave before the dot must not use them up for ever. */
#include "tests/support/turns.h"

#include <sys/socket.h>

#include "base/mem.h"
#include "event/timer.h"
#include "ipc/channel.h"
#include "smtpd/session/intake.h"

#define BLOCK	1024

struct world {
	struct loop	*loop;
	struct timer	 end;
	struct intake	*intake;
	struct channel	*queue;
	uint64_t	 next;
	uint32_t	 asked;
};

static void
stop_loop(void *arg)
{
	loop_stop(arg);
}

static void
rounds(struct world *w)
{
	turns_run(w->loop, &w->end, 2);
}

static void
send_block(struct world *w)
{
	submit_ids_put(channel_begin(w->queue, SUBMIT_IDS), &(struct submit_ids){ .first = w->next, .count = BLOCK });
	assert_int_equal(channel_end(w->queue), 0);
	w->next += BLOCK;
}

static int
on_want(void *arg, struct reader *r, int fd)
{
	struct world *w = arg;

	(void)fd;
	assert_int_equal(reader_end(r), 0);
	w->asked++;
	send_block(w);
	return 0;
}

static void
on_end(void *arg, const char *why)
{
	(void)arg;
	fail_msg("smtpd ended the wire: %s", why);
}

static const struct frame_handler handlers[SUBMIT_FRAME_COUNT] = {
	[SUBMIT_WANT_IDS] = { "want-ids", on_want, false },
};
static const struct channel_ops ops = {
	.wire = "submit", .version = SUBMIT_VERSION, .handlers = handlers, .handler_count = SUBMIT_FRAME_COUNT, .on_end = on_end,
};

/* 5,000 clients get as far as RCPT and are never heard of again: no message ever tells queue of their ids. */
static void
test_lost_ids(void **state)
{
	struct world w = { .loop = loop_new(NULL), .next = 5000 };
	uint64_t last = 0;
	int pair[2];

	(void)state;
	w.intake = intake_new(w.loop, NULL);
	assert_int_equal(timer_init(&w.end, w.loop, stop_loop, w.loop), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	w.queue = channel_open(w.loop, pair[0], &ops, &w, NULL);
	intake_wire(w.intake, pair[1]);
	send_block(&w);
	rounds(&w);
	for (int i = 0; i < 5000; i++) {
		struct ticket ticket = { 0 };

		assert_int_equal(intake_take_id(w.intake, &ticket), 0);
		assert_true(ticket.id > last);
		last = ticket.id;
		if (i % 100 == 0)
			rounds(&w);
	}
	assert_in_range(w.asked, 4, 5);		/* a block a time, not a question for every id */
	intake_free(&w.intake);
	channel_close(&w.queue);
	timer_fini(&w.end);
	loop_free(w.loop);
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_lost_ids) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
