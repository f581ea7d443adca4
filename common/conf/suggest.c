/*
 * suggest — the nearest name by edit distance; the same name in another section; an underscore for
 * a hyphen.
 */
#include "conf/suggest.h"

#include <stdio.h>
#include <string.h>

#define NAME_MAX_LEN	40

static unsigned
least(unsigned a, unsigned b, unsigned c)
{
	unsigned m = a < b ? a : b;

	return m < c ? m : c;
}

static bool
same_letter(char a, char b)
{
	return ascii_lower(a) == ascii_lower(b) || (a == '_' && b == '-');
}

/* Levenshtein's distance, one row at a time. */
static unsigned
distance(const char *a, const char *b)
{
	unsigned row[NAME_MAX_LEN + 1], diagonal, above;
	size_t an = strlen(a), bn = strlen(b);

	if (an > NAME_MAX_LEN || bn > NAME_MAX_LEN)
		return NAME_MAX_LEN;
	for (unsigned j = 0; j <= bn; j++)
		row[j] = j;
	for (unsigned i = 1; i <= an; i++) {
		diagonal = row[0];
		row[0] = i;
		for (unsigned j = 1; j <= bn; j++) {
			above = row[j];
			row[j] = least(diagonal + (same_letter(a[i - 1], b[j - 1]) ? 0 : 1),
			    above + 1, row[j - 1] + 1);
			diagonal = above;
		}
	}
	return row[bn];
}

static const char *
nearest(const struct section *section, const char *wrong)
{
	unsigned best = (unsigned)strlen(wrong) / 3 + 1, d;
	const char *name = NULL;

	for (size_t i = 0; i < section->count; i++) {
		d = distance(wrong, section->settings[i].name);
		if (d < best) {
			best = d;
			name = section->settings[i].name;
		}
	}
	for (size_t i = 1; section->name[0] == '\0' && i < conf_section_count; i++) {
		d = distance(wrong, conf_sections[i].name);
		if (d < best) {
			best = d;
			name = conf_sections[i].name;
		}
	}
	return name;
}

/* The section that knows the name, when this one does not. */
static const struct section *
elsewhere(const char *name)
{
	for (size_t i = 0; i < conf_section_count; i++) {
		if (section_setting(&conf_sections[i], name) != NULL)
			return &conf_sections[i];
	}
	return NULL;
}

const char *
suggest_name(const struct section *section, const char *wrong, char *out, size_t size)
{
	const struct section *other = elsewhere(wrong);
	const char *name = nearest(section, wrong);

	if (other != NULL && other->name[0] != '\0')
		snprintf(out, size, "it belongs into %s { }", other->name);
	else if (other != NULL)
		snprintf(out, size, "it belongs outside of every section");
	else if (name != NULL)
		snprintf(out, size, "did you mean \"%s\"?", name);
	else
		snprintf(out, size, "see posthorn.conf(5) for the list");
	return out;
}
