/*
 * Small values: queue ids, status codes, actions, dates.
 */
#include <time.h>

#include "mail/date.h"
#include "mail/outcome.h"
#include "mail/queue_id.h"
#include "tests/support/testing.h"

static void
test_queue_id(void **state)
{
	static const struct {
		queue_id	 id;
		const char	*text;
	} rows[] = {
		{ 1, "0000000000001" },
		{ 31, "000000000000Z" },
		{ 32, "0000000000010" },
		{ 0x100000000, "0000004000000" },
		{ UINT64_MAX, "FZZZZZZZZZZZZ" },
		{ 0x0123456789ABCDEF, "028T5CY4TQKFF" },
	};
	char out[QUEUE_ID_LEN + 1];
	queue_id back;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_string_equal(queue_id_print(rows[i].id, out), rows[i].text);
		assert_int_equal(queue_id_parse(slice_str(out), &back), 0);
		assert_true(back == rows[i].id);
		for (size_t n = 0; out[n] != '\0'; n++)
			out[n] = ascii_lower(out[n]);
		assert_int_equal(queue_id_parse(slice_str(out), &back), 0);
		assert_true(back == rows[i].id);
	}
	assert_true(queue_id_of(1, 2) == 0x100000002);
}

static void
test_queue_id_bad(void **state)
{
	static const char *const rows[] = {
		"", "0", "0000000000000", "000000000001", "00000000000001", "G000000000001", "000000000000I", "000000000000L",
		"000000000000O", "000000000000U", "00000000000 1", "-000000000001", "000000000000\377",
	};
	queue_id id;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (queue_id_parse(slice_str(rows[i]), &id) != -1) {
			ROW(i, rows[i]);
			fail();
		}
}

static void
test_status(void **state)
{
	static const struct {
		const char	*in;
		const char	*status;	/* NULL: none there */
		const char	*rest;
	} rows[] = {
		{ "5.1.1 no such user", "5.1.1", "no such user" },
		{ "2.0.0", "2.0.0", "" },
		{ "4.999.999 x", "4.999.999", "x" },
		{ "5.7.26  two spaces", "5.7.26", " two spaces" },
		{ "5.1.1-x", NULL, "" },
		{ "5.1.1000 x", NULL, "" },
		{ "3.1.1 x", NULL, "" },
		{ "0.1.1 x", NULL, "" },
		{ "1.1.1 x", NULL, "" },
		{ "05.1.1 x", NULL, "" },
		{ "5.1", NULL, "" },
		{ "5.1.", NULL, "" },
		{ "5..1 x", NULL, "" },
		{ "5", NULL, "" },
		{ "", NULL, "" },
		{ "ok", NULL, "" },
		{ "55.1.1", NULL, "" },
	};
	char text[STATUS_PRINT_SIZE];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct slice in = slice_str(rows[i].in);
		struct status s;
		int result = status_take(&in, &s);

		if ((result == 0) != (rows[i].status != NULL)) {
			ROW(i, rows[i].in);
			fail();
		}
		assert_slice(in, result == 0 ? rows[i].rest : rows[i].in);
		if (result == 0) {
			assert_true(status_valid(s));
			assert_string_equal(status_print(s, text), rows[i].status);
		}
	}
	assert_false(status_valid(STATUS(0, 0, 0)));
	assert_false(status_valid(STATUS(3, 0, 0)));
	assert_false(status_valid(STATUS(5, 1000, 0)));
}

static void
test_actions(void **state)
{
	(void)state;
	assert_string_equal(action_name(ACTION_DELIVERED), "delivered");
	assert_string_equal(action_name(ACTION_UNKNOWN), "delayed");
	assert_string_equal(action_name(ACTION_COUNT), "none");
	assert_true(action_final(ACTION_DELIVERED) && action_final(ACTION_RELAYED));
	assert_true(action_final(ACTION_EXPANDED) && action_final(ACTION_FAILED));
	assert_false(action_final(ACTION_NONE) || action_final(ACTION_DELAYED) || action_final(ACTION_UNKNOWN));
}

static void
test_dates(void **state)
{
	static const struct {
		int64_t		 seconds;
		int		 zone;
		const char	*text;
	} rows[] = {
		{ 0, 0, "Thu, 1 Jan 1970 00:00:00 +0000" },
		{ 1795412765, 60, "Mon, 23 Nov 2026 06:46:05 +0100" },
		{ 1795412765, 0, "Mon, 23 Nov 2026 05:46:05 +0000" },
		{ 951782400, -330, "Mon, 28 Feb 2000 18:30:00 -0530" },
		{ 951868800, 0, "Wed, 1 Mar 2000 00:00:00 +0000" },
		{ -1, 0, "Wed, 31 Dec 1969 23:59:59 +0000" },
		{ INT64_MAX, 0, "Fri, 31 Dec 9999 23:59:59 +0000" },
		{ INT64_MIN, 0, "Mon, 1 Jan 0001 00:00:00 +0000" },
		{ 0, 100000, "Thu, 1 Jan 1970 23:59:00 +2359" },
	};
	char out[DATE_PRINT_SIZE];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		ROW(i, rows[i].text);
		assert_string_equal(date_print_zone(rows[i].seconds, rows[i].zone, out), rows[i].text);
	}
	setenv("TZ", "XYZ-2", 1);
	tzset();
	assert_string_equal(date_print(0, out), "Thu, 1 Jan 1970 02:00:00 +0200");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_queue_id),
		cmocka_unit_test(test_queue_id_bad),
		cmocka_unit_test(test_status),
		cmocka_unit_test(test_actions),
		cmocka_unit_test(test_dates),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
