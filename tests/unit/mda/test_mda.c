/*
 * test_mda — jobs from queue to real Maildirs and back, and what happens when somebody on the way dies, hangs, lies or is
 * replaced. The house around it: house.h.
 */
#include "tests/unit/mda/house.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"

#define CONTENT	SLICE_LIT("Subject: x\r\n\r\nhello\r\n")
#define STORED	"Return-Path: <sender@example.net>\nDelivered-To: ann@example.org\nSubject: x\n\nhello\n"

static void
test_one_delivery(void **state)
{
	char name[256];

	(void)state;
	make_home("ann");
	send_job(1, "ann@example.org", CONTENT, 0, -1, 0);
	run_until(1);
	assert_int_equal(the->results[0].action, ACTION_DELIVERED);
	assert_int_equal(the->results[0].lease, 1);
	assert_int_equal(the->results[0].status.class, 2);
	assert_only_file("ann", STORED);
	tempdir_only(in_maildir("ann", "new"), name);
	assert_string_equal(name, "1700000000.M0000000000000001R2.mx.example.org,S=82");
}

static void
test_many_deliveries_share_workers(void **state)
{
	(void)state;
	make_home("ann");
	make_home("bob");
	for (uint64_t lease = 1; lease <= 200; lease++)
		send_job(lease, lease % 2 == 0 ? "ann@example.org" : "bob@example.org", CONTENT, 0, -1, 0);
	run_until(200);
	for (unsigned i = 0; i < 200; i++)
		assert_int_equal(the->results[i].action, ACTION_DELIVERED);
	assert_int_equal(tempdir_count(in_maildir("ann", "new")), 100);
	assert_int_equal(tempdir_count(in_maildir("bob", "new")), 100);
	assert_int_equal(the->spawned, 2);
	assert_int_equal(the->questions, 2);	/* the rest was remembered */
}

static void
test_more_mailboxes_than_workers(void **state)
{
	char user[16], address[64];

	(void)state;
	the->conf.mda.max_workers = 2;
	mda_reload(the->mda, &the->conf);
	for (unsigned i = 0; i < 10; i++) {
		(void)snprintf(user, sizeof(user), "u%u", i);
		(void)snprintf(address, sizeof(address), "u%u@example.org", i);
		make_home(user);
		send_job(i + 1, address, CONTENT, 0, -1, 0);
	}
	run_until(10);
	for (unsigned i = 0; i < 10; i++)
		assert_int_equal(the->results[i].action, ACTION_DELIVERED);
	assert_int_equal(the->spawned, 10);
	assert_true(the->ended >= 8);
}

/* `len` bytes of lines. */
static int
content_file(size_t len)
{
	char path[512], *text = malloc(len + 1);
	int fd;

	for (size_t i = 0; i < len; i++)
		text[i] = i % 70 == 68 ? '\r' : i % 70 == 69 ? '\n' : 'y';
	text[len] = '\0';
	tempdir_write(tempdir_join(path, the->base, "content"), text);
	free(text);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(fd != -1);
	return fd;
}

static void
test_content_from_a_file(void **state)
{
	size_t len = 700000;
	char path[512], name[256];
	struct stat st;
	int fd = content_file(len);

	(void)state;
	make_home("ann");
	send_job(1, "ann@example.org", (struct slice){ NULL, 0 }, 0, fd, (uint32_t)len);
	fd_close(&fd);
	run_until(1);
	assert_int_equal(the->results[0].action, ACTION_DELIVERED);
	tempdir_only(in_maildir("ann", "new"), name);
	(void)snprintf(path, sizeof(path), "%.200s/ann/Maildir/new/%.200s", the->base, name);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_size, 690000 + strlen("Return-Path: <sender@example.net>\nDelivered-To: ann@example.org\n"));
}

/* What is damaged is nobody's outcome, and nothing of it is left: one piece that goes at once, many pieces, a file that ends early,
 * also within its header. Another copy of the same worker is not disturbed. */
