/*
 * scram — SCRAM-SHA-256 and SCRAM-SHA-256-PLUS (RFC 5802, RFC 7677).
 *
 *	client	gs2-header n=LOGIN,r=CNONCE		gs2-header: n,, | y,, | p=TYPE,,  with a=AUTHZID between the commas
 *	server	r=CNONCE SNONCE,s=SALT,i=COUNT
 *	client	c=base64(gs2-header channel-data),r=...,p=PROOF
 *	server	v=SIGNATURE				as a challenge: SMTP's 235 carries no data
 *	client	(nothing)
 *
 * Who does not exist has a salt, too, always the same one, and only the proof fails.
 */
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>

#include "lookup/password/sasl.h"
#include "smtp/base64.h"

#define CNONCE_MAX	256
#define GS2_MAX		(AUTH_LOGIN_MAX * 3 + 64)
#define FIRST_MAX	1400		/* client-first-message-bare */
#define FINAL_MAX	2048		/* client-final-message; c= and the nonce are most of it */

struct first {			/* client-first-message; slices of it */
	struct slice		header, bare, cnonce;
	bool			could_bind;		/* y */
	enum auth_binding	binding;		/* p=; BINDING_NONE: n or y */
};

struct final {			/* client-final-message */
	struct slice		without_proof, binding, nonce;
	unsigned char		proof[SCRAM_KEY];
};

/* RFC 5802 5.1: `,' is =2C, `=' is =3D, and no other `=' may be there. -1: not so, or longer than a login. */
static int
saslname(struct slice in, char *out, size_t *len)
{
	*len = 0;
	while (in.len > 0 && *len < AUTH_LOGIN_MAX) {
		if (in.p[0] != '=') {
			out[(*len)++] = in.p[0];
			slice_drop(&in, 1);
		} else if (slice_starts(in, SLICE_LIT("=2C")) || slice_starts(in, SLICE_LIT("=3D"))) {
			out[(*len)++] = in.p[1] == '2' ? ',' : '=';
			slice_drop(&in, 3);
		} else {
			return -1;
		}
	}
	return in.len == 0 ? 0 : -1;
}

/* "x=value" off the front, up to the next comma, which goes, too. -1: something else stands there. */
static int
attribute(struct slice *in, char name, struct slice *value)
{
	struct slice one = slice_split(*in, ',', in);

	if (in->p == NULL)
		*in = slice_of("", 0);
	if (one.len < 2 || one.p[0] != name || one.p[1] != '=')
		return -1;
	*value = slice_of(one.p + 2, one.len - 2);
	return 0;
}

static bool
is_printable(struct slice s)
{
	for (size_t i = 0; i < s.len; i++)
		if (s.p[i] < '!' || s.p[i] > '~')	/* RFC 5802 7, printable; the comma is gone already */
			return false;
	return s.len > 0;
}

static int
parse_flag(struct slice flag, struct first *out)
{
	out->could_bind = slice_eq(flag, SLICE_LIT("y"));
	if (out->could_bind || slice_eq(flag, SLICE_LIT("n")))
		return 0;
	if (!slice_starts(flag, SLICE_LIT("p=")))
		return -1;
	slice_drop(&flag, 2);
	for (enum auth_binding b = BINDING_TLS_EXPORTER; b < BINDING_COUNT; b++)
		if (slice_eq(flag, slice_str(sasl_binding_name(b))))
			out->binding = b;
	return out->binding == BINDING_NONE ? -1 : 0;
}

/* The answer's login and the parts of the message. -1: *why. */
static int
parse_first(struct slice in, struct first *out, struct sasl_answer *answer, const char **why)
{
	char name[AUTH_LOGIN_MAX], other[AUTH_LOGIN_MAX];
	struct slice rest = in, flag, authzid, user;
	size_t len, other_len = 0;

	*out = (struct first){ 0 };
	*why = "not a first message of SCRAM";
	if (in.len > GS2_MAX + FIRST_MAX || !sasl_is_text(in))
		return -1;
	flag = slice_split(rest, ',', &rest);
	authzid = rest.p == NULL ? rest : slice_split(rest, ',', &rest);
	if (authzid.p == NULL || rest.p == NULL)
		return -1;
	out->header = slice_of(in.p, (size_t)(rest.p - in.p));
	out->bare = rest;
	/* m= is an extension that must be understood; as it stands in front of n=, it fails here. */
	if (attribute(&rest, 'n', &user) == -1 || attribute(&rest, 'r', &out->cnonce) == -1 || saslname(user, name, &len) == -1 ||
	    out->bare.len > FIRST_MAX || out->cnonce.len > CNONCE_MAX || !is_printable(out->cnonce))
		return -1;
	*why = NULL;
	if (sasl_take_login(answer, slice_of(name, len)) == -1)
		return -1;
	*why = "a channel binding that is not known here";
	if (parse_flag(flag, out) == -1)
		return -1;
	*why = "one user may not act for another";
	if (authzid.len > 0 && (!slice_starts(authzid, SLICE_LIT("a=")) ||
	    saslname(slice_of(authzid.p + 2, authzid.len - 2), other, &other_len) == -1 ||
	    !slice_eq(slice_of(other, other_len), slice_of(name, len))))
		return -1;
	return 0;
}

