/* utf8 — the table of RFC 3629 4: what the first byte says about the others. */
#include "lookup/password/utf8.h"

static const struct {
	unsigned char	first, last;	/* of the first byte */
	unsigned char	more;		/* bytes that follow ... */
	unsigned char	low, high;	/* ... and what the next one may be; the rest are 0x80-0xbf */
} forms[] = {
	{ 0x01, 0x7f, 0, 0, 0 },
	{ 0xc2, 0xdf, 1, 0x80, 0xbf },
	{ 0xe0, 0xe0, 2, 0xa0, 0xbf },
	{ 0xe1, 0xec, 2, 0x80, 0xbf },
	{ 0xed, 0xed, 2, 0x80, 0x9f },
	{ 0xee, 0xef, 2, 0x80, 0xbf },
	{ 0xf0, 0xf0, 3, 0x90, 0xbf },
	{ 0xf1, 0xf3, 3, 0x80, 0xbf },
	{ 0xf4, 0xf4, 3, 0x80, 0x8f },
};

/* The bytes of the character in front; 0: it is none. */
static size_t
character(const unsigned char *p, size_t len)
{
	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		if (p[0] < forms[i].first || p[0] > forms[i].last)
			continue;
		if (len < 1u + forms[i].more)
			return 0;
		for (size_t k = 1; k <= forms[i].more; k++)
			if (p[k] < (k == 1 ? forms[i].low : 0x80) || p[k] > (k == 1 ? forms[i].high : 0xbf))
				return 0;
		return 1u + forms[i].more;
	}
	return 0;
}

bool
utf8_valid(struct slice text)
{
	while (text.len > 0) {
		size_t n = character((const unsigned char *)text.p, text.len);

		if (n == 0)
			return false;
		slice_drop(&text, n);
	}
	return true;
}
