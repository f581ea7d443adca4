/*
 * session — from connect to quit: the phases, their deadlines, and the one way out.
 *
 * All commands of one read are run before any reply leaves; the stream writes them in one go when the round ends.
 */
#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/socket.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "net/tls_stream.h"
#include "smtpd/session/inside.h"

#define SECONDS(n)	((int64_t)(n) * 1000)
#define MINUTES(n)	SECONDS(60 * (n))
#define IN_MAX		(16 * 1024)	/* input kept while an answer is awaited */
#define OUT_HIGH	(16 * 1024)	/* unread replies; then no more commands are run */
#define OUT_MAX		(512 * 1024)
#define FLUSH_MS	SECONDS(5)	/* for the last words of a session */
#define NUMBERS		1000000		/* session numbers of a process, then they begin again */

static void	input_greeting(struct session *);
static void	late_greeting(struct session *);
static void	late_client(struct session *);

/* RFC 5321 4.5.3.2.7: five minutes for a command; data has its own. What waits for us and not for the client is bounded, too. */
static const struct phase {
	const char	*name;
	size_t		 patience_at;	/* the field of settings that holds it; 0: fixed */
	int64_t		 patience;
	void		(*input)(struct session *);	/* NULL: input waits */
	void		(*late)(struct session *);
	bool		 client_waited_for;	/* the transaction's own patience counts */
} phases[PHASE_COUNT] = {
#define SETTING(f)	offsetof(struct settings, f), 0
#define FIXED(ms)	0, (ms)
	[PHASE_HANDSHAKE] = { "handshake", FIXED(SECONDS(30)),		NULL,		secure_late,		false },
	[PHASE_GREETING]= { "greeting", SETTING(greeting_delay),	input_greeting,	late_greeting,		false },
	[PHASE_COMMAND]	= { "command",	SETTING(command_timeout),	lines_command,	late_client,		true },
	[PHASE_SKIP]	= { "skip",	SETTING(command_timeout),	lines_skip,	late_client,		true },
	[PHASE_SENDER]	= { "sender",	FIXED(MINUTES(1)),		NULL,		late_client,		false },
	[PHASE_ROUTES]	= { "routes",	FIXED(MINUTES(1)),		NULL,		late_client,		false },
	[PHASE_VERIFY]	= { "verify",	FIXED(MINUTES(1)),		NULL,		late_client,		false },
	[PHASE_FLUSH]	= { "flush",	FIXED(MINUTES(1)),		NULL,		etrn_late,		false },
	[PHASE_AUTH]	= { "auth",	SETTING(command_timeout),	auth_input,	late_client,		true },
	[PHASE_AUTH_WAIT] = { "login",	FIXED(MINUTES(3)),		NULL,		auth_late,		false },
	[PHASE_DATA]	= { "data",	SETTING(data_timeout),		content_input,	late_client,		true },
	[PHASE_CHUNK]	= { "chunk",	SETTING(data_timeout),		bdat_input,	late_client,		true },
	[PHASE_FILE]	= { "file",	FIXED(MINUTES(1)),		NULL,		content_file_late,	false },
	[PHASE_VERDICT]	= { "verdict",	FIXED(MINUTES(5)),		NULL,		content_verdict_late,	false },
};

static void	on_input(void *);
static void	on_stream_end(void *, enum stream_end, int);
static void	on_drained(void *);

#define STREAM_OPS	.on_input = on_input, .on_end = on_stream_end, .on_drained = on_drained, .on_open = secure_opened
static const struct stream_ops stream_ops = { STREAM_OPS }, secret_stream_ops = { STREAM_OPS, .secret = true };

void
session_extend(struct session *s, int64_t at)
{
	if (s->tx != NULL && phases[s->phase].client_waited_for && s->tx->until < at)
		at = s->tx->until;
	timer_set(&s->deadline, at - loop_now(s->home->loop));
}

/* RFC 5321 4.5.3.2 wants minutes; Postfix has the same exception, and says why: a server without a free session serves nobody. */
static bool
is_hurried(const struct session *s, enum phase_id phase)
{
	return s->home->stressed && !s->trusted && !s->login.live && s->settings->stress_timeout > 0 &&
	    (phases[phase].client_waited_for || phase == PHASE_HANDSHAKE);
}

int64_t
session_patience(const struct session *s, enum phase_id which)
{
	const struct phase *phase = &phases[which];
	int64_t patience = phase->patience;

	if (phase->patience_at != 0)
		memcpy(&patience, (const char *)s->settings + phase->patience_at, sizeof(patience));
	return is_hurried(s, which) && patience > s->settings->stress_timeout ? s->settings->stress_timeout : patience;
}

