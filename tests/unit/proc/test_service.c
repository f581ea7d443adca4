/*
 * test_service — a whole service_main in a child, with this test as its supervisor on the other end of descriptor 3.
 */
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "conf/fill.h"
#include "proc/service.h"
#include "tests/support/testing.h"
#include "wire/log.h"

struct world {
	pid_t			 pid;
	struct chan_sync	*wire;
	int			 log;
};

/* ---- the service under test ---- */

static int
prepare(struct process *p, struct err *err)
{
	return strcmp(p->conf->hostname, "sick.example.org") == 0 ? err_set(err, "no good start") : 0;
}

static int
start(struct process *p, struct err *err)
{
	(void)err;
	log_info("%s starts", p->name);
	return 0;
}

static void
wire_arrived(struct process *p, const struct control_wire *w, int fd)
{
	char line[64];

	(void)p;
	(void)snprintf(line, sizeof(line), "wire %d %d %u", (int)w->kind, (int)w->role, (unsigned)w->number);
	(void)fd_write_all(fd, line, strlen(line));
	fd_close(&fd);
}

static int
check(struct process *p, const struct conf *next, struct err *err)
{
	(void)p;
	return strcmp(next->hostname, "bad.example.org") == 0 ? err_set(err, "not that name") : 0;
}

static void
status(struct process *p, struct buf *out)
{
	(void)buf_printf(out, "hostname %s\ngeneration %llu\n", p->conf->hostname, (unsigned long long)p->conf->generation);
}

/* No wire ever comes to this one, and for it time flies: 50 s from PING to PING. */
static bool
never_whole(const struct process *p)
{
	clock_turn(50000, 0);
	return strcmp(p->conf->hostname, "lonely.example.org") != 0;
}

static int
run_service(void)
{
	static char name[] = "test";
	char *argv[] = { name, NULL };
	const struct service service = { .name = "test", .user = "nobody", .sandbox = SANDBOX_SESSION, .prepare = prepare,
	    .start = start, .wire = wire_arrived, .check = check, .status = status, .whole = never_whole };

	return service_main(&service, 1, argv);
}

/* ---- the supervisor's side ---- */

static void
put_conf(struct buf *b, const char *hostname, int64_t mx_port)
{
	struct conf *conf = conf_new();

	assert_int_equal(conf_set_initial(conf), 0);
	conf->hostname = arena_str(&conf->arena, hostname);
	conf->run_directory = arena_str(&conf->arena, "/nonexistent");
	conf->relay.mx_port = mx_port;
	assert_int_equal(conf_settle(conf), 0);
	buf_init(b, CONF_BLOB_MAX);
	conf_put(b, conf);
	conf_free(&conf);
}

static void
send_boot(struct world *w, const char *hostname, int log)
{
	struct control_boot boot = { .name = SLICE_LIT("test-0"), .role = ROLE_MX, .process = 7, .generation = 1 };
	struct err err;
	struct buf blob;

	put_conf(&blob, hostname, 25);
	boot.conf = buf_slice(&blob);
	control_boot_put(chan_sync_begin(w->wire, CONTROL_BOOT), &boot);
	assert_int_equal(chan_sync_send(w->wire, log, &err), 0);
	buf_fini(&blob);
}

static void
begin(struct world *w, const char *hostname)
{
	int ends[2], log[2];
	struct err err;

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, log), 0);
	w->pid = fork();
	assert_true(w->pid >= 0);
	if (w->pid == 0) {
		if (dup2(ends[1], 3) == -1 || close_range(4, ~0U, 0) == -1)
			_exit(99);
		_exit(run_service());
	}
	fd_close(&ends[1]);
	w->wire = chan_sync_open(ends[0], "control", CONTROL_VERSION, &err);
	assert_non_null(w->wire);
	w->log = log[0];
	send_boot(w, hostname, log[1]);
	fd_close(&log[1]);
}

static void
expect(struct world *w, int type, struct reader *r)
{
	struct err err = { 0, "" };
	int fd, got = chan_sync_next(w->wire, r, &fd, &err);

	if (got != type)
		fail_msg("got frame %d, wanted %d: %s", got, type, err.text);
}

