/*
 * mem — checked allocation; the only caller of malloc in the house.
 */
#include "base/mem.h"

#include <malloc.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/fault.h"

void *
mem_alloc(size_t size)
{
	if (fault_at("alloc") != 0)
		return NULL;
	return malloc(size > 0 ? size : 1);
}

void *
mem_zalloc(size_t size)
{
	if (fault_at("alloc") != 0)
		return NULL;
	return calloc(1, size > 0 ? size : 1);
}

void *
mem_array(size_t n, size_t size)
{
	if (size != 0 && n > SIZE_MAX / size)
		return NULL;
	if (fault_at("alloc") != 0)
		return NULL;
	return calloc(n > 0 ? n : 1, size > 0 ? size : 1);
}

void *
mem_grow(void *old, size_t n, size_t size)
{
	if (size != 0 && n > SIZE_MAX / size)
		return NULL;
	if (fault_at("alloc") != 0)
		return NULL;
	return realloc(old, n * size > 0 ? n * size : 1);
}

void *
mem_dup(const void *p, size_t len)
{
	void *copy = mem_alloc(len);

	if (copy != NULL && len > 0)
		memcpy(copy, p, len);
	return copy;
}

void
mem_free(void *p)
{
	free(p);
}

void
mem_trim(void)
{
	(void)malloc_trim(0);
}
