/*
 * client — opens, owns and ends a conversation; steps.c is its map, hello.c, envelope.c and body.c are its parts.
 *
 * Called by attempt.c (transactions) and pool.c (idle connections).
 */
#include "relay/client/client.h"

#include <errno.h>
#include <stdio.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "net/tls_context.h"
#include "relay/client/conversation.h"

#define IN_MAX		(2 * REPLY_LINE_MAX)
#define OUT_HIGH	(128 * 1024)
#define OUT_MAX		(512 * 1024)	/* OUT_HIGH, and one block of nothing but dots */
#define QUITTING_MAX	500		/* servers that do not answer QUIT must not use up our descriptors */

static void on_input(void *);
static void on_end(void *, enum stream_end, int);
static void on_drained(void *);

static const struct stream_ops stream_ops = { .on_input = on_input, .on_end = on_end, .on_drained = on_drained, .on_open = secure_opened };

struct client_house *
client_house_new(struct loop *loop, const struct conf *conf, struct tls_context **tls, struct err *err)
{
	struct client_house *house = mem_zalloc(sizeof(*house));

	if (house == NULL) {
		(void)err_set(err, "no memory for connections");
		return NULL;
	}
	house->loop = loop;
	LIST_INIT(&house->clients);
	client_house_conf(house, conf, tls);
	return house;
}

void
client_house_conf(struct client_house *house, const struct conf *conf, struct tls_context **tls)
{
	house->conf = conf;
	house->generation++;
	tls_context_drop(&house->tls);
	house->tls = *tls;
	*tls = NULL;
}

uint32_t
client_house_count(const struct client_house *house)
{
	return house->count;
}

void
client_house_free(struct client_house **hp)
{
	struct client_house *house = *hp;

	*hp = NULL;
	if (house == NULL)
		return;
	while (!LIST_EMPTY(&house->clients))
		client_shut(LIST_FIRST(&house->clients));
	tls_context_drop(&house->tls);
	mem_free(house);
}

void
client_shut(struct client *c)
{
	if (c->stream == NULL)
		return;
	LIST_REMOVE(c, link);
	c->house->count--;
	c->house->quitting -= c->step == STEP_QUIT;
	c->ops = NULL;
	stream_close(&c->stream);
	timer_fini(&c->deadline);
	loop_hook_cancel(c->house->loop, &c->hook);
	loop_discard(c->house->loop, &c->discard, mem_free, c);
}

void
client_close(struct client **cp)
{
	struct client *c = *cp;

	*cp = NULL;
	if (c != NULL)
		client_shut(c);
}

static bool
is_idle(const struct client *c)
{
	return c->stream != NULL && c->step == STEP_IDLE && !c->spoiled;
}

void
client_quit(struct client **cp)
{
	struct client *c = *cp;

	*cp = NULL;
	if (c == NULL)
		return;
	if (!is_idle(c) || c->house->quitting >= QUITTING_MAX || stream_puts(c->stream, "QUIT\r\n") == -1) {
		client_shut(c);
		return;
	}
	c->ops = NULL;
	c->house->quitting++;
	client_go(c, STEP_QUIT);
}

static void
on_deadline(void *arg)
{
	struct client *c = arg;

	c->tls_failed = c->step == STEP_STARTTLS || c->step == STEP_TLS;
	/* An idle connection that is not needed ends without a word in the log. */
	if (c->step == STEP_IDLE && c->ops != NULL)
		c->ops->gone(c->arg, &(struct outcome){ .action = ACTION_DELAYED, .status = STATUS(4, 4, 2),
		    .text = SLICE_LIT("idle for too long") });
	else
		client_fail(c, "conversation with %s timed out while %s", c->name, client_steps[c->step].doing);
}

struct client *
client_open(struct client_house *house, int fd, const char *host, const struct sockaddress *address, unsigned flags,
    const struct client_ops *ops, void *arg, struct err *err)
{
	struct client *c = mem_zalloc(sizeof(*c));
	char text[SOCKADDRESS_TEXT];

	if (c == NULL || timer_init(&c->deadline, house->loop, on_deadline, c) == -1) {
		(void)err_set(err, "no memory for a connection");
		fd_close(&fd);
		mem_free(c);
		return NULL;
	}
	c->stream = stream_open(house->loop, fd, IN_MAX, OUT_HIGH, OUT_MAX, &stream_ops, c, err);
	if (c->stream == NULL) {
		timer_fini(&c->deadline);
		mem_free(c);
		return NULL;
	}
	c->house = house;
	c->generation = house->generation;
	c->ops = ops;
	c->arg = arg;
	c->address = *address;
	c->wants_tls = (flags & CLIENT_TLS) != 0;
	c->named = (flags & CLIENT_NAMED) != 0;
	(void)snprintf(c->host, sizeof(c->host), "%s", host);
	(void)snprintf(c->name, sizeof(c->name), "%s[%s]:%u", host, sockaddress_print(address, text), sockaddress_port(address));
	LIST_INSERT_HEAD(&house->clients, c, link);
	house->count++;
	client_go(c, STEP_GREETING);
	return c;
}

