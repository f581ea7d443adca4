/*
 * As whom a client that has logged in may write, and what is added to what it sends: sessions of bob, beside lookup's rule in world.h.
 */
#include "tests/support/testing.h"

#include <stdio.h>

#include "tests/unit/smtpd/lobby.h"

#define BODY_LINE	"hello\r\n"

static struct lobby lobby;
static enum sender_rights rights;
static bool hidden;

static void
configure(struct conf *conf)
{
	conf->submission.sender_rights = rights;
	conf->submission.hide_client = hidden;
	conf->smtpd.header_size = 1 << 20;
}

static int
teardown(void **state)
{
	(void)state;
	lobby_close(&lobby);
	rights = SENDER_RIGHTS_REJECT;
	hidden = false;
	return 0;
}

/* bob, behind a TLS that is not there: his facts in Received are the system test's. */
static void
enter(const char *login)
{
	if (lobby.w.loop == NULL)
		lobby_open(&lobby, configure);
	(void)lobby_hello(&lobby, "192.0.2.7", false);
	if (login == NULL)
		return;
	lobby.session->login.live = true;
	snprintf(lobby.session->login.name, sizeof(lobby.session->login.name), "%s", login);
}

static int
setup(void **state)
{
	(void)state;
	lobby.w.loop = NULL;
	return 0;
}

static void
send_message(const char *content)
{
	world_talk(&lobby.w, "MAIL FROM:<bob@example.org>\r\n", "250 2.1.0");
	world_talk(&lobby.w, "RCPT TO:<user@example.net>\r\n", "250 2.1.5");
	world_talk(&lobby.w, "DATA\r\n", "354");
	world_say(&lobby.w, content);
	world_say(&lobby.w, ".\r\n");
}

/* What the last message has behind our trace header. */
static const char *
stored(void)
{
	const char *all = buf_cstr(&lobby.w.stored[lobby.w.stored_count - 1].content);
	const char *date = strstr(all, ";\r\n\t");

	assert_non_null(date);
	return strstr(date + 4, "\r\n") + 2;
}

/* --- MAIL --- */

static const struct {
	enum sender_rights	 rights;
	const char		*login, *mail, *reply;
	unsigned		 asked, warned;
} paths[] = {
	{ SENDER_RIGHTS_REJECT, "bob", "MAIL FROM:<bob@example.org>\r\n", "250 2.1.0", 1, 0 },
	{ SENDER_RIGHTS_REJECT, "bob", "MAIL FROM:<>\r\n", "250 2.1.0", 0, 0 },
	{ SENDER_RIGHTS_REJECT, "bob", "MAIL FROM:<eve@example.org>\r\n",
	  "553 5.7.1 <eve@example.org>: Sender address rejected: not owned by user bob", 1, 0 },
	{ SENDER_RIGHTS_REJECT, "b\303\266b", "MAIL FROM:<eve@example.org>\r\n",
	  "553 5.7.1 <eve@example.org>: Sender address rejected: not owned by user b", 1, 0 },
	{ SENDER_RIGHTS_REJECT, "bob", "MAIL FROM:<later@example.org>\r\n", "451 4.3.0", 1, 0 },
	{ SENDER_RIGHTS_NONE, "bob", "MAIL FROM:<eve@example.org>\r\n", "553 5.7.1", 1, 0 },
	{ SENDER_RIGHTS_WARN, "bob", "MAIL FROM:<eve@example.org>\r\n", "250 2.1.0", 1, 1 },
	{ SENDER_RIGHTS_WARN, "bob", "MAIL FROM:<later@example.org>\r\n", "451 4.3.0", 1, 0 },
	{ SENDER_RIGHTS_OFF, "bob", "MAIL FROM:<eve@example.org>\r\n", "250 2.1.0", 0, 0 },
};

