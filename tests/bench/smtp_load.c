/*
 * smtp_load — many SMTP clients in one process, to see how fast a server takes mail.
 *
 * Every client connects, says EHLO, sends its messages with the envelope pipelined when the server offers that, quits, and
 * begins anew, until the time is over; then each finishes the message it is at. With --pace-ms a single client rests that
 * long before each message. Prints one line of figures: messages acknowledged, seconds, rate, the latency from the first byte
 * of MAIL to the reply to the dot, and refusals. With --starttls each connection goes over to TLS (lean_tls.h), by a full handshake; with --no-mail it
 * quits then, and only connections are of interest. With --progress FILE the number of acknowledged messages stands there, as
 * text, rewritten five times a second.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/num.h"
#include "tests/bench/lean_tls.h"

#define CLIENTS_MAX	20000
#define SAMPLES_MAX	4000000
#define INPUT_MAX	4096

enum step { STEP_NONE, STEP_CONNECT, STEP_GREETING, STEP_EHLO, STEP_STARTTLS, STEP_SHAKE, STEP_ENVELOPE, STEP_DOT, STEP_QUIT };

struct options {
	const char	*host, *sender, *to, *progress;
	uint16_t	 port;
	bool		 starttls, no_mail;
	uint64_t	 clients, per_connection, seconds, size, first, users, recipients, most, pace_ms;
};

struct client {
	int		 fd;
	struct lean_tls	*tls;			/* NULL: in clear */
	enum step	 step;
	uint64_t	 sent;			/* on this connection */
	unsigned	 awaited;		/* replies still to come in this step */
	unsigned	 next_command;		/* without pipelining: which line of the envelope */
	bool		 pipelining, refused, waits_to_write;
	int64_t		 began_us;
	size_t		 in_len;
	char		 in[INPUT_MAX];
	struct buf	 out;			/* commands */
	size_t		 body_left;		/* of the body, which all clients share, behind them */
};

static struct options opt = {
	.host = "127.0.0.1", .sender = "load@sender.example", .to = "user%u@local.example", .port = 25,
	.clients = 1, .per_connection = 1, .seconds = 10, .size = 4096, .users = 1, .recipients = 1, .most = UINT64_MAX,
};
static struct client *clients;
static int poller;
static bool over;
static uint64_t accepted, refusals, connections, begun;
static uint32_t *samples;			/* microseconds */
static size_t sample_count;
static char *body;
static size_t body_len;
static char first_refusal[512];

