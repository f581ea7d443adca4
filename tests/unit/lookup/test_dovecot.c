/* test_dovecot — attempts to log in, against a Dovecot that the test plays. */
#include "tests/unit/lookup/porch.h"

#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "tests/support/tempdir.h"

static int listener = -1, dovecot = -1;
static char heard[20000];

static int
setup(void **state)
{
	listener = dovecot = -1;
	return porch_setup(state);
}

static int
teardown(void **state)
{
	fd_close(&listener);
	fd_close(&dovecot);
	return porch_teardown(state);
}

static void
dovecot_listen(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	char path[512], users[600];

	(void)snprintf(address.sun_path, sizeof(address.sun_path), "%.90s/auth", the.base);
	(void)snprintf(path, sizeof(path), "%s", address.sun_path);
	listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	assert_int_equal(bind(listener, (const struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(listener, 5), 0);
	(void)snprintf(users, sizeof(users), "dovecot:%s", path);
	porch_open(users);
}

static void
dovecot_accept(void)
{
	int64_t end = clock_mono_ms() + 10000;

	fd_close(&dovecot);
	heard[0] = '\0';
	while ((dovecot = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK)) == -1) {
		assert_true(clock_mono_ms() < end);
		porch_rounds(2);
	}
}

static void
dovecot_say(const char *text)
{
	assert_int_equal(send(dovecot, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

/* Reads until it has heard this; then all that was heard is used up. */
static void
dovecot_hear(const char *text)
{
	int64_t end = clock_mono_ms() + 10000;
	size_t len = strlen(heard);

	while (strstr(heard, text) == NULL) {
		ssize_t n = recv(dovecot, heard + len, sizeof(heard) - 1 - len, MSG_DONTWAIT);

		if (n > 0)
			heard[len += (size_t)n] = '\0';
		if (clock_mono_ms() > end)
			fail_msg("wanted \"%s\", heard \"%s\"", text, heard);
		porch_rounds(2);
	}
	heard[0] = '\0';
}

#define HELLO	"VERSION\t1\t2\nMECH\tPLAIN\tplaintext\nMECH\tANONYMOUS\tanonymous\nMECH\tXOAUTH2\nMECH\tlower\nMECH\tEXTERNAL\nSPID\t1\nCUID\t2\nCOOKIE\tab\nDONE\n"

static void
dovecot_greet(void)
{
	unsigned before = the.offers;

	dovecot_say(HELLO);
	porch_until(&the.offers, before + 1);
	assert_string_equal(the.mechanisms, "PLAIN XOAUTH2");
}

static void
dovecot_open(void)
{
	dovecot_listen();
	dovecot_accept();
	dovecot_hear("VERSION\t1\t1\nCPID\t");
	porch_until(&the.offers, 1);		/* nothing, at first */
	dovecot_greet();
}

/* Dovecot sits on its no for seconds and gives its yes at once: who hangs up in between has failed. */
static void
test_hanging_up_counts(void **state)
{
	char line[60];

	(void)state;
	dovecot_open();
	for (uint64_t i = 1; i <= 5; i++) {
		porch_begin(i, "PLAIN", WRONG);
		(void)snprintf(line, sizeof(line), "AUTH\t%d\t", (int)i);
		dovecot_hear(line);
		porch_cancel(i);
		(void)snprintf(line, sizeof(line), "CANCEL\t%d\n", (int)i);
		dovecot_hear(line);
	}
	porch_begin(6, "PLAIN", RIGHT);
	(void)porch_expect(AUTH_LATER, 6, "too many failed logins");
}

static void
test_dovecot(void **state)
{
	(void)state;
	dovecot_open();
	porch_begin(1, "PLAIN", RIGHT);
	dovecot_hear("AUTH\t1\tPLAIN\tservice=smtp\tnologin\trip=192.0.2.7\tsecured\tresp=AGJvYgBwZW5jaWw=\n");
	dovecot_say("OK\t1\tuser=bob@example.org\tx=y\n");
	assert_string_equal(porch_expect(AUTH_OK, 1, "")->login, "bob@example.org");
	porch_begin(2, "PLAIN", WRONG);
	dovecot_hear("AUTH\t2\t");
	dovecot_say("FAIL\t2\tuser=bob\treason=no\1tsuch\n");
	(void)porch_expect(AUTH_FAILED, 2, "no\tsuch");
	porch_begin(3, "PLAIN", RIGHT);
	dovecot_hear("AUTH\t3\t");
	dovecot_say("FAIL\t3\tuser=bob\ttemp\n");
	(void)porch_expect(AUTH_LATER, 3, "");
	porch_begin_from(4, "XOAUTH2", NULL, "\300\0\2\7");
	dovecot_hear("AUTH\t4\tXOAUTH2\tservice=smtp\tnologin\trip=192.0.2.7\tsecured\n");
	dovecot_say("CONT\t4\teyJzdGF0dXMiOiI0MDAifQ==\n");
	(void)porch_expect(AUTH_CHALLENGE, 4, "{\"status\":\"400\"}");
	porch_say(4, SLICE_LIT(""));
	dovecot_hear("CONT\t4\t\n");
	dovecot_say("OK\t99\tuser=nobody\nFAIL\t4\tcode=temp_fail\n");	/* an id that is nobody's means nothing */
	(void)porch_expect(AUTH_LATER, 4, "");
	porch_begin(5, "PLAIN", RIGHT);
	dovecot_hear("AUTH\t5\t");
	porch_cancel(5);
	dovecot_hear("CANCEL\t5\n");
	dovecot_say("OK\t5\tuser=bob\n");
	porch_rounds(20);
	assert_int_equal(the.got, the.used);
	assert_int_equal(the.logins, 1);
}

static void
test_dovecot_away(void **state)
{
	(void)state;
	dovecot_open();
	porch_begin(1, "PLAIN", RIGHT);
	porch_begin_from(2, "XOAUTH2", NULL, "\300\0\2\7");
	dovecot_hear("AUTH\t2\t");
	dovecot_say("CONT\t2\t\n");
	(void)porch_expect(AUTH_CHALLENGE, 2, "");
	fd_close(&dovecot);
	(void)porch_expect(AUTH_LATER, 1, "Connection lost to authentication server");
	assert_string_equal(the.mechanisms, "PLAIN XOAUTH2");	/* it will be back */
	porch_say(2, SLICE_LIT("x"));		/* the client was thinking */
	(void)porch_expect(AUTH_LATER, 2, "Connection lost to authentication server");
	porch_begin(3, "PLAIN", RIGHT);
	(void)porch_expect(AUTH_LATER, 3, "");
	dovecot_accept();		/* the next try comes by itself */
	dovecot_greet();
	porch_begin(4, "PLAIN", RIGHT);
	dovecot_hear("AUTH\t4\t");
	dovecot_say("OK\t4\tuser=bob\n");
	(void)porch_expect(AUTH_OK, 4, "");
}

/* Whatever it says that is not the protocol costs it the connection, and nobody is let in by it. */
static void
test_dovecot_hostile(void **state)
{
	static const char *const lies[] = {
		"OK\t1\n", "OK\t1\tuser=\n", "OK\t0\tuser=bob\n", "OK\t1x\tuser=bob\n", "OK\t1\tuser=b\1xob\n", "OK\t1\tuser=b\1nob\n", "OK\t1\tuser=\xff\n",
		"CONT\t1\tno base64\n", "CONT\t1\tYQ\n", "DONE\n", "\n", "OK\n", "FAIL\n", "FAIL\tx\n", "VERSION\t2\t0\n", "MECH\n",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
		ROW(i, lies[i]);
		if (i == 0)
			dovecot_open();
		porch_begin(i + 1, "PLAIN", RIGHT);
		dovecot_hear("AUTH\t");
		if (strstr(lies[i], "\t1\t") != NULL) {
			char lie[100];

			(void)snprintf(lie, sizeof(lie), "%.*s\t%zu%s", (int)(strchr(lies[i], '\t') - lies[i]), lies[i], i + 1,
			    strchr(lies[i], '\t') + 2);
			dovecot_say(lie);
		} else {
			dovecot_say(lies[i]);
		}
		(void)porch_expect(AUTH_LATER, i + 1, "Connection lost to authentication server");
		dovecot_accept();
		dovecot_greet();
	}
	assert_int_equal(the.logins, 0);
}

#define GATE(fn)	cmocka_unit_test_setup_teardown(fn, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		GATE(test_hanging_up_counts), GATE(test_dovecot), GATE(test_dovecot_away), GATE(test_dovecot_hostile),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
