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
#include "tests/crash/store_life.h"

static const struct {
	const char	*point;
	int		 stride;	/* every so many-th n, once the first ones are through */
	int		 most;
} points[] = {
	{ "store-write", 17, 150 }, { "store-sync", 11, 130 }, { "store-rename", 1, 4 }, { "store-unlink", 7, 30 },
	{ "store-open", 2, 40 }, { "store-mkdir", 1, 6 }, { "store-read", 9, 60 },
};

static const char *const errors[] = { "EIO", "ENOSPC" };

/* `fresh`: the store does not exist yet when the failure comes. */
static bool
fail_at(struct ledger *ledger, const char *plan, int n, bool fresh)
{
	struct life life = { .ledger = ledger, .seed = (uint64_t)n, .operations = 400 }, broken;
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
	broken.operations = 700;
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
		verdict(fail_at(ledger, plan, n, fresh), "%s%s", plan, fresh ? " in a new store" : "");
		ledger->violations = 0;
		step = n >= 8 ? points[row].stride * (fresh || forever ? 2 : 1) : 1;
	}
}

int
main(void)
{
	struct ledger *ledger = ledger_new();

	setvbuf(stdout, NULL, _IOLBF, 0);
#ifdef POSTHORN_FAULTS
	for (size_t i = 0; i < sizeof(points) / sizeof(points[0]); i++)
		for (int forever = 0; forever < 2; forever++) {
			fail_everywhere(ledger, i, errors[forever], forever != 0, false);
			fail_everywhere(ledger, i, errors[!forever], forever != 0, true);
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
