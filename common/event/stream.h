#ifndef EVENT_STREAM_H
#define EVENT_STREAM_H
/*
 * stream — buffered bytes on a non-blocking socket, with back-pressure.
 *
 * Input is read into the loop's shared scratch and shown to `on_input`; what it leaves unconsumed
 * is kept (at most in_max bytes, then reading pauses until some is consumed), so that an idle peer
 * costs no buffer. Output is gathered and leaves in one write at the end of the round. While more
 * than out_high bytes wait, stream_congested() is true and the owner should stop producing;
 * `on_drained` says when all of it has left.
 *
 * After stream_close no callback runs; the memory goes when the round is over.
 */
#include <sys/types.h>

#include "base/slice.h"
#include "event/loop.h"

struct stream;

enum stream_end { STREAM_NONE, STREAM_EOF, STREAM_ERROR };

struct stream_ops {
	void	(*on_input)(void *arg);			/* look at stream_input, consume what is understood */
	/* The peer closed, or errno; called once, after all input. */
	void	(*on_end)(void *arg, enum stream_end, int error);
	void	(*on_drained)(void *arg);		/* output buffer became empty; may be NULL */
	void	(*on_open)(void *arg);			/* the layer is open: bytes may flow; NULL when there never is one */
	bool	secret;					/* passwords pass: bytes in the buffers are overwritten when they go */
};

/*
 * layer — changes the bytes between stream and socket: TLS (net/tls_stream.h). It reads and writes the stream's descriptor itself
 * and never blocks: -1 with EAGAIN says in *wants what it waits for (WATCH_READ or WATCH_WRITE); any other errno is the end.
 */
struct stream_layer {
	int	(*open)(void *arg, int *wants);				/* 0: both sides agree */
	ssize_t	(*read)(void *arg, void *, size_t, int *wants);		/* 0: the peer ended */
	ssize_t	(*write)(void *arg, const void *, size_t, int *wants);
	bool	(*holds)(const void *arg);	/* has read more from the socket than it has given out */
	void	(*close)(void *arg);		/* tells the peer that no more comes, if that does not block */
	void	(*drop)(void *arg);		/* gone for good */
};

/* Takes the descriptor (also on failure). */
struct stream	*stream_open(struct loop *, int fd, size_t in_max, size_t out_high, size_t out_max,
		    const struct stream_ops *, void *arg, struct err *);
void		 stream_close(struct stream **);	/* drops what was not yet written */
/* Writes what is gathered, says that no more comes, hears the peer out (1 MiB at most) and closes;
 * gives up after `ms`. No callback runs any more. */
void		 stream_close_after_flush(struct stream **, int64_t ms);

struct slice	 stream_input(const struct stream *);
void		 stream_consume(struct stream *, size_t);

/* All copy; -1: out_max or memory, and the stream has failed. */
int		 stream_write(struct stream *, struct slice);
int		 stream_puts(struct stream *, const char *);
int		 stream_printf(struct stream *, const char *, ...) __attribute__((format(printf, 2, 3)));
void		 stream_flush(struct stream *);		/* now, not at the end of the round */
bool		 stream_congested(const struct stream *);
size_t		 stream_pending(const struct stream *);	/* bytes not yet taken by the kernel */
int		 stream_fd(const struct stream *);

/*
 * From here on every byte goes through the layer, for good: a stream never falls back to clear text (CVE-2026-45185). What was written
 * before leaves first, in clear; input that is left unconsumed would be taken for what came through the layer (CVE-2011-0411) and is an
 * error, EPROTO. Takes arg. on_open follows, or on_end. -1, and the layer is gone: such input waits, or the socket does not take what was
 * written; the owner ends the stream.
 */
int		 stream_put_layer(struct stream *, const struct stream_layer *, void *arg, int first_wants);
void		*stream_layer_arg(const struct stream *);	/* NULL: none */

#endif
