/* test_fault — plans that make the n-th call fail, and clocks that a test can turn. */
#include "tests/support/testing.h"

#include <errno.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fault.h"
#include "base/mem.h"
#include "base/random.h"

static void
test_plans(void **state)
{
#ifdef POSTHORN_FAULTS
	static const struct { const char *plan; int expected[4]; } rows[] = {
		{ NULL, { 0, 0, 0, 0 } },
		{ "disk:1", { ENOMEM, 0, 0, 0 } },
		{ "disk:3:EIO", { 0, 0, EIO, 0 } },
		{ "disk:2+:ENOSPC", { 0, ENOSPC, ENOSPC, ENOSPC } },
		{ "other:1:EIO", { 0, 0, 0, 0 } },
		{ "other:1:EIO,disk:4:EMFILE", { 0, 0, 0, EMFILE } },
		{ "disk:2+:SKIP", { 0, FAULT_SKIP, FAULT_SKIP, FAULT_SKIP } },
		{ "*:2:EIO", { 0, EIO, 0, 0 } },
		{ "*:1:TELL,disk:3:EIO", { 0, 0, EIO, 0 } },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		ROW(i, rows[i].plan == NULL ? "none" : rows[i].plan);
		fault_plan(rows[i].plan);
		for (int k = 0; k < 4; k++)
			assert_int_equal(fault_at("disk"), rows[i].expected[k]);
	}
	fault_plan("disk:9:EIO");
	(void)fault_at("disk");
	(void)fault_at("disk");
	assert_int_equal(fault_count("disk"), 2);
	fault_plan(NULL);
#else
	skip();
#endif
	(void)state;
}

static void
test_kill(void **state)
{
#ifdef POSTHORN_FAULTS
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		fault_plan("step:2:KILL");
		(void)fault_at("step");
		(void)fault_at("step");
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
#else
	skip();
#endif
	(void)state;
}

static void
test_stop(void **state)
{
#ifdef POSTHORN_FAULTS
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		fault_plan("step:2:STOP");
		(void)fault_at("step");
		(void)fault_at("step");
		_exit(7);
	}
	assert_int_equal(waitpid(pid, &status, WUNTRACED), pid);
	assert_true(WIFSTOPPED(status));
	assert_int_equal(kill(pid, SIGCONT), 0);	/* nobody does that after a power cut, but it shows where the child stands */
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 7);
#else
	skip();
#endif
	(void)state;
}

static void
test_turn(void **state)
{
#ifdef POSTHORN_FAULTS
	int64_t before = clock_wall();

	fault_plan("clock:-7200:TURN");
	assert_in_range(clock_wall() - before, 0, 60);
	assert_int_equal(raise(SIGUSR2), 0);
	assert_in_range(before - clock_wall(), 7140, 7200);
	fault_plan("clock:7200:TURNED");
	assert_in_range(clock_wall() - before, 0, 60);
	fault_plan(NULL);
#else
	skip();
#endif
	(void)state;
}

static void
test_memory(void **state)
{
	(void)state;
	assert_null(mem_array(SIZE_MAX / 2, 3));
	assert_null(mem_grow(NULL, SIZE_MAX / 2, 3));
	void *p = mem_alloc(0);		/* a pointer that may be freed, so that NULL always means trouble */
	assert_non_null(p);
	mem_free(p);
	p = mem_dup("abc", 4);
	assert_string_equal(p, "abc");
	mem_free(p);
#ifdef POSTHORN_FAULTS
	fault_plan("alloc:1+");
	assert_null(mem_alloc(1));
	assert_null(mem_zalloc(1));
	assert_null(mem_array(1, 1));
	assert_null(mem_dup("x", 1));
	fault_plan(NULL);
#endif
}

static void
test_clock_turn(void **state)
{
	int64_t mono = clock_mono_ms(), wall = clock_wall_ms();

	(void)state;
	clock_turn(86400000, -3600000);
	assert_in_range(clock_mono_ms() - mono, 86400000, 86400000 + 10000);
	assert_true(clock_wall_ms() - wall < -3590000);
	assert_true(clock_mono_us() / 1000 - clock_mono_ms() <= 1);
	clock_turn(-86400000, 3600000);
	assert_in_range(clock_mono_ms() - mono, 0, 10000);
	assert_true(clock_wall() == clock_wall_ms() / 1000 || clock_wall() == clock_wall_ms() / 1000 - 1);
}

static void
test_random(void **state)
{
	unsigned seen = 0;
	char a[300] = { 0 }, b[300] = { 0 };

	(void)state;
	assert_true(random_u64() != random_u64());
	random_bytes(a, sizeof(a));
	random_bytes(b, sizeof(b));
	assert_memory_not_equal(a, b, sizeof(a));
	for (int i = 0; i < 1000; i++) {
		uint32_t n = random_below(5);

		assert_true(n < 5);
		seen |= 1u << n;
	}
	assert_int_equal(seen, 31);
	assert_int_equal(random_below(1), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_plans), cmocka_unit_test(test_kill), cmocka_unit_test(test_stop), cmocka_unit_test(test_turn),
		cmocka_unit_test(test_memory),
		cmocka_unit_test(test_clock_turn), cmocka_unit_test(test_random),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
