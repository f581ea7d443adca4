/*
 * channel — frames and descriptors over a stream socket, on the loop.
 *
 * A descriptor travels with the first byte of its frame, and the kernel never
 * joins bytes that carry descriptors with bytes that carry others, so arrived
 * descriptors wait in a small line and each frame whose header claims one takes
 * the first. A peer that sends descriptors nobody claims loses its channel.
 */
#include "ipc/channel.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"
#include "ipc/frame.h"

#define IN_MAX		(2 * (FRAME_MAX + FRAME_HEADER))
#define OUT_MAX		(64 * 1024 * 1024)	/* credits keep it far below; this only ends a runaway */
#define FDS_WAITING	64
#define READ_SIZE	(64 * 1024)
#define KEEP_MAX	(256 * 1024)	/* an empty buffer up to this size is kept for the next round */

struct out_fd {
	size_t	at;		/* position of its frame in `out`, counted from the start of the channel */
	int	fd;
};

struct channel {
	struct loop			*loop;
	int				 fd;
	struct watch			 watch;
	const struct channel_ops	*ops;
	void				*arg;
	struct buf			 in, out;
	uint64_t			 sent;		/* bytes that have left */
	size_t				 open_at;	/* where the frame in hand begins in `out` */
	bool				 opened, greeted, closed, ended, paused, handling;
	bool				 mute;		/* the peer reads no more; its last words may still be unread */
	const char			*why;
	int				 fds_in[FDS_WAITING];
	size_t				 fds_in_count;
	struct out_fd			*fds_out;
	size_t				 fds_out_count, fds_out_cap;
	struct hook			 flush_hook, end_hook, input_hook;
	struct discard			 discard;
};

static void channel_ready(void *, int);

static void
relax(struct buf *b)
{
	if (b->cap > KEEP_MAX)
		buf_shrink(b);
}

static void
update_watch(struct channel *c)
{
	int wants = 0;

	if (!c->paused && !c->ended)
		wants |= WATCH_READ;
	if (buf_len(&c->out) > 0 && !c->ended)
		wants |= WATCH_WRITE;
	watch_want(&c->watch, wants);
}

struct channel *
channel_open(struct loop *loop, int fd, const struct channel_ops *ops, void *arg, struct err *err)
{
	struct channel *c = mem_zalloc(sizeof(*c));

	if (c == NULL || fd_nonblock(fd) == -1) {
		(void)err_set(err, "no memory for the %s wire", ops->wire);
		goto fail;
	}
	c->loop = loop;
	c->fd = fd;
	c->ops = ops;
	c->arg = arg;
	buf_init(&c->in, IN_MAX);
	buf_init(&c->out, OUT_MAX);
	c->in.secret = c->out.secret = ops->secret;
	if (watch_start(&c->watch, loop, fd, WATCH_READ, channel_ready, c) == -1) {
		(void)err_set(err, "no memory for an event");
		goto fail;
	}
	handshake_put(&c->out, ops->wire, ops->version);
	channel_flush(c);
	return c;

fail:
	mem_free(c);
	fd_close(&fd);
	return NULL;
}

static void
channel_free(void *arg)
{
	struct channel *c = arg;

	buf_wipe(&c->in);	/* passwords come this way, too, and processes are forked by those who have wires */
	buf_wipe(&c->out);
	mem_free(c->fds_out);
	mem_free(c);
}

static void
close_fds_out(struct channel *c)
{
	for (size_t i = 0; i < c->fds_out_count; i++)
		fd_close(&c->fds_out[i].fd);
	c->fds_out_count = 0;
}

static void
close_fds(struct channel *c)
{
	for (size_t i = 0; i < c->fds_in_count; i++)
		fd_close(&c->fds_in[i]);
	c->fds_in_count = 0;
	close_fds_out(c);
}

void
channel_close(struct channel **cp)
{
	struct channel *c = *cp;

	*cp = NULL;
	if (c == NULL || c->closed)
		return;
	c->closed = c->ended = true;
	loop_hook_cancel(c->loop, &c->flush_hook);
	loop_hook_cancel(c->loop, &c->end_hook);
	loop_hook_cancel(c->loop, &c->input_hook);
	watch_stop(&c->watch);
	fd_close(&c->fd);
	close_fds(c);
	loop_discard(c->loop, &c->discard, channel_free, c);
}

static void
tell_end(void *arg)
{
	struct channel *c = arg;

	if (!c->closed)
		c->ops->on_end(c->arg, c->why);
}

