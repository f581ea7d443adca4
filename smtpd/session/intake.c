/*
 * intake — see intake.h.
 */
#include "smtpd/session/intake.h"

#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "ipc/channel.h"

#define LEASES_MAX	16	/* queue sends the next when one runs low; more would be madness */
#define SPARE_MAX	256	/* ids given back */
#define IDS_LOW		256	/* fewer at hand: more are asked for */
/* Bytes that queue has not read yet. Each session has one message in flight at most; these bound their sum. */
#define WAITING_HIGH	(16 * 1024 * 1024)	/* nobody new */
#define WAITING_MAX	(48 * 1024 * 1024)	/* nor those who have begun */

struct intake {
	struct loop		*loop;
	struct channel		*channel;
	uint32_t		 life;		/* counts wires; an id of an earlier one is worth nothing */
	enum submit_room	 room;
	bool			 asked;		/* for ids; they are on their way */
	uint64_t		 serial;
	struct submit_ids	 leases[LEASES_MAX];	/* used from the front */
	size_t			 lease_count;
	queue_id		 spare[SPARE_MAX];
	size_t			 spare_count;
	struct hash		 promises;	/* by serial */
	struct hash		 wishes;	/* by id */
};

static int	on_ids(void *, struct reader *, int);
static int	on_room(void *, struct reader *, int);
static int	on_verdict(void *, struct reader *, int);
static int	on_large_file(void *, struct reader *, int);
static void	on_end(void *, const char *);

static const struct frame_handler handlers[SUBMIT_FRAME_COUNT] = {
	[SUBMIT_IDS]		= { "ids",		on_ids,		false },
	[SUBMIT_ROOM]		= { "room",		on_room,	false },
	[SUBMIT_VERDICT]	= { "verdict",		on_verdict,	false },
	[SUBMIT_LARGE_FILE]	= { "large file",	on_large_file,	true },
};

static const struct channel_ops ops = {
	.wire = "submit",
	.version = SUBMIT_VERSION,
	.handlers = handlers,
	.handler_count = SUBMIT_FRAME_COUNT,
	.on_end = on_end,
};

struct intake *
intake_new(struct loop *loop, struct err *err)
{
	struct intake *in = mem_zalloc(sizeof(*in));

	if (in == NULL) {
		(void)err_set(err, "no memory for the submit wire");
		return NULL;
	}
	in->loop = loop;
	hash_init(&in->promises);
	hash_init(&in->wishes);
	return in;
}

void
intake_free(struct intake **ip)
{
	struct intake *in = *ip;

	*ip = NULL;
	if (in == NULL)
		return;
	channel_close(&in->channel);
	hash_fini(&in->promises);
	hash_fini(&in->wishes);
	mem_free(in);
}

static void
keep(struct intake *in, struct promise *p)
{
	hash_remove(&in->promises, &p->node);
	p->serial = 0;
}

static void
fail_promise(struct hash_node *node, void *arg)
{
	struct promise *p = CONTAINER_OF(node, struct promise, node);

	keep(arg, p);
	p->fn(p->arg, &(struct submit_verdict_of){ .verdict = VERDICT_TRY_LATER, .text = SLICE_LIT("queue is gone") });
}

static void
grant(struct intake *in, struct file_wish *wish, int fd)
{
	hash_remove(&in->wishes, &wish->node);
	wish->id = 0;
	wish->fn(wish->arg, fd);
}

static void
fail_wish(struct hash_node *node, void *arg)
{
	grant(arg, CONTAINER_OF(node, struct file_wish, node), -1);
}

/* All that was in flight is answered; leases are void. */
static void
lose(struct intake *in)
{
	channel_close(&in->channel);
	in->lease_count = in->spare_count = 0;
	in->room = ROOM_NONE;
	in->asked = false;
	in->life++;
	hash_each(&in->promises, fail_promise, in);
	hash_each(&in->wishes, fail_wish, in);
}

static void
on_end(void *arg, const char *why)
{
	log_warn("submit wire: %s", why);
	lose(arg);
}

void
intake_wire(struct intake *in, int fd)
{
	struct err err;

	lose(in);
	in->room = ROOM_ALL;		/* until queue says otherwise */
	in->channel = channel_open(in->loop, fd, &ops, in, &err);
	if (in->channel == NULL)
		log_error("submit wire: %s", err.text);
}

bool
intake_wired(const struct intake *in)
{
	return in->channel != NULL;
}

bool
intake_up(const struct intake *in)
{
	return in->channel != NULL && in->lease_count + in->spare_count > 0;
}

bool
intake_has_room(const struct intake *in, bool large)
{
	return in->room >= (large ? ROOM_ALL : ROOM_SMALL);
}

bool
intake_is_slow(const struct intake *in)
{
	return in->channel != NULL && channel_pending(in->channel) > WAITING_HIGH;
}

static int
on_ids(void *arg, struct reader *r, int fd)
{
	struct intake *in = arg;
	struct submit_ids ids;

	(void)fd;
	if (submit_ids_get(r, &ids) == -1 || in->lease_count == LEASES_MAX)
		return -1;
	in->leases[in->lease_count++] = ids;
	in->asked = false;
	return 0;
}

static int
on_room(void *arg, struct reader *r, int fd)
{
	struct intake *in = arg;
	enum submit_room room;

	(void)fd;
	if (submit_room_get(r, &room) == -1)
		return -1;
	in->room = room;
	return 0;
}

