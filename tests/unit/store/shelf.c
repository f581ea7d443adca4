/* shelf — see shelf.h. */
#include "tests/unit/store/shelf.h"

#include <stdio.h>

#include "base/fault.h"
#include "queue/store/database.h"
#include "tests/support/tempdir.h"

char directory[64];
struct catalog *catalog;
struct plan plan;
uint64_t ids[64], skipped;
struct catalog_destination found;
static char found_name[64];
static uint32_t destinations;

void
open_catalog(bool fresh)
{
	struct err err = { 0 };

	if (catalog_open(&catalog, directory, &err) == -1)
		fail_msg("%s", err.text);
	assert_int_equal(catalog_totals(catalog).clock_ms == 0, fresh);
}

void
reopen(void)
{
	catalog_close(&catalog);
	open_catalog(false);
}

int
setup(void **state)
{
	(void)state;
	database_forgive();		/* a test before this one may have seen a sync fail */
	snprintf(directory, sizeof(directory), "/tmp/test-catalog-XXXXXX");
	assert_non_null(mkdtemp(directory));
	open_catalog(true);
	return 0;
}

int
teardown(void **state)
{
	(void)state;
#ifdef POSTHORN_FAULTS
	fault_plan(NULL);
#endif
	catalog_close(&catalog);
	tempdir_remove(directory);
	return 0;
}

int
put_plan(uint64_t id, uint32_t version, struct slice envelope, uint64_t size)
{
	struct catalog_record r = { .id = id, .version = version, .folder = UINT64_C(7) << 32 | 1, .place = 99, .crc = 5,
	    .size = size, .envelope = envelope };
	struct err err;

	return catalog_put(catalog, &r, plan_slice(&plan), &err);
}

void
put(uint64_t id, const struct row *rows, size_t n, int64_t look_ms, const char *domain)
{
	plan_init(&plan);
	for (size_t i = 0; i < n; i++)
		plan_row(&plan, slice_str(rows[i].destination), rows[i].priority, rows[i].due_ms);
	if (look_ms != 0)
		plan_look(&plan, look_ms);
	if (domain != NULL)
		plan_domain(&plan, slice_str(domain));
	assert_int_equal(put_plan(id, 1, SLICE_LIT("envelope"), 100), 0);
	plan_fini(&plan);
}

void
put_one(uint64_t id, const char *destination, int64_t due_ms)
{
	put(id, &(struct row){ destination, PLAN_MAIL, due_ms }, 1, 0, NULL);
}

void
begin(void)
{
	struct err err;

	assert_int_equal(catalog_begin(catalog, &err), 0);
}

void
commit(int64_t clock_ms)
{
	struct err err;

	assert_int_equal(catalog_commit(catalog, clock_ms, &err), 0);
}

static bool
skip_one(void *arg, uint64_t id)
{
	(void)arg;
	return id == skipped;
}

struct catalog_ids
asked(uint32_t count)
{
	memset(ids, 0, sizeof(ids));
	return (struct catalog_ids){ ids, count, skip_one, NULL };
}

uint32_t
due(const char *destination, int64_t until_ms, uint32_t count, int64_t *next)
{
	struct catalog_ids a = asked(count);
	struct err err;

	assert_int_equal(catalog_due(catalog, slice_str(destination), until_ms, &a, next, &err), 0);
	return a.count;
}

static void
each(void *arg, const struct catalog_destination *d)
{
	const char *wanted = arg;

	destinations++;
	if (wanted != NULL && d->name.len == strlen(wanted) && memcmp(d->name.p, wanted, d->name.len) == 0) {
		found = *d;
		snprintf(found_name, sizeof(found_name), "%s", wanted);
	}
}

uint64_t
rows_of(const char *destination)
{
	found = (struct catalog_destination){ 0 };
	destinations = 0;
	catalog_each_destination(catalog, each, (void *)(uintptr_t)destination);
	return found.messages;
}

uint32_t
count_destinations(void)
{
	(void)rows_of("");
	return destinations;
}
