/*
 * params — esmtp-param = keyword ["=" value], as a table of those that EHLO offers.
 */
#include "base/num.h"
#include "base/utf8.h"
#include "smtp/params.h"
#include "smtp/xtext.h"

#define SIZE_DIGITS	20	/* RFC 1870 4 */
#define AUTH_VALUE_MAX	500	/* RFC 4954 5 */

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

/* RFC 6531 3.4: it has no value. */
static enum param_result
on_smtputf8(struct slice value, struct mail_params *out)
{
	if (out->smtputf8 || value.p != NULL)
		return PARAM_BAD;
	out->smtputf8 = true;
	return PARAM_OK;
}

/* RFC 8689 2: nor has this. */
static enum param_result
on_requiretls(struct slice value, struct mail_params *out)
{
	if (out->requiretls || value.p != NULL)
		return PARAM_BAD;
	out->requiretls = true;
	return PARAM_OK;
}

static enum param_result
on_ret(struct slice value, struct mail_params *out)
{
	if (out->ret != RET_NONE)
		return PARAM_BAD;
	if (slice_caseeq(value, SLICE_LIT("FULL")))
		out->ret = RET_FULL;
	else if (slice_caseeq(value, SLICE_LIT("HDRS")))
		out->ret = RET_HDRS;
	else
		return PARAM_BAD;
	return PARAM_OK;
}

static enum param_result
on_envid(struct slice value, struct mail_params *out)
{
	if (out->envid_len != 0 || value.len == 0 || xtext_decode(value, out->envid, sizeof(out->envid), &out->envid_len) == -1)
		return PARAM_BAD;
	return PARAM_OK;
}

