/*
 * pam — the process that asks PAM who may log in, for lookup. See desk.h and stack.h.
 *
 * Modules that read /etc/shadow want uid 0 and are code of others: so they have a process that holds nothing else, as root without
 * root's rights. Started only where submission.users is "pam:...".
 */
#include "base/fd.h"
#include "lookup/pam/desk.h"
#include "proc/service.h"

static struct stack stack;
static struct desk *desk;

static int
pam_begin(struct process *process, struct err *err)
{
	const char *service = conf_pam_service(process->conf);

	if (service == NULL)
		return err_set(err, "submission.users names no PAM service");
	if (stack_init(&stack, service, err) == -1)
		return -1;
	desk = desk_new(process->loop, process->conf, &stack, err);
	return desk == NULL ? -1 : 0;
}

static void
pam_wire(struct process *process, const struct control_wire *wire, int fd)
{
	(void)process;
	if (wire->kind == WIRE_PAM && wire->role == ROLE_LOOKUP)
		desk_wire(desk, fd);
	else
		fd_close(&fd);
}

static void
pam_stop(struct process *process, int64_t within_ms)
{
	(void)within_ms;
	desk_free(&desk);
	process_stopped(process);
}

static void
pam_tell(struct process *process, struct buf *out)
{
	(void)process;
	desk_status(desk, out);
}

static const struct service service = {
	.name = "pam",
	.sandbox = SANDBOX_PAM,		/* no user: root without capabilities */
	.start = pam_begin,
	.wire = pam_wire,
	.stop = pam_stop,
	.status = pam_tell,
};

int
main(int argc, char **argv)
{
	return service_main(&service, argc, argv);
}
