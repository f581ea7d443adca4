/* test_auth — the frames of a login. */
#include "tests/unit/wire/codec.h"

#include "wire/auth.h"

#define AUTH(name)	codec_of(recode_auth, recode_auth_count, name)

static struct buf b;

static int
setup(void **state)
{
	(void)state;
	buf_init(&b, SIZE_MAX);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	buf_fini(&b);
	return 0;
}

static void
test_begin(void **state)
{
	struct auth_begin whole = { .serial = UINT64_MAX, .mechanism = SLICE_LIT("SCRAM-SHA-256-PLUS_X"), .client = SLICE_LIT("0123456789abcdef"),
	    .secure = true, .has_response = true, .response = SLICE_LIT("n,,n=user,r=nonce"), .channel_count = AUTH_CHANNELS_MAX,
	    .channels = { { BINDING_TLS_EXPORTER, codec_fill('e', AUTH_CHANNEL_DATA_MAX) }, { BINDING_TLS_SERVER_END_POINT, SLICE_LIT("p") } } };

	(void)state;
	auth_begin_put(&b, &whole);
	codec_check(AUTH("auth_begin"), &b);
}

static void
test_begin_rules(void **state)
{
	static const struct {
		const char		*name;
		struct auth_begin	 begin;
		bool			 good;
	} rows[] = {
		{ "least", { .serial = 1, .mechanism = { "P", 1 }, .client = { "1234", 4 } }, true },
		{ "no serial", { .mechanism = { "P", 1 }, .client = { "1234", 4 } }, false },
		{ "no mechanism", { .serial = 1, .client = { "1234", 4 } }, false },
		{ "lower case", { .serial = 1, .mechanism = { "plain", 5 }, .client = { "1234", 4 } }, false },
		{ "a mechanism of 21", { .serial = 1, .mechanism = { "AAAAAAAAAAAAAAAAAAAAA", 21 }, .client = { "1234", 4 } }, false },
		{ "a tab", { .serial = 1, .mechanism = { "P\tx", 3 }, .client = { "1234", 4 } }, false },
		{ "no address", { .serial = 1, .mechanism = { "P", 1 } }, false },
		{ "half an address", { .serial = 1, .mechanism = { "P", 1 }, .client = { "12345678", 8 } }, false },
		{ "empty response", { .serial = 1, .mechanism = { "P", 1 }, .client = { "1234", 4 }, .has_response = true }, true },
		{ "a response that is none", { .serial = 1, .mechanism = { "P", 1 }, .client = { "1234", 4 }, .response = { "x", 1 } }, false },
		{ "a channel without data", { .serial = 1, .mechanism = { "P", 1 }, .client = { "1234", 4 }, .channel_count = 1,
		    .channels = { { BINDING_TLS_EXPORTER, { "", 0 } } } }, false },
		{ "a channel of no type", { .serial = 1, .mechanism = { "P", 1 }, .client = { "1234", 4 }, .channel_count = 1,
		    .channels = { { BINDING_NONE, { "x", 1 } } } }, false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		ROW(i, rows[i].name);
		buf_reset(&b);
		auth_begin_put(&b, &rows[i].begin);
		assert_int_equal(codec_try(AUTH("auth_begin"), buf_slice(&b)), rows[i].good ? 0 : -1);
	}
}

static void
test_pieces(void **state)
{
	static char most[AUTH_RESPONSE_MAX + 1];
	struct auth_piece piece = { .serial = 7, .bytes = SLICE_LIT("\0bob\0secret") };

	(void)state;
	auth_piece_put(&b, &piece);
	codec_check(AUTH("auth_piece"), &b);
	for (size_t len = AUTH_RESPONSE_MAX; len <= sizeof(most); len++) {
		buf_reset(&b);
		piece.bytes = slice_of(most, len);
		auth_piece_put(&b, &piece);
		assert_int_equal(codec_try(AUTH("auth_piece"), buf_slice(&b)), len == AUTH_RESPONSE_MAX ? 0 : -1);
	}
	buf_reset(&b);
	auth_serial_put(&b, 0);
	assert_int_equal(codec_try(AUTH("auth_serial"), buf_slice(&b)), -1);
}

static void
test_answers(void **state)
{
	struct auth_granted granted = { .serial = 1, .token = { 1, 2 }, .login = codec_fill('l', AUTH_LOGIN_MAX) };
	struct auth_denied denied = { .serial = 1, .login = SLICE_LIT("bob"), .text = codec_fill('t', AUTH_TEXT_MAX) };
	struct auth_known known = { .serial = 1, .ok = true };

	(void)state;
	auth_granted_put(&b, &granted);
	codec_check(AUTH("auth_granted"), &b);
	buf_reset(&b);
	granted.login.len = 0;
	auth_granted_put(&b, &granted);
	assert_int_equal(codec_try(AUTH("auth_granted"), buf_slice(&b)), -1);
	buf_reset(&b);
	granted = (struct auth_granted){ .serial = 1, .login = SLICE_LIT("bob") };	/* without a token */
	auth_granted_put(&b, &granted);
	assert_int_equal(codec_try(AUTH("auth_granted"), buf_slice(&b)), -1);
	buf_reset(&b);
	auth_denied_put(&b, &denied);
	codec_check(AUTH("auth_denied"), &b);
	buf_reset(&b);
	auth_known_put(&b, &known);
	codec_check(AUTH("auth_known"), &b);
	buf_reset(&b);
	auth_logout_put(&b, &(struct auth_token){ 0, 9 });
	codec_check(AUTH("auth_logout"), &b);
	buf_reset(&b);
	auth_logout_put(&b, &(struct auth_token){ 0, 0 });
	assert_int_equal(codec_try(AUTH("auth_logout"), buf_slice(&b)), -1);
}

static void
test_mechanisms(void **state)
{
	static const struct {
		const char	*names;
		bool		 good;
	} rows[] = { { "", true }, { "PLAIN LOGIN SCRAM-SHA-256", true }, { "plain", false }, { "PLAIN\r\n250 X", false }, { "PLAIN,LOGIN", false } };

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		ROW(i, rows[i].names);
		buf_reset(&b);
		auth_mechanisms_put(&b, slice_str(rows[i].names));
		assert_int_equal(codec_try(AUTH("auth_mechanisms"), buf_slice(&b)), rows[i].good ? 0 : -1);
	}
	buf_reset(&b);
	auth_mechanisms_put(&b, codec_fill('A', AUTH_MECHANISMS_MAX + 1));
	assert_int_equal(codec_try(AUTH("auth_mechanisms"), buf_slice(&b)), -1);
}

#define BUF(fn)	cmocka_unit_test_setup_teardown(fn, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		BUF(test_begin), BUF(test_begin_rules), BUF(test_pieces), BUF(test_answers), BUF(test_mechanisms),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