bool
client_usable(const struct client *c)
{
	return is_idle(c) && !client_spent(c);
}

bool
client_is_current(const struct client *c)
{
	return c->generation == c->house->generation;
}

bool
client_spent(const struct client *c)
{
	return is_idle(c) && (c->spent || !limits_allow_more(c));
}

uint32_t
client_transactions(const struct client *c)
{
	return c->transactions;
}

bool
client_tls_failed(const struct client *c)
{
	return c->tls_failed;
}

bool
client_tls_impossible(const struct client *c)
{
	return c->tls_impossible;
}

const char *
client_name(const struct client *c)
{
	return c->name;
}

const struct sockaddress *
client_address(const struct client *c)
{
	return &c->address;
}

void
client_adopt(struct client *c, const struct client_ops *ops, void *arg)
{
	c->ops = ops;
	c->arg = arg;
}

/* ---- what came in ---- */

/*
 * Bytes behind a reply after which the server had to wait for our next command. They would be taken for the answer to that, and every
 * answer behind it for that of another recipient.
 */
static bool
talks_on(const struct client *c)
{
	bool waits = c->step == STEP_GREETING || c->step == STEP_STARTTLS || c->step == STEP_EHLO || c->step == STEP_HELO || c->step == STEP_RSET;
	bool goes_on = reply_class(&c->reply) == 2 || (reply_class(&c->reply) == 5 && c->step == STEP_EHLO);

	return waits && goes_on && stream_input(c->stream).len > 0;
}

/* Takes one reply off the stream and lets its step see it; false: wait. */
static bool
take_reply(struct client *c)
{
	struct slice in = stream_input(c->stream);
	size_t had = in.len;
	enum reply_result result;

	result = reply_take(&c->reply, &in, c->step == STEP_EHLO ? capability_line : NULL, &c->caps);
	stream_consume(c->stream, had - in.len);
	if (result == REPLY_BROKEN) {
		client_nonsense(c, "something that is no SMTP reply");
		return false;
	}
	if (result != REPLY_READY)
		return false;
	c->answered = true;
	if (talks_on(c)) {
		client_nonsense(c, "more than it was asked");
		return false;
	}
	client_steps[c->step].on_reply(c, &c->reply);
	return true;
}

static void
on_input(void *arg)
{
	struct client *c = arg;

	while (c->stream != NULL && stream_input(c->stream).len > 0 && take_reply(c))
		continue;
}

static void
on_end(void *arg, enum stream_end end, int error)
{
	struct client *c = arg;

	if (c->step == STEP_STARTTLS || c->step == STEP_TLS) {
		secure_failed(c);
		return;
	}
	if (end == STREAM_ERROR && error != 0 && error != ECONNRESET && error != EPIPE)
		client_fail(c, "lost connection with %s while %s: %s", c->name, client_steps[c->step].doing, strerror(error));
	else
		client_fail(c, "lost connection with %s while %s", c->name, client_steps[c->step].doing);
}

static void
on_drained(void *arg)
{
	struct client *c = arg;

	if (c->step == STEP_BODY)
		body_drained(c);
}

/* ---- the end of a transaction, or of the conversation ---- */

static struct slice
keep_text(struct client *c, struct slice text)
{
	struct slice copy;

	if (text.len > OUTCOME_TEXT_MAX)
		text.len = OUTCOME_TEXT_MAX;
	copy = arena_slice(c->tx->arena, text);
	return copy.p == NULL ? SLICE_LIT("") : copy;
}

void
client_decide(struct client *c, struct tx_recipient *to, const struct outcome *outcome)
{
	to->outcome = *outcome;
	to->outcome.text = keep_text(c, outcome->text);
	to->outcome.mta = keep_text(c, slice_str(c->name));
}

