#ifndef BASE_NUM_H
#define BASE_NUM_H
/* num — strict decimal numbers out of foreign text: digits only, no sign, no space, no wrap. */
#include <stdint.h>

#include "base/slice.h"

int	num_parse(struct slice, uint64_t max, uint64_t *out);	/* -1: not a number, or above max */

#endif
