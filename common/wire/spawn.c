/* spawn — requests for workers that run as a user, as bytes. */
#include "wire/spawn.h"

#include "wire/fields.h"

void
spawn_start_put(struct buf *b, const struct spawn_start *start)
{
	put_u64(b, start->worker);
	put_u32(b, start->uid);
	put_u32(b, start->gid);
	put_slice(b, start->user);
}

int
spawn_start_get(struct reader *r, struct spawn_start *out)
{
	out->worker = get_u64(r);
	out->uid = get_u32(r);
	out->gid = get_u32(r);
	out->user = get_text(r, SPAWN_USER_MAX);
	/* Refused here already, whatever the configuration says:
	 * root, and the ids that mean "leave it as it is". */
	if (out->uid == 0 || out->uid == UINT32_MAX || out->gid == UINT32_MAX)
		reader_fail(r);
	return reader_end(r);
}

void
spawn_event_put(struct buf *b, const struct spawn_event *event)
{
	put_u64(b, event->worker);
	put_u32(b, (uint32_t)event->status);
	put_text(b, event->text, SPAWN_TEXT_MAX);
}

int
spawn_event_get(struct reader *r, struct spawn_event *out)
{
	out->worker = get_u64(r);
	out->status = (int32_t)get_u32(r);
	out->text = get_slice(r, SPAWN_TEXT_MAX);
	return reader_end(r);
}
