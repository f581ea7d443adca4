/* dovecot — see dovecot.h; the protocol is that of Dovecot 2.2 to 2.4 (version 1.1 and later). */
#include "lookup/password/dovecot.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "event/stream.h"
#include "event/timer.h"
#include "lookup/password/dovecot_line.h"
#include "net/sockaddr.h"
#include "smtp/base64.h"

#define LINE_MAX_BYTES	(16 * 1024)
#define OUT_MAX		(4 * 1024 * 1024)
#define RETRY_FIRST	200	/* ms, as the next two */
#define RETRY_MOST	30000
#define HELLO_MS	10000	/* for its first words */

struct dovecot {
	struct loop		*loop;
	const char		*path;
	struct dovecot_ops	 ops;
	struct stream		*stream;	/* NULL: away */
	struct timer		 timer;		/* away: the next try; else the end of patience with its first words */
	int64_t			 backoff;
	bool			 ready;		/* DONE has come */
	bool			 complained;	/* that it is away; once is enough */
	size_t			 offered_len;
	char			 offered[AUTH_MECHANISMS_MAX];
};

static void	on_input(void *);
static void	on_stream_end(void *, enum stream_end, int);
static void	on_timer(void *);

static const struct stream_ops stream_ops = { .on_input = on_input, .on_end = on_stream_end, .secret = true };

/* It is away. Who waits hears it; the next try comes by the timer. */
static void
away(struct dovecot *d, const char *why)
{
	bool was_ready = d->ready;

	stream_close(&d->stream);
	d->ready = false;
	d->offered_len = 0;
	d->backoff = d->backoff == 0 ? RETRY_FIRST : d->backoff * 2 > RETRY_MOST ? RETRY_MOST : d->backoff * 2;
	timer_set(&d->timer, d->backoff);
	if (was_ready || !d->complained)
		log_warn("Dovecot at %s: %s; nobody can log in until it is back", d->path, why);
	d->complained = true;
	d->ops.offers(d->ops.arg, SLICE_LIT(""));
}

static int
open_socket(const char *path, struct err *err)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd;

	if (strlen(path) >= sizeof(address.sun_path))
		return err_set(err, "the path of the socket is longer than %zu bytes", sizeof(address.sun_path) - 1);
	(void)strlcpy(address.sun_path, path, sizeof(address.sun_path));
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd == -1)
		return err_sys(err, "a socket");
	/* To a Unix socket this is done or has failed; EAGAIN: its backlog is full. */
	if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) == -1) {
		(void)err_sys(err, "connecting");
		fd_close(&fd);
	}
	return fd;
}

static void
try_connect(struct dovecot *d)
{
	struct err err;
	int fd = open_socket(d->path, &err);

	if (fd != -1)
		d->stream = stream_open(d->loop, fd, 2 * LINE_MAX_BYTES, OUT_MAX, OUT_MAX, &stream_ops, d, &err);
	if (d->stream == NULL) {
		away(d, err.text);
		return;
	}
	timer_set(&d->timer, HELLO_MS);
	(void)stream_printf(d->stream, "VERSION\t1\t1\nCPID\t%ld\n", (long)getpid());
}

static void
on_timer(void *arg)
{
	struct dovecot *d = arg;

	if (d->stream == NULL)
		try_connect(d);
	else if (!d->ready)
		away(d, "it says nothing");
}

static void
on_stream_end(void *arg, enum stream_end how, int error)
{
	(void)how;
	away(arg, error != 0 ? strerror(error) : "it has closed the connection");
}

struct dovecot *
dovecot_new(struct loop *loop, const char *path, const struct dovecot_ops *ops, struct err *err)
{
	struct dovecot *d = mem_zalloc(sizeof(*d));

	if (d == NULL || timer_init(&d->timer, loop, on_timer, d) == -1) {
		(void)err_set(err, "no memory for Dovecot's socket");
		mem_free(d);
		return NULL;
	}
	d->loop = loop;
	d->path = path;
	d->ops = *ops;
	timer_set(&d->timer, 0);
	return d;
}

void
dovecot_free(struct dovecot **dp)
{
	struct dovecot *d = *dp;

	*dp = NULL;
	if (d == NULL)
		return;
	stream_close(&d->stream);
	timer_fini(&d->timer);
	mem_free(d);
}

/* --- what it says ------------------------------------------------------------------------------- */

static int
add_mechanism(struct dovecot *d, const struct dovecot_line *line)
{
	bool space = d->offered_len > 0;

	/* EXTERNAL asks for a certificate, which would have to be asked for before; a name must be one of SASL's. */
	if (line->unfit || slice_eq(line->name, SLICE_LIT("EXTERNAL")) || line->name.len > AUTH_MECHANISM_MAX ||
	    d->offered_len + space + line->name.len > sizeof(d->offered))
		return 0;
	for (size_t i = 0; i < line->name.len; i++) {
		char c = line->name.p[i];

		if (!(c >= 'A' && c <= 'Z') && !(c >= '0' && c <= '9') && c != '-' && c != '_')
			return 0;
	}
	if (space)
		d->offered[d->offered_len++] = ' ';
	memcpy(d->offered + d->offered_len, line->name.p, line->name.len);
	d->offered_len += line->name.len;
	return 0;
}