static void
die(const char *what)
{
	fprintf(stderr, "smtp_load: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void
make_body(void)
{
	struct buf b;

	buf_init(&b, opt.size + 1024);
	(void)buf_puts(&b, "From: <load@sender.example>\r\nTo: <user@local.example>\r\nSubject: load\r\n"
	    "Date: Mon, 23 Nov 2026 10:00:00 +0000\r\nMessage-ID: <load@sender.example>\r\n\r\n");
	while (buf_len(&b) + 66 <= opt.size)
		(void)buf_puts(&b, "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ+-\r\n");
	(void)buf_puts(&b, ".\r\n");
	body_len = buf_len(&b);
	body = malloc(body_len);
	if (body == NULL)
		die("memory");
	memcpy(body, buf_slice(&b).p, body_len);
	buf_fini(&b);
}

/* --- what a client says ------------------------------------------------------------------------ */

/* Returns false when the socket takes no more for now. */
static bool
send_some(struct client *c)
{
	struct slice out = buf_slice(&c->out);
	ssize_t n;

	if (out.len == 0)
		out = slice_of(body + body_len - c->body_left, c->body_left);
	n = c->tls != NULL ? lean_tls_send(c->tls, out.p, out.len) : send(c->fd, out.p, out.len, MSG_NOSIGNAL);
	if (n <= 0)
		return false;
	if (buf_len(&c->out) > 0)
		buf_drop(&c->out, (size_t)n);
	else
		c->body_left -= (size_t)n;
	return true;
}

static bool
unsent(const struct client *c)
{
	return buf_len(&c->out) > 0 || c->body_left > 0 || (c->tls != NULL && lean_tls_unsent(c->tls));
}

static void
flush(struct client *c)
{
	struct epoll_event ev = { .events = EPOLLIN, .data.ptr = c };

	if (!unsent(c))
		return;
	while (unsent(c) && send_some(c))
		;
	if (unsent(c))
		ev.events |= EPOLLOUT;
	if (c->waits_to_write != unsent(c))
		(void)epoll_ctl(poller, EPOLL_CTL_MOD, c->fd, &ev);
	c->waits_to_write = unsent(c);
}

static void
say_recipient(struct client *c, uint64_t nth)
{
	(void)buf_puts(&c->out, "RCPT TO:<");
	for (const char *p = opt.to; *p != '\0'; p++) {
		if (p[0] == '%' && p[1] == 'u') {
			(void)buf_printf(&c->out, "%llu", (unsigned long long)(opt.first + (begun + nth) % opt.users));
			p++;
		} else {
			(void)buf_putc(&c->out, *p);
		}
	}
	(void)buf_puts(&c->out, ">\r\n");
}

static void
say_command(struct client *c, uint64_t nth)
{
	if (nth == 0)
		(void)buf_printf(&c->out, "MAIL FROM:<%s>\r\n", opt.sender);
	else if (nth <= opt.recipients)
		say_recipient(c, nth - 1);
	else
		(void)buf_puts(&c->out, "DATA\r\n");
}

static void
say_envelope(struct client *c)
{
	c->step = STEP_ENVELOPE;
	c->refused = false;
	c->began_us = clock_mono_us();
	c->awaited = (unsigned)opt.recipients + 2;
	c->next_command = 1;
	say_command(c, 0);
	for (uint64_t i = 1; c->pipelining && i < opt.recipients + 2; i++)
		say_command(c, i);
	begun++;
	flush(c);
}

/* Only a single client paces itself, so nobody else waits meanwhile. */
static void
rest(void)
{
	struct timespec pace = { .tv_sec = (time_t)(opt.pace_ms / 1000), .tv_nsec = (long)(opt.pace_ms % 1000) * 1000000 };

	if (opt.pace_ms > 0)
		(void)nanosleep(&pace, NULL);
}

static void open_client(struct client *);

static void
close_client(struct client *c)
{
	lean_tls_free(&c->tls);
	(void)close(c->fd);
	c->fd = -1;
	c->step = STEP_NONE;
	buf_reset(&c->out);
	c->body_left = 0;
	c->waits_to_write = false;
	if (!over)
		open_client(c);
}

static void
next_message(struct client *c)
{
	if (over || opt.no_mail || c->sent >= opt.per_connection || begun >= opt.most) {
		c->step = STEP_QUIT;
		c->awaited = 1;
		(void)buf_puts(&c->out, "QUIT\r\n");
		flush(c);
		return;
	}
	rest();
	say_envelope(c);
}

/* --- what it hears ----------------------------------------------------------------------------- */

static void
note_refusal(struct client *c, const char *line)
{
	if (refusals++ == 0)
		(void)snprintf(first_refusal, sizeof(first_refusal), "%s", line);
	c->refused = true;
}

static void
note_accepted(struct client *c)
{
	int64_t us = clock_mono_us() - c->began_us;

	accepted++;
	c->sent++;
	if (sample_count < SAMPLES_MAX)
		samples[sample_count++] = us > UINT32_MAX ? UINT32_MAX : (uint32_t)us;
}

static void
envelope_answered(struct client *c, const char *line, bool last)
{
	if (line[0] != '2' && line[0] != '3')
		note_refusal(c, line);
	if (c->refused && (last || !c->pipelining)) {
		close_client(c);
		return;
	}
	if (!c->pipelining && !last) {
		say_command(c, c->next_command++);
		flush(c);
	}
	if (last) {
		c->step = STEP_DOT;
		c->awaited = 1;
		c->body_left = body_len;
		flush(c);
	}
}

static void
say_ehlo(struct client *c)
{
	c->step = STEP_EHLO;
	c->awaited = 1;
	(void)buf_puts(&c->out, "EHLO client.sender.example\r\n");
	flush(c);
}

static void
say_starttls(struct client *c)
{
	c->step = STEP_STARTTLS;
	c->awaited = 1;
	(void)buf_puts(&c->out, "STARTTLS\r\n");
	flush(c);
}

/* The socket is writable nearly always: a client hello is small. */
static void
shake(struct client *c)
{
	int result = lean_tls_shake(c->tls);

	if (result == -1) {
		note_refusal(c, "handshake failed\n");
		close_client(c);
	} else if (result == 1) {
		say_ehlo(c);
	}
}

static void
begin_tls(struct client *c)
{
	c->step = STEP_SHAKE;
	c->tls = lean_tls_new(c->fd);
	if (c->tls == NULL)
		die("TLS");
	shake(c);
}

static void
answered(struct client *c, const char *line)
{
	bool last = --c->awaited == 0;

	switch (c->step) {
	case STEP_GREETING:
		if (line[0] != '2') {
			note_refusal(c, line);
			close_client(c);
			return;
		}
		say_ehlo(c);
		return;
	case STEP_EHLO:
		if (opt.starttls && c->tls == NULL)
			say_starttls(c);
		else
			next_message(c);
		return;
	case STEP_STARTTLS:
		begin_tls(c);
		return;
	case STEP_ENVELOPE:
		envelope_answered(c, line, last);
		return;
	case STEP_DOT:
		if (line[0] == '2')
			note_accepted(c);
		else
			note_refusal(c, line);
		next_message(c);
		return;
	default:
		close_client(c);
	}
}

static void
take_lines(struct client *c)
{
	char *lf;

	while (c->fd != -1 && (lf = memchr(c->in, '\n', c->in_len)) != NULL) {
		size_t len = (size_t)(lf - c->in) + 1;
		char line[512];
		int fd = c->fd;

		(void)snprintf(line, sizeof(line), "%.*s", (int)len, c->in);
		c->in_len -= len;
		memmove(c->in, c->in + len, c->in_len);
		if (c->step == STEP_EHLO && strstr(line, "PIPELINING") != NULL)
			c->pipelining = true;
		if (len >= 4 && line[3] != '-')
			answered(c, line);
		if (c->fd != fd)
			return;		/* another connection by now */
	}
}

static void
readable(struct client *c)
{
	ssize_t n;

	if (c->step == STEP_SHAKE) {
		shake(c);
		if (c->step != STEP_EHLO)
			return;
	}
	n = c->tls != NULL ? lean_tls_recv(c->tls, c->in + c->in_len, sizeof(c->in) - c->in_len) :
	    recv(c->fd, c->in + c->in_len, sizeof(c->in) - c->in_len, 0);
	if (n == -1 && errno == EAGAIN)
		return;
	if (n <= 0) {
		if (c->step != STEP_QUIT)
			note_refusal(c, "connection lost\n");
		close_client(c);
		return;
	}
	c->in_len += (size_t)n;
	take_lines(c);
}

static void
open_client(struct client *c)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(opt.port) };
	struct epoll_event ev = { .events = EPOLLIN, .data.ptr = c };
	int on = 1;

	if (inet_pton(AF_INET, opt.host, &to.sin_addr) != 1)
		die("--host wants an IPv4 address");
	c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (c->fd == -1)
		die("socket");
	(void)setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (connect(c->fd, (struct sockaddr *)&to, sizeof(to)) == -1 && errno != EINPROGRESS)
		die("connect");
	c->step = STEP_GREETING;
	c->awaited = 1;
	c->sent = 0;
	c->in_len = 0;
	c->pipelining = false;
	connections++;
	if (epoll_ctl(poller, EPOLL_CTL_ADD, c->fd, &ev) == -1)
		die("epoll");
}

