/* fuzz_sasl: what a client may say in an attempt to log in: mechanism, channel, responses parted by 0xfe bytes; base64 both ways. */
#include <stdlib.h>

#include "lookup/password/sasl.h"
#include "smtp/base64.h"

#define KEYS	"{SCRAM-SHA-256}4096,W22ZaJ0SNY7soEsUEjb6gQ==,WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=,wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU="

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

/* Only those whose name begins with x exist, and checking a password costs nothing: their kind is none of crypt's. */
static enum sasl_found
find(void *arg, struct slice login, struct verifier *out)
{
	const char *why;

	(void)arg;
	if (login.len == 0 || login.len > AUTH_LOGIN_MAX || memchr(login.p, '\0', login.len) != NULL)
		abort();
	if (login.p[0] == 't')
		return FOUND_TROUBLE;
	if (verifier_parse(SLICE_LIT(KEYS), out, &why) == -1)
		abort();
	return login.p[0] == 'x' ? FOUND_USER : FOUND_NOBODY;
}

static void
round_trip(struct slice in)
{
	char *out = malloc(BASE64_DECODED(in.len) + BASE64_ENCODED(in.len) + 8);
	size_t len;

	if (out != NULL && base64_decode(in, out, &len) == 0) {
		char *text = out + BASE64_DECODED(in.len);

		if (len > BASE64_DECODED(in.len) || base64_encode(slice_of(out, len), text) != in.len || memcmp(text, in.p, in.len) != 0)
			abort();
	}
	free(out);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	const struct sasl_users users = { .find = find, .secret = "secret" };
	struct sasl_said said = { .nonce = SLICE_LIT("%hvYDpWUa2RaTCAfuxFIlj"), .channel_count = 1,
	    .channels = { { BINDING_TLS_EXPORTER, SLICE_LIT("exporter bytes") } } };
	struct slice rest = slice_of(data + 1, len - 1);
	struct sasl_answer answer;

	if (len < 1 || len > AUTH_RESPONSE_MAX)
		return 0;
	round_trip(rest);
	said.mechanism = data[0] % SASL_MECHANISM_COUNT;
	said.plus_offered = data[0] & 0x80;
	while (rest.p != NULL && said.count < SASL_RESPONSES_MAX)
		said.responses[said.count++] = slice_split(rest, '\xfe', &rest);
	sasl_step(&said, &users, &answer);
	if (answer.result == SASL_RESULT_NONE || answer.result >= SASL_RESULT_COUNT || answer.challenge_len > sizeof(answer.challenge))
		abort();
	if (answer.result == SASL_OK && answer.login[0] == '\0')
		abort();
	return 0;
}
