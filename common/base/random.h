#ifndef BASE_RANDOM_H
#define BASE_RANDOM_H
/* random — the kernel's random bytes (getrandom), buffered so that small wishes cost no system call. */
#include <stddef.h>
#include <stdint.h>

void		random_bytes(void *, size_t);		/* ends the process if the kernel has none */
uint64_t	random_u64(void);
uint32_t	random_below(uint32_t n);		/* uniform in [0, n); n > 0 */

#endif
