/*
 * client — whole conversations with a scripted server: those of client_rows.c, and what takes more than a row.
 */
#include "tests/support/testing.h"

#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/crc32c.h"
#include "base/fd.h"
#include "base/log.h"
#include "event/timer.h"
#include "net/tls_context.h"
#include "relay/client/client.h"
#include "tests/unit/relay/client_rows.h"
#include "tests/unit/relay/script_peer.h"

static struct conf conf;
static struct loop *loop;
static struct client_house *house;
static struct client *client;
static struct script_peer *peer;
static struct timer guard;
static struct arena arena;
static struct tx_recipient recipients[2], *pending[2];
static struct transaction tx;
static char got[200];
static char *big;

#define BIG	(1024 * 1024)

static void
set_patience(int64_t ms)
{
	struct conf_relay *r = &conf.relay;

	r->greeting_timeout = r->hello_timeout = r->mail_timeout = r->rcpt_timeout = r->data_timeout = r->block_timeout = ms;
	r->tls_timeout = r->dot_timeout = r->rset_timeout = r->quit_timeout = r->idle_timeout = ms;
}

static void
on_guard(void *arg)
{
	(void)arg;
	loop_stop(loop);
}

static uint32_t
gather(void)
{
	uint32_t n = 0;

	for (unsigned i = 0; i < 2; i++) {
		if (recipients[i].address.p != NULL && recipients[i].outcome.action == ACTION_NONE)
			pending[n++] = &recipients[i];
	}
	return n;
}

static void
add(const char *letter, struct status s)
{
	char status[STATUS_PRINT_SIZE];

	strlcat(got, letter, sizeof(got));
	strlcat(got, status_print(s, status), sizeof(got));
}

static void
tell(void)
{
	static const char *const letters[ACTION_COUNT] = { [ACTION_RELAYED] = "R", [ACTION_FAILED] = "F", [ACTION_DELAYED] = "D", [ACTION_UNKNOWN] = "U" };

	got[0] = '\0';
	for (unsigned i = 0; i < 2 && recipients[i].address.p != NULL; i++) {
		const struct outcome *o = &recipients[i].outcome;
		bool none = o->action == ACTION_NONE;

		strlcat(got, i > 0 ? " " : "", sizeof(got));
		add(none ? "-" : letters[o->action], none ? tx.trouble.status : o->status);
	}
	if (client_usable(client))
		strlcat(got, " +", sizeof(got));
	if (tx.stale)
		strlcat(got, " s", sizeof(got));
	if (tx.damaged)
		strlcat(got, " damaged", sizeof(got));
	if (recipients[0].outcome.action == ACTION_RELAYED && recipients[0].dsn)
		strlcat(got, " told", sizeof(got));
}

static void
on_ready(void *arg)
{
	(void)arg;
	tx.count = gather();
	client_send(client, &tx);
}

static void
on_sent(void *arg)
{
	if (tx.more && client_usable(client)) {
		on_ready(arg);
		return;
	}
	tell();
	client_quit(&client);
}

static void
on_gone(void *arg, const struct outcome *why)
{
	(void)arg;
	strlcpy(got, "gone ", sizeof(got));
	add(why->action == ACTION_DELAYED ? "D" : "?", why->status);
	assert_true(why->text.len > 0);
	client_close(&client);
}

static const struct client_ops ops = { .ready = on_ready, .sent = on_sent, .gone = on_gone };

static void
open_pair(const char *script)
{
	struct sockaddress address;
	struct err err;
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds), 0);
	assert_int_equal(sockaddress_parse(SLICE_LIT("192.0.2.1"), 25, &address), 0);
	peer = peer_new(loop, fds[1], script);
	client = client_open(house, fds[0], "mx.example.net", &address, CLIENT_TLS, &ops, NULL, &err);
	assert_non_null(client);
	assert_string_equal(client_name(client), "mx.example.net[192.0.2.1]:25");
}

static void
turn(void)
{
	struct timer beat;

	assert_int_equal(timer_init(&beat, loop, on_guard, NULL), 0);
	timer_set(&beat, 5);
	assert_int_equal(loop_run(loop), 0);
	timer_fini(&beat);
}

