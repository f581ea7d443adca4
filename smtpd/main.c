/*
 * smtpd's main — hands the receiver to proc/service.
 */
#include <time.h>

#include "base/log.h"
#include "net/tls_context.h"
#include "proc/service.h"
#include "smtpd/key/provider.h"
#include "smtpd/smtpd.h"

static struct smtpd *smtpd;
static struct settings *next;		/* accepted by check, not yet in force */

/* OpenSSL costs memory that a process without TLS need not have. */
static int
ready_for_tls(const struct conf *conf, struct err *err)
{
	static bool ready;
	bool wanted = false;

	for (uint32_t i = 0; i < conf->listener_count; i++)
		wanted |= conf->listeners[i].tls.count > 0;
	if (!wanted || ready)
		return 0;
	if (tls_init(err) == -1 || key_provider_init(err) == -1)
		return -1;
	ready = true;
	return 0;
}

static struct settings *
make_settings(const struct process *process, const struct conf *conf, struct err *err)
{
	return ready_for_tls(conf, err) == -1 ? NULL : settings_new(conf, &process->files, err);
}

static int
on_prepare(struct process *process, struct err *err)
{
	tzset();		/* dates in Received show the machine's zone; its file is out of reach later */
	return ready_for_tls(process->conf, err);
}

static void
on_stopped(void *process)
{
	process_stopped(process);
}

static int
on_start(struct process *process, struct err *err)
{
	smtpd = smtpd_new(process->loop, make_settings(process, process->conf, err), process->role, process->number, on_stopped, process, err);
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

static int
on_check(struct process *process, const struct conf *conf, struct err *err)
{
	settings_drop(&next);
	next = make_settings(process, conf, err);
	return next == NULL ? -1 : 0;
}

static void
on_reloaded(struct process *process, const struct conf *old)
{
	(void)process;
	(void)old;
	smtpd_reload(smtpd, next);
	next = NULL;
}

static void
on_tickets(struct process *process, const struct control_tickets *tickets)
{
	(void)process;
	tls_ticket_keys(tickets->keys, tickets->count);
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

static bool
is_whole(const struct process *process)
{
	(void)process;
	return smtpd_is_whole(smtpd);
}

static const struct service service = {
	.name = "smtpd",
	.user = "posthorn-smtpd",
	.sandbox = SANDBOX_SESSION,
	.prepare = on_prepare,
	.start = on_start,
	.wire = on_wire,
	.listener = on_listener,
	.tickets = on_tickets,
	.check = on_check,
	.reloaded = on_reloaded,
	.stop = on_stop,
	.status = on_status,
	.whole = is_whole,
};

int
main(int argc, char **argv)
{
	return service_main(&service, argc, argv);
}
