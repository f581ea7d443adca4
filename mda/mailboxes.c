/*
 * mailboxes — one entry per address: asking (with those who wait) or known (until a time).
 */
#include "mda/mailboxes.h"

#include "base/hash.h"
#include "base/log.h"
#include "base/mem.h"
#include "event/timer.h"
#include "ipc/channel.h"

#define PATIENCE_MS	10000	/* lookup promises 5 s; a wire may have to be replaced meanwhile */
#define KNOWN_MOST	10000

struct place {
	struct hash_node	 node;
	TAILQ_ENTRY(place)	 order;		/* asking: by time of question; known: by time of answer */
	uint64_t		 serial;	/* asking: not 0 */
	int64_t			 due;		/* asking: end of patience; known: end of validity */
	struct mailbox_waits	 waits;
	char			*answer_bytes;	/* known: the encoded answer */
	size_t			 answer_len;
	struct slice		 address;
	char			 bytes[];
};
TAILQ_HEAD(places, place);

struct mailboxes {
	struct loop	*loop;
	struct channel	*channel;
	struct hash	 table;
	struct places	 asking, known;
	size_t		 known_count;
	struct timer	 deadline;
	uint64_t	 serial, generation;
	int64_t		 ttl_ms;
};

static void
place_free(struct mailboxes *m, struct place *place)
{
	hash_remove(&m->table, &place->node);
	if (place->serial != 0) {
		TAILQ_REMOVE(&m->asking, place, order);
	} else {
		TAILQ_REMOVE(&m->known, place, order);
		m->known_count--;
	}
	mem_free(place->answer_bytes);
	mem_free(place);
}

/* Everybody who waits here hears the answer; they may ask anew, also for this address. */
static void
tell_all(struct mailbox_waits *waits, const struct mailbox_answer *answer)
{
	struct mailbox_wait *wait;

	TAILQ_FOREACH(wait, waits, entry)
		wait->list = waits;
	while ((wait = TAILQ_FIRST(waits)) != NULL) {
		TAILQ_REMOVE(waits, wait, entry);
		wait->list = NULL;
		wait->done(wait->arg, answer);
	}
}

static const struct mailbox_answer *
later(struct mailbox_answer *answer, const char *text)
{
	*answer = (struct mailbox_answer){ .verdict = ROUTE_TRY_LATER, .status = STATUS(4, 3, 0), .text = slice_str(text) };
	return answer;
}

static void
place_give_up(struct mailboxes *m, struct place *place)
{
	struct mailbox_waits waits = TAILQ_HEAD_INITIALIZER(waits);
	struct mailbox_answer answer;

	TAILQ_CONCAT(&waits, &place->waits, entry);
	place_free(m, place);
	tell_all(&waits, later(&answer, "nobody could say in time whose mailbox this is"));
}

static void
on_deadline(void *arg)
{
	struct mailboxes *m = arg;
	struct place *place;

	while ((place = TAILQ_FIRST(&m->asking)) != NULL && place->due <= loop_now(m->loop))
		place_give_up(m, place);
	if (place != NULL)
		timer_set(&m->deadline, place->due - loop_now(m->loop));
}

static void
place_ask(struct mailboxes *m, const struct place *place)
{
	struct mailbox_question question = { place->serial, place->address };

	if (m->channel == NULL)
		return;
	mailbox_question_put(channel_begin(m->channel, LOOKUP_MAILBOX), &question);
	(void)channel_end(m->channel);
}

/* --- the wire --------------------------------------------------------------------------------- */

static struct place *
asking_find(const struct mailboxes *m, uint64_t serial)
{
	struct place *place;

	/* Answers come nearly in the order of the questions. */
	TAILQ_FOREACH(place, &m->asking, order)
		if (place->serial == serial)
			return place;
	return NULL;
}

/* Keeps the answer's bytes with the place; without memory it is simply not kept. */
static void
place_keep(struct mailboxes *m, struct place *place, struct slice bytes)
{
	TAILQ_REMOVE(&m->asking, place, order);
	place->serial = 0;
	place->due = loop_now(m->loop) + m->ttl_ms;
	place->answer_bytes = mem_dup(bytes.p, bytes.len);
	place->answer_len = bytes.len;
	TAILQ_INSERT_TAIL(&m->known, place, order);
	m->known_count++;
	if (place->answer_bytes == NULL || m->ttl_ms <= 0)
		place_free(m, place);
	else if (m->known_count > KNOWN_MOST)
		place_free(m, TAILQ_FIRST(&m->known));
}

static int
on_mailbox_of(void *arg, struct reader *in, int fd)
{
	struct mailbox_waits waits = TAILQ_HEAD_INITIALIZER(waits);
	struct mailboxes *m = arg;
	struct slice bytes = in->in;
	struct mailbox_answer answer;
	struct place *place;

	(void)fd;
	if (mailbox_answer_get(in, &answer) == -1)
		return -1;
	if ((place = asking_find(m, answer.serial)) == NULL)
		return 0;	/* too late */
	TAILQ_CONCAT(&waits, &place->waits, entry);
	if (answer.verdict == ROUTE_LOCAL)
		place_keep(m, place, bytes);
	else
		place_free(m, place);
	tell_all(&waits, &answer);
	return 0;
}

