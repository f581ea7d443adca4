/* wiring — walks the table of wires for one child. */
#include "control/supervisor/wiring.h"

#include <sys/socket.h>

#include "base/fd.h"
#include "base/log.h"

static void
join(struct child *asks, struct child *answers, enum wire_kind kind)
{
	int ends[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) == -1) {
		log_error("no wire from %s to %s: out of descriptors", asks->name, answers->name);
		/* Half a cast is worse than a short break: the newcomer is started again. */
		child_kill(asks->born >= answers->born ? asks : answers, "it cannot be wired");
		return;
	}
	child_send_peer(answers, asks, kind, ends[1]);
	child_send_peer(asks, answers, kind, ends[0]);
	fd_close(&ends[0]);
	fd_close(&ends[1]);
}

/* The reading end of `from`'s log socket; the supervisor keeps it too, so a logger that dies loses nothing that waits in it. */
static void
join_log(struct child *logger, const struct child *from)
{
	if (from->log != -1)
		child_send_wire(logger, WIRE_LOG, from->row->role, from->number, from->log);
}

void
wiring_join(const struct child_list *all, struct child *c)
{
	struct child *other;

	TAILQ_FOREACH(other, all, entry) {
		if (c->row->role == ROLE_LOGGER && other != c)
			join_log(c, other);
		if (other == c || other->state != CHILD_READY)
			continue;
		for (size_t i = 0; i < wire_row_count; i++) {
			if (wire_rows[i].asks == c->row->role && wire_rows[i].answers == other->row->role)
				join(c, other, wire_rows[i].kind);
			else if (wire_rows[i].asks == other->row->role && wire_rows[i].answers == c->row->role)
				join(other, c, wire_rows[i].kind);
		}
	}
}

void
wiring_log(const struct child_list *all, const struct child *c)
{
	struct child *other;

	TAILQ_FOREACH(other, all, entry)
		if (other->row->role == ROLE_LOGGER && other != c && other->state == CHILD_READY)
			join_log(other, c);
}