/* --- figures ----------------------------------------------------------------------------------- */

static int
compare(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

static double
percentile_ms(double p)
{
	if (sample_count == 0)
		return 0;
	return samples[(size_t)((double)(sample_count - 1) * p)] / 1000.0;
}

static void
print_figures(double seconds)
{
	qsort(samples, sample_count, sizeof(*samples), compare);
	printf("messages=%llu seconds=%.2f rate=%.0f p50_ms=%.2f p99_ms=%.2f refusals=%llu connections=%llu%s%s",
	    (unsigned long long)accepted, seconds, (double)accepted / seconds, percentile_ms(0.50), percentile_ms(0.99),
	    (unsigned long long)refusals, (unsigned long long)connections, refusals > 0 ? " first_refusal=" : "\n",
	    refusals > 0 ? first_refusal : "");
}

static void
note_progress(bool now)
{
	static int64_t noted;
	char text[32];
	int fd, len;

	if (opt.progress == NULL || (!now && clock_mono_ms() - noted < 200))
		return;
	noted = clock_mono_ms();
	len = snprintf(text, sizeof(text), "%20llu\n", (unsigned long long)accepted);
	fd = open(opt.progress, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	if (fd == -1 || pwrite(fd, text, (size_t)len, 0) != len)
		die(opt.progress);
	(void)close(fd);
}

static bool
busy(void)
{
	for (uint64_t i = 0; i < opt.clients; i++)
		if (clients[i].fd != -1)
			return true;
	return false;
}

static void
run(void)
{
	int64_t began = clock_mono_us(), end = began + (int64_t)opt.seconds * 1000000, last = end + 30000000, last_ok = began;
	struct epoll_event ev[256];

	for (uint64_t i = 0; i < opt.clients; i++)
		open_client(&clients[i]);
	while (busy() && clock_mono_us() < last) {
		int n = epoll_wait(poller, ev, 256, 100);
		uint64_t before = accepted;

		over = over || clock_mono_us() >= end || begun >= opt.most;
		for (int i = 0; i < n; i++) {
			struct client *c = ev[i].data.ptr;

			if (c->fd != -1 && (ev[i].events & EPOLLOUT))
				flush(c);
			if (c->fd != -1 && (ev[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR)))
				readable(c);
		}
		if (accepted > before)
			last_ok = clock_mono_us();
		note_progress(false);
	}
	note_progress(true);
	print_figures((double)((last_ok > end ? last_ok : opt.most == UINT64_MAX ? end : last_ok) - began) / 1e6);
}

/* --- options ----------------------------------------------------------------------------------- */

static uint64_t
number(const char *text, uint64_t max)
{
	uint64_t n;

	if (num_parse(slice_str(text), max, &n) == -1 || n == 0) {
		fprintf(stderr, "smtp_load: \"%s\" is no number from 1 to %llu\n", text, (unsigned long long)max);
		exit(64);
	}
	return n;
}

static const struct option long_options[] = {
	{ "host", required_argument, NULL, 'h' },	{ "port", required_argument, NULL, 'p' },
	{ "clients", required_argument, NULL, 'c' },	{ "per-connection", required_argument, NULL, 'm' },
	{ "seconds", required_argument, NULL, 's' },	{ "size", required_argument, NULL, 'z' },
	{ "first", required_argument, NULL, 'i' },	{ "users", required_argument, NULL, 'u' },	{ "recipients", required_argument, NULL, 'r' },
	{ "to", required_argument, NULL, 't' },		{ "from", required_argument, NULL, 'f' },
	{ "messages", required_argument, NULL, 'n' },	{ "pace-ms", required_argument, NULL, 'w' },
	{ "progress", required_argument, NULL, 'g' },	{ "starttls", no_argument, NULL, 'S' },
	{ "no-mail", no_argument, NULL, 'N' },		{ NULL, 0, NULL, 0 },
};

static void
set_option(int which)
{
	switch (which) {
	case 'h': opt.host = optarg; break;
	case 'p': opt.port = (uint16_t)number(optarg, 65535); break;
	case 'c': opt.clients = number(optarg, CLIENTS_MAX); break;
	case 'm': opt.per_connection = number(optarg, 1000000); break;
	case 's': opt.seconds = number(optarg, 86400); break;
	case 'z': opt.size = number(optarg, 64 << 20); break;
	case 'i': opt.first = number(optarg, 1000000); break;
	case 'u': opt.users = number(optarg, 1000000); break;
	case 'r': opt.recipients = number(optarg, 1000); break;
	case 't': opt.to = optarg; break;
	case 'f': opt.sender = optarg; break;
	case 'w': opt.pace_ms = number(optarg, 60000); break;
	case 'S': opt.starttls = true; break;
	case 'N': opt.no_mail = true; break;
	case 'g': opt.progress = optarg; break;
	case 'n': opt.most = number(optarg, UINT64_MAX - 1); break;
	default:
		fprintf(stderr, "usage: smtp_load [--host A] [--port N] [--clients N] [--per-connection N] [--seconds N]\n"
		    "	[--messages N] [--size BYTES] [--first N] [--users N] [--recipients N] [--to user%%u@DOMAIN] [--from ADDRESS]\n"
		    "	[--pace-ms N] [--progress FILE] [--starttls] [--no-mail]\n");
		exit(64);
	}
}

int
main(int argc, char **argv)
{
	int which;

	while ((which = getopt_long(argc, argv, "", long_options, NULL)) != -1)
		set_option(which);
	if (opt.pace_ms > 0 && opt.clients > 1) {
		fprintf(stderr, "smtp_load: --pace-ms is for one client\n");
		return 64;
	}
	clients = calloc(opt.clients, sizeof(*clients));
	samples = malloc(SAMPLES_MAX * sizeof(*samples));
	poller = epoll_create1(EPOLL_CLOEXEC);
	if (clients == NULL || samples == NULL || poller == -1)
		die("start");
	for (uint64_t i = 0; i < opt.clients; i++) {
		clients[i].fd = -1;
		buf_init(&clients[i].out, 65536 + opt.recipients * 400);
	}
	make_body();
	run();
	for (uint64_t i = 0; i < opt.clients; i++)
		buf_fini(&clients[i].out);
	free(clients);
	free(samples);
	free(body);
	return 0;
}