/* RFC 5802 6. NULL: as it should be. */
static const char *
binding_fault(const struct sasl_said *said, const struct first *first)
{
	if (said->mechanism == SASL_SCRAM_PLUS)
		return first->binding == BINDING_NONE ? "-PLUS without a channel binding" : NULL;
	if (first->binding != BINDING_NONE)
		return "a channel binding without -PLUS";
	return first->could_bind && said->plus_offered ? "somebody has hidden -PLUS from the client" : NULL;
}

static int
parse_final(struct slice in, struct final *out)
{
	char proof[BASE64_DECODED(BASE64_ENCODED(SCRAM_KEY))];
	struct slice rest = in, text = slice_of(NULL, 0);
	size_t len;

	if (in.len > FINAL_MAX || !sasl_is_text(in) || attribute(&rest, 'c', &out->binding) == -1 || attribute(&rest, 'r', &out->nonce) == -1)
		return -1;
	/* Extensions may stand between, the proof is the last. */
	while (rest.len > 0) {
		out->without_proof = slice_of(in.p, (size_t)(rest.p - in.p) - 1);
		if (attribute(&rest, 'p', &text) == 0)
			break;
	}
	if (text.p == NULL || rest.len > 0 || text.p + text.len != in.p + in.len)
		return -1;
	if (text.len != BASE64_ENCODED(SCRAM_KEY) || base64_decode(text, proof, &len) == -1 || len != SCRAM_KEY)
		return -1;
	memcpy(out->proof, proof, SCRAM_KEY);
	return 0;
}

/* c= is the base64 of the header, as it came, and the channel's data. */
static bool
binding_matches(const struct sasl_said *said, const struct first *first, struct slice c)
{
	char want[GS2_MAX + AUTH_CHANNEL_DATA_MAX], encoded[BASE64_ENCODED(sizeof(want))];
	struct slice data = slice_of(NULL, 0);
	size_t len = first->header.len;

	for (uint32_t i = 0; i < said->channel_count; i++)
		if (said->channels[i].type == first->binding)
			data = said->channels[i].data;
	if (first->binding != BINDING_NONE && (data.len == 0 || data.len > AUTH_CHANNEL_DATA_MAX))
		return false;
	if (len > GS2_MAX)
		return false;
	memcpy(want, first->header.p, len);
	if (data.len > 0)
		memcpy(want + len, data.p, data.len);
	len = base64_encode(slice_of(want, len + data.len), encoded);
	return c.len == len && CRYPTO_memcmp(c.p, encoded, len) == 0;
}

/* Somebody who does not exist: a salt that is his alone and never changes, and keys that nothing fits. */
static void
invent(const struct sasl_users *users, const char *login, struct verifier *v)
{
	unsigned iterations = v->kind == VERIFIER_SCRAM ? v->iterations : SCRAM_ITERATIONS_LEAST;
	size_t salt_len = v->kind == VERIFIER_SCRAM ? v->salt_len : 16;
	unsigned char digest[SCRAM_KEY];

	*v = (struct verifier){ .kind = VERIFIER_SCRAM, .iterations = iterations, .salt_len = salt_len };
	(void)HMAC(EVP_sha256(), users->secret, SCRAM_KEY, (const unsigned char *)login, strlen(login), digest, NULL);
	for (size_t i = 0; i < salt_len; i++)
		v->salt[i] = digest[i % SCRAM_KEY];
	(void)HMAC(EVP_sha256(), digest, SCRAM_KEY, users->secret, SCRAM_KEY, v->stored, NULL);
}

static int
hmac(const unsigned char key[SCRAM_KEY], struct slice text, unsigned char out[SCRAM_KEY])
{
	return HMAC(EVP_sha256(), key, SCRAM_KEY, (const unsigned char *)text.p, text.len, out, NULL) == NULL ? -1 : 0;
}