/* Rounds until the script is over and everybody has gone. */
static void
run(void)
{
	struct timer beat;

	assert_int_equal(timer_init(&beat, loop, on_guard, NULL), 0);
	for (int i = 0; i < 500 && !(peer_done(peer) && client_house_count(house) == 0); i++) {
		timer_set(&beat, 5);
		assert_int_equal(loop_run(loop), 0);
	}
	timer_fini(&beat);
}

static void
ask_for_everything(void)
{
	tx.ret = RET_HDRS;
	tx.envid = SLICE_LIT("a+b c");
	recipients[0].notify = NOTIFY_SUCCESS | NOTIFY_DELAY;
	recipients[0].orcpt = SLICE_LIT("rfc822;A+1@X.org");
	recipients[1].notify = NOTIFY_NEVER;
}

static void
set_transaction(const struct row *row)
{
	const char *text = row->content == NULL ? TEXT : row->content;

	memset(recipients, 0, sizeof(recipients));
	recipients[0].address = SLICE_LIT("a@x.org");
	if (row->recipients == 2)
		recipients[1].address = SLICE_LIT("b@x.org");
	tx = (struct transaction){ .reverse_path = SLICE_LIT("s@example.org"), .body = row->body == BODY_NONE ? BODY_7BIT : row->body,
	    .recipients = pending, .arena = &arena };
	if (row->null_path)
		tx.reverse_path = SLICE_LIT("");
	if (row->dsn)
		ask_for_everything();
	tx.smtputf8 = row->utf8 != 0;
	if (row->utf8 & UTF8_SENDER)
		tx.reverse_path = SLICE_LIT("j\xc3\xbc@example.org");
	if (row->utf8 & UTF8_FIRST) {
		recipients[1].address = row->recipients == 2 ? recipients[0].address : slice_of(NULL, 0);
		recipients[0].address = SLICE_LIT("b\xc3\xb6@x.org");
	}
	tx.content = (struct content){ .bytes = text, .fd = -1, .size = (uint32_t)strlen(text) };
	if (strcmp(text, "big") == 0)
		tx.content = (struct content){ .bytes = big, .fd = -1, .size = BIG };
}

static void
play_row(size_t i)
{
	const struct row *row = &rows[i];

	set_patience(row->patience == 0 ? 5000 : row->patience);
	strlcpy(got, "nothing", sizeof(got));
	set_transaction(row);
	open_pair(row->script);
	run();
	client_close(&client);
	if (strcmp(got, row->expected) != 0 || !peer_done(peer) || peer_trouble(peer) != NULL)
		ROW(i, row->name);
	if (peer_trouble(peer) != NULL)
		fail_msg("%s", peer_trouble(peer));
	assert_string_equal(got, row->expected);
	assert_true(peer_done(peer));
	if (row->wire != NULL)
		assert_slice(peer_content(peer), row->wire);
	peer_free(&peer);
	arena_reset(&arena);
}

static void
test_rows(void **state)
{
	(void)state;
	for (size_t i = 0; i < row_count; i++)
		play_row(i);
}

static void
test_words(void **state)
{
	static const struct row row = { .script = PIPE ENVELOPE2 "S 250 ok\nS 550-5.1.1 no such user\nS 550 5.1.1 ask\x01 them\nS 250 ok\nS 354 go\nB\nX",
	    .recipients = 2 };

	(void)state;
	set_patience(5000);
	set_transaction(&row);
	open_pair(row.script);
	run();
	assert_slice(recipients[0].outcome.text, "550 5.1.1 no such user ask? them");
	assert_slice(recipients[0].outcome.mta, "mx.example.net[192.0.2.1]:25");
	assert_slice(recipients[1].outcome.text,
	    "lost connection with mx.example.net[192.0.2.1]:25 while sending end of data -- message may be sent more than once");
	peer_free(&peer);
	arena_reset(&arena);
}

