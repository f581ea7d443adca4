/*
 * sasl: dialogues as tables. A row is what the client says, step by step, and how it ends.
 *
 * bob has a hash of crypt(3), user the SCRAM keys of RFC 7677 3; the password of both is "pencil". `broken` cannot be read.
 */
#include "lookup/password/sasl.h"

#include <stdio.h>

#include "tests/support/testing.h"

#define USER_KEYS	"{SCRAM-SHA-256}4096,W22ZaJ0SNY7soEsUEjb6gQ==,WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=,wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU="
#define BOB_HASH	"$2b$04$abcdefghijklmnopqrstuu/FyAyuZSl3DbPdvio4KrIBdz2k2yhV2"
#define NONCE		"%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
#define CNONCE		"rOprNGfwEbeRWgbNEkqO"
#define TEXT(s)		SLICE_LIT(s)

static enum sasl_found
find(void *arg, struct slice login, struct verifier *out)
{
	const char *why, *text = NULL;

	(void)arg;
	if (slice_eq(login, SLICE_LIT("broken")))
		return FOUND_TROUBLE;
	if (slice_eq(login, SLICE_LIT("user")) || slice_eq(login, SLICE_LIT("a,b=c")))
		text = USER_KEYS;
	else if (slice_eq(login, SLICE_LIT("bob")))
		text = BOB_HASH;
	assert_int_equal(verifier_parse(slice_str(text != NULL ? text : BOB_HASH), out, &why), 0);
	return text != NULL ? FOUND_USER : FOUND_NOBODY;
}

static const struct sasl_users users = { .find = find, .secret = "not much of one" };

struct dialogue {
	const char		*name;
	enum sasl_mechanism	 mechanism;
	uint32_t		 count;
	struct slice		 said[SASL_RESPONSES_MAX];
	enum sasl_result	 result;
	const char		*text;		/* of a challenge; of a failure a part of why; OK: the login */
	bool			 plus, bound;
};

static void
step(const struct dialogue *d, struct sasl_answer *out)
{
	struct sasl_said said = { .mechanism = d->mechanism, .count = d->count, .plus_offered = d->plus, .nonce = SLICE_LIT(NONCE) };

	for (uint32_t i = 0; i < d->count; i++)
		said.responses[i] = d->said[i];
	if (d->bound) {
		said.channels[said.channel_count++] = (struct auth_channel){ BINDING_TLS_EXPORTER, SLICE_LIT("exporter bytes") };
		said.channels[said.channel_count++] = (struct auth_channel){ BINDING_TLS_SERVER_END_POINT, SLICE_LIT("\1\2\3") };
	}
	sasl_step(&said, &users, out);
}

static void
run(const struct dialogue *rows, size_t count)
{
	struct sasl_answer answer;

	for (size_t i = 0; i < count; i++) {
		ROW(i, rows[i].name);
		step(&rows[i], &answer);
		if (answer.result != rows[i].result)
			fail_msg("result %d: %s", (int)answer.result, answer.why);
		if (answer.result == SASL_CHALLENGE)
			assert_slice(slice_of(answer.challenge, answer.challenge_len), rows[i].text);
		else if (answer.result == SASL_OK)
			assert_string_equal(answer.login, rows[i].text);
		else if (strstr(answer.why, rows[i].text) == NULL)
			fail_msg("why: %s", answer.why);
	}
}

