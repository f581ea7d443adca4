/* store: what must never happen, however threads, crashes and starts follow each other. */
#include "tests/unit/store/fixture.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/crc32c.h"
#include "base/fault.h"
#include "base/fd.h"
#include "queue/store/inside.h"

/* --- the wipe and the post ----------------------------------------------------------------------- */

static char big[700000];

/* The loop is in the middle of a batch's answers while the committer goes on: the last batch of the
 * segment is durable, not told, and the next segment is open. */
static void
answer_late(void *arg, enum store_result result)
{
	struct store_figures f;
	uint64_t want;

	store_figures(store, &f);
	want = f.batches + 2;
	put(STORE_CLIENT, "the last of its segment", "c", 1);
	store_flush(store);
	while (f.batches < want - 1)
		store_figures(store, &f);
	put(STORE_CLIENT, "opens the next one", big, sizeof(big));
	store_flush(store);
	while (f.batches < want)
		store_figures(store, &f);
	on_answer(arg, result);
}

static void
test_a_batch_not_told_yet_is_not_wiped(void **state)
{
	struct mail *m = put(STORE_CLIENT, "e", big, sizeof(big));
	struct change *c;

	(void)state;
	wait_answers(1);
	c = change_new(store, STORE_DONE, answer_late, NULL);
	assert_int_equal(change_done(c, m->stored), 0);
	store_commit(store, &c, 0);
	wait_answers(3);
	assert_int_equal(durable, 4);
	reopen();
	assert_int_equal(nmails, 2);
}


/* --- what a start is told ------------------------------------------------------------------------ */

#ifdef POSTHORN_FAULTS
static bool
no_files(void *arg)
{
	(void)arg;
	return spool_files() == 0;
}
#endif

static uint64_t
spooled_figure(void)
{
	struct store_figures f;

	store_figures(store, &f);
	return f.spooled;
}

#ifdef POSTHORN_FAULTS
/* The hunt has come to its file: gone, or back among the living. */
static bool
decided(void *arg)
{
	return no_files(arg) || spooled_figure() > 0;
}
#endif

static void
one_spooled(const char *envelope)
{
	put(STORE_CLIENT, envelope, "content", 7);
	wait_answers(1);
	leave_ring();
	assert_int_equal(spooled_told, 1);
	assert_int_equal(spool_files(), 1);
}

static void
test_sleeping_destinations_are_told_at_the_start(void **state)
{
	(void)state;
	one_spooled("d1 example.org");
	sleep_well(&mails[0]);
	reopen();
	assert_int_equal(nmails, 0);
	assert_int_equal(ntold, 1);
	assert_string_equal(told[0].name, "d1");
	assert_int_equal(told[0].messages, 1);
}

#ifdef POSTHORN_FAULTS
/* A plan is made on store_now's clock: who has no store yet is told the time. */
static void
test_plans_of_a_start_know_the_time(void **state)
{
	struct store_figures f;

	(void)state;
	fault_plan("catalog-commit:1+:ENOSPC");
	for (int i = 0; i < 2; i++) {
		reopen();
		while (full == 0) {
			put(STORE_DONE, "d1", big, sizeof(big) / 2);
			wait_answers(1);
		}
	}
	store_figures(store, &f);
	assert_int_equal(f.free_segments, 1);
	fault_plan(NULL);
	reopen();
	assert_int_not_equal(spooled_figure(), 0);	/* there was a rescue */
	assert_int_equal(plans_without_time, 0);
}
#endif

/* --- the catalog is lost ------------------------------------------------------------------------- */

static bool
wiped(void *arg)
{
	struct store_figures f;

	(void)arg;
	store_figures(store, &f);
	return f.free_segments == 7;
}

/* A segment that could not be wiped is dead by the word of a later batch. What it held has left for the spool, and
 * is there when the catalog has to be made anew. */
static void
test_dead_segments_know_nothing(void **state)
{
	char head[SEGMENT_HEAD], path[200], file[200];
	uint64_t id;
	int fd;

	(void)state;
	id = put(STORE_CLIENT, "d1", "content", 7)->id;
	wait_answers(1);
	close_store();
	path_of(path, "journal/000.seg");
	assert_int_not_equal(fd = open(path, O_RDWR), -1);
	assert_int_equal(pread(fd, head, sizeof(head), 0), sizeof(head));
	open_store();
	put(STORE_CLIENT, "d1", "opens 001.seg", 13);
	wait_answers(1);
	turn_until(is_spooled, &mails[0]);
	turn_until(wiped, NULL);
	put(STORE_CLIENT, "d1", "says that 000.seg is dead", 25);
	wait_answers(1);
	close_store();
	assert_int_equal(pwrite(fd, head, sizeof(head), 0), sizeof(head));
	fd_close(&fd);
	empty_folder("db");
	open_store();
	assert_true(spool_file_of(id, file));
	assert_int_equal(spooled_figure(), 1);
}

