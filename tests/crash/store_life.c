/*
 * store_life — see store_life.h.
 */
#include "tests/crash/store_life.h"

#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "base/fault.h"
#include "tests/crash/scratch.h"

int passed, failed, skipped;

void
verdict(bool good, const char *fmt, ...)
{
	va_list ap;

	passed += good;
	failed += !good;
	if (good)
		return;
	va_start(ap, fmt);
	printf("FAILED: ");
	vprintf(fmt, ap);
	printf("\n");
	va_end(ap);
}

int
score(void)
{
	printf("%d passed, %d failed, %d skipped\n", passed, failed, skipped);
	return failed == 0 ? 0 : 1;
}

void
live(void *arg)
{
	struct life *life = arg;
	struct err err = { 0 };
	struct toy toy;

	quiet();
#ifdef POSTHORN_FAULTS
	fault_plan(life->plan);
#endif
	if (toy_open(&toy, life->ledger, &life->conf, life->seed, life->sleeps, &err) == -1) {
		if (life->may_not_open && life->ledger->violations == 0)
			return;
		printf("not opened: %s\n", err.text);
		fflush(stdout);
		_exit(1);
	}
	if (life->class != STORE_NONE)
		toy.put_class = life->class;
	toy.puts_only = life->puts_only;
	toy_run(&toy, life->operations);
	while (life->endless)
		toy_run(&toy, 1000);
	if (life->abandon)
		_exit(0);
	toy_close(&toy);
}

bool
lives_well(const struct life *life)
{
	struct life l = *life;
	int status = child_run(live, &l);

	if (status != 0)
		printf("a life ended with status %#x\n", (unsigned)status);
	return status == 0 && life->ledger->violations == 0;
}
