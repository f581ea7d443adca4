/*
 * params — esmtp-param = keyword ["=" value], as a table of those that EHLO offers.
 */
#include "base/num.h"
#include "smtp/params.h"

#define SIZE_DIGITS	20	/* RFC 1870 4 */

static enum param_result
on_size(struct slice value, struct mail_params *out)
{
	if (out->has_size || value.len == 0 || value.len > SIZE_DIGITS)
		return PARAM_BAD;
	for (size_t i = 0; i < value.len; i++)
		if (value.p[i] < '0' || value.p[i] > '9')
			return PARAM_BAD;
	out->has_size = true;
	if (num_parse(value, UINT64_MAX, &out->size) == -1)
		out->size = UINT64_MAX;
	return PARAM_OK;
}

static enum param_result
on_body(struct slice value, struct mail_params *out)
{
	if (out->body != BODY_NONE)
		return PARAM_BAD;
	if (slice_caseeq(value, SLICE_LIT("7BIT")))
		out->body = BODY_7BIT;
	else if (slice_caseeq(value, SLICE_LIT("8BITMIME")))
		out->body = BODY_8BITMIME;
	else
		return PARAM_BAD;
	return PARAM_OK;
}

static const struct {
	struct slice		keyword;
	enum param_result	(*fn)(struct slice value, struct mail_params *);
} mail_table[] = {
	{ SLICE_LIT("SIZE"), on_size },
	{ SLICE_LIT("BODY"), on_body },
};

/* The next parameter without its spaces; false when there is none. A missing space in front is *bad. */
static bool
next_param(struct slice *in, struct slice *param, bool *bad)
{
	struct slice rest;

	*bad = in->len > 0 && in->p[0] != ' ';
	while (in->len > 0 && in->p[0] == ' ')
		slice_drop(in, 1);
	if (in->len == 0)
		return false;
	*param = slice_split(*in, ' ', &rest);
	/* the space stays in front of what follows */
	*in = rest.p == NULL ? slice_of("", 0) : slice_of(rest.p - 1, rest.len + 1);
	return true;
}

static enum param_result
mail_param(struct slice param, struct mail_params *out)
{
	struct slice value, keyword = slice_split(param, '=', &value);

	for (size_t i = 0; i < sizeof(mail_table) / sizeof(mail_table[0]); i++)
		if (slice_caseeq(keyword, mail_table[i].keyword))
			return mail_table[i].fn(value, out);
	return PARAM_UNKNOWN;
}

enum param_result
params_mail(struct slice in, struct mail_params *out, struct slice *which)
{
	struct mail_params params = { 0 };
	enum param_result result;
	bool bad;

	while (next_param(&in, which, &bad)) {
		result = bad ? PARAM_BAD : mail_param(*which, &params);
		if (result != PARAM_OK)
			return result;
	}
	*out = params;
	return PARAM_OK;
}

enum param_result
params_rcpt(struct slice in, struct slice *which)
{
	bool bad;

	if (!next_param(&in, which, &bad))
		return PARAM_OK;
	return bad ? PARAM_BAD : PARAM_UNKNOWN;
}
