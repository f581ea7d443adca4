/* wire — mda's frames to and from its workers as bytes. */
#include "mda/worker/wire.h"

#include "wire/fields.h"

static struct slice
get_path(struct reader *r)
{
	struct slice path = get_text(r, MAILBOX_PATH_MAX);

	if (path.len == 0 || path.p[0] != '/')
		reader_fail(r);
	return path;
}

static uint64_t
get_id(struct reader *r)
{
	uint64_t id = get_u64(r);

	if (id == 0)
		reader_fail(r);
	return id;
}

/* An address that becomes part of a header line: one line, and nothing that a terminal obeys. */
static struct slice
get_line_text(struct reader *r, size_t max)
{
	struct slice s = get_text(r, max);

	for (size_t i = 0; i < s.len; i++)
		if ((unsigned char)s.p[i] < ' ' || s.p[i] == 0x7f)
			reader_fail(r);
	return s;
}

void
mailbox_open_put(struct buf *b, const struct mailbox_open *open)
{
	put_slice(b, open->home);
	put_slice(b, open->maildir);
	put_slice(b, open->host);
}

int
mailbox_open_get(struct reader *r, struct mailbox_open *out)
{
	out->home = get_path(r);
	out->maildir = get_path(r);
	out->host = get_line_text(r, MAILBOX_HOST_MAX);
	if (out->host.len == 0)
		reader_fail(r);
	return reader_end(r);
}

void
mailbox_deliver_put(struct buf *b, const struct mailbox_deliver *deliver)
{
	put_u64(b, deliver->id);
	put_u32(b, deliver->flags);
	put_i64(b, deliver->seconds);
	put_u64(b, deliver->nonce);
	put_u32(b, deliver->index);
	put_slice(b, deliver->reverse_path);
	put_slice(b, deliver->recipient);
	put_u32(b, deliver->size);
	put_slice(b, deliver->content);
}

int
mailbox_deliver_get(struct reader *r, struct mailbox_deliver *out)
{
	out->id = get_id(r);
	out->flags = get_u32(r);
	out->seconds = get_i64(r);
	out->nonce = get_u64(r);
	out->index = get_u32(r);
	out->reverse_path = get_line_text(r, MAILBOX_ADDRESS_MAX);
	out->recipient = get_line_text(r, MAILBOX_ADDRESS_MAX);
	out->size = get_u32(r);
	out->content = get_slice(r, MAILBOX_PIECE_MAX);
	if ((out->flags & ~(uint32_t)DELIVER_FLAGS_ALL) != 0 || out->recipient.len == 0)
		reader_fail(r);
	if (out->seconds < 0 || out->seconds > TIME_MS_MAX / 1000 || out->content.len > out->size)
		reader_fail(r);
	return reader_end(r);
}

void
mailbox_content_put(struct buf *b, const struct mailbox_content *content)
{
	put_u64(b, content->id);
	put_slice(b, content->content);
}

int
mailbox_content_get(struct reader *r, struct mailbox_content *out)
{
	out->id = get_id(r);
	out->content = get_slice(r, MAILBOX_PIECE_MAX);
	if (out->content.len == 0)
		reader_fail(r);
	return reader_end(r);
}

void
mailbox_ids_put(struct buf *b, const struct mailbox_ids *ids)
{
	put_u32(b, ids->count);
	for (uint32_t i = 0; i < ids->count; i++)
		put_u64(b, ids->ids[i]);
}

int
mailbox_ids_get(struct reader *r, struct mailbox_ids *out)
{
	uint32_t count = get_count(r, MAILBOX_IDS_MAX, sizeof(uint64_t));

	for (uint32_t i = 0; i < count; i++)
		out->ids[i] = get_id(r);
	if (count == 0)
		reader_fail(r);
	out->count = r->bad ? 0 : count;
	return reader_end(r);
}

void
mailbox_refused_put(struct buf *b, const struct mailbox_refused *refused)
{
	put_u64(b, refused->id);
	put_bool(b, refused->again);
	put_status(b, refused->status);
	put_text(b, refused->text, MAILBOX_TEXT_MAX);
}

int
mailbox_refused_get(struct reader *r, struct mailbox_refused *out)
{
	out->id = get_u64(r);
	out->again = get_bool(r);
	out->status = get_status(r);
	out->text = get_slice(r, MAILBOX_TEXT_MAX);
	/* What goes wrong in a mailbox is never final: the mail waits until its owner or an administrator acts, or expires. */
	if (out->status.class != 4)
		reader_fail(r);
	return reader_end(r);
}