/* The record of a large message cannot be read: its content is not thrown away for that. */
static void
test_large_content_outlives_its_record(void **state)
{
	char path[200], name[64];
	uint32_t kept = 0;
	int fd;

	(void)state;
	put_large("four", 4, crc32c(0, "four", 4));
	leave_ring();
	assert_int_equal(files_in("spool/large"), 2);
	close_store();
	empty_folder("db");
	{
		DIR *d;
		struct dirent *e;

		path_of(path, "spool/large");
		assert_non_null(d = opendir(path));
		while ((e = readdir(d)) != NULL)
			if (strstr(e->d_name, ".env") != NULL)
				snprintf(name, sizeof(name), "spool/large/%.40s", e->d_name);
		closedir(d);
	}
	path_of(path, name);
	assert_int_not_equal(fd = open(path, O_RDWR), -1);
	assert_int_equal(pwrite(fd, "?", 1, 20), 1);
	fd_close(&fd);
	open_store();
	kept = files_in("spool/large");
	assert_int_equal(files_in("corrupt"), kept > 0 ? 2 : 3);	/* the record and its reason; the content there or here */
}

static void
test_names_of_strangers_stop_no_start(void **state)
{
	char path[200];
	int fd;

	(void)state;
	one_spooled("d1");
	close_store();
	empty_folder("db");
	path_of(path, "spool/00000001.0999");
	assert_int_not_equal(fd = open(path, O_CREAT | O_WRONLY, 0600), -1);
	fd_close(&fd);
	path_of(path, "spool/00000001.0998");
	assert_int_equal(symlink("/etc", path), 0);
	path_of(path, "spool/0x000001.00001");
	assert_int_equal(mkdir(path, 0700), 0);
	open_store();
	assert_int_equal(spooled_figure(), 1);
}

/* --- an owner without plans ---------------------------------------------------------------------- */

static void
test_without_plans_the_spool_is_left_alone(void **state)
{
	char got[4];
	struct err err;

	(void)state;
	put_large("four", 4, crc32c(0, "four", 4));
	leave_ring();
	sleep_well(&mails[0]);
	close_store();
	plans = false;
	loop = loop_new(&err);
	store = store_open(loop, &conf, &ops, NULL, &err);	/* may refuse */
	if (store == NULL)
		loop_free(loop);
	else
		close_store();
	plans = true;
	open_store();
	wake_due("large", 1);
	assert_int_equal(woken.count, 1);
	assert_int_equal(stored_read(mails[0].stored, 0, got, 4, &err), 0);
}

/* --- contents ------------------------------------------------------------------------------------ */

/* Seen to be good in the ring says nothing of the file. */
static void
test_a_part_is_checked_where_it_lies(void **state)
{
	char path[200], got[4];
	struct err err;
	struct stat st;
	int fd;

	(void)state;
	put(STORE_CLIENT, "d1", "content", 7);
	wait_answers(1);
	reopen();
	assert_int_equal(stored_read(mails[0].stored, 0, got, 3, &err), 0);
	turn_until(is_spooled, &mails[0]);
	assert_true(spool_file_of(mails[0].id, path));
	assert_int_not_equal(fd = open(path, O_RDWR), -1);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(pwrite(fd, "?", 1, st.st_size - 7), 1);
	fd_close(&fd);
	assert_int_equal(stored_read(mails[0].stored, 0, got, 3, &err), -1);
}

#ifdef POSTHORN_FAULTS

static bool
never(void *arg)
{
	(void)arg;
	return false;
}

/* Damaged in the ring, and corrupt/ cannot take it: tried again now and then, not as fast as the disk can. */
static void
test_damage_that_cannot_be_set_aside_does_not_spin(void **state)
{
	char path[200];
	long rounds;

	(void)state;
	put(STORE_CLIENT, "d1", "content", 7);
	wait_answers(1);
	reopen();
	flip(0, SEGMENT_HEAD + BATCH_HEAD + RECORD_PUT_HEAD + 2 + 3);
	path_of(path, "corrupt");
	empty_folder("corrupt");
	assert_int_equal(rmdir(path), 0);
	fault_plan("step-evacuate-4:1000000:EIO");
	run_minutes(20);
	rounds = fault_count("step-evacuate-4");
	fault_plan(NULL);
	assert_int_equal(mkdir(path, 0700), 0);
	assert_in_range(rounds, 1, 20);
}

