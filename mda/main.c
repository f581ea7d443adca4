/*
 * mda — the process that brings mail into local mailboxes. See mda.h.
 */
#include "base/fd.h"
#include "mda/mda.h"
#include "proc/service.h"

static struct mda *mda;

static int
start(struct process *process, struct err *err)
{
	mda = mda_new(process->loop, process->conf, process->root, sync_flush_fs, err);
	return mda == NULL ? -1 : 0;
}

static void
take_wire(struct process *process, const struct control_wire *wire, int fd)
{
	(void)process;
	switch (wire->kind) {
	case WIRE_DELIVER:
		mda_wire_deliver(mda, fd);
		break;
	case WIRE_LOOKUP:
		mda_wire_lookup(mda, fd);
		break;
	case WIRE_SPAWN:
		mda_wire_spawn(mda, fd);
		break;
	default:
		fd_close(&fd);
	}
}

static void
reloaded(struct process *process, const struct conf *old)
{
	(void)old;
	mda_reload(mda, process->conf);
}

static void
stopped(void *arg)
{
	process_stopped(arg);
}

static void
stop(struct process *process, int64_t within_ms)
{
	(void)within_ms;
	mda_stop(mda, stopped, process);
}

static void
tell(struct process *process, struct buf *out)
{
	(void)process;
	mda_status(mda, out);
}

static bool
is_whole(const struct process *process)
{
	(void)process;
	return mda_is_whole(mda);
}

static const struct service service = {
	.name = "mda",
	.user = "posthorn-mda",
	.sandbox = SANDBOX_DELIVER,
	.start = start,
	.wire = take_wire,
	.reloaded = reloaded,
	.stop = stop,
	.status = tell,
	.whole = is_whole,
};

int
main(int argc, char **argv)
{
	return service_main(&service, argc, argv);
}
