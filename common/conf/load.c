/*
 * load — libconfuse reads the grammar; what the texts mean is decided by value.c.
 *
 * To libconfuse every setting is a text or a list of texts, so its C numbers (025 is 21), its
 * silent booleans and its own conversions are never used. A callback puts the place in front of
 * each text ("2:17:" is line 17 of the third file), because the library knows lines only while it
 * reads.
 *
 * include() does not use the library's stack of files, which ends the process when it meets a
 * folder, knows no patterns and holds ten files: patterns are expanded here and their files read
 * after the file that names them, in the order of names.
 *
 * The library stops at the first unknown name. To report all of them, the name is noted, learned as
 * a setting that takes anything, and the files are read again.
 */
#include "conf/load.h"

#include <confuse.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fmt.h"
#include "base/mem.h"
#include "conf/apply.h"
#include "conf/check.h"
#include "conf/fill.h"
#include "conf/include.h"
#include "conf/resolv.h"
#include "conf/suggest.h"

#define UNKNOWN_MAX	64	/* each costs one more reading */
#define NESTING_MAX	8
#define OPTS_MAX	(64 + UNKNOWN_MAX)

/* An unknown name is first taken for a list; the library's next complaint tells what it is
 * instead. */
enum unknown_kind { UNKNOWN_NONE, UNKNOWN_LIST, UNKNOWN_SECTION, UNKNOWN_TITLED };

struct unknown {
	char			 section[64];	/* in which it stands; "root" for none, as the library says */
	char			 name[64];
	enum unknown_kind	 kind;
};

struct loader {
	struct source		*source;
	struct conf_report	*report;
	struct include_files	 files;
	uint32_t		 file;		/* the one being read */
	struct unknown		 unknown[UNKNOWN_MAX];
	size_t			 unknown_count;
	bool			 again;		/* something was learned: read once more */
	bool			 starved;	/* no memory for all options */
	struct buf		 scratch;
};

/* libconfuse's callbacks carry no argument. One reading at a time, in a process of its own. */
static struct loader *loading;

static const char *
current_file(void)
{
	if (loading->files.count == 0)
		return loading->source->main_file;
	return loading->files.v[loading->file].path;
}

static struct unknown *
unknown_find(const char *section, const char *name)
{
	for (size_t i = 0; i < loading->unknown_count; i++) {
		if (strcmp(loading->unknown[i].section, section) == 0 &&
		    strcmp(loading->unknown[i].name, name) == 0)
			return &loading->unknown[i];
	}
	return NULL;
}

/* Notes the name and asks for another reading, as long as it can be learned. */
static void
unknown_learn(const char *section, const char *name)
{
	struct unknown *u = &loading->unknown[loading->unknown_count];

	if (loading->unknown_count == UNKNOWN_MAX || unknown_find(section, name) != NULL)
		return;
	if (strlcpy(u->section, section, sizeof(u->section)) >= sizeof(u->section) ||
	    strlcpy(u->name, name, sizeof(u->name)) >= sizeof(u->name) || strchr(name, '|') != NULL)
		return;
	u->kind = UNKNOWN_LIST;
	loading->unknown_count++;
	loading->again = true;
}

static const struct section *
section_of(cfg_t *cfg)
{
	return section_find(strcmp(cfg_name(cfg), "root") == 0 ? "" : cfg_name(cfg));
}

static void
on_unknown(cfg_t *cfg, const char *name)
{
	const struct section *section = section_of(cfg);
	char hint[128];

	/* Inside a section that is unknown itself, one complaint is enough. */
	if (section != NULL)
		conf_report_add(loading->report, current_file(), (uint32_t)cfg->line, name,
		    "no such setting%s%s, %s", section->name[0] == '\0' ? "" : " in section ",
		    section->name, suggest_name(section, name, hint, sizeof(hint)));
	unknown_learn(cfg_name(cfg), name);
}

/* A learned name that turns out to be no list. True when the next reading will know better. */
static bool
unknown_promote(cfg_t *cfg, const char *name, enum unknown_kind from, enum unknown_kind to)
{
	struct unknown *u = unknown_find(cfg_name(cfg), name);

	if (u == NULL || u->kind != from)
		return false;
	u->kind = to;
	loading->again = true;
	return true;
}