/* The owner hears at the end of the round, never from inside its own call. */
static void
channel_fail(struct channel *c, const char *why)
{
	if (c->ended)
		return;
	c->ended = true;
	c->why = why;
	update_watch(c);
	close_fds(c);
	loop_at_end(c->loop, &c->end_hook, tell_end, c);
}

static int
handle(struct channel *c, const struct frame *f)
{
	const struct frame_handler *handler;
	struct reader r = reader_of(f->body);
	int fd = -1;

	if (!c->greeted) {
		if (f->type != FRAME_HANDSHAKE || f->has_fd ||
		    handshake_check(f->body, c->ops->wire, c->ops->version) == -1)
			return -1;
		c->greeted = true;
		return 0;
	}
	handler = f->type < c->ops->handler_count ? &c->ops->handlers[f->type] : NULL;
	if (handler == NULL || handler->fn == NULL || (f->has_fd && !handler->takes_fd))
		return -1;
	if (f->has_fd) {
		if (c->fds_in_count == 0)
			return -1;
		fd = c->fds_in[0];
		c->fds_in_count--;
		memmove(c->fds_in, c->fds_in + 1, c->fds_in_count * sizeof(c->fds_in[0]));
	}
	return handler->fn(c->arg, &r, fd);
}

static void
handle_frames(struct channel *c)
{
	struct frame f;
	size_t used;

	if (c->handling)
		return;
	c->handling = true;
	while (!c->ended && !c->paused) {
		/* A descriptor comes with the first byte of its
		 * frame: with no bytes left, none may be left. */
		if (buf_len(&c->in) == 0 && c->fds_in_count > 0) {
			channel_fail(c, "a descriptor that no frame claims");
			break;
		}
		enum frame_result result = frame_take(buf_slice(&c->in), &f, &used);

		if (result == FRAME_MORE)
			break;
		if (result == FRAME_BAD || handle(c, &f) == -1) {
			channel_fail(c, "a bad frame");
			break;
		}
		buf_drop(&c->in, used);
	}
	c->handling = false;
	relax(&c->in);
}

/* -1: more descriptors than an honest peer can have under way. */
static int
keep_fd(struct channel *c, int fd)
{
	if (c->ended || c->fds_in_count == FDS_WAITING) {
		fd_close(&fd);
		return -1;
	}
	c->fds_in[c->fds_in_count++] = fd;
	return 0;
}

static void
keep_fds(struct channel *c, struct msghdr *msg)
{
	for (struct cmsghdr *h = CMSG_FIRSTHDR(msg); h != NULL; h = CMSG_NXTHDR(msg, h)) {
		size_t n, i;

		if (h->cmsg_level != SOL_SOCKET || h->cmsg_type != SCM_RIGHTS)
			continue;
		n = (h->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (i = 0; i < n; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(h) + i * sizeof(int), sizeof(int));
			if (keep_fd(c, fd) == -1)
				channel_fail(c, "too many descriptors");
		}
	}
	if (msg->msg_flags & MSG_CTRUNC)
		channel_fail(c, "too many descriptors");
}

static void
read_more(struct channel *c)
{
	union {
		struct cmsghdr	align;
		char		bytes[CMSG_SPACE(16 * sizeof(int))];
	} control;
	struct iovec iov;
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control,
	    .msg_controllen = sizeof(control) };
	size_t room = IN_MAX - buf_len(&c->in);
	ssize_t n;

	iov.iov_len = room < READ_SIZE ? room : READ_SIZE;
	iov.iov_base = buf_room(&c->in, iov.iov_len);
	if (iov.iov_base == NULL) {
		channel_fail(c, "no memory");
		return;
	}
	do
		n = recvmsg(c->fd, &msg, MSG_CMSG_CLOEXEC);
	while (n == -1 && errno == EINTR);
	if (n == -1) {
		if (errno != EAGAIN && errno != EWOULDBLOCK)
			channel_fail(c, strerror(errno));
		return;
	}
	if (n == 0) {
		channel_fail(c, "the other side is gone");
		return;
	}
	buf_added(&c->in, (size_t)n);
	keep_fds(c, &msg);
	handle_frames(c);
}

/* How much may leave before the next descriptor's frame begins. */
static size_t
span(const struct channel *c)
{
	size_t len = c->opened ? c->open_at : buf_len(&c->out);

	if (c->fds_out_count > 1 && c->fds_out[1].at - c->sent < len)
		len = c->fds_out[1].at - c->sent;
	if (c->fds_out_count > 0 && c->fds_out[0].at > c->sent && c->fds_out[0].at - c->sent < len)
		len = c->fds_out[0].at - c->sent;
	return len;
}