static void
test_paths(void **state)
{
	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		bool taken = paths[i].reply[0] == '2';

		ROW(i, paths[i].mail);
		rights = paths[i].rights;
		enter(paths[i].login);
		world_talk(&lobby.w, paths[i].mail, paths[i].reply);
		assert_int_equal(lobby.w.senders_asked, paths[i].asked);
		assert_int_equal(lobby.session->tx != NULL, taken);
		assert_int_equal(lobby.session->counts[VERB_MAIL].ok, taken);
		world_log(&lobby.w);
		assert_int_equal(lobby.w.events[EVENT_REJECT_WARNING], paths[i].warned);
		assert_int_equal(lobby.w.events[EVENT_REJECT], !taken);
		(void)teardown(state);
		(void)setup(state);
	}
	enter("bob");
}

/* What is pipelined behind MAIL waits, and is a part of the transaction or of none. */
static void
test_pipelined(void **state)
{
	(void)state;
	enter("bob");
	world_say(&lobby.w, "MAIL FROM:<bob@example.org>\r\nRCPT TO:<user@example.net>\r\nRSET\r\n");
	world_expect(&lobby.w, "250 2.1.0");
	world_expect(&lobby.w, "250 2.1.5");
	world_expect(&lobby.w, "250 2.0.0");
	world_say(&lobby.w, "MAIL FROM:<eve@example.org>\r\nRCPT TO:<user@example.net>\r\nDATA\r\n");
	world_expect(&lobby.w, "553 5.7.1");
	world_expect(&lobby.w, "503 5.5.1");
	world_expect(&lobby.w, "503 5.5.1");
}

/* lookup goes, or never was there: try later; and the client goes while it is asked. */
static void
test_lookup_away(void **state)
{
	(void)state;
	enter("bob");
	lobby.w.hold_answers = true;
	world_say(&lobby.w, "MAIL FROM:<bob@example.org>\r\n");
	world_until(&lobby.w, &lobby.w.senders_asked, 1);
	channel_close(&lobby.w.lookup);
	world_expect(&lobby.w, "451 4.3.0");
	world_talk(&lobby.w, "MAIL FROM:<bob@example.org>\r\n", "451 4.3.0");
	lobby.w.hold_answers = false;
	routes_wire(lobby.home.routes, world_lookup_end(&lobby.w));
	send_message("From: bob@example.org\r\n\r\n");
	world_expect(&lobby.w, "250 2.0.0");
	lobby.w.hold_answers = true;
	lobby.w.senders_asked = 0;
	world_say(&lobby.w, "MAIL FROM:<bob@example.org>\r\n");
	world_until(&lobby.w, &lobby.w.senders_asked, 1);
	world_hang_up(&lobby.w);
	session_kill(lobby.session);		/* what it asked must not find it any more */
	lobby.w.hold_answers = false;
	routes_wire(lobby.home.routes, world_lookup_end(&lobby.w));
	world_run_round(&lobby.w);
	assert_null(lobby.session);
}

/* Nobody is logged in where no users are: nobody is asked about. */
static void
test_nobody(void **state)
{
	(void)state;
	enter(NULL);
	lobby.session->settings->logins = false;
	lobby.session->trusted = true;
	send_message("From: anybody@example.org\r\n\r\n");
	world_expect(&lobby.w, "250 2.0.0");
	assert_int_equal(lobby.w.senders_asked, 0);
}

/* --- From --- */