/* The library's sentences, and what would be right. */
static const struct complaint {
	const char		*format;
	const char		*right;
	enum unknown_kind	 from, to;	/* this complaint about a learned name changes what we take it for */
} complaints[] = {
	{ "missing equal sign after option '%s'", "name = value would be right", UNKNOWN_LIST, UNKNOWN_SECTION },
	{ "missing opening brace for section '%s'", "name { ... } would be right, without an equal sign",
	  UNKNOWN_SECTION, UNKNOWN_TITLED },
	{ "missing title for section '%s'", "name \"title\" { ... } would be right", UNKNOWN_NONE, UNKNOWN_NONE },
	{ "premature end of file", "each { and each quote needs its other half", UNKNOWN_NONE, UNKNOWN_NONE },
	{ "unexpected closing brace", "each } needs its {", UNKNOWN_NONE, UNKNOWN_NONE },
	{ "found duplicate title '%s'", "each title once would be right", UNKNOWN_NONE, UNKNOWN_NONE },
	{ "unexpected token '%s'", "name = value, or name = { value, value }, would be right", UNKNOWN_NONE, UNKNOWN_NONE },
	{ "attempt to append to non-list option '%s'", "= would be right", UNKNOWN_NONE, UNKNOWN_NONE },
};

static const struct complaint *
complaint_find(const char *format)
{
	for (size_t i = 0; i < sizeof(complaints) / sizeof(complaints[0]); i++) {
		if (strcmp(complaints[i].format, format) == 0)
			return &complaints[i];
	}
	return NULL;
}

static void
report_complaint(cfg_t *cfg, const char *format, va_list args, const char *right)
{
	char text[256], escaped[512];

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	vsnprintf(text, sizeof(text), format, args);	/* the format is the library's own */
#pragma GCC diagnostic pop
	conf_report_add(loading->report, current_file(), (uint32_t)cfg->line, NULL, "%s, %s",
	    fmt_escaped(escaped, sizeof(escaped), slice_str(text)), right);
}

static void
on_error(cfg_t *cfg, const char *format, va_list args)
{
	const struct complaint *complaint = complaint_find(format);
	va_list copy;
	bool learned = false;

	va_copy(copy, args);
	if (strcmp(format, "no such option '%s'") == 0) {
		on_unknown(cfg, va_arg(copy, const char *));
		learned = true;
	} else if (complaint != NULL && complaint->from != UNKNOWN_NONE) {
		learned = unknown_promote(
		    cfg, va_arg(copy, const char *), complaint->from, complaint->to);
	}
	va_end(copy);
	if (!learned)
		report_complaint(cfg, format, args,
		    complaint == NULL ? "see posthorn.conf(5)" : complaint->right);
}

/* Called for each text. *result must live until the library has copied it, at once. */
static int
on_text(cfg_t *cfg, cfg_opt_t *opt, const char *text, void *result)
{
	(void)opt;
	buf_reset(&loading->scratch);
	buf_printf(&loading->scratch, "%u:%d:%s", loading->file, cfg->line, text);
	*(const char **)result = buf_cstr(&loading->scratch);
	return loading->scratch.failed ? -1 : 0;
}

static int
on_include(cfg_t *cfg, cfg_opt_t *opt, int argc, const char **argv)
{
	struct place place = { current_file(), (uint32_t)cfg->line };

	(void)opt;
	if (argc != 1) {
		conf_report_add(loading->report, place.file, place.line, "include",
		    "takes one file or pattern, include(\"conf.d/*.conf\") would be right");
		return 0;
	}
	include_pattern(&loading->files, loading->file, argv[0], place, &loading->source->arena,
	    loading->report);
	return 0;
}

static void
no_memory(void)
{
	conf_report_add(
	    loading->report, loading->source->main_file, 0, NULL, "no memory to read it all");
	loading->source->broken = true;
}

static void
add_title(cfg_t *cfg, const struct section *section, uint32_t item)
{
	struct arena *arena = &loading->source->arena;
	struct source_title *title = arena_alloc(arena, sizeof(*title));

	if (title == NULL ||
	    (title->title = arena_slice(arena, slice_str(cfg_title(cfg)))).p == NULL) {
		no_memory();
		return;
	}
	title->section = section;
	title->item = item;
	title->place = (struct place){ current_file(), (uint32_t)cfg->line };
	STAILQ_INSERT_TAIL(&loading->source->titles, title, next);
}

/* Called at the end of each titled section, while we still know in which file we are. */
static int
on_section(cfg_t *cfg, cfg_opt_t *opt)
{
	const struct section *section = section_find(cfg_opt_name(opt));
	uint32_t item = cfg_opt_size(opt) - 1;

	(void)cfg;
	add_title(cfg_opt_getnsec(opt, item), section, item);
	return 0;
}

/* ---- the rows as libconfuse's options ---- */

