/*
 * idna — libidn2 does it; here are its bounds. Of names that differ only in form (capital letters, wide ones) the canonical
 * one is taken (UTS 46, non-transitional: "ß" is a letter of its own).
 */
#include "mail/idna.h"

#include <idn2.h>

#include "base/utf8.h"

/* The library takes strings and gives strings that it has allocated; a name with a NUL inside is none. */
static int
copy(const char *text, char out[DOMAIN_MAX + 1])
{
	size_t len = strlen(text);

	if (len == 0 || len > DOMAIN_MAX)
		return -1;
	memcpy(out, text, len + 1);
	return 0;
}

static int
terminate(struct slice domain, char out[DOMAIN_MAX + 1])
{
	if (domain.len == 0 || domain.len > DOMAIN_MAX || memchr(domain.p, '\0', domain.len) != NULL)
		return -1;
	memcpy(out, domain.p, domain.len);
	out[domain.len] = '\0';
	return 0;
}

int
domain_to_ascii(struct slice domain, char out[DOMAIN_MAX + 1])
{
	char text[DOMAIN_MAX + 1], *found = NULL;
	int result = -1;

	if (terminate(domain, text) == -1)
		return -1;
	if (slice_is_ascii(domain))
		return copy(text, out);
	if (utf8_is_name(domain) && idn2_to_ascii_8z(text, &found, IDN2_NONTRANSITIONAL | IDN2_NFC_INPUT) == IDN2_OK)
		result = domain_valid(slice_str(found)) ? copy(found, out) : -1;
	idn2_free(found);
	return result;
}

int
domain_to_unicode(struct slice domain, char out[DOMAIN_MAX + 1])
{
	char text[DOMAIN_MAX + 1], *found = NULL;
	int result = -1;

	if (domain_to_ascii(domain, text) == 0 && idn2_to_unicode_8z8z(text, &found, 0) == IDN2_OK)
		result = utf8_is_name(slice_str(found)) ? copy(found, out) : -1;
	idn2_free(found);
	return result;
}

struct slice
address_domain_ascii(struct slice address, char out[DOMAIN_MAX + 1])
{
	struct slice domain = address;

	for (size_t i = 0; i < address.len; i++)	/* the last one: a quoted local-part may hold others */
		if (address.p[i] == '@')
			domain = slice_of(address.p + i + 1, address.len - i - 1);
	if (domain.len == address.len || domain_to_ascii(domain, out) == -1)
		return slice_of("", 0);
	return slice_str(out);
}