#define RUN(rows)	run(rows, sizeof(rows) / sizeof((rows)[0]))
#define PLAIN(name, text, result, words)	{ name, SASL_PLAIN, 1, { TEXT(text) }, result, words, false, false }
#define LONG_NAME "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static void
test_plain(void **state)
{
	static const struct dialogue rows[] = {
		{ "nothing yet", SASL_PLAIN, 0, { { 0 } }, SASL_CHALLENGE, "", false, false },
		PLAIN("right", "\0bob\0pencil", SASL_OK, "bob"),
		PLAIN("right, against SCRAM keys", "\0user\0pencil", SASL_OK, "user"),
		PLAIN("authzid is authcid", "bob\0bob\0pencil", SASL_OK, "bob"),
		PLAIN("authzid is another", "user\0bob\0pencil", SASL_FAILED, "act for another"),
		PLAIN("wrong", "\0bob\0pencils", SASL_FAILED, "authentication failure"),
		PLAIN("wrong case", "\0bob\0Pencil", SASL_FAILED, "authentication failure"),
		PLAIN("wrong against SCRAM keys", "\0user\0pencils", SASL_FAILED, "authentication failure"),
		PLAIN("nobody", "\0nobody\0pencil", SASL_FAILED, "authentication failure"),
		PLAIN("trouble is no failure", "\0broken\0pencil", SASL_TROUBLE, "read"),
		PLAIN("empty", "", SASL_FAILED, "not a message"),
		PLAIN("one NUL", "bob\0pencil", SASL_FAILED, "not a message"),
		PLAIN("no NUL", "bob", SASL_FAILED, "not a message"),
		PLAIN("three NULs", "\0bob\0pencil\0", SASL_FAILED, "not a message"),
		PLAIN("NUL in the password", "\0bob\0pencil\0x", SASL_FAILED, "not a message"),
		PLAIN("empty authcid", "\0\0pencil", SASL_FAILED, "login is empty"),
		PLAIN("empty authcid with authzid", "bob\0\0pencil", SASL_FAILED, "login is empty"),
		PLAIN("empty password", "\0bob\0", SASL_FAILED, "password is empty"),
		PLAIN("login is no UTF-8", "\0x\xff\0pencil", SASL_FAILED, "no text"),
		PLAIN("login is overlong UTF-8", "\0x\xc0\xaf\0pencil", SASL_FAILED, "no text"),
		PLAIN("password is no UTF-8", "\0bob\0p\xe9l", SASL_FAILED, "no text"),
		PLAIN("control in the login", "\0bob\nx\0pencil", SASL_FAILED, "no text"),
		PLAIN("login of 256", "\0" LONG_NAME LONG_NAME LONG_NAME LONG_NAME "\0pencil", SASL_FAILED, "too long"),
		PLAIN("password of 512", "\0bob\0" LONG_NAME LONG_NAME LONG_NAME LONG_NAME LONG_NAME LONG_NAME LONG_NAME LONG_NAME, SASL_FAILED,
		    "too long"),
		{ "goes on", SASL_PLAIN, 2, { TEXT("\0bob\0pencil"), TEXT("") }, SASL_FAILED, "not a message", false, false },
	};

	(void)state;
	RUN(rows);
}

static void
test_login(void **state)
{
	static const struct dialogue rows[] = {
		{ "nothing yet", SASL_LOGIN, 0, { { 0 } }, SASL_CHALLENGE, "Username:", false, false },
		{ "a login", SASL_LOGIN, 1, { TEXT("bob") }, SASL_CHALLENGE, "Password:", false, false },
		{ "right", SASL_LOGIN, 2, { TEXT("bob"), TEXT("pencil") }, SASL_OK, "bob", false, false },
		{ "wrong", SASL_LOGIN, 2, { TEXT("bob"), TEXT("pen") }, SASL_FAILED, "authentication failure", false, false },
		{ "NUL in the login", SASL_LOGIN, 1, { TEXT("b\0b") }, SASL_FAILED, "no text", false, false },
		{ "NUL in the password", SASL_LOGIN, 2, { TEXT("bob"), TEXT("pencil\0") }, SASL_FAILED, "no text", false, false },
		{ "no login", SASL_LOGIN, 1, { TEXT("") }, SASL_FAILED, "login is empty", false, false },
		{ "no password", SASL_LOGIN, 2, { TEXT("bob"), TEXT("") }, SASL_FAILED, "password is empty", false, false },
		{ "trouble", SASL_LOGIN, 2, { TEXT("broken"), TEXT("pencil") }, SASL_TROUBLE, "read", false, false },
		{ "goes on", SASL_LOGIN, 3, { TEXT("bob"), TEXT("pencil"), TEXT("") }, SASL_FAILED, "not a dialogue", false, false },
		{ "no mechanism", SASL_NONE, 0, { { 0 } }, SASL_FAILED, "no such", false, false },
		{ "beyond the table", SASL_MECHANISM_COUNT, 0, { { 0 } }, SASL_FAILED, "no such", false, false },
	};

	(void)state;
	RUN(rows);
}

#define FIRST		"n,,n=user,r=" CNONCE
#define SERVER_FIRST	"r=" CNONCE NONCE ",s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"
#define PROOF		",p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
#define FINAL		"c=biws,r=" CNONCE NONCE PROOF
#define SIGNATURE	"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="
#define SCRAM1(name, first, result, words)	{ name, SASL_SCRAM, 1, { TEXT(first) }, result, words, false, false }
#define SCRAM2(name, final, result, words)	{ name, SASL_SCRAM, 2, { TEXT(FIRST), TEXT(final) }, result, words, false, false }

