/* deliver — jobs, leases and results as bytes. */
#include "wire/deliver.h"

#define LEASE_LEAST	20	/* lease, id, count */
#define RECIPIENT_LEAST	17	/* index, three empty slices, NOTIFY */
#define RESULT_LEAST	15	/* index, action, no status, two empty texts, who tells the sender */

/* A recipient's place in its envelope. */
static uint32_t
get_index(struct reader *r)
{
	uint32_t index = get_u32(r);

	if (index >= ENVELOPE_RECIPIENTS_MAX)
		reader_fail(r);
	return index;
}

/* An array for `count` items; NULL and a bad reader without memory. */
static void *
get_array(struct reader *r, struct arena *arena, uint32_t count, size_t size)
{
	void *v = count == 0 ? NULL : arena_array(arena, count, size);

	if (count > 0 && v == NULL)
		reader_fail(r);
	return v;
}

void
deliver_hello_put(struct buf *b, const struct deliver_hello *hello)
{
	put_u32(b, hello->credit);
	put_u32(b, hello->count);
	for (uint32_t i = 0; i < hello->count; i++) {
		const struct lease *lease = &hello->leases[i];

		put_u64(b, lease->lease);
		put_u64(b, lease->id);
		put_u32(b, lease->count);
		for (uint32_t k = 0; k < lease->count; k++)
			put_u32(b, lease->indexes[k]);
	}
}

static void
get_lease(struct reader *r, struct arena *arena, struct lease *out)
{
	out->lease = get_number(r);
	out->id = get_number(r);
	uint32_t count = get_count(r, JOB_RECIPIENTS_MAX, sizeof(uint32_t));
	out->indexes = get_array(r, arena, count, sizeof(*out->indexes));
	for (uint32_t k = 0; k < count && !r->bad; k++)
		out->indexes[k] = get_index(r);
	out->count = r->bad ? 0 : count;
}

int
deliver_hello_get(struct reader *r, struct arena *arena, struct deliver_hello *out)
{
	*out = (struct deliver_hello){ 0 };
	out->credit = get_u32(r);
	if (out->credit > AGENT_CREDIT_MAX)
		reader_fail(r);
	uint32_t count = get_count(r, AGENT_LEASES_MAX, LEASE_LEAST);
	out->leases = get_array(r, arena, count, sizeof(*out->leases));
	for (uint32_t i = 0; i < count && !r->bad; i++)
		get_lease(r, arena, &out->leases[i]);
	if (reader_end(r) == -1)
		return -1;
	out->count = count;
	return 0;
}

void
deliver_job_put(struct buf *b, const struct deliver_job *job)
{
	put_u64(b, job->lease);
	put_u64(b, job->id);
	put_u64(b, job->nonce);
	put_time_ms(b, job->arrival_ms);
	put_u32(b, job->flags);
	put_u8(b, (uint8_t)job->body);
	put_u8(b, (uint8_t)job->tls);
	put_u8(b, (uint8_t)job->ret);
	put_slice(b, job->envid);
	put_slice(b, job->nexthop);
	put_slice(b, job->reverse_path);
	put_u32(b, job->size);
	put_u32(b, job->crc);
	put_bool(b, job->by_fd);
	put_slice(b, job->content);
	put_u32(b, job->count);
	for (uint32_t i = 0; i < job->count; i++) {
		put_u32(b, job->recipients[i].index);
		put_slice(b, job->recipients[i].address);
		put_slice(b, job->recipients[i].original);
		put_slice(b, job->recipients[i].orcpt);
		put_u8(b, (uint8_t)job->recipients[i].notify);
	}
}

static void
get_job_recipient(struct reader *r, struct job_recipient *out)
{
	out->index = get_index(r);
	out->address = get_text(r, ADDRESS_FIELD_MAX);
	out->original = get_text(r, ADDRESS_FIELD_MAX);
	out->orcpt = get_text(r, ORCPT_MAX);
	out->notify = get_notify(r);
	if (out->address.len == 0)
		reader_fail(r);
}

int
deliver_job_get(struct reader *r, struct arena *arena, struct deliver_job *out)
{
	*out = (struct deliver_job){ 0 };
	out->lease = get_number(r);
	out->id = get_number(r);
	out->nonce = get_u64(r);
	out->arrival_ms = get_time_ms(r);
	out->flags = get_u32(r);
	out->body = (enum body_type)get_enum(r, BODY_COUNT);
	out->tls = (enum tls_tag)get_enum0(r, TLS_TAG_COUNT);
	out->ret = (enum ret)get_enum0(r, RET_COUNT);
	out->envid = get_text(r, ENVID_MAX);
	out->nexthop = get_text(r, NEXTHOP_MAX);
	out->reverse_path = get_text(r, ADDRESS_FIELD_MAX);
	out->size = get_u32(r);
	out->crc = get_u32(r);
	out->by_fd = get_bool(r);
	out->content = get_slice(r, CONTENT_INLINE_MAX);
	if ((out->flags & ~(uint32_t)JOB_FLAGS_ALL) != 0 || out->nexthop.len == 0)
		reader_fail(r);
	if (out->content.len != (out->by_fd ? 0 : out->size) || (!out->by_fd && out->crc != 0))
		reader_fail(r);
	uint32_t count = get_count(r, JOB_RECIPIENTS_MAX, RECIPIENT_LEAST);
	if (count == 0)
		reader_fail(r);
	out->recipients = get_array(r, arena, count, sizeof(*out->recipients));
	for (uint32_t i = 0; i < count && !r->bad; i++)
		get_job_recipient(r, &out->recipients[i]);
	if (reader_end(r) == -1)
		return -1;
	out->count = count;
	return 0;
}

void
deliver_results_put(struct buf *b, const struct deliver_results *results)
{
	put_u64(b, results->lease);
	put_u64(b, results->id);
	put_bool(b, results->finished);
	put_bool(b, results->damaged);
	put_time_ms(b, results->delays_ms[0]);
	put_time_ms(b, results->delays_ms[1]);
	put_u32(b, results->count);
	for (uint32_t i = 0; i < results->count; i++) {
		put_u32(b, results->results[i].index);
		put_outcome(b, &results->results[i].outcome);
		put_bool(b, results->results[i].tells);
	}
}

static void
get_result(struct reader *r, struct deliver_result *out)
{
	out->index = get_index(r);
	get_outcome(r, &out->outcome);
	out->tells = get_bool(r);
	if (out->outcome.action == ACTION_NONE || (out->tells && out->outcome.action != ACTION_RELAYED))
		reader_fail(r);
}

int
deliver_results_get(struct reader *r, struct arena *arena, struct deliver_results *out)
{
	*out = (struct deliver_results){ 0 };
	out->lease = get_number(r);
	out->id = get_number(r);
	out->finished = get_bool(r);
	out->damaged = get_bool(r);
	if (out->damaged && !out->finished)
		reader_fail(r);
	out->delays_ms[0] = get_time_ms(r);
	out->delays_ms[1] = get_time_ms(r);
	uint32_t count = get_count(r, JOB_RECIPIENTS_MAX, RESULT_LEAST);
	out->results = get_array(r, arena, count, sizeof(*out->results));
	for (uint32_t i = 0; i < count && !r->bad; i++)
		get_result(r, &out->results[i]);
	if (reader_end(r) == -1)
		return -1;
	out->count = count;
	return 0;
}

void
deliver_lease_put(struct buf *b, const struct deliver_lease *lease)
{
	put_u64(b, lease->lease);
}

int
deliver_lease_get(struct reader *r, struct deliver_lease *out)
{
	out->lease = get_number(r);
	return reader_end(r);
}
