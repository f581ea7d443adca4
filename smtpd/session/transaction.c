/*
 * transaction — see transaction.h.
 */
#include "smtpd/session/transaction.h"

#include "base/fd.h"
#include "base/mem.h"
#include "ipc/channel.h"
#include "mail/address.h"

#define ARENA_MAX	(1024 * 1024)
#define POOL_MAX	64		/* the rest is freed */
#define KEPT_CONTENT	(64 * 1024)	/* content buffers of the pool are at most this large */
#define FRAME_SLACK	4096	/* the fields of a frame beside recipients and content */
#define KEPT_ROOM	64		/* and recipient tables */
/* What the inline limit lets in, and one round of input behind it. */
#define CONTENT_MAX	(CONTENT_INLINE_MAX + 4 * LOOP_SCRATCH)

static void
transaction_free(struct transaction *tx)
{
	arena_fini(&tx->arena);
	buf_fini(&tx->content);
	mem_free(tx->recipients);
	mem_free(tx);
}

void
transaction_pool_fini(struct transaction_pool *pool)
{
	struct transaction *tx;

	while ((tx = pool->first) != NULL) {
		pool->first = tx->next;
		transaction_free(tx);
	}
	pool->count = 0;
}

struct transaction *
transaction_begin(struct transaction_pool *pool)
{
	struct transaction *tx = pool->first;

	if (tx != NULL) {
		pool->first = tx->next;
		pool->count--;
		tx->next = NULL;
		return tx;
	}
	tx = mem_zalloc(sizeof(*tx));
	if (tx == NULL)
		return NULL;
	arena_init(&tx->arena, ARENA_MAX);
	buf_init(&tx->content, CONTENT_MAX);
	tx->fd = -1;
	return tx;
}

/* Back to zero, but for memory worth keeping. */
static void
wipe(struct transaction *tx)
{
	struct arena arena = tx->arena;
	struct buf content = tx->content;
	struct recipient *recipients = tx->recipients;
	uint32_t room = tx->room;

	arena_reset(&arena);
	buf_reset(&content);
	if (content.cap > KEPT_CONTENT)
		buf_shrink(&content);
	if (room > KEPT_ROOM) {
		mem_free(recipients);
		recipients = NULL;
		room = 0;
	}
	memset(tx, 0, offsetof(struct transaction, pending));
	tx->pending_count = 0;
	memset(&tx->ask, 0, sizeof(*tx) - offsetof(struct transaction, ask));
	tx->arena = arena;
	tx->content = content;
	tx->recipients = recipients;
	tx->room = room;
	tx->fd = -1;
}

void
transaction_end(struct transaction **txp, struct transaction_pool *pool, struct intake *intake, struct routes *routes)
{
	struct transaction *tx = *txp;

	*txp = NULL;
	if (tx == NULL)
		return;
	routes_cancel(routes, &tx->ask);
	intake_forget(intake, &tx->promise);
	if (tx->file != FILE_NONE && !tx->ticket_spent) {
		intake_drop_file(intake, &tx->ticket, &tx->wish);
		tx->ticket_spent = true;	/* queue has heard of this id */
	}
	fd_close(&tx->fd);
	timer_fini(&tx->turn);
	if (!tx->ticket_spent)
		intake_give_id(intake, &tx->ticket);
	if (pool->count >= POOL_MAX) {
		transaction_free(tx);
		return;
	}
	wipe(tx);
	tx->next = pool->first;
	pool->first = tx;
	pool->count++;
}

bool
transaction_has(const struct transaction *tx, struct slice address)
{
	for (uint32_t i = 0; i < tx->count; i++)
		if (slice_eq(tx->recipients[i].address, address))
			return true;
	return false;
}

bool
transaction_is_full(const struct transaction *tx)
{
	return tx->arena.used > ARENA_MAX - 4 * (LOCAL_PART_MAX + DOMAIN_MAX + 1024);
}

int
transaction_add(struct transaction *tx, const struct recipient *rcpt)
{
	size_t cost = rcpt->address.len + rcpt->original.len + rcpt->orcpt.len + ENVELOPE_EACH;

	if (tx->envelope_bytes + cost > ENVELOPE_BYTES_MAX)
		return -1;
	if (tx->count == tx->room) {
		uint32_t room = tx->room == 0 ? 8 : tx->room * 2;
		struct recipient *more = mem_grow(tx->recipients, room, sizeof(*more));

		if (more == NULL)
			return -1;
		tx->recipients = more;
		tx->room = room;
	}
	tx->recipients[tx->count++] = *rcpt;
	tx->envelope_bytes += cost;
	return 0;
}

bool
transaction_is_large(const struct transaction *tx)
{
	return tx->size > CONTENT_INLINE_MAX || tx->size + tx->envelope_bytes > FRAME_MAX - FRAME_SLACK;
}

/* RFC 8689 4.1: MAIL's word counts; the header's only where MAIL has none, and it is one (RFC 8689 3). */
static enum tls_tag
tls_tag(const struct transaction *tx)
{
	if (tx->requiretls)
		return TLS_TAG_REQUIRED;
	return tx->tls_no && tx->scan.counts[HEADER_TLS_REQUIRED] == 1 ? TLS_TAG_OPTIONAL : TLS_TAG_NONE;
}

void
transaction_envelope(const struct transaction *tx, struct envelope *out)
{
	*out = (struct envelope){
		.reverse_path = tx->reverse_path,
		.smtputf8 = tx->smtputf8,
		.tls = tls_tag(tx),
		.ret = tx->ret,
		.envid = tx->envid,
		.body = tx->body == BODY_NONE ? BODY_7BIT : tx->body,	/* RFC 6152 3: nothing said is 7BIT */
		.size = (uint32_t)tx->size,
		.recipients = tx->recipients,
		.count = tx->count,
	};
}
