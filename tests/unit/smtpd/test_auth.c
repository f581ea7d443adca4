/*
 * AUTH: dialogues with a session that stands below TLS, or does not; lookup's part is the test's own.
 *
 * bob's password is pencil; later's login is trouble; hold's is never answered; nobody else exists.
 */
#include <stdio.h>
#include <sys/socket.h>

#include "base/fd.h"
#include "tests/support/testing.h"
#include "tests/unit/smtpd/lobby.h"

#define STRANGER	"192.0.2.7"
#define FRIEND		"10.1.2.3"
#define MAIL		"MAIL FROM:<a@example.org>\r\n"
#define BOB		"AUTH PLAIN AGJvYgBwZW5jaWw=\r\n"
#define BOB_WRONG	"AUTH PLAIN AGJvYgBwZW4=\r\n"
#define LATER		"AUTH PLAIN AGxhdGVyAHg=\r\n"
#define HOLD		"AUTH PLAIN AGhvbGQAeA==\r\n"

static struct lobby lobby;
static struct channel *lookup;		/* the auth wire's other end */
static unsigned begun, cancelled, resumed;
static bool forgetful;
static struct {
	char		mechanism[AUTH_MECHANISM_MAX + 1], client[16];
	size_t		client_len;
	bool		secure, has_response;
	uint32_t	channel_count;
	enum auth_binding type;
	size_t		response_len;
} last;

/* --- lookup --- */

static void
deny(uint64_t serial, uint16_t type, const char *login, const char *text)
{
	auth_denied_put(channel_begin(lookup, type), &(struct auth_denied){ serial, slice_str(login), slice_str(text) });
	assert_int_equal(channel_end(lookup), 0);
}

static void
challenge(uint64_t serial, const char *text)
{
	auth_piece_put(channel_begin(lookup, AUTH_CHALLENGE), &(struct auth_piece){ serial, slice_str(text) });
	assert_int_equal(channel_end(lookup), 0);
}

static void
judge(uint64_t serial, struct slice said)
{
	if (slice_eq(said, SLICE_LIT("\0bob\0pencil")) || slice_eq(said, SLICE_LIT("pencil"))) {
		auth_granted_put(channel_begin(lookup, AUTH_OK), &(struct auth_granted){ serial, { 7, 9 }, SLICE_LIT("bob") });
		assert_int_equal(channel_end(lookup), 0);
	} else if (slice_eq(said, SLICE_LIT("bob"))) {
		challenge(serial, "Password:");
	} else if (slice_eq(said, SLICE_LIT("\0later\0x"))) {
		deny(serial, AUTH_LATER, "later", "Connection lost to authentication server: a test");
	} else if (!slice_eq(said, SLICE_LIT("\0hold\0x"))) {
		deny(serial, AUTH_FAILED, "b\nb", said.len == 0 ? "empty" : "authentication failure");
	}
}

static int
on_begin(void *arg, struct reader *r, int fd)
{
	struct auth_begin begin;

	(void)arg;
	(void)fd;
	assert_int_equal(auth_begin_get(r, &begin), 0);
	begun++;
	snprintf(last.mechanism, sizeof(last.mechanism), "%.*s", SLICE_FMT(begin.mechanism));
	memcpy(last.client, begin.client.p, last.client_len = begin.client.len);
	last.secure = begin.secure;
	last.has_response = begin.has_response;
	last.response_len = begin.response.len;
	last.channel_count = begin.channel_count;
	last.type = begin.channels[0].type;
	if (begin.has_response)
		judge(begin.serial, begin.response);
	else
		challenge(begin.serial, strcmp(last.mechanism, "LOGIN") == 0 ? "Username:" : "");
	return 0;
}

static int
on_continue(void *arg, struct reader *r, int fd)
{
	struct auth_piece piece;

	(void)arg;
	(void)fd;
	assert_int_equal(auth_piece_get(r, &piece), 0);
	judge(piece.serial, piece.bytes);
	return 0;
}

static int
on_resume(void *arg, struct reader *r, int fd)
{
	struct auth_granted granted;

	(void)arg;
	(void)fd;
	assert_int_equal(auth_granted_get(r, &granted), 0);
	assert_true(granted.token.high == 7 && slice_eq(granted.login, SLICE_LIT("bob")));
	resumed++;
	if (forgetful) {
		deny(granted.serial, AUTH_LATER, "bob", "who is that?");
		return 0;
	}
	auth_granted_put(channel_begin(lookup, AUTH_OK), &granted);
	return channel_end(lookup);
}

