/*
 * message — making, filling and freeing what the rooms of queue pass around.
 */
#include "queue/message.h"

#include "base/mem.h"
#include "wire/fields.h"

#define DELTA_RECIPIENTS	256
#define MESSAGE_ARENA_MAX	(16 * 1024 * 1024)	/* 10,000 recipients of the longest kind */

struct message *
message_new(queue_id id)
{
	struct message *m = mem_zalloc(sizeof(*m));

	if (m == NULL)
		return NULL;
	m->id = id;
	arena_init(&m->arena, MESSAGE_ARENA_MAX);
	return m;
}

int
message_ready(struct message *m)
{
	m->places = arena_array(&m->arena, m->envelope.count, sizeof(*m->places));
	if (m->places == NULL)
		return -1;
	message_count_open(m);
	return 0;
}

void
message_count_open(struct message *m)
{
	m->open = 0;
	for (uint32_t i = 0; i < m->envelope.count; i++) {
		const struct fate *fate = &m->envelope.recipients[i].fate;
		bool final = action_final(fate->last.action);

		m->places[i].stage = final ? STAGE_FINAL : STAGE_NONE;
		m->places[i].owed = final && (fate->flags & FATE_OWED) != 0;
		if (!final)
			m->open++;
	}
}

void
message_free(struct message **mp)
{
	struct message *m = *mp;

	*mp = NULL;
	if (m == NULL)
		return;
	for (uint32_t i = 0; m->places != NULL && i < m->envelope.count; i++)
		mem_free(m->places[i].words);
	mem_free(m->content);
	arena_fini(&m->arena);
	mem_free(m);
}

/* Recipients fail by the thousand with the same words, but each owns its copy: fates change one by one. */
void
message_set_outcome(struct message *m, uint32_t index, const struct outcome *o)
{
	struct fate *fate = &m->envelope.recipients[index].fate;
	size_t text = o->text.len < OUTCOME_TEXT_MAX ? o->text.len : OUTCOME_TEXT_MAX, mta = o->mta.len;
	char *words = mem_alloc(text + mta);

	if (words == NULL)
		text = mta = 0;
	if (text > 0)
		memcpy(words, o->text.p, text);
	if (mta > 0)
		memcpy(words + text, o->mta.p, mta);
	mem_free(m->places[index].words);
	m->places[index].words = words;
	fate->last = *o;
	fate->last.text = slice_of(words != NULL ? words : "", text);
	fate->last.mta = slice_of(words != NULL ? words + text : "", mta);
	m->places[index].dirty = true;
}

int
message_apply_delta(struct message *m, struct reader *r)
{
	uint32_t n = get_count(r, DELTA_RECIPIENTS, 5);

	for (uint32_t i = 0; i < n && !r->bad; i++) {
		uint32_t index = get_u32(r);
		struct fate fate;

		get_fate(r, &fate);
		if (r->bad || index >= m->envelope.count)
			return -1;
		message_set_outcome(m, index, &fate.last);
		fate.last = m->envelope.recipients[index].fate.last;	/* its words are the message's own now */
		m->envelope.recipients[index].fate = fate;
		m->places[index].dirty = false;
	}
	return reader_end(r);
}

bool
message_is_bounce(const struct message *m)
{
	return m->envelope.reverse_path.len == 0;
}

bool
message_held(const struct message *m)
{
	for (uint32_t i = 0; i < m->envelope.count; i++) {
		const struct fate *fate = &m->envelope.recipients[i].fate;

		if (!action_final(fate->last.action) && (fate->flags & FATE_HELD))
			return true;
	}
	return false;
}
