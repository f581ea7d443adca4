/* logger's table: who it is and what it does. */
#include "base/fd.h"
#include "base/log.h"
#include "control/logger/logger.h"

static struct logger logger;

static int
prepare(struct process *p, struct err *err)
{
	struct account account;

	if (!p->root)
		return logger_open(&logger, p->conf, NULL, err);
	if (account_find(p->service->user, &account, err) == -1)
		return -1;
	return logger_open(&logger, p->conf, &account, err);
}

static int
start(struct process *p, struct err *err)
{
	if (sandbox_landlock() == 0)
		log_info("this kernel has no Landlock: system call lists, users and the empty folder fence the processes in");
	return logger_start(&logger, p->loop, err);
}

static void
wire(struct process *p, const struct control_wire *w, int fd)
{
	(void)p;
	if (w->kind == WIRE_LOG)
		logger_add(&logger, w->role, w->number, fd);
	else
		fd_close(&fd);
}

static void
stop(struct process *p, int64_t within_ms)
{
	(void)within_ms;
	log_wire_flush(NULL);		/* our own last words are among those that are read now */
	logger_close(&logger);
	process_stopped(p);
}

static void
status(struct process *p, struct buf *out)
{
	(void)p;
	logger_status(&logger, out);
}

int
main(int argc, char **argv)
{
	static const struct service service = {
		.name = "logger",
		.user = "posthorn-log",
		.sandbox = SANDBOX_LOG,
		.prepare = prepare,
		.start = start,
		.wire = wire,
		.stop = stop,
		.status = status,
	};

	return service_main(&service, argc, argv);
}
