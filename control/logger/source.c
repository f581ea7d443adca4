/* source — many datagrams with one call; the rest waits for
 * the next round, so that no process can keep others waiting. */
#include "control/logger/source.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "base/fd.h"
#include "base/mem.h"

struct inbox {
	struct mmsghdr	msgs[SOURCE_AT_ONCE];
	struct iovec	parts[SOURCE_AT_ONCE];
	union {
		struct cmsghdr	align;
		char		bytes[CMSG_SPACE(sizeof(struct ucred))];
	} control[SOURCE_AT_ONCE];
	char		bytes[SOURCE_AT_ONCE][LOG_DATAGRAM_MAX];
};

struct inbox *
inbox_new(void)
{
	return mem_zalloc(sizeof(struct inbox));
}

void
inbox_free(struct inbox **in)
{
	mem_free(*in);
	*in = NULL;
}

static int
receive(struct inbox *in, int fd)
{
	int n;

	for (size_t i = 0; i < SOURCE_AT_ONCE; i++) {
		in->parts[i] = (struct iovec){ .iov_base = in->bytes[i], .iov_len = sizeof(in->bytes[i]) };
		in->msgs[i].msg_hdr = (struct msghdr){ .msg_iov = &in->parts[i], .msg_iovlen = 1, .msg_control = &in->control[i],
		    .msg_controllen = sizeof(in->control[i]) };
	}
	do
		n = recvmmsg(fd, in->msgs, SOURCE_AT_ONCE, MSG_DONTWAIT | MSG_CMSG_CLOEXEC, NULL);
	while (n == -1 && errno == EINTR);
	return n;
}

/* The kernel's word on who sent it. A descriptor that somebody
 * slipped in finds no room here and is closed by the kernel. */
static pid_t
sender_of(const struct msghdr *msg)
{
	struct cmsghdr *h = CMSG_FIRSTHDR(msg);
	struct ucred who = { .pid = 0 };

	if (h != NULL && h->cmsg_level == SOL_SOCKET && h->cmsg_type == SCM_CREDENTIALS)
		memcpy(&who, CMSG_DATA(h), sizeof(who));
	return who.pid;
}

void
source_read(struct source *s)
{
	int n = receive(s->inbox, s->fd);

	if (n == -1 && (errno == EAGAIN || errno == EWOULDBLOCK))
		return;
	for (int i = 0; i < n; i++) {
		const struct mmsghdr *m = &s->inbox->msgs[i];

		if (m->msg_len == 0) {		/* nobody sends empty ones: the other end is closed */
			s->ops->ended(s->arg, s);
			return;
		}
		s->who.pid = sender_of(&m->msg_hdr);
		s->ops->datagram(s->arg, &s->who, slice_of(s->inbox->bytes[i], m->msg_len));
	}
	if (n <= 0)
		s->ops->ended(s->arg, s);
}

static void
on_readable(void *arg, int what)
{
	(void)what;
	source_read(arg);
}

struct source *
source_open(struct loop *loop, struct inbox *inbox, int fd, enum wire_role role, uint32_t number, const struct source_ops *ops,
    void *arg)
{
	struct source *s = mem_zalloc(sizeof(*s));

	if (s == NULL || watch_start(&s->watch, loop, fd, WATCH_READ, on_readable, s) == -1) {
		mem_free(s);
		fd_close(&fd);
		return NULL;
	}
	s->fd = fd;
	s->who = (struct line_source){ .role = role, .number = number };
	s->inbox = inbox;
	s->ops = ops;
	s->arg = arg;
	return s;
}

void
source_close(struct source **sp)
{
	struct source *s = *sp;

	*sp = NULL;
	if (s == NULL)
		return;
	watch_stop(&s->watch);
	fd_close(&s->fd);
	mem_free(s);
}