static void
say(struct world *w, uint16_t type, int fd)
{
	struct err err;

	(void)chan_sync_begin(w->wire, type);
	assert_int_equal(chan_sync_send(w->wire, fd, &err), 0);
}

static void
propose(struct world *w, uint16_t type, uint64_t generation, bool ok, const char *hostname)
{
	struct control_conf conf = { .generation = generation, .ok = ok };
	struct buf blob;
	struct err err;

	put_conf(&blob, hostname, 25);
	if (type == CONTROL_PREPARE)
		conf.conf = buf_slice(&blob);
	control_conf_put(chan_sync_begin(w->wire, type), &conf);
	assert_int_equal(chan_sync_send(w->wire, -1, &err), 0);
	buf_fini(&blob);
}

static void
expect_prepared(struct world *w, bool ok, const char *text)
{
	struct control_conf answer;
	struct reader r;

	expect(w, CONTROL_PREPARED, &r);
	assert_int_equal(control_conf_get(&r, &answer), 0);
	assert_int_equal(answer.ok, ok);
	assert_slice(answer.text, text);
}

static void
expect_status(struct world *w, const char *text)
{
	struct control_text answer;
	struct reader r;

	say(w, CONTROL_STATUS_ASK, -1);
	expect(w, CONTROL_STATUS_TEXT, &r);
	assert_int_equal(control_text_get(&r, &answer), 0);
	assert_slice(answer.text, text);
}

static int
end(struct world *w)
{
	int result = 0;

	chan_sync_close(&w->wire);
	fd_close(&w->log);
	assert_int_equal(waitpid(w->pid, &result, 0), w->pid);
	return result;
}

static void
stop(struct world *w)
{
	struct err err;
	int result;

	control_stop_put(chan_sync_begin(w->wire, CONTROL_STOP), &(struct control_stop){ .within_ms = 1000 });
	assert_int_equal(chan_sync_send(w->wire, -1, &err), 0);
	result = end(w);
	assert_true(WIFEXITED(result));
	assert_int_equal(WEXITSTATUS(result), 0);
}

static void
test_life(void **state)
{
	struct world w;
	struct reader r;

	(void)state;
	begin(&w, "mx.example.org");
	expect(&w, CONTROL_READY, &r);
	say(&w, CONTROL_PING, -1);
	expect(&w, CONTROL_PONG, &r);
	expect_status(&w, "hostname mx.example.org\ngeneration 1\n");
	stop(&w);
}

static void
test_log(void **state)
{
	struct world w;
	struct reader r;
	struct log_record record;
	char bytes[4096];
	uint32_t process;
	uint64_t dropped;
	ssize_t n;

	(void)state;
	begin(&w, "mx.example.org");
	expect(&w, CONTROL_READY, &r);
	say(&w, CONTROL_PING, -1);
	expect(&w, CONTROL_PONG, &r);	/* so the round in which it started is over */
	n = recv(w.log, bytes, sizeof(bytes), 0);
	assert_true(n > 0);
	r = reader_of(slice_of(bytes, (size_t)n));
	assert_int_equal(log_header_get(&r, &process, &dropped), 0);
	assert_int_equal(process, 7);
	assert_int_equal(dropped, 0);
	do
		assert_int_equal(log_record_get(&r, &record), 0);
	while (r.in.len > 0);
	assert_slice(record.fields[0].text, "test-0 starts");
	stop(&w);
}

static void
test_reload(void **state)
{
	struct world w;
	struct reader r;

	(void)state;
	begin(&w, "mx.example.org");
	expect(&w, CONTROL_READY, &r);
	propose(&w, CONTROL_PREPARE, 2, true, "bad.example.org");
	expect_prepared(&w, false, "not that name");
	propose(&w, CONTROL_COMMIT, 2, false, "");
	expect_status(&w, "hostname mx.example.org\ngeneration 1\n");
	propose(&w, CONTROL_PREPARE, 3, true, "new.example.org");
	expect_prepared(&w, true, "");
	expect_status(&w, "hostname mx.example.org\ngeneration 1\n");	/* not before COMMIT */
	propose(&w, CONTROL_COMMIT, 3, true, "");
	expect_status(&w, "hostname new.example.org\ngeneration 3\n");
	propose(&w, CONTROL_PREPARE, 4, true, "later.example.org");
	expect_prepared(&w, true, "");
	propose(&w, CONTROL_COMMIT, 4, false, "");
	expect_status(&w, "hostname new.example.org\ngeneration 3\n");
	stop(&w);
}