void
session_go(struct session *s, enum phase_id next)
{
	const struct phase *phase = &phases[next];

	log_debug("session %u: %s -> %s", s->number, s->phase == PHASE_NONE ? "new" : phases[s->phase].name, phase->name);
	s->phase = next;
	session_extend(s, loop_now(s->home->loop) + session_patience(s, next));
}

const char *
session_where(const struct session *s)
{
	if (s->phase == PHASE_VERDICT)
		return "END-OF-MESSAGE";
	return s->last == VERB_NONE ? "CONNECT" : verb_name(s->last);
}

/* Replies. A failed write shows as the stream's end. */

void
session_say(struct session *s, enum sentence what)
{
	if (sentence_is_error(what))
		s->errors++;
	(void)stream_write(s->stream, sentence_text(what));
}

void
session_sayf(struct session *s, const char *format, ...)
{
	char text[1024];
	va_list ap;

	va_start(ap, format);
	vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	if (text[0] >= '4')
		s->errors++;
	(void)stream_puts(s->stream, text);
}

static void
note_reject(const struct session *s, enum log_event event, const char *command, const struct slice *from, const struct slice *to,
    const char *text)
{
	struct log_field fields[8];
	size_t n = 0;

	if (s->tx != NULL && s->tx->ticket.id != 0)
		fields[n++] = LOG_ID(KEY_ID, s->tx->ticket.id);
	fields[n++] = LOG_STR(KEY_COMMAND, command);
	fields[n++] = LOG_STR(KEY_CLIENT, s->client);
	fields[n++] = LOG_STR(KEY_TEXT, text);
	if (from != NULL)
		fields[n++] = LOG_SLICE(KEY_FROM, *from);
	if (to != NULL)
		fields[n++] = LOG_SLICE(KEY_TO, *to);
	fields[n++] = LOG_STR(KEY_PROTO, s->esmtp ? "ESMTP" : "SMTP");
	fields[n++] = LOG_STR(KEY_HELO, s->helo);
	log_event_put(event, LOG_LEVEL_INFO, s->number, fields, n);
}

enum done
session_reject(struct session *s, const char *command, const struct slice *from, const struct slice *to, const char *reply, ...)
{
	char text[1024];
	va_list ap;

	va_start(ap, reply);
	vsnprintf(text, sizeof(text), reply, ap);
	va_end(ap);
	note_reject(s, EVENT_REJECT, command, from, to, text);
	session_sayf(s, "%s\r\n", text);
	return DONE_REFUSED;
}

enum done
session_reject_sentence(struct session *s, const char *command, const struct slice *from, const struct slice *to, enum sentence no)
{
	struct slice text = sentence_text(no);

	return session_reject(s, command, from, to, "%.*s", (int)text.len - 2, text.p);
}

void
session_warn_reject(const struct session *s, const char *command, const struct slice *from, const char *reply)
{
	note_reject(s, EVENT_REJECT_WARNING, command, from, NULL, reply);
}

void
session_count(struct session *s, enum verb verb, bool ok)
{
	if (verb == VERB_FOREIGN)
		verb = VERB_UNKNOWN;
	s->counts[verb].all++;
	s->counts[verb].ok += ok;
}

/* " ehlo=1 mail=1 rcpt=1/2 ... commands=5/6", as Postfix counts: of two different numbers the first were granted. */
static const char *
print_counts(const struct session *s, char *out, size_t size)
{
	uint32_t all = 0, ok = 0;
	size_t len = 0;

	out[0] = '\0';
	for (enum verb v = VERB_HELO; v <= VERB_UNKNOWN; v++) {
		char name[16];

		if (s->counts[v].all == 0)
			continue;
		all += s->counts[v].all;
		ok += s->counts[v].ok;
		snprintf(name, sizeof(name), "%s", verb_name(v));
		for (char *p = name; *p != '\0'; p++)
			*p = ascii_lower(*p);
		if (s->counts[v].all == s->counts[v].ok)
			len += (size_t)snprintf(out + len, size - len, "%s=%u ", name, s->counts[v].all);
		else
			len += (size_t)snprintf(out + len, size - len, "%s=%u/%u ", name, s->counts[v].ok, s->counts[v].all);
		assert(len < size);
	}
	if (all == ok)
		snprintf(out + len, size - len, "commands=%u", all);
	else
		snprintf(out + len, size - len, "commands=%u/%u", ok, all);
	return out;
}

void
session_junk(struct session *s)
{
	if (++s->junk > s->settings->max_junk && s->settings->max_junk > 0)
		s->errors++;
}

void
session_reset(struct session *s)
{
	xforward_forget(s);
	if (s->tx == NULL)
		return;
	s->home->content_bytes -= s->tx->counted;
	transaction_end(&s->tx, &s->home->pool, s->home->intake, s->home->routes);
}

void
session_forget(struct session *s)
{
	session_reset(s);
	logins_end(s->home->logins, &s->login);
	s->login.name[0] = '\0';
	s->helo[0] = '\0';
	s->esmtp = false;
}

