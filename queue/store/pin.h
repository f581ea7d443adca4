#ifndef STORE_PIN_H
#define STORE_PIN_H
/*
 * pin — the disk stands still under a store that goes on taking mail, so that it can be copied;
 * the steps are those of docs/SPOOL.md, pin. The loop's half; evacuator, file sync and committer
 * each have a word for it.
 *
 * While it stands the ring only fills. So room is made first, and a ring that runs short breaks
 * the pin: a backup can be made again, a refused client may not come back.
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "event/timer.h"
#include "queue/store/store.h"

struct question;

enum pin_step {
	PIN_NONE,
	PIN_ROOM,		/* mail leaves the ring, as far as it can */
	PIN_STILL,		/* the evacuator finishes its round and flushes the catalog */
	PIN_MARK,		/* the committer says how much is durable */
	PIN_HELD,
	PIN_BROKEN		/* until the owner asks */
};

struct pin {
	enum pin_step	 step;
	bool		 asked;		/* an answer of evacuator or committer is on its way, wanted or not */
	int64_t		 until_ms;	/* loop_now. ROOM: when it has to do; HELD: when it is broken off */
	struct timer	 timer;
	store_pinned_cb	*done;		/* NULL: it has been told */
	void		*arg;
	const char	*directory;	/* owned */
};

int	pin_init(struct store *, const char *directory, struct err *);
void	pin_fini(struct store *);
void	pin_look(struct store *);	/* something was finished: the next step, or the ring has run short */
void	pin_marked(struct store *, bool good);	/* the committer's answer */
void	pin_end(struct store *);	/* the store closes */
bool	pin_stands(const struct pin *);	/* nothing may leave the ring */
bool	pin_wants_room(const struct pin *);

#endif