/*
 * queue sends a new block by itself when it sees ids of the newest one come back in messages. It cannot see those that went with
 * clients who left before the dot, so a flood of such clients would use up every id: hence the question.
 */
static void
ask_for_ids(struct intake *in)
{
	size_t left = in->spare_count;

	for (size_t i = 0; i < in->lease_count; i++)
		left += in->leases[i].count;
	if (left >= IDS_LOW || in->asked)
		return;
	in->asked = true;
	(void)channel_begin(in->channel, SUBMIT_WANT_IDS);
	(void)channel_end(in->channel);
}

int
intake_take_id(struct intake *in, struct ticket *out)
{
	struct submit_ids *lease = &in->leases[0];

	if (!intake_up(in))
		return -1;
	ask_for_ids(in);
	out->life = in->life;
	if (in->spare_count > 0) {
		out->id = in->spare[--in->spare_count];
		return 0;
	}
	out->id = lease->first++;
	if (--lease->count == 0) {
		in->lease_count--;
		memmove(lease, lease + 1, in->lease_count * sizeof(*lease));
	}
	return 0;
}

bool
intake_knows(const struct intake *in, const struct ticket *ticket)
{
	return ticket->id != 0 && in->channel != NULL && ticket->life == in->life;
}

void
intake_give_id(struct intake *in, struct ticket *ticket)
{
	if (intake_knows(in, ticket) && in->spare_count < SPARE_MAX)
		in->spare[in->spare_count++] = ticket->id;
	*ticket = (struct ticket){ 0 };
}

/* What has been written goes; its answer is awaited. -1: the wire has not taken it. */
static int
await(struct intake *in, struct promise *p, uint64_t serial, void (*fn)(void *, const struct submit_verdict_of *), void *arg)
{
	if (channel_end(in->channel) == -1)
		return -1;
	*p = (struct promise){ .serial = serial, .fn = fn, .arg = arg };
	hash_insert(&in->promises, &p->node, hash_u64(serial));
	return 0;
}

int
intake_submit(struct intake *in, const struct ticket *ticket, struct submit_message *message, struct promise *p,
    void (*fn)(void *, const struct submit_verdict_of *), void *arg)
{
	if (!intake_knows(in, ticket) || channel_pending(in->channel) > WAITING_MAX)
		return -1;
	message->serial = ++in->serial;
	message->id = ticket->id;
	submit_message_put(channel_begin(in->channel, SUBMIT_MESSAGE), message);
	return await(in, p, message->serial, fn, arg);
}

int
intake_flush(struct intake *in, const struct auth_token *token, struct slice domain, struct promise *p,
    void (*fn)(void *, const struct submit_verdict_of *), void *arg)
{
	struct submit_flush flush = { .serial = ++in->serial, .token = *token, .domain = domain };

	if (in->channel == NULL)
		return -1;
	submit_flush_put(channel_begin(in->channel, SUBMIT_FLUSH), &flush);
	return await(in, p, flush.serial, fn, arg);
}

void
intake_forget(struct intake *in, struct promise *p)
{
	if (p->serial != 0)
		keep(in, p);
}

static int
on_verdict(void *arg, struct reader *r, int fd)
{
	struct intake *in = arg;
	struct submit_verdict_of v;

	(void)fd;
	if (submit_verdict_get(r, &v) == -1)
		return -1;
	for (struct hash_node *n = hash_first(&in->promises, hash_u64(v.serial)); n != NULL; n = hash_next(n)) {
		struct promise *p = CONTAINER_OF(n, struct promise, node);

		if (p->serial == v.serial) {
			keep(in, p);
			p->fn(p->arg, &v);
			return 0;
		}
	}
	return 0;		/* that client has gone */
}

static struct file_wish *
find_wish(struct intake *in, queue_id id)
{
	for (struct hash_node *n = hash_first(&in->wishes, hash_u64(id)); n != NULL; n = hash_next(n)) {
		struct file_wish *wish = CONTAINER_OF(n, struct file_wish, node);

		if (wish->id == id)
			return wish;
	}
	return NULL;
}

static int
on_large_file(void *arg, struct reader *r, int fd)
{
	struct intake *in = arg;
	struct file_wish *wish;
	struct submit_large large;

	if (submit_large_get(r, &large) == -1 || large.ok != (fd != -1)) {
		fd_close(&fd);
		return -1;
	}
	wish = find_wish(in, large.id);
	if (wish == NULL)
		fd_close(&fd);		/* dropped meanwhile */
	else
		grant(in, wish, fd);
	return 0;
}

static int
send_large(struct intake *in, uint16_t type, queue_id id)
{
	struct submit_large large = { .id = id, .ok = true };

	submit_large_put(channel_begin(in->channel, type), &large);
	return channel_end(in->channel);
}

int
intake_open_file(struct intake *in, const struct ticket *ticket, struct file_wish *wish, void (*fn)(void *, int), void *arg)
{
	if (!intake_knows(in, ticket) || send_large(in, SUBMIT_LARGE_OPEN, ticket->id) == -1)
		return -1;
	*wish = (struct file_wish){ .id = ticket->id, .fn = fn, .arg = arg };
	hash_insert(&in->wishes, &wish->node, hash_u64(wish->id));
	return 0;
}

void
intake_drop_file(struct intake *in, const struct ticket *ticket, struct file_wish *wish)
{
	if (wish->id != 0) {
		hash_remove(&in->wishes, &wish->node);
		wish->id = 0;
	}
	if (intake_knows(in, ticket))
		(void)send_large(in, SUBMIT_LARGE_DROP, ticket->id);
}
