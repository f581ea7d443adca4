/*
 * Random command sequences against a reference automaton: a session may never be in a state that the model is not in, and
 * queue gets exactly the messages that were answered 250.
 *
 * RANDOM_SEED and RANDOM_RUNS in the environment repeat or lengthen a run; the seed is printed.
 */
#include <stdio.h>
#include <time.h>

#include "base/num.h"
#include "tests/support/testing.h"
#include "tests/unit/smtpd/world.h"

#define RUNS		500
#define COMMANDS	40
#define BATCH		12

struct model {
	bool		hello, mail, chunked;
	unsigned	recipients;
};

struct step {
	const char	*say;
	const char	*(*expect)(struct model *);	/* how the reply begins; moves the model on */
	bool		 waits;		/* has to be the last of what is sent at once */
};

static const char *
hello(struct model *m)
{
	m->hello = true;
	m->mail = false;
	m->recipients = 0;
	return "250";
}

static const char *
bad_hello(struct model *m)
{
	(void)m;
	return "501";
}

static const char *
mail(struct model *m)
{
	if (!m->hello || m->mail)
		return "503";
	m->mail = true;
	m->chunked = false;
	m->recipients = 0;
	return "250";
}

static const char *
bad_mail(struct model *m)
{
	return !m->hello || m->mail ? "503" : "501";
}

static const char *
big_mail(struct model *m)
{
	return !m->hello || m->mail ? "503" : "552";
}

static const char *
rcpt(struct model *m)
{
	if (!m->hello || !m->mail || m->chunked)
		return "503";
	m->recipients++;
	return "250";
}

static const char *
rcpt_unknown(struct model *m)
{
	return !m->hello || !m->mail || m->chunked ? "503" : "550";
}

static const char *
rcpt_later(struct model *m)
{
	return !m->hello || !m->mail || m->chunked ? "503" : "451";
}

static const char *
rcpt_remote(struct model *m)
{
	return !m->hello || !m->mail || m->chunked ? "503" : "554";
}

static const char *
rcpt_bad(struct model *m)
{
	return !m->hello || !m->mail || m->chunked ? "503" : "501";
}

static const char *
data(struct model *m)
{
	if (!m->hello || !m->mail || m->chunked)
		return "503";
	return m->recipients == 0 ? "554" : "354";
}

/* A chunk that is not the last; a refused one ends the transaction. */
static const char *
bdat(struct model *m)
{
	const char *reply = !m->hello || !m->mail ? "503" : m->recipients == 0 ? "554" : "250";

	m->chunked = reply[0] == '2';
	m->mail = m->mail && m->chunked;
	return reply;
}

static const char *
rset(struct model *m)
{
	m->mail = false;
	m->recipients = 0;
	return "250";
}

static const char *
fine(struct model *m)
{
	(void)m;
	return "250";
}

static const char *
vrfy(struct model *m)
{
	(void)m;
	return "252";
}

static const char *
expn(struct model *m)
{
	(void)m;
	return "502";
}

static const char *
unknown(struct model *m)
{
	(void)m;
	return "500";
}

static const struct step steps[] = {
	{ "HELO client.example\r\n", hello, true },
	{ "HELO\r\n", bad_hello, true },
	{ "MAIL FROM:<a@example.org>\r\n", mail, false },
	{ "MAIL FROM:<>\r\n", mail, false },
	{ "MAIL FROM:<a@example.org> SIZE=10 BODY=7BIT\r\n", mail, false },
	{ "MAIL FROM:<a@\r\n", bad_mail, false },
	{ "MAIL FROM:<a@example.org> SIZE=99999999999\r\n", big_mail, false },
	{ "RCPT TO:<user1@example.net>\r\n", rcpt, false },
	{ "RCPT TO:<user2@example.net>\r\n", rcpt, false },
	{ "RCPT TO:<postmaster>\r\n", rcpt, false },
	{ "RCPT TO:<nobody@example.net>\r\n", rcpt_unknown, false },
	{ "RCPT TO:<later@example.net>\r\n", rcpt_later, false },
	{ "RCPT TO:<x@elsewhere.example>\r\n", rcpt_remote, false },
	{ "RCPT TO:<>\r\n", rcpt_bad, false },
	{ "DATA\r\n", data, true },
	{ "DATA\r\n", data, true },
	{ "DATA\r\n", data, true },
	{ "RSET\r\n", rset, false },
	{ "NOOP\r\n", fine, false },
	{ "VRFY x\r\n", vrfy, false },
	{ "EXPN x\r\n", expn, false },
	{ "BDAT 6\r\nRSET\r\n", bdat, false },
	{ "WHAT\r\n", unknown, false },
};

