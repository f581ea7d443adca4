/* control — what the supervisor, its children and the operator's tools say, as bytes. */
#include "wire/control.h"

#include <assert.h>

#define ARG_LEAST	4	/* the length of an empty slice */
#define ITEM_LEAST	40	/* address, original, a zero fate, active, next hop, why */
#define SEGMENT_LEAST	12

void
control_boot_put(struct buf *b, const struct control_boot *boot)
{
	put_slice(b, boot->name);
	put_u8(b, (uint8_t)boot->role);
	put_u32(b, boot->process);
	put_u64(b, boot->generation);
	put_bool(b, boot->paused);
	put_bool(b, boot->root);
	put_slice(b, boot->conf);
}

int
control_boot_get(struct reader *r, struct control_boot *out)
{
	out->name = get_text(r, PROCESS_NAME_MAX);
	out->role = (enum wire_role)get_enum(r, ROLE_COUNT);
	out->process = get_u32(r);
	out->generation = get_u64(r);
	out->paused = get_bool(r);
	out->root = get_bool(r);
	out->conf = get_slice(r, CONF_BLOB_MAX);
	if (out->name.len == 0)
		reader_fail(r);
	return reader_end(r);
}

void
control_wire_put(struct buf *b, const struct control_wire *wire)
{
	put_u8(b, (uint8_t)wire->kind);
	put_u8(b, (uint8_t)wire->role);
	put_u32(b, wire->number);
	put_bool(b, wire->fault);
}

int
control_wire_get(struct reader *r, struct control_wire *out)
{
	out->kind = (enum wire_kind)get_enum0(r, WIRE_KIND_COUNT);
	out->role = (enum wire_role)get_enum(r, ROLE_COUNT);
	out->number = get_u32(r);
	out->fault = get_bool(r);
	return reader_end(r);
}

void
control_conf_put(struct buf *b, const struct control_conf *conf)
{
	put_u64(b, conf->generation);
	put_bool(b, conf->ok);
	put_slice(b, conf->conf);
	put_text(b, conf->text, CONTROL_TEXT_MAX);
}

int
control_conf_get(struct reader *r, struct control_conf *out)
{
	out->generation = get_u64(r);
	out->ok = get_bool(r);
	out->conf = get_slice(r, CONF_BLOB_MAX);
	out->text = get_slice(r, CONTROL_TEXT_MAX);
	return reader_end(r);
}

/* Not cut: a piece of somebody's mail is either whole or refused. */
void
control_text_put(struct buf *b, const struct control_text *text)
{
	put_bool(b, text->ok);
	put_slice(b, text->text);
}

int
control_text_get(struct reader *r, struct control_text *out)
{
	out->ok = get_bool(r);
	out->text = get_slice(r, CONTROL_BYTES_MAX);
	return reader_end(r);
}

void
control_file_put(struct buf *b, const struct control_file *file)
{
	put_u8(b, (uint8_t)file->kind);
	put_u32(b, file->number);
}

int
control_file_get(struct reader *r, struct control_file *out)
{
	out->kind = (enum passed)get_enum(r, PASSED_COUNT);
	out->number = get_u32(r);
	return reader_end(r);
}

void
control_tickets_put(struct buf *b, const struct control_tickets *tickets)
{
	put_u32(b, tickets->count);
	for (uint32_t i = 0; i < tickets->count; i++)
		put_slice(b, slice_of((const char *)tickets->keys[i], CONTROL_TICKET_KEY));
}

int
control_tickets_get(struct reader *r, struct control_tickets *out)
{
	out->count = get_count(r, CONTROL_TICKET_KEYS, CONTROL_TICKET_KEY);
	if (out->count == 0)
		reader_fail(r);
	for (uint32_t i = 0; i < out->count && !r->bad; i++) {
		struct slice key = get_slice(r, CONTROL_TICKET_KEY);

		if (key.len != CONTROL_TICKET_KEY)
			reader_fail(r);
		else
			memcpy(out->keys[i], key.p, CONTROL_TICKET_KEY);
	}
	return reader_end(r);
}

void
control_stop_put(struct buf *b, const struct control_stop *stop)
{
	put_u32(b, stop->within_ms);
}

int
control_stop_get(struct reader *r, struct control_stop *out)
{
	out->within_ms = get_u32(r);
	return reader_end(r);
}