static int
on_cancel(void *arg, struct reader *r, int fd)
{
	uint64_t serial;

	(void)arg;
	(void)fd;
	cancelled++;
	return auth_serial_get(r, &serial);
}

static void
on_end(void *arg, const char *why)
{
	(void)arg;
	(void)why;
	channel_close(&lookup);
}

static const struct frame_handler handlers[AUTH_FRAME_COUNT] = {
	[AUTH_BEGIN] = { "begin", on_begin, false }, [AUTH_CONTINUE] = { "continue", on_continue, false },
	[AUTH_CANCEL] = { "cancel", on_cancel, false }, [AUTH_RESUME] = { "resume", on_resume, false },
};
static const struct channel_ops ops = { "auth", AUTH_VERSION, handlers, AUTH_FRAME_COUNT, on_end, NULL, false };

static void
open_lookup(const char *mechanisms)
{
	struct err err;
	int pair[2];

	channel_close(&lookup);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair), 0);
	assert_non_null(lookup = channel_open(lobby.w.loop, pair[0], &ops, NULL, &err));
	logins_wire(lobby.home.logins, pair[1]);
	auth_mechanisms_put(channel_begin(lookup, AUTH_MECHANISMS), slice_str(mechanisms));
	assert_int_equal(channel_end(lookup), 0);
	world_run_round(&lobby.w);
}

/* --- the fixture --- */

/* Who may write as whom is test_sender's business. */
static void
all_senders(struct conf *conf)
{
	conf->submission.sender_rights = SENDER_RIGHTS_OFF;
}

static int
setup(void **state)
{
	(void)state;
	begun = cancelled = resumed = 0;
	forgetful = false;
	lobby_open(&lobby, all_senders);
	open_lookup("PLAIN LOGIN SCRAM-SHA-256-PLUS");
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	channel_close(&lookup);
	lobby_close(&lobby);
	return 0;
}

static void
hello_secure(void)
{
	assert_non_null(strstr(lobby_hello(&lobby, STRANGER, true), " AUTH PLAIN LOGIN DSN "));
}

/* --- what is offered --- */

static void
test_offers(void **state)
{
	static const char exporter[] = "exporter bytes";

	(void)state;
	assert_null(strstr(lobby_hello(&lobby, STRANGER, false), "AUTH"));
	world_talk(&lobby.w, BOB, "538 5.7.11");
	world_talk(&lobby.w, MAIL, "530 5.7.0");
	world_talk(&lobby.w, "MAIL FROM:<a@example.org> AUTH=<>\r\n", "530 5.7.0");
	hello_secure();
	lobby.session->bindings.count = 1;
	lobby.session->bindings.each[0].type = BINDING_TLS_EXPORTER;
	lobby.session->bindings.each[0].len = sizeof(exporter) - 1;
	memcpy(lobby.session->bindings.each[0].data, exporter, sizeof(exporter));
	assert_non_null(strstr(world_ehlo(&lobby.w), " AUTH PLAIN LOGIN SCRAM-SHA-256-PLUS "));
	world_talk(&lobby.w, "AUTH SCRAM-SHA-256-PLUS\r\n", "334 ");
	assert_int_equal(last.channel_count, 1);
	assert_int_equal(last.type, BINDING_TLS_EXPORTER);
	world_talk(&lobby.w, "*\r\n", "501 5.7.0");
	hello_secure();
	world_talk(&lobby.w, "AUTH SCRAM-SHA-256-PLUS\r\n", "504 5.5.4");	/* nothing to bind to */
	world_talk(&lobby.w, "AUTH\r\n", "501 5.5.4 Syntax: AUTH mechanism");
}

/* Nobody may do without: networks that may relay elsewhere neither. */
static void
test_required(void **state)
{
	(void)state;
	assert_non_null(strstr(lobby_hello(&lobby, FRIEND, true), " AUTH PLAIN LOGIN "));
	world_talk(&lobby.w, MAIL, "530 5.7.0");
	world_talk(&lobby.w, BOB, "235 2.7.0");
	world_talk(&lobby.w, MAIL, "250 2.1.0");
	assert_int_equal(last.client_len, 4);
	assert_memory_equal(last.client, "\12\1\2\3", 4);
	assert_true(last.secure);
}

