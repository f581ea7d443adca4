/*
 * path — angle brackets, the null path, and source routes that are read only to be dropped.
 */
#include <sys/types.h>

#include "mail/path.h"

/* How many bytes of `in` stand before the bracket that closes the path; -1: none does. */
static ssize_t
find_close(struct slice in)
{
	bool quoted = false;

	for (size_t i = 0; i < in.len; i++) {
		if (quoted && in.p[i] == '\\')
			i++;
		else if (in.p[i] == '"')
			quoted = !quoted;
		else if (in.p[i] == '>' && !quoted)
			return (ssize_t)i;
	}
	return -1;
}

/* RFC 5321 4.1.1.3 and appendix C: "@ONE,@TWO:" in front of the mailbox. */
static int
drop_source_route(struct slice *in, const char **why)
{
	struct slice hop, route, mailbox;

	route = slice_split(*in, ':', &mailbox);
	*why = "bad source route";
	if (mailbox.p == NULL)
		return -1;
	while (route.p != NULL) {
		hop = slice_split(route, ',', &route);
		if (hop.len == 0 || hop.p[0] != '@')
			return -1;
		slice_drop(&hop, 1);
		if (!domain_valid(hop))
			return -1;
	}
	*in = mailbox;
	return 0;
}

int
path_take(struct slice *in, bool null_ok, bool bare_ok, struct arena *arena, struct path *out, const char **why)
{
	struct slice rest = *in, inside;
	struct path path = { 0 };
	ssize_t close;

	if (rest.len == 0 || rest.p[0] != '<') {
		*why = "path without angle brackets";
		return -1;
	}
	slice_drop(&rest, 1);
	close = find_close(rest);
	if (close == -1) {
		*why = "closing bracket missing";
		return -1;
	}
	inside = slice_of(rest.p, (size_t)close);
	slice_drop(&rest, (size_t)close + 1);
	path.is_null = inside.len == 0;
	if (path.is_null && !null_ok) {
		*why = "empty path";
		return -1;
	}
	if (inside.len > 0 && inside.p[0] == '@' && drop_source_route(&inside, why) == -1)
		return -1;
	if (!path.is_null && address_parse(inside, bare_ok, arena, &path.address, why) == -1)
		return -1;
	*in = rest;
	*out = path;
	return 0;
}
