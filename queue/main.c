/*
 * queue — the queue manager: the only owner of the spool, of the schedule and of every limit on sending.
 */
#include "queue/queue.h"

static const struct service service = {
	.name     = "queue",
	.user     = "posthorn-queue",
	.sandbox  = SANDBOX_STORE,
	.start    = queue_start,
	.wire     = queue_wire,
	.listener = queue_listener,
	.check    = queue_check,
	.reloaded = queue_reloaded,
	.stop     = queue_stop,
	.status   = queue_status,
};

int
main(int argc, char **argv)
{
	return service_main(&service, argc, argv);
}