static void
test_damaged(void **state)
{
	static const struct { const char *name; size_t len, size; uint32_t off;
	} rows[] = {
		{ "one piece", 1400, 1400, 1 }, { "many pieces", 700000, 700000, 1 }, { "shorter, in the body", 700000, 700001, 0 },
		{ "shorter, in the header", 60, 500000, 0 }, { "empty", 0, 1, 0 },
	};

	(void)state;
	make_home("ann");
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int fd = content_file(rows[i].len);

		ROW(i, rows[i].name);
		the->crc_off = rows[i].off;
		send_job(2 * i + 1, "ann@example.org", (struct slice){ NULL, 0 }, 0, fd, (uint32_t)rows[i].size);
		send_job(2 * i + 2, "ann@example.org", CONTENT, 0, -1, 0);
		fd_close(&fd);
		run_until(2 * i + 2);
		for (unsigned k = 2 * i; k < 2 * i + 2; k++) {
			bool bad = the->results[k].lease % 2 == 1;

			assert_int_equal(the->results[k].damaged, bad);
			assert_int_equal(the->results[k].count, bad ? 0 : 1);
		}
		assert_int_equal(tempdir_count(in_maildir("ann", "new")), i + 1);
		run_a_while(30);
		assert_int_equal(tempdir_count(in_maildir("ann", "tmp")), 0);
	}
	assert_int_equal(the->spawned, 1);
}

/* what lookup says, and what becomes of the recipient */
static void
test_verdicts_of_lookup(void **state)
{
	(void)state;
	the->verdict = ROUTE_UNKNOWN;
	send_job(1, "ann@example.org", CONTENT, 0, -1, 0);
	run_until(1);
	assert_int_equal(the->results[0].action, ACTION_FAILED);
	assert_int_equal(the->results[0].status.class, 5);
	the->verdict = ROUTE_TRY_LATER;
	send_job(2, "ann@example.org", CONTENT, 0, -1, 0);
	run_until(2);
	assert_int_equal(the->results[1].action, ACTION_DELAYED);
	assert_int_equal(the->results[1].status.class, 4);
	the->verdict = ROUTE_LOCAL;
	the->answer_uid = 0;
	send_job(3, "ann@example.org", CONTENT, 0, -1, 0);
	run_until(3);
	assert_int_equal(the->results[2].action, ACTION_DELAYED);
	assert_non_null(strstr(the->results[2].text, "root"));
	assert_int_equal(the->spawned, 0);
}

static void
test_other_uid_without_root(void **state)
{
	struct err err;

	(void)state;
	if (geteuid() == 0)
		skip();
	(void)err;
	the->answer_uid = the->uid + 1;
	send_job(1, "ann@example.org", CONTENT, 0, -1, 0);
	run_until(1);
	assert_int_equal(the->results[0].action, ACTION_DELAYED);
	assert_non_null(strstr(the->results[0].text, "without root"));
}

static void
test_missing_home_delays(void **state)
{
	(void)state;
	send_job(1, "ann@example.org", CONTENT, 0, -1, 0);
	run_until(1);
	assert_int_equal(the->results[0].action, ACTION_DELAYED);
	assert_int_equal(the->results[0].status.subject, 2);
	assert_non_null(strstr(the->results[0].text, "is missing"));
	make_home("ann");	/* and when it is back, all goes on */
	send_job(2, "ann@example.org", CONTENT, 0, -1, 0);
	run_until(2);
	assert_int_equal(the->results[1].action, ACTION_DELIVERED);
}

