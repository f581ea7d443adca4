/* nexthop — reads the one line that says where a job goes. Pure. Called by attempt.c. */
#include "relay/nexthop/nexthop.h"

#include "base/num.h"

/* Takes ":587" off the end of `rest`, which holds nothing else. */
static int
take_port(struct slice rest, uint16_t *port)
{
	uint64_t n;

	if (rest.len == 0)
		return 0;
	if (rest.p[0] != ':' || num_parse(slice_of(rest.p + 1, rest.len - 1), UINT16_MAX, &n) == -1 || n == 0)
		return -1;
	*port = (uint16_t)n;
	return 0;
}

static int
set_name(struct slice name, struct nexthop *out)
{
	if (name.len > 0 && name.p[name.len - 1] == '.')
		name.len--;			/* "example.org." is the same host */
	if (!dns_name_valid(name))
		return -1;
	for (size_t i = 0; i < name.len; i++)
		out->name[i] = ascii_lower(name.p[i]);
	return 0;
}

/* What stands in brackets: an address (RFC 5321 4.1.3 writes IPv6 with its tag), else a host. */
static int
set_bracketed(struct slice inside, struct nexthop *out)
{
	struct slice literal = inside;

	if (slice_casestarts(literal, SLICE_LIT("IPv6:")))
		slice_drop(&literal, 5);
	if (sockaddress_parse(literal, out->port, &out->address) == 0) {
		sockaddress_unmap(&out->address);
		sockaddress_print(&out->address, out->name);
		out->kind = NEXTHOP_ADDRESS;
		return 0;
	}
	out->kind = NEXTHOP_HOST;
	return set_name(inside, out);
}

int
nexthop_parse(struct slice text, uint16_t default_port, struct nexthop *out)
{
	const char *end;
	size_t len;

	memset(out, 0, sizeof(*out));
	out->port = default_port;
	if (text.len > 0 && text.p[0] == '[') {
		end = memchr(text.p, ']', text.len);
		if (end == NULL)
			return -1;
		len = (size_t)(end + 1 - text.p);
		if (take_port(slice_of(text.p + len, text.len - len), &out->port) == -1)
			return -1;
		return set_bracketed(slice_of(text.p + 1, len - 2), out);
	}
	end = text.len == 0 ? NULL : memchr(text.p, ':', text.len);
	len = end == NULL ? text.len : (size_t)(end - text.p);
	if (take_port(slice_of(text.p + len, text.len - len), &out->port) == -1)
		return -1;
	out->kind = NEXTHOP_DOMAIN;
	return set_name(slice_of(text.p, len), out);
}
