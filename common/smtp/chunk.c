/*
 * chunk — see chunk.h: digits, and LAST in any case behind one space.
 */
#include "base/num.h"
#include "smtp/chunk.h"

enum chunk_result
chunk_parse(struct slice argument, struct chunk *out)
{
	struct slice marker, digits = slice_split(argument, ' ', &marker);
	struct chunk chunk = { .size = 0 };

	if (num_parse(digits, CHUNK_SIZE_MAX, &chunk.size) == -1)
		return CHUNK_LOST;
	chunk.last = marker.p != NULL && slice_caseeq(marker, SLICE_LIT("LAST"));
	*out = chunk;
	return marker.p == NULL || chunk.last ? CHUNK_GOOD : CHUNK_ODD;
}
