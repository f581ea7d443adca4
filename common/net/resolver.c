/*
 * resolver — questions, a cache of answers, and channels to servers beneath (dns_channel.c).
 *
 * Timeouts move on to the next server inside a channel; an answer that says "I cannot" moves the question to the next channel.
 * Answers land from deep inside the library, so `landed` only notes what came; everything else happens at the end of the round
 * (work).
 */
#include "net/resolver.h"

#include <bsd/sys/queue.h>

#include "base/hash.h"
#include "base/mem.h"
#include "base/random.h"
#include "net/dns_channel.h"

#define ENTRIES_MAX	4096		/* answers kept and questions under way */
#define TTL_NO_MAX	900u		/* a "no" is not believed for longer */

struct resolver_entry {			/* one name and type: a question under way, or its answer */
	struct hash_node		 node;
	struct dns_flight		 flight;
	TAILQ_ENTRY(resolver_entry)	 age;		/* in `ages`: least recently asked for first */
	TAILQ_ENTRY(resolver_entry)	 turn;		/* in `ready` */
	struct resolver			*resolver;
	struct question			*askers;
	struct dns_answer		*answer;	/* NULL: not yet; records in the same allocation */
	int64_t				 expires;	/* loop_now() time */
	uint32_t			 server, spoken;	/* whose turn; how many have answered in vain */
	bool				 flying;	/* it will land */
	bool				 ready;
	bool				 plain;		/* without EDNS */
	enum dns_type			 type;
	size_t				 name_len;
	char				 name[DNS_NAME_SIZE];
};

TAILQ_HEAD(entry_list, resolver_entry);

struct resolver {
	struct loop		*loop;
	struct dns_channels	*channels;
	struct hook		 hook;
	struct hash		 entries;
	struct entry_list	 ages, ready;
	uint64_t		 packets;
};

static void work(void *);

/* ---- entries ---- */

static uint64_t
key_of(struct slice name, enum dns_type type)
{
	return hash_slice_nocase(name) + (uint64_t)type * UINT64_C(0x9e3779b97f4a7c15);
}

static struct resolver_entry *
entry_find(struct resolver *r, struct slice name, enum dns_type type)
{
	struct hash_node *node;

	for (node = hash_first(&r->entries, key_of(name, type)); node != NULL; node = hash_next(node)) {
		struct resolver_entry *e = CONTAINER_OF(node, struct resolver_entry, node);

		if (e->type == type && slice_caseeq(slice_of(e->name, e->name_len), name))
			return e;
	}
	return NULL;
}

static void
entry_free(struct resolver_entry *e)
{
	struct resolver *r = e->resolver;

	hash_remove(&r->entries, &e->node);
	TAILQ_REMOVE(&r->ages, e, age);
	if (e->ready)
		TAILQ_REMOVE(&r->ready, e, turn);
	mem_free(e->answer);
	mem_free(e);
}

static bool
entry_idle(const struct resolver_entry *e)
{
	return !e->flying && !e->ready && e->askers == NULL;
}

/* Makes room by forgetting the answer that nobody asked for longest. -1: everything is under way. */
static int
make_room(struct resolver *r)
{
	struct resolver_entry *e;

	if (r->entries.count < ENTRIES_MAX)
		return 0;
	TAILQ_FOREACH(e, &r->ages, age) {
		if (entry_idle(e)) {
			entry_free(e);
			return 0;
		}
	}
	return -1;
}

static struct resolver_entry *
entry_new(struct resolver *r, struct slice name, enum dns_type type)
{
	struct resolver_entry *e;

	if (make_room(r) == -1 || (e = mem_zalloc(sizeof(*e))) == NULL)
		return NULL;
	e->resolver = r;
	e->type = type;
	e->name_len = name.len;
	memcpy(e->name, name.p, name.len);
	hash_insert(&r->entries, &e->node, key_of(name, type));
	TAILQ_INSERT_TAIL(&r->ages, e, age);
	return e;
}

static void
entry_ready(struct resolver_entry *e)
{
	struct resolver *r = e->resolver;

	if (!e->ready)
		TAILQ_INSERT_TAIL(&r->ready, e, turn);
	e->ready = true;
	loop_at_end(r->loop, &r->hook, work, r);
}

static struct dns_answer *
answer_copy(const struct dns_answer *answer)
{
	size_t records = answer->count * sizeof(struct dns_record);
	struct dns_answer *copy = mem_alloc(sizeof(*copy) + records);

	if (copy == NULL)
		return NULL;
	*copy = *answer;
	copy->records = (struct dns_record *)(void *)(copy + 1);
	if (records > 0)
		memcpy(copy->records, answer->records, records);
	return copy;
}

/* Without memory for the answer the askers hear DNS_TEMPORARY (entry_tell). */
static void
entry_keep(struct resolver_entry *e, const struct dns_answer *answer)
{
	uint32_t ttl = answer->ttl;

	if (answer->result != DNS_FOUND && ttl > TTL_NO_MAX)
		ttl = TTL_NO_MAX;
	mem_free(e->answer);
	e->answer = answer_copy(answer);
	e->expires = loop_now(e->resolver->loop) + (int64_t)ttl * 1000;
}

/* ---- asking and telling ---- */