/* The end. */

static void
session_free(void *arg)
{
	struct session *s = arg;

	settings_drop(&s->settings);
	mem_free(s);
}

/* Commands whose answer was still to come have failed. */
static void
count_open(struct session *s)
{
	if (s->phase == PHASE_DATA || s->phase == PHASE_CHUNK || s->phase == PHASE_FILE || s->phase == PHASE_SENDER || s->phase == PHASE_VERDICT ||
	    s->phase == PHASE_VERIFY || s->phase == PHASE_FLUSH)
		session_count(s, s->last, false);
	if (s->phase == PHASE_AUTH || s->phase == PHASE_AUTH_WAIT)
		session_count(s, VERB_AUTH, false);
	for (uint32_t i = 0; s->tx != NULL && i < s->tx->pending_count; i++)
		session_count(s, VERB_RCPT, false);
}

enum done
session_end(struct session *s, const char *reply)
{
	char counts[512];

	if (s->stream == NULL)
		return DONE_CLOSED;
	if (reply != NULL)
		(void)stream_puts(s->stream, reply);
	stream_close_after_flush(&s->stream, FLUSH_MS);
	timer_fini(&s->deadline);
	count_open(s);
	log_event(EVENT_DISCONNECT, LOG_LEVEL_INFO, s->number, LOG_STR(KEY_CLIENT, s->client),
	    LOG_STR(KEY_TEXT, print_counts(s, counts, sizeof(counts))));
	session_reset(s);
	routes_cancel(s->home->routes, &s->ask);
	intake_forget(s->home->intake, &s->flush);
	logins_end(s->home->logins, &s->login);
	s->home->closed(s->home->arg, s);
	loop_discard(s->home->loop, &s->discard, session_free, s);
	return DONE_CLOSED;
}

enum done
session_end_sentence(struct session *s, enum sentence what)
{
	if (s->stream != NULL)
		session_say(s, what);
	return session_end(s, NULL);
}

static void __attribute__((format(printf, 2, 3)))
end_with(struct session *s, const char *format, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, format);
	vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	(void)session_end(s, text);
}

static void
late_client(struct session *s)
{
	log_event(EVENT_TIMEOUT, LOG_LEVEL_INFO, s->number, LOG_STR(KEY_COMMAND, session_where(s)), LOG_STR(KEY_CLIENT, s->client));
	end_with(s, "421 4.4.2 %s Error: timeout exceeded\r\n", s->settings->hostname);
}

static void
on_deadline(void *arg)
{
	struct session *s = arg;

	phases[s->phase].late(s);
}

static void
lost(struct session *s)
{
	if (s->phase == PHASE_HANDSHAKE)
		secure_failed(s);
	log_event(EVENT_LOST, LOG_LEVEL_INFO, s->number, LOG_STR(KEY_COMMAND, session_where(s)), LOG_STR(KEY_CLIENT, s->client));
	(void)session_end(s, NULL);
}

static void
shut_down(struct session *s)
{
	end_with(s, "421 4.3.2 %s Service is shutting down, try again later\r\n", s->settings->hostname);
}

/* The beginning. */

void
session_greet(struct session *s)
{
	session_sayf(s, "220 %s ESMTP posthorn\r\n", s->settings->hostname);
	session_go(s, PHASE_COMMAND);
}

static void
late_greeting(struct session *s)
{
	session_greet(s);
}

/* RFC 5321 4.3.1: a client waits for the greeting. Programs that do not are seldom senders of mail. */
static void
too_early(struct session *s, struct slice text)
{
	if (text.len > 100)
		text.len = 100;
	log_event(EVENT_IMPROPER_PIPELINING, LOG_LEVEL_INFO, s->number, LOG_STR(KEY_COMMAND, "CONNECT"),
	    LOG_STR(KEY_CLIENT, s->client), LOG_SLICE(KEY_TEXT, text));
	(void)session_end_sentence(s, SAY_SYNCHRONIZATION);
}

static void
input_greeting(struct session *s)
{
	too_early(s, stream_input(s->stream));
}

void
session_begin(struct session *s)
{
	char early[100];
	ssize_t n;

	if (s->served != NULL && s->served->implicit) {
		secure_begin(s);
		return;
	}
	if (s->settings->greeting_delay > 0) {
		session_go(s, PHASE_GREETING);
		return;
	}
	n = recv(stream_fd(s->stream), early, sizeof(early), MSG_PEEK | MSG_DONTWAIT);
	if (n > 0)
		too_early(s, slice_of(early, (size_t)n));
	else
		session_greet(s);
}

