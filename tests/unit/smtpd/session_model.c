/*
 * session_model — see session_model.h. RFC sections stand beside what they ask for.
 */
#include "tests/unit/smtpd/session_model.h"

#include <string.h>
#include <strings.h>

static void
heard(struct model *m, unsigned code)
{
	m->codes[m->code_count++] = code;
}

/* RFC 5321 4.1.4, 4.1.1.5: all that was said since MAIL is forgotten. */
static void
forget(struct model *m)
{
	m->mail = m->chunked = m->stale = false;
	m->count = 0;
	m->now.sender[0] = m->now.recipients[0] = '\0';
	m->now.len = 0;
}

void
model_begin(struct model *m, const struct model_rules *rules, struct model_message *room)
{
	memset(m, 0, offsetof(struct model, now));
	m->rules = rules;
	m->messages = room;
	forget(m);
	model_next(m);
}

void
model_next(struct model *m)
{
	m->code_count = m->message_count = 0;
}

void
model_queue_lost(struct model *m)
{
	m->stale = m->mail && m->count > 0;
	m->full = false;
}

static void
close_session(struct model *m)
{
	forget(m);
	m->wants_content = false;
	m->over = true;
}

/* Whoever makes too many mistakes is sent away, one line behind the last of them. */
static void
answer(struct model *m, unsigned code, bool is_error)
{
	heard(m, code);
	m->errors += is_error;
	if (!m->over && m->rules->max_errors > 0 && m->errors >= m->rules->max_errors) {
		heard(m, 421);
		close_session(m);
	}
}

static void
count_junk(struct model *m)
{
	if (++m->junk > m->rules->max_junk && m->rules->max_junk > 0)
		m->errors++;
}

/* ---- commands ---- */

static unsigned
hello(struct model *m, const struct model_row *row)
{
	if (row->code == 250) {
		forget(m);
		m->hello = true;
	}
	return row->code;
}

static unsigned
mail(struct model *m, const struct model_row *row)
{
	if (!m->hello || m->mail)
		return 503;
	if (row->code == 501 && row->address == NULL)	/* not even an address */
		return 501;
	if (m->rules->login_wanted)
		return 530;
	if (m->full)
		return 452;
	if (row->code != 250)
		return row->code;
	forget(m);
	m->mail = true;
	strlcpy(m->now.sender, row->address, sizeof(m->now.sender));
	return 250;
}

static bool
is_recipient(const struct model *m, const char *address)
{
	const char *at = strstr(m->now.recipients, address);

	return at != NULL && (at == m->now.recipients || at[-1] == '\n') && at[strlen(address)] == '\n';
}

/* RFC 3030 2: no more recipients once the content has begun; RFC 5321 4.5.3.1.10: what 452 means here. */
static unsigned
rcpt(struct model *m, const struct model_row *row)
{
	unsigned code = row->code == 554 && m->rules->may_relay ? 250 : row->code;

	if (!m->hello || !m->mail || m->chunked)
		return 503;
	if (code != 250 || is_recipient(m, row->address))
		return code;
	if (m->count == m->rules->recipients)
		return 452;
	m->count++;
	strlcat(m->now.recipients, row->address, sizeof(m->now.recipients));
	strlcat(m->now.recipients, "\n", sizeof(m->now.recipients));
	return 250;
}

static unsigned
data(struct model *m, const struct model_row *row)
{
	if (!m->hello || !m->mail || m->chunked)	/* RFC 3030 2: DATA behind BDAT is 503 */
		return 503;
	if (row->code != 354)
		return row->code;
	if (m->count == 0)
		return 554;
	if (m->stale) {
		forget(m);
		return 451;
	}
	m->wants_content = true;
	return 354;
}

static unsigned
rset(struct model *m, const struct model_row *row)
{
	if (row->code == 250)
		forget(m);
	return row->code;
}

/* RFC 5321 4.1.1.6-9: these may not touch anything. */
static unsigned
nothing(struct model *m, const struct model_row *row)
{
	(void)m;
	return row->code;
}

/* RFC 4954 4: not where it is not offered, and not before EHLO. */
static unsigned
auth(struct model *m, const struct model_row *row)
{
	return nothing(m, row);
}

