/*
 * listing — verbs that look: list, count, show, cat.
 *
 * A listing streams: first what is in memory, then what sleeps, page by page from the catalog. It stops while the tool does not
 * read, and steps over messages that end meanwhile. What was shown awake is not shown again when it has fallen asleep by then.
 */
#include "queue/client.h"

#include <inttypes.h>

#include "base/crc32c.h"
#include "base/mem.h"
#include "mail/idna.h"

#define PENDING_MAX	(256 * 1024)	/* bytes queued to a tool before a listing rests */
#define PAGE		256		/* messages that sleep, at a time */
#define CAT_PIECE	(64 * 1024)

static void go_on(struct client *);

/* --- one message -------------------------------------------------------------------------------- */

static const char *
why(const struct queue *q, const struct message *m, uint32_t i)
{
	const struct place *place = &m->places[i];

	if (m->envelope.recipients[i].fate.flags & FATE_HELD)
		return "held until somebody releases it";
	if (m->stored == NULL && place->stage != STAGE_FINAL)
		return "waiting for its next attempt";		/* it sleeps */
	switch (place->stage) {
	case STAGE_JOB:
		return place->job == NULL ? "being scheduled" : schedule_why(q->schedule, place->job);
	case STAGE_FINAL:
		return "done";
	case STAGE_STUCK:
		return "postmaster has no mailbox";
	default:
		return place->routing != NULL ? "asking where it goes" : "address lookup is not available";
	}
}

static bool
is_active(const struct place *place)
{
	return place->stage == STAGE_JOB && place->job != NULL &&
	    (place->job->state == JOB_ACTIVE || place->job->state == JOB_READY);
}

static void
fill_recipient(const struct queue *q, const struct message *m, uint32_t i, struct queue_item_recipient *out)
{
	const struct recipient *rcpt = &m->envelope.recipients[i];

	*out = (struct queue_item_recipient){ .address = rcpt->address, .original = rcpt->original, .fate = rcpt->fate,
	    .active = is_active(&m->places[i]), .nexthop = m->places[i].nexthop, .why = slice_str(why(q, m, i)) };
	if (out->nexthop.p == NULL)
		out->nexthop = slice_of("", 0);
}

/* One ITEM with the recipients from *at on that are to be shown; *at moves behind the last of them. */
static void
send_part(struct client *c, const struct message *m, bool everything, uint32_t *at)
{
	const struct queue *q = c->queue;
	struct queue_item item = { .id = m->id, .size = m->envelope.size, .arrival_ms = queue_wall_ms(q, m->envelope.arrival_ms),
	    .expiry_ms = queue_wall_ms(q, queue_expiry_ms(q, m)), .sender = m->envelope.reverse_path, .held = message_held(m) };
	uint32_t left = m->envelope.count - *at;

	arena_reset(c->item);
	item.recipients = arena_array(c->item, left < ITEM_RECIPIENTS_MAX ? left : ITEM_RECIPIENTS_MAX,
	    sizeof(*item.recipients));
	for (; item.recipients != NULL && *at < m->envelope.count && item.count < ITEM_RECIPIENTS_MAX; (*at)++) {
		if (!everything && m->places[*at].stage == STAGE_FINAL)
			continue;
		fill_recipient(q, m, *at, &item.recipients[item.count]);
		item.active = item.active || item.recipients[item.count].active;
		item.count++;
	}
	queue_item_put(channel_begin(c->channel, CONTROL_ITEM), &item);
	(void)channel_end(c->channel);
}

static void
send_item(struct client *c, const struct message *m, bool everything)
{
	uint32_t at = 0, before;

	do {
		before = at;
		send_part(c, m, everything, &at);
	} while (at < m->envelope.count && at > before);
}

/* --- a listing ---------------------------------------------------------------------------------- */

bool
listing_goes_to(const struct message *m, struct slice domain)
{
	char ascii[DOMAIN_MAX + 1];

	for (uint32_t i = 0; i < m->envelope.count; i++)
		if (m->places[i].stage != STAGE_FINAL &&
		    slice_caseeq(address_domain_ascii(m->envelope.recipients[i].address, ascii), domain))
			return true;
	return false;
}

static bool
is_wanted(const struct client *c, const struct message *m)
{
	return !m->deleted && (c->domain.len == 0 || listing_goes_to(m, c->domain));
}

static void
show_one(struct client *c, const struct message *m)
{
	if (!is_wanted(c, m))
		return;
	send_item(c, m, false);
	c->count++;
}

static void
show_awake(struct client *c)
{
	while (c->cursor != NULL && channel_pending(c->channel) < PENDING_MAX) {
		struct message *m = c->cursor;

		c->cursor = TAILQ_NEXT(m, all);
		(void)idset_add(&c->shown, m->id);	/* without memory it may be shown twice */
		show_one(c, m);
	}
	if (c->cursor == NULL) {
		c->looking = LOOKING_ASLEEP;
		c->after = 0;
		go_on(c);
	}
}

static void
show_page_entry(void *arg, const struct store_put *put)
{
	struct client *c = arg;
	struct message *m = queue_find(c->queue, put->id), *read = NULL;

	if (c->channel == NULL || idset_has(&c->shown, put->id) || (m == NULL && put->awake))
		return;		/* awake and not known: it is finished, and not forgotten yet */
	if (m == NULL)
		m = read = queue_read(put);
	if (m == NULL)
		log_warn("a message of the spool cannot be listed: no memory, or a record that cannot be read");
	else
		show_one(c, m);
	message_free(&read);
}

