/*
 * lookup — the process that knows whose addresses are ours, and who logs in. See lookup.h and password/gate.h.
 */
#include "base/fd.h"
#include "base/log.h"
#include "lookup/lookup.h"
#include "lookup/password/gate.h"
#include "lookup/password/verifier.h"
#include "lookup/user/account.h"
#include "lookup/worker.h"
#include "proc/service.h"

static struct lookup *lookup;
static struct gate *gate;

static int
lookup_prepare(struct process *process, struct err *err)
{
	(void)process;
	(void)err;
	account_warm_up();
	verifier_warm_up();
	return 0;
}

static int
lookup_start(struct process *process, struct err *err)
{
	lookup = lookup_new(process->loop, process->conf, worker_run, err);
	if (lookup == NULL)
		return -1;
	gate = gate_new(process->loop, process->conf, err);
	return gate == NULL ? -1 : 0;
}

static void
lookup_take_wire(struct process *process, const struct control_wire *wire, int fd)
{
	(void)process;
	if (wire->kind == WIRE_LOOKUP)
		lookup_wire(lookup, wire->role, fd);
	else if (wire->kind == WIRE_AUTH || wire->kind == WIRE_PAM)
		gate_wire(gate, wire->role, fd);
	else
		fd_close(&fd);
}

static void
lookup_reloaded(struct process *process, const struct conf *old)
{
	struct err err;

	(void)old;
	if (lookup_reload(lookup, process->conf, &err) == -1 || gate_reload(gate, process->conf, &err) == -1) {
		log_error("%s: lookup starts anew", err.text);
		process_stopped(process);
	}
}

static void
lookup_stop(struct process *process, int64_t within_ms)
{
	(void)within_ms;
	gate_free(&gate);
	lookup_free(&lookup);
	process_stopped(process);
}

static void
lookup_tell(struct process *process, struct buf *out)
{
	(void)process;
	lookup_status(lookup, out);
	gate_status(gate, out);
}

static bool
is_whole(const struct process *process)
{
	(void)process;
	return lookup_is_whole(lookup);
}

static const struct service service = {
	.name = "lookup",
	.user = "posthorn-lookup",
	.sandbox = SANDBOX_LOOKUP,
	.prepare = lookup_prepare,
	.start = lookup_start,
	.wire = lookup_take_wire,
	.reloaded = lookup_reloaded,
	.stop = lookup_stop,
	.status = lookup_tell,
	.whole = is_whole,
};

int
main(int argc, char **argv)
{
	return service_main(&service, argc, argv);
}
