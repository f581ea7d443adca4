#ifndef UNIT_IPC_PAIR_H
#define UNIT_IPC_PAIR_H
/* pair — a channel whose peer is either another channel or plain bytes, and what each of the two was told. */
#include "tests/support/testing.h"

#include <sys/stat.h>

#include "ipc/channel.h"

enum { TEXT = 1, FILE_OF = 2, CLOSE_ME = 3, PAUSE_ME = 4, NOT_TAKEN = 5, TYPES };

struct side {
	struct channel	*channel;
	struct buf	 texts;		/* bodies of TEXT, each with a '|' behind it */
	int		 ends, drains, frames;
	const char	*why;
	struct stat	 file;		/* of the last descriptor that came */
};

extern struct side left, right;
extern int raw;			/* the other end of left's socket, when there is no right */
extern size_t fds_before;	/* descriptors that were open before the loop was */
extern const struct channel_ops ops, other_wire, other_version;

int	setup_loop(void);		/* a loop and nothing on it */
int	setup_pair(void **state);	/* left and right, their handshakes done */
int	setup_raw(void **state);	/* left, and a handshake for it in the socket */
/* Whatever a test did: no descriptor may stay open, and no memory (the sanitizer looks). */
int	teardown(void **state);
struct channel *open_side(struct side *, int fd, const struct channel_ops *, struct err *);	/* NULL: why not */
void	start(struct side *, int fd, const struct channel_ops *);
void	run(int64_t ms);
int	send_text(struct side *, struct slice text);
int	send_file(struct side *, int fd);

#endif
