/*
 * test_sync — the order that durability hangs on: a wait is served only by a sync that began after it was asked.
 */
#include "tests/support/testing.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <unistd.h>

#include "base/fd.h"
#include "event/timer.h"
#include "mda/sync.h"
#include "tests/support/tempdir.h"

/* A file system that syncs when the test says so. */
static struct {
	pthread_mutex_t	lock;
	pthread_cond_t	changed;
	unsigned	begun, allowed, ended;
	int		results[16];
} disk = { .lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER };

static int
fake_flush(int fd)
{
	unsigned mine;

	assert_true(fcntl(fd, F_GETFD) != -1);
	pthread_mutex_lock(&disk.lock);
	mine = disk.begun++;
	pthread_cond_broadcast(&disk.changed);
	while (disk.allowed <= mine)
		pthread_cond_wait(&disk.changed, &disk.lock);
	disk.ended++;
	pthread_mutex_unlock(&disk.lock);
	return disk.results[mine];
}

static void
wait_begun(unsigned n)
{
	pthread_mutex_lock(&disk.lock);
	while (disk.begun < n)
		pthread_cond_wait(&disk.changed, &disk.lock);
	pthread_mutex_unlock(&disk.lock);
}

static void
allow(unsigned n)
{
	pthread_mutex_lock(&disk.lock);
	disk.allowed = n;
	pthread_cond_broadcast(&disk.changed);
	pthread_mutex_unlock(&disk.lock);
}

struct fixture {
	struct loop		*loop;
	struct sync		*sync;
	struct sync_device	*device;
	struct timer		 limit;
	char			 dir[256];
};

struct waiter {
	struct fixture		*f;
	struct sync_wait	 wait;
	int			 told, error;
	unsigned		 round;		/* how many syncs had ended when it was told */
	struct waiter		*then;		/* asks for this one when told */
	bool			 give_back;
};

static void
ask(struct waiter *w)
{
	sync_ask(w->f->device, &w->wait);
}

static void
on_done(void *arg, int error)
{
	struct waiter *w = arg;

	w->told++;
	w->error = error;
	pthread_mutex_lock(&disk.lock);
	w->round = disk.ended;
	pthread_mutex_unlock(&disk.lock);
	if (w->then != NULL)
		ask(w->then);
	if (w->give_back)
		sync_device_give(&w->f->device);
	loop_stop(w->f->loop);
}

static void
waiter_init(struct waiter *w, struct fixture *f)
{
	*w = (struct waiter){ .f = f, .wait = { .done = on_done } };
	w->wait.arg = w;
}

static void
on_limit(void *arg)
{
	(void)arg;
	fail_msg("nothing happened for 10 s");
}

static int
setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct err err;

	tempdir_make(f->dir);
	disk.begun = disk.allowed = disk.ended = 0;
	memset(disk.results, 0, sizeof(disk.results));
	assert_non_null(f->loop = loop_new(&err));
	assert_non_null(f->sync = sync_new(f->loop, fake_flush, &err));
	f->device = sync_device_take(f->sync, open(f->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC), &err);
	assert_non_null(f->device);
	assert_int_equal(timer_init(&f->limit, f->loop, on_limit, f), 0);
	timer_set(&f->limit, 10000);
	*state = f;
	return 0;
}

static int
teardown(void **state)
{
	struct fixture *f = *state;

	allow(1000);
	sync_device_give(&f->device);
	sync_free(&f->sync);
	timer_fini(&f->limit);
	loop_free(f->loop);
	tempdir_remove(f->dir);
	free(f);
	return 0;
}

static void
test_one_round_serves_all_who_waited(void **state)
{
	struct fixture *f = *state;
	struct waiter first, others[3];

	waiter_init(&first, f);
	ask(&first);
	wait_begun(1);
	for (int i = 0; i < 3; i++) {
		waiter_init(&others[i], f);
		ask(&others[i]);
	}
	allow(2);
	while (others[2].told == 0)
		assert_int_equal(loop_run(f->loop), 0);
	assert_int_equal(sync_rounds(f->sync), 2);	/* one for the first, one for the three together */
	for (int i = 0; i < 3; i++)
		assert_int_equal(others[i].told, 1);
	assert_int_equal(sync_served(f->sync), 4);
}

static void
test_running_sync_serves_no_late_wait(void **state)
{
	struct fixture *f = *state;
	struct waiter early, late;

	waiter_init(&early, f);
	waiter_init(&late, f);
	ask(&early);
	wait_begun(1);			/* the disk is syncing now ... */
	ask(&late);			/* ... what was written since may have missed it */
	allow(1);
	while (early.told == 0)
		assert_int_equal(loop_run(f->loop), 0);
	assert_int_equal(early.round, 1);
	wait_begun(2);
	assert_int_equal(late.told, 0);
	allow(2);
	while (late.told == 0)
		assert_int_equal(loop_run(f->loop), 0);
	assert_int_equal(late.round, 2);
}

