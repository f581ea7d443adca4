/*
 * stream — a socket's bytes both ways; see stream.h for the contract.
 */
#include "event/stream.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fd.h"
#include "base/mem.h"
#include "event/timer.h"

#define HEAR_OUT_MAX	(1024 * 1024)	/* bytes that a peer may still send after our last words */

struct stream {
	struct loop		*loop;
	int			 fd;
	struct watch		 watch;
	const struct stream_ops	*ops;
	void			*arg;
	struct buf		 in, out;
	size_t			 in_max, out_high;
	struct slice		 fresh;		/* what on_input sees: the scratch, or `in` */
	bool			 in_callback;	/* fresh is the scratch: the rest must be kept afterwards */
	bool			 full, ended, failed, closed, lingering, end_told;
	const struct stream_layer *layer;	/* NULL: none */
	void			*layer_arg;
	bool			 opening;	/* the layer's handshake is under way */
	bool			 ending;	/* behind what has been read stands the end: no event announces that either */
	int			 read_wants, write_wants;	/* what reading and writing wait for */
	struct hook		 again_hook;	/* the layer holds bytes that no event announces */
	int			 error;
	struct hook		 flush_hook;
	struct timer		 linger;
	size_t			 heard;		/* bytes thrown away while lingering */
	struct discard		 discard;
};

static void stream_ready(void *, int);

static int
wants_of(const struct stream *s)
{
	int wants = 0;

	if (s->failed)
		return 0;
	if (s->opening)
		return s->read_wants;
	if (s->lingering && buf_len(&s->out) == 0)
		wants |= WATCH_READ;
	else if (!s->lingering && !s->full && !s->ended)
		wants |= s->read_wants;
	/* What is to be flushed at the end of this round is not waited for yet. */
	if (buf_len(&s->out) > 0 && !s->flush_hook.queued)
		wants |= s->write_wants;
	return wants;
}

static void
update_watch(struct stream *s)
{
	watch_want(&s->watch, wants_of(s));
}

struct stream *
stream_open(struct loop *loop, int fd, size_t in_max, size_t out_high, size_t out_max, const struct stream_ops *ops,
    void *arg, struct err *err)
{
	struct stream *s = mem_zalloc(sizeof(*s));

	if (s == NULL || fd_nonblock(fd) == -1) {
		(void)err_set(err, "no memory for a stream");
		goto fail;
	}
	s->loop = loop;
	s->fd = fd;
	s->ops = ops;
	s->arg = arg;
	s->in_max = in_max;
	s->out_high = out_high;
	s->read_wants = WATCH_READ;
	s->write_wants = WATCH_WRITE;
	buf_init(&s->in, in_max + LOOP_SCRATCH);
	buf_init(&s->out, out_max);
	s->in.secret = s->out.secret = ops->secret;
	if (watch_start(&s->watch, loop, fd, WATCH_READ, stream_ready, s) == -1) {
		(void)err_set(err, "no memory for an event");
		goto fail;
	}
	return s;

fail:
	mem_free(s);
	fd_close(&fd);
	return NULL;
}

static void
stream_free(void *arg)
{
	struct stream *s = arg;

	if (s->layer != NULL)
		s->layer->drop(s->layer_arg);
	buf_fini(&s->in);
	buf_fini(&s->out);
	mem_free(s);
}

static void
shut(struct stream *s)
{
	if (s->closed)
		return;
	s->closed = true;
	loop_hook_cancel(s->loop, &s->flush_hook);
	loop_hook_cancel(s->loop, &s->again_hook);
	watch_stop(&s->watch);
	timer_fini(&s->linger);
	fd_close(&s->fd);
	loop_discard(s->loop, &s->discard, stream_free, s);
}

void
stream_close(struct stream **sp)
{
	struct stream *s = *sp;

	*sp = NULL;
	if (s != NULL)
		shut(s);
}

/*
 * The last words are with the kernel. Closing now while bytes of the peer
 * lie unread would send a reset, which may overtake those words (RFC 1122
 * 4.2.2.13); so the peer is told that no more comes, and heard out.
 */
static void
end_output(struct stream *s)
{
	if (buf_len(&s->out) > 0)
		return;
	if (s->layer != NULL && !s->failed)
		s->layer->close(s->layer_arg);
	(void)shutdown(s->fd, SHUT_WR);
}

static void
hear_out(struct stream *s)
{
	ssize_t n = recv(s->fd, loop_scratch(s->loop), LOOP_SCRATCH, 0);

	if (n > 0)
		s->heard += (size_t)n;
	if (n == 0 || (n == -1 && errno != EAGAIN && errno != EINTR) || s->heard > HEAR_OUT_MAX)
		shut(s);
}

static void
linger_over(void *arg)
{
	shut(arg);
}

