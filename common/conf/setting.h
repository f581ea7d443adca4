#ifndef CONF_SETTING_H
#define CONF_SETTING_H
/*
 * setting — one row is the whole story of a setting: name, type, field, default, bounds, meaning.
 *
 * The loader, `posthorn check`, `posthorn config show`, the blob on the wire and the list in
 * posthorn.conf(5) read the same rows. A new setting is a field in conf.h and a row in setting.c,
 * nothing else.
 */
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"

enum setting_type {
	SETTING_NONE,
	SETTING_BOOL,		/* bool */
	SETTING_INT,		/* int64_t */
	SETTING_SIZE,		/* int64_t, bytes */
	SETTING_DURATION,	/* int64_t, milliseconds */
	SETTING_STRING,		/* char *, never NULL; min and max are lengths */
	SETTING_ENUM,		/* an enum whose 0 is ..._NONE; `choices` from 1 on */
	SETTING_USERS,		/* conf_domain.users and .users_file: "system" or "file:/path" */
	SETTING_STRINGS,	/* struct conf_strings */
	SETTING_DURATIONS,	/* struct conf_durations */
	SETTING_NETWORKS,	/* struct conf_networks */
	SETTING_ADDRESSES,	/* struct conf_addresses; a port left out is 0 until conf_settle */
	SETTING_TYPE_COUNT
};

struct setting {
	const char		*name;		/* "connect-timeout" */
	enum setting_type	 type;
	size_t			 offset;	/* in the section's struct */
	const char		*initial;	/* as in the file; lists: items parted by spaces; NULL: must be set */
	const char		*min, *max;	/* as in the file; NULL: none. Lists: of each item */
	const char		*words;		/* one sentence for people */
	const char *const	*choices;	/* ENUM: names in the order of the enum, NULL at the end */
};

struct section {
	const char		*name;		/* "smtpd"; "" for what stands outside of any */
	const char		*words;
	const struct setting	*settings;
	size_t			 count;
	size_t			 offset;	/* plain: of its struct in struct conf */
	/* Titled sections (listener "mx" { }) are arrays in struct conf: */
	const char		*title_words;	/* what the title says; NULL: a plain section */
	size_t			 array_offset, count_offset, item_size, title_offset;
	uint32_t		 item_max;
};

extern const struct section	 conf_sections[];
extern const size_t		 conf_section_count;

const struct section	*section_find(const char *name);			/* NULL: none */
const struct setting	*section_setting(const struct section *, const char *name);	/* NULL: none */

#endif
