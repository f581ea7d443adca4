/*
 * child — fork, parse, one answer through a pipe: 'C' and the blob; 'R', the number of mistakes and
 * the report; or 'D' and the run directory.
 */
#include "conf/child.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "conf/load.h"
#include "ipc/reader.h"
#include "ipc/writer.h"

#define ANSWER_MAX	(CONF_BYTES_MAX + 64)
#define MISTAKES_MAX	1000000

static void
put_answer(struct buf *answer, const char *path)
{
	struct conf_report report;
	struct conf *conf;

	conf_report_init(&report);
	conf = conf_load(path, &report);
	if (conf != NULL) {
		put_u8(answer, 'C');
		conf_put(answer, conf);
	}
	if (answer->failed)
		conf_report_add(&report, path, 0, NULL,
		    "too much of everything: fewer domains, networks and listeners would be right");
	if (conf == NULL || answer->failed) {
		buf_reset(answer);
		put_u8(answer, 'R');
		put_u32(answer, report.mistakes);
		put_slice(answer, buf_slice(&report.lines));
	}
	conf_free(&conf);
	conf_report_fini(&report);
}

static void
put_directory(struct buf *answer, const char *path)
{
	put_u8(answer, 'D');
	if (load_run_directory(path, answer) == -1)
		buf_reset(answer);
}

/* The handlers and the loop belong to the parent: none of them may run in its copy. */
static void
forget_parent(void)
{
	const struct rlimit no_core = { 0, 0 },
			    seconds = { CHILD_PATIENCE_MS / 1000, CHILD_PATIENCE_MS / 1000 };
	sigset_t none;

	for (int sig = 1; sig < NSIG; sig++)
		(void)signal(sig, SIG_DFL);	/* fails for KILL and STOP, which have no handler */
	(void)signal(SIGPIPE, SIG_IGN);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	setrlimit(RLIMIT_CORE, &no_core);
	setrlimit(RLIMIT_CPU, &seconds);
}

typedef void put_fn(struct buf *answer, const char *path);

_Noreturn static void
child_main(put_fn *put, const char *path, int fd)
{
	struct buf answer;

	forget_parent();
	buf_init(&answer, ANSWER_MAX);
	put(&answer, path);
	if (answer.failed || fd_write_all(fd, buf_slice(&answer).p, buf_len(&answer)) == -1)
		_exit(1);
	_exit(0);	/* not exit: what the parent registered must not run here */
}

/* Everything until end of file, or until patience ends. -1: it took too long, or was too much. */
static int
read_answer(int fd, struct buf *answer)
{
	int64_t deadline = clock_mono_ms() + CHILD_PATIENCE_MS;
	struct pollfd p = { .fd = fd, .events = POLLIN };

	for (;;) {
		int64_t left = deadline - clock_mono_ms();
		int ready = left <= 0 ? 0 : poll(&p, 1, (int)left);
		char *room;
		ssize_t n;

		if (ready == -1 && errno == EINTR)
			continue;
		if (ready <= 0 || (room = buf_room(answer, 16 * 1024)) == NULL)
			return -1;
		n = read(fd, room, 16 * 1024);
		if (n == 0)
			return 0;
		if (n == -1 && errno != EINTR)
			return -1;
		if (n > 0)
			buf_added(answer, (size_t)n);
	}
}

static void
reap(pid_t pid)
{
	kill(pid, SIGKILL);
	while (waitpid(pid, NULL, 0) == -1 && errno == EINTR)
		continue;
}

/* -1: neither a configuration nor a report. */
static int
get_answer(struct slice answer, struct conf **out, struct conf_report *report)
{
	struct reader r = reader_of(answer);
	uint8_t kind = get_u8(&r);
	struct slice lines;

	if (kind == 'C') {
		*out = conf_get(r.in);
		return *out == NULL ? -1 : 0;
	}
	report->mistakes = get_u32(&r);
	lines = get_slice(&r, REPORT_MAX);
	if (kind != 'R' || reader_end(&r) == -1 || report->mistakes == 0 ||
	    report->mistakes > MISTAKES_MAX)
		return -1;
	buf_put_slice(&report->lines, lines);
	return 0;
}

static void
gave_up(struct conf_report *report, const char *path)
{
	report->mistakes = 0;
	buf_reset(&report->lines);
	conf_report_add(report, path, 0, NULL,
	    "reading it ended without an answer, a smaller file would be right");
}

/* Lets a child run `put` and collects what it says. -1: no child, or no whole answer in time. */
static int
ask_child(put_fn *put, const char *path, struct buf *answer)
{
	int pipes[2], rc;
	pid_t pid;

	if (pipe2(pipes, O_CLOEXEC) == -1)
		return -1;
	pid = fork();
	if (pid == 0)
		child_main(put, path, pipes[1]);
	fd_close(&pipes[1]);
	rc = pid == -1 ? -1 : read_answer(pipes[0], answer);
	if (pid != -1)
		reap(pid);
	fd_close(&pipes[0]);
	return rc;
}

int
conf_load_in_child(const char *path, struct conf **out, struct conf_report *report)
{
	struct buf answer;

	*out = NULL;
	buf_init(&answer, ANSWER_MAX);
	if (ask_child(put_answer, path, &answer) == -1 ||
	    get_answer(buf_slice(&answer), out, report) == -1)
		gave_up(report, path);
	buf_fini(&answer);
	return *out == NULL ? -1 : 0;
}

int
conf_find_run_directory(const char *path, char *out, size_t size)
{
	struct slice text;
	struct buf answer;
	int rc = -1;

	buf_init(&answer, ANSWER_MAX);
	if (ask_child(put_directory, path, &answer) == 0) {
		text = buf_slice(&answer);
		if (text.len > 1 && text.len <= size && text.p[0] == 'D') {
			memcpy(out, text.p + 1, text.len - 1);
			out[text.len - 1] = '\0';
			rc = 0;
		}
	}
	buf_fini(&answer);
	return rc;
}