static void
test_wire(void **state)
{
	struct world w;
	struct reader r;
	struct err err;
	char line[64] = "";
	int ends[2];

	(void)state;
	begin(&w, "mx.example.org");
	expect(&w, CONTROL_READY, &r);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
	control_wire_put(chan_sync_begin(w.wire, CONTROL_WIRE), &(struct control_wire){ .kind = WIRE_SUBMIT, .role = ROLE_QUEUE, .number = 5 });
	assert_int_equal(chan_sync_send(w.wire, ends[1], &err), 0);
	fd_close(&ends[1]);
	assert_true(fd_read_full(ends[0], line, sizeof(line) - 1) > 0);
	assert_string_equal(line, "wire 1 7 5");
	fd_close(&ends[0]);
	stop(&w);
}

static void
test_start_refused(void **state)
{
	struct world w;
	int result;

	(void)state;
	begin(&w, "sick.example.org");
	expect_prepared(&w, false, "no good start");
	result = end(&w);
	assert_true(WIFEXITED(result));
	assert_int_equal(WEXITSTATUS(result), 78);
}

/* The wire ends: the process has to be gone soon, though nobody told it. */
static void
test_supervisor_gone(void **state)
{
	struct world w;
	struct reader r;
	struct timespec before, after;

	(void)state;
	begin(&w, "mx.example.org");
	expect(&w, CONTROL_READY, &r);
	(void)clock_gettime(CLOCK_MONOTONIC, &before);
	(void)end(&w);
	(void)clock_gettime(CLOCK_MONOTONIC, &after);
	assert_true(after.tv_sec - before.tv_sec <= 5);
}

/* Two BOOTs, or a frame that does not decode: the process takes nothing more from such a supervisor. */
static void
test_nonsense(void **state)
{
	struct world w;
	struct reader r;
	int result;

	(void)state;
	begin(&w, "mx.example.org");
	expect(&w, CONTROL_READY, &r);
	send_boot(&w, "other.example.org", -1);
	result = 0;
	assert_int_equal(waitpid(w.pid, &result, 0), w.pid);
	chan_sync_close(&w.wire);
	fd_close(&w.log);
	assert_true(WIFEXITED(result));
	assert_int_equal(WEXITSTATUS(result), 75);
}

/* A wire that is missing for 90 s: the process answers each PING meanwhile, and ends. One whose wires are there does not. */
static void
test_lost_wire(void **state)
{
	static const char *const names[] = { "mx.example.org", "lonely.example.org" };
	struct world w;
	struct reader r;
	int result;

	(void)state;
	for (int lonely = 0; lonely < 2; lonely++) {
		begin(&w, names[lonely]);
		expect(&w, CONTROL_READY, &r);
		for (int i = 0; i < 2; i++) {
			say(&w, CONTROL_PING, -1);
			expect(&w, CONTROL_PONG, &r);
		}
		say(&w, CONTROL_PING, -1);
		if (!lonely) {
			expect(&w, CONTROL_PONG, &r);
			stop(&w);
			continue;
		}
		assert_int_equal(waitpid(w.pid, &result, 0), w.pid);
		chan_sync_close(&w.wire);
		fd_close(&w.log);
		assert_true(WIFEXITED(result));
		assert_int_equal(WEXITSTATUS(result), 75);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_life), cmocka_unit_test(test_log), cmocka_unit_test(test_reload), cmocka_unit_test(test_wire),
		cmocka_unit_test(test_start_refused), cmocka_unit_test(test_supervisor_gone), cmocka_unit_test(test_nonsense), cmocka_unit_test(test_lost_wire),
	};

	/* As root the service would change its user and its root folder; the system tests do that with all of posthorn. */
	if (geteuid() == 0 && (setgid(65534) == -1 || setuid(65534) == -1))
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