void
stream_close_after_flush(struct stream **sp, int64_t ms)
{
	struct stream *s = *sp;

	*sp = NULL;
	if (s == NULL || s->closed)
		return;
	s->lingering = true;
	if (s->opening) {	/* nobody could read our last words */
		buf_reset(&s->out);
		s->opening = false;
	}
	loop_hook_cancel(s->loop, &s->again_hook);
	stream_flush(s);
	if (s->failed || timer_init(&s->linger, s->loop, linger_over, s) == -1) {
		shut(s);
		return;
	}
	timer_set(&s->linger, ms);
	end_output(s);
	update_watch(s);
}

/* Tells the owner once, and only when nothing is left that it could still read. */
static void
tell_end(struct stream *s)
{
	if (s->end_told || s->closed || s->lingering)
		return;
	s->end_told = true;
	s->ops->on_end(s->arg, s->failed ? STREAM_ERROR : STREAM_EOF, s->error);
}

static void
fail(struct stream *s, int error)
{
	s->failed = s->ended = true;
	s->error = error;
	buf_reset(&s->out);
	update_watch(s);
}

/* Shows `fresh` to the owner and keeps what it leaves. */
static void
offer(struct stream *s)
{
	s->in_callback = true;
	s->ops->on_input(s->arg);
	s->in_callback = false;
	if (s->closed || s->lingering)
		return;
	if (s->opening && s->fresh.len > 0) {	/* clear text behind the word that ends clear text */
		s->fresh = slice_of("", 0);
		buf_reset(&s->in);
		fail(s, EPROTO);
		return;
	}
	if (s->in.mem != NULL && s->fresh.p >= s->in.mem && s->fresh.p <= s->in.mem + s->in.cap)
		buf_drop(&s->in, buf_len(&s->in) - s->fresh.len);
	else if (s->fresh.len > 0 && buf_put_slice(&s->in, s->fresh) == -1)
		fail(s, ENOMEM);
	buf_shrink(&s->in);
	s->fresh = buf_slice(&s->in);
	s->full = buf_len(&s->in) >= s->in_max;
	update_watch(s);
}

static ssize_t
receive_once(struct stream *s, char *to, size_t max)
{
	ssize_t n;

	if (s->layer != NULL) {
		s->read_wants = WATCH_READ;
		return s->layer->read(s->layer_arg, to, max, &s->read_wants);
	}
	do
		n = recv(s->fd, to, max, 0);
	while (n == -1 && errno == EINTR);
	return n;
}

/* One read of the socket, and all that a layer had of it already: no event announces that. */
static ssize_t
receive(struct stream *s, char *to, size_t max)
{
	ssize_t n = receive_once(s, to, max);
	size_t got = n > 0 ? (size_t)n : 0;

	while (n > 0 && got < max && s->layer != NULL && s->layer->holds(s->layer_arg)) {
		n = receive_once(s, to + got, max - got);
		if (n > 0)
			got += (size_t)n;
	}
	s->ending = got > 0 && (n == 0 || (n == -1 && errno != EAGAIN));
	return got > 0 ? (ssize_t)got : n;
}

static void read_again(void *);

static void
remember_held(struct stream *s)
{
	if (s->layer != NULL && !s->closed && !s->lingering && !s->full && !s->ended && (s->ending || s->layer->holds(s->layer_arg)))
		loop_at_end(s->loop, &s->again_hook, read_again, s);
}

static void
read_more(struct stream *s)
{
	char *scratch = loop_scratch(s->loop);
	ssize_t n = receive(s, scratch, LOOP_SCRATCH);

	if (n == -1) {
		if (errno != EAGAIN && errno != EWOULDBLOCK)
			fail(s, errno);
		else
			update_watch(s);	/* a layer may have to write before it can read on */
	} else if (n == 0) {
		s->ended = true;
		update_watch(s);
	} else if (buf_len(&s->in) == 0) {
		s->fresh = slice_of(scratch, (size_t)n);
		offer(s);
		remember_held(s);
	} else if (buf_append(&s->in, scratch, (size_t)n) == -1) {
		fail(s, ENOMEM);
	} else {
		s->fresh = buf_slice(&s->in);
		offer(s);
		remember_held(s);
	}
	if (s->ended && !s->closed)
		tell_end(s);
}

static void
read_again(void *arg)
{
	struct stream *s = arg;

	if (s->full || s->ended || s->failed)
		return;
	read_more(s);
	if (s->failed && !s->closed)
		tell_end(s);
}

static void flush_at_end(void *);

static ssize_t
send_once(struct stream *s, struct slice out)
{
	ssize_t n;

	if (s->layer != NULL) {
		s->write_wants = WATCH_WRITE;
		return s->layer->write(s->layer_arg, out.p, out.len, &s->write_wants);
	}
	do
		n = send(s->fd, out.p, out.len, MSG_NOSIGNAL);
	while (n == -1 && errno == EINTR);
	return n;
}

