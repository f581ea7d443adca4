/*
 * listener — accept in a bounded loop.
 */
#include "smtpd/listener.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>

#include "base/fault.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"

#define ACCEPTS_A_TURN	64
#define REST_MS		1000

struct listener {
	struct loop	*loop;
	int		 fd;
	struct watch	 watch;
	struct timer	 rest;		/* running: short of descriptors */
	bool		 resting;	/* the owner said so */
	const struct listener_ops *ops;
	void		*arg;
	struct discard	 discard;
};

static void
update(struct listener *l)
{
	watch_want(&l->watch, l->resting || timer_is_set(&l->rest) ? 0 : WATCH_READ);
}

static void
rested(void *arg)
{
	update(arg);
}

/* Errors that belong to the connection which is gone already, not to us (accept(2), "Error handling"). */
static bool
is_peers_error(int error)
{
	return error == ECONNABORTED || error == EINTR || error == EPROTO || error == ENETDOWN || error == EHOSTDOWN ||
	    error == EHOSTUNREACH || error == ENETUNREACH || error == EPERM;
}

/* One connection, or -1 with errno. */
static int
take_one(struct listener *l, struct sockaddress *peer)
{
	int fault = fault_at("accept");

	if (fault != 0) {
		errno = fault;
		return -1;
	}
	memset(peer, 0, sizeof(*peer));
	peer->len = sizeof(peer->v6);
	return accept4(l->fd, &peer->any, &peer->len, SOCK_NONBLOCK | SOCK_CLOEXEC);
}

/* looking: although it rests. */
static void
take_turn(struct listener *l, bool looking)
{
	for (int i = 0; i < ACCEPTS_A_TURN && (looking || l->watch.wants != 0); i++) {
		struct sockaddress peer;
		int fd = take_one(l, &peer);

		if (fd >= 0) {
			l->ops->connection(l->arg, fd, &peer);
			continue;
		}
		if (is_peers_error(errno))
			continue;
		if (errno == EINVAL) {
			l->ops->closed(l->arg, l);	/* frees it */
			return;
		}
		if (errno != EAGAIN && errno != EWOULDBLOCK) {
			log_warn("cannot accept a connection: %s; resting for a second", strerror(errno));
			timer_set(&l->rest, REST_MS);
			update(l);
		}
		break;
	}
}

static void
on_ready(void *arg, int what)
{
	(void)what;
	take_turn(arg, false);
}

void
listener_look(struct listener *l)
{
	if (!timer_is_set(&l->rest))
		take_turn(l, true);
}

struct listener *
listener_new(struct loop *loop, int fd, const struct listener_ops *ops, void *arg, struct err *err)
{
	struct listener *l = mem_zalloc(sizeof(*l));
	int one = 1;

	if (l == NULL || fd_nonblock(fd) == -1 || timer_init(&l->rest, loop, rested, l) == -1)
		goto fail;
	/* What is accepted inherits it: replies of a round leave in one write, so Nagle could only hold them up. */
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	l->loop = loop;
	l->fd = fd;
	l->ops = ops;
	l->arg = arg;
	if (watch_start(&l->watch, loop, fd, WATCH_READ, on_ready, l) == 0)
		return l;
	timer_fini(&l->rest);

fail:
	(void)err_set(err, "no memory for a listener");
	mem_free(l);
	fd_close(&fd);
	return NULL;
}

void
listener_free(struct listener **lp)
{
	struct listener *l = *lp;

	*lp = NULL;
	if (l == NULL)
		return;
	watch_stop(&l->watch);
	timer_fini(&l->rest);
	fd_close(&l->fd);
	loop_discard(l->loop, &l->discard, mem_free, l);
}

void
listener_rest(struct listener *l, bool rest)
{
	l->resting = rest;
	update(l);
}
