#ifndef CONF_VALUE_H
#define CONF_VALUE_H
/*
 * value — one setting's value between its four forms: text in the file, field in the struct, text
 * shown, bytes on the wire.
 *
 * One row per type in value.c; lists hold items of a scalar type. `base` is the struct that the
 * row's offset counts from.
 */
#include "conf/setting.h"
#include "ipc/reader.h"
#include "ipc/writer.h"

#define VALUE_ITEMS_MAX		256	/* of one list */
#define VALUE_TEXT_MAX		1024	/* bytes of one string */

bool	value_is_list(const struct setting *);
/*
 * Reads `count` items (one for a scalar) into the field, with memory from the arena. Each bad item
 * is told to `wrong` with its index and a sentence; the field is set only if all are good. Returns
 * how many were bad.
 */
typedef void value_wrong(void *arg, size_t index, const char *sentence);
unsigned value_set(const struct setting *, void *base, const struct slice *items, size_t count, struct arena *,
	    value_wrong *, void *arg);
/* The row's default; 0, or -1: no memory (or a default that breaks its own bounds, which a test
 * rules out). */
int	value_set_initial(const struct setting *, void *base, struct arena *);

/* As the file would say it: 50MB, "text", { 5m, 10m }. */
void	value_print(const struct setting *, const void *base, struct buf *);
/* What the field may hold, for people: "from 1s to 10m". Nothing when there is no bound. */
void	value_print_bounds(const struct setting *, struct buf *);

void	value_put(const struct setting *, const void *base, struct buf *);
/* Bad bytes, and values outside the row's bounds, make the reader fail. */
void	value_get(const struct setting *, void *base, struct reader *, struct arena *);

void	value_print_string(struct buf *, struct slice);		/* in quotes, as the file's grammar reads it back */

#endif