/* RFC 7677 3, and everything around it. */
static void
test_scram(void **state)
{
	static const struct dialogue rows[] = {
		{ "nothing yet", SASL_SCRAM, 0, { { 0 } }, SASL_CHALLENGE, "", false, false },
		SCRAM1("the RFC's first", FIRST, SASL_CHALLENGE, SERVER_FIRST),
		SCRAM2("the RFC's final", FINAL, SASL_CHALLENGE, SIGNATURE),
		{ "the RFC's end", SASL_SCRAM, 3, { TEXT(FIRST), TEXT(FINAL), TEXT("") }, SASL_OK, "user", false, false },
		{ "more behind it", SASL_SCRAM, 3, { TEXT(FIRST), TEXT(FINAL), TEXT("x") }, SASL_FAILED, "more than", false, false },
		SCRAM1("authzid is authcid", "n,a=user,n=user,r=" CNONCE, SASL_CHALLENGE, SERVER_FIRST),
		SCRAM1("authzid is another", "n,a=bob,n=user,r=" CNONCE, SASL_FAILED, "act for another"),
		SCRAM1("authzid is nonsense", "n,bob,n=user,r=" CNONCE, SASL_FAILED, "act for another"),
		SCRAM1("an escaped name", "n,,n=a=2Cb=3Dc,r=" CNONCE, SASL_CHALLENGE, SERVER_FIRST),
		SCRAM1("a bad escape", "n,,n=a=2cb,r=" CNONCE, SASL_FAILED, "not a first"),
		SCRAM1("a cut escape", "n,,n=a=2,r=" CNONCE, SASL_FAILED, "not a first"),
		SCRAM1("extensions may follow", FIRST ",x=y", SASL_CHALLENGE, SERVER_FIRST),
		SCRAM1("a mandatory extension", "n,,m=x,n=user,r=" CNONCE, SASL_FAILED, "not a first"),
		SCRAM1("empty", "", SASL_FAILED, "not a first"),
		SCRAM1("no header", "n=user,r=" CNONCE, SASL_FAILED, "not a first"),
		SCRAM1("half a header", "n,n=user,r=" CNONCE, SASL_FAILED, "not a first"),
		SCRAM1("no name", "n,,n=,r=" CNONCE, SASL_FAILED, "login is empty"),
		SCRAM1("no nonce", "n,,n=user,r=", SASL_FAILED, "not a first"),
		SCRAM1("no nonce at all", "n,,n=user", SASL_FAILED, "not a first"),
		SCRAM1("a space in the nonce", "n,,n=user,r=a b", SASL_FAILED, "not a first"),
		SCRAM1("NUL in the name", "n,,n=us\0er,r=" CNONCE, SASL_FAILED, "not a first"),
		SCRAM1("no UTF-8", "n,,n=us\xe9r,r=" CNONCE, SASL_FAILED, "not a first"),
		SCRAM1("name too long", "n,,n=" LONG_NAME LONG_NAME LONG_NAME LONG_NAME ",r=" CNONCE, SASL_FAILED, "not a first"),
		SCRAM1("nonce too long", "n,,n=user,r=" LONG_NAME LONG_NAME LONG_NAME LONG_NAME "x", SASL_FAILED, "not a first"),
		SCRAM1("an unknown flag", "q,,n=user,r=" CNONCE, SASL_FAILED, "channel binding"),
		SCRAM1("a binding without -PLUS", "p=tls-exporter,,n=user,r=" CNONCE, SASL_FAILED, "without -PLUS"),
		SCRAM1("trouble", "n,,n=broken,r=" CNONCE, SASL_TROUBLE, "read"),
		SCRAM2("a nonce of the client alone", "c=biws,r=" CNONCE PROOF, SASL_FAILED, "nonce"),
		SCRAM2("another nonce", "c=biws,r=" CNONCE NONCE "0" PROOF, SASL_FAILED, "nonce"),
		SCRAM2("another header", "c=eSws,r=" CNONCE NONCE PROOF, SASL_FAILED, "channel binding"),
		SCRAM2("no header", "c=,r=" CNONCE NONCE PROOF, SASL_FAILED, "channel binding"),
		SCRAM2("a wrong proof", "c=biws,r=" CNONCE NONCE ",p=eHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=", SASL_FAILED, "failure"),
		SCRAM2("a short proof", "c=biws,r=" CNONCE NONCE ",p=dHzbZapW", SASL_FAILED, "not a final"),
		SCRAM2("no proof", "c=biws,r=" CNONCE NONCE, SASL_FAILED, "not a final"),
		SCRAM2("behind the proof", FINAL ",x=y", SASL_FAILED, "not a final"),
		SCRAM2("behind the proof, a comma", FINAL ",", SASL_FAILED, "not a final"),
		SCRAM2("an extension changes the proof", "c=biws,r=" CNONCE NONCE ",x=y" PROOF, SASL_FAILED, "failure"),
		SCRAM2("empty", "", SASL_FAILED, "not a final"),
		SCRAM2("NUL in it", "c=biws,r=" CNONCE NONCE "\0" PROOF, SASL_FAILED, "not a final"),
		{ "y, and -PLUS was not offered", SASL_SCRAM, 1, { TEXT("y,,n=user,r=" CNONCE) }, SASL_CHALLENGE, SERVER_FIRST, false, false },
		{ "y, although -PLUS was offered", SASL_SCRAM, 1, { TEXT("y,,n=user,r=" CNONCE) }, SASL_FAILED, "hidden", true, true },
		{ "n, although -PLUS was offered", SASL_SCRAM, 1, { TEXT(FIRST) }, SASL_CHALLENGE, SERVER_FIRST, true, true },
	};

	(void)state;
	RUN(rows);
}

