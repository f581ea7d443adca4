#ifndef MDA_MAILDIR_H
#define MDA_MAILDIR_H
/*
 * maildir — one Maildir and the copies on their way into it, with the rights of this process.
 *
 * The steps, in an order that no crash can turn into a loss:
 *	1 copy_begin, copy_write ..., copy_end	the file lies in tmp/, whole
 *	2 the shared sync, or copy_end with own_sync	its bytes are durable
 *	3 copy_publish				renamed into new/
 *	4 the next shared sync, or copy_publish with own_sync	the rename is durable: delivered
 *
 * Lines are stored with LF, as programs that read Maildirs on Unix expect; SMTP content is CRLF throughout (the receiver
 * refuses a bare CR or LF), so nothing is lost: CRLF becomes LF and every other byte stays. Files are 0600, directories 0700.
 */
#include <stdint.h>
#include <sys/types.h>

#include "mda/worker/name.h"
#include "mda/worker/refusal.h"

struct maildir;

struct copy {				/* all of it is maildir.c's; zeroed: none */
	int		fd;		/* tmp file while it is written, else -1 */
	bool		cr;		/* the last byte was a CR whose LF may follow in the next piece */
	uint64_t	size;		/* bytes in the file */
	uint32_t	crc;
	char		tmp[NAME_SIZE], name[NAME_SIZE];
};

/* Opens it, making what is missing below an existing home, and removes files of ours in tmp/ that are older than 36 h.
 * NULL: refusal. `user` is whose it must be: geteuid() in the worker. */
struct maildir	*maildir_open(const char *home, const char *path, uid_t user, struct refusal *);
void		 maildir_free(struct maildir **);
int		 maildir_fd(const struct maildir *);		/* the directory itself, readable */
/* Is there still the same directory at the path? False: open it anew. */
bool		 maildir_in_place(const struct maildir *);

/* 1. -1: refusal, and nothing is left in tmp/. */
int		 copy_begin(struct maildir *, struct copy *, const char *tmp_name, struct refusal *);
int		 copy_write(struct maildir *, struct copy *, struct slice content, struct refusal *);
int		 copy_end(struct maildir *, struct copy *, bool own_sync, struct refusal *);
/* 3. On -1 the copy has been dropped. */
int		 copy_publish(struct maildir *, struct copy *, bool own_sync, struct refusal *);
/* After copy_end: 1: the very same copy was delivered earlier; it and its directory are synced now, and this one is
 * dropped. 0: it was not, go on. -1: refusal, dropped. */
int		 copy_found(struct maildir *, struct copy *, struct refusal *);
void		 copy_drop(struct maildir *, struct copy *);	/* unlinks tmp */

#endif
