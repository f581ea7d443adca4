/* door — the wires of the gate: smtpds, whose clients want in, and queue, which hears who is in. */
#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "lookup/password/gate_inside.h"

static int
on_begin(void *arg, struct reader *in, int fd)
{
	struct auth_begin begin;

	(void)fd;
	return auth_begin_get(in, &begin) == -1 ? -1 : attempt_begin(arg, &begin);
}

static int
on_continue(void *arg, struct reader *in, int fd)
{
	struct auth_piece piece;

	(void)fd;
	return auth_piece_get(in, &piece) == -1 ? -1 : attempt_continue(arg, &piece);
}

static int
on_resume(void *arg, struct reader *in, int fd)
{
	struct auth_granted granted;

	(void)fd;
	return auth_granted_get(in, &granted) == -1 ? -1 : attempt_resume(arg, &granted);
}

static int
on_cancel(void *arg, struct reader *in, int fd)
{
	struct attempt *a;
	uint64_t serial;

	(void)fd;
	if (auth_serial_get(in, &serial) == -1)
		return -1;
	/* One that has just been answered is over already. */
	if ((a = attempt_find(arg, serial)) == NULL)
		return 0;
	/* Dovecot and PAM hold a no back and a yes not: who goes before either is told has heard the no. */
	if (a->state == ATTEMPT_CHECKED)
		(void)failures_add(a->gate->failures, &a->gate->rules, attempt_address(a), slice_str(a->login), loop_now(a->gate->loop));
	attempt_drop(a);
	return 0;
}

static const struct frame_handler door_handlers[AUTH_FRAME_COUNT] = {
	[AUTH_BEGIN]	= { "BEGIN", on_begin, false },
	[AUTH_CONTINUE]	= { "CONTINUE", on_continue, false },
	[AUTH_RESUME]	= { "RESUME", on_resume, false },
	[AUTH_CANCEL]	= { "CANCEL", on_cancel, false },
};

static void
on_door_end(void *arg, const char *why)
{
	log_debug("an auth wire ended: %s", why);
	door_close(arg);
}

static const struct channel_ops door_ops = {
	.wire = "auth", .version = AUTH_VERSION, .handlers = door_handlers, .handler_count = AUTH_FRAME_COUNT, .secret = true,
	.on_end = on_door_end,
};

void
door_open(struct gate *g, int fd)
{
	struct door *door = mem_zalloc(sizeof(*door));
	struct err err;

	if (door == NULL) {
		fd_close(&fd);
		return;		/* smtpd sees the end of the wire, and says 454 */
	}
	door->gate = g;
	TAILQ_INIT(&door->attempts);
	hash_init(&door->by_serial);
	if ((door->channel = channel_open(g->loop, fd, &door_ops, door, &err)) == NULL) {
		log_error("%s", err.text);
		mem_free(door);
		return;
	}
	TAILQ_INSERT_TAIL(&g->doors, door, all);
	door_mechanisms(door);
}

void
door_close(struct door *door)
{
	channel_close(&door->channel);
	while (!TAILQ_EMPTY(&door->attempts))
		attempt_drop(TAILQ_FIRST(&door->attempts));
	TAILQ_REMOVE(&door->gate->doors, door, all);
	hash_fini(&door->by_serial);
	mem_free(door);
}

void
door_mechanisms(struct door *door)
{
	auth_mechanisms_put(channel_begin(door->channel, AUTH_MECHANISMS), slice_str(door->gate->mechanisms));
	(void)channel_end(door->channel);
}

void
door_tell(struct attempt *a, uint16_t type, struct slice text)
{
	struct channel *channel = a->door->channel;

	if (channel == NULL)
		return;
	if (type == AUTH_CHALLENGE)
		auth_piece_put(channel_begin(channel, type), &(struct auth_piece){ a->serial, text });
	else if (type == AUTH_OK)
		auth_granted_put(channel_begin(channel, type), &(struct auth_granted){ a->serial, a->token, slice_str(a->login) });
	else
		auth_denied_put(channel_begin(channel, type), &(struct auth_denied){ a->serial, slice_str(a->login), text });
	(void)channel_end(channel);
}

void
door_refuse(struct door *door, uint64_t serial, struct slice text)
{
	auth_denied_put(channel_begin(door->channel, AUTH_LATER), &(struct auth_denied){ .serial = serial, .text = text });
	(void)channel_end(door->channel);
}

/* --- queue -------------------------------------------------------------------------------------- */

static int
on_known(void *arg, struct reader *in, int fd)
{
	struct auth_known known;

	(void)fd;
	if (auth_known_get(in, &known) == -1)
		return -1;
	attempt_known(arg, &known);
	return 0;
}

static const struct frame_handler queue_handlers[AUTH_FRAME_COUNT] = {
	[AUTH_KNOWN]	= { "KNOWN", on_known, false },
};

/* Those whose answer is awaited have timers of their own. */
static void
on_queue_end(void *arg, const char *why)
{
	struct gate *g = arg;

	log_debug("queue's auth wire ended: %s", why);
	channel_close(&g->queue);
}

static const struct channel_ops queue_ops = {
	.wire = "auth", .version = AUTH_VERSION, .handlers = queue_handlers, .handler_count = AUTH_FRAME_COUNT, .on_end = on_queue_end,
};

void
queue_open(struct gate *g, int fd)
{
	struct door *door;
	struct attempt *a;
	struct err err;

	channel_close(&g->queue);
	if ((g->queue = channel_open(g->loop, fd, &queue_ops, g, &err)) == NULL) {
		log_error("%s", err.text);
		return;
	}
	TAILQ_FOREACH(door, &g->doors, all)
		TAILQ_FOREACH(a, &door->attempts, of_door)
			if (a->state == ATTEMPT_LIVE || a->state == ATTEMPT_QUEUE)
				(void)queue_login(a);
	(void)channel_begin(g->queue, AUTH_TOLD);
	(void)channel_end(g->queue);
}

int
queue_login(struct attempt *a)
{
	struct auth_granted login = { .serial = a->id, .token = a->token, .login = slice_str(a->login) };

	if (a->gate->queue == NULL)
		return -1;
	auth_granted_put(channel_begin(a->gate->queue, a->resumed ? AUTH_CLAIM : AUTH_LOGIN), &login);
	return channel_end(a->gate->queue);
}

void
queue_logout(struct attempt *a)
{
	if (a->gate->queue == NULL)
		return;
	auth_logout_put(channel_begin(a->gate->queue, AUTH_LOGOUT), &a->token);
	(void)channel_end(a->gate->queue);
}
