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

enum content_result
loop_check(const struct content *content, const struct slice *addresses, uint32_t count, bool *looped, struct err *err)
{
	struct check check = { addresses, count, looped };
	struct header_scan scan;
	struct content_reader reader = { 0 };
	enum content_result result;
	char room[PIECE];
	struct slice piece;

	header_scan_init(&scan, HEADER_MOST, on_field, &check);
	while (reader.at < content->size) {
		result = content_next(content, &reader, sizeof(room), room, &piece, err);
		if (result != CONTENT_GOOD)
			return result;
		if (header_scan_feed(&scan, piece) != HEADER_MORE)
			return CONTENT_GOOD;
	}
	(void)header_scan_end(&scan);
	return CONTENT_GOOD;
}
