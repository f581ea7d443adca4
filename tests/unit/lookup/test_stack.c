/* test_stack — real libpam, a module that does as the row says, and what becomes of it. */
#include "lookup/pam/stack.h"

#include <security/pam_appl.h>
#include <stdio.h>

#include "base/clock.h"
#include "tests/support/tempdir.h"
#include "tests/support/testing.h"
#include "tests/unit/lookup/moody.h"

static char base[256];

static void
judge(const char *service, const char *login, struct slice password, struct sasl_answer *out)
{
	const struct sasl_said said = { .mechanism = SASL_PLAIN, .client = SLICE_LIT("\300\0\2\7") };
	struct stack stack;
	struct err err;

	assert_int_equal(stack_init(&stack, service, &err), 0);
	*out = (struct sasl_answer){ .why = "" };
	(void)snprintf(out->login, sizeof(out->login), "%s", login);
	stack_judge(&stack, &said, password, out);
}

/* Every code of PAM, from authenticate and from the account: as it comes out of the library, which joins the modules' answers. */
static void
test_codes(void **state)
{
	static const int wrong[] = { PAM_AUTH_ERR, PAM_USER_UNKNOWN, PAM_MAXTRIES, PAM_PERM_DENIED, PAM_ACCT_EXPIRED, PAM_NEW_AUTHTOK_REQD,
	    PAM_AUTHTOK_EXPIRED, PAM_CRED_EXPIRED, PAM_CONV_ERR, PAM_CONV_AGAIN, PAM_INCOMPLETE };
	char path[512], arguments[40];
	struct sasl_answer answer;

	(void)state;
	for (int code = PAM_SUCCESS; code < _PAM_RETURN_VALUES; code++) {
		enum sasl_result wanted = code == PAM_SUCCESS ? SASL_OK : SASL_TROUBLE;
		const char *why = NULL;

		for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
			if (wrong[i] == code)
				wanted = SASL_FAILED;
		assert_int_equal(stack_verdict(code, &why), wanted);
		assert_true((why[0] == '\0') == (code == PAM_SUCCESS));
		if (code == PAM_IGNORE)		/* "as if I were not here": nobody is left who could say yes */
			wanted = SASL_FAILED;
		for (int acct = 0; acct < 2; acct++) {
			(void)snprintf(arguments, sizeof(arguments), "%s=%d", acct ? "acct" : "auth", code);
			ROW(code, arguments);
			judge(moody_service(base, arguments, path), "bob", SLICE_LIT("pencil"), &answer);
			assert_int_equal(answer.result, wanted);
		}
	}
	assert_int_equal(stack_verdict(-1, &(const char *){ NULL }), SASL_TROUBLE);
	assert_int_equal(stack_verdict(_PAM_RETURN_VALUES, &(const char *){ NULL }), SASL_TROUBLE);
}

static void
test_talk(void **state)
{
	static const struct { const char *arguments, *password; enum sasl_result result; const char *text; } rows[] = {
		{ "ask=1", "pencil", SASL_OK, "bob" },
		{ "ask=1", "pen", SASL_FAILED, "authentication failure" },
		{ "ask=1 name text", "pencil", SASL_OK, "bob" },
		{ "ask=2", "pencil", SASL_FAILED, "PAM asks for more" },
		{ "strange", "pencil", SASL_FAILED, "PAM asks for more" },
		{ "seen", "pencil", SASL_OK, "bob" },
		{ "ask=1 user=robert", "pencil", SASL_OK, "robert" },
		{ "ask=1 user=robert", "pen", SASL_FAILED, "authentication failure" },
		{ "ask=1 user=", "pencil", SASL_TROUBLE, "PAM cannot tell" },
		{ "user=a\tb", "pencil", SASL_OK, "a" },	/* two arguments: PAM has split them */
		{ "user=\001", "pencil", SASL_TROUBLE, "PAM cannot tell" },
		{ "user=b\xff", "pencil", SASL_TROUBLE, "PAM cannot tell" },
	};
	struct sasl_answer answer;
	char path[512];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		ROW(i, rows[i].arguments);
		judge(moody_service(base, rows[i].arguments, path), "bob", slice_str(rows[i].password), &answer);
		assert_int_equal(answer.result, rows[i].result);
		assert_non_null(strstr(answer.result == SASL_OK ? answer.login : answer.why, rows[i].text));
	}
}