void
operator_request_put(struct buf *b, const struct operator_request *request)
{
	assert(request->count <= OPERATOR_ARGS_MAX);
	put_slice(b, request->verb);
	put_u32(b, request->flags);
	put_u32(b, request->count);
	for (uint32_t i = 0; i < request->count; i++)
		put_slice(b, request->args[i]);
}

int
operator_request_get(struct reader *r, struct operator_request *out)
{
	out->verb = get_text(r, OPERATOR_VERB_MAX);
	out->flags = get_u32(r);
	out->count = get_count(r, OPERATOR_ARGS_MAX, ARG_LEAST);
	for (uint32_t i = 0; i < out->count; i++)
		out->args[i] = get_text(r, OPERATOR_ARG_MAX);
	if (out->verb.len == 0 || (out->flags & ~(uint32_t)OPERATOR_FLAGS_ALL) != 0)
		reader_fail(r);
	return reader_end(r);
}

static void
put_item_recipient(struct buf *b, const struct queue_item_recipient *rcpt)
{
	put_slice(b, rcpt->address);
	put_slice(b, rcpt->original);
	put_fate(b, &rcpt->fate);
	put_bool(b, rcpt->active);
	put_slice(b, rcpt->nexthop);
	put_text(b, rcpt->why, ITEM_WHY_MAX);
}

static void
get_item_recipient(struct reader *r, struct queue_item_recipient *out)
{
	out->address = get_text(r, ADDRESS_FIELD_MAX);
	out->original = get_text(r, ADDRESS_FIELD_MAX);
	get_fate(r, &out->fate);
	out->active = get_bool(r);
	out->nexthop = get_text(r, NEXTHOP_MAX);
	out->why = get_slice(r, ITEM_WHY_MAX);
	if (out->address.len == 0)
		reader_fail(r);
}

void
queue_item_put(struct buf *b, const struct queue_item *item)
{
	put_u64(b, item->id);
	put_u32(b, item->size);
	put_time_ms(b, item->arrival_ms);
	put_time_ms(b, item->expiry_ms);
	put_slice(b, item->sender);
	put_bool(b, item->active);
	put_bool(b, item->held);
	put_u32(b, item->count);
	for (uint32_t i = 0; i < item->count; i++)
		put_item_recipient(b, &item->recipients[i]);
}

int
queue_item_get(struct reader *r, struct arena *arena, struct queue_item *out)
{
	*out = (struct queue_item){ 0 };
	out->id = get_number(r);
	out->size = get_u32(r);
	out->arrival_ms = get_time_ms(r);
	out->expiry_ms = get_time_ms(r);
	out->sender = get_text(r, ADDRESS_FIELD_MAX);
	out->active = get_bool(r);
	out->held = get_bool(r);
	uint32_t count = get_count(r, ITEM_RECIPIENTS_MAX, ITEM_LEAST);
	if (count > 0 && (out->recipients = arena_array(arena, count, sizeof(*out->recipients))) == NULL)
		reader_fail(r);
	for (uint32_t i = 0; i < count && !r->bad; i++)
		get_item_recipient(r, &out->recipients[i]);
	if (reader_end(r) == -1)
		return -1;
	out->count = count;
	return 0;
}

void
control_pinned_put(struct buf *b, const struct control_pinned *pinned)
{
	put_slice(b, pinned->directory);
	put_u64(b, pinned->messages);
	put_u32(b, pinned->count);
	for (uint32_t i = 0; i < pinned->count; i++) {
		put_u32(b, pinned->segments[i].number);
		put_u32(b, pinned->segments[i].size);
		put_u32(b, pinned->segments[i].length);
	}
}

static void
get_segment(struct reader *r, struct pinned_segment *out)
{
	out->number = get_u32(r);
	out->size = get_u32(r);
	out->length = get_u32(r);
	if (out->length > out->size)
		reader_fail(r);
}

int
control_pinned_get(struct reader *r, struct arena *arena, struct control_pinned *out)
{
	*out = (struct control_pinned){ 0 };
	out->directory = get_text(r, PINNED_PATH_MAX);
	out->messages = get_u64(r);
	uint32_t count = get_count(r, PINNED_SEGMENTS_MAX, SEGMENT_LEAST);
	if (count > 0 && (out->segments = arena_array(arena, count, sizeof(*out->segments))) == NULL)
		reader_fail(r);
	for (uint32_t i = 0; i < count && !r->bad; i++)
		get_segment(r, &out->segments[i]);
	if (out->directory.len == 0)
		reader_fail(r);
	if (reader_end(r) == -1)
		return -1;
	out->count = count;
	return 0;
}
