#ifndef IPC_CHANNEL_H
#define IPC_CHANNEL_H
/*
 * channel — frames, each with at most one descriptor, over a Unix stream socket.
 *
 * A frame is 8 bytes of header (u32 length of the body, u16 type, u8 descriptors 0-1, u8 zero) and
 * the body. The first frame each way is the handshake: magic, kind of wire, version. Frames of one
 * round leave in one system call. The peer is treated as hostile: a bad header, an unexpected
 * descriptor, or a handler that answers -1 ends the channel, and only it.
 *
 * The owner hears of the end once (on_end), never from
 * inside channel_send. After channel_close no callback runs.
 */
#include "base/buf.h"
#include "event/loop.h"
#include "ipc/reader.h"
#include "ipc/writer.h"

#define FRAME_MAX	(320 * 1024)	/* body; a message of 256 KiB and its envelope fit */

struct channel;

/* One row per frame type that this side accepts. fd is -1 or owned by
 * the handler (it must close it); a row without takes_fd never sees one.
 * Returns 0, or -1: the frame is bad and costs the peer its channel. */
struct frame_handler {
	const char	*name;		/* for traces; NULL: this type is not accepted here */
	int		(*fn)(void *arg, struct reader *, int fd);
	bool		 takes_fd;
};

struct channel_ops {
	const char			*wire;		/* "submit": must be the same on both sides */
	uint16_t			 version;
	const struct frame_handler	*handlers;	/* indexed by frame type */
	uint16_t			 handler_count;
	void				(*on_end)(void *arg, const char *why);	/* peer gone or misbehaved */
	void				(*on_drained)(void *arg);	/* what was queued has left; may be NULL */
	bool				 secret;	/* passwords come this way: what is read or sent is overwritten */
};

/* Takes the descriptor (also on failure). NULL: err. */
struct channel	*channel_open(struct loop *, int fd, const struct channel_ops *, void *arg, struct err *);
void		 channel_close(struct channel **);

/* Starts a frame; put fields into the buf that comes back, then channel_end.
 * One frame at a time. `fd` -1: none, else it is borrowed (duplicated by the
 * kernel when sent: the channel dups and closes its own). */
struct buf	*channel_begin(struct channel *, uint16_t type);
int		 channel_end(struct channel *);			/* -1: limit or memory; the channel is then ended */
int		 channel_end_fd(struct channel *, int fd);
size_t		 channel_pending(const struct channel *);	/* bytes queued and not yet with the kernel */
void		 channel_pause(struct channel *, bool);		/* stop reading: back-pressure on the peer */
void		 channel_flush(struct channel *);		/* now instead of at the end of the round */

/* Blocking twin for tools, lookup workers and mail workers: same frames, same handshake, no loop. */
struct chan_sync;
struct chan_sync *chan_sync_open(int fd, const char *wire, uint16_t version, struct err *);	/* takes fd */
struct buf	*chan_sync_begin(struct chan_sync *, uint16_t type);
int		 chan_sync_send(struct chan_sync *, int fd, struct err *);		/* fd: -1 or borrowed */
/* The next frame: its type (> 0), 0 at end of stream, -1 err. The reader's bytes live until the
 * next call. *fd is -1 or the caller's. */
int		 chan_sync_next(struct chan_sync *, struct reader *, int *fd, struct err *);
/* A whole frame is here already: chan_sync_next will not wait.
 * So a worker can gather answers while there is more to do. */
bool		 chan_sync_more(const struct chan_sync *);
void		 chan_sync_close(struct chan_sync **);

#endif