static uint32_t
notify_word(struct slice word)
{
	static const struct { struct slice word; uint32_t bit; } rows[] = {
		{ SLICE_LIT("NEVER"), NOTIFY_NEVER }, { SLICE_LIT("SUCCESS"), NOTIFY_SUCCESS },
		{ SLICE_LIT("FAILURE"), NOTIFY_FAILURE }, { SLICE_LIT("DELAY"), NOTIFY_DELAY },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (slice_caseeq(word, rows[i].word))
			return rows[i].bit;
	return 0;
}

/* RFC 3461 4.1: a list, or NEVER alone. */
static enum param_result
on_notify(struct slice value, struct rcpt_params *out)
{
	uint32_t bit, notify = 0;

	if (out->notify != 0 || value.p == NULL)
		return PARAM_BAD;
	while (value.p != NULL) {
		bit = notify_word(slice_split(value, ',', &value));
		if (bit == 0)
			return PARAM_BAD;
		notify |= bit;
	}
	out->notify = notify;
	return notify_valid(notify) ? PARAM_OK : PARAM_BAD;
}

/* RFC 3464 2.1.2: an atom. */
static bool
is_address_type(struct slice type)
{
	for (size_t i = 0; i < type.len; i++)
		if (type.p[i] <= ' ' || type.p[i] > '~' || strchr("()<>@,;:\\\".[]", type.p[i]) != NULL)
			return false;
	return type.len > 0;
}

/* May this be the text of an address of that type, which came so coded? RFC 6533 3: outside ASCII only in type utf-8. Postfix calls such an
 * address rfc822 and codes it byte by byte; to refuse that would refuse the recipient. */
static bool
is_original(struct slice type, struct slice coded, struct slice text)
{
	if (slice_is_ascii(text))
		return true;
	return utf8_is_name(text) && (slice_caseeq(type, SLICE_LIT("utf-8")) || (slice_caseeq(type, SLICE_LIT("rfc822")) && slice_is_ascii(coded)));
}

/* In the form that is ASCII (RFC 6533 3). */
static void
put_original(struct buf *out, struct slice text)
{
	while (text.len > 0) {
		struct slice rest = text;
		bool ascii = (unsigned char)text.p[0] <= 0x7f;

		if (ascii)
			slice_drop(&rest, 1);
		else
			(void)utf8_take(&rest);
		(ascii ? (void)buf_putc(out, text.p[0]) : uxtext_put(out, slice_of(text.p, text.len - rest.len)));
		text = rest;
	}
}

/* RFC 3461 4.2: "rfc822;" and an address in xtext; other types may name anything. */
static enum param_result
on_orcpt(struct slice value, struct rcpt_params *out)
{
	struct slice text, address, type = slice_split(value, ';', &address);
	struct buf made = { .mem = out->orcpt, .cap = sizeof(out->orcpt), .max = sizeof(out->orcpt) };
	char decoded[ORCPT_MAX];
	size_t len;

	if (out->orcpt_len != 0 || value.len > ORCPT_MAX || address.len == 0 || !is_address_type(type) ||
	    xtext_decode_bytes(address, decoded, sizeof(decoded), &len) == -1)
		return PARAM_BAD;
	text = slice_of(decoded, len);
	if (!is_original(type, address, text))
		return PARAM_BAD;
	if (!slice_is_ascii(text) && slice_caseeq(type, SLICE_LIT("rfc822")))
		type = SLICE_LIT("utf-8");
	(void)buf_put_slice(&made, type);
	(void)buf_putc(&made, ';');
	put_original(&made, text);
	if (made.failed)
		return PARAM_BAD;
	out->orcpt_len = buf_len(&made);
	return PARAM_OK;
}

/* RFC 4954 5: "<>" or a mailbox, in xtext. */
static enum param_result
on_auth(struct slice value, struct mail_params *out)
{
	char mailbox[AUTH_VALUE_MAX];
	size_t len;

	if (out->has_auth || value.len == 0 || xtext_decode(value, mailbox, sizeof(mailbox), &len) == -1)
		return PARAM_BAD;
	out->has_auth = true;
	return PARAM_OK;
}

static const struct {
	struct slice		keyword;
	enum extension		extension;
	enum param_result	(*fn)(struct slice value, struct mail_params *);
} mail_table[] = {
	{ SLICE_LIT("SIZE"),		EXTENSION_SIZE,		on_size },
	{ SLICE_LIT("BODY"),		EXTENSION_8BITMIME,	on_body },
	{ SLICE_LIT("SMTPUTF8"),	EXTENSION_SMTPUTF8,	on_smtputf8 },
	{ SLICE_LIT("REQUIRETLS"),	EXTENSION_REQUIRETLS,	on_requiretls },
	{ SLICE_LIT("AUTH"),		EXTENSION_AUTH,		on_auth },
	{ SLICE_LIT("RET"),		EXTENSION_DSN,		on_ret },
	{ SLICE_LIT("ENVID"),		EXTENSION_DSN,		on_envid },
};

static const struct {
	struct slice		keyword;
	enum extension		extension;
	enum param_result	(*fn)(struct slice value, struct rcpt_params *);
} rcpt_table[] = {
	{ SLICE_LIT("NOTIFY"),		EXTENSION_DSN,		on_notify },
	{ SLICE_LIT("ORCPT"),		EXTENSION_DSN,		on_orcpt },
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
mail_param(struct slice param, uint32_t withheld, struct mail_params *out)
{
	struct slice value, keyword = slice_split(param, '=', &value);

	for (size_t i = 0; i < sizeof(mail_table) / sizeof(mail_table[0]); i++)
		if (slice_caseeq(keyword, mail_table[i].keyword))
			return withheld & EXTENSION_BIT(mail_table[i].extension) ? PARAM_UNKNOWN : mail_table[i].fn(value, out);
	return PARAM_UNKNOWN;
}

enum param_result
params_mail(struct slice in, uint32_t withheld, struct mail_params *out, struct slice *which)
{
	struct mail_params params = { 0 };
	enum param_result result;
	bool bad;

	while (next_param(&in, which, &bad)) {
		result = bad ? PARAM_BAD : mail_param(*which, withheld, &params);
		if (result != PARAM_OK)
			return result;
	}
	*out = params;
	return PARAM_OK;
}

static enum param_result
rcpt_param(struct slice param, uint32_t withheld, struct rcpt_params *out)
{
	struct slice value, keyword = slice_split(param, '=', &value);

	for (size_t i = 0; i < sizeof(rcpt_table) / sizeof(rcpt_table[0]); i++)
		if (slice_caseeq(keyword, rcpt_table[i].keyword))
			return withheld & EXTENSION_BIT(rcpt_table[i].extension) ? PARAM_UNKNOWN : rcpt_table[i].fn(value, out);
	return PARAM_UNKNOWN;
}

enum param_result
params_rcpt(struct slice in, uint32_t withheld, struct rcpt_params *out, struct slice *which)
{
	enum param_result result;
	bool bad;

	out->notify = 0;
	out->orcpt_len = 0;
	while (next_param(&in, which, &bad)) {
		result = bad ? PARAM_BAD : rcpt_param(*which, withheld, out);
		if (result != PARAM_OK)
			return result;
	}
	return PARAM_OK;
}