/* Content in a file, several blocks long, with dots and lines across the blocks' edges. */
static void
test_file(void **state)
{
	struct slice wire;
	struct err err;
	size_t dots = 0;

	(void)state;
	set_patience(5000);
	set_transaction(&(struct row){ .recipients = 1 });
	tx.content = (struct content){ .fd = fd_sealed("content", big, BIG, &err), .size = BIG, .crc = crc32c(0, big, BIG) };
	assert_true(tx.content.fd >= 0);
	open_pair(PIPE ENVELOPE "S 250 ok\nS 250 ok\nS 354 go\nB\nS 250 ok\n" QUIT);
	run();
	assert_string_equal(got, "R2.0.0 +");
	wire = peer_content(peer);
	for (size_t i = 0; i < BIG; i++) {
		if (big[i] == '.' && (i == 0 || big[i - 1] == '\n'))
			assert_int_equal(wire.p[i + dots++], '.');
		assert_int_equal(wire.p[i + dots], big[i]);
	}
	assert_true(dots > 1000);
	assert_int_equal(wire.len, BIG + dots + 3);
	fd_close(&tx.content.fd);
	peer_free(&peer);
	arena_reset(&arena);
}

/* A file that is not what it was: one byte of it, or its length. */
struct damage {
	const char	*name, *script;
	uint32_t	 at, size;	/* as promised */
	char		 byte;
	enum body_type	 body;
	const char	*expected;
};

static void
play_damage(const struct damage *d)
{
	uint32_t size = d->size < BIG ? d->size : BIG;
	char was = big[d->at];
	struct err err;

	set_transaction(&(struct row){ .recipients = 2, .body = d->body });
	tx.content = (struct content){ .size = d->size, .crc = crc32c(0, big, size) };
	big[d->at] = d->byte;
	tx.content.fd = fd_sealed("content", big, size, &err);
	big[d->at] = was;
	open_pair(d->script);
	run();
	client_close(&client);
	if (peer_trouble(peer) != NULL)
		fail_msg("%s", peer_trouble(peer));
	assert_string_equal(got, d->expected);
	fd_close(&tx.content.fd);
	peer_free(&peer);
	arena_reset(&arena);
}

/* Whatever it looks like, nobody gets an outcome that had none, and the server no final dot. */
static void
test_damaged(void **state)
{
#define LEFT	PIPE ENVELOPE2 "S 250 ok\nS 250 ok\nS 550 5.1.1 no\nS 354 go\nN"
#define CHUNKED	CHUNKS ADDRESSES2 "S 250 ok\nS 250 ok\nS 550 5.1.1 no\nC BDAT 1048576 LAST\n"
	static const struct damage kinds[] = {
		{ "at the beginning", LEFT, 0, BIG, 'x', BODY_7BIT, "-4.3.0 F5.1.1 damaged" },
		{ "in the last block", LEFT, BIG - 8, BIG, 'x', BODY_7BIT, "-4.3.0 F5.1.1 damaged" },
		{ "in the only block", LEFT, 100, 1000, 'x', BODY_7BIT, "-4.3.0 F5.1.1 damaged" },
		{ "shorter than it was", LEFT, 0, BIG + 1, '.', BODY_7BIT, "-4.3.0 F5.1.1 damaged" },
		{ "a bare LF, which is nobody's fault", LEFT, 4, BIG, '\n', BODY_7BIT, "-4.3.0 F5.1.1 damaged" },
		{ "in a chunk", CHUNKED "L 1048576\nE", 0, BIG, 'x', BODY_7BIT, "-4.3.0 F5.1.1 damaged" },
		{ "in its last block", CHUNKED "L 1048576\nE", BIG - 8, BIG, 'x', BODY_7BIT, "-4.3.0 F5.1.1 damaged" },
		{ "a bare LF in a chunk", CHUNKS ADDRESSES2 "S 250 ok\nS 250 ok\nS 550 5.1.1 no\nL 1048576\nE", 4, BIG, '\n', BODY_7BIT, "-4.3.0 F5.1.1 damaged" },
		{ "8-bit, which nobody sent", "S 220 mx ESMTP\nC EHLO me.example.org\nS 250 mx\n" QUIT, 4, BIG, '\xe4', BODY_8BITMIME,
		    "-4.3.0 -4.3.0 + damaged" },
	};

	(void)state;
	set_patience(5000);
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		ROW(i, kinds[i].name);
		play_damage(&kinds[i]);
	}
}