static void
landed(struct dns_flight *flight, struct slice bytes, bool closed)
{
	struct resolver_entry *e = CONTAINER_OF(flight, struct resolver_entry, flight);
	struct dns_record room[DNS_RECORDS_MAX];
	struct dns_answer answer = { .result = DNS_TEMPORARY };

	e->flying = false;
	entry_ready(e);
	if (closed)
		return;				/* to be asked again of other servers */
	if (bytes.p != NULL)
		dns_answer_parse(bytes, slice_of(e->name, e->name_len), e->type, room, &answer);
	if (answer.format_error && !e->plain) {
		e->plain = true;
		return;
	}
	if (answer.result == DNS_TEMPORARY && bytes.p != NULL && ++e->spoken < dns_channels_count(e->resolver->channels)) {
		e->server++;
		return;
	}
	entry_keep(e, &answer);
}

static void
entry_send(struct resolver_entry *e)
{
	struct resolver *r = e->resolver;
	uint8_t packet[DNS_QUESTION_MAX];
	int len;

	len = dns_question(slice_of(e->name, e->name_len), e->type, (uint16_t)random_below(65536), e->plain, packet, sizeof(packet));
	e->flying = true;
	e->flight.landed = landed;
	r->packets++;
	dns_channel_send(r->channels, e->server % dns_channels_count(r->channels), slice_of(packet, (size_t)len), &e->flight);
}

static void
question_unlink(struct question *q)
{
	*q->prev = q->next;
	if (q->next != NULL)
		q->next->prev = q->prev;
	q->next = NULL;
	q->prev = NULL;
	q->entry = NULL;
}

/* An asker may cancel others, or ask the same again: that one joins the front of the list, so only those who waited before are told,
 * from a list of their own. */
static void
entry_tell(struct resolver_entry *e, const struct dns_answer *answer)
{
	struct question *waiting = e->askers, *q;

	e->askers = NULL;
	if (waiting != NULL)
		waiting->prev = &waiting;
	while ((q = waiting) != NULL) {
		question_unlink(q);
		q->done(q->arg, answer);
	}
}

static void
entry_work(struct resolver_entry *e)
{
	static const struct dns_answer nothing = { .result = DNS_TEMPORARY };
	struct dns_answer *answer = e->answer;

	if (e->askers == NULL && answer == NULL) {
		entry_free(e);			/* cancelled before it was asked */
		return;
	}
	if (answer == NULL && e->expires == 0) {
		entry_send(e);
		return;
	}
	/* The askers see the answer until the last of them has returned, whatever they ask meanwhile. */
	e->flying = true;
	entry_tell(e, answer == NULL ? &nothing : answer);
	e->flying = false;
	if (e->expires > loop_now(e->resolver->loop) && answer != NULL)
		return;
	mem_free(e->answer);
	e->answer = NULL;
	e->expires = 0;
	e->spoken = 0;
	if (e->askers != NULL)
		entry_ready(e);
	else if (!e->ready)
		entry_free(e);
}

static void
work(void *arg)
{
	struct resolver *r = arg;
	struct resolver_entry *e;

	while ((e = TAILQ_FIRST(&r->ready)) != NULL) {
		TAILQ_REMOVE(&r->ready, e, turn);
		e->ready = false;
		if (!e->flying)
			entry_work(e);
	}
}

/* ---- the face ---- */

static void
entry_forget_old(struct resolver_entry *e)
{
	if (!entry_idle(e) || e->answer == NULL || e->expires > loop_now(e->resolver->loop))
		return;
	mem_free(e->answer);
	e->answer = NULL;
	e->expires = 0;
	e->spoken = 0;
}

int
resolver_ask(struct resolver *r, struct question *q, struct slice name, enum dns_type type,
    void (*done)(void *, const struct dns_answer *), void *arg)
{
	struct resolver_entry *e;

	if (!dns_name_valid(name))
		return -1;
	e = entry_find(r, name, type);
	if (e != NULL)
		entry_forget_old(e);
	else if ((e = entry_new(r, name, type)) == NULL)
		return -1;
	TAILQ_REMOVE(&r->ages, e, age);
	TAILQ_INSERT_TAIL(&r->ages, e, age);
	*q = (struct question){ .next = e->askers, .prev = &e->askers, .entry = e, .done = done, .arg = arg };
	if (e->askers != NULL)
		e->askers->prev = &q->next;
	e->askers = q;
	if (e->answer != NULL || !e->flying)
		entry_ready(e);
	return 0;
}

void
resolver_cancel(struct question *q)
{
	if (q->entry != NULL)
		question_unlink(q);
}

struct resolver *
resolver_new(struct loop *loop, const struct resolver_conf *conf, struct err *err)
{
	struct resolver *r = mem_zalloc(sizeof(*r));

	if (r == NULL) {
		(void)err_set(err, "no memory for DNS");
		return NULL;
	}
	r->loop = loop;
	TAILQ_INIT(&r->ages);
	TAILQ_INIT(&r->ready);
	hash_init(&r->entries);
	r->channels = dns_channels_new(loop, conf, err);
	if (r->channels == NULL)
		resolver_free(&r);
	return r;
}

void
resolver_free(struct resolver **rp)
{
	struct resolver *r = *rp;
	struct resolver_entry *e;

	*rp = NULL;
	if (r == NULL)
		return;
	dns_channels_free(&r->channels);
	loop_hook_cancel(r->loop, &r->hook);
	while ((e = TAILQ_FIRST(&r->ages)) != NULL)
		entry_free(e);
	hash_fini(&r->entries);
	mem_free(r);
}

int
resolver_configure(struct resolver *r, const struct resolver_conf *conf, struct err *err)
{
	struct dns_channels *fresh = dns_channels_new(r->loop, conf, err), *old = r->channels;

	if (fresh == NULL)
		return -1;
	r->channels = fresh;		/* before the old ones close: what lands then is asked again here */
	dns_channels_free(&old);
	return 0;
}

uint64_t
resolver_packets(const struct resolver *r)
{
	return r->packets;
}