static const struct {
	enum sender_rights	 rights;
	const char		*header, *reply;
	unsigned		 warned;
} froms[] = {
	{ SENDER_RIGHTS_REJECT, "From: bob@example.org\r\n\r\n", "250 2.0.0", 0 },
	{ SENDER_RIGHTS_REJECT, "from : \"Bob, the eve@example.org\"\r\n\t<bob@example.org>\r\n\r\n", "250 2.0.0", 0 },
	{ SENDER_RIGHTS_REJECT, "Subject: x\r\n\r\nFrom: eve@example.org\r\n", "250 2.0.0", 0 },
	{ SENDER_RIGHTS_REJECT, "", "250 2.0.0", 0 },
	{ SENDER_RIGHTS_REJECT, "From: eve@example.org\r\n\r\n",
	  "550 5.7.1 <eve@example.org>: From address rejected: not owned by user bob", 0 },
	{ SENDER_RIGHTS_REJECT, "From: eve@example.org\r\n", "550 5.7.1 <eve@example.org>", 0 },
	{ SENDER_RIGHTS_REJECT, "From: bob@example.org, eve@example.org\r\n\r\n", "550 5.7.1 <eve@example.org>", 0 },
	{ SENDER_RIGHTS_REJECT, "From: bob@example.org\r\nFrom: eve@example.org\r\n\r\n", "550 5.7.1 From address rejected: more than one From", 0 },
	{ SENDER_RIGHTS_REJECT, "From: bob@example.org\r\nFROM: bob@example.org\r\n\r\n", "550 5.7.1 From address rejected: more than one From", 0 },
	{ SENDER_RIGHTS_REJECT, "From: eve@example.org <bob@example.org>\r\n\r\n", "550 5.7.1 From address rejected: ", 0 },
	{ SENDER_RIGHTS_REJECT, "From:\r\n\r\n", "550 5.7.1 From address rejected: no address", 0 },
	{ SENDER_RIGHTS_REJECT, "From: later@example.org\r\n\r\n", "451 4.3.0", 0 },
	{ SENDER_RIGHTS_WARN, "From: eve@example.org\r\n\r\n", "250 2.0.0", 1 },
	{ SENDER_RIGHTS_WARN, "From: nobody:;\r\n\r\n", "250 2.0.0", 1 },
	{ SENDER_RIGHTS_OFF, "From: eve@example.org\r\nFrom: nobody:;\r\n\r\n", "250 2.0.0", 0 },
};

static void
test_froms(void **state)
{
	for (size_t i = 0; i < sizeof(froms) / sizeof(froms[0]); i++) {
		ROW(i, froms[i].header);
		rights = froms[i].rights;
		enter("bob");
		send_message(froms[i].header);
		world_expect(&lobby.w, froms[i].reply);
		assert_int_equal(lobby.w.stored_count, froms[i].reply[0] == '2');
		assert_null(lobby.session->tx);
		world_log(&lobby.w);
		assert_int_equal(lobby.w.events[EVENT_REJECT_WARNING], froms[i].warned);
		world_talk(&lobby.w, "NOOP\r\n", "250");
		(void)teardown(state);
		(void)setup(state);
	}
	enter("bob");
}

/* A From whose end nobody here has read is nothing to rely on. */
static void
test_long_from(void **state)
{
	char header[4000];

	(void)state;
	enter("bob");
	snprintf(header, sizeof(header), "From: bob@example.org%1500s, eve@example.org\r\n\r\n", "");
	send_message(header);
	world_expect(&lobby.w, "550 5.7.1 From address rejected: the From field is too long");
	snprintf(header, sizeof(header), "From: bob@example.org,\r\n%990s\r\n eve@example.org\r\n\r\n", "");
	send_message(header);
	world_expect(&lobby.w, "550 5.7.1 From address rejected: the From field is too long");
}

static void
test_from_in_chunks(void **state)
{
	(void)state;
	enter("bob");
	world_talk(&lobby.w, "MAIL FROM:<bob@example.org>\r\n", "250 2.1.0");
	world_talk(&lobby.w, "RCPT TO:<user@example.net>\r\n", "250 2.1.5");
	world_talk(&lobby.w, "BDAT 7\r\nFrom: e", "250 2.0.0");
	world_talk(&lobby.w, "BDAT 16 LAST\r\nve@example.org\r\n", "550 5.7.1 <eve@example.org>");
	world_talk(&lobby.w, "RCPT TO:<user@example.net>\r\n", "503 5.5.1");
}

