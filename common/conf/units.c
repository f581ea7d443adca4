/*
 * units — numbers with a unit: one table per kind, read in both directions.
 */
#include "conf/units.h"

#include <inttypes.h>

#include "base/num.h"

struct unit {
	const char	*name;
	int64_t		 worth;
};

/* Printing takes the first that divides; so the order is by preference. */
static const struct unit sizes[] = {
	{ "GiB", INT64_C(1) << 30 }, { "MiB", INT64_C(1) << 20 }, { "KiB", INT64_C(1) << 10 },
	{ "GB", 1000000000 }, { "MB", 1000000 }, { "kB", 1000 }, { "KB", 1000 }, { "B", 1 }, { "", 1 },
};
static const struct unit durations[] = {
	{ "w", INT64_C(7) * 86400 * 1000 }, { "d", 86400 * 1000 }, { "h", 3600 * 1000 }, { "m", 60 * 1000 },
	{ "s", 1000 }, { "ms", 1 },
};

int
units_number(struct slice s, int64_t *out)
{
	uint64_t n;

	if (s.len == 0 || (s.len > 1 && s.p[0] == '0') || num_parse(s, UNITS_NUMBER_MAX, &n) == -1)
		return -1;
	*out = (int64_t)n;
	return 0;
}

static size_t
digits(struct slice s)
{
	size_t n = 0;

	while (n < s.len && s.p[n] >= '0' && s.p[n] <= '9')
		n++;
	return n;
}

static int
with_unit(struct slice s, const struct unit *table, size_t count, int64_t *out)
{
	size_t n = digits(s);
	struct slice unit = slice_of(s.p + n, s.len - n);
	int64_t number;

	if (units_number(slice_of(s.p, n), &number) == -1)
		return -1;
	for (size_t i = 0; i < count; i++) {
		if (!slice_eq(unit, slice_str(table[i].name)))
			continue;
		if (number > UNITS_NUMBER_MAX / table[i].worth)
			return -1;
		*out = number * table[i].worth;
		return 0;
	}
	return -1;
}

int
units_size(struct slice s, int64_t *bytes)
{
	return with_unit(s, sizes, sizeof(sizes) / sizeof(sizes[0]), bytes);
}

int
units_duration(struct slice s, int64_t *ms)
{
	/* Nothing is nothing in any unit; any other bare number would leave us guessing. */
	if (slice_eq(s, SLICE_LIT("0"))) {
		*ms = 0;
		return 0;
	}
	return with_unit(s, durations, sizeof(durations) / sizeof(durations[0]), ms);
}

int
units_bool(struct slice s, bool *out)
{
	static const char *const yes[] = { "yes", "true", "on" },
				 *const no[] = { "no", "false", "off" };

	for (size_t i = 0; i < 3; i++) {
		if (slice_caseeq(s, slice_str(yes[i])) || slice_caseeq(s, slice_str(no[i]))) {
			*out = slice_caseeq(s, slice_str(yes[i]));
			return 0;
		}
	}
	return -1;
}

static void
print_unit(struct buf *out, int64_t value, const struct unit *table, size_t count)
{
	size_t i = 0;

	while (i + 1 < count && value % table[i].worth != 0)
		i++;
	buf_printf(out, "%" PRId64 "%s", value / table[i].worth, table[i].name);
}

void
units_size_print(struct buf *out, int64_t bytes)
{
	if (bytes == 0)
		buf_puts(out, "0");
	else
		print_unit(out, bytes, sizes, sizeof(sizes) / sizeof(sizes[0]));
}

void
units_duration_print(struct buf *out, int64_t ms)
{
	if (ms == 0)
		buf_puts(out, "0");
	else
		print_unit(out, ms, durations, sizeof(durations) / sizeof(durations[0]));
}