/* One sendmsg; the number of bytes, 0 when the socket is full, -1 on failure. */
static ssize_t
send_span(struct channel *c, size_t len)
{
	union {
		struct cmsghdr	align;
		char		bytes[CMSG_SPACE(sizeof(int))];
	} control = { 0 };
	struct iovec iov = { .iov_base = c->out.mem + c->out.start, .iov_len = len };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	bool with_fd = c->fds_out_count > 0 && c->fds_out[0].at == c->sent;
	ssize_t n;

	if (with_fd) {
		msg.msg_control = &control;
		msg.msg_controllen = sizeof(control);
		struct cmsghdr *h = CMSG_FIRSTHDR(&msg);
		h->cmsg_level = SOL_SOCKET;
		h->cmsg_type = SCM_RIGHTS;
		h->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(h), &c->fds_out[0].fd, sizeof(int));
	}
	do
		n = sendmsg(c->fd, &msg, MSG_NOSIGNAL);
	while (n == -1 && errno == EINTR);
	if (n == -1)
		return errno == EAGAIN || errno == EWOULDBLOCK ? 0 : -1;
	if (with_fd && n > 0) {
		fd_close(&c->fds_out[0].fd);
		c->fds_out_count--;
		memmove(c->fds_out, c->fds_out + 1, c->fds_out_count * sizeof(c->fds_out[0]));
	}
	return n;
}

void
channel_flush(struct channel *c)
{
	size_t len;

	if (c->closed || c->ended)
		return;
	if (c->mute)
		close_fds_out(c);
	while ((len = span(c)) > 0) {
		ssize_t n = c->mute ? (ssize_t)len : send_span(c, len);

		if (n == -1 && (errno == EPIPE || errno == ECONNRESET)) {
			/* An agent's results may lie unread in the
			 * socket: read on, and find the end there. */
			c->mute = true;
			continue;
		}
		if (n == -1) {
			channel_fail(c, strerror(errno));
			return;
		}
		if (n == 0)
			break;
		buf_drop(&c->out, (size_t)n);
		c->sent += (size_t)n;
		if (c->opened)
			c->open_at -= (size_t)n;
	}
	relax(&c->out);
	update_watch(c);
}

static void
flush_at_end(void *arg)
{
	struct channel *c = arg;

	channel_flush(c);
	if (!c->ended && buf_len(&c->out) == 0 && c->ops->on_drained != NULL)
		c->ops->on_drained(c->arg);
}

static void
channel_ready(void *arg, int what)
{
	struct channel *c = arg;

	if (what & WATCH_WRITE)
		flush_at_end(c);
	if ((what & WATCH_READ) && !c->ended && !c->paused)
		read_more(c);
}

struct buf *
channel_begin(struct channel *c, uint16_t type)
{
	assert(!c->opened);
	c->opened = true;
	c->open_at = buf_len(&c->out);
	frame_open(&c->out, type);
	return &c->out;
}

static int
remember_fd(struct channel *c, int fd)
{
	int own = fcntl(fd, F_DUPFD_CLOEXEC, 3);

	if (own == -1)
		return -1;
	if (c->fds_out_count == c->fds_out_cap) {
		size_t cap = c->fds_out_cap == 0 ? 8 : c->fds_out_cap * 2;
		struct out_fd *fds = mem_grow(c->fds_out, cap, sizeof(*fds));

		if (fds == NULL) {
			fd_close(&own);
			return -1;
		}
		c->fds_out = fds;
		c->fds_out_cap = cap;
	}
	c->fds_out[c->fds_out_count++] = (struct out_fd){ .at = c->sent + c->open_at, .fd = own };
	return 0;
}

int
channel_end_fd(struct channel *c, int fd)
{
	assert(c->opened);
	c->opened = false;
	if (c->ended)
		return -1;
	if (frame_close(&c->out, c->open_at, fd != -1) == -1 || (fd != -1 && remember_fd(c, fd) == -1)) {
		channel_fail(c, "a frame that cannot be sent");
		return -1;
	}
	loop_at_end(c->loop, &c->flush_hook, flush_at_end, c);
	return 0;
}

int
channel_end(struct channel *c)
{
	return channel_end_fd(c, -1);
}

size_t
channel_pending(const struct channel *c)
{
	return buf_len(&c->out);
}

static void
handle_rest(void *arg)
{
	handle_frames(arg);
}

void
channel_pause(struct channel *c, bool pause)
{
	if (c->paused == pause || c->closed)
		return;
	c->paused = pause;
	update_watch(c);
	if (!pause && buf_len(&c->in) > 0)
		loop_at_end(c->loop, &c->input_hook, handle_rest, c);
}
