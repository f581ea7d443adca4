/*
 * bounce — from recipients that failed, are late or have what was sent to a message that says so.
 */
#include "queue/bounce/bounce.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/random.h"
#include "base/utf8.h"
#include "mail/header.h"
#include "queue/schedule/expiry.h"
#include "wire/fields.h"

#define POSTMASTER_MAX	(sizeof("postmaster@") + 255)

static const char *
postmaster_of(const struct conf *conf, char out[POSTMASTER_MAX])
{
	(void)snprintf(out, POSTMASTER_MAX, "postmaster@%s", conf->hostname);
	return out;
}

static bool
is_owed(const struct message *m, uint32_t i, enum dsn_kind kind)
{
	bool failed = m->envelope.recipients[i].fate.last.action == ACTION_FAILED;

	return kind == DSN_DELAY ? m->places[i].warn : m->places[i].owed && failed == (kind == DSN_FAILURE);
}

bool
bounce_is_owed(const struct message *m, enum dsn_kind kind)
{
	for (uint32_t i = 0; i < m->envelope.count; i++)
		if (is_owed(m, i, kind))
			return true;
	return false;
}

bool
bounce_owes(const struct message *m)
{
	return bounce_is_owed(m, DSN_FAILURE) || bounce_is_owed(m, DSN_SUCCESS);
}

bool
bounce_is_last_resort(const struct conf *conf, const struct message *m, uint32_t index)
{
	char postmaster[POSTMASTER_MAX];

	return message_is_bounce(m) &&
	    slice_caseeq(m->envelope.recipients[index].address, slice_str(postmaster_of(conf, postmaster)));
}

static uint32_t
gather(const struct message *m, enum dsn_kind kind, struct dsn_recipient *out, uint32_t *told)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < m->envelope.count && count < DSN_RECIPIENTS_MAX; i++) {
		const struct recipient *rcpt = &m->envelope.recipients[i];

		if (!is_owed(m, i, kind))
			continue;
		told[count] = i;
		out[count++] = (struct dsn_recipient){ .address = rcpt->address, .original = rcpt->original,
		    .orcpt = rcpt->orcpt, .outcome = rcpt->fate.last, .last_attempt_ms = rcpt->fate.attempts > 0 ? clock_wall_ms() : 0 };
	}
	return count;
}

/* The notification's own envelope: from nobody, to one. */
static int
address_to(struct message *m, struct slice to, enum body_type body, enum tls_tag tls, const struct buf *content)
{
	struct envelope *e = &m->envelope;

	e->recipients = arena_array(&m->arena, 1, sizeof(*e->recipients));
	if (e->recipients == NULL)
		return -1;
	e->recipients[0].address = arena_slice(&m->arena, to);
	if (e->recipients[0].address.p == NULL)
		return -1;
	e->recipients[0].original = slice_of("", 0);
	e->count = 1;
	e->reverse_path = slice_of("", 0);
	e->body = body;
	e->tls = tls;
	e->smtputf8 = !slice_is_ascii(to);
	e->arrival_ms = clock_wall_ms();
	e->nonce = random_u64();
	e->size = (uint32_t)buf_len(content);
	m->arrival_mono_ms = clock_mono_ms();
	m->content = mem_dup(buf_slice(content).p, buf_len(content));
	return m->content == NULL ? -1 : message_ready(m);
}

/* The original's Message-ID, copied while the scan shows it; empty when there is none. */
struct found_id {
	char	bytes[HEADER_VALUE_MAX];
	size_t	len;
};

static void
keep_message_id(void *arg, enum header_field field, struct slice value)
{
	struct found_id *id = arg;

	if (field != HEADER_MESSAGE_ID || id->len > 0)
		return;
	memcpy(id->bytes, value.p, value.len);
	id->len = value.len;
}

static struct slice
message_id_of(struct slice header, struct found_id *id)
{
	struct header_scan scan;

	id->len = 0;
	header_scan_init(&scan, header.len, keep_message_id, id);
	(void)header_scan_feed(&scan, header);
	(void)header_scan_end(&scan);
	return slice_of(id->bytes, id->len);
}

/* RFC 3461 4.3: RET is about failures, and what is too much of a message comes back as its header. So does what requires TLS, whatever
 * RET said (RFC 8689 5): the way back may be less safe than the one here. */
static bool
is_returned(const struct message *m, enum dsn_kind kind, struct slice header)
{
	return kind == DSN_FAILURE && m->envelope.ret == RET_FULL && m->envelope.tls != TLS_TAG_REQUIRED && header.len == m->envelope.size &&
	    header.len <= DSN_FULL_MAX;
}

/* RFC 8689 5: a notification is protected like the message that it tells of. */
static enum tls_tag
tag_of(const struct message *m)
{
	return m->envelope.tls == TLS_TAG_REQUIRED ? TLS_TAG_REQUIRED : TLS_TAG_NONE;
}

struct message *
bounce_new(const struct conf *conf, const struct message *m, enum dsn_kind kind, queue_id own, struct slice header,
    uint32_t told[DSN_RECIPIENTS_MAX], uint32_t *told_count, struct err *err)
{
	struct dsn_recipient recipients[DSN_RECIPIENTS_MAX];
	char postmaster[POSTMASTER_MAX];
	struct message *out = message_new(own);
	struct found_id found;
	struct buf content;
	struct dsn dsn = {
		.kind = kind, .to_postmaster = message_is_bounce(m), .hostname = slice_str(conf->hostname), .id = m->id,
		.own_id = own, .random = random_u64(), .reverse_path = m->envelope.reverse_path,
		.postmaster = slice_str(postmaster_of(conf, postmaster)), .now_ms = clock_wall_ms(),
		.arrival_ms = m->envelope.arrival_ms, .envid = m->envelope.envid, .header = header,
		.full = is_returned(m, kind, header), .recipients = recipients,
		.expiry_ms = m->envelope.arrival_ms + expiry_limit_ms(&conf->queue, message_is_bounce(m)),
	};

	buf_init(&content, CONTENT_INLINE_MAX);
	dsn.to = dsn.to_postmaster ? dsn.postmaster : dsn.reverse_path;
	dsn.utf8 = !slice_is_ascii(dsn.to);
	dsn.message_id = message_id_of(header, &found);
	dsn.count = *told_count = gather(m, kind, recipients, told);
	if (out == NULL || dsn_build(&dsn, &content) == -1 || address_to(out, dsn.to, dsn_body(&dsn), tag_of(m), &content) == -1) {
		(void)err_set(err, "no memory for a notification");
		message_free(&out);
	}
	buf_fini(&content);
	return out;
}
