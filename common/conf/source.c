/*
 * source — texts and places; filled by load.c, read by fill and check.
 */
#include "conf/source.h"

#include <string.h>

#define SOURCE_MEMORY_MAX	(16u * 1024 * 1024)

void
source_init(struct source *source, const char *main_file)
{
	memset(source, 0, sizeof(*source));
	arena_init(&source->arena, SOURCE_MEMORY_MAX);
	source->main_file = main_file;
	STAILQ_INIT(&source->entries);
	STAILQ_INIT(&source->titles);
}

void
source_fini(struct source *source)
{
	arena_fini(&source->arena);
	STAILQ_INIT(&source->entries);
	STAILQ_INIT(&source->titles);
}

/* The last one counts, as it does for the value. NULL: no file names the setting. */
static const struct source_entry *
entry_find(
    const struct source *source, const struct section *section, uint32_t item, const char *setting)
{
	const struct source_entry *entry, *found = NULL;

	STAILQ_FOREACH(entry, &source->entries, next) {
		if (setting != NULL && entry->section == section && entry->item == item &&
		    strcmp(entry->setting->name, setting) == 0)
			found = entry;
	}
	return found;
}

struct place
source_place(
    const struct source *source, const struct section *section, uint32_t item, const char *setting)
{
	const struct source_entry *entry = entry_find(source, section, item, setting);
	const struct source_title *title;

	if (entry != NULL && entry->count > 0)
		return entry->texts[0].place;
	STAILQ_FOREACH(title, &source->titles, next) {
		if (title->section == section && title->item == item)
			return title->place;
	}
	return (struct place){ source->main_file, 0 };
}

bool
source_wrong(
    const struct source *source, const struct section *section, uint32_t item, const char *setting)
{
	const struct source_entry *entry = entry_find(source, section, item, setting);

	return entry != NULL && entry->wrong;
}
