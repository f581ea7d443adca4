/*
 * apply — walks the source once per kind: titles make items, items get defaults, entries set
 * values.
 */
#include "conf/apply.h"

#include <stdio.h>
#include <string.h>

#include "conf/fill.h"
#include "conf/value.h"

static uint32_t
count_titles(const struct source *source, const struct section *section)
{
	const struct source_title *title;
	uint32_t n = 0;

	STAILQ_FOREACH(title, &source->titles, next) {
		if (title->section == section && title->item >= n)
			n = title->item + 1;
	}
	return n;
}

static void
set_title(struct conf *conf, const struct source_title *title, struct conf_report *report)
{
	const struct section *section = title->section;

	if (section_set_title(section, conf, title->item, title->title) == 0)
		return;
	conf_report_add(report, title->place.file, title->place.line, section->name,
	    "this title cannot be used, at most 1024 bytes without control characters would be "
	    "right");
	(void)section_set_title(section, conf, title->item, SLICE_LIT("?"));
}

/* Makes the array of one titled section, each item with its title and defaults. */
static int
make_items(struct conf *conf, const struct section *section, const struct source *source,
    struct conf_report *report)
{
	const struct source_title *title;
	uint32_t count = count_titles(source, section);

	if (count > section->item_max) {
		struct place place = source_place(source, section, section->item_max, NULL);

		conf_report_add(report, place.file, place.line, section->name,
		    "too many, at most %u would be right", section->item_max);
		count = section->item_max;
	}
	if (section_resize(section, conf, count) == -1)
		return -1;
	for (uint32_t item = 0; item < count; item++) {
		if (section_set_title(section, conf, item, SLICE_LIT("?")) == -1 ||
		    section_set_initial(section, conf, item) == -1)
			return -1;
	}
	STAILQ_FOREACH(title, &source->titles, next) {
		if (title->section == section && title->item < count)
			set_title(conf, title, report);
	}
	return 0;
}

struct wrong {
	const struct source_entry	*entry;
	const struct source		*source;
	struct conf_report		*report;
};

static void
on_wrong(void *arg, size_t index, const char *sentence)
{
	const struct wrong *w = arg;
	struct place place = { w->source->main_file, 0 };

	if (index < w->entry->count)
		place = w->entry->texts[index].place;
	conf_report_add(w->report, place.file, place.line, w->entry->setting->name, "%s", sentence);
}

static int
set_entry(struct conf *conf, const struct source *source, struct source_entry *entry,
    struct conf_report *report)
{
	struct wrong wrong = { entry, source, report };
	struct slice *items;

	if (entry->item >= section_items(entry->section, conf))
		return 0;	/* beyond item_max, told already */
	items = arena_array(&conf->arena, entry->count + 1, sizeof(*items));
	if (items == NULL)
		return -1;
	for (size_t i = 0; i < entry->count; i++)
		items[i] = entry->texts[i].text;
	entry->wrong = value_set(entry->setting, section_base(entry->section, conf, entry->item),
			   items, entry->count, &conf->arena, on_wrong, &wrong) > 0;
	return 0;
}

int
conf_apply(struct conf *conf, struct source *source, struct conf_report *report)
{
	struct source_entry *entry;

	if (conf_set_initial(conf) == -1)
		return -1;
	for (size_t i = 0; i < conf_section_count; i++) {
		const struct section *section = &conf_sections[i];

		if (section->title_words != NULL && make_items(conf, section, source, report) == -1)
			return -1;
	}
	STAILQ_FOREACH(entry, &source->entries, next) {
		if (set_entry(conf, source, entry, report) == -1)
			return -1;
	}
	return 0;
}
