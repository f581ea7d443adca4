#ifndef CONF_VALUE_TYPE_H
#define CONF_VALUE_TYPE_H
/* value_type — what differs between the types of settings; private to conf. */
#include "conf/setting.h"
#include "ipc/reader.h"
#include "ipc/writer.h"

struct value_type {
	const char	*noun;		/* "a duration" */
	const char	*right;		/* what would be right */
	size_t		 size;		/* of one item */
	bool		 list;
	/* -1: the text is not one. */
	int		(*parse)(const struct setting *, void *item, struct slice, struct arena *);
	void		(*print)(const struct setting *, const void *item, struct buf *);
	void		(*put)(const void *item, struct buf *);
	void		(*get)(const struct setting *, void *item, struct reader *, struct arena *);
	/* 0, -1 below the bound, 1 above; NULL: no bounds. */
	int		(*compare)(const void *item, const char *bound);
};

extern const struct value_type value_types[SETTING_TYPE_COUNT];

#endif