void
client_decide_rest(struct client *c, const struct outcome *outcome)
{
	struct outcome kept = *outcome;

	kept.text = keep_text(c, outcome->text);	/* once for all of them */
	kept.mta = keep_text(c, slice_str(c->name));
	for (uint32_t i = 0; i < c->tx->count; i++) {
		struct tx_recipient *to = c->tx->recipients[i];

		if (to->outcome.action == ACTION_NONE && to->state != TX_LATER)
			to->outcome = kept;
	}
}

void
client_finish(struct client *c)
{
	loop_hook_cancel(c->house->loop, &c->hook);	/* it would end the next transaction, too */
	client_go(c, STEP_IDLE);
	c->spoiled = stream_input(c->stream).len > 0;
	c->tx = NULL;
	if (c->ops != NULL)
		c->ops->sent(c->arg);
}

/* Nobody decided; the owner may try elsewhere. `unheard`: the peer had hung up before it heard of this transaction. */
static void
end_in_envelope(struct client *c, const struct outcome *why, bool unheard)
{
	c->tx->trouble = *why;
	c->tx->trouble.text = keep_text(c, why->text);
	c->tx->trouble.mta = keep_text(c, slice_str(c->name));
	c->tx->stale = c->transactions > 1 && unheard;
	c->tx->more = false;
}

/*
 * Ends the conversation. `unheard`: the transaction had no reply yet, or 421 was the first one. Only when every byte of the final
 * dot is with the kernel may the next hop have the message: STEP_DOT begins there.
 */
static void
end(struct client *c, struct outcome why, bool unheard)
{
	const struct client_ops *ops = c->ops;
	void *arg = c->arg;
	enum step_kind kind = client_steps[c->step].kind;

	why.mta = slice_str(c->name);
	if (kind == KIND_ENVELOPE)
		end_in_envelope(c, &why, unheard);
	else if (kind == KIND_CONTENT && c->accepted > 0 && !c->tx->damaged)
		client_decide_rest(c, &why);
	client_shut(c);
	if (ops == NULL)
		return;
	if (kind == KIND_ENVELOPE || kind == KIND_CONTENT)
		ops->sent(arg);
	else
		ops->gone(arg, &why);
}

static void
end_in_own_words(struct client *c, struct status status, const char *text)
{
	struct outcome why = { .action = ACTION_DELAYED, .status = status, .text = slice_str(text) };

	if (c->step == STEP_DOT && c->accepted > 0)
		why.action = ACTION_UNKNOWN;
	if (c->step != STEP_IDLE && c->step != STEP_QUIT)
		log_info("%s", text);
	end(c, why, !c->answered);
}

void
client_fail(struct client *c, const char *format, ...)
{
	char text[OUTCOME_TEXT_MAX];
	va_list ap;

	va_start(ap, format);
	(void)vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	end_in_own_words(c, STATUS(4, 4, 2), text);
}

void
client_nonsense(struct client *c, const char *what)
{
	char text[OUTCOME_TEXT_MAX];

	(void)snprintf(text, sizeof(text), "%s sent %s while %s", c->name, what, client_steps[c->step].doing);
	end_in_own_words(c, STATUS(4, 5, 0), text);
}

void
client_refused(struct client *c, const struct reply *reply)
{
	struct outcome why = { .action = ACTION_DELAYED, .status = reply_status(reply), .text = reply_text(reply) };
	bool first = c->step == STEP_MAIL || c->step == STEP_RSET;

	if (why.status.class != 4)
		why.status = STATUS(4, 3, 0);	/* a 5xx that is about the host and not about the recipient */
	end(c, why, first);
}

static void
send_now(struct client *c)
{
	if (c->dirty && stream_puts(c->stream, "RSET\r\n") == 0)
		client_go(c, STEP_RSET);
	else
		envelope_begin(c);
}

void
client_send(struct client *c, struct transaction *tx)
{
	c->tx = tx;
	tx->trouble = (struct outcome){ .action = ACTION_DELAYED, .status = STATUS(4, 3, 0), .text = SLICE_LIT("not tried") };
	tx->stale = tx->more = tx->damaged = false;
	c->heard = c->accepted = c->count = 0;
	c->reader = (struct content_reader){ 0 };
	c->refused = c->answered = c->body_done = false;
	c->dots = (struct dot_writer){ 0 };
	c->lines = (struct dot_reader){ 0 };
	for (uint32_t i = 0; i < tx->count; i++)
		tx->recipients[i]->state = TX_NONE;
	c->transactions++;
	send_now(c);
}
