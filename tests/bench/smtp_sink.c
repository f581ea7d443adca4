/*
 * smtp_sink — an SMTP server that takes everything at once and stores nothing: the next hop of relay runs, and the
 * null server that shows what the load generator and the kernel can do.
 *
 * With --hosts N it listens on so many consecutive addresses: N next hops in one process. In the file given with --count
 * stand, as text and rewritten five times a second, the messages taken so far, the connections that are open now, and all
 * connections so far.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/num.h"

#define LINE_MAX_BYTES	4096
#define LISTENERS_MAX	1024		/* below that, what epoll brings back is a listener's descriptor */

struct peer {
	int		fd;
	bool		data;
	unsigned	matched;	/* how much of CRLF.CRLF has been seen */
	size_t		len;
	char		line[LINE_MAX_BYTES];
	struct buf	out;
};

static int poller;
static uint64_t messages, open_now, connections;
static const char *count_file;
static volatile sig_atomic_t stopped;

static void
on_term(int signo)
{
	(void)signo;
	stopped = 1;
}

static void
write_count(void)
{
	char text[80];
	int fd = count_file == NULL ? -1 : open(count_file, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	int len = snprintf(text, sizeof(text), "%20llu %20llu %20llu\n", (unsigned long long)messages, (unsigned long long)open_now,
	    (unsigned long long)connections);

	if (fd == -1)
		return;
	if (pwrite(fd, text, (size_t)len, 0) != len)
		fprintf(stderr, "smtp_sink: cannot write %s\n", count_file);
	(void)close(fd);
}

static void
answer_command(struct peer *p, const char *line)
{
	if (strncasecmp(line, "EHLO", 4) == 0)
		(void)buf_puts(&p->out, "250-sink.example\r\n250-PIPELINING\r\n250-8BITMIME\r\n250 SIZE 104857600\r\n");
	else if (strncasecmp(line, "DATA", 4) == 0)
		(void)buf_puts(&p->out, "354 go on\r\n");
	else if (strncasecmp(line, "QUIT", 4) == 0)
		(void)buf_puts(&p->out, "221 bye\r\n");
	else
		(void)buf_puts(&p->out, "250 ok\r\n");
	p->data = strncasecmp(line, "DATA", 4) == 0;
	p->matched = 2;			/* the data begins at the start of a line */
}

/* Returns how many bytes of the data were used; the message may end before the input does. */
static size_t
take_data(struct peer *p, const char *in, size_t len)
{
	static const char end[] = "\r\n.\r\n";
	size_t at = 0;

	while (at < len) {
		if (p->matched == 0) {
			const char *cr = memchr(in + at, '\r', len - at);

			if (cr == NULL)
				return len;
			at = (size_t)(cr - in);
		}
		p->matched = in[at] == end[p->matched] ? p->matched + 1 : in[at] == '\r' ? 1 : 0;
		at++;
		if (p->matched == 5) {
			p->data = false;
			messages++;
			(void)buf_puts(&p->out, "250 taken\r\n");
			break;
		}
	}
	return at;
}

static size_t
take_command(struct peer *p, const char *in, size_t len)
{
	const char *lf = memchr(in, '\n', len);
	size_t n = lf == NULL ? len : (size_t)(lf - in) + 1;

	if (p->len + n >= sizeof(p->line))
		p->len = 0;
	memcpy(p->line + p->len, in, n < sizeof(p->line) - 1 ? n : 0);
	p->len += n;
	if (lf != NULL) {
		p->line[p->len] = '\0';
		p->len = 0;
		answer_command(p, p->line);
	}
	return n;
}

static void
close_peer(struct peer *p)
{
	open_now--;
	(void)close(p->fd);
	buf_fini(&p->out);
	free(p);
}

static void
serve(struct peer *p)
{
	static char in[262144];
	ssize_t n = recv(p->fd, in, sizeof(in), 0);

	if (n <= 0) {
		if (n == 0 || errno != EAGAIN)
			close_peer(p);
		return;
	}
	for (size_t at = 0; at < (size_t)n;)
		at += p->data ? take_data(p, in + at, (size_t)n - at) : take_command(p, in + at, (size_t)n - at);
	if (buf_len(&p->out) > 0) {
		/* Replies are small; a peer that does not read them is cut off. */
		if (send(p->fd, buf_slice(&p->out).p, buf_len(&p->out), MSG_NOSIGNAL) != (ssize_t)buf_len(&p->out)) {
			close_peer(p);
			return;
		}
		buf_reset(&p->out);
	}
}

static void
greet(int listener)
{
	int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC), on = 1;
	struct peer *p = fd == -1 ? NULL : calloc(1, sizeof(*p));
	struct epoll_event ev = { .events = EPOLLIN, .data.ptr = p };

	if (p == NULL)
		return;
	p->fd = fd;
	open_now++;
	connections++;
	buf_init(&p->out, 1 << 20);
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	(void)send(fd, "220 sink.example ESMTP\r\n", 24, MSG_NOSIGNAL);
	(void)epoll_ctl(poller, EPOLL_CTL_ADD, fd, &ev);
}

