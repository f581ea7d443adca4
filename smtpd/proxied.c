/*
 * proxied — peeks until the header is whole, then takes exactly that off the socket.
 *
 * Peeked bytes stay readable, so the kernel is told to wake us only for more of them than we have seen (SO_RCVLOWAT).
 */
#include "smtpd/proxied.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "event/timer.h"
#include "net/proxy.h"

#define HEADER_MS	10000	/* a header is the first thing that a proxy sends */
#define WAITING_MAX	1000

struct waiting {
	struct waiting		*prev, *next;
	struct proxied		*room;
	int			 fd;
	struct watch		 watch;
	struct timer		 deadline;
	size_t			 seen;
	struct sockaddress	 proxy;
	struct discard		 discard;
};

struct proxied {
	struct loop	*loop;
	proxied_fn	*fn;
	void		*arg;
	struct waiting	*first;
	uint32_t	 count;
};

struct proxied *
proxied_new(struct loop *loop, proxied_fn *fn, void *arg)
{
	struct proxied *room = mem_zalloc(sizeof(*room));

	if (room == NULL)
		return NULL;
	room->loop = loop;
	room->fn = fn;
	room->arg = arg;
	return room;
}

/* Gives the fd. */
static int
leave(struct waiting *w)
{
	struct proxied *room = w->room;
	int fd = w->fd;

	*(w->prev != NULL ? &w->prev->next : &room->first) = w->next;
	if (w->next != NULL)
		w->next->prev = w->prev;
	room->count--;
	watch_stop(&w->watch);
	timer_fini(&w->deadline);
	loop_discard(room->loop, &w->discard, mem_free, w);
	return fd;
}

static void
cut_off(struct waiting *w, const char *why)
{
	char text[SOCKADDRESS_TEXT];
	int fd = leave(w);

	log_warn("proxy [%s]: %s", sockaddress_print(&w->proxy, text), why);
	fd_close(&fd);
}

void
proxied_free(struct proxied **rp)
{
	struct proxied *room = *rp;
	int fd;

	*rp = NULL;
	if (room == NULL)
		return;
	while (room->first != NULL) {
		fd = leave(room->first);
		fd_close(&fd);
	}
	mem_free(room);
}

static void
on_late(void *arg)
{
	cut_off(arg, "no PROXY header in time");
}

static void
wake_above(int fd, size_t seen)
{
	int least = (int)seen + 1;

	(void)setsockopt(fd, SOL_SOCKET, SO_RCVLOWAT, &least, sizeof(least));
}

/* Nothing new although we were woken: the proxy has said its last. */
static void
wait_on(struct waiting *w, size_t seen)
{
	if (seen <= w->seen) {
		cut_off(w, "lost connection in the PROXY header");
		return;
	}
	w->seen = seen;
	wake_above(w->fd, seen);
}

static void
give(struct waiting *w, char *header, size_t len, const struct sockaddress *client, bool itself)
{
	struct proxied *room = w->room;
	int fd;

	if (recv(w->fd, header, len, MSG_DONTWAIT) != (ssize_t)len) {
		cut_off(w, "lost connection behind the PROXY header");
		return;
	}
	wake_above(w->fd, 0);
	fd = leave(w);
	room->fn(room->arg, fd, itself ? &w->proxy : client, itself);
}

static void
on_bytes(void *arg, int what)
{
	struct waiting *w = arg;
	struct sockaddress client;
	char header[PROXY_MAX];
	ssize_t n = recv(w->fd, header, sizeof(header), MSG_PEEK | MSG_DONTWAIT);
	size_t len;

	(void)what;
	if (n == -1 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		cut_off(w, "lost connection before the PROXY header");
		return;
	}
	switch (proxy_parse(slice_of(header, (size_t)n), &len, &client)) {
	case PROXY_MORE:
		wait_on(w, (size_t)n);
		break;
	case PROXY_CLIENT:
		give(w, header, len, &client, false);
		break;
	case PROXY_SELF:
		give(w, header, len, NULL, true);
		break;
	default:
		cut_off(w, "no PROXY header");
		break;
	}
}

void
proxied_wait(struct proxied *room, int fd, const struct sockaddress *proxy)
{
	struct waiting *w = room->count < WAITING_MAX ? mem_zalloc(sizeof(*w)) : NULL;

	if (w == NULL || timer_init(&w->deadline, room->loop, on_late, w) == -1)
		goto refuse;
	if (watch_start(&w->watch, room->loop, fd, WATCH_READ, on_bytes, w) == -1) {
		timer_fini(&w->deadline);
		goto refuse;
	}
	w->room = room;
	w->fd = fd;
	w->proxy = *proxy;
	w->next = room->first;
	if (room->first != NULL)
		room->first->prev = w;
	room->first = w;
	room->count++;
	timer_set(&w->deadline, HEADER_MS);
	return;

refuse:
	log_warn("no place for a connection from a proxy");
	mem_free(w);
	fd_close(&fd);
}
