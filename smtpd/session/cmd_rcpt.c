/*
 * cmd_rcpt — RCPT TO: who may be written to from here.
 *
 * What the cache does not know is gathered over all RCPTs of one read and asked in one frame. Replies keep the order of the
 * commands, so behind the first that waits all wait.
 */
#include <stdarg.h>
#include <stdio.h>

#include "base/fmt.h"
#include "smtp/params.h"
#include "smtpd/session/inside.h"

#define EXCESS_LEAST	1000	/* so many recipients beyond the limit are no errors, in one transaction, or as many as that limit */

int
address_complete(struct session *s, struct address *address)
{
	if (address->domain.len > 0)
		return 0;
	/* RFC 5321 4.5.1: <postmaster> is always somebody here. */
	if (!auth_may_relay(s) && !address_is_postmaster(address))
		return -1;
	address->domain = slice_str(s->settings->hostname);
	return 0;
}

struct slice
address_canonical(struct arena *arena, const struct address *address)
{
	char text[ADDRESS_MAX];
	struct buf out = { .mem = text, .cap = sizeof(text), .max = sizeof(text) };

	/* The buf never grows: it has what it may have from the start. */
	address_print(address, &out);
	return out.failed ? slice_of(NULL, 0) : arena_slice(arena, buf_slice(&out));
}

static struct pending *
wait_in_line(struct transaction *tx)
{
	struct pending *p = &tx->pending[tx->pending_count++];

	*p = (struct pending){ 0 };
	return p;
}

/* A refusal that needs no lookup: said now, or when those in front have been answered. */
static enum done __attribute__((format(printf, 2, 3)))
refuse(struct session *s, const char *format, ...)
{
	struct transaction *tx = s->tx;
	char text[512];
	const char *kept;
	va_list ap;

	va_start(ap, format);
	vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	if (tx->pending_count == 0) {
		session_sayf(s, "%s\r\n", text);
		return DONE_REFUSED;
	}
	kept = arena_str(&tx->arena, text);
	wait_in_line(tx)->refusal = kept != NULL ? kept : "452 4.3.1 Insufficient memory, try again later";
	return DONE_LATER;
}

static enum done
refuse_sentence(struct session *s, enum sentence no)
{
	struct slice text = sentence_text(no);

	return refuse(s, "%.*s", (int)text.len - 2, text.p);
}

static void
log_client(const struct session *s)
{
	const struct forwarded *f = s->forwarded;
	struct log_field fields[6];
	char original[2 * NAME_MAX_TEXT];
	size_t n = 0;

	fields[n++] = LOG_ID(KEY_ID, s->tx->ticket.id);
	fields[n++] = LOG_STR(KEY_CLIENT, s->client);
	fields[n++] = LOG_STR(KEY_SASL_METHOD, s->login.live ? s->mechanism : "");
	fields[n++] = LOG_STR(KEY_SASL_USERNAME, s->login.live ? s->login.name : "");
	if (f != NULL) {
		snprintf(original, sizeof(original), "%s[%s]", f->name[0] != '\0' ? f->name : "unknown",
		    f->address[0] != '\0' ? f->address : "unknown");
		fields[n++] = LOG_STR(KEY_ORIG_ID, f->ident);
		fields[n++] = LOG_STR(KEY_ORIG_CLIENT, original);
	}
	log_event_put(EVENT_CLIENT, LOG_LEVEL_INFO, s->number, fields, n);
}

/* The id is drawn when there is somebody to deliver to, and log lines carry it from here on. */
static int
draw_id(struct session *s)
{
	if (s->tx->ticket.id != 0)
		return 0;
	if (intake_take_id(s->home->intake, &s->tx->ticket) == -1)
		return -1;
	log_client(s);
	return 0;
}

static enum done
say(struct session *s, const struct pending *p, enum sentence no)
{
	return session_reject_sentence(s, "RCPT", &s->tx->reverse_path, &p->address, no);
}

