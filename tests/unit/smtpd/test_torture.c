/*
 * Every allocation of a session fails once: whatever happens to that session, the process lives, frees what it took, and no
 * message is answered 250 that queue was not given.
 *
 * smtpd runs in a child, so that its allocations are counted and nobody else's.
 */
#include <stdio.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fault.h"
#include "base/fd.h"
#include "tests/support/testing.h"
#include "tests/unit/smtpd/world.h"

#ifdef POSTHORN_FAULTS

#define LIMIT		400	/* far more allocations than the dialogue makes */
#define TICK_MS		5
#define PATIENCE_S	20

/* Strangers at an mx, and users whose messages are completed: this one has neither Date nor Message-ID, nor an empty line. */
static const struct kind {
	enum wire_role	 role;
	const char	*peer, *content;
} kinds[] = {
	{ ROLE_MX, "192.0.2.1", "Subject: x\r\nMessage-ID: <x@y>\r\n\r\nbody\r\n.\r\n" },
	{ ROLE_SUBMISSION, "10.1.2.3", "Subject: x\r\nbody\r\n.\r\n" },
};

static struct world w;
static const struct kind *kind;

struct child {
	struct loop	*loop;
	struct smtpd	*smtpd;
	struct timer	 tick;
};

static void
on_tick(void *arg)
{
	struct child *c = arg;
	char text[4096];
	struct buf out = { .mem = text, .cap = sizeof(text), .max = sizeof(text) - 1 };

	smtpd_status(c->smtpd, &out);
	if (slice_starts(buf_slice(&out), SLICE_LIT("sessions 0\n")))
		loop_stop(c->loop);
	else
		timer_set(&c->tick, TICK_MS);
}

/* In the child: one session with the n-th allocation failing. The status says whether it failed at all. */
static _Noreturn void
be_smtpd(unsigned n, int client, int submit, int lookup)
{
	struct control_wire submit_wire = { .kind = WIRE_SUBMIT }, lookup_wire = { .kind = WIRE_LOOKUP };
	struct sockaddress peer;
	struct child c;
	char plan[32];
	struct err err;
	long passed;

	alarm(PATIENCE_S);
	log_level_set(LOG_LEVEL_ERROR);
	if (sockaddress_parse(slice_str(kind->peer), 1, &peer) == -1 || (c.loop = loop_new(&err)) == NULL ||
	    timer_init(&c.tick, c.loop, on_tick, &c) == -1)
		_exit(99);
	c.smtpd = smtpd_new(c.loop, settings_new(&w.conf, NULL, &err), kind->role, 1, NULL, NULL, &err);
	if (c.smtpd == NULL)
		_exit(98);
	smtpd_wire(c.smtpd, &submit_wire, submit);
	smtpd_wire(c.smtpd, &lookup_wire, lookup);
	timer_set(&c.tick, TICK_MS);
	(void)loop_run(c.loop);		/* no session yet: until the first tick; the lease has come */
	snprintf(plan, sizeof(plan), "alloc:%u", n);
	fault_plan(plan);
	smtpd_connection(c.smtpd, client, &peer);
	timer_set(&c.tick, TICK_MS);
	(void)loop_run(c.loop);
	passed = fault_count("alloc");
	fault_plan(NULL);
	smtpd_free(&c.smtpd);
	timer_fini(&c.tick);
	loop_free(c.loop);
	_exit(passed >= (long)n ? 1 : 0);
}

/* Until something more is said, or the connection closes, or patience ends: a command may stay unanswered only by closing. */
static void
hear(size_t had)
{
	int64_t until = clock_mono_ms() + 2000;

	while (!w.closed && buf_len(&w.got) == had && clock_mono_ms() < until)
		world_run_round(&w);
	for (int n = 0; n < 20; n++)
		world_run_round(&w);
}

/* Says the next thing whatever was answered, until smtpd has had enough. Counts the 250s to a final dot. */
static unsigned
talk(void)
{
	const char *const says[] = {
		"EHLO client.example\r\n", "VRFY user1@example.net\r\n", "MAIL FROM:<a@example.org>\r\n",
		"RCPT TO:<user1@example.net>\r\nRCPT TO:<user2@example.net>\r\n", "DATA\r\n", kind->content, "QUIT\r\n",
	};
	unsigned queued = 0;

	hear(0);
	for (size_t i = 0; i < sizeof(says) / sizeof(says[0]) && !w.closed; i++) {
		size_t had = buf_len(&w.got);

		world_say(&w, says[i]);
		hear(had);
	}
	for (const char *p = buf_cstr(&w.got); (p = strstr(p, "queued as")) != NULL; p++)
		queued++;
	return queued;
}

/* 1: an allocation failed; 0: the plan lay beyond the last. */
static int
one_run(unsigned n)
{
	int fds[2], submit = world_queue_end(&w), lookup = world_lookup_end(&w), status = 0;
	size_t before = w.stored_count;
	unsigned queued;
	pid_t pid;

	world_hang_up(&w);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
	w.client = fds[0];
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		close(fds[0]);
		be_smtpd(n, fds[1], submit, lookup);
	}
	fd_close(&fds[1]);
	fd_close(&submit);
	fd_close(&lookup);
	queued = talk();
	world_hang_up(&w);
	while (waitpid(pid, &status, WNOHANG) == 0)
		world_run_round(&w);
	if (!WIFEXITED(status) || WEXITSTATUS(status) > 1)
		fail_msg("allocation %u: the process ended with %#x", n, (unsigned)status);
	if (queued > w.stored_count - before)
		fail_msg("allocation %u: a false 250", n);
	for (size_t i = 0; i < w.stored_count; i++) {
		if (kind->role == ROLE_SUBMISSION)	/* whole, or not at all */
			assert_non_null(strstr(buf_cstr(&w.stored[i].content), "@mx.example.net>\r\n\r\nbody\r\n"));
		buf_fini(&w.stored[i].sender);
		buf_fini(&w.stored[i].recipients);
		buf_fini(&w.stored[i].content);
	}
	w.stored_count = 0;
	return WEXITSTATUS(status);
}

static void
test_every_allocation(void **state)
{
	(void)state;
	for (kind = kinds; kind < kinds + sizeof(kinds) / sizeof(kinds[0]); kind++) {
		unsigned n = 1;

		world_open(&w, kind->role);
		while (n < LIMIT && one_run(n) == 1)
			n++;
		print_message("# %u allocations\n", n - 1);
		assert_in_range(n, 5, LIMIT - 1);
		world_close(&w);
	}
}

#else

static void
test_every_allocation(void **state)
{
	(void)state;
	skip();
}

#endif

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_every_allocation) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