static void
test_elsewhere(void **state)
{
	(void)state;
	lobby.home.role = ROLE_MX;
	assert_null(strstr(lobby_hello(&lobby, STRANGER, true), "AUTH"));
	world_talk(&lobby.w, BOB, "503 5.5.1 Error: authentication not enabled");
	world_talk(&lobby.w, "MAIL FROM:<a@example.org> AUTH=<>\r\n", "555 5.5.4");
	assert_int_equal(begun, 0);
}

/* --- mail that requires TLS --- */

static void
send_message(const char *mail, const char *content)
{
	world_talk(&lobby.w, mail, "250 2.1.0");
	world_talk(&lobby.w, "RCPT TO:<x@elsewhere.example>\r\n", "250 2.1.5");
	lobby.session->secure = false;	/* as below */
	world_talk(&lobby.w, "DATA\r\n", "354 ");
	world_say(&lobby.w, content);
	world_expect(&lobby.w, "250 2.0.0");
	lobby.session->secure = true;
}

/* RFC 8689 2, 3, 4.1: what MAIL and the header say, and which of the two counts; nothing is left in the next transaction. */
static void
test_requiretls(void **state)
{
	static const struct { const char *mail, *content; enum tls_tag tag; } rows[] = {
		{ "MAIL FROM:<a@example.org> REQUIRETLS\r\n", "Subject: x\r\n\r\n.\r\n", TLS_TAG_REQUIRED },
		{ MAIL, "Subject: x\r\n\r\n.\r\n", TLS_TAG_NONE },
		{ MAIL, "TLS-Required: No\r\n\r\n.\r\n", TLS_TAG_OPTIONAL },
		{ MAIL, "Subject: x\r\ntls-required:\r\n\tNO \r\n\r\n.\r\n", TLS_TAG_OPTIONAL },
		{ MAIL, "TLS-Required: No\r\n.\r\n", TLS_TAG_OPTIONAL },
		{ "MAIL FROM:<a@example.org> requiretls\r\n", "TLS-Required: No\r\n\r\n.\r\n", TLS_TAG_REQUIRED },
		{ MAIL, "TLS-Required: No\r\nTLS-Required: No\r\n\r\n.\r\n", TLS_TAG_NONE },
		{ MAIL, "TLS-Required: Yes\r\n\r\n.\r\n", TLS_TAG_NONE },
		{ MAIL, "TLS-Required:\r\n\r\n.\r\n", TLS_TAG_NONE },
		{ MAIL, "TLS-Required: Nothing\r\n\r\n.\r\n", TLS_TAG_NONE },
		{ MAIL, "Subject: x\r\n\r\nTLS-Required: No\r\n.\r\n", TLS_TAG_NONE },
	};

	(void)state;
	hello_secure();
	world_talk(&lobby.w, BOB, "235 2.7.0");
	world_talk(&lobby.w, "MAIL FROM:<a@example.org> REQUIRETLS=\r\n", "501 5.5.4 Bad option: REQUIRETLS=");
	world_talk(&lobby.w, "MAIL FROM:<a@example.org> REQUIRETLS REQUIRETLS\r\n", "501 5.5.4");
	lobby.session->secure = false;
	world_talk(&lobby.w, "MAIL FROM:<a@example.org> REQUIRETLS SIZE=5\r\n", "555 5.5.4 Unsupported option: REQUIRETLS");
	lobby.session->secure = true;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		send_message(rows[i].mail, rows[i].content);
		if (lobby.w.stored[i].tls != rows[i].tag)
			ROW(i, rows[i].content);
		assert_int_equal(lobby.w.stored[i].tls, rows[i].tag);
	}
}

/* --- a message of bob's --- */

