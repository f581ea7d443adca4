#ifndef LOOKUP_CACHE_H
#define LOOKUP_CACHE_H
/*
 * cache — positive answers of the workers for a while, so that the same recipient asks the system once.
 *
 * Keeps answers as the bytes of one encoded route or mailbox, least recently used out first. What
 * is not positive is never kept: a user that was just made must be found at the next question.
 */
#include <stdint.h>

#include "base/slice.h"

struct cache;

enum cache_kind { CACHE_NONE, CACHE_ROUTE, CACHE_MAILBOX };

struct cache	*cache_new(size_t most);		/* entries; NULL: no memory */
void		 cache_free(struct cache **);
void		 cache_clear(struct cache *);
/* The value lives until the cache changes; p is NULL when
 * there is none. *left: how much longer it holds, ms. */
struct slice	 cache_get(struct cache *, enum cache_kind, struct slice key, int64_t now, int64_t *left);
/* Copies both; forgetting it for want of memory is fine. */
void		 cache_put(struct cache *, enum cache_kind, struct slice key, struct slice value, int64_t until);
size_t		 cache_count(const struct cache *);

#endif
