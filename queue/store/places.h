#ifndef STORE_PLACES_H
#define STORE_PLACES_H
/*
 * places — the destinations that the catalog's rows name: their numbers in keys, how many rows
 * each has, and a time before which none is due. In memory whole; written with the transaction
 * that changed them.
 */
#include "base/buf.h"
#include "base/hash.h"
#include "queue/store/database.h"

struct place {
	struct hash_node by_name;
	struct place	*next_changed;
	struct slice	 name;		/* behind the struct */
	uint32_t	 number;
	bool		 changed;
	uint64_t	 rows;
	int64_t		 earliest_ms;
};

struct places {
	struct database	*db;
	struct hash	 by_name;
	struct place	*changed;	/* since the transaction began */
	uint32_t	 next_number;
	bool		 no_memory;	/* the last load ended early */
	struct buf	 scratch;
};

void		 places_init(struct places *, struct database *);
void		 places_fini(struct places *);
int		 places_load(struct places *, struct err *);	/* as the disk has them: at the start, and after an abort */
struct place	*places_find(struct places *, struct slice name);
struct place	*places_make(struct places *, struct slice name);	/* finds or makes; NULL: no memory */
void		 places_change(struct places *, struct place *);	/* it is going to be changed in this transaction */
int		 places_write(struct places *, struct err *);	/* into the transaction */
void		 places_written(struct places *);		/* it is committed: those without rows are forgotten */
void		 places_each(struct places *, void (*each)(struct place *, void *), void *arg);

#endif