/* A list's default in the library's grammar, so that += adds to it. NULL: none. */
static char *
list_default(const struct setting *setting, struct arena *arena)
{
	struct slice item, rest = slice_str(setting->initial);
	struct buf text;
	char *copy;

	if (rest.len == 0)
		return NULL;
	buf_init(&text, 1024);
	while (rest.len > 0) {
		item = slice_split(rest, ' ', &rest);
		buf_printf(&text, "%s\"%.*s\"", buf_len(&text) == 0 ? "{" : ",", SLICE_FMT(item));
	}
	buf_putc(&text, '}');
	copy = text.failed ? NULL : (char *)(uintptr_t)arena_slice(arena, buf_slice(&text)).p;
	loading->starved = loading->starved || copy == NULL;
	buf_fini(&text);
	return copy;
}

static cfg_opt_t
setting_option(const struct setting *setting, struct arena *arena)
{
	cfg_opt_t list = CFG_STR_LIST_CB(setting->name, NULL, CFGF_NONE, on_text);
	cfg_opt_t text = CFG_STR_CB(setting->name, NULL, CFGF_NODEFAULT, on_text);

	if (setting->type < SETTING_STRINGS)
		return text;
	list.def.parsed = list_default(setting, arena);
	return list;
}

static cfg_opt_t	*options_of(const char *section, unsigned depth);

static cfg_opt_t
unknown_option(const struct unknown *u, unsigned depth)
{
	cfg_opt_t list = CFG_STR_LIST_CB(u->name, NULL, CFGF_NODEFAULT, on_text);
	cfg_opt_t section = CFG_SEC(u->name, NULL, CFGF_MULTI);

	if (u->kind == UNKNOWN_LIST)
		return list;
	if (u->kind == UNKNOWN_TITLED)
		section.flags |= CFGF_TITLE;
	section.subopts = options_of(u->name, depth + 1);
	return section;
}

static cfg_opt_t
section_option(const struct section *section, unsigned depth)
{
	/* Without NO_TITLE_DUPES a second section of the same title silently replaces the first. */
	cfg_opt_t titled =
	    CFG_SEC(section->name, NULL, CFGF_MULTI | CFGF_TITLE | CFGF_NO_TITLE_DUPES);
	cfg_opt_t plain = CFG_SEC(section->name, NULL, CFGF_NONE);
	cfg_opt_t option = section->title_words != NULL ? titled : plain;

	option.subopts = options_of(section->name, depth + 1);
	if (section->title_words != NULL)
		option.validcb = on_section;
	return option;
}

/* All that may stand in a section: its rows, other sections when it is the file itself, and what
 * was learned. */
static cfg_opt_t *
options_of(const char *name, unsigned depth)
{
	bool root = depth == 0;
	const struct section *section = depth > 1 ? NULL : section_find(root ? "" : name);
	struct arena *arena = &loading->source->arena;
	cfg_opt_t *opts = arena_array(arena, OPTS_MAX, sizeof(*opts));
	cfg_opt_t include = CFG_FUNC("include", on_include), end = CFG_END();
	size_t n = 0;

	if (opts == NULL) {
		loading->starved = true;
		return NULL;
	}
	for (size_t i = 0; section != NULL && i < section->count; i++)
		opts[n++] = setting_option(&section->settings[i], arena);
	for (size_t i = 1; root && i < conf_section_count; i++)
		opts[n++] = section_option(&conf_sections[i], depth);
	if (root)
		opts[n++] = include;
	for (size_t i = 0; i < loading->unknown_count && depth < NESTING_MAX; i++) {
		if (strcmp(loading->unknown[i].section, root ? "root" : name) == 0)
			opts[n++] = unknown_option(&loading->unknown[i], depth);
	}
	opts[n] = end;
	return opts;
}

/* ---- reading ---- */

/* False: the library stopped in this file. */
static bool
read_file(cfg_t *root, uint32_t index)
{
	char *text = include_read(&loading->files, index, loading->report);
	bool good;

	loading->file = index;
	if (text == NULL)
		return index > 0;	/* told already; the other files may have mistakes of their own */
	good = cfg_parse_buf(root, text) == CFG_SUCCESS;
	mem_free(text);
	return good;
}

/* One reading of all files. The tree is given to the caller, with what was understood before a
 * mistake. */
static cfg_t *
read_all(void)
{
	cfg_opt_t *opts;
	cfg_t *root;

	loading->again = false;
	loading->source->broken = false;
	STAILQ_INIT(&loading->source->titles);
	loading->file = 0;
	include_init(&loading->files, loading->source->main_file);
	opts = options_of("root", 0);
	root = loading->starved ? NULL : cfg_init(opts, CFGF_NONE);
	if (root == NULL)
		return NULL;
	cfg_set_error_function(root, on_error);
	for (uint32_t i = 0; i < loading->files.count && !loading->source->broken; i++)
		loading->source->broken = !read_file(root, i);
	return root;
}

/* ---- from the library's tree to texts with places ---- */

