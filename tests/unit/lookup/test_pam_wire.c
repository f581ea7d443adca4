/* test_pam_wire — questions to the process pam and its verdicts: round trip, cuts, changed bytes, and values that must be refused. */
#include "tests/unit/wire/codec.h"

#include "lookup/pam/wire.h"
#include "tests/unit/lookup/pam_rows.h"

static const struct sasl_said plain = { .mechanism = SASL_PLAIN, .client = SLICE_LIT("\300\0\2\7"), .nonce = SLICE_LIT("abc"),
    .count = 1, .responses = { SLICE_LIT("\0bob\0pencil") } };

static void
test_round_trips(void **state)
{
	struct sasl_said scram = { .mechanism = SASL_SCRAM_PLUS, .plus_offered = true, .client = SLICE_LIT("0123456789abcdef"),
	    .nonce = SLICE_LIT("abc"), .channel_count = 1, .channels = { { BINDING_TLS_EXPORTER, SLICE_LIT("data") } },
	    .count = 2, .responses = { SLICE_LIT("one"), SLICE_LIT("") } };
	struct buf b;

	(void)state;
	buf_init(&b, 1 << 20);
	pam_question_put(&b, &(struct pam_question){ 1, plain });
	codec_check(&pam_rows[0], &b);
	buf_reset(&b);
	pam_question_put(&b, &(struct pam_question){ UINT32_MAX, scram });
	codec_check(&pam_rows[0], &b);
	buf_reset(&b);
	pam_verdict_put(&b, &(struct pam_verdict){ 7, { SASL_OK, SLICE_LIT(""), SLICE_LIT("bob"), SLICE_LIT("") } });
	codec_check(&pam_rows[1], &b);
	buf_reset(&b);
	pam_verdict_put(&b, &(struct pam_verdict){ 7, { SASL_CHALLENGE, SLICE_LIT("Username:"), SLICE_LIT(""), SLICE_LIT("") } });
	codec_check(&pam_rows[1], &b);
	buf_fini(&b);
}

static void
test_bad_questions(void **state)
{
	static const struct { const char *name; uint32_t id; struct slice client; enum sasl_mechanism mechanism; } rows[] = {
		{ "no id", 0, SLICE_LIT("1234"), SASL_PLAIN },
		{ "no mechanism", 1, SLICE_LIT("1234"), SASL_NONE },
		{ "a mechanism too many", 1, SLICE_LIT("1234"), SASL_MECHANISM_COUNT },
		{ "no address", 1, SLICE_LIT(""), SASL_PLAIN },
		{ "half an address", 1, SLICE_LIT("12345678"), SASL_PLAIN },
		{ "more than an address", 1, SLICE_LIT("0123456789abcdefg"), SASL_PLAIN },
	};
	struct pam_question out;
	struct reader r;
	struct buf b;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct pam_question question = { rows[i].id, plain };

		ROW(i, rows[i].name);
		question.said.client = rows[i].client;
		question.said.mechanism = rows[i].mechanism;
		buf_init(&b, 1 << 20);
		pam_question_put(&b, &question);
		r = reader_of(buf_slice(&b));
		assert_int_equal(pam_question_get(&r, &out), -1);
		buf_fini(&b);
	}
}

static void
test_bad_verdicts(void **state)
{
	static const struct { const char *name; struct pam_verdict verdict; } rows[] = {
		{ "no id", { 0, { SASL_FAILED, SLICE_LIT(""), SLICE_LIT(""), SLICE_LIT("") } } },
		{ "no result", { 1, { SASL_RESULT_NONE, SLICE_LIT(""), SLICE_LIT(""), SLICE_LIT("") } } },
		{ "a result too many", { 1, { SASL_RESULT_COUNT, SLICE_LIT(""), SLICE_LIT(""), SLICE_LIT("") } } },
		{ "nobody is logged in", { 1, { SASL_OK, SLICE_LIT(""), SLICE_LIT(""), SLICE_LIT("") } } },
		{ "no name", { 1, { SASL_OK, SLICE_LIT(""), SLICE_LIT("b\0b"), SLICE_LIT("") } } },
	};
	struct pam_verdict out;
	struct reader r;
	struct buf b;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		ROW(i, rows[i].name);
		buf_init(&b, 1 << 20);
		pam_verdict_put(&b, &rows[i].verdict);
		r = reader_of(buf_slice(&b));
		assert_int_equal(pam_verdict_get(&r, &out), -1);
		buf_fini(&b);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trips), cmocka_unit_test(test_bad_questions), cmocka_unit_test(test_bad_verdicts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