static void
test_a_message(void **state)
{
	(void)state;
	hello_secure();
	world_talk(&lobby.w, "auth plain AGJvYgBwZW5jaWw=\r\n", "235 2.7.0 Authentication successful");
	assert_string_equal(last.mechanism, "PLAIN");
	world_talk(&lobby.w, "MAIL FROM:<bob@example.net> AUTH=e+3Dmc2@example.com SIZE=10\r\n", "250 2.1.0");
	world_talk(&lobby.w, "RCPT TO:<x@elsewhere.example>\r\n", "250 2.1.5");
	lobby.session->secure = false;	/* there is no TLS whose facts Received could tell; ESMTPSA is the system test's */
	world_talk(&lobby.w, "DATA\r\n", "354 ");
	world_talk(&lobby.w, "Subject: x\r\n\r\n.\r\n", "250 2.0.0");
	assert_int_equal(lobby.w.stored_count, 1);
	assert_true(lobby.w.stored[0].token.high == 7 && lobby.w.stored[0].token.low == 9);
	assert_non_null(strstr(buf_cstr(&lobby.w.stored[0].content), " with ESMTPA id "));
	assert_null(strstr(buf_cstr(&lobby.w.stored[0].content), "bob"));	/* a login is nobody's business */
	assert_true(world_logged(&lobby.w, "=PLAIN"));
	assert_true(world_logged(&lobby.w, "=bob\n"));
	lobby.session->secure = true;
	world_talk(&lobby.w, BOB, "503 5.5.1 Error: already authenticated");
	world_talk(&lobby.w, MAIL, "250");
	world_talk(&lobby.w, BOB, "503 5.5.1");
	world_talk(&lobby.w, "RSET\r\n", "250");
	(void)world_ehlo(&lobby.w);		/* who is in stays in */
	world_talk(&lobby.w, MAIL, "250");
	world_talk(&lobby.w, "QUIT\r\n", "221");
	world_expect_close(&lobby.w);
	world_until(&lobby.w, &cancelled, 1);
}

static void
test_mail_parameter(void **state)
{
	(void)state;
	hello_secure();
	world_talk(&lobby.w, BOB, "235");
	world_talk(&lobby.w, "MAIL FROM:<a@example.org> AUTH=\r\n", "501 5.5.4");
	world_talk(&lobby.w, "MAIL FROM:<a@example.org> AUTH=a=b\r\n", "501 5.5.4");
	world_talk(&lobby.w, "MAIL FROM:<a@example.org> AUTH=a+3g\r\n", "501 5.5.4");
	world_talk(&lobby.w, "MAIL FROM:<a@example.org> AUTH=<> AUTH=<>\r\n", "501 5.5.4");
	world_talk(&lobby.w, "MAIL FROM:<a@example.org> AUTH=<>\r\n", "250 2.1.0");
}

/* --- dialogues --- */

static const struct {
	const char	*name;
	const char	*talk[5][2];		/* said, answered */
} dialogues[] = {
	{ "LOGIN", { { "AUTH LOGIN\r\n", "334 VXNlcm5hbWU6" }, { "Ym9i\r\n", "334 UGFzc3dvcmQ6" }, { "cGVuY2ls\r\n", "235 2.7.0" } } },
	{ "LOGIN with a login", { { "AUTH LOGIN Ym9i\r\n", "334 UGFzc3dvcmQ6" }, { "cGVuY2ls\r\n", "235 2.7.0" } } },
	{ "PLAIN in two steps", { { "AUTH PLAIN\r\n", "334 " }, { "AGJvYgBwZW5jaWw=\r\n", "235 2.7.0" } } },
	{ "an empty initial response", { { "AUTH PLAIN =\r\n", "535 5.7.8" } } },
	{ "an empty response", { { "AUTH PLAIN\r\n", "334 " }, { "\r\n", "535 5.7.8" } } },
	{ "a wrong password", { { BOB_WRONG, "535 5.7.8" }, { BOB, "235 2.7.0" } } },
	{ "another mechanism behind a failure", { { BOB_WRONG, "535 5.7.8" }, { "AUTH LOGIN\r\n", "334 VXNlcm5hbWU6" }, { "Ym9i\r\n", "334 UGFzc3dvcmQ6" },
	    { "cGVuY2ls\r\n", "235 2.7.0" } } },
	{ "given up", { { "AUTH LOGIN\r\n", "334 VXNlcm5hbWU6" }, { "*\r\n", "501 5.7.0 Authentication aborted" }, { "NOOP\r\n", "250" }, { BOB, "235" } } },
	{ "given up later", { { "AUTH LOGIN Ym9i\r\n", "334 UGFzc3dvcmQ6" }, { "*\r\n", "501 5.7.0" }, { "cGVuY2ls\r\n", "500 5.5.2" } } },
	{ "no base64", { { "AUTH PLAIN AGJ\r\n", "501 5.5.2" }, { "AUTH PLAIN\r\n", "334 " }, { "AGJvYgBwZW5jaWw\r\n", "501 5.5.2" }, { BOB, "235" } } },
	{ "a space too many", { { "AUTH PLAIN AGJvYgBwZW5jaWw= x\r\n", "501 5.5.2" } } },
	{ "a star in front", { { "AUTH PLAIN *\r\n", "501 5.5.2" } } },
	{ "no mechanism", { { "AUTH\r\n", "501 5.5.4" } } },
	{ "another mechanism", { { "AUTH CRAM-MD5\r\n", "504 5.5.4" }, { "AUTH PLAI AGJvYgBwZW5jaWw=\r\n", "504 5.5.4" },
	    { "AUTH PLAIN-X\r\n", "504 5.5.4" }, { "AUTH AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\r\n", "504 5.5.4" } } },
	{ "trouble", { { LATER, "454 4.7.0 Temporary authentication failure" }, { BOB, "235" } } },
};