/* --- what is added --- */

static const struct {
	const char	*in, *out;	/* %D, %M: the added Date and Message-ID */
} added[] = {
	{ "Date: d\r\nMessage-ID: <m@x>\r\n\r\n" BODY_LINE, "Date: d\r\nMessage-ID: <m@x>\r\n\r\n" BODY_LINE },
	{ "Subject: x\r\n\r\n" BODY_LINE, "Subject: x\r\n%D%M\r\n" BODY_LINE },
	{ "Date: d\r\n\r\n" BODY_LINE, "Date: d\r\n%M\r\n" BODY_LINE },
	{ "message-id: <m@x>\r\n\r\n" BODY_LINE, "message-id: <m@x>\r\n%D\r\n" BODY_LINE },
	{ "Resent-Message-ID: <m@x>\r\n\r\n", "Resent-Message-ID: <m@x>\r\n%D%M\r\n" },
	{ "\r\n" BODY_LINE, "%D%M\r\n" BODY_LINE },
	{ "\r\n", "%D%M\r\n" },
	{ "", "%D%M" },
	{ "Subject: x\r\n", "Subject: x\r\n%D%M" },
	{ BODY_LINE, "%D%M\r\n" BODY_LINE },
	{ BODY_LINE "From: eve@example.org\r\n", "%D%M\r\n" BODY_LINE "From: eve@example.org\r\n" },
	{ "Date: d\r\nMessage-ID: <m@x>\r\n" BODY_LINE, "Date: d\r\nMessage-ID: <m@x>\r\n\r\n" BODY_LINE },
	{ "Subject: x\r\n \r\n\r\n", "Subject: x\r\n \r\n%D%M\r\n" },
};

/* The line that begins so, with its end, out of *text into `out`. */
static void
take_field(const char **text, const char *name, char *out, size_t size)
{
	const char *end = strstr(*text, "\r\n");

	assert_int_equal(strncmp(*text, name, strlen(name)), 0);
	assert_non_null(end);
	snprintf(out, size, "%.*s", (int)(end + 2 - *text), *text);
	*text = end + 2;
}

static void
check_added(const char *got, const char *want)
{
	char field[256];

	for (; *want != '\0'; want++) {
		if (want[0] == '%' && want[1] == 'D') {
			take_field(&got, "Date: ", field, sizeof(field));
			want++;
		} else if (want[0] == '%' && want[1] == 'M') {
			take_field(&got, "Message-ID: <", field, sizeof(field));
			assert_non_null(strstr(field, "@mx.example.net>\r\n"));
			want++;
		} else {
			assert_int_equal(*got, *want);
			got++;
		}
	}
	assert_string_equal(got, "");
}

/* The content of row i comes in pieces of this size. */
static void
send_in_pieces(const char *content, size_t piece)
{
	size_t len = strlen(content);

	world_talk(&lobby.w, "MAIL FROM:<bob@example.org>\r\n", "250 2.1.0");
	world_talk(&lobby.w, "RCPT TO:<user@example.net>\r\n", "250 2.1.5");
	world_talk(&lobby.w, "DATA\r\n", "354");
	for (size_t at = 0; at < len; at += piece) {
		world_send(&lobby.w, content + at, len - at < piece ? len - at : piece);
		world_run_round(&lobby.w);
	}
	world_talk(&lobby.w, ".\r\n", "250 2.0.0");
}

static void
test_added(void **state)
{
	static const size_t pieces[] = { 1, 3, 1000 };

	(void)state;
	enter("bob");
	for (size_t i = 0; i < sizeof(added) / sizeof(added[0]); i++)
		for (size_t k = 0; k < 3; k++) {
			ROW(i, added[i].in);
			send_in_pieces(added[i].in, pieces[k]);
			check_added(stored(), added[i].out);
			assert_int_equal(lobby.w.stored[lobby.w.stored_count - 1].size,
			    buf_len(&lobby.w.stored[lobby.w.stored_count - 1].content));
		}
}

