/* test_hash — the table against a model, equal hashes, and SipHash-1-3 against another implementation's values. */
#include "tests/support/testing.h"

#include "base/hash.c"	/* the key must be known here; the library's copy is not linked then */
#include "base/fault.h"

struct thing {
	struct hash_node	node;
	uint64_t		number;
	bool			in;
};

#define THINGS	3000

static struct thing things[THINGS];

static struct thing *
find(struct hash *h, uint64_t number, uint64_t hash)
{
	for (struct hash_node *n = hash_first(h, hash); n != NULL; n = hash_next(n)) {
		struct thing *t = CONTAINER_OF(n, struct thing, node);

		if (t->number == number)
			return t;
	}
	return NULL;
}

/* Only 64 different values, so that most chains hold several. */
static uint64_t
few(uint64_t number)
{
	return number % 64;
}

static void
walk(uint64_t (*hash_of)(uint64_t))
{
	struct hash h;
	size_t count = 0;

	srand(7);
	hash_init(&h);
	assert_null(hash_first(&h, 1));
	for (int step = 0; step < 30000; step++) {
		struct thing *t = &things[rand() % THINGS];

		t->number = (uint64_t)(t - things);
		assert_ptr_equal(find(&h, t->number, hash_of(t->number)), t->in ? t : NULL);
		if (t->in)
			hash_remove(&h, &t->node);
		else
			hash_insert(&h, &t->node, hash_of(t->number));
		t->in = !t->in;
		count = t->in ? count + 1 : count - 1;
		assert_int_equal(h.count, count);
	}
	for (size_t i = 0; i < THINGS; i++)
		things[i].in = false;
	hash_fini(&h);
}

static void
test_against_model(void **state)
{
	(void)state;
	walk(hash_u64);
	walk(few);
}

static size_t visits;

static void
remove_even(struct hash_node *n, void *arg)
{
	visits++;
	if (CONTAINER_OF(n, struct thing, node)->number % 2 == 0)
		hash_remove(arg, n);
}

static void
test_each_may_remove(void **state)
{
	struct hash h;

	(void)state;
	hash_init(&h);
	for (size_t i = 0; i < 500; i++) {
		things[i].number = i;
		hash_insert(&h, &things[i].node, hash_u64(i));
	}
	visits = 0;
	hash_each(&h, remove_even, &h);
	assert_int_equal(visits, 500);
	assert_int_equal(h.count, 250);
	for (size_t i = 0; i < 500; i++)
		assert_int_equal(find(&h, i, hash_u64(i)) != NULL, i % 2);
	hash_fini(&h);
}

static void
test_case(void **state)
{
	(void)state;
	assert_true(hash_slice_nocase(SLICE_LIT("Example.ORG")) == hash_slice_nocase(SLICE_LIT("example.org")));
	assert_true(hash_slice_nocase(SLICE_LIT("example.org")) == hash_slice(SLICE_LIT("example.org")));
	assert_true(hash_slice(SLICE_LIT("Example.ORG")) != hash_slice(SLICE_LIT("example.org")));
	assert_true(hash_slice(SLICE_LIT("")) != hash_slice(SLICE_LIT("\0")));
}

/* Key 00 01 .. 0f, message 00 01 .. (n-1), as in the authors' vectors for SipHash-2-4. */
static void
test_siphash_values(void **state)
{
	static const struct { size_t len; uint64_t hash; } rows[] = {
		{ 0, UINT64_C(0xabac0158050fc4dc) },
		{ 1, UINT64_C(0xc9f49bf37d57ca93) },
		{ 7, UINT64_C(0xd3927d989bb11140) },
		{ 8, UINT64_C(0x369095118d299a8e) },
		{ 9, UINT64_C(0x25a48eb36c063de4) },
		{ 15, UINT64_C(0xd320d86d2a519956) },
		{ 16, UINT64_C(0xcc4fdd1a7d908b66) },
		{ 31, UINT64_C(0x2370dd1f8c21d1bc) },
		{ 63, UINT64_C(0x9d199062b7bbb3a8) },
	};
	char message[64];

	(void)state;
	for (size_t i = 0; i < sizeof(message); i++)
		message[i] = (char)i;
	key[0] = UINT64_C(0x0706050403020100);
	key[1] = UINT64_C(0x0f0e0d0c0b0a0908);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_true(hash_slice(slice_of(message, rows[i].len)) == rows[i].hash);
}

static void
test_no_memory(void **state)
{
#ifdef POSTHORN_FAULTS
	struct hash h;

	hash_init(&h);
	fault_plan("alloc:1+");
	for (size_t i = 0; i < 100; i++) {
		things[i].number = i;
		hash_insert(&h, &things[i].node, hash_u64(i));
	}
	fault_plan(NULL);
	assert_int_equal(h.count, 100);
	for (size_t i = 0; i < 50; i++)
		hash_remove(&h, &things[i].node);
	things[200].number = 200;
	hash_insert(&h, &things[200].node, hash_u64(200));	/* memory is back: the one chain moves into slots */
	assert_true(h.nslots > 0);
	for (size_t i = 0; i < 100; i++)
		assert_int_equal(find(&h, i, hash_u64(i)) != NULL, i >= 50);
	hash_fini(&h);
#else
	skip();
#endif
	(void)state;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_against_model), cmocka_unit_test(test_each_may_remove),
		cmocka_unit_test(test_case),          cmocka_unit_test(test_siphash_values),
		cmocka_unit_test(test_no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
