/*
 * ledger — see ledger.h.
 */
#include "tests/crash/ledger.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

void *
toy_shared(size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		abort();
	return p;
}

struct ledger *
ledger_new(void)
{
	return toy_shared(sizeof(struct ledger));
}

void
ledger_reset(struct ledger *l)
{
	memset(l->slots, 0, sizeof(l->slots));
	memset(l->rows, 0, (size_t)l->n * sizeof(l->rows[0]));
	l->n = 0;
	l->tolerant = false;
}

static uint32_t *
ledger_slot(struct ledger *l, uint64_t id)
{
	uint32_t at = (uint32_t)((id * UINT64_C(0x9e3779b97f4a7c15)) >> 32) % (LEDGER_MAX * 2);

	while (l->slots[at] != 0 && l->rows[l->slots[at] - 1].id != id)
		at = (at + 1) % (LEDGER_MAX * 2);
	return &l->slots[at];
}

struct row *
ledger_find(struct ledger *l, uint64_t id)
{
	uint32_t *slot = ledger_slot(l, id);

	return *slot == 0 ? NULL : &l->rows[*slot - 1];
}

struct row *
ledger_add(struct ledger *l, uint64_t id)
{
	uint32_t *slot = ledger_slot(l, id);

	if (*slot != 0 || l->n == LEDGER_MAX)
		return NULL;
	l->rows[l->n] = (struct row){ .id = id };
	*slot = ++l->n;
	return &l->rows[*slot - 1];
}

void
ledger_violation(struct ledger *l, const char *what, uint64_t id)
{
	l->violations++;
	printf("VIOLATION: %s %llx\n", what, (unsigned long long)id);
	fflush(stdout);
}

void
ledger_broken(struct ledger *l, const char *what, uint64_t id)
{
	if (l->tolerant)
		l->losses++;
	else
		ledger_violation(l, what, id);
}
