/*
 * question — see question.h.
 */
#include "queue/store/question.h"

#include <string.h>

#include "base/mem.h"
#include "queue/store/evacuator.h"

struct question *
question_new(enum question_kind kind, struct slice name)
{
	struct question *q = mem_zalloc(sizeof(*q) + name.len);

	if (q == NULL)
		return NULL;
	q->kind = kind;
	if (name.len > 0)
		memcpy(q + 1, name.p, name.len);
	q->name = slice_of(q + 1, name.len);
	STAILQ_INIT(&q->found);
	return q;
}

void
question_free(struct question *q)
{
	struct finding *f;

	while ((f = STAILQ_FIRST(&q->found)) != NULL) {
		STAILQ_REMOVE_HEAD(&q->found, next);
		mem_free(f);
	}
	mem_free(q);
}

/* A small content will be read by the loop in a moment, which must not wait for the disk. */
static void
warm(struct evacuator *e, const struct catalog_record *r)
{
	struct record unused;
	struct err err;

	if (!r->large)
		(void)spool_read(&e->spool, r->folder, r->id, &e->scratch, &unused, &err);
}

static int
find(struct evacuator *e, struct question *q, uint64_t id, struct err *err)
{
	struct catalog_record r;
	enum catalog_found found = catalog_get(e->catalog, id, &r, err);
	struct finding *f;

	if (found != CATALOG_FOUND)
		return found == CATALOG_ABSENT ? 0 : -1;
	if ((f = mem_alloc(sizeof(*f) + r.envelope.len)) == NULL)
		return err_memory(err, "no memory");
	*f = (struct finding){ .record = r, .lent = idset_has(&e->lent, id) };
	if (r.envelope.len > 0)
		memcpy(f->envelope, r.envelope.p, r.envelope.len);
	f->record.envelope = slice_of(f->envelope, r.envelope.len);
	if (q->kind != QUESTION_PAGE && idset_add(&e->lent, id) == -1) {
		mem_free(f);
		return err_memory(err, "no memory");
	}
	STAILQ_INSERT_TAIL(&q->found, f, next);
	if (q->kind == QUESTION_DUE)
		warm(e, &r);
	return 0;
}

static int
look_up(struct evacuator *e, struct question *q, struct catalog_ids *ids, struct err *err)
{
	switch (q->kind) {
	case QUESTION_DUE:
		return catalog_due(e->catalog, q->name, q->until_ms, ids, &q->next_ms, err);
	case QUESTION_LOOK:
		return catalog_look(e->catalog, q->until_ms, ids, &q->next_ms, err);
	case QUESTION_ID:
		ids->count = idset_has(&e->lent, q->id) ? 0 : 1;
		ids->ids[0] = q->id;
		return 0;
	case QUESTION_RELEASE:
		idset_remove(&e->lent, q->id);
		ids->count = 0;
		return 0;
	case QUESTION_STILL:
		ids->count = 0;
		return catalog_flush(e->catalog, err);
	case QUESTION_WALK:
		return catalog_walk(e->catalog, q->name, q->id, ids, err);
	default:
		ids->skip = NULL;
		return catalog_walk(e->catalog, q->name, q->id, ids, err);
	}
}

void
question_answer(struct evacuator *e, struct question *q)
{
	uint64_t ids[256];
	struct catalog_ids found = { .ids = ids, .count = q->count < 256 ? q->count : 256, .skip = idset_has, .arg = &e->lent };
	struct err err = { 0 };
	uint32_t most = found.count;

	if (look_up(e, q, &found, &err) == -1)
		goto fail;
	for (uint32_t i = 0; i < found.count; i++)
		if (find(e, q, ids[i], &err) == -1)
			goto fail;
	if ((q->kind == QUESTION_PAGE || q->kind == QUESTION_WALK) && found.count == most && most > 0)
		q->last = ids[found.count - 1];
	return;
fail:
	/* What was found counts; the rest is asked for again. */
	q->failed = true;
	evacuator_doubt_catalog(e, &err);
}