/* The log names the Message-ID that was given. */
static void
test_logged(void **state)
{
	char field[256], line[300];
	const char *got;

	(void)state;
	enter("bob");
	send_message("Date: d\r\n\r\n");
	world_expect(&lobby.w, "250 2.0.0");
	got = stored();
	take_field(&got, "Date: d", field, sizeof(field));
	take_field(&got, "Message-ID: ", field, sizeof(field));
	field[strcspn(field, "\r")] = '\0';
	snprintf(line, sizeof(line), " %d=%s\n", (int)KEY_MESSAGE_ID, field + strlen("Message-ID: "));
	assert_true(world_logged(&lobby.w, line));
}

/* A large message goes by file, and is completed all the same. */
static void
test_large(void **state)
{
	static char block[1001];

	(void)state;
	enter("bob");
	world_talk(&lobby.w, "MAIL FROM:<bob@example.org>\r\n", "250 2.1.0");
	world_talk(&lobby.w, "RCPT TO:<user@example.net>\r\n", "250 2.1.5");
	world_talk(&lobby.w, "DATA\r\n", "354");
	memset(block, 'x', 998);
	memcpy(block + 998, "\r\n", 2);
	world_say(&lobby.w, "Subject: x\r\n");
	for (int i = 0; i < 100; i++) {
		world_say(&lobby.w, "X: ");
		world_send(&lobby.w, block + 3, 997);
	}
	world_say(&lobby.w, "\r\n");
	for (int i = 0; i < 400; i++)
		world_send(&lobby.w, block, 1000);
	world_talk(&lobby.w, ".\r\n", "250 2.0.0");
	assert_true(lobby.w.stored[0].large);
	assert_int_equal(strncmp(stored(), "Subject: x\r\nX: xxx", 18), 0);
	assert_non_null(strstr(stored(), "xx\r\nDate: "));
	assert_non_null(strstr(stored(), "@mx.example.net>\r\n\r\nxxxx"));
	assert_int_equal(strlen(strstr(stored(), "\r\n\r\n") + 4), 400 * 1000);
}

/* A header that is too long to be completed is refused, never half checked. */
static void
test_endless_header(void **state)
{
	static char block[65536];

	(void)state;
	enter("bob");
	world_talk(&lobby.w, "MAIL FROM:<bob@example.org>\r\n", "250 2.1.0");
	world_talk(&lobby.w, "RCPT TO:<user@example.net>\r\n", "250 2.1.5");
	world_talk(&lobby.w, "DATA\r\n", "354");
	memset(block, 'x', sizeof(block));
	for (int i = 0; i < 5; i++)
		world_send(&lobby.w, block, sizeof(block));
	world_say(&lobby.w, "\r\nFrom: eve@example.org\r\n");
	world_talk(&lobby.w, ".\r\n", "552 5.3.4");
}

static void
test_hidden(void **state)
{
	const char *content;

	(void)state;
	hidden = true;
	enter("bob");
	send_message("From: bob@example.org\r\n\r\n");
	world_expect(&lobby.w, "250 2.0.0");
	content = buf_cstr(&lobby.w.stored[0].content);
	assert_int_equal(strncmp(content, "Received: by mx.example.net (posthorn) with ESMTPA id ", 54), 0);
	assert_null(strstr(content, "192.0.2.7"));
	assert_null(strstr(content, "client.example"));
}

int
main(void)
{
#define T(fn)	cmocka_unit_test_setup_teardown(fn, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_paths), T(test_pipelined), T(test_lookup_away), T(test_nobody), T(test_froms), T(test_long_from),
		T(test_from_in_chunks), T(test_added), T(test_logged), T(test_large), T(test_endless_header), T(test_hidden),
	};

	rights = SENDER_RIGHTS_REJECT;
	return cmocka_run_group_tests_name("smtpd sender", tests, NULL, NULL);
}
