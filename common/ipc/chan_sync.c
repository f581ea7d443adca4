/*
 * chan_sync — the channel's blocking twin, for tools and disposable workers.
 */
#include "ipc/channel.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"
#include "ipc/frame.h"

#define READ_SIZE	(64 * 1024)
#define FDS_WAITING	4	/* a frame in parts and the next one's head: two at most from an honest peer */

struct chan_sync {
	int		 fd;
	const char	*wire;
	uint16_t	 version;
	struct buf	 in, out;
	size_t		 used;		/* bytes of the frame that the caller still looks at */
	bool		 greeted;
	int		 fds[FDS_WAITING];	/* arrived, not yet claimed by a frame */
	size_t		 fd_count;
};

union control {
	struct cmsghdr	align;
	char		bytes[CMSG_SPACE(sizeof(int))];
};

static ssize_t
send_some(struct chan_sync *c, int fd)
{
	struct slice out = buf_slice(&c->out);
	struct iovec iov = { .iov_base = (void *)(uintptr_t)out.p, .iov_len = out.len };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	union control control = { 0 };
	struct cmsghdr *h;

	if (fd != -1) {
		msg.msg_control = &control;
		msg.msg_controllen = sizeof(control);
		h = CMSG_FIRSTHDR(&msg);
		h->cmsg_level = SOL_SOCKET;
		h->cmsg_type = SCM_RIGHTS;
		h->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(h), &fd, sizeof(int));
	}
	return sendmsg(c->fd, &msg, MSG_NOSIGNAL);
}

static int
send_all(struct chan_sync *c, int fd, struct err *err)
{
	while (buf_len(&c->out) > 0) {
		ssize_t n = send_some(c, fd);

		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1)
			return err_sys(err, "writing to the %s wire", c->wire);
		buf_drop(&c->out, (size_t)n);
		fd = -1;	/* it went with the first byte */
	}
	return 0;
}

struct chan_sync *
chan_sync_open(int fd, const char *wire, uint16_t version, struct err *err)
{
	struct chan_sync *c = mem_zalloc(sizeof(*c));
	int flags = fcntl(fd, F_GETFL);

	if (c == NULL || flags == -1 || fcntl(fd, F_SETFL, flags & ~O_NONBLOCK) == -1) {
		(void)err_set(err, "no memory for the %s wire", wire);
		mem_free(c);
		fd_close(&fd);
		return NULL;
	}
	c->fd = fd;
	c->wire = wire;
	c->version = version;
	buf_init(&c->in, FRAME_MAX + FRAME_HEADER + READ_SIZE);
	buf_init(&c->out, FRAME_MAX + FRAME_HEADER);
	handshake_put(&c->out, wire, version);
	if (send_all(c, -1, err) == -1)
		chan_sync_close(&c);
	return c;
}

struct buf *
chan_sync_begin(struct chan_sync *c, uint16_t type)
{
	buf_reset(&c->out);
	frame_open(&c->out, type);
	return &c->out;
}

int
chan_sync_send(struct chan_sync *c, int fd, struct err *err)
{
	if (frame_close(&c->out, 0, fd != -1) == -1) {
		buf_reset(&c->out);
		return err_set(err, "a frame too large for the %s wire", c->wire);
	}
	return send_all(c, fd, err);
}

/* The control buffer holds one descriptor: the kernel closes what does not fit. */
static void
keep_fd(struct chan_sync *c, struct msghdr *msg)
{
	struct cmsghdr *h = CMSG_FIRSTHDR(msg);
	int fd;

	if (h == NULL || h->cmsg_level != SOL_SOCKET || h->cmsg_type != SCM_RIGHTS)
		return;
	memcpy(&fd, CMSG_DATA(h), sizeof(int));
	if (c->fd_count < FDS_WAITING)
		c->fds[c->fd_count++] = fd;
	else
		fd_close(&fd);
}

static int
take_fd(struct chan_sync *c)
{
	int fd;

	if (c->fd_count == 0)
		return -1;
	fd = c->fds[0];
	c->fd_count--;
	memmove(c->fds, c->fds + 1, c->fd_count * sizeof(c->fds[0]));
	return fd;
}

/* 1: more bytes are here; 0: end of stream; -1: err. */
static int
receive(struct chan_sync *c, struct err *err)
{
	union control control;
	struct iovec iov = { .iov_base = buf_room(&c->in, READ_SIZE), .iov_len = READ_SIZE };
	/* CMSG_SPACE is padded and would hold two: the length
	 * says one, so that the kernel closes all others. */
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control,
	    .msg_controllen = CMSG_LEN(sizeof(int)) };
	ssize_t n;

	if (iov.iov_base == NULL)
		return err_set(err, "no memory for a frame of the %s wire", c->wire);
	do
		n = recvmsg(c->fd, &msg, MSG_CMSG_CLOEXEC);
	while (n == -1 && errno == EINTR);
	if (n == 0 || (n == -1 && errno == ECONNRESET))
		return 0;	/* reset: the peer closed before it read all that we said */
	if (n == -1)
		return err_sys(err, "reading from the %s wire", c->wire);
	buf_added(&c->in, (size_t)n);
	keep_fd(c, &msg);
	return 1;
}

static int
next_frame(struct chan_sync *c, struct frame *f, struct err *err)
{
	enum frame_result result;
	int got;

	buf_drop(&c->in, c->used);
	c->used = 0;
	while ((result = frame_take(buf_slice(&c->in), f, &c->used)) == FRAME_MORE) {
		got = receive(c, err);
		if (got <= 0)
			return got == 0 && buf_len(&c->in) > 0 ?
			    err_set(err, "the %s wire ended inside a frame", c->wire) : got;
	}
	return result == FRAME_READY ? 1 : err_set(err, "a bad frame on the %s wire", c->wire);
}

int
chan_sync_next(struct chan_sync *c, struct reader *r, int *fd, struct err *err)
{
	struct frame f;
	int got;

	*fd = -1;
	while ((got = next_frame(c, &f, err)) == 1) {
		if (c->greeted && f.type != FRAME_HANDSHAKE)
			break;
		if (c->greeted || f.type != FRAME_HANDSHAKE ||
		    handshake_check(f.body, c->wire, c->version) == -1)
			return err_set(err, "the other side does not speak this version of the %s wire", c->wire);
		c->greeted = true;
	}
	if (got != 1)
		return got;
	if (f.has_fd) {
		*fd = take_fd(c);
		if (*fd == -1)
			return err_set(err, "a descriptor is missing on the %s wire", c->wire);
	}
	*r = reader_of(f.body);
	return f.type;
}

bool
chan_sync_more(const struct chan_sync *c)
{
	struct slice rest = buf_slice(&c->in);
	struct frame f;
	size_t used;

	slice_drop(&rest, c->used);
	return frame_take(rest, &f, &used) != FRAME_MORE;
}

void
chan_sync_close(struct chan_sync **cp)
{
	struct chan_sync *c = *cp;

	*cp = NULL;
	if (c == NULL)
		return;
	fd_close(&c->fd);
	for (size_t i = 0; i < c->fd_count; i++)
		fd_close(&c->fds[i]);
	buf_fini(&c->in);
	buf_fini(&c->out);
	mem_free(c);
}
