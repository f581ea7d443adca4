/* posthorn(1) against a scripted daemon: what it asks, what it prints, and its exit status. */
#include "tests/support/testing.h"

#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/fd.h"
#include "control/cli/cli.h"
#include "ipc/channel.h"
#include "mail/queue_id.h"
#include "net/listen.h"
#include "wire/control.h"

static char directory[] = "/tmp/posthorn-test-XXXXXX";

static int
enter_directory(void **state)
{
	(void)state;
	return mkdtemp(directory) == NULL || chdir(directory) == -1;
}

static int
leave_directory(void **state)
{
	static const char *const files[] = { "out", "err", "queue", "control", "seen", "p.conf", "broken.conf" };

	(void)state;
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
		(void)unlink(files[i]);
	return chdir("/") == -1 || rmdir(directory) == -1;
}

/* What the daemon of one test does with each connection. */
enum script { SCRIPT_OK, SCRIPT_REFUSE, SCRIPT_ITEMS, SCRIPT_BYTES, SCRIPT_VANISH, SCRIPT_GARBAGE, SCRIPT_STRANGER };

static void
send_text(struct chan_sync *c, uint16_t type, bool ok, const char *text)
{
	struct control_text t = { ok, slice_str(text) };

	control_text_put(chan_sync_begin(c, type), &t);
	(void)chan_sync_send(c, -1, NULL);
}

static void
send_items(struct chan_sync *c)
{
	struct queue_item_recipient r = { .address = SLICE_LIT("b@example.net") };
	struct queue_item item = { .id = queue_id_of(1, 1), .size = 2048, .arrival_ms = 1000, .expiry_ms = 2000,
		.sender = SLICE_LIT("a@example.org"), .count = 1, .recipients = &r };

	for (int i = 0; i < 3; i++) {
		queue_item_put(chan_sync_begin(c, CONTROL_ITEM), &item);
		(void)chan_sync_send(c, -1, NULL);
		item.id++;
	}
	send_text(c, CONTROL_OUTCOME, true, "3 messages");
}

/* Notes the request as one line, so that the test can see what was asked. */
static void
note_request(const struct operator_request *request)
{
	FILE *f = fopen("seen", "a");

	fprintf(f, "%.*s %u %u", SLICE_FMT(request->verb), request->flags, request->count);
	if (request->count > 0)
		fprintf(f, " %.*s", SLICE_FMT(request->args[0]));
	fputc('\n', f);
	fclose(f);
}

static void
act(struct chan_sync *c, enum script script)
{
	switch (script) {
	case SCRIPT_OK:
		send_text(c, CONTROL_OUTCOME, true, "done");
		break;
	case SCRIPT_REFUSE:
		send_text(c, CONTROL_OUTCOME, false, "no such message\x1b");
		break;
	case SCRIPT_ITEMS:
		send_items(c);
		break;
	case SCRIPT_BYTES:
		send_text(c, CONTROL_BYTES, true, "Subject: x\r\n");
		send_text(c, CONTROL_BYTES, true, "\r\nbody \x1b\r\n");
		send_text(c, CONTROL_OUTCOME, true, "");
		break;
	case SCRIPT_VANISH:
		send_text(c, CONTROL_BYTES, true, "half\n");
		break;
	default:
		put_u8(chan_sync_begin(c, CONTROL_ITEM), 7);
		(void)chan_sync_send(c, -1, NULL);
		break;
	}
}

static void
serve_one(int fd, enum script script)
{
	struct operator_request request;
	struct chan_sync *c = chan_sync_open(fd, script == SCRIPT_STRANGER ? "submit" : "control", CONTROL_VERSION, NULL);
	struct reader r;
	int passed;

	if (c != NULL && chan_sync_next(c, &r, &passed, NULL) == CONTROL_OPERATOR && operator_request_get(&r, &request) == 0) {
		note_request(&request);
		act(c, script);
	}
	chan_sync_close(&c);
}

/* A daemon in a process of its own that answers until it is killed. */
static pid_t
daemon_start(const char *socket, enum script script)
{
	struct err err = { 0 };
	int fd = listen_unix(socket, 0600, 5, &err);
	pid_t pid;

	assert_true(fd >= 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		alarm(30);
		for (;;) {
			int peer = accept(fd, NULL, NULL);

			if (peer >= 0)
				serve_one(peer, script);
			else
				usleep(1000);	/* the listener does not block */
		}
	}
	close(fd);
	return pid;
}

