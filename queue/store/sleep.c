/*
 * sleep — messages that nobody has in memory: put to sleep, woken by time, by destination or by
 * name, and looked at without being woken.
 */
#include "base/log.h"
#include "base/mem.h"
#include "queue/store/inside.h"

bool
stored_is_spooled(const struct stored *s)
{
	return (s->flags & STORED_SPOOLED) != 0;
}

/* docs/SPOOL.md, sleep: the record as it is now, if the catalog does not have it; then nobody does. */
int
stored_sleep(struct stored *s)
{
	struct store *store = s->store;

	if (!(s->flags & STORED_SPOOLED) || (s->flags & (STORED_ORDERED | STORED_FINISHING | STORED_DEAD)) || s->pending > 0 ||
	    (store->evacuation.failing && loop_now(store->loop) < store->evacuation.again_ms))
		return -1;
	return evacuation_doze(s);
}

/* --- waking ------------------------------------------------------------------------------------- */

struct waking {
	store_woken_cb	*done;
	void		*arg;
};

struct stored *
evacuation_resurface(struct store *store, const struct catalog_record *r)
{
	struct stored *s = stored_new(store);

	if (s == NULL)
		return NULL;
	s->id = r->id;
	s->version = r->version;
	s->size = r->size;
	s->crc = r->crc;
	s->folder = r->folder;
	s->place = r->place;
	s->flags = (uint16_t)(STORED_DURABLE | STORED_SPOOLED | (r->large ? STORED_LARGE : 0));
	return s;
}

static struct store_put
put_of(const struct finding *f)
{
	const struct catalog_record *r = &f->record;

	return (struct store_put){ .id = r->id, .version = r->version, .envelope = r->envelope, .content = slice_of("", 0),
	    .large = r->large, .large_size = r->large ? r->size : 0, .large_crc = r->large ? r->crc : 0,
	    .maybe = r->maybe, .held = r->held, .awake = f->lent };
}

/* Whoever asks next may have it. Without memory it is not found again before the next start. */
void
evacuation_release(struct store *store, uint64_t id)
{
	struct question *q = question_new(QUESTION_RELEASE, slice_of("", 0));

	if (q == NULL)
		return;
	q->id = id;
	evacuator_ask(&store->evacuator, q);
}

/* What nobody can read stays in the spool, and is not brought up again before the next start. */
static bool
wake_one(struct store *store, const struct finding *f)
{
	struct store_put put = put_of(f);
	struct stored *s;

	if (store->ops->knows(store->arg, put.id))
		return false;
	if ((s = evacuation_resurface(store, &f->record)) == NULL) {
		evacuation_release(store, put.id);
		return false;
	}
	s->owner = store->ops->found(store->arg, s, &put);
	if (s->owner != NULL && s->owner != STORE_UNREADABLE)
		return true;
	if (s->owner == STORE_UNREADABLE)
		log_error("a message of the spool has an envelope that cannot be read; it stays in the spool");
	else
		evacuation_release(store, put.id);
	stored_free(store, s);
	return false;
}

static void
woken(void *arg, struct question *q)
{
	struct store *store = arg;
	struct waking *w = q->arg;
	struct store_woken answer = { .next_ms = q->next_ms, .last = q->last, .failed = q->failed };
	struct finding *f;

	STAILQ_FOREACH(f, &q->found, next)
		answer.count += wake_one(store, f);
	w->done(w->arg, &answer);
	mem_free(w);
}

static int
ask(struct store *store, struct question *q, store_woken_cb *done, void *arg)
{
	struct waking *w = mem_alloc(sizeof(*w));

	if (q == NULL || w == NULL) {
		if (q != NULL)
			question_free(q);
		mem_free(w);
		return -1;
	}
	*w = (struct waking){ done, arg };
	q->done = woken;
	q->arg = w;
	evacuator_ask(&store->evacuator, q);
	return 0;
}

static struct question *
question_of_time(struct store *store, enum question_kind kind, struct slice name, uint32_t count)
{
	struct question *q = question_new(kind, name);

	if (q == NULL)
		return NULL;
	q->count = count;
	q->until_ms = store_now(store);
	q->next_ms = PLAN_NEVER;
	return q;
}

int
store_wake_due(struct store *store, struct slice destination, uint32_t count, store_woken_cb *done, void *arg)
{
	return ask(store, question_of_time(store, QUESTION_DUE, destination, count), done, arg);
}

int
store_wake_look(struct store *store, uint32_t count, store_woken_cb *done, void *arg)
{
	return ask(store, question_of_time(store, QUESTION_LOOK, slice_of("", 0), count), done, arg);
}

int
store_wake(struct store *store, uint64_t id, store_woken_cb *done, void *arg)
{
	struct question *q = question_of_time(store, QUESTION_ID, slice_of("", 0), 1);

	if (q != NULL)
		q->id = id;
	return ask(store, q, done, arg);
}

int
store_wake_page(struct store *store, struct slice domain, uint64_t after, uint32_t count, store_woken_cb *done, void *arg)
{
	struct question *q = question_of_time(store, QUESTION_WALK, domain, count);

	if (q != NULL)
		q->id = after;
	return ask(store, q, done, arg);
}

/* --- looking ------------------------------------------------------------------------------------ */

struct paging {
	void		(*each)(void *, const struct store_put *);
	store_paged_cb	*done;
	void		*arg;
};

static void
paged(void *arg, struct question *q)
{
	struct paging *p = q->arg;
	struct store_put put;
	struct finding *f;

	(void)arg;
	STAILQ_FOREACH(f, &q->found, next) {
		put = put_of(f);
		put.large_size = f->record.size;
		p->each(p->arg, &put);
	}
	p->done(p->arg, q->last, q->failed);
	mem_free(p);
}

int
store_page(struct store *store, struct slice domain, uint64_t after, uint32_t count,
    void (*each)(void *, const struct store_put *), store_paged_cb *done, void *arg)
{
	struct paging *p = mem_alloc(sizeof(*p));
	struct question *q = question_new(QUESTION_PAGE, domain);

	if (p == NULL || q == NULL) {
		mem_free(p);
		if (q != NULL)
			question_free(q);
		return -1;
	}
	*p = (struct paging){ each, done, arg };
	q->id = after;
	q->count = count;
	q->done = paged;
	q->arg = p;
	evacuator_ask(&store->evacuator, q);
	return 0;
}
