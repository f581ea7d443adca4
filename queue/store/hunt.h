#ifndef STORE_HUNT_H
#define STORE_HUNT_H
/*
 * hunt — compares the files of earlier starts with the catalog: what is left over goes, what is
 * missing comes back.
 *
 * A file that the catalog does not name is a leftover when the ring, as the start found it, knows
 * its message: an evacuation that was cut off, or a removal that had not reached the disk. Any
 * other is mail whose record was lost: it gets a new one, with the state of its file, marked
 * *maybe*. So the same walk that tidies up after a crash makes a lost catalog anew.
 */
#include <stddef.h>
#include <stdint.h>

#include "queue/store/catalog.h"
#include "queue/store/spool.h"

struct holds;
struct post;

struct hunt {
	struct catalog	*catalog;
	struct spool	*spool;
	struct holds	*holds;
	struct post	*post;
	int		 queue_dir;
	uint64_t	*ids;		/* whose PUT or DONE the ring held at the start, ascending; owned */
	size_t		 count;
	struct buf	 bytes;		/* the file in hand */
	uint32_t	 seen, removed, adopted, uncommitted;
	bool		(*between)(void *);	/* called now and then; false: leave the rest. NULL is fine */
	bool		stopped;
	bool		catalog_failed;	/* the error was the catalog's */
	void		*arg;
};

void	hunt_init(struct hunt *, struct catalog *, struct spool *, struct holds *, struct post *, int queue_dir);
void	hunt_fini(struct hunt *);
int	hunt_run(struct hunt *, struct err *);	/* all of it; may be repeated */

#endif
