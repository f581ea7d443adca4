/* store: promises that were found broken while its failing paths were tried. */
#include "tests/unit/store/fixture.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fault.h"
#include "base/fd.h"
#include "queue/store/corrupt.h"
#include "queue/store/inside.h"

/* What has no bytes is set aside like anything else, with its reason. */
static void
test_nothing_can_be_set_aside(void **state)
{
	struct err err = { 0 };

	(void)state;
	if (corrupt_set_aside(store->dir, "nothing", slice_of("", 0), "it was empty", &err) == -1)
		fail_msg("%s", err.text);
	assert_int_equal(files_in("corrupt"), 2);
}

/* The catalog is lost, and one file of the spool has no bytes: it goes to corrupt/, the others come back, the start goes on. */
static void
test_an_empty_file_stops_no_start(void **state)
{
	struct err err = { 0 };
	char path[200];
	int fd;

	(void)state;
	one_asleep();
	close_store();
	empty_folder("db");
	path_of(path, "spool/00000001.0009");
	assert_int_equal(mkdir(path, 0700), 0);
	path_of(path, "spool/00000001.0009/00000000000G1");
	assert_int_not_equal(fd = open(path, O_WRONLY | O_CREAT, 0600), -1);
	fd_close(&fd);
	loop = loop_new(&err);
	store = store_open(loop, &conf, &plan_ops, NULL, &err);
	if (store == NULL) {
		loop_free(loop);
		fail_msg("%s", err.text);
	}
	page("", 0, 9);
	assert_int_equal(npaged, 1);
	assert_int_equal(files_in("corrupt"), 2);
}

static char big[500000];

static uint32_t
free_segments(void)
{
	struct store_figures f;

	store_figures(store, &f);
	return f.free_segments;
}

static bool
all_free(void *arg)
{
	(void)arg;
	return free_segments() == 8;
}

static bool
all_answered(void *arg)
{
	(void)arg;
	return answers == nmails;
}

/* Space for one message of a client is left and four come in one round: they wait for what evacuation makes, like one that
 * comes when there is none. */
static void
test_a_rounds_clients_wait_together(void **state)
{
	(void)state;
	turn_until(all_free, NULL);
	store->evacuation.ordered = UINT32_MAX / 2;	/* none is made yet */
	while (free_segments() > 5) {
		put(STORE_CLIENT, "d1", big, sizeof(big));
		wait_answers(1);
	}
	for (int i = 0; i < 4; i++)
		put(STORE_CLIENT, "d1", big, sizeof(big));
	store_flush(store);
	store->evacuation.ordered = 0;
	wait_until(all_answered, NULL);
	assert_int_equal(full, 0);
	assert_int_equal(durable, nmails);
}

#ifdef POSTHORN_FAULTS
/* No memory for one record while a start asks the catalog: the start fails, and the catalog is what it was. */
static void
test_no_memory_in_recovery_keeps_the_catalog(void **state)
{
	struct err err = { 0 };

	(void)state;
	one_asleep();
	put(STORE_CLIENT, "d2", "content", 7);		/* so that the ring has something to ask about */
	wait_answers(1);
	close_store();
	loop = loop_new(&err);
	fault_plan("catalog-read:2:ENOMEM");	/* the totals, and the first question of recovery */
	store = store_open(loop, &conf, &plan_ops, NULL, &err);
	fault_plan(NULL);
	if (store != NULL)
		store_close(&store);
	loop_free(loop);
	open_store();
	assert_int_equal(files_in("corrupt"), 0);
	page("", 0, 9);
	assert_true(npaged == 1 && !paged[0].maybe);
}
#endif

int
main(void)
{
#define P(f)	cmocka_unit_test_setup_teardown(f, setup_plans, teardown)
	const struct CMUnitTest tests[] = {
		P(test_nothing_can_be_set_aside), P(test_an_empty_file_stops_no_start),
		P(test_a_rounds_clients_wait_together),
#ifdef POSTHORN_FAULTS
		P(test_no_memory_in_recovery_keeps_the_catalog),
#endif
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
