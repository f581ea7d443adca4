/*
 * value — what all types of settings have in common: lists, bounds, defaults, and the words for a
 * mistake.
 */
#include "conf/value.h"

#include <string.h>

#include "base/fmt.h"
#include "conf/conf.h"
#include "conf/value_type.h"

/* conf_strings, conf_durations, conf_networks and conf_addresses all look like this. */
struct value_list {
	uint32_t	 count;
	void		*v;
};
_Static_assert(sizeof(struct value_list) == sizeof(struct conf_addresses), "lists look alike");
_Static_assert(
    offsetof(struct value_list, v) == offsetof(struct conf_durations, v), "lists look alike");

bool
value_is_list(const struct setting *s)
{
	return value_types[s->type].list;
}

static bool
within_bounds(const struct setting *s, const void *item)
{
	const struct value_type *type = &value_types[s->type];

	if (type->compare == NULL)
		return true;
	return (s->min == NULL || type->compare(item, s->min) >= 0) &&
	    (s->max == NULL || type->compare(item, s->max) <= 0);
}

static void
say_choices(const struct setting *s, struct buf *out)
{
	const char *between = "";

	for (unsigned i = 0; s->choices[i] != NULL; i++) {
		buf_printf(out, "%s\"%s\"", between, s->choices[i]);
		between = s->choices[i + 1] != NULL && s->choices[i + 2] == NULL ? " or " : ", ";
	}
}

void
value_print_bounds(const struct setting *s, struct buf *out)
{
	bool text = s->type == SETTING_STRING || s->type == SETTING_STRINGS;
	const char *unit = text ? " bytes" : "";

	if (s->type == SETTING_ENUM)
		say_choices(s, out);
	else if (s->min != NULL && s->max != NULL)
		buf_printf(out, "from %s to %s%s", s->min, s->max, unit);
	else if (s->max != NULL)
		buf_printf(
		    out, "at most %s%s", s->max, text && strcmp(s->max, "1") == 0 ? " byte" : unit);
	else if (s->min != NULL)
		buf_printf(out, "at least %s%s", s->min, unit);
}

/* "05m" is not a duration: a number and ms, s, ... would be right */
static void
say_wrong(const struct setting *s, struct slice text, bool bounds, struct buf *why)
{
	const struct value_type *type = &value_types[s->type];

	buf_reset(why);
	buf_putc(why, '"');
	fmt_escape(why, text, 200);
	if (bounds) {
		buf_puts(why, text.len == 0 ? "\" is empty: " : "\" is out of bounds: ");
		value_print_bounds(s, why);
	} else {
		buf_printf(why, "\" is not %s: ", type->noun);
		if (s->type == SETTING_ENUM)
			say_choices(s, why);
		else
			buf_puts(why, type->right);
	}
	buf_puts(why, " would be right");
}

static bool
item_set(
    const struct setting *s, void *item, struct slice text, struct arena *arena, struct buf *why)
{
	if (value_types[s->type].parse(s, item, text, arena) == -1) {
		say_wrong(s, text, false, why);
		return false;
	}
	if (!within_bounds(s, item)) {
		say_wrong(s, text, true, why);
		return false;
	}
	return true;
}

unsigned
value_set(const struct setting *s, void *base, const struct slice *items, size_t count,
    struct arena *arena, value_wrong *wrong, void *arg)
{
	const struct value_type *type = &value_types[s->type];
	struct value_list list = { 0, NULL };
	struct buf why;
	char *field = (char *)base + s->offset;
	unsigned bad = 0;

	buf_init(&why, 4096);
	if (type->list && count > 0)
		list.v = count > VALUE_ITEMS_MAX ? NULL : arena_array(arena, count, type->size);
	if (type->list && count > 0 && list.v == NULL) {
		wrong(arg, 0, count > VALUE_ITEMS_MAX ?
		    "too many items: at most 256 would be right" : "no memory for the list");
		return 1;
	}
	for (size_t i = 0; i < count; i++) {
		void *item = type->list ? (char *)list.v + i * type->size : field;

		if (!item_set(s, item, items[i], arena, &why)) {
			wrong(
			    arg, i, why.failed ? "no memory to say what is wrong" : buf_cstr(&why));
			bad++;
		}
	}
	buf_fini(&why);
	list.count = (uint32_t)count;
	if (type->list && bad == 0)
		memcpy(field, &list, sizeof(list));
	return bad;
}

static void
initial_wrong(void *arg, size_t index, const char *sentence)
{
	(void)index;
	(void)sentence;
	*(bool *)arg = true;
}

int
value_set_initial(const struct setting *s, void *base, struct arena *arena)
{
	struct slice items[16], rest = slice_str(s->initial == NULL ? "" : s->initial);
	bool wrong = false, list = value_is_list(s);
	size_t count = 0;

	/* A required setting begins as the empty text, which its own bounds refuse: check.c says
	 * so. */
	if (s->initial == NULL)
		return value_types[SETTING_STRING].parse(s, (char *)base + s->offset, rest, arena);
	while (list && rest.len > 0 && count < sizeof(items) / sizeof(items[0]))
		items[count++] = slice_split(rest, ' ', &rest);
	if (!list)
		items[count++] = rest;
	value_set(s, base, items, count, arena, initial_wrong, &wrong);
	return wrong ? -1 : 0;
}

void
value_print(const struct setting *s, const void *base, struct buf *out)
{
	const struct value_type *type = &value_types[s->type];
	const char *field = (const char *)base + s->offset;
	struct value_list list;

	if (!type->list) {
		type->print(s, field, out);
		return;
	}
	memcpy(&list, field, sizeof(list));
	buf_puts(out, "{ ");
	for (uint32_t i = 0; i < list.count; i++) {
		if (i > 0)
			buf_puts(out, ", ");
		type->print(s, (const char *)list.v + i * type->size, out);
	}
	buf_puts(out, list.count > 0 ? " }" : "}");
}

void
value_put(const struct setting *s, const void *base, struct buf *out)
{
	const struct value_type *type = &value_types[s->type];
	const char *field = (const char *)base + s->offset;
	struct value_list list;

	if (!type->list) {
		type->put(field, out);
		return;
	}
	memcpy(&list, field, sizeof(list));
	put_u32(out, list.count);
	for (uint32_t i = 0; i < list.count; i++)
		type->put((const char *)list.v + i * type->size, out);
}

void
value_get(const struct setting *s, void *base, struct reader *r, struct arena *arena)
{
	const struct value_type *type = &value_types[s->type];
	struct value_list list = { 1, (char *)base + s->offset };

	if (type->list) {
		list.count = get_count(r, VALUE_ITEMS_MAX, 4);
		list.v = list.count == 0 ? NULL : arena_array(arena, list.count, type->size);
		if (list.count > 0 && list.v == NULL)
			reader_fail(r);
	}
	for (uint32_t i = 0; i < list.count && !r->bad; i++) {
		void *item = (char *)list.v + i * type->size;

		type->get(s, item, r, arena);
		if (!r->bad && !within_bounds(s, item))
			reader_fail(r);
	}
	if (type->list && !r->bad)
		memcpy((char *)base + s->offset, &list, sizeof(list));
}
