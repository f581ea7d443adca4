#ifndef BASE_MEM_H
#define BASE_MEM_H
/*
 * mem — allocation that can be made to fail.
 *
 * All heap memory comes from here, so that a test can fail the n-th allocation (base/fault.h).
 * NULL means no memory; callers turn that into "try later", never into an abort after start-up.
 */
#include <stddef.h>

void	*mem_alloc(size_t);
void	*mem_zalloc(size_t);				/* zeroed */
void	*mem_array(size_t n, size_t size);		/* zeroed; NULL when n * size wraps */
void	*mem_grow(void *, size_t n, size_t size);	/* realloc to n * size, checked */
void	*mem_dup(const void *, size_t);
void	 mem_free(void *);
/* What was freed goes back to the system, which takes some ms for each 100 MiB of heap. */
void	 mem_trim(void);

#endif
