#ifndef CONF_SOURCE_H
#define CONF_SOURCE_H
/*
 * source — what the files say, as texts with their places: the loader's result, before any text has
 * become a value. Private to conf.
 */
#include <bsd/sys/queue.h>

#include "conf/report.h"
#include "conf/setting.h"
#include "base/arena.h"

struct place {
	const char	*file;
	uint32_t	 line;		/* 0: unknown */
};

struct source_text {
	struct slice	text;
	struct place	place;
};

struct source_entry {			/* one setting that a file names */
	STAILQ_ENTRY(source_entry) next;
	const struct section	*section;
	uint32_t		 item;		/* which of the titled sections; else 0 */
	const struct setting	*setting;
	size_t			 count;
	struct source_text	*texts;
	bool			 wrong;		/* told already: the field has its default instead */
};

struct source_title {			/* one titled section */
	STAILQ_ENTRY(source_title) next;
	const struct section	*section;
	uint32_t		 item;
	struct slice		 title;
	struct place		 place;
};

struct source {
	struct arena			 arena;
	const char			*main_file;
	STAILQ_HEAD(, source_entry)	 entries;
	STAILQ_HEAD(, source_title)	 titles;
	bool				 broken;	/* a syntax error: the rest of the files is not here */
};

void		 source_init(struct source *, const char *main_file);
void		 source_fini(struct source *);
/* Where a setting stands; the place of its section's title when it is a default; else the main
 * file without a line. */
struct place	 source_place(const struct source *, const struct section *, uint32_t item, const char *setting);

/* That setting's text was refused, so nothing more should be said about its value. */
bool		 source_wrong(const struct source *, const struct section *, uint32_t item, const char *setting);

#endif
