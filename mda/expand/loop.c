/* loop — one pass over the header. */
#include "mda/expand/loop.h"

#include "mail/header.h"

#define PIECE		(16 * 1024)
#define HEADER_MOST	(1024 * 1024)	/* the receiver's own limit is smaller */

struct check {
	const struct slice	*addresses;
	uint32_t		 count;
	bool			*looped;
};

static void
on_field(void *arg, enum header_field field, struct slice value)
{
	struct check *check = arg;

	if (field != HEADER_DELIVERED_TO)
		return;
	for (uint32_t i = 0; i < check->count; i++)
		if (slice_caseeq(value, check->addresses[i]))
			check->looped[i] = true;
}

int
loop_check(const struct content *content, const struct slice *addresses, uint32_t count, bool *looped, struct err *err)
{
	struct check check = { addresses, count, looped };
	struct header_scan scan;
	char room[PIECE];
	struct slice piece;

	header_scan_init(&scan, HEADER_MOST, on_field, &check);
	for (uint32_t at = 0; at < content->size; at += (uint32_t)piece.len) {
		if (content_piece(content, at, sizeof(room), room, &piece, err) == -1)
			return -1;
		if (header_scan_feed(&scan, piece) != HEADER_MORE)
			return 0;
	}
	(void)header_scan_end(&scan);
	return 0;
}
