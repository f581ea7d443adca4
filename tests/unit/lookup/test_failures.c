/* test_failures — who has to wait, as a sequence of calls on a clock of the test's own; and Dovecot's lines as tables. */
#include "lookup/password/failures.h"

#include <stdio.h>

#include "lookup/password/dovecot_line.h"
#include "tests/support/testing.h"

#define HERE	SLICE_LIT("1234")
#define THERE	SLICE_LIT("5678")
#define BOB	SLICE_LIT("bob")
#define NOBODY	SLICE_LIT("")

static const struct failures_rules rules = { .limit = 3, .window = 1000, .delay = 10 };

/* A device with bob's old password, at a place where he has logged in: nobody else is put off for it, and it is, in the end. */
static void
test_forgotten_device(void **state)
{
	struct failures *f = failures_new();
	int64_t now = 100;
	unsigned tries = 0;

	(void)state;
	failures_succeeded(f, HERE, BOB, now);
	for (; tries < 1000 && !failures_refuse(f, &rules, HERE, BOB, now); tries++, now += 900) {
		assert_in_range(failures_add(f, &rules, HERE, BOB, now), rules.delay, DELAY_FACTOR * rules.delay);
		assert_false(failures_refuse(f, &rules, THERE, BOB, now));
		assert_false(failures_refuse(f, &rules, HERE, SLICE_LIT("ann"), now));
	}
	assert_int_equal(tries, LOGIN_FACTOR * rules.limit);
	assert_false(failures_refuse(f, &rules, HERE, BOB, now + rules.window));
	failures_free(&f);
}

static void
test_addresses(void **state)
{
	struct failures *f = failures_new();

	(void)state;
	for (int i = 1; i <= 7; i++) {
		assert_int_equal(failures_refuse_address(f, &rules, HERE, 100), i > 3);
		assert_int_equal(failures_add(f, &rules, HERE, NOBODY, 100), 10 * (i > 5 ? 5 : i));
	}
	assert_false(failures_refuse_address(f, &rules, THERE, 100));
	assert_true(failures_refuse(f, &rules, HERE, BOB, 1099));
	assert_false(failures_refuse_address(f, &rules, HERE, 1100));	/* the window is over */
	failures_free(&f);
}

static void
test_logins(void **state)
{
	struct failures *f = failures_new();
	char address[4] = "x00";

	(void)state;
	for (int i = 0; i < 30; i++) {
		assert_false(failures_refuse(f, &rules, THERE, BOB, 100));
		address[1] = (char)i;
		(void)failures_add(f, &rules, slice_of(address, 4), BOB, 100);
	}
	assert_true(failures_refuse(f, &rules, THERE, BOB, 100));
	assert_true(failures_refuse(f, &rules, THERE, SLICE_LIT("BOB"), 100));	/* capitals are no way around */
	assert_false(failures_refuse(f, &rules, THERE, SLICE_LIT("ann"), 100));
	failures_succeeded(f, HERE, BOB, 100);		/* he has been here: others cannot shut him out */
	assert_false(failures_refuse(f, &rules, HERE, BOB, 100));
	assert_true(failures_refuse(f, &rules, THERE, BOB, 100));
	failures_free(&f);
}

static void
test_known_address(void **state)
{
	struct failures *f = failures_new();

	(void)state;
	failures_succeeded(f, HERE, BOB, 100);
	for (int i = 0; i < 5; i++)
		(void)failures_add(f, &rules, HERE, SLICE_LIT("ann"), 100);
	assert_false(failures_refuse_address(f, &rules, HERE, 100));	/* bob may be the next */
	assert_true(failures_refuse(f, &rules, HERE, SLICE_LIT("ann"), 100));
	assert_false(failures_refuse(f, &rules, HERE, BOB, 100));
	failures_free(&f);
}

static void
test_ipv6_and_no_limit(void **state)
{
	static const struct failures_rules none = { .window = 1000, .delay = 10 };
	struct failures *f = failures_new();

	(void)state;
	for (int i = 0; i < 5; i++)
		(void)failures_add(f, &rules, SLICE_LIT("0123456789abcdef"), NOBODY, 100);
	assert_true(failures_refuse_address(f, &rules, SLICE_LIT("01234567--------"), 100));	/* the same /64 */
	assert_false(failures_refuse_address(f, &rules, SLICE_LIT("0123456-89abcdef"), 100));
	assert_false(failures_refuse_address(f, &none, SLICE_LIT("01234567--------"), 100));
	assert_false(failures_refuse(f, &none, SLICE_LIT("01234567--------"), BOB, 100));
	failures_free(&f);
}

static void
test_bounded(void **state)
{
	struct failures *f = failures_new();
	char login[32];

	(void)state;
	for (int i = 0; i < FAILURES_MOST + 1000; i++) {
		(void)snprintf(login, sizeof(login), "user%d", i);
		(void)failures_add(f, &rules, HERE, slice_str(login), 100);
	}
	assert_int_equal(failures_count(f), FAILURES_MOST);
	assert_true(failures_refuse_address(f, &rules, HERE, 100));	/* the one that is counted all the time stays */
	failures_free(&f);
}