struct session *
session_open(struct home *home, int fd, const struct sockaddress *peer, bool trusted, struct err *err)
{
	struct session *s = mem_zalloc(sizeof(*s));

	if (s == NULL || timer_init(&s->deadline, home->loop, on_deadline, s) == -1) {
		fd_close(&fd);
		goto fail;
	}
	s->stream = stream_open(home->loop, fd, IN_MAX, OUT_HIGH, OUT_MAX,
	    home->role == ROLE_SUBMISSION ? &secret_stream_ops : &stream_ops, s, err);
	if (s->stream == NULL)
		goto fail;
	s->home = home;
	s->settings = settings_use(home->settings);
	s->served = settings_served(s->settings, stream_fd(s->stream));
	s->trusted = trusted;
	s->number = home->number_base + home->opened++ % NUMBERS;
	s->address = *peer;
	sockaddress_print(peer, s->peer);
	snprintf(s->name, sizeof(s->name), "unknown");
	snprintf(s->client, sizeof(s->client), "%s[%s]", s->name, s->peer);
	s->may_xclient = settings_xclient(s->settings, peer);
	s->may_xforward = settings_xforward(s->settings, peer);
	s->withheld = settings_withheld(s->settings, s->served, peer);
	log_event(EVENT_CONNECT, LOG_LEVEL_INFO, s->number, LOG_STR(KEY_CLIENT, s->client));
	return s;

fail:
	(void)err_set(err, "no memory for a session");
	if (s != NULL)
		timer_fini(&s->deadline);
	mem_free(s);
	return NULL;
}

struct session_owned *
session_owned(struct session *s)
{
	return &s->owned;
}

void
session_hurry(struct session *s)
{
	int64_t at = loop_now(s->home->loop) + s->settings->stress_timeout;

	if (s->stream != NULL && is_hurried(s, s->phase) && s->deadline.due > at)
		session_extend(s, at);
}

uint32_t
session_errors(const struct session *s)
{
	return s->errors;
}

const char *
session_client(const struct session *s)
{
	return s->client;
}

void
session_stop(struct session *s)
{
	if (s->stream != NULL && s->tx == NULL && s->phase != PHASE_NONE)
		shut_down(s);
}

void
session_kill(struct session *s)
{
	if (s->stream != NULL)
		shut_down(s);
}

void
session_refuse(int fd, const struct settings *settings, const char *reply)
{
	char text[512];
	int len = snprintf(text, sizeof(text), "421 4.7.0 %s Error: %s\r\n", settings->hostname, reply);

	/* One try: a new connection has an empty send buffer. */
	if (len > 0 && (size_t)len < sizeof(text))
		(void)send(fd, text, (size_t)len, MSG_NOSIGNAL | MSG_DONTWAIT);
	fd_close(&fd);
}

/* Input. */

/* Too many of what leads nowhere; false: the session is over. */
static bool
within_limits(struct session *s)
{
	if (s->stream == NULL)
		return false;
	if (s->settings->max_errors == 0 || s->errors < s->settings->max_errors)
		return true;
	log_event(EVENT_TOO_MANY_ERRORS, LOG_LEVEL_INFO, s->number, LOG_STR(KEY_COMMAND, session_where(s)),
	    LOG_STR(KEY_CLIENT, s->client));
	(void)session_end_sentence(s, SAY_TOO_MANY_ERRORS);
	return false;
}

/* What is left to do when no more input can be used now. */
static void
after_input(struct session *s)
{
	if (s->phase == PHASE_COMMAND)
		lines_flush(s, NULL);
	if (!within_limits(s) || phases[s->phase].input == NULL || stream_congested(s->stream))
		return;
	if (s->peer_ended)
		lost(s);
	else if (s->home->stopping && s->tx == NULL)
		shut_down(s);
}

static void
run(struct session *s)
{
	size_t had;
	enum phase_id was;

	if (s->running || s->stream == NULL)
		return;
	s->running = true;
	while (within_limits(s) && phases[s->phase].input != NULL && !stream_congested(s->stream)) {
		had = stream_input(s->stream).len;
		was = s->phase;
		if (had == 0)
			break;
		phases[s->phase].input(s);
		if (s->stream != NULL && s->phase == was && stream_input(s->stream).len == had)
			break;		/* half a line */
	}
	s->running = false;
	if (s->stream != NULL)
		after_input(s);
}

void
session_resume(struct session *s)
{
	run(s);
}

static void
on_input(void *arg)
{
	run(arg);
}

static void
on_drained(void *arg)
{
	struct session *s = arg;

	if (stream_input(s->stream).len > 0 || s->peer_ended)
		run(s);
}

static void
on_stream_end(void *arg, enum stream_end how, int error)
{
	struct session *s = arg;

	(void)error;
	s->peer_ended = true;
	/* One that has sent all it had and waits for the answers may close its half. */
	if (how == STREAM_ERROR || (phases[s->phase].input != NULL && !stream_congested(s->stream)))
		lost(s);
}
