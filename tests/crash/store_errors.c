/*
 * store_errors — every write, sync, rename, unlink and open of the store fails, once and from
 * then on for ever.
 *
 * For each n the n-th call of a kind fails while a child works; then a life without faults looks
 * whether all that was acknowledged is there. n goes up until a whole run passes without
 * reaching the failure.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fault.h"
#include "tests/crash/scratch.h"
#include "tests/crash/store_life.h"

static const struct {
	const char	*point;
	int		 stride;	/* every so many-th n, once the first ones are through */
	int		 most;
	bool		 sleeps;	/* mail leaves the ring, sleeps and is woken */
} points[] = {
	{ "store-write", 17, 150, false }, { "store-sync", 11, 130, false }, { "store-rename", 1, 4, false }, { "store-unlink", 7, 30, false },
	{ "store-open", 2, 40, false }, { "store-mkdir", 1, 6, false }, { "store-read", 9, 60, false },
	{ "store-write", 97, 400, true }, { "store-sync", 71, 300, true }, { "store-unlink", 47, 200, true },
	{ "store-open", 97, 300, true }, { "store-mkdir", 1, 4, true }, { "store-read", 97, 300, true },
	{ "catalog-begin", 11, 30, true }, { "catalog-change", 211, 900, true }, { "catalog-commit", 11, 30, true },
	{ "catalog-read", 211, 900, true }, { "catalog-write", 31, 100, true },
};

static int thorough = 1;		/* argument: so many times as many places */

static const char *const errors[] = { "EIO", "ENOSPC" };

/* `fresh`: the store does not exist yet when the failure comes. */
static bool
fail_at(struct ledger *ledger, const char *plan, int n, bool fresh, bool asleep)
{
	struct life life = { .ledger = ledger, .seed = (uint64_t)n, .operations = asleep ? 1500 : 400, .sleeps = asleep }, broken;
	char directory[64];
	bool good = true;

	scratch_make(directory);
	ledger_reset(ledger);
	life.conf = (struct store_conf){ directory, 8, MIB };
	life.abandon = true;
	if (!fresh)
		good = lives_well(&life);
	broken = life;
	broken.plan = plan;
	broken.may_not_open = true;
	broken.abandon = n % 2 == 0;
	broken.operations = asleep ? 2500 : 700;
	good = good && lives_well(&broken);
	life.operations = 100;
	life.abandon = false;
	good = good && lives_well(&life) && lives_well(&life);
	scratch_remove(directory);
	return good;
}

static void
fail_everywhere(struct ledger *ledger, size_t row, const char *error, bool forever, bool fresh)
{
	char plan[128];
	int step = 1;

	for (int n = 1; n <= points[row].most; n += step) {
		snprintf(plan, sizeof(plan), "%s:%d%s:%s", points[row].point, n, forever ? "+" : "", error);
		verdict(fail_at(ledger, plan, n, fresh, points[row].sleeps), "%s%s", plan, fresh ? " in a new store" : points[row].sleeps ? " with a spool" : "");
		ledger->violations = 0;
		step = n >= (points[row].sleeps ? 3 : 8) ? points[row].stride * (fresh || forever ? 2 : 1) / thorough + 1 : 1;
	}
}

int
main(int argc, char **argv)
{
	struct ledger *ledger = ledger_new();

	thorough = argc > 1 && atoi(argv[1]) > 0 ? atoi(argv[1]) : 1;
	setvbuf(stdout, NULL, _IOLBF, 0);
#ifdef POSTHORN_FAULTS
	for (size_t i = 0; i < sizeof(points) / sizeof(points[0]); i++)
		for (int forever = 0; forever < 2; forever++) {
			fail_everywhere(ledger, i, errors[forever], forever != 0, false);
			if (!points[i].sleeps)
				fail_everywhere(ledger, i, errors[!forever], forever != 0, true);
			else
				fail_everywhere(ledger, i, errors[!forever], forever != 0, false);
		}
	printf("# acknowledged under faults: %llu messages; refused: %llu full, %llu failed\n",
	    (unsigned long long)ledger->puts, (unsigned long long)ledger->full, (unsigned long long)ledger->failed);
	verdict(ledger->failed > 0 && ledger->puts > 0, "no failure was ever answered");
#else
	printf("# skipped: this build has no fault points\n");
	skipped++;
	(void)ledger;
	(void)errors;
	(void)fail_everywhere;
#endif
	return score();
}
