/*
 * capability — the keywords of EHLO's answer, as a table.
 */
#include <stddef.h>

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
	{ SLICE_LIT("LIMITS"),			CAP_LIMITS,		true },
};

#define LIMIT_MAX	999999	/* RFC 9422 4: six digits */

static const struct {
	struct slice	name;
	size_t		field;
} limits[] = {
	{ SLICE_LIT("MAILMAX"), offsetof(struct capabilities, mail_max) },
	{ SLICE_LIT("RCPTMAX"), offsetof(struct capabilities, rcpt_max) },
	{ SLICE_LIT("RCPTDOMAINMAX"), offsetof(struct capabilities, rcpt_domain_max) },
};

/* One that is not known, or makes no sense, limits nothing; of one that is said twice the least counts. */
static void
take_limit(struct capabilities *caps, struct slice limit)
{
	struct slice value, name = slice_split(limit, '=', &value);
	uint64_t n;

	if (value.len == 0 || value.p[0] == '0' || num_parse(value, LIMIT_MAX, &n) == -1)
		return;
	for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
		uint32_t *most = (uint32_t *)(void *)((char *)caps + limits[i].field);

		if (slice_caseeq(name, limits[i].name) && (*most == 0 || n < *most))
			*most = (uint32_t)n;
	}
}

static void
take_limits(struct capabilities *caps, struct slice rest)
{
	while (rest.p != NULL)
		take_limit(caps, slice_split(rest, ' ', &rest));
}

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
		if (table[i].bit == CAP_LIMITS)
			take_limits(caps, value);
		caps->has |= table[i].bit;
	}
}
