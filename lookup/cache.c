/*
 * cache — a hash for finding, a list for the order of use.
 */
#include "lookup/cache.h"

#include <bsd/sys/queue.h>

#include "base/hash.h"
#include "base/mem.h"

struct entry {
	struct hash_node	node;
	TAILQ_ENTRY(entry)	use;		/* first: used most recently */
	enum cache_kind		kind;
	int64_t			until;
	struct slice		key, value;
	char			bytes[];
};

struct cache {
	struct hash		table;
	TAILQ_HEAD(entries, entry) used;
	size_t			most;
};

struct cache *
cache_new(size_t most)
{
	struct cache *cache = mem_zalloc(sizeof(*cache));

	if (cache == NULL)
		return NULL;
	hash_init(&cache->table);
	TAILQ_INIT(&cache->used);
	cache->most = most;
	return cache;
}

static void
entry_drop(struct cache *cache, struct entry *entry)
{
	hash_remove(&cache->table, &entry->node);
	TAILQ_REMOVE(&cache->used, entry, use);
	mem_free(entry);
}

void
cache_clear(struct cache *cache)
{
	struct entry *entry;

	while ((entry = TAILQ_FIRST(&cache->used)) != NULL)
		entry_drop(cache, entry);
}

void
cache_free(struct cache **cache)
{
	if (*cache == NULL)
		return;
	cache_clear(*cache);
	hash_fini(&(*cache)->table);
	mem_free(*cache);
	*cache = NULL;
}

static uint64_t
key_hash(enum cache_kind kind, struct slice key)
{
	return hash_slice(key) + (uint64_t)kind;
}

static struct entry *
cache_find(const struct cache *cache, enum cache_kind kind, struct slice key)
{
	struct hash_node *node;

	for (node = hash_first(&cache->table, key_hash(kind, key)); node != NULL; node = hash_next(node)) {
		struct entry *entry = CONTAINER_OF(node, struct entry, node);

		if (entry->kind == kind && slice_eq(entry->key, key))
			return entry;
	}
	return NULL;
}

struct slice
cache_get(struct cache *cache, enum cache_kind kind, struct slice key, int64_t now, int64_t *left)
{
	struct entry *entry = cache_find(cache, kind, key);

	if (entry != NULL && entry->until <= now) {
		entry_drop(cache, entry);
		entry = NULL;
	}
	if (entry == NULL)
		return (struct slice){ NULL, 0 };
	if (entry != TAILQ_FIRST(&cache->used)) {
		TAILQ_REMOVE(&cache->used, entry, use);
		TAILQ_INSERT_HEAD(&cache->used, entry, use);
	}
	*left = entry->until - now;
	return entry->value;
}

void
cache_put(struct cache *cache, enum cache_kind kind, struct slice key, struct slice value, int64_t until)
{
	struct entry *entry = cache_find(cache, kind, key);

	if (entry != NULL)
		entry_drop(cache, entry);
	while (cache->table.count >= cache->most && !TAILQ_EMPTY(&cache->used))
		entry_drop(cache, TAILQ_LAST(&cache->used, entries));
	if (cache->most == 0 || (entry = mem_zalloc(sizeof(*entry) + key.len + value.len)) == NULL)
		return;
	memcpy(entry->bytes, key.p, key.len);
	memcpy(entry->bytes + key.len, value.p, value.len);
	entry->kind = kind;
	entry->until = until;
	entry->key = slice_of(entry->bytes, key.len);
	entry->value = slice_of(entry->bytes + key.len, value.len);
	hash_insert(&cache->table, &entry->node, key_hash(kind, key));
	TAILQ_INSERT_HEAD(&cache->used, entry, use);
}

size_t
cache_count(const struct cache *cache)
{
	return cache->table.count;
}