static void
test_scram_plus(void **state)
{
	static const struct dialogue rows[] = {
		{ "-PLUS without", SASL_SCRAM_PLUS, 1, { TEXT(FIRST) }, SASL_FAILED, "without a channel", true, true },
		{ "-PLUS with y", SASL_SCRAM_PLUS, 1, { TEXT("y,,n=user,r=" CNONCE) }, SASL_FAILED, "without a channel", true, true },
		{ "-PLUS with tls-unique", SASL_SCRAM_PLUS, 1, { TEXT("p=tls-unique,,n=user,r=" CNONCE) }, SASL_FAILED, "not known", true, true },
		{ "-PLUS", SASL_SCRAM_PLUS, 1, { TEXT("p=tls-exporter,,n=user,r=" CNONCE) }, SASL_CHALLENGE, SERVER_FIRST, true, true },
		/* Proofs for password pencil, computed by an independent program from RFC 5802's text. */
		{ "-PLUS, exporter", SASL_SCRAM_PLUS, 2, { TEXT("p=tls-exporter,,n=user,r=" CNONCE),
		    TEXT("c=cD10bHMtZXhwb3J0ZXIsLGV4cG9ydGVyIGJ5dGVz,r=" CNONCE NONCE ",p=CNXXJTbExBdttQGVkwadudSOpptWg+aRQ8K3Ownc/Bc=") }, SASL_CHALLENGE,
		    "v=8IieR8psNXah2JAtLiP3wZ55KnRGzE6QczmLKkpV8tc=", true, true },
		{ "-PLUS, end point", SASL_SCRAM_PLUS, 3, { TEXT("p=tls-server-end-point,,n=user,r=" CNONCE),
		    TEXT("c=cD10bHMtc2VydmVyLWVuZC1wb2ludCwsAQID,r=" CNONCE NONCE ",p=R3iIxTBgWk2dP6s2+/+lodwo34h9O1KM0Rkoy7YUk30="), TEXT("") }, SASL_OK, "user", true, true },
		{ "-PLUS, another channel's data", SASL_SCRAM_PLUS, 2, { TEXT("p=tls-exporter,,n=user,r=" CNONCE),
		    TEXT("c=cD10bHMtZXhwb3J0ZXIsLAECAw==,r=" CNONCE NONCE PROOF) }, SASL_FAILED, "not this connection", true, true },
		{ "-PLUS, no data at all", SASL_SCRAM_PLUS, 2, { TEXT("p=tls-exporter,,n=user,r=" CNONCE),
		    TEXT("c=cD10bHMtZXhwb3J0ZXIsLA==,r=" CNONCE NONCE PROOF) }, SASL_FAILED, "not this connection", true, false },
	};

	(void)state;
	RUN(rows);
}