/* Only who may relay hears more than the code of the row. */
static unsigned
vrfy(struct model *m, const struct model_row *row)
{
	return m->rules->may_relay ? row->trusted_code : row->code;
}

/* RFC 1985: it is no part of a transaction. */
static unsigned
etrn(struct model *m, const struct model_row *row)
{
	if (!m->hello || m->mail)
		return 503;
	return vrfy(m, row);
}

const struct model_row model_rows[] = {
	{ "HELO client.example\r\n", hello, .code = 250, .junk = true, .last = true },
	{ "EHLO [192.0.2.1]\r\n", hello, .code = 250, .junk = true, .last = true },
	{ "HELO\r\n", hello, .code = 501, .junk = true, .last = true },
	{ "EHLO two words\r\n", hello, .code = 501, .junk = true, .last = true },
	{ "MAIL FROM:<a@example.org>\r\n", mail, .code = 250, .address = "a@example.org" },
	{ "MAIL FROM:<>\r\n", mail, .code = 250, .address = "" },
	{ "mail from: <\"b\"@EXAMPLE.org> size=10 body=8bitmime\r\n", mail, .code = 250, .address = "b@example.org" },
	{ "MAIL FROM:<a@\r\n", mail, .code = 501 },
	{ "MAIL TO:<a@example.org>\r\n", mail, .code = 501 },
	{ "MAIL FROM:<a@example.org> BODY=BINARYMIME\r\n", mail, .code = 501, .address = "a@example.org" },
	{ "MAIL FROM:<a@example.org> X-UNHEARD=OF\r\n", mail, .code = 555, .address = "a@example.org" },
	{ "MAIL FROM:<a@example.org> REQUIRETLS\r\n", mail, .code = 555, .address = "a@example.org" },	/* RFC 8689 2: never in clear */
	{ "MAIL FROM:<a@example.org> REQUIRETLS=1\r\n", mail, .code = 555, .address = "a@example.org" },
	{ "MAIL FROM:<a@example.org> SIZE=99999\r\n", mail, .code = 552, .address = "a@example.org" },
	{ "RCPT TO:<user1@example.net>\r\n", rcpt, .code = 250, .address = "user1@example.net" },
	{ "RCPT TO:<user2@example.net>\r\n", rcpt, .code = 250, .address = "user2@example.net" },
	{ "RCPT TO:<\"user3\"@EXAMPLE.NET>\r\n", rcpt, .code = 250, .address = "user3@example.net" },
	{ "RCPT TO:<@relay.example:user4@example.net>\r\n", rcpt, .code = 250, .address = "user4@example.net" },
	{ "RCPT TO:<postmaster>\r\n", rcpt, .code = 250, .address = "postmaster@mx.example.net" },
	{ "RCPT TO:<nobody@example.net>\r\n", rcpt, .code = 550 },
	{ "RCPT TO:<later@example.net>\r\n", rcpt, .code = 451 },
	{ "RCPT TO:<odd@example.net>\r\n", rcpt, .code = 550 },
	{ "RCPT TO:<x@elsewhere.example>\r\n", rcpt, .code = 554, .address = "x@elsewhere.example" },
	{ "RCPT TO:<>\r\n", rcpt, .code = 501 },
	{ "RCPT TO:<user1@example.net> X-UNHEARD=OF\r\n", rcpt, .code = 555 },
	{ "DATA\r\n", data, .code = 354, .last = true },
	{ "DATA now\r\n", data, .code = 501 },
	{ "RSET\r\n", rset, .code = 250, .junk = true },
	{ "RSET now\r\n", rset, .code = 501, .junk = true },
	{ "NOOP\r\n", nothing, .code = 250, .junk = true },
	{ "NOOP \xc3\xa4 <\r\n", nothing, .code = 250, .junk = true },
	{ "HELP\r\n", nothing, .code = 214, .junk = true },
	{ "VRFY user1@example.net\r\n", vrfy, .code = 252, .trusted_code = 250, .junk = true },
	{ "VRFY <nobody@example.net>\r\n", vrfy, .code = 252, .trusted_code = 550, .junk = true },
	{ "VRFY later@example.net\r\n", vrfy, .code = 252, .trusted_code = 451, .junk = true },
	{ "VRFY x@elsewhere.example\r\n", vrfy, .code = 252, .trusted_code = 252, .junk = true },
	{ "VRFY \xc3\xa4\r\n", vrfy, .code = 252, .trusted_code = 501, .junk = true },
	{ "EXPN list\r\n", vrfy, .code = 502, .trusted_code = 550, .junk = true },
	{ "EXPN user1@example.net\r\n", vrfy, .code = 502, .trusted_code = 550, .junk = true },
	{ "VERB\r\n", nothing, .code = 250, .junk = true },
	{ "ETRN example.org\r\n", etrn, .code = 459, .trusted_code = 250, .junk = true, .last = true },
	{ "ETRN @later.example\r\n", etrn, .code = 459, .trusted_code = 458, .junk = true, .last = true },
	{ "ETRN two words\r\n", etrn, .code = 459, .trusted_code = 501, .junk = true, .last = true },
	{ "XFORWARD NAME=x\r\n", nothing, .code = 550, .junk = true },
	{ "WHAT\r\n", nothing, .code = 500, .junk = true },
	{ "\r\n", nothing, .code = 500, .junk = true },
	{ "STARTTLS\r\n", nothing, .code = 502, .last = true },			/* not offered */
	{ "STARTTLS now\r\n", nothing, .code = 501 },
	{ "AUTH PLAIN AGEAYg==\r\n", auth, .code = 503, .last = true },		/* not offered */
	{ "XCLIENT ADDR=10.1.2.3\r\n", nothing, .code = 550, .junk = true, .last = true },
	{ "QUIT now\r\n", nothing, .code = 501 },
	{ "QUIT\r\n", nothing, .code = 221, .closes = true },
	{ "GET / HTTP/1.1\r\n", nothing, .code = 554, .junk = true, .closes = true },
	{ "NOOP\n", nothing, .code = 550, .closes = true },
	{ "NO\rOP\r\n", nothing, .code = 550, .closes = true },
};
const size_t model_row_count = sizeof(model_rows) / sizeof(model_rows[0]);