static struct world w;
static struct model model;

/* Content, what queue says to it, and what the client then hears. Each is handed in exactly once. */
static const struct {
	const char		*text;
	enum submit_verdict	 verdict;
	const char		*reply;
} contents[] = {
	{ ".\r\n", VERDICT_DURABLE, "250 2.0.0 Ok: queued as" },
	{ "Subject: x\r\n\r\n..\r\nRSET\r\n.\r\n", VERDICT_DURABLE, "250 2.0.0 Ok: queued as" },
	{ "x\r\n.\r\n", VERDICT_TRY_LATER, "451 4.3.0" },
	{ "x\r\n.\r\n", VERDICT_NO_SPACE, "452 4.3.1" },
	{ "x\r\n.\r\n", VERDICT_REFUSED, "550 5.7.1" },
};

static void
send_content(void)
{
	size_t i = (size_t)rand() % (sizeof(contents) / sizeof(contents[0]));
	size_t before = w.stored_count;
	size_t cut = (size_t)rand() % (strlen(contents[i].text) + 1);

	w.verdict = contents[i].verdict;
	world_send(&w, contents[i].text, cut);
	if (rand() % 2 == 0)
		world_run_round(&w);
	world_say(&w, contents[i].text + cut);
	world_expect(&w, contents[i].reply);
	assert_int_equal(w.stored_count, before + 1);
	model.mail = false;
	model.recipients = 0;
}

static void
forget_stored(void)
{
	for (size_t i = 0; i < w.stored_count; i++) {
		buf_fini(&w.stored[i].sender);
		buf_fini(&w.stored[i].recipients);
		buf_fini(&w.stored[i].content);
	}
	w.stored_count = 0;
}

/* Between messages the lookup sometimes forgets, so that both ways through RCPT are walked. */
static void
disturb(void)
{
	if (rand() % 8 != 0)
		return;
	lookup_generation_put(channel_begin(w.lookup, LOOKUP_GENERATION), ++w.generation);
	assert_int_equal(channel_end(w.lookup), 0);
	world_run_round(&w);
}

static void
one_batch(void)
{
	const char *expected[BATCH];
	struct buf all;
	int count = 0, most = 1 + rand() % BATCH;
	bool content = false;

	buf_init(&all, 65536);
	while (count < most) {
		const struct step *step = &steps[(size_t)rand() % (sizeof(steps) / sizeof(steps[0]))];

		buf_puts(&all, step->say);
		expected[count] = step->expect(&model);
		content = expected[count][0] == '3';
		count++;
		if (step->waits)
			break;
	}
	world_send(&w, buf_slice(&all).p, buf_len(&all));
	for (int i = 0; i < count; i++)
		world_expect(&w, expected[i]);
	buf_fini(&all);
	if (content)
		send_content();
}

static void
one_session(void)
{
	model = (struct model){ 0 };
	world_connect(&w, "192.0.2.9");
	world_expect(&w, "220");
	for (int i = 0; i < COMMANDS; i++) {
		disturb();
		one_batch();
	}
	if (rand() % 2 == 0) {
		world_talk(&w, "QUIT\r\n", "221");
		world_expect_close(&w);
	} else {
		world_hang_up(&w);
		world_run_round(&w);
	}
	forget_stored();
}

static unsigned
number(const char *name, unsigned fallback)
{
	const char *text = getenv(name);
	uint64_t value;

	if (text == NULL || num_parse(slice_str(text), UINT32_MAX, &value) == -1)
		return fallback;
	return (unsigned)value;
}

static void
test_random(void **state)
{
	unsigned seed = number("RANDOM_SEED", (unsigned)time(NULL)), runs = number("RANDOM_RUNS", RUNS);

	(void)state;
	print_message("# RANDOM_SEED=%u RANDOM_RUNS=%u\n", seed, runs);
	srand(seed);
	world_open(&w, ROLE_MX);
	w.conf.smtpd.max_errors = w.conf.smtpd.max_junk = 1000000;
	world_reopen(&w);
	for (unsigned i = 0; i < runs; i++)
		one_session();
	world_close(&w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_random) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
