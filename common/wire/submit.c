/* submit — the frames between smtpd and queue as bytes. */
#include "mail/address.h"
#include "wire/submit.h"

void
submit_ids_put(struct buf *b, const struct submit_ids *ids)
{
	put_u64(b, ids->first);
	put_u32(b, ids->count);
}

int
submit_ids_get(struct reader *r, struct submit_ids *out)
{
	out->first = get_number(r);
	out->count = get_u32(r);
	if (out->count == 0 || out->count > SUBMIT_IDS_MAX || out->first > UINT64_MAX - out->count)
		reader_fail(r);
	return reader_end(r);
}

void
submit_room_put(struct buf *b, enum submit_room room)
{
	put_u8(b, (uint8_t)room);
}

int
submit_room_get(struct reader *r, enum submit_room *out)
{
	*out = (enum submit_room)get_enum0(r, ROOM_COUNT);
	return reader_end(r);
}

void
submit_message_put(struct buf *b, const struct submit_message *msg)
{
	put_u64(b, msg->serial);
	put_u64(b, msg->id);
	put_token(b, &msg->token);
	put_envelope(b, &msg->envelope);
	put_bool(b, msg->large);
	put_u32(b, msg->crc);
	put_slice(b, msg->content);
}

/* A client's message has been tried by nobody: a fate
 * in it would be a claim about somebody else's mail. */
static bool
untried(const struct envelope *env)
{
	for (uint32_t i = 0; i < env->count; i++) {
		const struct fate *fate = &env->recipients[i].fate;

		if (fate->last.action != ACTION_NONE || fate->attempts != 0 || fate->next_ms != 0 || fate->flags != 0)
			return false;
	}
	return true;
}

int
submit_message_get(struct reader *r, struct arena *arena, struct submit_message *out)
{
	*out = (struct submit_message){ 0 };
	out->serial = get_u64(r);
	out->id = get_number(r);
	get_token(r, &out->token);
	if (get_envelope(r, arena, &out->envelope) == -1)
		return -1;
	out->large = get_bool(r);
	out->crc = get_u32(r);
	out->content = get_slice(r, CONTENT_INLINE_MAX);
	if (out->envelope.count == 0 || !untried(&out->envelope))
		reader_fail(r);
	if (out->content.len != (out->large ? 0 : out->envelope.size))
		reader_fail(r);
	return reader_end(r);
}

void
submit_flush_put(struct buf *b, const struct submit_flush *flush)
{
	put_u64(b, flush->serial);
	put_token(b, &flush->token);
	put_slice(b, flush->domain);
}

int
submit_flush_get(struct reader *r, struct submit_flush *out)
{
	out->serial = get_u64(r);
	get_token(r, &out->token);
	out->domain = get_text(r, DOMAIN_MAX);
	if (out->domain.len == 0)
		reader_fail(r);
	return reader_end(r);
}

void
submit_verdict_put(struct buf *b, const struct submit_verdict_of *verdict)
{
	put_u64(b, verdict->serial);
	put_u8(b, (uint8_t)verdict->verdict);
	put_u32(b, verdict->wait_s);
	put_text(b, verdict->text, SUBMIT_TEXT_MAX);
}

int
submit_verdict_get(struct reader *r, struct submit_verdict_of *out)
{
	out->serial = get_u64(r);
	out->verdict = (enum submit_verdict)get_enum(r, VERDICT_COUNT);
	out->wait_s = get_u32(r);
	if (out->wait_s > SUBMIT_WAIT_MAX)
		reader_fail(r);
	out->text = get_slice(r, SUBMIT_TEXT_MAX);
	return reader_end(r);
}

void
submit_large_put(struct buf *b, const struct submit_large *large)
{
	put_u64(b, large->id);
	put_bool(b, large->ok);
}

int
submit_large_get(struct reader *r, struct submit_large *out)
{
	out->id = get_number(r);
	out->ok = get_bool(r);
	return reader_end(r);
}