static void
daemon_stop(pid_t pid)
{
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static char *
slurp(const char *name)
{
	static char text[2][16384];
	static int turn;
	char *out = text[turn = !turn];
	FILE *f = fopen(name, "r");

	out[f == NULL ? 0 : fread(out, 1, sizeof(text[0]) - 1, f)] = '\0';
	if (f != NULL)
		fclose(f);
	return out;
}

/* Runs posthorn or mailq in a child, so that its exit status and output are what a shell would
 * see. */
static int
run(int (*program)(int, char **), char **argv)
{
	int argc = 0, status;
	pid_t pid;

	while (argv[argc] != NULL)
		argc++;
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		alarm(30);
		if (freopen("out", "w", stdout) == NULL || freopen("err", "w", stderr) == NULL)
			_exit(99);
		status = program(argc, argv);
		fflush(stderr);
		_exit(status);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

#define ID	"0000000800001"

static const struct {
	const char	*args[8];
	const char	*socket;		/* on which a daemon is; NULL: none */
	enum script	 script;
	int		 status;
	const char	*out, *err, *seen;	/* parts; seen: the whole */
} cases[] = {
	{ { "queue", "list" }, NULL, 0, EX_UNAVAILABLE, "", "is posthorn running?", "" },
	{ { "status" }, NULL, 0, EX_UNAVAILABLE, "", "./control: is posthorn running?", "" },
	{ { "queue", "list" }, "queue", SCRIPT_ITEMS, 0, "-- 6 Kbytes in 3 Requests.\n", "", "list 0 0\n" },
	{ { "queue", "list", "--json", "@example.net" }, "queue", SCRIPT_ITEMS, 0, "\"message_size\":2048", "",
	  "list 1 1 @example.net\n" },
	{ { "queue", "show", ID }, "queue", SCRIPT_ITEMS, 0, "Recipient:  b@example.net", "", "show 0 1 " ID "\n" },
	{ { "queue", "cat", ID }, "queue", SCRIPT_BYTES, 0, "Subject: x\r\n\r\nbody \x1b\r\n", "", "cat 0 1 " ID "\n" },
	{ { "queue", "hold", ID }, "queue", SCRIPT_OK, 0, "done\n", "", "hold 0 1 " ID "\n" },
	{ { "queue", "release", "all" }, "queue", SCRIPT_OK, 0, "done\n", "", "release 0 1 all\n" },
	{ { "queue", "retry", "@example.net" }, "queue", SCRIPT_OK, 0, "done\n", "", "retry 0 1 @example.net\n" },
	{ { "queue", "delete", ID, "all" }, "queue", SCRIPT_OK, 0, "done\n", "", "delete 0 2 " ID "\n" },
	{ { "queue", "delete", ID }, "queue", SCRIPT_REFUSE, EX_DATAERR, "", "no such message\\x1b\n", "delete 0 1 " ID "\n" },
	{ { "queue", "list" }, "queue", SCRIPT_VANISH, EX_UNAVAILABLE, "", "closed before the end", "list 0 0\n" },
	{ { "queue", "list" }, "queue", SCRIPT_GARBAGE, EX_PROTOCOL, "", "not understood", "list 0 0\n" },
	{ { "queue", "list" }, "queue", SCRIPT_STRANGER, EX_PROTOCOL, "", "does not speak", "" },
	{ { "status" }, "control", SCRIPT_BYTES, 0, "Subject: x?\n?\nbody ??\n", "", "status 0 0\n" },
	{ { "reload" }, "control", SCRIPT_REFUSE, EX_DATAERR, "", "no such message", "reload 0 0\n" },
	{ { "stop" }, "control", SCRIPT_OK, 0, "done\n", "", "stop 0 0\n" },
	/* what is wrong is said before anybody is asked */
	{ { "queue", "show", "xyz" }, "queue", SCRIPT_OK, EX_USAGE, "", "no queue id", "" },
	{ { "queue", "show", "all" }, "queue", SCRIPT_OK, EX_USAGE, "", "no queue id", "" },
	{ { "queue", "hold" }, "queue", SCRIPT_OK, EX_USAGE, "", "usage: posthorn queue hold", "" },
	{ { "queue", "hold", "@" }, "queue", SCRIPT_OK, EX_USAGE, "", "no @domain", "" },
	{ { "queue", "hold", ID, "--json" }, "queue", SCRIPT_OK, EX_USAGE, "", "no such option", "" },
	{ { "queue", "dance" }, NULL, 0, EX_USAGE, "", "no such verb", "" },
	{ { NULL }, NULL, 0, EX_USAGE, "", "no verb given", "" },
	{ { "status", "--colour" }, NULL, 0, EX_USAGE, "", "unknown option --colour", "" },
	{ { "status", "-c" }, NULL, 0, EX_USAGE, "", "needs a value", "" },
	{ { "check", "-c", "absent.conf" }, NULL, 0, EX_CONFIG, "", "absent.conf: No such file or directory", "" },
	{ { "check", "-c", "p.conf" }, NULL, 0, 0, "p.conf is good: mx1.example.org", "", "" },
	{ { "config", "show", "-c", "p.conf" }, NULL, 0, 0, "hostname = \"mx1.example.org\"", "", "" },
	{ { "config", "show", "--defaults" }, NULL, 0, 0, "\tring-segments = 16", "", "" },
	{ { "config", "manual" }, NULL, 0, 0, ".It Ic connect-timeout\n", "", "" },
	{ { "help" }, NULL, 0, 0, "queue retry id | @domain | all ...", "", "" },
	{ { "version" }, NULL, 0, 0, "posthorn " PACKAGE_VERSION "\n", "", "" },
};

static void
commands(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char *argv[12] = { (char *)(uintptr_t)"/usr/bin/posthorn", (char *)(uintptr_t)"-r", (char *)(uintptr_t)"." };
		pid_t pid = cases[i].socket == NULL ? 0 : daemon_start(cases[i].socket, cases[i].script);
		int status;

		ROW(i, cases[i].args[0] == NULL ? "" : cases[i].args[0]);
		for (size_t j = 0; j < 8 && cases[i].args[j] != NULL; j++)
			argv[j + 3] = (char *)(uintptr_t)cases[i].args[j];
		status = run(cli_posthorn, argv);
		if (pid != 0)
			daemon_stop(pid);
		assert_string_equal(slurp("seen"), cases[i].seen);
		(void)unlink("seen");
		(void)unlink("queue");
		(void)unlink("control");
		assert_non_null(strstr(slurp("err"), cases[i].err));
		assert_non_null(strstr(slurp("out"), cases[i].out));
		assert_int_equal(status, cases[i].status);
		/* Trouble is told on stderr only, and a good end says nothing there. */
		assert_int_equal(slurp("err")[0] == '\0', status == 0);
	}
}

/* More words than one request holds: several requests, none forgotten. */
static void
many_ids(void **state)
{
	char *argv[5 + 150] = { (char *)(uintptr_t)"posthorn", (char *)(uintptr_t)"-r.", (char *)(uintptr_t)"queue",
		(char *)(uintptr_t)"hold" };
	pid_t pid = daemon_start("queue", SCRIPT_OK);

	(void)state;
	for (int i = 0; i < 150; i++)
		argv[4 + i] = (char *)(uintptr_t)ID;
	assert_int_equal(run(cli_posthorn, argv), 0);
	daemon_stop(pid);
	assert_string_equal(slurp("seen"), "hold 0 64 " ID "\nhold 0 64 " ID "\nhold 0 22 " ID "\n");
	(void)unlink("seen");
	(void)unlink("queue");
}

static void
mailq(void **state)
{
	char *argv[] = { (char *)(uintptr_t)"mailq", (char *)(uintptr_t)"-c", (char *)(uintptr_t)"p.conf", NULL };
	char *broken[] = { (char *)(uintptr_t)"mailq", (char *)(uintptr_t)"-c", (char *)(uintptr_t)"broken.conf", NULL };
	char *absent[] = { (char *)(uintptr_t)"mailq", (char *)(uintptr_t)"-cabsent.conf", NULL };
	char *extra[] = { (char *)(uintptr_t)"mailq", (char *)(uintptr_t)"x", NULL };
	pid_t pid = daemon_start("queue", SCRIPT_OK);

	(void)state;
	assert_int_equal(run(cli_mailq, argv), 0);	/* the run directory comes from the configuration */
	assert_string_equal(slurp("out"), "Mail queue is empty\n");
	assert_int_equal(run(cli_mailq, broken), 0);	/* also from one that is being changed */
	daemon_stop(pid);
	assert_string_equal(slurp("err"), "");
	assert_int_equal(run(cli_mailq, absent), EX_CONFIG);
	assert_non_null(strstr(slurp("err"), "absent.conf cannot be read"));
	assert_int_equal(run(cli_mailq, extra), EX_USAGE);
	(void)unlink("seen");
	(void)unlink("queue");
}

/* A socket that the caller may not use is another thing than a posthorn that does not run. */
static void
no_permission(void **state)
{
	char *argv[] = { (char *)(uintptr_t)"posthorn", (char *)(uintptr_t)"-r.", (char *)(uintptr_t)"status", NULL };
	struct err err = { 0 };
	int fd;

	(void)state;
	if (geteuid() == 0)
		skip();		/* root may use any */
	fd = listen_unix("control", 0, 5, &err);
	assert_true(fd >= 0);
	assert_int_equal(run(cli_posthorn, argv), EX_NOPERM);
	assert_non_null(strstr(slurp("err"), "may not talk to ./control"));
	close(fd);
	(void)unlink("control");
}

static int
setup(void **state)
{
	FILE *f;

	if (enter_directory(state) != 0 || (f = fopen("p.conf", "w")) == NULL)
		return -1;
	fprintf(f, "hostname = \"mx1.example.org\"\nrun-directory = \"%s\"\n", directory);
	if (fclose(f) != 0 || (f = fopen("broken.conf", "w")) == NULL)
		return -1;
	fprintf(f, "run-directory = \"%s\"\nnonsense = 5\nmessage-size = 05\nqueue {\n", directory);
	return fclose(f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(commands), cmocka_unit_test(many_ids), cmocka_unit_test(mailq), cmocka_unit_test(no_permission),
	};

	return cmocka_run_group_tests(tests, setup, leave_directory);
}
