/*
 * slice — comparing and cutting borrowed bytes. Pure; called from everywhere.
 */
#include "base/slice.h"

#include "base/mem.h"

char
ascii_upper(char c)
{
	return c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c;
}

char
ascii_lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

static bool
same_nocase(const char *a, const char *b, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (ascii_lower(a[i]) != ascii_lower(b[i]))
			return false;
	return true;
}

bool
slice_eq(struct slice a, struct slice b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.p, b.p, a.len) == 0);
}

bool
slice_caseeq(struct slice a, struct slice b)
{
	return a.len == b.len && same_nocase(a.p, b.p, a.len);
}

bool
slice_starts(struct slice s, struct slice prefix)
{
	return s.len >= prefix.len && slice_eq(slice_of(s.p, prefix.len), prefix);
}

bool
slice_casestarts(struct slice s, struct slice prefix)
{
	return s.len >= prefix.len && same_nocase(s.p, prefix.p, prefix.len);
}

struct slice
slice_trim(struct slice s)
{
	while (s.len > 0 && (s.p[0] == ' ' || s.p[0] == '\t'))
		slice_drop(&s, 1);
	while (s.len > 0 && (s.p[s.len - 1] == ' ' || s.p[s.len - 1] == '\t'))
		s.len--;
	return s;
}

struct slice
slice_split(struct slice s, char c, struct slice *rest)
{
	const char *at = s.len > 0 ? memchr(s.p, c, s.len) : NULL;
	size_t len;

	if (at == NULL) {
		*rest = (struct slice){ NULL, 0 };
		return s;
	}
	len = (size_t)(at - s.p);
	*rest = slice_of(at + 1, s.len - len - 1);
	return slice_of(s.p, len);
}

char *
slice_dup(struct slice s)
{
	char *copy;

	if (s.len > 0 && memchr(s.p, '\0', s.len) != NULL)
		return NULL;
	copy = mem_alloc(s.len + 1);
	if (copy == NULL)
		return NULL;
	if (s.len > 0)
		memcpy(copy, s.p, s.len);
	copy[s.len] = '\0';
	return copy;
}