static struct source_text
text_of(const char *marked, struct arena *arena)
{
	struct slice rest = slice_str(marked), number;
	struct source_text text = { { "", 0 }, { loading->source->main_file, 0 } };
	unsigned long file;

	number = slice_split(rest, ':', &rest);
	file = strtoul(number.p, NULL, 10);
	number = slice_split(rest, ':', &rest);
	text.place.line = (uint32_t)strtoul(number.p, NULL, 10);
	if (file < loading->files.count)
		text.place.file = loading->files.v[file].path;
	text.text = arena_slice(arena, rest);
	return text;
}

static void
collect_setting(
    cfg_t *cfg, const struct section *section, uint32_t item, const struct setting *setting)
{
	struct arena *arena = &loading->source->arena;
	cfg_opt_t *opt = cfg_getopt(cfg, setting->name);
	struct source_entry *entry;

	if (opt == NULL || (opt->flags & CFGF_MODIFIED) == 0)
		return;
	entry = arena_alloc(arena, sizeof(*entry));
	if (entry != NULL)
		entry->texts = arena_array(arena, cfg_opt_size(opt) + 1, sizeof(*entry->texts));
	if (entry == NULL || entry->texts == NULL) {
		no_memory();
		return;
	}
	entry->section = section;
	entry->item = item;
	entry->setting = setting;
	entry->count = cfg_opt_size(opt);
	for (unsigned i = 0; i < entry->count; i++) {
		entry->texts[i] = text_of(cfg_opt_getnstr(opt, i), arena);
		if (entry->texts[i].text.p == NULL)
			no_memory();
	}
	STAILQ_INSERT_TAIL(&loading->source->entries, entry, next);
}

static bool
title_known(const struct section *section, uint32_t item)
{
	const struct source_title *title;

	STAILQ_FOREACH(title, &loading->source->titles, next) {
		if (title->section == section && title->item == item)
			return true;
	}
	return false;
}

static void
collect(cfg_t *root)
{
	for (size_t i = 0; i < conf_section_count; i++) {
		const struct section *section = &conf_sections[i];
		bool outside = section->name[0] == '\0';
		unsigned items = outside ? 1 : cfg_size(root, section->name);

		for (unsigned item = 0; item < items; item++) {
			cfg_t *cfg = outside ? root : cfg_getnsec(root, section->name, item);

			/* A section that a syntax error cut off has not been announced. */
			if (section->title_words != NULL && !title_known(section, item))
				add_title(cfg, section, item);
			for (size_t j = 0; j < section->count; j++)
				collect_setting(cfg, section, item, &section->settings[j]);
		}
	}
}

/* Reads the files into texts with places. Mistakes of grammar, of files and of names go to the report. */
static void
load_source(const char *path, struct source *source, struct conf_report *report)
{
	struct loader loader = { .source = source, .report = report };
	cfg_t *root;

	buf_init(&loader.scratch, INCLUDE_FILE_SIZE + 64);
	/* The library ends the process when a default cannot be copied: its room must be there
	 * before. */
	loader.starved = buf_room(&loader.scratch, 1024) == NULL;
	loading = &loader;
	source->main_file = path;
	root = read_all();
	while (root != NULL && loader.again) {
		cfg_free(root);
		root = read_all();
	}
	if (root == NULL) {
		no_memory();
	} else {
		collect(root);
		cfg_free(root);
	}
	buf_fini(&loader.scratch);
	loading = NULL;
}

struct conf *
conf_load(const char *path, struct conf_report *report)
{
	struct source source;
	struct conf *conf = conf_new();
	bool memory = conf != NULL;

	source_init(&source, path);
	load_source(path, &source, report);
	memory = memory && conf_apply(conf, &source, report) == 0;
	memory = memory && (conf->dns.servers.count > 0 ||
	    resolv_servers(RESOLV_CONF, &conf->arena, &conf->dns.servers) == 0);
	memory = memory && conf_settle(conf) == 0;
	if (!memory)
		conf_report_add(report, path, 0, NULL, "no memory to read it");
	else if (!source.broken)
		conf_check(conf, &source, report);	/* with half of the text unread, these would be guesses */
	if (report->mistakes > 0 || source.broken)
		conf_free(&conf);
	source_fini(&source);
	return conf;
}

int
load_run_directory(const char *path, struct buf *out)
{
	struct conf_report report;
	struct source source;
	struct conf *conf = conf_new();
	int rc = -1;

	conf_report_init(&report);
	source_init(&source, path);
	load_source(path, &source, &report);
	/* Nothing at all: not readable, or no configuration. */
	if (conf != NULL && !(source.broken && STAILQ_EMPTY(&source.entries)))
		rc = conf_apply(conf, &source, &report);
	if (rc == 0)
		rc = buf_puts(out, conf->run_directory);
	source_fini(&source);
	conf_report_fini(&report);
	conf_free(&conf);
	return rc;
}