static const struct {
	const char		*text;
	enum dovecot_kind	 kind;
	uint64_t		 id;
	bool			 flag;		/* temporary, unfit */
	const char		*part;		/* user, name, data */
} lines[] = {
	{ "VERSION\t1\t2", DOVECOT_VERSION, 0, false, "" }, { "VERSION\t1", DOVECOT_VERSION, 0, false, "" },
	{ "VERSION\t2\t0", DOVECOT_NONE, 0, false, "" }, { "VERSION", DOVECOT_NONE, 0, false, "" }, { "VERSION\t-1", DOVECOT_NONE, 0, false, "" },
	{ "MECH\tPLAIN\tplaintext", DOVECOT_MECHANISM, 0, false, "PLAIN" }, { "MECH\tX\tactive\tprivate", DOVECOT_MECHANISM, 0, true, "X" },
	{ "MECH\tSCRAM-SHA-256-PLUS\tchannel-binding", DOVECOT_MECHANISM, 0, true, "SCRAM-SHA-256-PLUS" },
	{ "MECH\tANONYMOUS\tanonymous", DOVECOT_MECHANISM, 0, true, "ANONYMOUS" }, { "MECH", DOVECOT_NONE, 0, false, "" },
	{ "MECH\t\tplaintext", DOVECOT_NONE, 0, false, "" }, { "DONE", DOVECOT_DONE, 0, false, "" }, { "SPID\t1", DOVECOT_OTHER, 0, false, "" },
	{ "NEWS\tof\ttomorrow", DOVECOT_OTHER, 0, false, "" }, { "", DOVECOT_NONE, 0, false, "" },
	{ "OK\t7\tuser=bob", DOVECOT_OK, 7, false, "bob" }, { "OK\t4294967295\ta\tuser=b\1tb\tz", DOVECOT_OK, 4294967295, false, "b\1tb" },
	{ "OK\t4294967296\tuser=bob", DOVECOT_NONE, 0, false, "" }, { "OK\t7", DOVECOT_NONE, 0, false, "" }, { "OK\t\tuser=bob", DOVECOT_NONE, 0, false, "" },
	{ "FAIL\t7", DOVECOT_FAIL, 7, false, "" }, { "FAIL\t7\tuser=bob\ttemp", DOVECOT_FAIL, 7, true, "bob" },
	{ "FAIL\t7\tcode=temp_fail", DOVECOT_FAIL, 7, true, "" }, { "FAIL\t7\tcode=pass_expired", DOVECOT_FAIL, 7, false, "" },
	{ "FAIL\t7\ttemporary", DOVECOT_FAIL, 7, false, "" }, { "CONT\t7\tYWJj", DOVECOT_CONT, 7, false, "YWJj" }, { "CONT\t7", DOVECOT_CONT, 7, false, "" },
	{ "CONT\t7\t", DOVECOT_CONT, 7, false, "" }, { "CONT", DOVECOT_NONE, 0, false, "" },
};

static void
test_lines(void **state)
{
	struct dovecot_line line;

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		ROW(i, lines[i].text);
		dovecot_line_parse(slice_str(lines[i].text), &line);
		assert_int_equal(line.kind, lines[i].kind);
		if (line.kind == DOVECOT_NONE)
			continue;
		assert_int_equal(line.id, lines[i].id);
		assert_int_equal(line.temporary || line.unfit, lines[i].flag);
		assert_slice(line.kind == DOVECOT_MECHANISM ? line.name : line.kind == DOVECOT_CONT ? line.data : line.user, lines[i].part);
	}
}

static void
test_unescape(void **state)
{
	char out[8];
	size_t len;

	(void)state;
	assert_int_equal(dovecot_unescape(SLICE_LIT("a\1t\0011\1n\1r"), out, sizeof(out), &len), 0);
	assert_slice(slice_of(out, len), "a\t\1\n\r");
	assert_int_equal(dovecot_unescape(SLICE_LIT("a\0010"), out, sizeof(out), &len), 0);
	assert_int_equal(len, 2);
	assert_int_equal(out[1], 0);
	assert_int_equal(dovecot_unescape(SLICE_LIT("a\1"), out, sizeof(out), &len), -1);
	assert_int_equal(dovecot_unescape(SLICE_LIT("a\1x"), out, sizeof(out), &len), -1);
	assert_int_equal(dovecot_unescape(SLICE_LIT("a\1\0"), out, sizeof(out), &len), -1);
	assert_int_equal(dovecot_unescape(SLICE_LIT("123456789"), out, sizeof(out), &len), -1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_forgotten_device), cmocka_unit_test(test_addresses), cmocka_unit_test(test_logins), cmocka_unit_test(test_known_address),
		cmocka_unit_test(test_ipv6_and_no_limit), cmocka_unit_test(test_bounded), cmocka_unit_test(test_lines), cmocka_unit_test(test_unescape),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
