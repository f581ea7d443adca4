/*
 * understudy — plays any part of the cast in tests of the supervisor: tells in its log what it is given, and obeys.
 *
 * Its name (argv[0], "relay-0") says the part. The host name of the configuration says how it misbehaves:
 * "refuse.PART.example" refuses that configuration at reload, "sick.PART.example" cannot start, "drop.PART.example" closes
 * the spawn wire.
 */
#include <stdio.h>
#include <string.h>

#include "base/fd.h"
#include "base/log.h"
#include "proc/service.h"

static unsigned wires, listeners;

static bool
host_says(const struct process *p, const struct conf *conf, const char *what)
{
	char name[128];

	(void)snprintf(name, sizeof(name), "%s.%s.example", what, p->name);
	return strcmp(conf->hostname, name) == 0;
}

static int
prepare(struct process *p, struct err *err)
{
	return host_says(p, p->conf, "sick") ? err_set(err, "%s is sick", p->name) : 0;
}

static void
wire(struct process *p, const struct control_wire *w, int fd)
{
	wires++;
	log_info("%s: wire kind %d role %d number %u", p->name, (int)w->kind, (int)w->role, (unsigned)w->number);
	if (w->kind == WIRE_SPAWN && host_says(p, p->conf, "drop"))
		fd_close(&fd);		/* others stay open until the process ends */
}

static void
listener(struct process *p, const struct control_wire *w, int fd)
{
	listeners++;
	log_info("%s: listener role %d number %u", p->name, (int)w->role, (unsigned)w->number);
	(void)fd;
}

static int
check(struct process *p, const struct conf *next, struct err *err)
{
	return host_says(p, next, "refuse") ? err_set(err, "%s does not like it", p->name) : 0;
}

static void
reloaded(struct process *p, const struct conf *old)
{
	log_info("%s: %s became %s", p->name, old->hostname, p->conf->hostname);
}

static void
status(struct process *p, struct buf *out)
{
	(void)p;
	(void)buf_printf(out, "wires %u\nlisteners %u\n", wires, listeners);
}

static enum sandbox
sandbox_of(const char *name)
{
	static const struct {
		const char	*part;
		enum sandbox	 sandbox;
	} rows[] = {
		{ "smtpd", SANDBOX_SESSION }, { "relay", SANDBOX_NETWORK }, { "queue", SANDBOX_STORE }, { "lookup", SANDBOX_LOOKUP },
		{ "mda", SANDBOX_DELIVER }, { "key", SANDBOX_KEY },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (strncmp(name, rows[i].part, strlen(rows[i].part)) == 0)
			return rows[i].sandbox;
	return SANDBOX_NONE;
}

static const char *
user_of(const char *name, char *out, size_t size)
{
	(void)snprintf(out, size, "posthorn-%.*s", (int)strcspn(name, "-"), name);
	return out;
}

int
main(int argc, char **argv)
{
	char user[64];
	const struct service part = {
		.name = "understudy",
		.user = user_of(argv[0], user, sizeof(user)),
		.sandbox = sandbox_of(argv[0]),
		.prepare = prepare,
		.wire = wire,
		.listener = listener,
		.check = check,
		.reloaded = reloaded,
		.status = status,
	};

	return service_main(&part, argc, argv);
}
