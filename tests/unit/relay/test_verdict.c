/* verdict — what replies mean, row by row. */
#include "tests/support/testing.h"

#include <stdio.h>

#include "relay/client/verdict.h"

static void
test_table(void **state)
{
	static const struct { enum verdict_stage stage; const char *reply; unsigned accepted; enum verdict verdict; enum action action;
	    const char *status; } rows[] = {
		{ STAGE_MAIL, "250 ok", 0, VERDICT_GO_ON, ACTION_NONE, "2.0.0" },
		{ STAGE_MAIL, "451 4.7.1 greylisted", 0, VERDICT_DELAYED, ACTION_DELAYED, "4.7.1" },
		{ STAGE_MAIL, "550 5.7.1 go away", 0, VERDICT_FAILED, ACTION_FAILED, "5.7.1" },
		{ STAGE_MAIL, "354 what", 0, VERDICT_NONSENSE, ACTION_DELAYED, "4.5.0" },
		{ STAGE_MAIL, "421 4.3.2 down", 0, VERDICT_CLOSING, ACTION_DELAYED, "4.3.2" },
		{ STAGE_RCPT, "250 2.1.5 ok", 0, VERDICT_GO_ON, ACTION_NONE, "2.1.5" },
		{ STAGE_RCPT, "251 will forward", 0, VERDICT_GO_ON, ACTION_NONE, "2.0.0" },
		{ STAGE_RCPT, "252 cannot verify", 0, VERDICT_GO_ON, ACTION_NONE, "2.0.0" },
		{ STAGE_RCPT, "450 4.2.0 busy", 0, VERDICT_DELAYED, ACTION_DELAYED, "4.2.0" },
		{ STAGE_RCPT, "550 no such user", 0, VERDICT_FAILED, ACTION_FAILED, "5.0.0" },
		{ STAGE_RCPT, "550 4.1.1 mixed classes", 0, VERDICT_FAILED, ACTION_FAILED, "5.0.0" },
		{ STAGE_RCPT, "452 4.5.3 too many", 0, VERDICT_DELAYED, ACTION_DELAYED, "4.5.3" },
		{ STAGE_RCPT, "452 4.5.3 too many", 1, VERDICT_TOO_MANY, ACTION_DELAYED, "4.5.3" },
		{ STAGE_RCPT, "452 too many", 1, VERDICT_TOO_MANY, ACTION_DELAYED, "4.5.3" },
		{ STAGE_RCPT, "452 4.2.2 mailbox full", 1, VERDICT_DELAYED, ACTION_DELAYED, "4.2.2" },
		{ STAGE_RCPT, "552 too many", 1, VERDICT_TOO_MANY, ACTION_DELAYED, "4.5.3" },
		{ STAGE_RCPT, "552 5.2.2 mailbox full", 1, VERDICT_FAILED, ACTION_FAILED, "5.2.2" },
		{ STAGE_RCPT, "552 mailbox full", 0, VERDICT_FAILED, ACTION_FAILED, "5.0.0" },
		{ STAGE_RCPT, "421 bye", 1, VERDICT_CLOSING, ACTION_DELAYED, "4.0.0" },
		{ STAGE_DATA, "354 go", 1, VERDICT_GO_ON, ACTION_NONE, "2.0.0" },
		{ STAGE_DATA, "250 already?", 1, VERDICT_NONSENSE, ACTION_DELAYED, "4.5.0" },
		{ STAGE_DATA, "452 4.3.1 full", 1, VERDICT_DELAYED, ACTION_DELAYED, "4.3.1" },
		{ STAGE_DATA, "554 5.5.1 no valid recipients", 1, VERDICT_FAILED, ACTION_FAILED, "5.5.1" },
		{ STAGE_DOT, "250 2.0.0 queued as 42", 1, VERDICT_GO_ON, ACTION_RELAYED, "2.0.0" },
		{ STAGE_DOT, "451 4.3.0 disk", 1, VERDICT_DELAYED, ACTION_DELAYED, "4.3.0" },
		{ STAGE_DOT, "554 5.7.1 spam", 1, VERDICT_FAILED, ACTION_FAILED, "5.7.1" },
		{ STAGE_DOT, "552 too big", 1, VERDICT_FAILED, ACTION_FAILED, "5.0.0" },
		{ STAGE_DOT, "354 more?", 1, VERDICT_NONSENSE, ACTION_UNKNOWN, "4.5.0" },
		{ STAGE_DOT, "421 4.4.2 bye", 1, VERDICT_CLOSING, ACTION_DELAYED, "4.4.2" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct reply reply = { 0 };
		char line[200], status[STATUS_PRINT_SIZE];
		struct slice in;

		snprintf(line, sizeof(line), "%s\r\n", rows[i].reply);
		in = slice_str(line);
		assert_int_equal(reply_take(&reply, &in, NULL, NULL), REPLY_READY);
		enum verdict verdict = verdict_of(rows[i].stage, &reply, rows[i].accepted);
		struct outcome o = verdict_outcome(rows[i].stage, verdict, &reply);

		status_print(o.status, status);
		if (verdict != rows[i].verdict || o.action != rows[i].action || strcmp(status, rows[i].status) != 0)
			ROW(i, rows[i].reply);
		assert_int_equal(verdict, rows[i].verdict);
		assert_int_equal(o.action, rows[i].action);
		assert_string_equal(status, rows[i].status);
		assert_slice(o.text, rows[i].reply);
	}
}

/* Whatever code a server thinks of, there is an answer, and never a false "relayed". */
static void
test_every_code(void **state)
{
	(void)state;
	for (unsigned code = 0; code < 1000; code++) {
		for (int stage = STAGE_MAIL; stage < STAGE_COUNT; stage++) {
			struct reply reply = { .code = (uint16_t)code, .lines = 1, .whole = true };
			enum verdict verdict = verdict_of((enum verdict_stage)stage, &reply, 1);
			struct outcome o = verdict_outcome((enum verdict_stage)stage, verdict, &reply);

			assert_in_range(verdict, VERDICT_GO_ON, VERDICT_COUNT - 1);
			assert_true(o.action != ACTION_RELAYED || (stage == STAGE_DOT && code / 100 == 2));
			assert_true(o.action != ACTION_FAILED || code / 100 == 5);
			assert_true(o.action != ACTION_NONE || verdict == VERDICT_GO_ON);
		}
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_table), cmocka_unit_test(test_every_code) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