static void
test_loop_is_stopped(void **state)
{
	(void)state;
	make_home("ann");
	send_job(1, "ann@example.org", SLICE_LIT("Received: y\r\nDelivered-To: Ann@Example.org\r\n\r\nx\r\n"), 0, -1, 0);
	send_job(2, "ann@example.org", SLICE_LIT("Delivered-To: bob@example.org\r\n\r\nDelivered-To: ann@example.org\r\n"),
	    0, -1, 0);
	run_until(2);
	assert_int_equal(the->results[0].action, ACTION_FAILED);
	assert_int_equal(the->results[0].status.subject, 4);
	assert_int_equal(the->results[0].status.detail, 6);
	assert_int_equal(the->results[1].action, ACTION_DELIVERED);
}

static void
test_supervisor_refuses(void **state)
{
	(void)state;
	make_home("ann");
	the->no_spawn = true;
	send_job(1, "ann@example.org", CONTENT, 0, -1, 0);
	run_until(1);
	assert_int_equal(the->results[0].action, ACTION_DELAYED);
	assert_string_equal(the->results[0].text, "not today");
}

/* A job marked maybe finds what an earlier life has delivered: no second copy. */
static void
test_maybe_finds_its_copy(void **state)
{
	(void)state;
	make_home("ann");
	send_job(5, "ann@example.org", CONTENT, 0, -1, 0);
	run_until(1);
	send_job(5, "ann@example.org", CONTENT, JOB_MAYBE, -1, 0);
	run_until(2);
	assert_int_equal(the->results[1].action, ACTION_DELIVERED);
	assert_only_file("ann", STORED);
}

#ifdef POSTHORN_FAULTS
/* plan of the first worker, how many workers it takes */
static const struct {
	const char	*plan;
	unsigned	 spawned;
	enum action	 action;
} deaths[] = {
	{ "maildir-write:1:KILL",   2, ACTION_DELIVERED },
	{ "maildir-rename:1:KILL",  2, ACTION_DELIVERED },
	{ "maildir-write:1:ENOSPC", 1, ACTION_DELAYED },
	{ "maildir-write:1:EDQUOT", 1, ACTION_DELAYED },
	{ "maildir-rename:1:EIO",   1, ACTION_DELAYED },
};
#endif

static void
test_workers_that_die_or_fail(void **state)
{
#ifdef POSTHORN_FAULTS
	char user[16], address[64];

	(void)state;
	for (unsigned i = 0; i < sizeof(deaths) / sizeof(deaths[0]); i++) {
		unsigned before = the->spawned;

		ROW(i, deaths[i].plan);
		(void)snprintf(user, sizeof(user), "u%u", i);
		(void)snprintf(address, sizeof(address), "u%u@example.org", i);
		make_home(user);
		the->worker_faults = deaths[i].plan;
		send_job(i + 1, address, CONTENT, 0, -1, 0);
		run_until(i + 1);
		assert_int_equal(the->results[i].action, deaths[i].action);
		assert_int_equal(the->spawned - before, deaths[i].spawned);
		assert_int_equal(tempdir_count(in_maildir(user, "new")), deaths[i].action == ACTION_DELIVERED);
		assert_int_equal(tempdir_count(in_maildir(user, "tmp")), 0);
	}
#else
	(void)state;
	skip();
#endif
}

static const struct lie lies[] = {
	{ "renamed before the sync", { MAILBOX_RENAMED }, 0, false },
	{ "written twice", { MAILBOX_WRITTEN, MAILBOX_WRITTEN }, 0, false },
	{ "written, and stored", { MAILBOX_WRITTEN, MAILBOX_STORED }, 0, false },
	{ "somebody else's copy", { MAILBOX_WRITTEN }, 999, false },
	{ "no directory, and written", { MAILBOX_WRITTEN }, 0, true },
	{ "opened again", { MAILBOX_OPENED }, 0, false },
	{ "a frame of mda's", { MAILBOX_SYNCED }, 0, false },
};

/*
 * Nothing out of order makes a delivery, and nobody else notices. (STORED about a copy that may be there already is
 * believed: a user who has taken over the worker could as well delete the mail.)
 */