/* Strangers, and users with a hash of another kind, look like everybody else, and the same each time. */
static void
test_scram_hides_users(void **state)
{
	static const char *const names[] = { "n,,n=nobody,r=abc", "n,,n=bob,r=abc", "n,,n=stranger,r=abc" };
	struct sasl_answer first, again, other;
	char final[300];

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		struct dialogue d = { .mechanism = SASL_SCRAM, .count = 1, .said = { slice_str(names[i]) } };

		step(&d, &first);
		step(&d, &again);
		assert_int_equal(first.result, SASL_CHALLENGE);
		assert_int_equal(first.challenge_len, strlen("r=abc" NONCE ",s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"));
		assert_memory_equal(first.challenge, again.challenge, first.challenge_len);
		d.said[0] = slice_str(names[(i + 1) % 3]);
		step(&d, &other);
		assert_memory_not_equal(first.challenge, other.challenge, first.challenge_len);
		snprintf(final, sizeof(final), "c=biws,r=abc%s%s", NONCE, PROOF);
		d.said[0] = slice_str(names[i]);
		d.said[d.count++] = slice_str(final);
		step(&d, &first);
		assert_int_equal(first.result, SASL_FAILED);
		assert_string_equal(first.why, "authentication failure");
	}
}

static void
test_names(void **state)
{
	(void)state;
	assert_int_equal(sasl_named(SLICE_LIT("scram-sha-256-plus")), SASL_SCRAM_PLUS);
	assert_int_equal(sasl_named(SLICE_LIT("PLAI")), SASL_NONE);
	assert_int_equal(sasl_named(SLICE_LIT("")), SASL_NONE);
	for (enum sasl_mechanism m = SASL_PLAIN; m < SASL_MECHANISM_COUNT; m++)
		assert_int_equal(sasl_named(slice_str(sasl_name(m))), m);
}

static const struct {
	const char	*text;
	bool		 accepted, fits;	/* ... the password "secret" */
} verifiers[] = {
	{ "$6$saltsalt$TVLlQcbpFVof5W3Yz4DTP6gRstiNuHwwTt6GLc1E5n0U0aDehy0S5knV8wiOQSpT0Y77vwPZN.Pq.H91p5hVO1", true, true },
	{ "{SHA512-CRYPT}$6$saltsalt$TVLlQcbpFVof5W3Yz4DTP6gRstiNuHwwTt6GLc1E5n0U0aDehy0S5knV8wiOQSpT0Y77vwPZN.Pq.H91p5hVO1", true, true },
	{ "$2b$05$abcdefghijklmnopqrstuuOQiyCxlgf/oeuTqixKmWdcYUh4Hjl0a", true, true },
	{ "{BLF-CRYPT}$2b$05$abcdefghijklmnopqrstuuOQiyCxlgf/oeuTqixKmWdcYUh4Hjl0b", true, false },
	{ "{crypt}$y$j75$saltsalt$0gBD67sgmJgRX3RZ6wHHO7sHimQEWGCWN85o4Twogh2", true, true },
	{ "$y$j75$saltsalt$", true, false },
	{ USER_KEYS, true, false },
	{ "$1$saltsalt$9xy1btjgzLYfb7hivXtC//", false, false },
	{ "{PLAIN}secret", false, false }, { "{MD5}x", false, false }, { "secret", false, false }, { "", false, false }, { "x", false, false },
	{ "!", false, false }, { "*", false, false }, { "!$6$saltsalt$abc", false, false }, { "{CRYPT}", false, false }, { "{CRYPT", false, false },
	{ "{}", false, false }, { "$9$saltsalt$abc", false, false }, { "abJnggxhB/yWI", false, false },
	{ "{SCRAM-SHA-256}", false, false }, { "{SCRAM-SHA-256}4096,W22ZaJ0SNY7soEsUEjb6gQ==", false, false },
	{ "{SCRAM-SHA-256}4095,W22ZaJ0SNY7soEsUEjb6gQ==,WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=,wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=", false, false },
	{ "{SCRAM-SHA-256}1000001,W22ZaJ0SNY7soEsUEjb6gQ==,WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=,wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=", false, false },
	{ "{SCRAM-SHA-256}4096,,WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=,wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=", false, false },
	{ "{SCRAM-SHA-256}4096,W22ZaJ0SNY7soEsUEjb6gQ==,WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=,wfPL", false, false },
	{ "{SCRAM-SHA-256}4096,W22ZaJ0SNY7soEsUEjb6gQ==,WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=,wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=,x", false, false },
};

