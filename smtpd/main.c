/*
 * smtpd's main — hands the receiver to proc/service.
 */
#include <time.h>

#include "base/log.h"
#include "proc/service.h"
#include "smtpd/smtpd.h"

static struct smtpd *smtpd;

static int
on_prepare(struct process *process, struct err *err)
{
	(void)process;
	(void)err;
	tzset();		/* dates in Received show the machine's zone; its file is out of reach later */
	return 0;
}

static void
on_stopped(void *process)
{
	process_stopped(process);
}

static int
on_start(struct process *process, struct err *err)
{
	smtpd = smtpd_new(process->loop, process->conf, process->role, process->number, on_stopped, process, err);
	return smtpd == NULL ? -1 : 0;
}

static void
on_wire(struct process *process, const struct control_wire *wire, int fd)
{
	(void)process;
	smtpd_wire(smtpd, wire, fd);
}

static void
on_listener(struct process *process, const struct control_wire *wire, int fd)
{
	(void)process;
	(void)wire;
	smtpd_listener(smtpd, fd);
}

static void
on_reloaded(struct process *process, const struct conf *old)
{
	struct err err;

	(void)old;
	if (smtpd_reload(smtpd, process->conf, &err) == -1)
		log_error("still with the old settings: %s", err.text);
}

static void
on_stop(struct process *process, int64_t within_ms)
{
	(void)process;
	smtpd_stop(smtpd, within_ms);
}

static void
on_status(struct process *process, struct buf *out)
{
	(void)process;
	smtpd_status(smtpd, out);
}

static const struct service service = {
	.name = "smtpd",
	.user = "posthorn-smtpd",
	.sandbox = SANDBOX_SESSION,
	.prepare = on_prepare,
	.start = on_start,
	.wire = on_wire,
	.listener = on_listener,
	.reloaded = on_reloaded,
	.stop = on_stop,
	.status = on_status,
};

int
main(int argc, char **argv)
{
	return service_main(&service, argc, argv);
}