/* Whether the state alone forbids the command: then nobody asks whether the client has waited. */
static bool
out_of_place(const struct model *m, const struct model_row *row)
{
	return (row->fn == data && (!m->hello || !m->mail || m->chunked)) || (row->fn == auth && !m->hello) ||
	    (row->fn == etrn && (!m->hello || m->mail));
}

void
model_command(struct model *m, const struct model_row *row, bool early)
{
	unsigned code;

	if (row->junk)
		count_junk(m);
	if (early && row->last && !out_of_place(m, row)) {
		heard(m, 554);
		close_session(m);
		return;
	}
	code = row->fn(m, row);
	if (row->closes) {
		heard(m, code);
		close_session(m);
		return;
	}
	/* 452 to a recipient asks for another transaction and is no mistake. */
	answer(m, code, code >= 400 && !(row->fn == rcpt && code == 452));
}

/* ---- content ---- */

/* The next line of the content, without its CRLF, into `line`; false: there is none. */
static bool
next_line(const struct model_message *message, size_t *at, char line[MODEL_CONTENT + 1])
{
	size_t len = 0;

	if (*at == message->len)
		return false;
	while (*at < message->len && message->content[*at] != '\r')
		line[len++] = message->content[(*at)++];
	line[len] = '\0';
	*at += *at < message->len ? 2 : 0;
	return true;
}

/* RFC 5322 2.2: a name of printable ASCII, and a colon. */
static bool
is_field(const char *line)
{
	const char *c = line;

	while (*c > ' ' && *c <= '~' && *c != ':')
		c++;
	return *c == ':' && c > line;
}

/* RFC 8689 3: exactly one field of the header, which ends with the first line that is none. No line here is folded. */
static bool
says_no_tls_required(const struct model_message *message)
{
	char line[MODEL_CONTENT + 1];
	unsigned fields = 0, no = 0;
	size_t at = 0;

	while (next_line(message, &at, line) && is_field(line)) {
		fields += strncasecmp(line, "TLS-Required:", 13) == 0;
		no += strcasecmp(line, "TLS-Required: No") == 0;
	}
	return fields == 1 && no == 1;
}