/*
 * RFC 5321 4.5.3.1.10: whoever is told so sends the rest in another transaction. One that pipelines a long list hears of it only
 * behind that list, which is as long as LIMITS allows (RFC 9422): no more of them are errors. Else it would be sent away before the
 * message of those who were taken.
 */
static enum done
excuse(struct session *s, enum done done)
{
	uint32_t most = s->settings->recipients > EXCESS_LEAST ? s->settings->recipients : EXCESS_LEAST;

	if (++s->tx->excess <= most)
		s->errors--;
	return done;
}

static enum done
too_many(struct session *s, const struct pending *p)
{
	return excuse(s, say(s, p, SAY_TOO_MANY_RCPT));
}

static enum done
take_in(struct session *s, const struct pending *p)
{
	struct transaction *tx = s->tx;

	if (!transaction_has(tx, p->address)) {
		if (tx->count >= s->settings->recipients)
			return too_many(s, p);
		if (draw_id(s) == -1)
			return say(s, p, SAY_NO_QUEUE);
		if (transaction_add(tx, &(struct recipient){ .address = p->address, .original = p->original,
		    .orcpt = p->orcpt, .notify = p->notify }) == -1)
			return too_many(s, p);
	}
	session_say(s, SAY_RCPT_OK);
	return DONE_OK;
}

/* The status and words of a verdict, or those of the table where lookup gave none. */
struct refusal {
	const char	*code;
	struct status	 status;
	const char	*text;
};

static const struct refusal refusals[ROUTE_VERDICT_COUNT] = {
	[ROUTE_NONE]		= { "451", { 4, 3, 0 }, "Temporary lookup failure" },
	[ROUTE_REMOTE]		= { "554", { 5, 7, 1 }, "Relay access denied" },
	[ROUTE_UNKNOWN]		= { "550", { 5, 1, 1 }, "Recipient address rejected: User unknown" },
	[ROUTE_INVALID]		= { "550", { 5, 1, 3 }, "Recipient address rejected: It cannot be delivered" },
	[ROUTE_TRY_LATER]	= { "451", { 4, 3, 0 }, "Temporary lookup failure" },
};

static enum done
turn_away(struct session *s, const struct pending *p, enum route_verdict verdict, const struct route *route)
{
	const struct refusal *r = &refusals[verdict];
	bool own_words = verdict == ROUTE_INVALID && route != NULL;
	struct status status = own_words && route->status.class == 5 ? route->status : r->status;
	char code[STATUS_PRINT_SIZE], words[ROUTE_TEXT_MAX + 1];

	s->tx->refused++;
	s->home->refusals++;
	if (own_words && route->text.len > 0)
		return session_reject(s, "RCPT", &s->tx->reverse_path, &p->address, "%s %s <%.*s>: Recipient address rejected: %s",
		    r->code, status_print(status, code), SLICE_FMT(p->address), fmt_escaped(words, sizeof(words), route->text));
	return session_reject(s, "RCPT", &s->tx->reverse_path, &p->address, "%s %s <%.*s>: %s",
	    r->code, status_print(status, code), SLICE_FMT(p->address), r->text);
}

/* The whole of the policy. Anything but a plain "ours" or a right to relay is a no, and trouble is a "not now". */
static enum done
decide(struct session *s, const struct pending *p, enum route_verdict verdict, const struct route *route)
{
	if (verdict == ROUTE_LOCAL || (verdict == ROUTE_REMOTE && auth_may_relay(s)))
		return take_in(s, p);
	return turn_away(s, p, verdict, route);
}

/* Everybody in the line gets a reply; answer NULL: trouble. */
static void
settle(struct session *s, const struct route_answer *answer)
{
	struct transaction *tx = s->tx;
	uint32_t asked = 0, count = tx->pending_count;

	tx->pending_count = 0;
	for (uint32_t i = 0; i < count; i++) {
		const struct pending *p = &tx->pending[i];
		const struct route *route = NULL;
		enum route_verdict verdict = p->known;
		enum done done = DONE_REFUSED;

		if (p->refusal == NULL && verdict == ROUTE_NONE && answer != NULL) {
			routes_learn(s->home->routes, answer, asked, p->address);
			route = &answer->routes[asked++];
			verdict = route->verdict;
		}
		if (p->refusal != NULL)
			session_sayf(s, "%s\r\n", p->refusal);
		else
			done = decide(s, p, verdict, route);
		session_count(s, VERB_RCPT, done == DONE_OK);
	}
}

