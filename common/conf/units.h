#ifndef CONF_UNITS_H
#define CONF_UNITS_H
/*
 * units — numbers with a unit, as people write them in the configuration.
 *
 * Strictly decimal: no sign, no fraction, no leading zero (C would read 025 as 21), no 0x. What
 * print writes, parse reads as the same value.
 */
#include <stdint.h>

#include "base/buf.h"
#include "base/slice.h"

#define UNITS_NUMBER_MAX	INT64_C(1000000000000000)	/* 10^15: no sum of such numbers wraps */

int	units_number(struct slice, int64_t *out);		/* "25"; -1: not a number, or above UNITS_NUMBER_MAX */
int	units_size(struct slice, int64_t *bytes);		/* "4096", "50MB", "16MiB"; kB = 1000, KiB = 1024 */
int	units_duration(struct slice, int64_t *ms);		/* "250ms", "30s", "5m", "4h", "5d", "2w"; "0" */
int	units_bool(struct slice, bool *out);			/* yes no, true false, on off */

void	units_size_print(struct buf *, int64_t bytes);
void	units_duration_print(struct buf *, int64_t ms);

#endif
