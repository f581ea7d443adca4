/* recode — see recode.h. One small function for each frame, and a table for each wire. */
#include "tests/support/recode.h"

#include <stdlib.h>

#include "wire/auth.h"
#include "wire/control.h"
#include "wire/deliver.h"
#include "wire/key.h"
#include "wire/lookup.h"
#include "wire/spawn.h"
#include "wire/submit.h"

#define ARENA_MAX	(8 * 1024 * 1024)

/* For a get that needs no arena, and for one that does. */
#define RECODE(name, type)						\
	static int							\
	name(struct reader *r, struct arena *arena, struct buf *out)	\
	{								\
		type value = { 0 };					\
									\
		(void)arena;						\
		if (name##_get(r, &value) == -1)			\
			return -1;					\
		name##_put(out, &value);				\
		return 0;						\
	}
#define RECODE_ARENA(name, type)					\
	static int							\
	name(struct reader *r, struct arena *arena, struct buf *out)	\
	{								\
		type value = { 0 };					\
									\
		if (name##_get(r, arena, &value) == -1)			\
			return -1;					\
		name##_put(out, &value);				\
		return 0;						\
	}
#define RECODE_PLAIN(name, type)					\
	static int							\
	name(struct reader *r, struct arena *arena, struct buf *out)	\
	{								\
		type value = 0;						\
									\
		(void)arena;						\
		if (name##_get(r, &value) == -1)			\
			return -1;					\
		name##_put(out, value);					\
		return 0;						\
	}
#define ROWS(wire, ...)							\
	const struct recode recode_##wire[] = { __VA_ARGS__ };		\
	const size_t recode_##wire##_count = sizeof(recode_##wire) / sizeof(recode_##wire[0])
#define ROW_OF(name)	{ #name, name }

RECODE(submit_ids, struct submit_ids)
RECODE_PLAIN(submit_room, enum submit_room)
RECODE_ARENA(submit_message, struct submit_message)
RECODE(submit_verdict, struct submit_verdict_of)
RECODE(submit_large, struct submit_large)
RECODE(submit_flush, struct submit_flush)
ROWS(submit, ROW_OF(submit_ids), ROW_OF(submit_room), ROW_OF(submit_message), ROW_OF(submit_verdict),
     ROW_OF(submit_large), ROW_OF(submit_flush));

RECODE_ARENA(route_question, struct route_question)
RECODE_ARENA(route_answer, struct route_answer)
RECODE(mailbox_question, struct mailbox_question)
RECODE(mailbox_answer, struct mailbox_answer)
RECODE(sender_question, struct sender_question)
RECODE(sender_answer, struct sender_answer)
RECODE_PLAIN(lookup_generation, uint64_t)
ROWS(lookup, ROW_OF(route_question), ROW_OF(route_answer), ROW_OF(mailbox_question), ROW_OF(mailbox_answer),
    ROW_OF(lookup_generation), ROW_OF(sender_question), ROW_OF(sender_answer));

RECODE(auth_begin, struct auth_begin)
RECODE(auth_piece, struct auth_piece)
RECODE_PLAIN(auth_serial, uint64_t)
RECODE(auth_granted, struct auth_granted)
RECODE(auth_denied, struct auth_denied)
RECODE(auth_known, struct auth_known)

static int
auth_logout(struct reader *r, struct arena *arena, struct buf *out)
{
	struct auth_token token;

	(void)arena;
	if (auth_logout_get(r, &token) == -1)
		return -1;
	auth_logout_put(out, &token);
	return 0;
}

static int
auth_mechanisms(struct reader *r, struct arena *arena, struct buf *out)
{
	struct slice names;

	(void)arena;
	if (auth_mechanisms_get(r, &names) == -1)
		return -1;
	auth_mechanisms_put(out, names);
	return 0;
}
ROWS(auth, ROW_OF(auth_begin), ROW_OF(auth_piece), ROW_OF(auth_serial), ROW_OF(auth_mechanisms), ROW_OF(auth_granted),
    ROW_OF(auth_denied), ROW_OF(auth_logout), ROW_OF(auth_known));

RECODE_ARENA(deliver_hello, struct deliver_hello)
RECODE_ARENA(deliver_job, struct deliver_job)
RECODE_ARENA(deliver_results, struct deliver_results)
RECODE(deliver_lease, struct deliver_lease)
ROWS(deliver, ROW_OF(deliver_hello), ROW_OF(deliver_job), ROW_OF(deliver_results), ROW_OF(deliver_lease));

RECODE(spawn_start, struct spawn_start)
RECODE(spawn_event, struct spawn_event)
ROWS(spawn, ROW_OF(spawn_start), ROW_OF(spawn_event));

RECODE(control_boot, struct control_boot)
RECODE(control_wire, struct control_wire)
RECODE(control_conf, struct control_conf)
RECODE(control_text, struct control_text)
RECODE(control_stop, struct control_stop)
RECODE(control_file, struct control_file)
RECODE(control_tickets, struct control_tickets)
RECODE(operator_request, struct operator_request)
RECODE_ARENA(queue_item, struct queue_item)
RECODE_ARENA(control_pinned, struct control_pinned)
ROWS(control, ROW_OF(control_boot), ROW_OF(control_wire), ROW_OF(control_conf), ROW_OF(control_text),
     ROW_OF(control_stop), ROW_OF(operator_request), ROW_OF(queue_item), ROW_OF(control_pinned), ROW_OF(control_file),
     ROW_OF(control_tickets));

RECODE(key_question, struct key_question)
RECODE(key_answer, struct key_answer)
ROWS(key, ROW_OF(key_question), ROW_OF(key_answer));

static int
envelope(struct reader *r, struct arena *arena, struct buf *out)
{
	struct envelope env;

	if (get_envelope(r, arena, &env) == -1 || reader_end(r) == -1)
		return -1;
	put_envelope(out, &env);
	return buf_len(out) == envelope_size(&env) ? 0 : -2;	/* -2 can only surprise: see recode_run */
}

static int
fate(struct reader *r, struct arena *arena, struct buf *out)
{
	struct fate value;

	(void)arena;
	get_fate(r, &value);
	if (reader_end(r) == -1)
		return -1;
	put_fate(out, &value);
	return 0;
}
ROWS(fields, ROW_OF(envelope), ROW_OF(fate));

int
recode_run(const struct recode *recode, struct slice bytes)
{
	struct reader r = reader_of(bytes);
	struct arena arena;
	struct buf out;
	int result;

	arena_init(&arena, ARENA_MAX);
	buf_init(&out, SIZE_MAX);
	result = recode->fn(&r, &arena, &out);
	if (result == 0 && (out.failed || !slice_eq(buf_slice(&out), bytes)))
		result = 1;
	if (result == -2)
		result = 1;
	arena_fini(&arena);
	buf_fini(&out);
	return result;
}

void
recode_fuzz(const struct recode *rows, size_t count, const uint8_t *bytes, size_t len)
{
	if (len > 0 && recode_run(&rows[bytes[0] % count], slice_of(bytes + 1, len - 1)) == 1)
		abort();
}
