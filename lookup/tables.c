/* tables — a short list: one entry for each passwd-file of the configuration. */
#include "lookup/tables.h"

#include "base/mem.h"

struct table {
	SLIST_ENTRY(table)	next;
	uint64_t		stamp;
	char			path[];
};

void
tables_init(struct tables *tables)
{
	SLIST_INIT(tables);
}

void
tables_fini(struct tables *tables)
{
	struct table *table;

	while ((table = SLIST_FIRST(tables)) != NULL) {
		SLIST_REMOVE_HEAD(tables, next);
		mem_free(table);
	}
}

bool
tables_changed(struct tables *tables, struct slice path, uint64_t stamp)
{
	struct table *table;
	bool changed;

	SLIST_FOREACH(table, tables, next)
		if (slice_eq(slice_str(table->path), path))
			break;
	if (table == NULL) {
		if ((table = mem_zalloc(sizeof(*table) + path.len + 1)) == NULL)
			return true;	/* who cannot remember must not trust the cache */
		memcpy(table->path, path.p, path.len);
		SLIST_INSERT_HEAD(tables, table, next);
		table->stamp = stamp;
		return false;
	}
	changed = table->stamp != stamp;
	table->stamp = stamp;
	return changed;
}
