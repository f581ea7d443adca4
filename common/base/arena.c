/*
 * arena — blocks that double in size; everything inside goes at once.
 */
#include "base/arena.h"

#include <stdalign.h>
#include <stdint.h>

#include "base/mem.h"

#define BLOCK_LEAST	1024
#define BLOCK_MOST	(64 * 1024)

struct arena_block {
	struct arena_block	*next;
	size_t			 size, used;
	alignas(16) char	 bytes[];
};

void
arena_init(struct arena *a, size_t max)
{
	*a = (struct arena){ .max = max };
}

static struct arena_block *
block_new(struct arena *a, size_t need)
{
	size_t size = a->blocks == NULL ? BLOCK_LEAST : a->blocks->size * 2;
	struct arena_block *block;

	if (size > BLOCK_MOST)
		size = BLOCK_MOST;
	if (size < need)
		size = need;
	block = mem_alloc(sizeof(*block) + size);
	if (block == NULL)
		return NULL;
	block->size = size;
	block->used = 0;
	block->next = a->blocks;
	a->blocks = block;
	return block;
}

void *
arena_alloc(struct arena *a, size_t size)
{
	struct arena_block *block = a->blocks;
	size_t rounded;
	void *p;

	if (size > SIZE_MAX - 16)
		return NULL;
	rounded = (size + 15) & ~(size_t)15;
	if (rounded > a->max || a->used > a->max - rounded)
		return NULL;
	if (block == NULL || block->size - block->used < rounded) {
		block = block_new(a, rounded);
		if (block == NULL)
			return NULL;
	}
	p = block->bytes + block->used;
	block->used += rounded;
	a->used += rounded;
	memset(p, 0, rounded);
	return p;
}

void *
arena_array(struct arena *a, size_t n, size_t size)
{
	if (size != 0 && n > SIZE_MAX / size)
		return NULL;
	return arena_alloc(a, n * size);
}

struct slice
arena_slice(struct arena *a, struct slice s)
{
	char *copy = s.len == SIZE_MAX ? NULL : arena_alloc(a, s.len + 1);

	if (copy == NULL)
		return (struct slice){ NULL, 0 };
	if (s.len > 0)
		memcpy(copy, s.p, s.len);
	return slice_of(copy, s.len);
}

char *
arena_str(struct arena *a, const char *s)
{
	size_t size = strlen(s) + 1;
	char *copy = arena_alloc(a, size);

	if (copy != NULL)
		memcpy(copy, s, size);
	return copy;
}

void
arena_reset(struct arena *a)
{
	struct arena_block *keep = a->blocks;

	if (keep == NULL)
		return;
	a->blocks = keep->next;
	arena_fini(a);
	keep->next = NULL;
	keep->used = 0;
	a->blocks = keep;
}

void
arena_fini(struct arena *a)
{
	struct arena_block *block, *next;

	for (block = a->blocks; block != NULL; block = next) {
		next = block->next;
		mem_free(block);
	}
	a->blocks = NULL;
	a->used = 0;
}
