/*
 * relay — the process that carries mail to other hosts. See relay.h.
 */
#include "base/fd.h"
#include "base/log.h"
#include "net/tls_context.h"
#include "proc/service.h"
#include "relay/relay.h"

static struct relay_system found;
static struct relay *relay;
static struct tls_context *next;	/* accepted by check, not yet in force */

/* What is believed of certificates. NULL: err. */
static struct tls_context *
make_tls(const struct process *process, const struct conf *conf, struct err *err)
{
	struct tls_context *tls = NULL;
	struct buf pem;
	int result = 0;

	buf_init(&pem, AUTHORITIES_MAX + FILE_BLOCK);
	if (files_have(&process->files, PASSED_AUTHORITIES, 0))
		result = files_read(&process->files, PASSED_AUTHORITIES, 0, &pem, err);
	if (result == 0)
		tls = tls_client_new(buf_slice(&pem), err);
	if (tls == NULL)
		(void)err_wrap(err, "tls-authorities %s", conf->relay.tls_authorities);
	buf_fini(&pem);
	return tls;
}

/* Inside the sandbox there is neither /etc/resolv.conf nor a list of interfaces. */
static int
relay_prepare(struct process *process, struct err *err)
{
	int count = resolver_system_servers(found.servers, RESOLVER_SERVERS_MAX, err);

	found.server_count = count > 0 ? (uint32_t)count : 0;
	own_find_interfaces(&found.own);
	if (found.server_count == 0 && process->conf->dns.servers.count == 0)
		return -1;
	return tls_init(err);
}

/* Authorities that cannot be read are no reason to keep mail that does not need them. */
static int
relay_start(struct process *process, struct err *err)
{
	struct tls_context *tls = make_tls(process, process->conf, err);

	if (tls == NULL) {
		log_warn("%s; mail that requires TLS waits", err->text);
		tls = tls_client_new(SLICE_LIT(""), err);
	}
	if (tls != NULL)
		relay = relay_new(process->loop, process->conf, &found, &tls, err);
	return relay == NULL ? -1 : 0;
}

static void
take_wire(struct process *process, const struct control_wire *wire, int fd)
{
	(void)process;
	if (wire->kind == WIRE_DELIVER)
		relay_wire(relay, fd);
	else
		fd_close(&fd);
}

static int
check(struct process *process, const struct conf *conf, struct err *err)
{
	if (conf->dns.servers.count == 0 && found.server_count == 0)
		return err_set(err, "no DNS server: dns { servers } is empty, and so is /etc/resolv.conf");
	tls_context_drop(&next);
	next = make_tls(process, conf, err);
	return next == NULL ? -1 : 0;
}

static void
reloaded(struct process *process, const struct conf *old)
{
	struct err err;

	(void)old;
	/* Without memory for new DNS channels only a fresh start helps; queue gives the jobs to that one. */
	if (relay_reload(relay, process->conf, &next, &err) == -1)
		fatal("relay: %s", err.text);
}

static void
stopped(void *process)
{
	process_stopped(process);
}

static void
relay_end(struct process *process, int64_t within_ms)
{
	(void)within_ms;
	relay_stop(relay, stopped, process);
}

static void
tell(struct process *process, struct buf *out)
{
	(void)process;
	relay_status(relay, out);
}

static bool
is_whole(const struct process *process)
{
	(void)process;
	return relay_is_whole(relay);
}

static const struct service service = {
	.name = "relay",
	.user = "posthorn-relay",
	.sandbox = SANDBOX_NETWORK,
	.prepare = relay_prepare,
	.start = relay_start,
	.wire = take_wire,
	.check = check,
	.reloaded = reloaded,
	.stop = relay_end,
	.status = tell,
	.whole = is_whole,
};

int
main(int argc, char **argv)
{
	return service_main(&service, argc, argv);
}
