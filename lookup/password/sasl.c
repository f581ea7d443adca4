/* sasl — the mechanisms as a table, and the two that send the password itself. */
#include "lookup/password/sasl.h"

#include "base/utf8.h"

static const struct {
	struct slice	name;
	void		(*step)(const struct sasl_said *, const struct sasl_users *, struct sasl_answer *);
	bool		finds;		/* works with what is kept of a password, never with the password */
	uint32_t	judges;		/* from so many responses on */
} mechanisms[SASL_MECHANISM_COUNT] = {
	[SASL_PLAIN]		= { SLICE_LIT("PLAIN"), plain_step, false, 1 },
	[SASL_LOGIN]		= { SLICE_LIT("LOGIN"), login_step, false, 2 },
	[SASL_SCRAM]		= { SLICE_LIT("SCRAM-SHA-256"), scram_step, true, 1 },
	[SASL_SCRAM_PLUS]	= { SLICE_LIT("SCRAM-SHA-256-PLUS"), scram_step, true, 1 },
};

const char *
sasl_name(enum sasl_mechanism m)
{
	return m > SASL_NONE && m < SASL_MECHANISM_COUNT ? mechanisms[m].name.p : "none";
}

enum sasl_mechanism
sasl_named(struct slice name)
{
	for (enum sasl_mechanism m = SASL_PLAIN; m < SASL_MECHANISM_COUNT; m++)
		if (slice_caseeq(name, mechanisms[m].name))
			return m;
	return SASL_NONE;
}

const char *
sasl_binding_name(enum auth_binding binding)
{
	static const char *const names[BINDING_COUNT] = { "none", "tls-exporter", "tls-server-end-point" };

	return binding < BINDING_COUNT ? names[binding] : names[0];
}

bool
sasl_judges(const struct sasl_said *said)
{
	return said->mechanism <= SASL_NONE || said->mechanism >= SASL_MECHANISM_COUNT || said->count >= mechanisms[said->mechanism].judges;
}

void
sasl_step(const struct sasl_said *said, const struct sasl_users *users, struct sasl_answer *out)
{
	*out = (struct sasl_answer){ .why = "" };
	if (said->mechanism <= SASL_NONE || said->mechanism >= SASL_MECHANISM_COUNT || said->count > SASL_RESPONSES_MAX ||
	    (mechanisms[said->mechanism].finds && users->find == NULL))
		sasl_fail(out, "no such mechanism");
	else
		mechanisms[said->mechanism].step(said, users, out);
}

void
sasl_challenge(struct sasl_answer *out, struct slice challenge)
{
	if (challenge.len > sizeof(out->challenge)) {
		out->result = SASL_TROUBLE;
		out->why = "the challenge is too long";
		return;
	}
	memcpy(out->challenge, challenge.p, challenge.len);
	out->challenge_len = challenge.len;
	out->result = SASL_CHALLENGE;
}

void
sasl_fail(struct sasl_answer *out, const char *why)
{
	out->result = SASL_FAILED;
	out->why = why;
}

bool
sasl_is_text(struct slice text)
{
	return utf8_valid(text) && (text.len == 0 || memchr(text.p, '\0', text.len) == NULL);
}

bool
sasl_is_login(struct slice name)
{
	if (name.len == 0 || name.len > AUTH_LOGIN_MAX || !sasl_is_text(name))
		return false;
	for (size_t i = 0; i < name.len; i++)
		if ((unsigned char)name.p[i] < ' ' || name.p[i] == '\x7f')
			return false;
	return true;
}

int
sasl_take_login(struct sasl_answer *out, struct slice login)
{
	if (!sasl_is_login(login)) {
		sasl_fail(out, "the login is empty, too long or no text");
		return -1;
	}
	memcpy(out->login, login.p, login.len);
	out->login[login.len] = '\0';
	return 0;
}

static void
check(const struct sasl_said *said, const struct sasl_users *users, struct slice password, struct sasl_answer *out)
{
	struct verifier v = { 0 };
	enum sasl_found found;

	if (password.len == 0 || password.len > PASSWORD_MAX || !sasl_is_text(password)) {
		sasl_fail(out, "the password is empty, too long or no text");
		return;
	}
	if (users->judge != NULL) {
		users->judge(users->arg, said, password, out);
		return;
	}
	found = users->find(users->arg, slice_str(out->login), &v);
	if (found == FOUND_TROUBLE) {
		out->result = SASL_TROUBLE;
		out->why = "the users cannot be read";
	} else if (found == FOUND_USER && verifier_check(&v, password)) {
		out->result = SASL_OK;
	} else {
		if (found != FOUND_USER)
			verifier_pretend(v.kind != VERIFIER_NONE ? &v : NULL, password);
		sasl_fail(out, "authentication failure");
	}
	explicit_bzero(&v, sizeof(v));
}

/* RFC 4616 2: [authzid] NUL authcid NUL passwd. */
void
plain_step(const struct sasl_said *said, const struct sasl_users *users, struct sasl_answer *out)
{
	struct slice authzid, authcid, password;

	if (said->count == 0) {
		sasl_challenge(out, SLICE_LIT(""));
		return;
	}
	authzid = slice_split(said->responses[0], '\0', &authcid);
	authcid = authcid.p == NULL ? authcid : slice_split(authcid, '\0', &password);
	if (said->count > 1 || authcid.p == NULL || password.p == NULL || memchr(password.p, '\0', password.len) != NULL) {
		sasl_fail(out, "not a message of PLAIN");
		return;
	}
	if (sasl_take_login(out, authcid) == -1)
		return;
	if (authzid.len > 0 && !slice_eq(authzid, authcid)) {
		sasl_fail(out, "one user may not act for another");
		return;
	}
	check(said, users, password, out);
}

/* Never standardised (draft-murchison-sasl-login); the prompts are what clients have seen since. An initial response is the login. */
void
login_step(const struct sasl_said *said, const struct sasl_users *users, struct sasl_answer *out)
{
	static const struct slice prompts[] = { SLICE_LIT("Username:"), SLICE_LIT("Password:") };

	if (said->count > 2) {
		sasl_fail(out, "not a dialogue of LOGIN");
		return;
	}
	if (said->count > 0 && sasl_take_login(out, said->responses[0]) == -1)
		return;
	if (said->count < 2)
		sasl_challenge(out, prompts[said->count]);
	else
		check(said, users, said->responses[1], out);
}