static void
test_dialogues(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(dialogues) / sizeof(dialogues[0]); i++) {
		ROW(i, dialogues[i].name);
		hello_secure();
		for (size_t k = 0; k < 5 && dialogues[i].talk[k][0] != NULL; k++)
			world_talk(&lobby.w, dialogues[i].talk[k][0], dialogues[i].talk[k][1]);
	}
	assert_null(strstr(buf_cstr(&lobby.w.texts), "cGVuY2ls"));
	assert_null(strstr(buf_cstr(&lobby.w.texts), "pencil"));
}

/* Who does not wait for our word has said his password where commands are looked at, and logged. */
static void
test_no_password_in_the_log(void **state)
{
	(void)state;
	hello_secure();
	world_talk(&lobby.w, "AUTH LOGIN\r\n", "334 VXNlcm5hbWU6");
	world_say(&lobby.w, "Ym9i\r\ncGVuY2ls\r\n");
	world_expect(&lobby.w, "554 5.5.0");
	world_expect_close(&lobby.w);
	hello_secure();
	world_say(&lobby.w, "AUTH PLAIN\r\nAGJvYgBwZW5jaWw=\r\n");
	world_expect(&lobby.w, "554 5.5.0");
	world_expect_close(&lobby.w);
	assert_true(world_logged(&lobby.w, "not shown"));
	assert_false(world_logged(&lobby.w, "cGVuY2ls"));
	assert_false(world_logged(&lobby.w, "AGJvYgBwZW5jaWw="));
}

/* Three, and it is over; log readers see each in Postfix's words, and nothing of the client's that could be a line of its own. */
static void
test_three_failures(void **state)
{
	(void)state;
	hello_secure();
	world_talk(&lobby.w, BOB_WRONG, "535 5.7.8 Error: authentication failed");
	assert_true(world_logged(&lobby.w, "unknown[192.0.2.7]: SASL PLAIN authentication failed: authentication failure, sasl_username=b\\x0ab"));
	world_talk(&lobby.w, BOB_WRONG, "535 5.7.8");
	world_talk(&lobby.w, BOB_WRONG, "535 5.7.8");
	world_expect(&lobby.w, "421 4.7.0");
	world_expect_close(&lobby.w);
	assert_int_equal(lobby.w.events[EVENT_TOO_MANY_ERRORS], 1);
}

static void
test_lookup_goes(void **state)
{
	(void)state;
	hello_secure();
	world_say(&lobby.w, HOLD);				/* while it checks */
	world_until(&lobby.w, &begun, 1);
	open_lookup("PLAIN LOGIN");
	world_expect(&lobby.w, "454 4.7.0");
	assert_true(world_logged(&lobby.w, "SASL PLAIN authentication failed: Connection lost to authentication server"));
	world_talk(&lobby.w, "AUTH LOGIN\r\n", "334 ");	/* while the client thinks */
	open_lookup("PLAIN LOGIN");
	world_talk(&lobby.w, "Ym9i\r\n", "454 4.7.0");
	channel_close(&lookup);				/* and for good */
	world_run_round(&lobby.w);
	world_talk(&lobby.w, BOB, "454 4.7.0");
	open_lookup("PLAIN LOGIN");
	world_talk(&lobby.w, BOB, "235 2.7.0");
	world_talk(&lobby.w, MAIL, "250");
	open_lookup("PLAIN LOGIN");			/* the next one hears of bob */
	world_until(&lobby.w, &resumed, 1);
	world_talk(&lobby.w, "RSET\r\n", "250");
	world_talk(&lobby.w, MAIL, "250");
	world_talk(&lobby.w, "RSET\r\n", "250");
	forgetful = true;
	open_lookup("PLAIN LOGIN");			/* and that one has never heard of him */
	world_until(&lobby.w, &resumed, 2);
	world_run_round(&lobby.w);
	world_talk(&lobby.w, MAIL, "421 4.3.2");
	world_expect_close(&lobby.w);
}

