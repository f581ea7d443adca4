/*
 * xclient — see xclient.h. LOGIN, which Postfix has, too, is none of ours: nobody logs in by another's word.
 */
#include "smtp/xclient.h"

#include "smtp/xtext.h"

static const struct slice names[XCLIENT_COUNT] = {
	[XCLIENT_NAME] = SLICE_LIT("NAME"),
	[XCLIENT_ADDR] = SLICE_LIT("ADDR"),
	[XCLIENT_PORT] = SLICE_LIT("PORT"),
	[XCLIENT_PROTO] = SLICE_LIT("PROTO"),
	[XCLIENT_HELO] = SLICE_LIT("HELO"),
	[XCLIENT_IDENT] = SLICE_LIT("IDENT"),
	[XCLIENT_SOURCE] = SLICE_LIT("SOURCE"),
};

static enum xclient_attribute
find(struct slice name, unsigned attributes)
{
	for (enum xclient_attribute a = XCLIENT_NAME; a < XCLIENT_COUNT; a++)
		if ((attributes & XCLIENT_BIT(a)) && slice_caseeq(name, names[a]))
			return a;
	return XCLIENT_NONE;
}

static int
take_one(struct slice attribute, unsigned attributes, struct xclient *out)
{
	struct slice value, name = slice_split(attribute, '=', &value);
	struct xclient_value *v = &out->values[find(name, attributes)];

	if (v == &out->values[XCLIENT_NONE] || v->given || value.len == 0)
		return -1;
	v->given = true;
	v->known = !slice_caseeq(value, SLICE_LIT("[UNAVAILABLE]")) && !slice_caseeq(value, SLICE_LIT("[TEMPUNAVAIL]"));
	if (!v->known)
		return 0;
	if (xtext_decode(value, v->text, XCLIENT_VALUE_MAX, &v->len) == -1 || v->len == 0)
		return -1;
	v->text[v->len] = '\0';
	return 0;
}

int
xclient_parse(struct slice argument, unsigned attributes, struct xclient *out, struct slice *which)
{
	struct slice rest = argument;

	*out = (struct xclient){ .values = { { .given = false } } };
	do {
		*which = slice_split(rest, ' ', &rest);
		if (take_one(*which, attributes, out) == -1)
			return -1;
	} while (rest.p != NULL);
	return 0;
}