/* RFC 5802 3: H(ClientProof XOR HMAC(StoredKey, AuthMessage)) is StoredKey. */
static bool
proof_is_good(const struct verifier *v, struct slice message, const unsigned char proof[SCRAM_KEY])
{
	unsigned char key[SCRAM_KEY], stored[SCRAM_KEY];
	bool good;

	if (hmac(v->stored, message, key) == -1)
		return false;
	for (size_t i = 0; i < SCRAM_KEY; i++)
		key[i] ^= proof[i];
	good = EVP_Digest(key, SCRAM_KEY, stored, NULL, EVP_sha256(), NULL) == 1 && CRYPTO_memcmp(stored, v->stored, SCRAM_KEY) == 0;
	OPENSSL_cleanse(key, sizeof(key));
	return good;
}

static void
say_signature(const struct verifier *v, struct slice message, struct sasl_answer *out)
{
	unsigned char signature[SCRAM_KEY];
	char text[2 + BASE64_ENCODED(SCRAM_KEY)] = "v=";

	if (hmac(v->server, message, signature) == -1) {
		out->result = SASL_TROUBLE;
		return;
	}
	sasl_challenge(out, slice_of(text, 2 + base64_encode(slice_of(signature, SCRAM_KEY), text + 2)));
}

/* server-first-message. */
static size_t
print_first(const struct sasl_said *said, const struct first *first, const struct verifier *v, char out[SASL_CHALLENGE_MAX])
{
	char salt[BASE64_ENCODED(SCRAM_SALT_MAX)];
	int len = snprintf(out, SASL_CHALLENGE_MAX, "r=%.*s%.*s,s=%.*s,i=%u", SLICE_FMT(first->cnonce), SLICE_FMT(said->nonce),
	    (int)base64_encode(slice_of(v->salt, v->salt_len), salt), salt, v->iterations);

	return len < 0 || len >= SASL_CHALLENGE_MAX ? 0 : (size_t)len;
}

static void
finish(const struct sasl_said *said, const struct first *first, const struct verifier *v, struct slice server_first,
    struct sasl_answer *out)
{
	struct slice nonce = slice_of(server_first.p + 2, first->cnonce.len + said->nonce.len);
	char message[FIRST_MAX + SASL_CHALLENGE_MAX + FINAL_MAX + 2];
	struct final final = { 0 };
	int len;

	if (parse_final(said->responses[1], &final) == -1) {
		sasl_fail(out, "not a final message of SCRAM");
	} else if (!slice_eq(final.nonce, nonce)) {
		sasl_fail(out, "a nonce that is not this attempt's");
	} else if (!binding_matches(said, first, final.binding)) {
		sasl_fail(out, "a channel binding that is not this connection's");
	} else {
		len = snprintf(message, sizeof(message), "%.*s,%.*s,%.*s", SLICE_FMT(first->bare), SLICE_FMT(server_first),
		    SLICE_FMT(final.without_proof));
		if (len < 0 || (size_t)len >= sizeof(message) || !proof_is_good(v, slice_of(message, (size_t)len), final.proof))
			sasl_fail(out, "authentication failure");
		else if (said->count == 2)
			say_signature(v, slice_of(message, (size_t)len), out);
		else if (said->responses[2].len > 0)
			sasl_fail(out, "more than SCRAM has to say");
		else
			out->result = SASL_OK;
	}
}

static void
answer(const struct sasl_said *said, const struct sasl_users *users, const struct first *first, struct sasl_answer *out)
{
	char server_first[SASL_CHALLENGE_MAX];
	struct verifier v = { 0 };
	enum sasl_found found = users->find(users->arg, slice_str(out->login), &v);
	size_t len;

	/* A user whose hash is of another kind cannot log in this way, and nobody is told which kind it is. */
	if (found == FOUND_NOBODY || v.kind != VERIFIER_SCRAM)
		invent(users, out->login, &v);
	len = print_first(said, first, &v, server_first);
	if (found == FOUND_TROUBLE || len == 0) {
		out->result = SASL_TROUBLE;
		out->why = "the users cannot be read";
	} else if (said->count == 1) {
		sasl_challenge(out, slice_of(server_first, len));
	} else {
		finish(said, first, &v, slice_of(server_first, len), out);
	}
	explicit_bzero(&v, sizeof(v));
}

void
scram_step(const struct sasl_said *said, const struct sasl_users *users, struct sasl_answer *out)
{
	struct first first;
	const char *why;

	if (said->count == 0) {
		sasl_challenge(out, SLICE_LIT(""));
		return;
	}
	if (parse_first(said->responses[0], &first, out, &why) == -1) {
		if (why != NULL)
			sasl_fail(out, why);
		return;
	}
	if ((why = binding_fault(said, &first)) != NULL)
		sasl_fail(out, why);
	else
		answer(said, users, &first, out);
}
