/*
 * utf8 — see utf8.h. Pure and total.
 */
#include "base/utf8.h"

/* By the first byte: how many follow, the bits that it gives, the least code point of that length (less is overlong). */
static const struct form {
	unsigned char	mask, value, follow;
	int32_t		least;
} forms[] = {
	{ 0x80, 0x00, 0, 0 },
	{ 0xe0, 0xc0, 1, 0x80 },
	{ 0xf0, 0xe0, 2, 0x800 },
	{ 0xf8, 0xf0, 3, 0x10000 },
};

/* What may not be in a name, in order (Unicode: Cc, Cf but for the two joiners that scripts need, Zl, Zp, specials, tags). */
static const struct {
	int32_t	first, last;
} hidden[] = {
	{ 0x00, 0x1f }, { 0x7f, 0x9f }, { 0xad, 0xad }, { 0x61c, 0x61c }, { 0x180e, 0x180e }, { 0x200b, 0x200b }, { 0x200e, 0x200f },
	{ 0x2028, 0x202e }, { 0x2060, 0x206f }, { 0xfdd0, 0xfdef }, { 0xfeff, 0xfeff }, { 0xfff0, 0xfffb }, { 0xe0000, 0xe0fff },
};

bool
slice_is_ascii(struct slice s)
{
	for (size_t i = 0; i < s.len; i++)
		if ((unsigned char)s.p[i] > 0x7f)
			return false;
	return true;
}

static const struct form *
form_of(unsigned char first)
{
	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++)
		if ((first & forms[i].mask) == forms[i].value)
			return &forms[i];
	return NULL;
}

int32_t
utf8_take(struct slice *in)
{
	const unsigned char *p = (const unsigned char *)in->p;
	const struct form *form = form_of(p[0]);
	int32_t c;

	if (form == NULL || in->len <= form->follow) {
		slice_drop(in, 1);
		return -1;
	}
	c = p[0] & (unsigned char)~form->mask;
	for (size_t i = 1; i <= form->follow; i++)
		c = (p[i] & 0xc0) == 0x80 && c >= 0 ? c << 6 | (p[i] & 0x3f) : -1;
	if (c < form->least || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff)) {
		slice_drop(in, 1);
		return -1;
	}
	slice_drop(in, form->follow + 1u);
	return c;
}

bool
utf8_valid(struct slice in)
{
	while (in.len > 0)
		if (utf8_take(&in) == -1)
			return false;
	return true;
}

bool
utf8_is_plain(int32_t c)
{
	if (c < 0 || (c & 0xfffe) == 0xfffe)
		return false;
	for (size_t i = 0; i < sizeof(hidden) / sizeof(hidden[0]) && hidden[i].first <= c; i++)
		if (c <= hidden[i].last)
			return false;
	return true;
}

bool
utf8_is_name(struct slice in)
{
	while (in.len > 0) {
		int32_t c = utf8_take(&in);

		if (c == -1 || (c > 0x7f && !utf8_is_plain(c)))
			return false;
	}
	return true;
}
