/* dovecot_line — the first field says which row; each row reads the others. */
#include "lookup/password/dovecot_line.h"

#include "base/num.h"

#define VERSION_MAJOR	1

/* The next field; false when there is none. */
static bool
next(struct slice *in, struct slice *field)
{
	if (in->p == NULL)
		return false;
	*field = slice_split(*in, '\t', in);
	return true;
}

static enum dovecot_kind
on_version(struct slice rest, struct dovecot_line *out)
{
	struct slice field;
	uint64_t major;

	(void)out;
	if (!next(&rest, &field) || num_parse(field, UINT32_MAX, &major) == -1 || major != VERSION_MAJOR)
		return DOVECOT_NONE;
	return DOVECOT_VERSION;
}

static enum dovecot_kind
on_mechanism(struct slice rest, struct dovecot_line *out)
{
	struct slice field;

	if (!next(&rest, &out->name) || out->name.len == 0)
		return DOVECOT_NONE;
	while (next(&rest, &field))
		if (slice_eq(field, SLICE_LIT("anonymous")) || slice_eq(field, SLICE_LIT("private")) ||
		    slice_eq(field, SLICE_LIT("channel-binding")))
			out->unfit = true;
	return DOVECOT_MECHANISM;
}

static bool
take_id(struct slice *rest, struct dovecot_line *out)
{
	struct slice field;

	return next(rest, &field) && num_parse(field, UINT32_MAX, &out->id) == 0 && out->id != 0;
}

static bool
take_value(struct slice field, struct slice key, struct slice *out)
{
	if (!slice_starts(field, key))
		return false;
	*out = slice_of(field.p + key.len, field.len - key.len);
	return true;
}

static enum dovecot_kind
on_end(struct slice rest, struct dovecot_line *out, enum dovecot_kind kind)
{
	struct slice field, code;

	if (!take_id(&rest, out))
		return DOVECOT_NONE;
	while (next(&rest, &field)) {
		if (take_value(field, SLICE_LIT("user="), &out->user) || take_value(field, SLICE_LIT("reason="), &out->reason))
			continue;
		if (slice_eq(field, SLICE_LIT("temp")) ||
		    (take_value(field, SLICE_LIT("code="), &code) && slice_eq(code, SLICE_LIT("temp_fail"))))
			out->temporary = true;
	}
	return kind == DOVECOT_OK && out->user.len == 0 ? DOVECOT_NONE : kind;
}

static enum dovecot_kind
on_ok(struct slice rest, struct dovecot_line *out)
{
	return on_end(rest, out, DOVECOT_OK);
}

static enum dovecot_kind
on_fail(struct slice rest, struct dovecot_line *out)
{
	return on_end(rest, out, DOVECOT_FAIL);
}

static enum dovecot_kind
on_cont(struct slice rest, struct dovecot_line *out)
{
	if (!take_id(&rest, out))
		return DOVECOT_NONE;
	if (!next(&rest, &out->data))
		out->data = slice_of("", 0);
	return DOVECOT_CONT;
}

static enum dovecot_kind
on_done(struct slice rest, struct dovecot_line *out)
{
	(void)rest;
	(void)out;
	return DOVECOT_DONE;
}

static const struct {
	struct slice		word;
	enum dovecot_kind	(*fn)(struct slice rest, struct dovecot_line *);
} words[] = {
	{ SLICE_LIT("VERSION"), on_version }, { SLICE_LIT("MECH"), on_mechanism }, { SLICE_LIT("DONE"), on_done },
	{ SLICE_LIT("OK"), on_ok }, { SLICE_LIT("FAIL"), on_fail }, { SLICE_LIT("CONT"), on_cont },
};

void
dovecot_line_parse(struct slice line, struct dovecot_line *out)
{
	struct slice rest, word;

	*out = (struct dovecot_line){ .name = SLICE_LIT(""), .user = SLICE_LIT(""), .reason = SLICE_LIT(""), .data = SLICE_LIT("") };
	if (line.len == 0)
		return;
	word = slice_split(line, '\t', &rest);
	out->kind = DOVECOT_OTHER;	/* newer versions may say more */
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (slice_eq(word, words[i].word))
			out->kind = words[i].fn(rest, out);
}

int
dovecot_unescape(struct slice in, char *out, size_t size, size_t *len)
{
	static const char codes[] = "01trn", bytes[] = { '\0', '\1', '\t', '\r', '\n' };

	*len = 0;
	for (size_t i = 0; i < in.len; i++) {
		char c = in.p[i];
		const char *code;

		if (c == '\1') {
			if (++i == in.len || in.p[i] == '\0' || (code = strchr(codes, in.p[i])) == NULL)
				return -1;
			c = bytes[code - codes];
		}
		if (*len == size)
			return -1;
		out[(*len)++] = c;
	}
	return 0;
}