/* The same within a transaction: our trouble is never a refusal for ever, and nothing goes to queue in nobody's name. */
static void
test_login_lost_in_mail(void **state)
{
	static const char *const said[] = { "RCPT TO:<y@elsewhere.example>\r\n", "BDAT 3 LAST\r\nx\r\n" };

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		forgetful = false;
		resumed = 0;
		hello_secure();
		world_talk(&lobby.w, BOB, "235 2.7.0");
		world_talk(&lobby.w, MAIL, "250");
		world_talk(&lobby.w, "RCPT TO:<x@elsewhere.example>\r\n", "250");
		lobby.session->secure = false;	/* as above */
		forgetful = true;
		open_lookup("PLAIN LOGIN");
		world_until(&lobby.w, &resumed, 1);
		world_run_round(&lobby.w);
		world_talk(&lobby.w, said[i], "421 4.3.2");
		world_expect_close(&lobby.w);
		assert_int_equal(lobby.w.stored_count, 0);
		open_lookup("PLAIN LOGIN");
	}
}

/* A client that goes, or says more than it may, takes its attempt with it. */
static void
test_rude_clients(void **state)
{
	static const struct {
		const char	*said, *answer;
	} rows[] = {
		{ HOLD "NOOP\r\n", "554 5.5.0" }, { BOB "MAIL FROM:<a@example.org>\r\n", "554 5.5.0" }, { "AUTH PLAIN\r\nAGJvYgBwZW5jaWw=\r\n", "554 5.5.0" },
		{ "AUTH PLAIN\n", "550 5.6.11" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		ROW(i, rows[i].said);
		hello_secure();
		world_talk(&lobby.w, rows[i].said, rows[i].answer);
		world_expect_close(&lobby.w);
	}
	assert_int_equal(begun, 0);
	hello_secure();
	world_talk(&lobby.w, "AUTH PLAIN\r\n", "334 ");
	world_talk(&lobby.w, "AGJvYgBwZW5jaWw=\r\nNOOP\r\n", "554 5.5.0");
	world_expect_close(&lobby.w);
	hello_secure();
	world_talk(&lobby.w, "AUTH PLAIN\r\n", "334 ");
	world_talk(&lobby.w, "AGJvYgBwZW5jaWw=\n", "550 5.6.11");
	world_expect_close(&lobby.w);
	hello_secure();
	world_say(&lobby.w, HOLD);
	world_until(&lobby.w, &begun, 3);
	world_hang_up(&lobby.w);
	session_kill(lobby.session);
	world_until(&lobby.w, &cancelled, 3);
}

static void
test_long_lines(void **state)
{
	static char line[20000];

	(void)state;
	hello_secure();
	memset(line, 'A', sizeof(line));
	memcpy(line, "AUTH PLAIN ", 11);
	memcpy(line + 11 + 12276, "\r\n", 3);		/* 12,288 with the verb, and CRLF */
	line[11 + 12276 - 1] = 'A';
	world_talk(&lobby.w, line, "535 5.7.8");
	assert_int_equal(last.response_len, 12276 / 4 * 3);
	memset(line + 11, 'A', 16000);
	memcpy(line + 14000, "\r\n", 3);
	world_talk(&lobby.w, line, "500 5.5.6");
	world_talk(&lobby.w, "AUTH PLAIN\r\n", "334 ");
	world_talk(&lobby.w, line, "500 5.5.6");
	world_until(&lobby.w, &cancelled, 1);
	world_talk(&lobby.w, "NOOP\r\n", "250");
	memcpy(line, "NOOP", 4);
	memcpy(line + 3000, "\r\n", 3);
	world_talk(&lobby.w, line, "500 5.5.2");		/* other commands are no longer for it */
	world_talk(&lobby.w, BOB, "235");
}

#define AUTH(fn)	cmocka_unit_test_setup_teardown(fn, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		AUTH(test_offers), AUTH(test_required), AUTH(test_elsewhere), AUTH(test_requiretls), AUTH(test_a_message), AUTH(test_mail_parameter), AUTH(test_dialogues),
		AUTH(test_no_password_in_the_log), AUTH(test_three_failures), AUTH(test_lookup_goes), AUTH(test_login_lost_in_mail), AUTH(test_rude_clients), AUTH(test_long_lines),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