static void
on_answer(void *arg, const struct route_answer *answer)
{
	struct session *s = arg;

	settle(s, answer);
	session_go(s, PHASE_COMMAND);
	session_resume(s);
}

void
rcpt_flush(struct session *s)
{
	struct transaction *tx = s->tx;
	struct slice addresses[PENDING_MAX];
	uint32_t count = 0;

	for (uint32_t i = 0; i < tx->pending_count; i++)
		if (tx->pending[i].refusal == NULL && tx->pending[i].known == ROUTE_NONE)
			addresses[count++] = tx->pending[i].address;
	if (count == 0 || routes_ask(s->home->routes, &tx->ask, addresses, count, on_answer, s) == -1)
		settle(s, NULL);
	else
		session_go(s, PHASE_ROUTES);
}

static enum done
consider(struct session *s, struct pending *now)
{
	struct transaction *tx = s->tx;

	now->known = routes_known(s->home->routes, now->address);
	if (now->known != ROUTE_NONE && tx->pending_count == 0)
		return decide(s, now, now->known, NULL);
	*wait_in_line(tx) = *now;
	return DONE_LATER;
}

/* What stands behind the path: what the sender wants to be told of this recipient. */
static enum done
take_params(struct session *s, struct slice argument, struct pending *now)
{
	struct rcpt_params params;
	struct slice which;
	char shown[80];

	switch (params_rcpt(argument, s->withheld, &params, &which)) {
	case PARAM_OK:
		now->notify = params.notify;
		now->orcpt = arena_slice(&s->tx->arena, slice_of(params.orcpt, params.orcpt_len));
		return DONE_OK;
	case PARAM_UNKNOWN:
		return refuse(s, "555 5.5.4 Unsupported option: %s", fmt_escaped(shown, sizeof(shown), which));
	default:
		return refuse(s, "501 5.5.4 Bad option: %s", fmt_escaped(shown, sizeof(shown), which));
	}
}

enum done
cmd_rcpt(struct session *s, struct slice argument)
{
	struct transaction *tx = s->tx;
	struct pending now = { .original = SLICE_LIT("") };
	const char *why = "domain missing";
	struct slice whole;
	struct path path;
	enum done done;

	if (auth_is_lost(s))
		return session_end_sentence(s, SAY_LOGIN_LOST);
	if (transaction_is_full(tx))
		return excuse(s, refuse_sentence(s, SAY_TOO_MANY_RCPT));
	if (!s->home->charge(s->home->arg, s, CHARGE_RECIPIENT))
		return refuse_sentence(s, SAY_TOO_MANY_NAMES);
	if (command_take_label(&argument, "TO:") == -1)
		return refuse_sentence(s, SAY_RCPT_SYNTAX);
	whole = argument;
	if (path_take(&argument, false, true, &tx->arena, &path, &why) == -1)
		return why == address_no_memory ? refuse_sentence(s, SAY_NO_MEMORY) :
		    refuse(s, "501 5.1.3 Bad recipient address syntax: %s", why);
	if (path.address.domain.len == 0)
		now.original = arena_slice(&tx->arena, slice_of(whole.p + 1, (size_t)(argument.p - whole.p) - 2));
	if (address_complete(s, &path.address) == -1)
		return refuse(s, "501 5.1.3 Bad recipient address syntax: %s", why);
	done = take_params(s, argument, &now);
	if (done != DONE_OK)
		return done;
	if (!tx->smtputf8 && !address_is_ascii(&path.address))
		return refuse_sentence(s, SAY_NOT_ASCII);
	now.address = address_canonical(&tx->arena, &path.address);
	if (now.address.p == NULL || now.original.p == NULL || now.orcpt.p == NULL)
		return refuse_sentence(s, SAY_NO_MEMORY);
	return consider(s, &now);
}
