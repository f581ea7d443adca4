/*
 * Commands and their parameters.
 */
#include "smtp/chunk.h"
#include "smtp/command.h"
#include "smtp/params.h"
#include "tests/support/testing.h"

static void
test_commands(void **state)
{
	static const struct {
		const char	*line;
		enum verb	 verb;
		const char	*argument;
	} rows[] = {
		{ "EHLO client.example", VERB_EHLO, "client.example" },
		{ "ehlo  client.example ", VERB_EHLO, "client.example" },
		{ "hElO x", VERB_HELO, "x" },
		{ "MAIL FROM:<a@b>", VERB_MAIL, "FROM:<a@b>" },
		{ "RCPT TO:<a@b>", VERB_RCPT, "TO:<a@b>" },
		{ "DATA", VERB_DATA, "" },
		{ "DATA ", VERB_DATA, "" },
		{ "RSET", VERB_RSET, "" },
		{ "NOOP anything goes", VERB_NOOP, "anything goes" },
		{ "QUIT", VERB_QUIT, "" },
		{ "HELP mail", VERB_HELP, "mail" },
		{ "VRFY x", VERB_VRFY, "x" },
		{ "EXPN x", VERB_EXPN, "x" },
		{ "", VERB_UNKNOWN, "" },
		{ " NOOP", VERB_UNKNOWN, "NOOP" },
		{ "NOOPX", VERB_UNKNOWN, "" },
		{ "NOO", VERB_UNKNOWN, "" },
		{ "NOOP\tx", VERB_UNKNOWN, "" },
		{ "bdat 10 LAST", VERB_BDAT, "10 LAST" },
		{ "STARTTLS", VERB_STARTTLS, "" },
		{ "startTLS now", VERB_STARTTLS, "now" },
		{ "GET / HTTP/1.1", VERB_FOREIGN, "/ HTTP/1.1" },
		{ "post / HTTP/1.1", VERB_FOREIGN, "/ HTTP/1.1" },
		{ "CONNECT x:25 HTTP/1.0", VERB_FOREIGN, "x:25 HTTP/1.0" },
		{ "Host: x", VERB_FOREIGN, "x" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct command command;

		ROW(i, rows[i].line);
		command_parse(slice_str(rows[i].line), &command);
		assert_int_equal(command.verb, rows[i].verb);
		assert_slice(command.argument, rows[i].argument);
	}
	assert_string_equal(verb_name(VERB_MAIL), "MAIL");
	assert_string_equal(verb_name(VERB_UNKNOWN), "UNKNOWN");
	assert_string_equal(verb_name(VERB_FOREIGN), "UNKNOWN");
	assert_string_equal(verb_name(VERB_NONE), "UNKNOWN");
}

static void
test_labels(void **state)
{
	static const struct {
		const char	*argument, *label;
		const char	*rest;		/* NULL: not there */
	} rows[] = {
		{ "FROM:<a>", "FROM:", "<a>" },
		{ "from: <a>", "FROM:", "<a>" },
		{ "FROM :<a>", "FROM:", NULL },
		{ "TO:<a>", "FROM:", NULL },
		{ "FRO", "FROM:", NULL },
		{ "", "TO:", NULL },
		{ "TO:", "TO:", "" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct slice argument = slice_str(rows[i].argument);
		int result = command_take_label(&argument, rows[i].label);

		ROW(i, rows[i].argument);
		assert_int_equal(result, rows[i].rest != NULL ? 0 : -1);
		if (result == 0)
			assert_slice(argument, rows[i].rest);
	}
}

static const struct {
	const char		*in;
	enum param_result	 result;
	bool			 has_size;
	uint64_t		 size;
	enum body_type		 body;
	const char		*which;		/* NULL: not looked at */
} mail_rows[] = {
	{ "", PARAM_OK, false, 0, BODY_NONE, NULL },
	{ "  ", PARAM_OK, false, 0, BODY_NONE, NULL },
	{ " SIZE=1000", PARAM_OK, true, 1000, BODY_NONE, NULL },
	{ " size=0", PARAM_OK, true, 0, BODY_NONE, NULL },
	{ " SIZE=18446744073709551615", PARAM_OK, true, UINT64_MAX, BODY_NONE, NULL },
	{ " SIZE=99999999999999999999", PARAM_OK, true, UINT64_MAX, BODY_NONE, NULL },
	{ " SIZE=100000000000000000000", PARAM_BAD, false, 0, BODY_NONE, NULL },
	{ " SIZE=", PARAM_BAD, false, 0, BODY_NONE, "SIZE=" },
	{ " SIZE", PARAM_BAD, false, 0, BODY_NONE, "SIZE" },
	{ " SIZE=-1", PARAM_BAD, false, 0, BODY_NONE, NULL },
	{ " SIZE=1k", PARAM_BAD, false, 0, BODY_NONE, NULL },
	{ " SIZE=1 SIZE=1", PARAM_BAD, false, 0, BODY_NONE, NULL },
	{ " BODY=7BIT", PARAM_OK, false, 0, BODY_7BIT, NULL },
	{ " BODY=8bitmime", PARAM_OK, false, 0, BODY_8BITMIME, NULL },
	{ " BODY=BINARYMIME", PARAM_BAD, false, 0, BODY_NONE, NULL },
	{ " BODY", PARAM_BAD, false, 0, BODY_NONE, NULL },
	{ " BODY=7BIT BODY=7BIT", PARAM_BAD, false, 0, BODY_NONE, NULL },
	{ " SIZE=5  BODY=8BITMIME ", PARAM_OK, true, 5, BODY_8BITMIME, NULL },
	{ "SIZE=5", PARAM_BAD, false, 0, BODY_NONE, NULL },
	{ " SMTPUTF8", PARAM_OK, false, 0, BODY_NONE, NULL },
	{ " smtputf8 SIZE=5", PARAM_OK, true, 5, BODY_NONE, NULL },
	{ " SMTPUTF8=", PARAM_BAD, false, 0, BODY_NONE, "SMTPUTF8=" },
	{ " SMTPUTF8=yes", PARAM_BAD, false, 0, BODY_NONE, NULL },
	{ " SMTPUTF8 SMTPUTF8", PARAM_BAD, false, 0, BODY_NONE, NULL },
	{ " SIZE=5 RETURN=HDRS", PARAM_UNKNOWN, false, 0, BODY_NONE, "RETURN=HDRS" },
	{ " AUTH=<>", PARAM_OK, false, 0, BODY_NONE, NULL },
	{ " auth=e+3Dmc2@example.com SIZE=5", PARAM_OK, true, 5, BODY_NONE, NULL },
	{ " AUTH=", PARAM_BAD, false, 0, BODY_NONE, "AUTH=" },
	{ " AUTH", PARAM_BAD, false, 0, BODY_NONE, "AUTH" },
	{ " AUTH=a=b", PARAM_BAD, false, 0, BODY_NONE, NULL },
	{ " AUTH=a+3g", PARAM_BAD, false, 0, BODY_NONE, NULL },
	{ " AUTH=a+3", PARAM_BAD, false, 0, BODY_NONE, NULL },
	{ " AUTH=\xe9", PARAM_BAD, false, 0, BODY_NONE, NULL },
	{ " AUTH=<> AUTH=<>", PARAM_BAD, false, 0, BODY_NONE, NULL },
	{ " =", PARAM_UNKNOWN, false, 0, BODY_NONE, "=" },
};

static void
test_mail_params(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(mail_rows) / sizeof(mail_rows[0]); i++) {
		struct mail_params params = { 0 };
		struct slice which;

		ROW(i, mail_rows[i].in);
		assert_int_equal(params_mail(slice_str(mail_rows[i].in), 0, &params, &which), mail_rows[i].result);
		if (mail_rows[i].result == PARAM_OK) {
			assert_true(params.has_size == mail_rows[i].has_size && params.size == mail_rows[i].size);
			assert_int_equal(params.body, mail_rows[i].body);
			assert_int_equal(params.smtputf8, strcasestr(mail_rows[i].in, "SMTPUTF8") != NULL);
		} else if (mail_rows[i].which != NULL) {
			assert_slice(which, mail_rows[i].which);
		}
	}
}

/* What RFC 3461 lets a sender say in MAIL. */
/* RFC 8689 2: it has no value. */
static void
test_requiretls(void **state)
{
	static const struct { const char *in; enum param_result result; bool required; } rows[] = {
		{ " REQUIRETLS", PARAM_OK, true },
		{ " requiretls SIZE=5", PARAM_OK, true },
		{ " SIZE=5", PARAM_OK, false },
		{ " REQUIRETLS=", PARAM_BAD, false },
		{ " REQUIRETLS=NO", PARAM_BAD, false },
		{ " REQUIRETLS REQUIRETLS", PARAM_BAD, false },
		{ " REQUIRETLSX", PARAM_UNKNOWN, false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct mail_params params = { 0 };
		struct slice which;

		ROW(i, rows[i].in);
		assert_int_equal(params_mail(slice_str(rows[i].in), 0, &params, &which), rows[i].result);
		assert_int_equal(params.requiretls, rows[i].required);
	}
}

static void
test_mail_dsn(void **state)
{
#define TEN "0123456789"
#define HUNDRED TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN
	static const struct {
		const char	*in;
		enum param_result result;
		enum ret	 ret;
		const char	*envid;
	} rows[] = {
		{ "", PARAM_OK, RET_NONE, "" },
		{ " RET=FULL", PARAM_OK, RET_FULL, "" },
		{ " ret=hdrs ENVID=QQ314159", PARAM_OK, RET_HDRS, "QQ314159" },
		{ " ENVID=a+2Bb+3Dc+20d", PARAM_OK, RET_NONE, "a+b=c d" },
		{ " RET", PARAM_BAD, RET_NONE, "" },
		{ " RET=", PARAM_BAD, RET_NONE, "" },
		{ " RET=HEADERS", PARAM_BAD, RET_NONE, "" },
		{ " RET=FULL RET=FULL", PARAM_BAD, RET_NONE, "" },
		{ " ENVID", PARAM_BAD, RET_NONE, "" },
		{ " ENVID=", PARAM_BAD, RET_NONE, "" },
		{ " ENVID=a ENVID=a", PARAM_BAD, RET_NONE, "" },
		{ " ENVID=a=b", PARAM_BAD, RET_NONE, "" },
		{ " ENVID=a+00b", PARAM_BAD, RET_NONE, "" },
		{ " ENVID=a+0D+0Ab", PARAM_BAD, RET_NONE, "" },
		{ " ENVID=" HUNDRED, PARAM_OK, RET_NONE, HUNDRED },
		{ " ENVID=" HUNDRED "x", PARAM_BAD, RET_NONE, "" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct mail_params params = { 0 };
		struct slice which;

		ROW(i, rows[i].in);
		assert_int_equal(params_mail(slice_str(rows[i].in), 0, &params, &which), rows[i].result);
		if (rows[i].result == PARAM_OK) {
			assert_int_equal(params.ret, rows[i].ret);
			assert_slice(slice_of(params.envid, params.envid_len), rows[i].envid);
		}
	}
}

static const struct {
	const char	*in;
	enum param_result result;
	uint32_t	 notify;
	const char	*orcpt, *which;		/* which: NULL: not looked at */
} rcpt_rows[] = {
	{ "", PARAM_OK, 0, "", NULL },
	{ "  ", PARAM_OK, 0, "", NULL },
	{ "x", PARAM_BAD, 0, "", NULL },
	{ " SIZE=5", PARAM_UNKNOWN, 0, "", "SIZE=5" },
	{ " NOTIFY=NEVER", PARAM_OK, NOTIFY_NEVER, "", NULL },
	{ " notify=success,Failure,DELAY", PARAM_OK, NOTIFY_SUCCESS | NOTIFY_FAILURE | NOTIFY_DELAY, "", NULL },
	{ " NOTIFY=DELAY,DELAY", PARAM_OK, NOTIFY_DELAY, "", NULL },
	{ " NOTIFY=NEVER,SUCCESS", PARAM_BAD, 0, "", "NOTIFY=NEVER,SUCCESS" },
	{ " NOTIFY=SUCCESS,", PARAM_BAD, 0, "", NULL },
	{ " NOTIFY=,SUCCESS", PARAM_BAD, 0, "", NULL },
	{ " NOTIFY=ALWAYS", PARAM_BAD, 0, "", NULL },
	{ " NOTIFY=", PARAM_BAD, 0, "", NULL },
	{ " NOTIFY", PARAM_BAD, 0, "", NULL },
	{ " NOTIFY=DELAY NOTIFY=DELAY", PARAM_BAD, 0, "", NULL },
	{ " ORCPT=rfc822;Bob@Example.org", PARAM_OK, 0, "rfc822;Bob@Example.org", NULL },
	{ " ORCPT=rfc822;bob+2Btag@example.org NOTIFY=SUCCESS", PARAM_OK, NOTIFY_SUCCESS, "rfc822;bob+tag@example.org", NULL },
	{ " ORCPT=utf-8;\\x{5E74}@example.org", PARAM_OK, 0, "utf-8;\\x{5E74}@example.org", NULL },
	{ " ORCPT=UTF-8;\345\271\264+2Bx@example.org", PARAM_OK, 0, "UTF-8;\\x{5E74}+x@example.org", NULL },
	{ " ORCPT=rfc822;\345\271\264@example.org", PARAM_BAD, 0, "", NULL },
	{ " ORCPT=rfc822;j+C3+BCrgen+2Bx@example.org", PARAM_OK, 0, "utf-8;j\\x{FC}rgen+x@example.org", NULL },
	{ " ORCPT=utf-8;j+C3+BCrgen@example.org", PARAM_OK, 0, "utf-8;j\\x{FC}rgen@example.org", NULL },
	{ " ORCPT=x400;j+C3+BCrgen", PARAM_BAD, 0, "", NULL },
	{ " ORCPT=rfc822;+E2+80+AE@example.org", PARAM_BAD, 0, "", NULL },
	{ " ORCPT=utf-8;\342\200\256@example.org", PARAM_BAD, 0, "", NULL },
	{ " ORCPT=utf-8;\377@example.org", PARAM_BAD, 0, "", NULL },
	{ " ORCPT=x400;a;b", PARAM_OK, 0, "x400;a;b", NULL },
	{ " ORCPT=bob@example.org", PARAM_BAD, 0, "", NULL },
	{ " ORCPT=;bob", PARAM_BAD, 0, "", NULL },
	{ " ORCPT=rfc822;", PARAM_BAD, 0, "", NULL },
	{ " ORCPT=", PARAM_BAD, 0, "", NULL },
	{ " ORCPT", PARAM_BAD, 0, "", NULL },
	{ " ORCPT=rfc(822;bob", PARAM_BAD, 0, "", NULL },
	{ " ORCPT=rfc822;bob+00@x", PARAM_BAD, 0, "", NULL },
	{ " ORCPT=rfc822;bob+7F@x", PARAM_BAD, 0, "", NULL },
	{ " ORCPT=rfc822;a ORCPT=rfc822;a", PARAM_BAD, 0, "", NULL },
	{ " ORCPT=x;" HUNDRED HUNDRED HUNDRED HUNDRED TEN TEN TEN TEN TEN TEN TEN TEN TEN "12345678", PARAM_OK, 0,
	  "x;" HUNDRED HUNDRED HUNDRED HUNDRED TEN TEN TEN TEN TEN TEN TEN TEN TEN "12345678", NULL },
	{ " ORCPT=x;" HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED, PARAM_BAD, 0, "", NULL },
};

static void
test_rcpt_params(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rcpt_rows) / sizeof(rcpt_rows[0]); i++) {
		struct rcpt_params params;
		struct slice which;

		ROW(i, rcpt_rows[i].in);
		assert_int_equal(params_rcpt(slice_str(rcpt_rows[i].in), 0, &params, &which), rcpt_rows[i].result);
		if (rcpt_rows[i].result == PARAM_OK) {
			assert_int_equal(params.notify, rcpt_rows[i].notify);
			assert_slice(slice_of(params.orcpt, params.orcpt_len), rcpt_rows[i].orcpt);
		} else if (rcpt_rows[i].which != NULL) {
			assert_slice(which, rcpt_rows[i].which);
		}
	}
}

static void
test_chunks(void **state)
{
	static const struct {
		const char		*argument;
		enum chunk_result	 result;
		uint64_t		 size;
		bool			 last;
	} rows[] = {
		{ "0", CHUNK_GOOD, 0, false },
		{ "10", CHUNK_GOOD, 10, false },
		{ "010 LAST", CHUNK_GOOD, 10, true },
		{ "0 last", CHUNK_GOOD, 0, true },
		{ "9223372036854775807 LAST", CHUNK_GOOD, CHUNK_SIZE_MAX, true },
		{ "10 FIRST", CHUNK_ODD, 10, false },
		{ "10 LASTLY", CHUNK_ODD, 10, false },
		{ "10 LAST LAST", CHUNK_ODD, 10, false },
		{ "10  LAST", CHUNK_ODD, 10, false },
		{ "10 ", CHUNK_ODD, 10, false },
		{ "", CHUNK_LOST, 0, false },
		{ " 10", CHUNK_LOST, 0, false },
		{ "LAST", CHUNK_LOST, 0, false },
		{ "LAST 10", CHUNK_LOST, 0, false },
		{ "9223372036854775808", CHUNK_LOST, 0, false },
		{ "18446744073709551617", CHUNK_LOST, 0, false },
		{ "000000000000000000001", CHUNK_LOST, 0, false },
		{ "-1", CHUNK_LOST, 0, false },
		{ "+1", CHUNK_LOST, 0, false },
		{ "0x10", CHUNK_LOST, 0, false },
		{ "1e3 LAST", CHUNK_LOST, 0, false },
		{ "10\tLAST", CHUNK_LOST, 0, false },
		{ "10,LAST", CHUNK_LOST, 0, false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct chunk chunk = { .size = 77 };

		ROW(i, rows[i].argument);
		assert_int_equal(chunk_parse(slice_str(rows[i].argument), &chunk), rows[i].result);
		assert_true(chunk.size == (rows[i].result == CHUNK_LOST ? 77 : rows[i].size));
		assert_int_equal(chunk.last, rows[i].last);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_commands),
		cmocka_unit_test(test_labels),
		cmocka_unit_test(test_chunks),
		cmocka_unit_test(test_mail_params),
		cmocka_unit_test(test_requiretls),
		cmocka_unit_test(test_mail_dsn),
		cmocka_unit_test(test_rcpt_params),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