static void
listen_on(const char *host, uint64_t nth, uint16_t port)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons(port) };
	struct epoll_event ev = { .events = EPOLLIN };
	int listener, on = 1;

	listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	(void)setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	ev.data.u64 = (uint64_t)listener;	/* a peer's is a pointer */
	if (inet_pton(AF_INET, host, &at.sin_addr) != 1) {
		fprintf(stderr, "smtp_sink: --host wants an IPv4 address\n");
		exit(64);
	}
	at.sin_addr.s_addr = htonl(ntohl(at.sin_addr.s_addr) + (uint32_t)nth);
	if (bind(listener, (struct sockaddr *)&at, sizeof(at)) == -1 ||
	    listen(listener, 1024) == -1 || epoll_ctl(poller, EPOLL_CTL_ADD, listener, &ev) == -1) {
		fprintf(stderr, "smtp_sink: %s + %llu, port %u: %s\n", host, (unsigned long long)nth, port, strerror(errno));
		exit(1);
	}
}

static void
usage(void)
{
	fprintf(stderr, "usage: smtp_sink [--host A] [--hosts N] [--port N] [--count FILE]\n");
	exit(64);
}

static void
serve_round(void)
{
	struct epoll_event ev[256];
	int n = epoll_wait(poller, ev, 256, 200);

	for (int i = 0; i < n; i++) {
		if (ev[i].data.u64 < LISTENERS_MAX)
			greet((int)ev[i].data.u64);
		else
			serve(ev[i].data.ptr);
	}
}

int
main(int argc, char **argv)
{
	const char *host = "127.0.0.1";
	uint64_t port = 2526, hosts = 1;
	int64_t written = 0;

	for (int i = 1; i + 1 < argc; i += 2) {
		if (strcmp(argv[i], "--host") == 0)
			host = argv[i + 1];
		else if (strcmp(argv[i], "--count") == 0)
			count_file = argv[i + 1];
		else if (strcmp(argv[i], "--hosts") == 0 ? num_parse(slice_str(argv[i + 1]), 200, &hosts) == -1 :
		    strcmp(argv[i], "--port") != 0 || num_parse(slice_str(argv[i + 1]), 65535, &port) == -1)
			usage();
	}
	(void)signal(SIGTERM, on_term);
	(void)signal(SIGINT, on_term);
	poller = epoll_create1(EPOLL_CLOEXEC);
	for (uint64_t i = 0; i < hosts; i++)
		listen_on(host, i, (uint16_t)port);
	while (!stopped) {
		serve_round();
		if (clock_mono_ms() - written >= 200) {
			written = clock_mono_ms();
			write_count();
		}
	}
	write_count();
	printf("messages=%llu connections=%llu\n", (unsigned long long)messages, (unsigned long long)connections);
	return 0;
}
