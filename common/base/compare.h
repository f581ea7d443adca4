#ifndef BASE_COMPARE_H
#define BASE_COMPARE_H
/* compare — which number comes first: plainly, for qsort and bsearch, or of a counter that wraps. */
#include <stdbool.h>
#include <stdint.h>

/* Two uint64_t, ascending. */
static inline int
compare_u64(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

/* As serial numbers are compared (RFC 1982): true while `a` is less than 2^31 steps ahead of `b`. */
static inline bool
compare_is_later(uint32_t a, uint32_t b)
{
	return (int32_t)(a - b) > 0;
}

#endif
