#ifndef STORE_DATABASE_H
#define STORE_DATABASE_H
/*
 * database — a private Berkeley DB environment of a few tables, and its transactions.
 *
 * What the catalog needs of libdb 5.3, with the traps shut: one process and one thread at a time
 * (DB_PRIVATE), recovery at each opening, pages of 4 KiB with checksums, checkpoints every 8 MiB
 * of log (recovery on a full disk needs room for what it redoes), and no second try after a sync
 * that failed: libdb would repeat the call, and Linux would say yes to pages that are lost.
 */
#include <db.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/slice.h"

enum database_table { TABLE_RECORDS, TABLE_INDEX, TABLE_DESTINATIONS, TABLE_META, TABLE_COUNT };

struct database {
	DB_ENV	*env;
	DB	*tables[TABLE_COUNT];
	DB_TXN	*txn;
	bool	 is_open;
	char	 words[160];		/* libdb's own about its last error */
};

int	database_open(struct database *, const char *path, uint32_t cache, struct err *);
void	database_close(struct database *);
/* A sync failed in this process: no environment is to be believed until the one that it was is set aside. */
bool	database_is_distrusted(void);
void	database_forgive(void);		/* it is set aside */

int	database_begin(struct database *, struct err *);
int	database_commit(struct database *, struct err *);	/* flushed; -1: nothing of it is there */
void	database_abort(struct database *);
/* Every page and the log are on disk, and nothing is written until the next transaction or compaction. */
int	database_checkpoint(struct database *, struct err *);

/* 0, 1: not there (get, del) or there already (add); -1: err. What is got lies in *buffer, which
 * libdb grows; database_free gives it back. */
int	database_get(struct database *, enum database_table, struct slice key, DBT *buffer, struct err *);
int	database_put(struct database *, enum database_table, struct slice key, struct slice value, struct err *);
int	database_add(struct database *, enum database_table, struct slice key, struct err *);	/* without a value */
int	database_del(struct database *, enum database_table, struct slice key, struct err *);
void	database_free(DBT *buffer);

/* A walk over keys from the first one that is not less than `from`. `each` says whether to go on. */
typedef bool database_each(void *arg, struct slice key, struct slice value);
int	database_walk(struct database *, enum database_table, struct slice from, bool values, database_each *, void *arg,
	    struct err *);
int	database_compact(struct database *, enum database_table, uint32_t pages, struct err *);

#endif
