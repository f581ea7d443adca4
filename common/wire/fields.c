/*
 * fields — status, outcome, fate and envelope as bytes.
 *
 * The layout is compact because every message is written to the ring
 * in it: a fate that is all zero is one bit, an original address equal
 * to the final one is another, a status without class is one byte.
 */
#include "wire/fields.h"

#include <assert.h>

#define ADDRESS_LEAST	5	/* a recipient's flags and the length of its address */

/* What a recipient carries beside its address. */
enum {
	HAS_ORIGINAL = 1 << 0, HAS_FATE = 1 << 1, HAS_NOTIFY = 1 << 2, HAS_ORCPT = 1 << 3,
	HAS_ALL = HAS_ORIGINAL | HAS_FATE | HAS_NOTIFY | HAS_ORCPT
};

/*
 * What an envelope carries is told beside the body type: two bits are that type, then two for what was said about TLS, two for RET,
 * one for an ENVID that follows, one for SMTPUTF8. Bits that nothing sets are zero, so that records of before they had a meaning still
 * read the same.
 */
enum {
	BODY_BITS = 3, TLS_SHIFT = 2, TLS_BITS = 3 << TLS_SHIFT, RET_SHIFT = 4, RET_BITS = 3 << RET_SHIFT, HAS_ENVID = 1 << 6,
	IS_SMTPUTF8 = 1 << 7
};

static_assert(BODY_COUNT <= BODY_BITS + 1 && TLS_TAG_COUNT <= 4 && RET_COUNT <= 4, "body type, TLS and RET share a byte");
static_assert(FATE_ALL <= UINT8_MAX, "a fate's flags are one byte");

void
put_time_ms(struct buf *b, int64_t ms)
{
	put_i64(b, ms < 0 ? 0 : ms > TIME_MS_MAX ? TIME_MS_MAX : ms);
}

int64_t
get_time_ms(struct reader *r)
{
	int64_t ms = get_i64(r);

	if (ms < 0 || ms > TIME_MS_MAX) {
		reader_fail(r);
		return 0;
	}
	return ms;
}

void
put_text(struct buf *b, struct slice text, size_t max)
{
	put_slice(b, text.len > max ? slice_of(text.p, max) : text);
}

struct slice
get_text(struct reader *r, size_t max)
{
	struct slice text = get_slice(r, max);

	if (text.len > 0 && memchr(text.p, '\0', text.len) != NULL) {
		reader_fail(r);
		return slice_of("", 0);
	}
	return text;
}

void
put_token(struct buf *b, const struct auth_token *token)
{
	put_u64(b, token->high);
	put_u64(b, token->low);
}

void
get_token(struct reader *r, struct auth_token *out)
{
	out->high = get_u64(r);
	out->low = get_u64(r);
}

void
put_status(struct buf *b, struct status status)
{
	put_u8(b, status.class);
	if (status.class != 0) {
		put_u16(b, status.subject);
		put_u16(b, status.detail);
	}
}

struct status
get_status(struct reader *r)
{
	struct status status = { 0, 0, 0 };

	status.class = get_u8(r);
	if (status.class == 0)
		return status;
	status.subject = get_u16(r);
	status.detail = get_u16(r);
	if (!status_valid(status)) {
		reader_fail(r);
		return STATUS(0, 0, 0);
	}
	return status;
}

void
put_outcome(struct buf *b, const struct outcome *outcome)
{
	put_u8(b, (uint8_t)outcome->action);
	put_status(b, outcome->status);
	put_text(b, outcome->text, OUTCOME_TEXT_MAX);
	put_text(b, outcome->mta, MTA_NAME_MAX);
}

void
get_outcome(struct reader *r, struct outcome *out)
{
	out->action = (enum action)get_enum0(r, ACTION_COUNT);
	out->status = get_status(r);
	out->text = get_slice(r, OUTCOME_TEXT_MAX);
	out->mta = get_slice(r, MTA_NAME_MAX);
}

uint32_t
get_notify(struct reader *r)
{
	uint32_t notify = get_u8(r);

	if (!notify_valid(notify)) {
		reader_fail(r);
		return 0;
	}
	return notify;
}

void
put_fate(struct buf *b, const struct fate *fate)
{
	put_outcome(b, &fate->last);
	put_u32(b, fate->attempts);
	put_time_ms(b, fate->next_ms);
	put_u8(b, (uint8_t)fate->flags);
}

void
get_fate(struct reader *r, struct fate *out)
{
	get_outcome(r, &out->last);
	out->attempts = get_u32(r);
	out->next_ms = get_time_ms(r);
	out->flags = get_u8(r);
	if ((out->flags & ~(uint32_t)FATE_ALL) != 0)
		reader_fail(r);
}

static bool
fate_is_zero(const struct fate *fate)
{
	return fate->last.action == ACTION_NONE && fate->last.status.class == 0 && fate->last.text.len == 0 &&
	    fate->last.mta.len == 0 && fate->attempts == 0 && fate->next_ms == 0 && fate->flags == 0;
}

static void
put_recipient(struct buf *b, const struct recipient *rcpt)
{
	unsigned has = 0;

	if (rcpt->original.len > 0)
		has |= HAS_ORIGINAL;
	if (!fate_is_zero(&rcpt->fate))
		has |= HAS_FATE;
	if (rcpt->notify != 0)
		has |= HAS_NOTIFY;
	if (rcpt->orcpt.len > 0)
		has |= HAS_ORCPT;
	put_u8(b, (uint8_t)has);
	put_slice(b, rcpt->address);
	if (has & HAS_ORIGINAL)
		put_slice(b, rcpt->original);
	if (has & HAS_NOTIFY)
		put_u8(b, (uint8_t)rcpt->notify);
	if (has & HAS_ORCPT)
		put_slice(b, rcpt->orcpt);
	if (has & HAS_FATE)
		put_fate(b, &rcpt->fate);
}