/* The message is complete. */
static void
hand_in(struct model *m, enum model_verdict verdict)
{
	bool stale = m->stale;

	m->now.no_tls_required = says_no_tls_required(&m->now);
	if (!stale) {
		m->messages[m->message_count++] = m->now;
		if (verdict == MODEL_TAKEN)
			m->errors = m->junk = 0;
	} else {
		verdict = MODEL_LATER;
	}
	forget(m);
	answer(m, verdict, verdict != MODEL_TAKEN);
}

static void
append(struct model *m, const char *bytes, size_t len)
{
	if (len > MODEL_CONTENT - m->now.len)
		len = MODEL_CONTENT - m->now.len;
	memcpy(m->now.content + m->now.len, bytes, len);
	m->now.len += len;
}

void
model_content(struct model *m, const char *content, size_t len, bool bare, enum model_verdict verdict)
{
	m->wants_content = false;
	if (bare) {
		heard(m, 550);
		close_session(m);
		return;
	}
	append(m, content, len);
	if (len > m->rules->message_size) {
		forget(m);
		answer(m, 552, true);
		return;
	}
	hand_in(m, verdict);
}

/* A CR without LF or a LF without CR; a CR at the very end counts only when nothing can follow. */
static bool
has_bare(const struct model_message *message, bool complete)
{
	const char *c = message->content;

	for (size_t i = 0; i < message->len; i++) {
		bool at_end = i + 1 == message->len;

		if (c[i] == '\n' && (i == 0 || c[i - 1] != '\r'))
			return true;
		if (c[i] == '\r' && (at_end ? complete : c[i + 1] != '\n'))
			return true;
	}
	return false;
}

/* Why a chunk is refused whatever is in it; 0: it is not. */
static unsigned
chunk_refusal(const struct model *m, enum model_chunk form)
{
	if (!m->hello || !m->mail)
		return 503;
	if (form == MODEL_CHUNK_ODD)
		return 501;
	if (m->count == 0)
		return 554;
	return m->stale && !m->chunked ? 451 : 0;
}

/* The end of the content: posthorn's own rule is that its last line has an end, too. */
static bool
complete_line(struct model *m)
{
	if (m->now.len > 0 && m->now.content[m->now.len - 1] != '\n')
		append(m, "\r\n", 2);
	return m->now.len <= m->rules->message_size;
}

static void
take_chunk(struct model *m, const char *bytes, size_t size, bool last, enum model_verdict verdict)
{
	bool fits = m->now.len + size <= m->rules->message_size;

	m->chunked = true;
	append(m, bytes, size);
	if (fits && has_bare(&m->now, last)) {
		heard(m, 550);
		close_session(m);
	} else if (!fits || (last && !complete_line(m))) {
		forget(m);
		answer(m, 552, true);
	} else if (last) {
		hand_in(m, verdict);
	} else {
		answer(m, 250, false);
	}
}

/* RFC 3030 2: the bytes of a chunk belong to it whatever becomes of it; after a failure the transaction is over. */
void
model_bdat(struct model *m, enum model_chunk form, const char *bytes, size_t size, bool last, enum model_verdict verdict)
{
	unsigned refusal = chunk_refusal(m, form);

	if (form == MODEL_CHUNK_LOST) {
		heard(m, 501);
		close_session(m);
		return;
	}
	if (size == 0 && !last)
		count_junk(m);
	if (refusal == 0) {
		take_chunk(m, bytes, size, last, verdict);
		return;
	}
	forget(m);
	answer(m, refusal, true);
}

void
model_bdat_huge(struct model *m)
{
	unsigned refusal = chunk_refusal(m, MODEL_CHUNK_GOOD);

	heard(m, refusal != 0 ? refusal : 552);
	close_session(m);
}

size_t
model_header(const struct model_message *message, bool *closed)
{
	char line[MODEL_CONTENT + 1];
	size_t at = 0, next = 0;

	*closed = false;
	while (next_line(message, &next, line) && is_field(line))
		at = next;
	*closed = at < message->len && line[0] == '\0';
	return at;
}
