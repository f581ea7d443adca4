/*
 * posthornd — reads the configuration, then becomes the supervisor.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "conf/child.h"
#include "control/supervisor/supervisor.h"
#include "proc/options.h"

#define EXIT_CONFIG	78
#define EXIT_USAGE	64

static const char *conf_path = POSTHORN_SYSCONFDIR "/posthorn/posthorn.conf";
static const char *libexec = POSTHORN_LIBEXECDIR;
static bool foreground, paused, check_only;

static const struct option_row rows[] = {
	{ 'c', "config",     "FILE", "the configuration; otherwise " POSTHORN_SYSCONFDIR "/posthorn/posthorn.conf", NULL, &conf_path },
	{ 'f', "foreground", NULL,   "stay in the foreground", &foreground, NULL },
	{ 'n', "check",	     NULL,   "check the configuration and end", &check_only, NULL },
	{ 0,   "paused",     NULL,   "accept mail, deliver none", &paused, NULL },
	{ 0,   "libexec",    "DIR",  "where the other programs lie: installed, or a build tree", NULL, &libexec },
	{ 0,   NULL,	     NULL,   NULL, NULL, NULL },
};

static struct conf *
read_configuration(void)
{
	struct conf *conf = NULL;
	struct conf_report report;

	conf_report_init(&report);
	if (conf_load_in_child(conf_path, &conf, &report) == -1)
		(void)fd_write_all(STDERR_FILENO, buf_slice(&report.lines).p, buf_len(&report.lines));
	conf_report_fini(&report);
	return conf;
}

/* Out of memory the kernel ends somebody: a child that comes back, rather than the one who brings it back. */
static void
protect(void)
{
	static const char least_likely[] = "-900";
	int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);

	if (fd != -1)
		(void)fd_write_all(fd, least_likely, strlen(least_likely));
	fd_close(&fd);
}

/* The one who called waits until everybody serves, and learns whether it came to that. */
static int
wait_for_daemon(int from, pid_t daemon)
{
	char byte;
	int status;

	if (fd_read_full(from, &byte, 1) == 1)
		return 0;
	if (waitpid(daemon, &status, 0) == daemon && WIFEXITED(status))
		return WEXITSTATUS(status);
	return EXIT_CONFIG;
}

static int
go_to_background(void)
{
	int ends[2];
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC) == -1 || (pid = fork()) == -1)
		fatal("cannot go to the background");
	if (pid > 0) {
		fd_close(&ends[1]);
		exit(wait_for_daemon(ends[0], pid));
	}
	(void)setsid();
	fd_close(&ends[0]);
	return ends[1];
}

static void
tell_started(void *arg)
{
	int *pipe_end = arg, null;

	if (*pipe_end == -1)
		return;
	(void)fd_write_all(*pipe_end, "+", 1);
	fd_close(pipe_end);
	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	for (int fd = 0; null != -1 && fd < 3; fd++)
		(void)dup2(null, fd);
	fd_close(&null);
}

int
main(int argc, char **argv)
{
	struct supervisor_options options = { .started = tell_started };
	struct conf *conf;
	int pipe_end = -1, first;

	log_open("posthornd");
	if (getenv("POSTHORN_LIBEXEC") != NULL)
		libexec = getenv("POSTHORN_LIBEXEC");
	first = options_parse("posthornd", "", rows, argc, argv);
	if (first == -1 || first != argc)
		return EXIT_USAGE;
	conf = read_configuration();
	if (conf == NULL)
		return EXIT_CONFIG;
	if (check_only) {
		conf_free(&conf);
		return 0;
	}
	umask(022);
	if (geteuid() == 0)
		protect();
	if (!foreground && getenv("NOTIFY_SOCKET") == NULL)
		pipe_end = go_to_background();
	options.conf_path = conf_path;
	options.libexec = libexec;
	options.paused = paused;
	options.arg = &pipe_end;
	return supervisor_run(conf, &options);
}