/* --- finished mail and the hunt ------------------------------------------------------------------ */

static void
finish_first(void)
{
	done(&mails[0]);
	for (;;)
		(void)loop_run(loop);
}

static void
linger(void)
{
	for (;;)
		(void)pause();
}

/* Its DONE is durable and its record gone, the file is not: the next start dies before its hunt comes to it,
 * and the one behind it must still know. */
static void
test_finished_stays_finished(void **state)
{
	(void)state;
	one_spooled("d1");
	state_of(&mails[0], "s", 1, 0);		/* so that it is awake at the start */
	wait_answers(1);
	assert_true(killed_at("step-forget-1:1:KILL", finish_first));
	assert_int_equal(spool_files(), 1);
	(void)killed_at("step-hunt-1:1:KILL", linger);
	open_store();
	turn_until(decided, NULL);
	assert_int_equal(spooled_figure(), 0);
}

static void
evacuate_first(void)
{
	turn_until(never, NULL);
}

static bool
hunted(void *arg)
{
	(void)arg;
	return fault_count("catalog-read") >= 3;
}

/* An evacuation was cut off. The next start's hunt comes to nothing; the message is delivered out of the ring and the
 * ring turns. The file is no mail. */
static void
test_a_leftover_is_no_mail(void **state)
{
	(void)state;
	put(STORE_CLIENT, "d1", "content", 7);
	wait_answers(1);
	assert_true(killed_at("step-evacuate-4:1:KILL", evacuate_first));
	assert_int_equal(spool_files(), 1);
	fault_plan("catalog-read:3:ENOMEM");	/* totals, recovery, hunt */
	open_store();
	assert_int_equal(nmails, 1);
	done(&mails[0]);
	wait_answers(1);
	wait_until(hunted, NULL);
	fault_plan(NULL);
	/* Until the hunt has ended well, no segment that knew of it is wiped: the ring has room for so much. */
	for (int i = 0; i < 3; i++) {
		struct mail *m = put(STORE_CLIENT, "d1", big, sizeof(big));

		wait_answers(1);
		done(m);
		wait_answers(1);
	}
	reopen();
	turn_until(decided, NULL);
	assert_int_equal(spooled_figure(), 0);
}

/* --- no memory ----------------------------------------------------------------------------------- */

/* Whatever allocation fails, the catalog is not thrown away for it. */
static void
test_no_memory_is_no_reason_to_doubt(void **state)
{
	char plan[32];

	(void)state;
	one_spooled("d1 example.org");
	sleep_well(&mails[0]);
	for (int n = 1; n < 30; n++) {
		uint32_t before = answered;

		snprintf(plan, sizeof(plan), "alloc:%d:ENOMEM", n);
		fault_plan(plan);
		if (store_wake_due(store, SLICE_LIT("d1"), 1, on_woken, NULL) == 0)
			wait_until(is_answered, &before);
		fault_plan(NULL);
		ROW(n, plan);
		assert_int_equal(broken_told, 0);
		if (nmails > 1 && mails[nmails - 1].stored != NULL)
			sleep_well(&mails[nmails - 1]);
	}
}

#endif

#ifdef POSTHORN_SANITIZERS
/* libdb 5.3 forgets memory when an allocation fails half way; that is not what this program looks for. */
const char	*__lsan_default_suppressions(void) __attribute__((visibility("default")));

const char *
__lsan_default_suppressions(void)
{
	return "leak:libdb";
}
#endif

int
main(void)
{
#define T(f)	cmocka_unit_test_setup_teardown(f, setup, teardown)
#define P(f)	cmocka_unit_test_setup_teardown(f, setup_plans, teardown)
	const struct CMUnitTest tests[] = {
		T(test_a_batch_not_told_yet_is_not_wiped),
		P(test_sleeping_destinations_are_told_at_the_start),
		P(test_dead_segments_know_nothing),
#ifdef POSTHORN_FAULTS
		P(test_plans_of_a_start_know_the_time),
#endif
		P(test_large_content_outlives_its_record), P(test_names_of_strangers_stop_no_start),
		P(test_without_plans_the_spool_is_left_alone), P(test_a_part_is_checked_where_it_lies),
#ifdef POSTHORN_FAULTS
		P(test_finished_stays_finished), P(test_a_leftover_is_no_mail), P(test_no_memory_is_no_reason_to_doubt),
		P(test_damage_that_cannot_be_set_aside_does_not_spin),
#endif
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