/* A server that sends one byte now and then: the deadline is the reply's, not the byte's. */
struct drip {
	struct timer	timer;
	int		fd;
	unsigned	sent;
};

static void
on_drip(void *arg)
{
	struct drip *d = arg;

	if (send(d->fd, "2", 1, MSG_NOSIGNAL) == 1)
		d->sent++;
	timer_set(&d->timer, 10);
}

static void
test_drip(void **state)
{
	struct sockaddress address;
	struct drip drip = { .sent = 0 };
	struct err err;
	int fds[2];

	(void)state;
	set_patience(100);
	strlcpy(got, "nothing", sizeof(got));
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds), 0);
	assert_int_equal(sockaddress_parse(SLICE_LIT("192.0.2.1"), 25, &address), 0);
	client = client_open(house, fds[0], "mx", &address, 0, &ops, NULL, &err);
	drip.fd = fds[1];
	assert_int_equal(timer_init(&drip.timer, loop, on_drip, &drip), 0);
	timer_set(&drip.timer, 10);
	timer_set(&guard, 1000);
	while (client_house_count(house) > 0 && timer_is_set(&guard))
		assert_int_equal(loop_run(loop), 0);
	assert_string_equal(got, "gone D4.4.2");
	assert_in_range(drip.sent, 2, 15);
	timer_fini(&drip.timer);
	timer_stop(&guard);
	close(fds[1]);
}

/* ---- several transactions on one connection ---- */

static unsigned sends_left;
static char all[400];

static void
on_sent_again(void *arg)
{
	(void)arg;
	tell();
	strlcat(all, all[0] != '\0' ? ", " : "", sizeof(all));
	strlcat(all, got, sizeof(all));
	if (sends_left-- > 0 && client_usable(client)) {
		set_transaction(&(struct row){ .recipients = 1 });
		on_ready(NULL);
	} else {
		client_quit(&client);
	}
}

static const struct client_ops again_ops = { .ready = on_ready, .sent = on_sent_again, .gone = on_gone };

static void
test_again(void **state)
{
	static const struct { const char *name, *script, *expected; } cases[] = {
		{ "two good ones", PIPE ENVELOPE "S 250 ok\nS 250 ok\nS 354 go\nB\nS 250 ok\n" ENVELOPE "S 250 ok\nS 250 ok\nS 354 go\nB\nS 250 ok\n" QUIT,
		    "R2.0.0 +, R2.0.0 +" },
		{ "RSET after one that ended early", PIPE ENVELOPE "S 250 ok\nS 550 5.1.1 no\nS 503 no\nC RSET\nQ\nS 250 ok\n" ENVELOPE
		    "S 250 ok\nS 250 ok\nS 354 go\nB\nS 250 ok\n" QUIT, "F5.1.1 +, R2.0.0 +" },
		{ "RSET refused", PIPE ENVELOPE "S 250 ok\nS 550 5.1.1 no\nS 503 no\nC RSET\nS 500 what\nE", "F5.1.1 +, -4.3.0 s" },
		{ "RSET answered twice", PIPE ENVELOPE "S 250 ok\nS 550 5.1.1 no\nS 503 no\nC RSET\nW 250 ok\\r\\n250 ok\\r\\n\nE", "F5.1.1 +, -4.5.0" },
		{ "closed between the two", PIPE ENVELOPE "S 250 ok\nS 250 ok\nS 354 go\nB\nS 250 ok\nX", "R2.0.0 +, -4.4.2 s" },
		{ "421 instead of an answer to MAIL", PIPE ENVELOPE "S 250 ok\nS 250 ok\nS 354 go\nB\nS 250 ok\n" ENVELOPE "S 421 4.3.2 idle\nX", "R2.0.0 +, -4.3.2 s" },
		{ "lost later is not stale", PIPE ENVELOPE "S 250 ok\nS 250 ok\nS 354 go\nB\nS 250 ok\n" ENVELOPE "S 250 ok\nX", "R2.0.0 +, -4.4.2" },
	};

	(void)state;
	set_patience(5000);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		all[0] = '\0';
		sends_left = 1;
		set_transaction(&(struct row){ .recipients = 1 });
		open_pair(cases[i].script);
		client_adopt(client, &again_ops, NULL);
		run();
		if (strcmp(all, cases[i].expected) != 0 || peer_trouble(peer) != NULL)
			ROW(i, cases[i].name);
		if (peer_trouble(peer) != NULL)
			fail_msg("%s", peer_trouble(peer));
		assert_string_equal(all, cases[i].expected);
		peer_free(&peer);
		client_close(&client);
	}
}