static void
test_asking_again_when_told(void **state)
{
	struct fixture *f = *state;
	struct waiter bytes, name;

	waiter_init(&bytes, f);
	waiter_init(&name, f);
	bytes.then = &name;		/* as a delivery does: first its bytes, then its name */
	ask(&bytes);
	allow(2);
	while (name.told == 0)
		assert_int_equal(loop_run(f->loop), 0);
	assert_int_equal(bytes.round, 1);
	assert_int_equal(name.round, 2);
}

static void
test_failure_is_told_to_its_round_only(void **state)
{
	struct fixture *f = *state;
	struct waiter failed, fine;

	disk.results[0] = EIO;
	waiter_init(&failed, f);
	waiter_init(&fine, f);
	ask(&failed);
	wait_begun(1);
	ask(&fine);
	allow(2);
	while (fine.told == 0)
		assert_int_equal(loop_run(f->loop), 0);
	assert_int_equal(failed.error, EIO);
	assert_int_equal(fine.error, 0);
}

static void
test_forgotten_wait_is_not_told(void **state)
{
	struct fixture *f = *state;
	struct waiter gone, running, stays;

	waiter_init(&running, f);
	waiter_init(&gone, f);
	waiter_init(&stays, f);
	ask(&running);
	wait_begun(1);
	ask(&gone);
	ask(&stays);
	sync_forget(&running.wait);
	sync_forget(&gone.wait);
	sync_forget(&gone.wait);	/* twice is fine */
	allow(2);
	while (stays.told == 0)
		assert_int_equal(loop_run(f->loop), 0);
	assert_int_equal(running.told, 0);
	assert_int_equal(gone.told, 0);
}

static void
test_device_given_back_while_it_syncs(void **state)
{
	struct fixture *f = *state;
	struct waiter w;

	waiter_init(&w, f);
	w.give_back = true;
	ask(&w);
	wait_begun(1);
	allow(1);
	while (w.told == 0)
		assert_int_equal(loop_run(f->loop), 0);
	assert_null(f->device);
}

static void
test_one_device_for_two_directories(void **state)
{
	struct fixture *f = *state;
	struct sync_device *again;
	struct err err;

	again = sync_device_take(f->sync, open(f->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC), &err);
	assert_ptr_equal(again, f->device);
	sync_device_give(&again);
	assert_null(again);
	assert_null(sync_device_take(f->sync, -1, &err));
}

static void
test_which_descriptors_it_serves(void **state)
{
	int pipes[2];
	int proc = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	(void)state;
	assert_int_equal(pipe(pipes), 0);
	assert_false(sync_serves(pipes[0]));
	assert_false(sync_serves(-1));
	if (proc != -1)
		assert_false(sync_serves(proc));
	fd_close(&proc);
	fd_close(&pipes[0]);
	fd_close(&pipes[1]);
}

/* Opened for its name only, a directory cannot be synced: taken from a user's worker, it would fail for all others, too. */
static void
test_serves_no_bare_names(void **state)
{
	static const char *const places[] = { ".", "/var/tmp", "/tmp", "/" };

	(void)state;
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		int named = open(places[i], O_PATH | O_DIRECTORY | O_CLOEXEC);
		int whole = open(places[i], O_RDONLY | O_DIRECTORY | O_CLOEXEC);

		ROW(i, places[i]);
		assert_false(sync_serves(named));
		if (whole != -1 && sync_serves(whole))
			assert_int_equal(sync_flush_fs(whole), 0);
		fd_close(&named);
		fd_close(&whole);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_one_round_serves_all_who_waited, setup, teardown),
		cmocka_unit_test_setup_teardown(test_running_sync_serves_no_late_wait, setup, teardown),
		cmocka_unit_test_setup_teardown(test_asking_again_when_told, setup, teardown),
		cmocka_unit_test_setup_teardown(test_failure_is_told_to_its_round_only, setup, teardown),
		cmocka_unit_test_setup_teardown(test_forgotten_wait_is_not_told, setup, teardown),
		cmocka_unit_test_setup_teardown(test_device_given_back_while_it_syncs, setup, teardown),
		cmocka_unit_test_setup_teardown(test_one_device_for_two_directories, setup, teardown),
		cmocka_unit_test(test_which_descriptors_it_serves),
		cmocka_unit_test(test_serves_no_bare_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