static void
finish(struct client *c)
{
	c->looking = LOOKING_NONE;
	idset_fini(&c->shown);
	idset_init(&c->shown);
	client_say(c, true, "%u messages", c->count);
}

static void
page_shown(void *arg, uint64_t last, bool failed)
{
	struct client *c = arg;

	if (!client_is_back(c))
		return;
	if (failed) {
		c->looking = LOOKING_NONE;
		client_say(c, false, "the catalog cannot be read now: ask again");
		return;
	}
	c->after = last;
	if (last == 0)
		finish(c);
	else
		go_on(c);
}

static void
show_asleep(struct client *c)
{
	if (c->busy || channel_pending(c->channel) >= PENDING_MAX)
		return;
	c->busy = c->queue->store != NULL &&
	    store_page(c->queue->store, c->domain, c->after, PAGE, show_page_entry, page_shown, c) == 0;
	if (!c->busy)
		finish(c);
}

static void
go_on(struct client *c)
{
	if (c->looking == LOOKING_AWAKE)
		show_awake(c);
	else if (c->looking == LOOKING_ASLEEP)
		show_asleep(c);
}

void
listing_go_on(struct client *c)
{
	go_on(c);
}

/* Domains are kept in small letters by the store. */
static struct slice
lower(struct arena *arena, struct slice s)
{
	struct slice copy = arena_slice(arena, s);

	for (size_t i = 0; copy.p != NULL && i < copy.len; i++)
		((char *)(uintptr_t)copy.p)[i] = ascii_lower(copy.p[i]);
	return copy;
}

void
listing_list(struct client *c, const struct operator_request *request)
{
	struct slice domain = slice_of("", 0);

	if (request->count > 0)
		(void)client_domain(request->args[0], &domain);
	c->domain = lower(&c->arena, domain);
	if (c->domain.p == NULL) {
		client_say(c, false, "no memory");
		return;
	}
	c->cursor = TAILQ_FIRST(&c->queue->all);
	c->looking = LOOKING_AWAKE;
	go_on(c);
}

void
listing_count(struct client *c, const struct operator_request *request)
{
	uint64_t bytes, messages = queue_count(c->queue, &bytes);

	(void)request;
	client_say(c, true, "%" PRIu64 " messages, %" PRIu64 " KiB", messages, bytes / 1024);
}

/* --- one message by its id ---------------------------------------------------------------------- */

static void
show(struct client *c, struct message *m)
{
	send_item(c, m, true);
	client_say(c, true, "1 message");
}

static void
send_bytes(struct client *c, struct slice bytes)
{
	while (bytes.len > 0) {
		size_t n = bytes.len < CONTROL_TEXT_MAX ? bytes.len : CONTROL_TEXT_MAX;

		control_text_put(channel_begin(c->channel, CONTROL_BYTES),
		    &(struct control_text){ .ok = true, .text = slice_of(bytes.p, n) });
		if (channel_end(c->channel) == -1)
			return;
		slice_drop(&bytes, n);
	}
}

static void
cat(struct client *c, struct message *m)
{
	char *piece = mem_alloc(CAT_PIECE);
	uint32_t size = m->envelope.size, crc = 0;
	struct err err = { 0 };

	for (uint32_t at = 0; piece != NULL && at < size; at += CAT_PIECE) {
		size_t n = size - at < CAT_PIECE ? size - at : CAT_PIECE;

		if (stored_read(m->stored, at, piece, n, &err) == -1) {
			client_say(c, false, "its content cannot be read: %s", err.text);
			mem_free(piece);
			return;
		}
		crc = crc32c(crc, piece, n);
		send_bytes(c, slice_of(piece, n));
	}
	if (piece != NULL && crc != stored_crc(m->stored))
		client_say(c, false, "its content is damaged: what was shown fails its checksum");
	else if (piece != NULL)
		client_say(c, true, "%u bytes", size);
	else
		client_say(c, false, "no memory");
	mem_free(piece);
}

static void
no_such(struct client *c)
{
	client_say(c, false, "no such message: say the id that mailq shows");
}

static void
named_woken(void *arg, const struct store_woken *w)
{
	struct client *c = arg;
	struct message *m;

	(void)w;
	if (!client_is_back(c))
		return;
	m = queue_find(c->queue, c->after);
	if (m == NULL)
		no_such(c);
	else
		c->wanted(c, m);
}

/* What sleeps is woken first; it falls asleep again by itself. */
static void
by_name(struct client *c, const struct operator_request *request, void (*wanted)(struct client *, struct message *))
{
	struct message *m;
	queue_id id = 0;

	if (request->count != 1 || queue_id_parse(request->args[0], &id) == -1) {
		no_such(c);
		return;
	}
	if ((m = queue_find(c->queue, id)) != NULL) {
		wanted(c, m);
		return;
	}
	c->after = id;
	c->wanted = wanted;
	c->busy = store_wake(c->queue->store, id, named_woken, c) == 0;
	if (!c->busy)
		no_such(c);
}

void
listing_show(struct client *c, const struct operator_request *request)
{
	by_name(c, request, show);
}

void
listing_cat(struct client *c, const struct operator_request *request)
{
	by_name(c, request, cat);
}