static void
test_workers_that_lie(void **state)
{
	char user[16], address[64];
	bool shared;
	int fd = open(the->base, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	(void)state;
	shared = sync_serves(fd);
	fd_close(&fd);
	if (!shared)
		skip();
	for (unsigned i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
		ROW(i, lies[i].name);
		(void)snprintf(user, sizeof(user), "u%u", i);
		(void)snprintf(address, sizeof(address), "u%u@example.org", i);
		make_home(user);
		the->lie = &lies[i];
		send_job(2 * i + 1, address, CONTENT, 0, -1, 0);
		run_until(2 * i + 1);
		assert_int_equal(the->results[2 * i].action, ACTION_DELAYED);
		the->lie = NULL;
		send_job(2 * i + 2, address, CONTENT, 0, -1, 0);
		run_until(2 * i + 2);
		assert_int_equal(the->results[2 * i + 1].action, ACTION_DELIVERED);
	}
}

/* The first failed sync has its copies written afresh; the sync that is never good again delays them. */
static void
test_failed_sync_writes_afresh(void **state)
{
	struct buf status;
	bool shared;
	int fd;

	(void)state;
	fd = open(the->base, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	shared = sync_serves(fd);
	fd_close(&fd);
	if (!shared)
		skip();		/* here workers sync by themselves */
	make_home("ann");
	flush_error = EIO;
	send_job(1, "ann@example.org", CONTENT, 0, -1, 0);
	run_until(1);
	assert_int_equal(the->results[0].action, ACTION_DELIVERED);
	assert_only_file("ann", STORED);
	buf_init(&status, 4096);
	mda_status(the->mda, &status);
	assert_non_null(strstr(buf_cstr(&status), "rewritten 1\n"));
	buf_fini(&status);
}

/* Results stay until they are committed, and a new queue hears of every lease first. */
static void
test_queue_is_replaced(void **state)
{
	(void)state;
	make_home("ann");
	the->commit = false;
	send_job(1, "ann@example.org", CONTENT, 0, -1, 0);
	run_until(1);
	new_queue();
	run_until(2);
	assert_int_equal(the->hello_count, 2);
	assert_int_equal(the->hello_leases, 1);
	assert_int_equal(the->results[1].lease, 1);
	assert_int_equal(the->results[1].action, ACTION_DELIVERED);
	commit(1);
	run_a_while(50);
	new_queue();
	run_a_while(50);
	assert_int_equal(the->hello_count, 3);
	assert_int_equal(the->hello_leases, 0);
}

static void
send_cancel(uint64_t lease)
{
	struct deliver_lease cancel = { lease };

	deliver_lease_put(channel_begin(the->queue, DELIVER_CANCEL), &cancel);
	assert_int_equal(channel_end(the->queue), 0);
}

static void
test_cancel(void **state)
{
	(void)state;
	make_home("ann");
	send_job(1, "ann@example.org", CONTENT, 0, -1, 0);
	send_cancel(1);		/* read in the same round: nothing has gone to a worker */
	run_until(1);
	assert_int_equal(the->results[0].lease, 1);
	assert_int_equal(the->results[0].count, 0);
	send_job(2, "ann@example.org", CONTENT, 0, -1, 0);
	run_until(2);
	assert_int_equal(the->results[1].action, ACTION_DELIVERED);
	send_cancel(2);		/* too late, and no harm */
	send_cancel(77);
	run_a_while(50);
	assert_int_equal(the->result_count, 2);
}

static void
test_idle_workers_end(void **state)
{
	(void)state;
	the->conf.mda.worker_idle = 30;
	mda_reload(the->mda, &the->conf);
	make_home("ann");
	send_job(1, "ann@example.org", CONTENT, 0, -1, 0);
	run_until(1);
	run_a_while(400);
	assert_int_equal(the->ended, 1);
	send_job(2, "ann@example.org", CONTENT, 0, -1, 0);
	run_until(2);
	assert_int_equal(the->spawned, 2);
}

/* The user throws the Maildir away while its worker lives: the next mail makes a new one, in a new worker. */
static void
test_maildir_removed_beneath_its_worker(void **state)
{
	char path[512];

	(void)state;
	make_home("ann");
	send_job(1, "ann@example.org", CONTENT, 0, -1, 0);
	run_until(1);
	tempdir_remove(tempdir_join(path, the->base, "ann/Maildir"));
	send_job(2, "ann@example.org", CONTENT, 0, -1, 0);
	run_until(2);
	assert_int_equal(the->results[1].action, ACTION_DELIVERED);
	assert_int_equal(the->spawned, 2);
	assert_only_file("ann", STORED);
}

static void
on_stopped(void *arg)
{
	*(bool *)arg = true;
}

static void
test_stop_waits_for_what_runs(void **state)
{
	bool stopped = false;

	(void)state;
	make_home("ann");
	send_job(1, "ann@example.org", CONTENT, 0, -1, 0);
	run_a_while(1);
	mda_stop(the->mda, on_stopped, &stopped);
	run_until(1);
	run_a_while(30);
	assert_int_equal(the->results[0].action, ACTION_DELIVERED);
	assert_true(stopped);
}

#define T(name) cmocka_unit_test_setup_teardown(name, house_setup, house_teardown)

static unsigned ends;

static void
count_end(void *arg, const char *why)
{
	(void)arg;
	ends += strcmp(why, "the other side is gone") == 0;
}

static int
skip_hello(void *arg, struct reader *in, int fd)
{
	(void)arg;
	(void)in;
	return fd == -1 ? 0 : -1;
}

/* Content that could keep us waiting for ever costs queue its wire; the next one is served. */
static void
test_content_is_a_file(void **state)
{
	static const struct frame_handler handlers[DELIVER_FRAME_COUNT] = { [DELIVER_HELLO] = { "HELLO", skip_hello, false } };
	static const struct channel_ops ops = { "deliver", DELIVER_VERSION, handlers, DELIVER_FRAME_COUNT, count_end, NULL, false };
	int fds[2], pipes[2], wrong[3];
	struct err err;

	(void)state;
	assert_int_equal(pipe(pipes), 0);
	channel_close(&the->queue);
	wrong[0] = pipes[0];
	wrong[1] = open("/dev/zero", O_RDONLY | O_CLOEXEC);
	wrong[2] = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	for (unsigned i = 0; i < 3; i++) {
		ends = 0;
		assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
		the->queue = channel_open(the->loop, fds[1], &ops, NULL, &err);
		assert_non_null(the->queue);
		mda_wire_deliver(the->mda, fds[0]);
		send_job(70 + i, "ann@here", SLICE_LIT(""), 0, wrong[i], 500);
		run_a_while(30);
		assert_int_equal(ends, 1);
		channel_close(&the->queue);
		fd_close(&wrong[i]);
	}
	assert_int_equal(the->questions, 0);
	fd_close(&pipes[1]);
	new_queue();
	make_home("ann");
	send_job(80, "ann@here", SLICE_LIT("Subject: x\r\n\r\nyes\r\n"), 0, -1, 0);
	run_until(1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_one_delivery), T(test_many_deliveries_share_workers), T(test_more_mailboxes_than_workers),
		T(test_content_from_a_file), T(test_damaged), T(test_verdicts_of_lookup),
		T(test_other_uid_without_root), T(test_missing_home_delays), T(test_loop_is_stopped), T(test_supervisor_refuses),
		T(test_maybe_finds_its_copy), T(test_workers_that_die_or_fail), T(test_workers_that_lie), T(test_failed_sync_writes_afresh),
		T(test_queue_is_replaced), T(test_cancel), T(test_idle_workers_end),
		T(test_maildir_removed_beneath_its_worker), T(test_stop_waits_for_what_runs), T(test_content_is_a_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