static int
on_done(struct dovecot *d)
{
	if (d->ready)
		return -1;
	d->ready = true;
	d->backoff = 0;
	timer_stop(&d->timer);
	if (d->complained)
		log_info("Dovecot at %s answers", d->path);
	d->complained = false;
	d->ops.offers(d->ops.arg, slice_of(d->offered, d->offered_len));
	return 0;
}

static int
on_challenge(struct dovecot *d, const struct dovecot_line *line)
{
	char bytes[BASE64_DECODED(LINE_MAX_BYTES)];
	struct check_answer answer = { .result = SASL_CHALLENGE };
	size_t len;

	if (base64_decode(line->data, bytes, &len) == -1 || len > AUTH_CHALLENGE_MAX)
		return -1;
	answer.challenge = slice_of(bytes, len);
	d->ops.answer(d->ops.arg, (uint32_t)line->id, &answer);
	return 0;
}

/* OK or FAIL. A login that is none, in an OK, is Dovecot's mistake and nobody's login. */
static int
on_verdict(struct dovecot *d, const struct dovecot_line *line)
{
	struct check_answer answer = { .result = line->kind == DOVECOT_OK ? SASL_OK : line->temporary ? SASL_TROUBLE : SASL_FAILED };
	char login[AUTH_LOGIN_MAX], why[AUTH_TEXT_MAX];
	size_t login_len, why_len;

	answer.why = answer.result == SASL_TROUBLE ? SLICE_LIT("Dovecot cannot tell now") : SLICE_LIT("authentication failure");
	if (dovecot_unescape(line->reason, why, sizeof(why), &why_len) == 0 && why_len > 0)
		answer.why = slice_of(why, why_len);
	if (dovecot_unescape(line->user, login, sizeof(login), &login_len) == 0 && sasl_is_login(slice_of(login, login_len)))
		answer.login = slice_of(login, login_len);
	else if (answer.result == SASL_OK)
		return -1;
	d->ops.answer(d->ops.arg, (uint32_t)line->id, &answer);
	return 0;
}

static int
take_line(struct dovecot *d, struct slice text)
{
	struct dovecot_line line;

	dovecot_line_parse(text, &line);
	if (line.kind >= DOVECOT_OK && !d->ready)
		return -1;
	switch (line.kind) {
	case DOVECOT_NONE:
		return -1;
	case DOVECOT_MECHANISM:
		return add_mechanism(d, &line);
	case DOVECOT_DONE:
		return on_done(d);
	case DOVECOT_CONT:
		return on_challenge(d, &line);
	case DOVECOT_OK:
	case DOVECOT_FAIL:
		return on_verdict(d, &line);
	default:
		return 0;
	}
}

static void
on_input(void *arg)
{
	struct dovecot *d = arg;
	const char *lf;

	while (d->stream != NULL) {
		struct slice in = stream_input(d->stream);
		size_t len;

		lf = in.len == 0 ? NULL : memchr(in.p, '\n', in.len);
		len = lf == NULL ? in.len : (size_t)(lf - in.p);
		if (len > LINE_MAX_BYTES || (lf != NULL && take_line(d, slice_of(in.p, len)) == -1)) {
			away(d, "it does not keep to its protocol");
			return;
		}
		if (lf == NULL)
			return;
		stream_consume(d->stream, len + 1);
	}
}

/* --- what it hears ------------------------------------------------------------------------------ */

static int
put_response(struct dovecot *d, struct slice response)
{
	char text[BASE64_ENCODED(DOVECOT_RESPONSE_MAX)];
	int result = stream_write(d->stream, slice_of(text, base64_encode(response, text)));

	explicit_bzero(text, sizeof(text));
	return result;
}

int
dovecot_begin(struct dovecot *d, uint32_t id, const struct auth_begin *begin)
{
	struct sockaddress client;
	char address[SOCKADDRESS_TEXT];

	if (!d->ready || begin->response.len > DOVECOT_RESPONSE_MAX)
		return -1;
	sockaddress_of_bytes(begin->client, &client);
	/* The name, the address and the words here hold no tab: grammar and digits. The response is the last field, always. */
	(void)stream_printf(d->stream, "AUTH\t%u\t%.*s\tservice=smtp\tnologin\trip=%s%s%s", id, SLICE_FMT(begin->mechanism),
	    sockaddress_print(&client, address), begin->secure ? "\tsecured" : "", begin->has_response ? "\tresp=" : "");
	if (begin->has_response)
		(void)put_response(d, begin->response);
	return stream_puts(d->stream, "\n");
}

int
dovecot_continue(struct dovecot *d, uint32_t id, struct slice response)
{
	if (!d->ready || response.len > DOVECOT_RESPONSE_MAX)
		return -1;
	(void)stream_printf(d->stream, "CONT\t%u\t", id);
	(void)put_response(d, response);
	return stream_puts(d->stream, "\n");
}

void
dovecot_cancel(struct dovecot *d, uint32_t id)
{
	if (d->ready)
		(void)stream_printf(d->stream, "CANCEL\t%u\n", id);
}