/* A password of every length that gets here, without its NUL in front of what follows. */
static void
test_long_password(void **state)
{
	char path[512], bytes[PASSWORD_MAX + 1];
	struct sasl_answer answer;

	(void)state;
	memset(bytes, 'x', sizeof(bytes));
	memcpy(bytes, "pencil", 6);
	(void)moody_service(base, "ask=1", path);
	judge(path, "bob", slice_of(bytes, 6), &answer);
	assert_int_equal(answer.result, SASL_OK);
	judge(path, "bob", slice_of(bytes, PASSWORD_MAX), &answer);
	assert_int_equal(answer.result, SASL_FAILED);
}

/* PAM would sleep for the module; here the gate does. */
static void
test_no_delay(void **state)
{
	int64_t began = clock_mono_ms();
	struct sasl_answer answer;
	char path[512];

	(void)state;
	judge(moody_service(base, "slow auth=7", path), "bob", SLICE_LIT("pencil"), &answer);
	assert_int_equal(answer.result, SASL_FAILED);
	assert_true(clock_mono_ms() - began < 20000);
}

/* What is the postmaster's mistake is nobody's wrong password. */
static void
test_services(void **state)
{
	static const struct { const char *name, *text; enum sasl_result result; } rows[] = {
		{ "none-of-this-name", NULL, SASL_TROUBLE },
		{ "no-module", "auth required pam_there_is_none.so\naccount required pam_permit.so\n", SASL_TROUBLE },
		{ "no-account-module", "auth required pam_permit.so\naccount required pam_there_is_none.so\n", SASL_TROUBLE },
		/* A line that PAM does not understand it takes for pam_deny, and says so with the same code. */
		{ "nonsense", "auth sometimes pam_permit.so\n", SASL_FAILED },
		{ "deny", "auth required pam_deny.so\naccount required pam_permit.so\n", SASL_FAILED },
		{ "deny-account", "auth required pam_permit.so\naccount required pam_deny.so\n", SASL_FAILED },
		{ "permit", "auth required pam_permit.so\naccount required pam_permit.so\n", SASL_OK },
	};
	struct sasl_answer answer;
	char path[512];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		ROW(i, rows[i].name);
		(void)tempdir_join(path, base, rows[i].name);
		if (rows[i].text != NULL)
			tempdir_write(path, rows[i].text);
		judge(path, "bob", SLICE_LIT("pencil"), &answer);
		assert_int_equal(answer.result, rows[i].result);
	}
	judge("posthorn-test-has-no-such-service", "bob", SLICE_LIT("pencil"), &answer);
	assert_int_equal(answer.result, SASL_TROUBLE);
	assert_non_null(strstr(answer.why, "no such PAM service"));
}

static void
test_init(void **state)
{
	static const struct { const char *service, *directory, *name; } rows[] = {
		{ "smtp", "", "smtp" }, { "/etc/posthorn/pam/smtp", "/etc/posthorn/pam/", "smtp" },
	};
	char text[STACK_NAME_MAX + 2], path[1200];
	struct stack stack;
	struct err err;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		ROW(i, rows[i].service);
		assert_int_equal(stack_init(&stack, rows[i].service, &err), 0);
		assert_string_equal(stack.directory, rows[i].directory);
		assert_string_equal(stack.name, rows[i].name);
	}
	memset(text, 'a', sizeof(text));
	text[STACK_NAME_MAX + 1] = '\0';
	assert_int_equal(stack_init(&stack, text, &err), -1);
	text[STACK_NAME_MAX] = '\0';
	assert_int_equal(stack_init(&stack, text, &err), 0);
	memset(path, '/', sizeof(path));
	path[sizeof(path) - 1] = '\0';
	assert_int_equal(stack_init(&stack, path, &err), -1);
}

static int
set_up(void **state)
{
	(void)state;
	tempdir_make(base);
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	tempdir_remove(base);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_codes), cmocka_unit_test(test_talk), cmocka_unit_test(test_long_password),
		cmocka_unit_test(test_no_delay), cmocka_unit_test(test_services), cmocka_unit_test(test_init),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
