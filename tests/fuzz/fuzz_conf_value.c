/*
 * fuzz_conf_value — any text as the value of any setting, the first two bytes choose which: refused with a sentence, or a value that goes
 * over the wire and comes back as the same. And as a file with comments, which must keep its lines.
 */
#include <stdint.h>
#include <stdlib.h>

#include "conf/conf.h"
#include "conf/setting.h"
#include "conf/strip.h"
#include "conf/value.h"

#define ITEMS_MAX	16

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static void
count_wrong(void *arg, size_t index, const char *sentence)
{
	unsigned *wrong = arg;

	if (index >= ITEMS_MAX || sentence == NULL || sentence[0] == '\0')
		abort();
	(*wrong)++;
}

/* The value on the wire, and back; the same bytes again. */
static void
pass_on(const struct setting *setting, const struct conf *base)
{
	static struct conf copy;
	struct arena arena = { .max = 1 << 20 };
	struct buf once, twice;
	struct reader r;

	memset(&copy, 0, sizeof(copy));
	buf_init(&once, 1 << 20);
	buf_init(&twice, 1 << 20);
	value_put(setting, base, &once);
	r = reader_of(buf_slice(&once));
	value_get(setting, &copy, &r, &arena);
	if (once.failed || reader_end(&r) == -1)
		abort();
	value_put(setting, &copy, &twice);
	if (!slice_eq(buf_slice(&once), buf_slice(&twice)))
		abort();
	buf_reset(&twice);
	value_print(setting, base, &twice);
	buf_fini(&once);
	buf_fini(&twice);
	arena_fini(&arena);
}

static void
set(const struct setting *setting, struct slice text)
{
	static struct conf base;	/* larger than any struct that a row counts its offset from */
	struct arena arena = { .max = 1 << 20 };
	struct slice items[ITEMS_MAX];
	unsigned wrong = 0;
	size_t count = 0;

	memset(&base, 0, sizeof(base));
	do
		items[count++] = value_is_list(setting) ? slice_split(text, '\n', &text) : text;
	while (value_is_list(setting) && text.p != NULL && count < ITEMS_MAX);
	if (value_set(setting, &base, items, count, &arena, count_wrong, &wrong) != wrong)
		abort();
	if (wrong == 0)
		pass_on(setting, &base);
	arena_fini(&arena);
}

static void
strip(struct slice text)
{
	char *copy = malloc(text.len + 1);
	size_t open;

	if (copy == NULL)
		return;
	memcpy(copy, text.p, text.len);
	copy[text.len] = '\0';
	open = strip_comments(copy, text.len);
	if (open > text.len || unclosed_brace(copy, text.len) > text.len)
		abort();
	for (size_t i = 0; i < text.len; i++)
		if ((copy[i] == '\n') != (text.p[i] == '\n') || (copy[i] != text.p[i] && copy[i] != ' '))
			abort();
	free(copy);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	const struct section *section;
	struct slice text = slice_of(bytes, len);

	strip(text);
	if (len < 2)
		return 0;
	section = &conf_sections[bytes[0] % conf_section_count];
	slice_drop(&text, 2);
	set(&section->settings[bytes[1] % section->count], text);
	return 0;
}
