/*
 * handoff — one channel per worker at the other side, used in turn.
 */
#include "smtpd/handoff.h"

#include <netinet/in.h>
#include <sys/socket.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "net/listen.h"

#define PEERS_MAX	64

struct peer {
	struct handoff	*owner;
	struct channel	*channel;
	uint32_t	 number;
};

struct handoff {
	struct loop	*loop;
	handoff_fn	*fn;
	void		*arg;
	struct peer	 peers[PEERS_MAX];
	size_t		 next;
};

static int
on_connection(void *arg, struct reader *r, int fd)
{
	struct peer *peer = arg;

	if (reader_end(r) == -1 || fd == -1 || peer->owner->fn == NULL) {
		fd_close(&fd);
		return -1;
	}
	peer->owner->fn(peer->owner->arg, fd);
	return 0;
}

static void
on_end(void *arg, const char *why)
{
	struct peer *peer = arg;

	log_info("handoff wire %u: %s", peer->number, why);
	channel_close(&peer->channel);
}

static const struct frame_handler handlers[HANDOFF_FRAME_COUNT] = {
	[HANDOFF_CONNECTION] = { "connection", on_connection, true },
};

static const struct channel_ops ops = {
	.wire = "handoff",
	.version = HANDOFF_VERSION,
	.handlers = handlers,
	.handler_count = HANDOFF_FRAME_COUNT,
	.on_end = on_end,
};

struct handoff *
handoff_new(struct loop *loop, handoff_fn *fn, void *arg)
{
	struct handoff *h = mem_zalloc(sizeof(*h));

	if (h == NULL)
		return NULL;
	h->loop = loop;
	h->fn = fn;
	h->arg = arg;
	return h;
}

void
handoff_free(struct handoff **hp)
{
	struct handoff *h = *hp;

	*hp = NULL;
	if (h == NULL)
		return;
	for (size_t i = 0; i < PEERS_MAX; i++)
		channel_close(&h->peers[i].channel);
	mem_free(h);
}

/* The place of that number, or a free one. */
static struct peer *
place_for(struct handoff *h, uint32_t number)
{
	struct peer *unused = NULL;

	for (size_t i = 0; i < PEERS_MAX; i++) {
		struct peer *peer = &h->peers[i];

		if (peer->owner != NULL && peer->number == number)
			return peer;
		if (unused == NULL && peer->channel == NULL)
			unused = peer;
	}
	return unused;
}

void
handoff_wire(struct handoff *h, uint32_t number, int fd)
{
	struct peer *peer = place_for(h, number);
	struct err err;

	if (peer == NULL) {
		log_error("more than %d handoff wires", PEERS_MAX);
		fd_close(&fd);
		return;
	}
	channel_close(&peer->channel);
	peer->owner = h;
	peer->number = number;
	peer->channel = channel_open(h->loop, fd, &ops, peer, &err);
	if (peer->channel == NULL)
		log_error("handoff wire: %s", err.text);
}

bool
handoff_is_accepted(int fd, const uint16_t *ports, size_t count)
{
	struct sockaddress at;
	socklen_t len = sizeof(int);
	int protocol;

	if (getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &len) == -1 || protocol != IPPROTO_TCP || listen_address(fd, &at) == -1)
		return false;
	for (size_t i = 0; i < count; i++)
		if (sockaddress_port(&at) == ports[i])
			return true;
	return false;
}

bool
handoff_give(struct handoff *h, int fd)
{
	for (size_t i = 0; i < PEERS_MAX; i++) {
		struct peer *peer = &h->peers[h->next++ % PEERS_MAX];

		if (peer->channel == NULL)
			continue;
		(void)channel_begin(peer->channel, HANDOFF_CONNECTION);
		if (channel_end_fd(peer->channel, fd) == -1)
			continue;
		fd_close(&fd);
		return true;
	}
	return false;
}
