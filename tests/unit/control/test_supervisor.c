/*
 * test_supervisor — posthornd itself with understudies for its processes: start, restart, fencing, reload, stop.
 *
 * Runs from the build tree; the programs are found below the current folder. As root it goes on as an ordinary user, so that
 * no users have to exist.
 */
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"
#include "ipc/channel.h"
#include "tests/support/tempdir.h"
#include "tests/support/testing.h"
#include "wire/control.h"

#define PATIENCE_MS	20000

static char here[2048], folder[256];
static pid_t supervisor;

static int64_t
now_ms(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void
rest(void)
{
	const struct timespec t = { 0, 10 * 1000000 };

	(void)nanosleep(&t, NULL);
}

static void
write_conf(const char *hostname)
{
	char path[512], text[2048];

	(void)snprintf(text, sizeof(text), "hostname = \"%s\"\nrun-directory = \"%s/run\"\nqueue { directory = \"%s/queue\" }\n"
	    "smtpd { workers = 1 }\nlog { target = \"file:%s/log\" }\nlistener \"mx\" { address = \"127.0.0.1\"\n port = %d }\n", hostname,
	    folder, folder, folder, 20000 + (int)getpid() % 20000);
	tempdir_write(tempdir_join(path, folder, "posthorn.conf"), text);
}

static void
link_program(const char *name, const char *target)
{
	char from[4096], to[512], libexec[512];

	(void)snprintf(from, sizeof(from), "%s/%s", here, target);
	assert_int_equal(symlink(from, tempdir_join(to, tempdir_join(libexec, folder, "libexec"), name)), 0);
}

static void
start(const char *hostname)
{
	char conf[512], libexec[512], program[4096];

	write_conf(hostname);
	(void)snprintf(program, sizeof(program), "%s/control/supervisor/posthornd", here);
	(void)tempdir_join(conf, folder, "posthorn.conf");
	(void)tempdir_join(libexec, folder, "libexec");
	supervisor = fork();
	assert_true(supervisor >= 0);
	if (supervisor == 0) {
		(void)execl(program, "posthornd", "-f", "-c", conf, "--libexec", libexec, (char *)NULL);
		_exit(99);
	}
}

static int
wait_end(void)
{
	int status = -1;

	for (int64_t until = now_ms() + PATIENCE_MS; now_ms() < until; rest())
		if (waitpid(supervisor, &status, WNOHANG) == supervisor) {
			supervisor = 0;
			return status;
		}
	fail_msg("posthornd does not end");
	return -1;
}

/* How often `words` stand in the log. */
static size_t
in_log(const char *words)
{
	char path[512], line[4096];
	size_t count = 0;
	FILE *f = fopen(tempdir_join(path, folder, "log"), "r");

	while (f != NULL && fgets(line, sizeof(line), f) != NULL)
		count += strstr(line, words) != NULL;
	if (f != NULL)
		(void)fclose(f);
	return count;
}

static void
wait_log(const char *words, size_t times)
{
	for (int64_t until = now_ms() + PATIENCE_MS; now_ms() < until; rest())
		if (in_log(words) >= times)
			return;
	fail_msg("the log never said \"%s\" %zu times", words, times);
}

/* The child of `parent` whose name is `name`; 0: there is none. */
static pid_t
find(pid_t parent, const char *name)
{
	char path[300], text[512], comm[64];
	struct dirent *e;
	pid_t found = 0;
	DIR *proc = opendir("/proc");

	while (proc != NULL && found == 0 && (e = readdir(proc)) != NULL) {
		int pid, ppid, fd;
		ssize_t n;

		if (e->d_name[0] < '1' || e->d_name[0] > '9')
			continue;
		(void)snprintf(path, sizeof(path), "/proc/%s/stat", e->d_name);
		fd = open(path, O_RDONLY | O_CLOEXEC);
		n = fd == -1 ? -1 : read(fd, text, sizeof(text) - 1);
		fd_close(&fd);
		text[n < 0 ? 0 : n] = '\0';
		if (sscanf(text, "%d (%63[^)]) %*c %d", &pid, comm, &ppid) == 3 && ppid == (int)parent && strcmp(comm, name) == 0)
			found = pid;
	}
	if (proc != NULL)
		(void)closedir(proc);
	return found;
}

static pid_t
must_find(const char *name)
{
	pid_t pid = 0;

	for (int64_t until = now_ms() + PATIENCE_MS; pid == 0 && now_ms() < until; rest())
		pid = find(supervisor, name);
	if (pid == 0)
		fail_msg("there is no %s", name);
	return pid;
}

/* A tool's question; the outcome's text into `out`. The answer's ok. */
static bool
ask(const char *verb, char *out, size_t size)
{
	const struct operator_request request = { .verb = slice_str(verb) };
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	struct control_text answer = { 0 };
	struct chan_sync *wire;
	struct reader r;
	struct err err;
	size_t used = 0;
	int type, fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true((size_t)snprintf(at.sun_path, sizeof(at.sun_path), "%s/run/control", folder) < sizeof(at.sun_path));
	assert_int_equal(connect(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	wire = chan_sync_open(fd, "control", CONTROL_VERSION, &err);
	operator_request_put(chan_sync_begin(wire, CONTROL_OPERATOR), &request);
	assert_int_equal(chan_sync_send(wire, -1, &err), 0);
	while ((type = chan_sync_next(wire, &r, &fd, &err)) > 0) {
		assert_int_equal(control_text_get(&r, &answer), 0);
		used += (size_t)snprintf(out + used, size - used, "%.*s", SLICE_FMT(answer.text));
		if (type == CONTROL_OUTCOME)
			break;
	}
	assert_int_equal(type, CONTROL_OUTCOME);
	chan_sync_close(&wire);
	return answer.ok;
}

static void
stop(void)
{
	int status;

	assert_int_equal(kill(supervisor, SIGTERM), 0);
	status = wait_end();
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

static void
test_life(void **state)
{
	char text[8192];

	(void)state;
	start("mx.example.org");
	wait_log("serves as mx.example.org", 1);
	wait_log("mda: wire kind 4 role 8 number 0", 1);		/* spawn, from the supervisor */
	wait_log("queue: listener role 9 number 0", 1);
	wait_log("smtpd-mx-0: listener role 1 number 0", 1);
	wait_log("smtpd-mx-0: wire kind 5 role 2 number 0", 1);		/* handoff to a trusted worker */
	assert_true(ask("status", text, sizeof(text)));
	assert_non_null(strstr(text, "smtpd-trusted-0      running"));
	assert_non_null(strstr(text, "    wires "));
	assert_false(ask("dance", text, sizeof(text)));
	stop();
	assert_int_equal(in_log("posthorn is stopping"), 1);
}

static void
test_restart(void **state)
{
	pid_t old, mx;

	(void)state;
	start("mx.example.org");
	wait_log("serves as", 1);
	wait_log("queue: wire kind 1 role 1 number 0", 1);
	wait_log("smtpd-mx-0: wire kind 1 role 7 number 0", 1);
	old = must_find("queue");
	mx = must_find("smtpd-mx-0");
	assert_int_equal(kill(old, SIGKILL), 0);
	wait_log("queue killed by signal 9", 1);
	wait_log("queue: wire kind 1 role 1 number 0", 2);		/* all its wires anew ... */
	wait_log("smtpd-mx-0: wire kind 1 role 7 number 0", 2);		/* ... and the other ends told */
	wait_log("queue: listener role 9", 2);
	assert_int_not_equal(must_find("queue"), old);
	assert_int_equal(must_find("smtpd-mx-0"), mx);
	/* The logger's successor reads on where it ended. */
	assert_int_equal(kill(must_find("logger"), SIGKILL), 0);
	wait_log("logger killed by signal 9", 1);
	stop();
}

static void
test_silent(void **state)
{
	pid_t old;

	(void)state;
	start("mx.example.org");
	wait_log("serves as", 1);
	wait_log("relay-0: wire kind 2 role 7 number 0", 1);
	old = must_find("relay-0");
	assert_int_equal(kill(old, SIGSTOP), 0);
	wait_log("killing relay-0", 1);
	wait_log("relay-0: wire kind 2 role 7 number 0", 2);
	assert_int_not_equal(must_find("relay-0"), old);
	stop();
}

/* An mda that has lost its way to the supervisor would hold all local mail for ever: it is replaced, and wired anew. */
static void
test_spawn_wire_lost(void **state)
{
	(void)state;
	start("drop.mda.example");
	wait_log("the spawn wire of mda ended", 1);
	wait_log("the spawn wire of mda ended", 2);		/* of its successor: that had one, too */
	assert_true(in_log("mda killed by signal 9") > 0);
	stop();
}

static void
test_reload(void **state)
{
	char text[4096], path[512];
	pid_t lookup, queue;

	(void)state;
	start("mx.example.org");
	wait_log("serves as", 1);
	wait_log("lookup: wire kind 3 role 1 number 0", 1);
	lookup = must_find("lookup");
	queue = must_find("queue");
	write_conf("refuse.mda.example");
	assert_false(ask("reload", text, sizeof(text)));
	assert_string_equal(text, "mda does not like it");
	assert_int_equal(in_log("became"), 0);				/* nobody changed */
	assert_int_equal(must_find("lookup"), lookup);
	tempdir_write(tempdir_join(path, folder, "posthorn.conf"), "hostname = \"mx.example.org\"\nnonsense = 1\n");
	assert_false(ask("reload", text, sizeof(text)));
	assert_non_null(strstr(text, "nonsense"));
	write_conf("new.example.org");
	assert_true(ask("reload", text, sizeof(text)));
	wait_log("queue: mx.example.org became new.example.org", 1);
	wait_log("smtpd-mx-0: mx.example.org became new.example.org", 1);
	wait_log("lookup: wire kind 3 role 1 number 0", 2);		/* replaced, and wired anew */
	assert_int_not_equal(must_find("lookup"), lookup);
	assert_int_equal(must_find("queue"), queue);
	stop();
}

static void
test_refuses_to_start(void **state)
{
	int status;

	(void)state;
	start("sick.relay-0.example");
	status = wait_end();
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 78);
	assert_true(in_log("posthorn does not start: relay-0: relay-0 is sick") > 0);
}

/* Without its supervisor nobody stays, and a second posthorn takes over. */
static void
test_supervisor_killed(void **state)
{
	pid_t first, queue;
	int64_t until;

	(void)state;
	start("mx.example.org");
	wait_log("serves as", 1);
	first = supervisor;
	queue = must_find("queue");
	assert_int_equal(kill(first, SIGKILL), 0);
	(void)wait_end();
	start("mx.example.org");
	wait_log("serves as", 2);
	for (until = now_ms() + PATIENCE_MS; kill(queue, 0) == 0 && now_ms() < until;)
		rest();
	assert_int_equal(kill(queue, 0), -1);
	stop();
}

static int
set_up(void **state)
{
	static const char *const parts[] = { "lookup", "key", "queue", "relay", "mda", "smtpd", "worker" };
	char path[512];

	(void)state;
	tempdir_make(folder);
	if (mkdir(tempdir_join(path, folder, "libexec"), 0755) == -1)
		return -1;
	link_program("logger", "control/logger/logger");
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
		link_program(parts[i], "tests/unit/control/understudy");
	return 0;
}

static int
tear_down(void **state)
{
	int status;

	(void)state;
	if (supervisor > 0) {		/* a test failed: leave nobody behind */
		(void)kill(supervisor, SIGKILL);
		(void)waitpid(supervisor, &status, 0);
		supervisor = 0;
	}
	tempdir_remove(folder);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_life, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_restart, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_silent, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_spawn_wire_lost, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_reload, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_refuses_to_start, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_supervisor_killed, set_up, tear_down),
	};

	if (getcwd(here, sizeof(here)) == NULL)
		return 1;
	if (geteuid() == 0 && (setgid(65534) == -1 || setuid(65534) == -1))
		return 1;
	if (access("control/supervisor/posthornd", X_OK) == -1 || access("control/logger/logger", X_OK) == -1) {
		print_message("1..0 # SKIP posthornd is not built, or this user cannot reach the build tree\n");
		return 77;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