static void
test_verifiers(void **state)
{
	struct verifier v;
	const char *why;

	(void)state;
	for (size_t i = 0; i < sizeof(verifiers) / sizeof(verifiers[0]); i++) {
		ROW(i, verifiers[i].text);
		why = NULL;
		assert_int_equal(verifier_parse(slice_str(verifiers[i].text), &v, &why), verifiers[i].accepted ? 0 : -1);
		assert_non_null(why);
		if (!verifiers[i].accepted)
			continue;
		assert_int_equal(verifier_check(&v, SLICE_LIT("secret")), verifiers[i].fits);
		assert_false(verifier_check(&v, SLICE_LIT("")));
		assert_false(verifier_check(&v, SLICE_LIT("secret\0x")));
	}
	v = (struct verifier){ 0 };
	assert_false(verifier_check(&v, SLICE_LIT("secret")));
}

/* Only bob may come in, under another name; SCRAM has nothing to go by. */
static void
judge(void *arg, const struct sasl_said *said, struct slice password, struct sasl_answer *out)
{
	(void)arg;
	assert_int_equal(said->client.len, 4);
	if (strcmp(out->login, "bob") == 0 && slice_eq(password, SLICE_LIT("pencil"))) {
		out->result = SASL_OK;
		(void)snprintf(out->login, sizeof(out->login), "robert");
	} else {
		sasl_fail(out, "judged");
	}
}

static void
test_judge(void **state)
{
	static const struct sasl_users judged = { .judge = judge };
	static const struct { enum sasl_mechanism mechanism; struct slice said[2]; enum sasl_result result; const char *text; } rows[] = {
		{ SASL_PLAIN, { TEXT("\0bob\0pencil") }, SASL_OK, "robert" },
		{ SASL_PLAIN, { TEXT("\0bob\0pen") }, SASL_FAILED, "judged" },
		{ SASL_PLAIN, { TEXT("\0bob\0") }, SASL_FAILED, "the password is empty" },
		{ SASL_LOGIN, { TEXT("bob"), TEXT("pencil") }, SASL_OK, "robert" },
		{ SASL_SCRAM, { TEXT("n,,n=bob,r=" CNONCE) }, SASL_FAILED, "no such mechanism" },
		{ SASL_SCRAM_PLUS, { TEXT("p=tls-exporter,,n=bob,r=" CNONCE) }, SASL_FAILED, "no such mechanism" },
	};
	struct sasl_answer answer;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct sasl_said said = { .mechanism = rows[i].mechanism, .client = SLICE_LIT("1234"), .nonce = SLICE_LIT(NONCE),
		    .count = rows[i].said[1].p != NULL ? 2 : 1, .responses = { rows[i].said[0], rows[i].said[1] } };

		ROW(i, rows[i].text);
		sasl_step(&said, &judged, &answer);
		assert_int_equal(answer.result, rows[i].result);
		assert_non_null(strstr(answer.result == SASL_OK ? answer.login : answer.why, rows[i].text));
	}
}

/* Only from there on a password can have been said. */
static void
test_judges(void **state)
{
	static const struct { enum sasl_mechanism mechanism; uint32_t from; } rows[] = {
		{ SASL_NONE, 0 }, { SASL_PLAIN, 1 }, { SASL_LOGIN, 2 }, { SASL_SCRAM, 1 }, { SASL_SCRAM_PLUS, 1 }, { SASL_MECHANISM_COUNT, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		for (uint32_t count = 0; count <= SASL_RESPONSES_MAX; count++)
			assert_int_equal(sasl_judges(&(struct sasl_said){ .mechanism = rows[i].mechanism, .count = count }), count >= rows[i].from);
}

/* The stranger's hash has to cost what a user's does: crypt(3) must take it. */
static void
test_pretend_works(void **state)
{
	struct verifier v;
	const char *why;

	(void)state;
	assert_int_equal(verifier_parse(slice_str(verifier_stranger()), &v, &why), 0);
	verifier_pretend(NULL, SLICE_LIT("x"));
	verifier_pretend(&v, SLICE_LIT("x"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_plain),
		cmocka_unit_test(test_login),
		cmocka_unit_test(test_scram),
		cmocka_unit_test(test_scram_plus),
		cmocka_unit_test(test_scram_hides_users),
		cmocka_unit_test(test_judge),
		cmocka_unit_test(test_judges),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_verifiers),
		cmocka_unit_test(test_pretend_works),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