/* The null reverse-path, and a house that closes over a running conversation. */
static void
test_null_path(void **state)
{
	(void)state;
	set_patience(5000);
	set_transaction(&(struct row){ .recipients = 1 });
	tx.reverse_path = SLICE_LIT("");
	open_pair(PIPE "C MAIL FROM:<>\nC RCPT*\nC DATA\nE");
	for (int i = 0; i < 3; i++) {
		timer_set(&guard, 10);
		assert_int_equal(loop_run(loop), 0);
	}
	assert_null(peer_trouble(peer));
	peer_free(&peer);
}

static unsigned sents;

static void
idle_ready(void *arg)
{
	(void)arg;
	strlcpy(got, "ready", sizeof(got));
}

static void
count_sent(void *arg)
{
	sents++;
	on_sent(arg);
}

/* We refuse a transaction ourselves, and in the same moment the server says something that nobody asked: it answers nothing. */
static void
test_unasked(void **state)
{
	static const struct client_ops idle_ops = { .ready = idle_ready, .sent = count_sent, .gone = on_gone };
	static const char *const words[] = { "250 2.0.0 ok\r\n", "550 5.0.0 no\r\n" };

	(void)state;
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		ROW(i, words[i]);
		sents = 0;
		set_transaction(&(struct row){ .recipients = 1 });
		open_pair("S 220 mx ESMTP\nC EHLO me.example.org\nS 250-mx\nS 250 SIZE 10\nE");
		client_adopt(client, &idle_ops, NULL);
		for (int n = 0; n < 300 && strcmp(got, "ready") != 0; n++)
			turn();
		tx.count = gather();
		client_send(client, &tx);
		peer_say(peer, words[i]);
		for (int n = 0; n < 20; n++)
			turn();
		assert_string_equal(got, "F5.3.4");
		assert_int_equal(sents, 1);
		assert_int_equal(client_house_count(house), 0);
		assert_null(peer_trouble(peer));
		peer_free(&peer);
		arena_reset(&arena);
	}
}

static void
no_log(enum log_level level, struct slice text, void *arg)
{
	(void)level;
	(void)text;
	(void)arg;
}

static int
setup(void **state)
{
	static char name[] = "me.example.org";
	struct tls_context *tls;
	struct err err;

	(void)state;
	log_sink_set(no_log, NULL);
	conf.hostname = name;
	conf.relay.chunking_from = 40;
	loop = loop_new(&err);
	tls = tls_client_new(SLICE_LIT(""), &err);
	house = client_house_new(loop, &conf, &tls, &err);
	assert_non_null(house);
	assert_int_equal(timer_init(&guard, loop, on_guard, NULL), 0);
	arena_init(&arena, 100000);
	big = malloc(BIG);
	for (size_t i = 0; i < BIG; i++)
		big[i] = "..this is a line\r\n"[i % 18];
	big[BIG - 2] = '\r';
	big[BIG - 1] = '\n';
	big[BIG - 3] = big[BIG - 4] = 'x';
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	client_house_free(&house);
	timer_fini(&guard);
	arena_fini(&arena);
	loop_free(loop);
	free(big);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows), cmocka_unit_test(test_words), cmocka_unit_test(test_file), cmocka_unit_test(test_damaged),
		cmocka_unit_test(test_drip), cmocka_unit_test(test_unasked),
		cmocka_unit_test(test_again), cmocka_unit_test(test_null_path),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
