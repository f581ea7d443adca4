/* lookup — questions about addresses and their answers as bytes. */
#include "wire/auth.h"
#include "wire/lookup.h"

#define ADDRESS_LEAST	4	/* the length of an empty slice */
#define ROUTE_LEAST	11	/* verdict, transport, empty next hop, no status, empty text */

void
route_question_put(struct buf *b, const struct route_question *q)
{
	put_u64(b, q->serial);
	put_u32(b, q->count);
	for (uint32_t i = 0; i < q->count; i++)
		put_slice(b, q->addresses[i]);
}

int
route_question_get(struct reader *r, struct arena *arena, struct route_question *out)
{
	*out = (struct route_question){ 0 };
	out->serial = get_u64(r);
	uint32_t count = get_count(r, ROUTE_ADDRESSES_MAX, ADDRESS_LEAST);
	if (count == 0)
		reader_fail(r);
	else if ((out->addresses = arena_array(arena, count, sizeof(*out->addresses))) == NULL)
		reader_fail(r);
	for (uint32_t i = 0; i < count && !r->bad; i++) {
		out->addresses[i] = get_text(r, ADDRESS_FIELD_MAX);
		if (out->addresses[i].len == 0)
			reader_fail(r);
	}
	if (reader_end(r) == -1)
		return -1;
	out->count = count;
	return 0;
}

static void
put_route(struct buf *b, const struct route *route)
{
	put_u8(b, (uint8_t)route->verdict);
	put_u8(b, (uint8_t)route->transport);
	put_slice(b, route->nexthop);
	put_status(b, route->status);
	put_text(b, route->text, ROUTE_TEXT_MAX);
}

static void
get_route(struct reader *r, struct route *out)
{
	out->verdict = (enum route_verdict)get_enum(r, ROUTE_VERDICT_COUNT);
	out->transport = (enum transport)get_enum0(r, TRANSPORT_COUNT);
	out->nexthop = get_text(r, NEXTHOP_MAX);
	out->status = get_status(r);
	out->text = get_slice(r, ROUTE_TEXT_MAX);

	bool goes = out->verdict == ROUTE_LOCAL || out->verdict == ROUTE_REMOTE;
	if (goes && (out->transport == TRANSPORT_NONE || out->nexthop.len == 0))
		reader_fail(r);
}

void
route_answer_put(struct buf *b, const struct route_answer *a)
{
	put_u64(b, a->serial);
	put_u64(b, a->generation);
	put_u32(b, a->ttl_ms);
	put_u32(b, a->count);
	for (uint32_t i = 0; i < a->count; i++)
		put_route(b, &a->routes[i]);
}

int
route_answer_get(struct reader *r, struct arena *arena, struct route_answer *out)
{
	*out = (struct route_answer){ 0 };
	out->serial = get_u64(r);
	out->generation = get_u64(r);
	out->ttl_ms = get_u32(r);
	uint32_t count = get_count(r, ROUTE_ADDRESSES_MAX, ROUTE_LEAST);
	if (count == 0)
		reader_fail(r);
	else if ((out->routes = arena_array(arena, count, sizeof(*out->routes))) == NULL)
		reader_fail(r);
	for (uint32_t i = 0; i < count && !r->bad; i++)
		get_route(r, &out->routes[i]);
	if (reader_end(r) == -1)
		return -1;
	out->count = count;
	return 0;
}

void
mailbox_question_put(struct buf *b, const struct mailbox_question *q)
{
	put_u64(b, q->serial);
	put_slice(b, q->address);
}

int
mailbox_question_get(struct reader *r, struct mailbox_question *out)
{
	out->serial = get_u64(r);
	out->address = get_text(r, ADDRESS_FIELD_MAX);
	if (out->address.len == 0)
		reader_fail(r);
	return reader_end(r);
}

void
mailbox_answer_put(struct buf *b, const struct mailbox_answer *a)
{
	put_u64(b, a->serial);
	put_u8(b, (uint8_t)a->verdict);
	put_u32(b, a->uid);
	put_u32(b, a->gid);
	put_slice(b, a->user);
	put_slice(b, a->home);
	put_slice(b, a->maildir);
	put_status(b, a->status);
	put_text(b, a->text, ROUTE_TEXT_MAX);
}

static bool
absolute(struct slice path)
{
	return path.len > 0 && path.p[0] == '/';
}

int
mailbox_answer_get(struct reader *r, struct mailbox_answer *out)
{
	out->serial = get_u64(r);
	out->verdict = (enum route_verdict)get_enum(r, ROUTE_VERDICT_COUNT);
	out->uid = get_u32(r);
	out->gid = get_u32(r);
	out->user = get_text(r, USER_NAME_MAX);
	out->home = get_text(r, PATH_TEXT_MAX);
	out->maildir = get_text(r, PATH_TEXT_MAX);
	out->status = get_status(r);
	out->text = get_slice(r, ROUTE_TEXT_MAX);
	if (out->verdict == ROUTE_REMOTE || out->verdict == ROUTE_INVALID)
		reader_fail(r);		/* no answers to this question */
	if (out->verdict == ROUTE_LOCAL && !absolute(out->maildir))
		reader_fail(r);
	if (out->home.len > 0 && !absolute(out->home))
		reader_fail(r);
	return reader_end(r);
}

void
sender_question_put(struct buf *b, const struct sender_question *q)
{
	put_u64(b, q->serial);
	put_slice(b, q->login);
	put_u32(b, q->count);
	for (uint32_t i = 0; i < q->count; i++)
		put_slice(b, q->addresses[i]);
}

int
sender_question_get(struct reader *r, struct sender_question *out)
{
	out->serial = get_u64(r);
	out->login = get_text(r, AUTH_LOGIN_MAX);
	out->count = get_count(r, SENDER_ADDRESSES_MAX, ADDRESS_LEAST);
	if (out->login.len == 0 || out->count == 0)
		reader_fail(r);
	for (uint32_t i = 0; i < out->count && !r->bad; i++) {
		out->addresses[i] = get_text(r, ADDRESS_FIELD_MAX);
		if (out->addresses[i].len == 0)
			reader_fail(r);
	}
	return reader_end(r);
}

void
sender_answer_put(struct buf *b, const struct sender_answer *a)
{
	put_u64(b, a->serial);
	put_u8(b, (uint8_t)a->verdict);
	put_u32(b, a->which);
}

int
sender_answer_get(struct reader *r, struct sender_answer *out)
{
	out->serial = get_u64(r);
	out->verdict = (enum sender_verdict)get_enum(r, SENDER_VERDICT_COUNT);
	out->which = get_u32(r);
	if (out->which >= SENDER_ADDRESSES_MAX || (out->which != 0 && out->verdict != SENDER_FOREIGN))
		reader_fail(r);
	return reader_end(r);
}

void
lookup_generation_put(struct buf *b, uint64_t generation)
{
	put_u64(b, generation);
}

int
lookup_generation_get(struct reader *r, uint64_t *out)
{
	*out = get_u64(r);
	return reader_end(r);
}
