#ifndef IPC_FRAME_H
#define IPC_FRAME_H
/*
 * frame — the eight bytes in front of every frame, and the handshake. Pure; shared by the channel of
 * the loop (channel.c) and its blocking twin (chan_sync.c).
 */
#include "base/buf.h"
#include "ipc/channel.h"

#define FRAME_HEADER	8
#define FRAME_HANDSHAKE	0	/* the type of the first frame each way; no wire uses it */

struct frame {
	uint16_t	type;
	bool		has_fd;
	struct slice	body;
};

enum frame_result { FRAME_MORE, FRAME_READY, FRAME_BAD };

/* Looks at the front of `in`; READY: *out borrows from it and *used bytes belong to the frame. */
enum frame_result	frame_take(struct slice in, struct frame *out, size_t *used);
/* Puts a header with length 0; frame_close writes the length once the body is behind it. `at`: the
 * length of the buf before. */
void			frame_open(struct buf *, uint16_t type);
int			frame_close(struct buf *, size_t at, bool has_fd);	/* -1: body too large */
void			handshake_put(struct buf *, const char *wire, uint16_t version);
/* -1: another wire or version. */
int			handshake_check(struct slice body, const char *wire, uint16_t version);

#endif