static void
write_more(struct stream *s)
{
	ssize_t n = 1;

	/* A layer takes a record at a time. */
	while (n > 0 && buf_len(&s->out) > 0) {
		n = send_once(s, buf_slice(&s->out));
		if (n > 0)
			buf_drop(&s->out, (size_t)n);
		if (s->layer == NULL)
			break;
	}
	if (n == -1 && errno != EAGAIN && errno != EWOULDBLOCK)
		fail(s, errno);
	else
		buf_shrink(&s->out);
}

void
stream_flush(struct stream *s)
{
	if (s->closed || s->failed || s->opening || buf_len(&s->out) == 0)
		return;
	loop_hook_cancel(s->loop, &s->flush_hook);
	write_more(s);
	update_watch(s);
	if (s->failed)		/* nothing is watched any more: the owner hears at the end of the round */
		loop_at_end(s->loop, &s->flush_hook, flush_at_end, s);
}

static void
flush_at_end(void *arg)
{
	struct stream *s = arg;

	stream_flush(s);
	if (s->failed)
		tell_end(s);
	else if (buf_len(&s->out) == 0 && s->ops->on_drained != NULL)
		s->ops->on_drained(s->arg);
}

static void
open_more(struct stream *s)
{
	int wants = WATCH_READ;

	if (s->layer->open(s->layer_arg, &wants) == 0) {
		s->opening = false;
		s->read_wants = WATCH_READ;
		update_watch(s);
		remember_held(s);
		if (s->ops->on_open != NULL)
			s->ops->on_open(s->arg);
	} else if (errno == EAGAIN) {
		s->read_wants = wants;
		update_watch(s);
	} else {
		fail(s, errno);
		tell_end(s);
	}
}

static void
stream_ready(void *arg, int what)
{
	struct stream *s = arg;

	if (s->opening) {
		open_more(s);
		return;
	}
	if ((what & s->write_wants) && buf_len(&s->out) > 0) {
		write_more(s);
		if (s->lingering && s->failed) {
			shut(s);
			return;
		}
		if (s->lingering)
			end_output(s);
		update_watch(s);
		if (buf_len(&s->out) == 0 && !s->failed && !s->lingering && s->ops->on_drained != NULL)
			s->ops->on_drained(s->arg);
	}
	if ((what & WATCH_READ) && s->lingering)
		hear_out(s);
	else if ((what & s->read_wants) && !s->closed && !s->ended && !s->lingering && !s->full)
		read_more(s);
	if (s->failed && !s->closed)
		tell_end(s);
}

struct slice
stream_input(const struct stream *s)
{
	return s->fresh;
}

void
stream_consume(struct stream *s, size_t n)
{
	assert(n <= s->fresh.len);
	slice_drop(&s->fresh, n);
	if (s->in_callback)
		return;
	buf_drop(&s->in, n);
	buf_shrink(&s->in);
	s->fresh = buf_slice(&s->in);
	s->full = buf_len(&s->in) >= s->in_max;
	if (!s->closed)
		update_watch(s);
	remember_held(s);
}

int
stream_write(struct stream *s, struct slice bytes)
{
	if (s->closed || s->failed)
		return -1;
	if (buf_put_slice(&s->out, bytes) == -1) {
		fail(s, ENOBUFS);
		loop_at_end(s->loop, &s->flush_hook, flush_at_end, s);
		return -1;
	}
	loop_at_end(s->loop, &s->flush_hook, flush_at_end, s);
	return 0;
}

int
stream_puts(struct stream *s, const char *text)
{
	return stream_write(s, slice_str(text));
}

int
stream_printf(struct stream *s, const char *format, ...)
{
	va_list ap;
	int result = -1;

	if (s->closed || s->failed)
		return -1;
	va_start(ap, format);
	result = buf_vprintf(&s->out, format, ap);
	va_end(ap);
	if (result == -1)
		fail(s, ENOBUFS);
	loop_at_end(s->loop, &s->flush_hook, flush_at_end, s);
	return result;
}

bool
stream_congested(const struct stream *s)
{
	return buf_len(&s->out) > s->out_high;
}

size_t
stream_pending(const struct stream *s)
{
	return buf_len(&s->out);
}

int
stream_fd(const struct stream *s)
{
	return s->fd;
}

int
stream_put_layer(struct stream *s, const struct stream_layer *layer, void *arg, int first_wants)
{
	size_t unread = s->in_callback ? 0 : s->fresh.len;	/* in a callback: what it leaves, offer() sees */

	stream_flush(s);
	if (s->closed || s->failed || s->layer != NULL || unread > 0 || buf_len(&s->out) > 0) {
		layer->drop(arg);
		return -1;
	}
	s->layer = layer;
	s->layer_arg = arg;
	s->opening = true;
	s->read_wants = first_wants;
	update_watch(s);
	return 0;
}

void *
stream_layer_arg(const struct stream *s)
{
	return s->layer_arg;
}
