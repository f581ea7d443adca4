/* test_heap — a random walk against a plain search for the least. */
#include "tests/support/testing.h"

#include "base/hash.h"
#include "base/heap.h"

#define THINGS	400

struct thing {
	struct heap_node	node;
	int			key;
};

static struct thing things[THINGS];

static int
key_of(const struct heap_node *n)
{
	return CONTAINER_OF((struct heap_node *)(uintptr_t)n, struct thing, node)->key;
}

static bool
less(const struct heap_node *a, const struct heap_node *b)
{
	return key_of(a) < key_of(b);
}

static void
check_least(const struct heap *h)
{
	const struct heap_node *least = heap_least(h);
	size_t held = 0;

	for (size_t i = 0; i < THINGS; i++) {
		if (!heap_holds(&things[i].node))
			continue;
		held++;
		assert_non_null(least);
		assert_true(key_of(least) <= things[i].key);
	}
	assert_int_equal(held, h->n);
	assert_int_equal(least == NULL, held == 0);
}

static void
test_random_walk(void **state)
{
	struct heap h;

	(void)state;
	srand(3);
	heap_init(&h, less);
	check_least(&h);
	for (int step = 0; step < 20000; step++) {
		struct thing *t = &things[rand() % THINGS];

		if (!heap_holds(&t->node)) {
			t->key = rand() % 1000;
			assert_int_equal(heap_push(&h, &t->node), 0);
		} else if (rand() % 2 == 0) {
			heap_remove(&h, &t->node);
			assert_false(heap_holds(&t->node));
			heap_remove(&h, &t->node);	/* not in a heap: nothing */
		} else {
			t->key = rand() % 1000;
			heap_moved(&h, &t->node);
		}
		check_least(&h);
	}
	heap_fini(&h);
	memset(things, 0, sizeof(things));
}

static void
test_order(void **state)
{
	struct heap h;
	int last = -1;

	(void)state;
	heap_init(&h, less);
	for (int i = 0; i < THINGS; i++) {
		things[i].key = i * 7919 % THINGS;
		assert_int_equal(heap_push(&h, &things[i].node), 0);
	}
	for (int i = 0; i < THINGS; i++) {
		struct heap_node *n = heap_least(&h);

		assert_true(key_of(n) > last);
		last = key_of(n);
		heap_remove(&h, n);
	}
	assert_null(heap_least(&h));
	heap_fini(&h);
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_random_walk), cmocka_unit_test(test_order) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