static void
forget_known(struct mailboxes *m)
{
	while (!TAILQ_EMPTY(&m->known))
		place_free(m, TAILQ_FIRST(&m->known));
}

static int
on_generation(void *arg, struct reader *in, int fd)
{
	struct mailboxes *m = arg;

	(void)fd;
	if (lookup_generation_get(in, &m->generation) == -1)
		return -1;
	forget_known(m);
	return 0;
}

static void
on_end(void *arg, const char *why)
{
	struct mailboxes *m = arg;

	log_warn("the wire to lookup ended: %s", why);
	channel_close(&m->channel);
}

static const struct frame_handler handlers[LOOKUP_FRAME_COUNT] = {
	[LOOKUP_MAILBOX_OF] = { "MAILBOX_OF", on_mailbox_of, false },
	[LOOKUP_GENERATION] = { "GENERATION", on_generation, false },
};

static const struct channel_ops lookup_ops = {
	.wire = "lookup", .version = LOOKUP_VERSION, .handlers = handlers, .handler_count = LOOKUP_FRAME_COUNT, .on_end = on_end,
};

void
mailboxes_wire(struct mailboxes *m, int fd)
{
	const struct place *place;
	struct err err;

	channel_close(&m->channel);
	forget_known(m);
	if ((m->channel = channel_open(m->loop, fd, &lookup_ops, m, &err)) == NULL) {
		log_error("%s", err.text);
		return;
	}
	TAILQ_FOREACH(place, &m->asking, order)
		place_ask(m, place);
}

/* --- questions -------------------------------------------------------------------------------- */

static struct place *
place_find(const struct mailboxes *m, struct slice address)
{
	struct hash_node *node;

	for (node = hash_first(&m->table, hash_slice(address)); node != NULL; node = hash_next(node)) {
		struct place *place = CONTAINER_OF(node, struct place, node);

		if (slice_eq(place->address, address))
			return place;
	}
	return NULL;
}

static struct place *
place_new(struct mailboxes *m, struct slice address)
{
	struct place *place = mem_zalloc(sizeof(*place) + address.len);

	if (place == NULL)
		return NULL;
	memcpy(place->bytes, address.p, address.len);
	place->address = slice_of(place->bytes, address.len);
	place->serial = ++m->serial;
	place->due = loop_now(m->loop) + PATIENCE_MS;
	TAILQ_INIT(&place->waits);
	hash_insert(&m->table, &place->node, hash_slice(address));
	TAILQ_INSERT_TAIL(&m->asking, place, order);
	if (!timer_is_set(&m->deadline))
		timer_set(&m->deadline, PATIENCE_MS);
	place_ask(m, place);
	return place;
}

/* An answer that is known and still holds; its slices live as long as the place. */
static bool
place_answer(const struct place *place, int64_t now, struct mailbox_answer *out)
{
	struct reader r = reader_of(slice_of(place->answer_bytes, place->answer_len));

	return place->serial == 0 && now < place->due && mailbox_answer_get(&r, out) == 0;
}

void
mailboxes_ask(struct mailboxes *m, struct slice address, struct mailbox_wait *wait)
{
	struct place *place = place_find(m, address);
	struct mailbox_answer answer;

	wait->list = NULL;
	if (place != NULL && place->serial == 0) {
		if (place_answer(place, loop_now(m->loop), &answer)) {
			wait->done(wait->arg, &answer);
			return;
		}
		place_free(m, place);
		place = NULL;
	}
	if (place == NULL && (place = place_new(m, address)) == NULL) {
		wait->done(wait->arg, later(&answer, "no memory to ask whose mailbox this is"));
		return;
	}
	TAILQ_INSERT_TAIL(&place->waits, wait, entry);
	wait->list = &place->waits;
}

void
mailboxes_forget(struct mailbox_wait *wait)
{
	if (wait->list == NULL)
		return;
	TAILQ_REMOVE(wait->list, wait, entry);
	wait->list = NULL;
}

/* --- life ------------------------------------------------------------------------------------- */

struct mailboxes *
mailboxes_new(struct loop *loop, int64_t ttl_ms, struct err *err)
{
	struct mailboxes *m = mem_zalloc(sizeof(*m));

	if (m == NULL || timer_init(&m->deadline, loop, on_deadline, m) == -1) {
		err_set(err, "no memory for mailboxes");
		mem_free(m);
		return NULL;
	}
	m->loop = loop;
	m->ttl_ms = ttl_ms;
	hash_init(&m->table);
	TAILQ_INIT(&m->asking);
	TAILQ_INIT(&m->known);
	return m;
}

void
mailboxes_ttl(struct mailboxes *m, int64_t ttl_ms)
{
	m->ttl_ms = ttl_ms;
	forget_known(m);
}

void
mailboxes_free(struct mailboxes **mp)
{
	struct mailboxes *m = *mp;

	if (m == NULL)
		return;
	forget_known(m);
	while (!TAILQ_EMPTY(&m->asking))
		place_free(m, TAILQ_FIRST(&m->asking));
	channel_close(&m->channel);
	timer_fini(&m->deadline);
	hash_fini(&m->table);
	mem_free(m);
	*mp = NULL;
}

bool
mailboxes_wired(const struct mailboxes *m)
{
	return m->channel != NULL;
}
