/* test_extensions — what MAIL and RCPT may say beside addresses, from the client to the queue: DSN (RFC 3461), SMTPUTF8 (RFC 6531). */
#include "tests/support/testing.h"
#include "tests/unit/smtpd/world.h"

#define STRANGER	"192.0.2.7"
#define MAIL		"MAIL FROM:<a@example.org>\r\n"
#define RCPT		"RCPT TO:<user@example.net>\r\n"

static struct world w;

static int
open_mx(void **state)
{
	(void)state;
	world_open(&w, ROLE_MX);
	return 0;
}

static int
close_world(void **state)
{
	(void)state;
	world_close(&w);
	return 0;
}

/* RFC 3461: what is said in MAIL and RCPT comes to the queue, also when the recipient waits for lookup; a name said twice counts once. */
static void
test_dsn(void **state)
{
	(void)state;
	world_hello(&w, STRANGER);
	world_say(&w, "MAIL FROM:<a@example.org> RET=HDRS ENVID=QQ+2B1\r\n"
	    "RCPT TO:<user@example.net> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;Us+65r@Example.net\r\n"
	    "RCPT TO:<user@example.net> NOTIFY=NEVER\r\nRCPT TO:<user1@example.net> ORCPT=rfc822;bad+00\r\n"
	    "RCPT TO:<user1@example.net> NOTIFY=NEVER\r\nRCPT TO:<user2@example.net>\r\nDATA\r\n");
	world_expect(&w, "250 2.1.0 Ok");
	world_expect(&w, "250 2.1.5 Ok");
	world_expect(&w, "250 2.1.5 Ok");
	world_expect(&w, "501 5.5.4 Bad option: ORCPT=rfc822;bad+00");
	world_expect(&w, "250 2.1.5 Ok");
	world_expect(&w, "250 2.1.5 Ok");
	world_expect(&w, "354 ");
	world_say(&w, "Subject: hi\r\n\r\n.\r\n");
	world_expect(&w, "250 2.0.0 Ok");
	assert_int_equal(w.stored[0].ret, RET_HDRS);
	assert_string_equal(w.stored[0].dsn, "QQ+1 5:rfc822;User@Example.net 8: 0:");
	world_talk(&w, "MAIL FROM:<a@example.org> RET=SOME\r\n", "501 5.5.4 Bad option: RET=SOME");
	world_talk(&w, MAIL, "250 2.1.0 Ok");		/* nothing of it is left in the next transaction */
	world_talk(&w, RCPT, "250 2.1.5 Ok");
	world_talk(&w, "DATA\r\n", "354 ");
	world_say(&w, "Subject: hi\r\n\r\n.\r\n");
	world_expect(&w, "250 2.0.0 Ok");
	assert_true(w.stored[1].ret == RET_NONE);
	assert_string_equal(w.stored[1].dsn, " 0:");
}

/* RFC 6531: addresses outside ASCII where SMTPUTF8 was said, and only there; Received says so. */
static void
test_smtputf8(void **state)
{
	(void)state;
	world_hello(&w, STRANGER);
	world_talk(&w, "MAIL FROM:<j\303\274@example.org>\r\n", "553 5.6.7");
	world_talk(&w, "MAIL FROM:<j\303\274@example.org> SMTPUTF8=\r\n", "501 5.5.4 Bad option: SMTPUTF8=");
	world_talk(&w, "MAIL FROM:<j\302\205@example.org> SMTPUTF8\r\n", "501 5.1.7");
	world_talk(&w, MAIL, "250 2.1.0 Ok");
	world_talk(&w, "RCPT TO:<\303\274ser@example.net>\r\n", "553 5.6.7");
	world_talk(&w, "RSET\r\n", "250 2.0.0 Ok");
	world_talk(&w, "MAIL FROM:<j\303\274@B\303\234cher.example> SMTPUTF8\r\n", "250 2.1.0 Ok");
	world_talk(&w, "VRFY \303\274ser SMTPUTF8\r\n", "252 2.0.0");
	world_talk(&w, "VRFY \377\r\n", "252 2.0.0");
	world_talk(&w, "RCPT TO:<user\303\274@example.net>\r\n", "250 2.1.5 Ok");
	world_talk(&w, "DATA\r\n", "354 ");
	world_say(&w, "Subject: gr\303\274n\r\n\r\n.\r\n");
	world_expect(&w, "250 2.0.0 Ok");
	assert_true(w.stored[0].smtputf8);
	assert_slice(buf_slice(&w.stored[0].sender), "j\303\274@b\303\274cher.example");
	assert_slice(buf_slice(&w.stored[0].recipients), "user\303\274@example.net\n");
	assert_non_null(strstr(buf_cstr(&w.stored[0].content), "with UTF8SMTP id "));
	assert_non_null(strstr(buf_cstr(&w.stored[0].content), "for <user\303\274@example.net>;"));
	world_talk(&w, MAIL, "250 2.1.0 Ok");		/* nothing of it is left in the next transaction */
	world_talk(&w, "RCPT TO:<user\303\274@example.net>\r\n", "553 5.6.7");
	world_talk(&w, RCPT, "250 2.1.5 Ok");
	world_talk(&w, "DATA\r\n", "354 ");
	world_say(&w, "Subject: hi\r\n\r\n.\r\n");
	world_expect(&w, "250 2.0.0 Ok");
	assert_false(w.stored[1].smtputf8);
	assert_non_null(strstr(buf_cstr(&w.stored[1].content), "with ESMTP id "));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_dsn, open_mx, close_world),
		cmocka_unit_test_setup_teardown(test_smtputf8, open_mx, close_world),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
