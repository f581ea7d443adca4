/*
 * worker — a small program that runs as a user and puts mail into that user's Maildir.
 *
 * The supervisor starts it with the user's ids and descriptor 3, a socket to mda, and nothing else. It refuses to run as
 * root. It learns its Maildir from mda, opens it, gives up everything but that directory, and only then reads mail. See worker.h.
 */
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "mda/worker/worker.h"
#include "proc/evil.h"
#include "proc/sandbox.h"

#define WIRE_FD		3
#define FILES_MOST	64
#define MEMORY_MOST	(512UL * 1024 * 1024)

#ifdef POSTHORN_SANITIZERS
static const bool sanitizer = true;	/* its shadow memory is terabytes, and its leak checker is a process */
#else
static const bool sanitizer = false;
#endif

static int
confine(const char *maildir, struct err *err)
{
	struct sandbox_grant grant = { .write = { maildir } };

	if (sandbox_enter(SANDBOX_MAILBOX, &grant, err) == -1)
		return -1;
	evil_obey();
	return 0;
}

static void
set_limits(void)
{
	struct rlimit files = { FILES_MOST, FILES_MOST }, memory = { MEMORY_MOST, MEMORY_MOST }, none = { 0, 0 };

	(void)setrlimit(RLIMIT_NOFILE, &files);
	(void)setrlimit(RLIMIT_CORE, &none);
	if (sanitizer)
		return;
	(void)setrlimit(RLIMIT_AS, &memory);
	(void)setrlimit(RLIMIT_NPROC, &none);
	/* exec has made us traceable by our user again, who shall not be the first reader of the wire. */
	(void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
}

int
main(void)
{
	struct stat st;

	log_open("worker");
	if (geteuid() == 0 || getuid() == 0)
		fatal("a delivery worker does not run as root");
	if (fstat(WIRE_FD, &st) == -1 || !S_ISSOCK(st.st_mode))
		fatal("descriptor 3 is no socket: mda's supervisor starts this program");
	(void)signal(SIGPIPE, SIG_IGN);
	(void)umask(077);
	evil_open("worker");
	evil_knows("mailbox", WIRE_FD);
	set_limits();
	return worker_serve(WIRE_FD, confine) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
