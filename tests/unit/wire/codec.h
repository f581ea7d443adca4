#ifndef UNIT_WIRE_CODEC_H
#define UNIT_WIRE_CODEC_H
/* codec — what every frame of every wire must pass, whatever it says. */
#include "tests/support/recode.h"
#include "tests/support/testing.h"

/* recode_run over an allocation of exactly this size, so that the sanitizer sees one byte too far. */
static inline int
codec_try(const struct recode *recode, struct slice bytes)
{
	char *exact = malloc(bytes.len > 0 ? bytes.len : 1);
	int result;

	assert_non_null(exact);
	if (bytes.len > 0)
		memcpy(exact, bytes.p, bytes.len);
	result = recode_run(recode, slice_of(exact, bytes.len));
	free(exact);
	return result;
}

/* Good as it is; refused when cut anywhere or when longer; and total, and honest, for every changed byte. */
static inline void
codec_check(const struct recode *recode, const struct buf *b)
{
	static const unsigned char masks[] = { 0x01, 0x02, 0x10, 0x80, 0xff };
	struct slice good = buf_slice(b);
	char *bytes = malloc(good.len + 1);

	print_message("# %s: %zu bytes\n", recode->name, good.len);
	assert_false(b->failed);
	assert_non_null(bytes);
	memcpy(bytes, good.p, good.len);
	bytes[good.len] = 0;
	assert_int_equal(codec_try(recode, good), 0);
	for (size_t cut = 0; cut < good.len; cut++)
		assert_int_equal(codec_try(recode, slice_of(bytes, cut)), -1);
	assert_int_equal(codec_try(recode, slice_of(bytes, good.len + 1)), -1);
	for (size_t at = 0; at < good.len; at++) {
		for (size_t m = 0; m < sizeof(masks); m++) {
			bytes[at] = (char)(bytes[at] ^ masks[m]);
			assert_int_not_equal(codec_try(recode, slice_of(bytes, good.len)), 1);
			bytes[at] = (char)(bytes[at] ^ masks[m]);
		}
	}
	free(bytes);
}

/* The row of that name. */
static inline const struct recode *
codec_of(const struct recode *rows, size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(rows[i].name, name) == 0)
			return &rows[i];
	fail_msg("no row %s", name);
	return NULL;
}

/* Bytes that stay, all the same: texts at their maximum. */
static inline struct slice
codec_fill(char c, size_t len)
{
	static char fills[256][2048];
	char *fill = fills[(unsigned char)c];

	assert_true(len <= sizeof(fills[0]));
	memset(fill, c, sizeof(fills[0]));
	return slice_of(fill, len);
}

#endif
