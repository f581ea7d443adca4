/*
 * show — walks the rows and prints. What conf_show prints is read back by load.c; a test insists on
 * it.
 */
#include "conf/show.h"

#include <stdio.h>

#include "conf/fill.h"
#include "conf/value.h"

#define MANUAL_WIDTH	78

static void
show_settings(const struct section *section, const void *base, const char *indent, struct buf *out)
{
	for (size_t i = 0; i < section->count; i++) {
		buf_printf(out, "%s%s = ", indent, section->settings[i].name);
		value_print(&section->settings[i], base, out);
		buf_putc(out, '\n');
	}
}

static void
show_section(const struct section *section, const void *base, struct buf *out)
{
	if (section->name[0] == '\0') {
		show_settings(section, base, "", out);
		return;
	}
	buf_printf(out, "\n%s ", section->name);
	if (section->title_words != NULL) {
		value_print_string(out, slice_str(section_title(section, base)));
		buf_putc(out, ' ');
	}
	buf_puts(out, "{\n");
	show_settings(section, base, "\t", out);
	buf_puts(out, "}\n");
}

void
conf_show(const struct conf *conf, struct buf *out)
{
	for (size_t i = 0; i < conf_section_count; i++) {
		uint32_t items = section_items(&conf_sections[i], conf);

		for (uint32_t item = 0; item < items; item++)
			show_section(&conf_sections[i],
			    section_base_const(&conf_sections[i], conf, item), out);
	}
}

/* "text" or { "a", "b" }: the default as a file would have it. */
static void
show_initial(const struct setting *setting, struct buf *out)
{
	struct slice item, rest = slice_str(setting->initial == NULL ? "" : setting->initial);
	bool quoted = setting->type == SETTING_STRING || setting->type == SETTING_ENUM ||
	    setting->type == SETTING_USERS || setting->type == SETTING_STRINGS ||
	    setting->type == SETTING_NETWORKS || setting->type == SETTING_ADDRESSES;
	const char *between = "{ ";

	if (!value_is_list(setting)) {
		buf_printf(out, quoted ? "\"%s\"" : "%s", rest.p);
		return;
	}
	while (rest.len > 0) {
		item = slice_split(rest, ' ', &rest);
		buf_puts(out, between);
		buf_printf(out, quoted ? "\"%.*s\"" : "%.*s", SLICE_FMT(item));
		between = ", ";
	}
	buf_puts(out, between[0] == '{' ? "{}" : " }");
}

/* "# what it means; from 1s to 10m" */
static void
show_words(const struct setting *setting, const char *indent, struct buf *out)
{
	size_t before;

	buf_printf(out, "%s# %s; ", indent, setting->words);
	before = buf_len(out);
	value_print_bounds(setting, out);
	if (buf_len(out) == before)
		buf_cut(out, before - 2);
	buf_putc(out, '\n');
}

static void
show_section_defaults(const struct section *section, struct buf *out)
{
	bool outside = section->name[0] == '\0', titled = section->title_words != NULL;
	const char *indent = outside ? "" : "\t";

	buf_printf(out, "# %s\n", section->words);
	if (!outside)
		/* Titled sections are made when somebody writes one: here they are only shown. */
		buf_printf(
		    out, "%s%s%s {\n", titled ? "#" : "", section->name, titled ? " \"...\"" : "");
	for (size_t i = 0; i < section->count; i++) {
		const struct setting *setting = &section->settings[i];

		show_words(setting, indent, out);
		buf_printf(out, "%s%s%s = ", titled || setting->initial == NULL ? "#" : "", indent,
		    setting->name);
		show_initial(setting, out);
		buf_puts(out, setting->initial == NULL ? "\t# must be set\n" : "\n");
	}
	if (!outside)
		buf_puts(out, titled ? "#}\n" : "}\n");
}

void
conf_show_defaults(struct buf *out)
{
	for (size_t i = 0; i < conf_section_count; i++) {
		if (i > 0)
			buf_putc(out, '\n');
		show_section_defaults(&conf_sections[i], out);
	}
}

/* One word of running text; mdoc reads a backslash as an escape. */
static void
manual_word(struct buf *out, struct slice word)
{
	for (size_t i = 0; i < word.len; i++) {
		if (word.p[i] == '\\')
			buf_puts(out, "\\e");
		else
			buf_putc(out, word.p[i]);
	}
}

/* Lines that an editor shows whole; a new sentence begins a line, as mdoc wants it. */
static void
manual_text(struct buf *out, const char *text)
{
	struct slice word, rest = slice_str(text);
	size_t column = 0;
	bool sentence = false;

	while (rest.len > 0) {
		word = slice_split(rest, ' ', &rest);
		if (column > 0 && (sentence || column + 1 + word.len > MANUAL_WIDTH)) {
			buf_putc(out, '\n');
			column = 0;
		}
		if (column > 0)
			buf_putc(out, ' ');
		manual_word(out, word);
		column += word.len + 1;
		sentence = word.len > 0 && word.p[word.len - 1] == '.';
	}
}

/* The sentence of a row, with a capital and a full stop. */
static void
manual_sentence(struct buf *out, const char *words)
{
	char text[1024];

	snprintf(text, sizeof(text), "%s.", words);
	if (text[0] >= 'a' && text[0] <= 'z')
		text[0] = (char)(text[0] - 'a' + 'A');
	manual_text(out, text);
	buf_putc(out, '\n');
}

/* The sentence, then "Default: 30s; from 100ms to 10m." */
static void
manual_setting(const struct setting *setting, struct buf *out)
{
	struct buf bounds;

	buf_printf(out, ".It Ic %s\n", setting->name);
	manual_sentence(out, setting->words);
	if (setting->initial == NULL) {
		buf_puts(out, "It must be set.\n");
		return;
	}
	/* The page is the same wherever this was built. */
	if (strcmp(setting->initial, POSTHORN_RUNDIR) == 0) {
		buf_puts(out, "Default:\n.Pa /run/posthorn ,\nunless it was built otherwise.\n");
		return;
	}
	buf_init(&bounds, 1024);
	value_print_bounds(setting, &bounds);
	buf_puts(out, "Default:\n.Li ");
	show_initial(setting, out);
	if (buf_len(&bounds) == 0)
		buf_puts(out, " .\n");
	else
		buf_printf(out, " ;\n%.*s.\n", SLICE_FMT(buf_slice(&bounds)));
	buf_fini(&bounds);
}

static void
manual_section(const struct section *section, struct buf *out)
{
	bool outside = section->name[0] == '\0';

	buf_printf(
	    out, ".Ss %s%s\n", outside ? "Outside of every section" : "Section ", section->name);
	if (!outside) {
		manual_text(out, section->words);
		buf_putc(out, '\n');
	}
	if (section->title_words != NULL)
		buf_printf(out, "Its title is %s.\n", section->title_words);
	buf_puts(out, ".Bl -tag -width Ds\n");
	for (size_t i = 0; i < section->count; i++)
		manual_setting(&section->settings[i], out);
	buf_puts(out, ".El\n");
}

void
conf_show_manual(struct buf *out)
{
	for (size_t i = 0; i < conf_section_count; i++)
		manual_section(&conf_sections[i], out);
}
