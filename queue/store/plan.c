/*
 * plan — see plan.h. Items one behind the other: part (1), priority (1), time (8), length of the name (2), name.
 */
#include "queue/store/plan.h"

#include "queue/store/bytes.h"

#define ITEM_HEAD	12u
#define BYTES_MAX	(8u * 1024 * 1024)	/* 10,000 recipients, each with a domain of its own */

void
plan_init(struct plan *p)
{
	buf_init(&p->bytes, BYTES_MAX);
}

void
plan_fini(struct plan *p)
{
	buf_fini(&p->bytes);
}

void
plan_reset(struct plan *p)
{
	buf_reset(&p->bytes);
}

static void
add(struct plan *p, enum plan_part part, enum plan_priority priority, int64_t at_ms, struct slice name)
{
	size_t len = name.len < PLAN_NAME_MAX ? name.len : PLAN_NAME_MAX;
	unsigned char head[ITEM_HEAD] = { (unsigned char)part, (unsigned char)priority };

	bytes_put64(head + 2, (uint64_t)at_ms);
	bytes_put16(head + 10, (uint16_t)len);
	(void)buf_append(&p->bytes, head, sizeof(head));
	(void)buf_append(&p->bytes, name.p, len);
}

void
plan_row(struct plan *p, struct slice destination, enum plan_priority priority, int64_t due_ms)
{
	add(p, PLAN_ROW, priority, due_ms < 0 ? 0 : due_ms, destination);
}

void
plan_look(struct plan *p, int64_t at_ms)
{
	add(p, PLAN_LOOK, PLAN_NONE, at_ms < 0 ? 0 : at_ms, slice_of("", 0));
}

void
plan_domain(struct plan *p, struct slice domain)
{
	char small[PLAN_NAME_MAX];
	size_t len = domain.len < sizeof(small) ? domain.len : sizeof(small);

	for (size_t i = 0; i < len; i++)
		small[i] = domain.p[i] >= 'A' && domain.p[i] <= 'Z' ? (char)(domain.p[i] - 'A' + 'a') : domain.p[i];
	add(p, PLAN_DOMAIN, PLAN_NONE, 0, slice_of(small, len));
}

void
plan_hold(struct plan *p)
{
	add(p, PLAN_HOLD, PLAN_NONE, 0, slice_of("", 0));
}

bool
plan_failed(const struct plan *p)
{
	return p->bytes.failed;
}

struct slice
plan_slice(const struct plan *p)
{
	return buf_slice(&p->bytes);
}

enum plan_part
plan_take(struct slice *in, struct plan_item *out)
{
	const unsigned char *head = (const unsigned char *)in->p;
	size_t len;

	if (in->len < ITEM_HEAD || (len = bytes_get16(head + 10)) > in->len - ITEM_HEAD || len > PLAN_NAME_MAX ||
	    head[0] == PLAN_END || head[0] > PLAN_HOLD || head[1] >= PLAN_PRIORITY_COUNT)
		return out->part = PLAN_END;
	*out = (struct plan_item){ .part = (enum plan_part)head[0], .priority = (enum plan_priority)head[1],
	    .at_ms = (int64_t)(bytes_get64(head + 2) & INT64_MAX), .name = slice_of(in->p + ITEM_HEAD, len) };
	slice_drop(in, ITEM_HEAD + len);
	return out->part;
}

bool
plan_holds(struct slice plan)
{
	struct plan_item item;
	enum plan_part part;

	do
		part = plan_take(&plan, &item);
	while (part != PLAN_HOLD && part != PLAN_END);
	return part == PLAN_HOLD;
}