/* A slice of the frame, made to live as long as the arena. */
static struct slice
keep(struct reader *r, struct arena *arena, struct slice s)
{
	if (s.len == 0)
		return slice_of("", 0);
	s = arena_slice(arena, s);
	if (s.p == NULL) {
		reader_fail(r);
		return slice_of("", 0);
	}
	return s;
}

/* What is announced must be something: one envelope has one encoding. */
static struct slice
get_announced(struct reader *r, struct arena *arena, size_t max)
{
	struct slice text = keep(r, arena, get_text(r, max));

	if (text.len == 0)
		reader_fail(r);
	return text;
}

static uint32_t
get_announced_notify(struct reader *r)
{
	uint32_t notify = get_notify(r);

	if (notify == 0)
		reader_fail(r);
	return notify;
}

static void
get_recipient(struct reader *r, struct arena *arena, struct recipient *out)
{
	unsigned has = get_u8(r);

	if ((has & ~(unsigned)HAS_ALL) != 0)
		reader_fail(r);
	out->address = get_announced(r, arena, ADDRESS_FIELD_MAX);
	out->original = out->orcpt = slice_of("", 0);
	if (has & HAS_ORIGINAL)
		out->original = get_announced(r, arena, ADDRESS_FIELD_MAX);
	if (has & HAS_NOTIFY)
		out->notify = get_announced_notify(r);
	if (has & HAS_ORCPT)
		out->orcpt = get_announced(r, arena, ORCPT_MAX);
	if (has & HAS_FATE) {
		get_fate(r, &out->fate);
		if (fate_is_zero(&out->fate))
			reader_fail(r);
		out->fate.last.text = keep(r, arena, out->fate.last.text);
		out->fate.last.mta = keep(r, arena, out->fate.last.mta);
	}
}

static void
put_head(struct buf *b, const struct envelope *env)
{
	unsigned head = (unsigned)env->body | (unsigned)env->tls << TLS_SHIFT | (unsigned)env->ret << RET_SHIFT;

	if (env->envid.len > 0)
		head |= HAS_ENVID;
	if (env->smtputf8)
		head |= IS_SMTPUTF8;
	put_u8(b, (uint8_t)head);
	if (head & HAS_ENVID)
		put_slice(b, env->envid);
}

static void
get_head(struct reader *r, struct arena *arena, struct envelope *out)
{
	unsigned head = get_u8(r);

	out->body = (enum body_type)(head & BODY_BITS);
	out->tls = (enum tls_tag)((head & TLS_BITS) >> TLS_SHIFT);
	out->ret = (enum ret)((head & RET_BITS) >> RET_SHIFT);
	out->smtputf8 = (head & IS_SMTPUTF8) != 0;
	out->envid = slice_of("", 0);
	if (out->body == BODY_NONE || out->body >= BODY_COUNT || out->tls >= TLS_TAG_COUNT || out->ret >= RET_COUNT)
		reader_fail(r);
	if (head & HAS_ENVID)
		out->envid = get_announced(r, arena, ENVID_MAX);
}

void
put_envelope(struct buf *b, const struct envelope *env)
{
	put_slice(b, env->reverse_path);
	put_head(b, env);
	put_time_ms(b, env->arrival_ms);
	put_u64(b, env->nonce);
	put_u32(b, env->size);
	put_u32(b, env->count);
	for (uint32_t i = 0; i < env->count; i++)
		put_recipient(b, &env->recipients[i]);
}

int
get_envelope(struct reader *r, struct arena *arena, struct envelope *out)
{
	*out = (struct envelope){ 0 };
	out->reverse_path = keep(r, arena, get_text(r, ADDRESS_FIELD_MAX));
	get_head(r, arena, out);
	out->arrival_ms = get_time_ms(r);
	out->nonce = get_u64(r);
	out->size = get_u32(r);
	uint32_t count = get_count(r, ENVELOPE_RECIPIENTS_MAX, ADDRESS_LEAST);
	if (count > 0) {
		out->recipients = arena_array(arena, count, sizeof(*out->recipients));
		if (out->recipients == NULL)
			reader_fail(r);
	}
	for (uint32_t i = 0; i < count && !r->bad; i++)
		get_recipient(r, arena, &out->recipients[i]);
	if (r->bad)
		return -1;
	out->count = count;
	return 0;
}

static size_t
cut_len(struct slice text, size_t max)
{
	return 4 + (text.len > max ? max : text.len);
}

static size_t
recipient_size(const struct recipient *rcpt)
{
	const struct outcome *last = &rcpt->fate.last;
	size_t n = 1 + 4 + rcpt->address.len;

	if (rcpt->original.len > 0)
		n += 4 + rcpt->original.len;
	if (rcpt->notify != 0)
		n += 1;
	if (rcpt->orcpt.len > 0)
		n += 4 + rcpt->orcpt.len;
	if (!fate_is_zero(&rcpt->fate))
		n += 1 + (last->status.class == 0 ? 1U : 5U) + cut_len(last->text, OUTCOME_TEXT_MAX) +
		    cut_len(last->mta, MTA_NAME_MAX) + 4 + 8 + 1;
	return n;
}

size_t
envelope_size(const struct envelope *env)
{
	size_t n = 4 + env->reverse_path.len + 1 + 8 + 8 + 4 + 4;

	if (env->envid.len > 0)
		n += 4 + env->envid.len;
	for (uint32_t i = 0; i < env->count; i++)
		n += recipient_size(&env->recipients[i]);
	return n;
}
