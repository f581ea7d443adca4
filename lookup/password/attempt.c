/* attempt — the object of one attempt, and of the login that comes of it: what it holds, and that all of it goes. */
#include "base/mem.h"
#include "base/random.h"
#include "lookup/password/gate_inside.h"
#include "smtp/base64.h"

struct attempt *
attempt_find(struct door *door, uint64_t serial)
{
	for (struct hash_node *n = hash_first(&door->by_serial, hash_u64(serial)); n != NULL; n = hash_next(n))
		if (CONTAINER_OF(n, struct attempt, by_serial)->serial == serial)
			return CONTAINER_OF(n, struct attempt, by_serial);
	return NULL;
}

struct attempt *
attempt_by_id(const struct gate *g, uint64_t id)
{
	for (struct hash_node *n = hash_first(&g->by_id, hash_u64(id)); n != NULL; n = hash_next(n))
		if (CONTAINER_OF(n, struct attempt, by_id)->id == id)
			return CONTAINER_OF(n, struct attempt, by_id);
	return NULL;
}

struct slice
attempt_address(const struct attempt *a)
{
	return slice_of(a->address, a->address_len);
}

/* What the client said is nobody's any more. */
void
attempt_wipe(struct attempt *a)
{
	for (uint32_t i = 0; i < a->count; i++) {
		char *bytes = (char *)(uintptr_t)a->responses[i].p;

		explicit_bzero(bytes, a->responses[i].len);
		mem_free(bytes);
	}
	a->count = 0;
}

void
attempt_leave_line(struct attempt *a)
{
	if (a->state != ATTEMPT_LINE)
		return;
	TAILQ_REMOVE(&a->gate->line, a, line);
	a->gate->waiting--;
}

static void
attempt_free(struct attempt *a)
{
	struct gate *g = a->gate;

	attempt_leave_line(a);
	if (g->pool != NULL && a->state == ATTEMPT_CHECKED)
		pool_forget(g->pool, a);
	g->live -= a->state == ATTEMPT_LIVE;
	attempt_wipe(a);
	for (uint32_t i = 0; i < a->channel_count; i++)
		mem_free((char *)(uintptr_t)a->channels[i].data.p);
	timer_fini(&a->timer);
	hash_remove(&a->door->by_serial, &a->by_serial);
	hash_remove(&g->by_id, &a->by_id);
	TAILQ_REMOVE(&a->door->attempts, a, of_door);
	a->door->count--;
	explicit_bzero(a, sizeof(*a));
	mem_free(a);
}

void
attempt_drop(struct attempt *a)
{
	struct gate *g = a->gate;

	if (a->state == ATTEMPT_LIVE || a->state == ATTEMPT_QUEUE)
		queue_logout(a);
	else if (g->dovecot != NULL && !a->orphan && (a->state == ATTEMPT_CHECKED || a->state == ATTEMPT_CLIENT))
		dovecot_cancel(g->dovecot, a->id);
	attempt_free(a);
}

static void
draw_nonce(struct attempt *a)
{
	unsigned char bytes[BASE64_DECODED(NONCE_LEN)];

	random_bytes(bytes, sizeof(bytes));
	(void)base64_encode(slice_of(bytes, sizeof(bytes)), a->nonce);
}

static int
keep(struct slice *out, struct slice bytes)
{
	char *copy = mem_alloc(bytes.len + 1);

	if (copy == NULL)
		return -1;
	if (bytes.len > 0)
		memcpy(copy, bytes.p, bytes.len);
	*out = slice_of(copy, bytes.len);
	return 0;
}

int
attempt_keep(struct attempt *a, struct slice response)
{
	if (a->count == SASL_RESPONSES_MAX || keep(&a->responses[a->count], response) == -1)
		return -1;
	a->count++;
	return 0;
}

struct attempt *
attempt_new(struct door *door, const struct auth_begin *begin, void (*late)(void *))
{
	struct attempt *a = mem_zalloc(sizeof(*a));
	struct gate *g = door->gate;

	if (a == NULL || timer_init(&a->timer, g->loop, late, a) == -1) {
		mem_free(a);
		return NULL;
	}
	a->gate = g;
	a->door = door;
	a->serial = begin->serial;
	a->mechanism = sasl_named(begin->mechanism);
	a->address_len = begin->client.len;
	memcpy(a->address, begin->client.p, begin->client.len);
	do
		a->id = ++g->last_id;
	while (a->id == 0 || attempt_by_id(g, a->id) != NULL);
	draw_nonce(a);
	hash_insert(&door->by_serial, &a->by_serial, hash_u64(a->serial));
	hash_insert(&g->by_id, &a->by_id, hash_u64(a->id));
	TAILQ_INSERT_TAIL(&door->attempts, a, of_door);
	door->count++;
	return a;
}

int
attempt_keep_channels(struct attempt *a, const struct auth_begin *begin)
{
	while (a->channel_count < begin->channel_count) {
		const struct auth_channel *channel = &begin->channels[a->channel_count];

		if (keep(&a->channels[a->channel_count].data, channel->data) == -1)
			return -1;
		a->channels[a->channel_count++].type = channel->type;
	}
	return 0;
}
