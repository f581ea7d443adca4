/*
 * capability — the keywords of EHLO's answer, as a table.
 */
#include "base/num.h"
#include "smtp/capability.h"

static const struct {
	struct slice	keyword;
	uint32_t	bit;
	bool		may_have_parameter;
} table[] = {
	{ SLICE_LIT("PIPELINING"),		CAP_PIPELINING,		false },
	{ SLICE_LIT("SIZE"),			CAP_SIZE,		true },
	{ SLICE_LIT("8BITMIME"),		CAP_8BITMIME,		false },
	{ SLICE_LIT("ENHANCEDSTATUSCODES"),	CAP_ENHANCED_STATUS,	false },
	{ SLICE_LIT("STARTTLS"),		CAP_STARTTLS,		false },
	{ SLICE_LIT("CHUNKING"),		CAP_CHUNKING,		false },
	{ SLICE_LIT("DSN"),			CAP_DSN,		false },
	{ SLICE_LIT("SMTPUTF8"),		CAP_SMTPUTF8,		true },
	{ SLICE_LIT("AUTH"),			CAP_AUTH,		true },
	{ SLICE_LIT("REQUIRETLS"),		CAP_REQUIRETLS,		false },
};

/* RFC 1870 3: "SIZE" alone or "SIZE 0" name no limit. */
static int
take_size(struct capabilities *caps, struct slice value)
{
	uint64_t size = 0;

	if (value.len > 0 && num_parse(value, UINT64_MAX, &size) == -1)
		return -1;
	caps->size = size;
	return 0;
}

void
capability_line(void *capabilities, unsigned number, struct slice text)
{
	struct capabilities *caps = capabilities;
	struct slice value, keyword = slice_split(slice_trim(text), ' ', &value);

	if (number == 0)
		return;
	value = value.p == NULL ? slice_of("", 0) : slice_trim(value);
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		if (!slice_caseeq(keyword, table[i].keyword) || (value.len > 0 && !table[i].may_have_parameter))
			continue;
		if (table[i].bit == CAP_SIZE && take_size(caps, value) == -1)
			continue;
		caps->has |= table[i].bit;
	}
}
