/*
 * sockaddr — socket addresses and networks as values.
 *
 * Text becomes an address here or nowhere: bounded copies go through inet_pton, which takes no
 * octal, no shortened IPv4 and no scope. Names are never looked up. Called by conf, net, smtpd
 * (literals) and relay.
 */
#include "net/sockaddr.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "base/num.h"

struct prefix {
	uint8_t	bytes[16];
	uint8_t	bits;
};

/* IANA's special-purpose registries (RFC 6890 and successors): nothing that a public MX can
 * name. */
static const struct prefix private_v4[] = {
	{ { 0 }, 8 },
	{ { 10 }, 8 },
	{ { 100, 64 }, 10 },
	{ { 127 }, 8 },
	{ { 169, 254 }, 16 },
	{ { 172, 16 }, 12 },
	{ { 192, 0, 0 }, 24 },
	{ { 192, 0, 2 }, 24 },
	{ { 192, 88, 99 }, 24 },
	{ { 192, 168 }, 16 },
	{ { 198, 18 }, 15 },
	{ { 198, 51, 100 }, 24 },
	{ { 203, 0, 113 }, 24 },
	{ { 224 }, 4 },
	{ { 240 }, 4 },
};
static const struct prefix private_v6[] = {
	{ { 0 }, 96 },				/* ::, ::1 and the old IPv4-compatible form */
	{ { 0, 0x64, 0xff, 0x9b, 0, 1 }, 48 },	/* local-use translation (RFC 8215) */
	{ { 0x01 }, 64 },			/* discard-only (RFC 6666) */
	{ { 0x20, 0x01, 0x0d, 0xb8 }, 32 },	/* documentation */
	{ { 0x3f, 0xff }, 20 },			/* documentation (RFC 9637) */
	{ { 0x5f }, 16 },			/* segment routing (RFC 9602) */
	{ { 0xfc }, 7 }, { { 0xfe, 0x80 }, 10 }, { { 0xfe, 0xc0 }, 10 }, { { 0xff }, 8 },
};

/* Prefixes whose next 32 bits are an IPv4 address that the packet ends up at. */
static const struct prefix carries_v4[] = {
	{ { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff }, 96 },	/* IPv4-mapped */
	{ { 0, 0x64, 0xff, 0x9b }, 96 },			/* NAT64 (RFC 6052) */
	{ { 0x20, 0x02 }, 16 },					/* 6to4 */
};

static bool
bits_equal(const uint8_t *a, const uint8_t *b, unsigned bits)
{
	unsigned whole = bits / 8, rest = bits % 8;

	if (memcmp(a, b, whole) != 0)
		return false;
	return rest == 0 || (uint8_t)((a[whole] ^ b[whole]) >> (8 - rest)) == 0;
}

static const uint8_t *
address_bytes(const struct sockaddress *a, unsigned *count)
{
	*count = a->any.sa_family == AF_INET6 ? 16 : 4;
	return a->any.sa_family == AF_INET6 ? a->v6.sin6_addr.s6_addr :
					      (const uint8_t *)&a->v4.sin_addr;
}

void
sockaddress_of_bytes(struct slice bytes, struct sockaddress *out)
{
	*out = (struct sockaddress){ 0 };
	if (bytes.len == 4) {
		out->v4 = (struct sockaddr_in){ .sin_family = AF_INET };
		out->len = sizeof(out->v4);
		memcpy(&out->v4.sin_addr, bytes.p, 4);
	} else if (bytes.len == 16) {
		out->v6 = (struct sockaddr_in6){ .sin6_family = AF_INET6 };
		out->len = sizeof(out->v6);
		memcpy(&out->v6.sin6_addr, bytes.p, 16);
	}
}

/* One address without brackets; the port stays 0. */
static int
parse_bare(struct slice s, struct sockaddress *out)
{
	char text[INET6_ADDRSTRLEN];
	struct sockaddress a;

	if (s.len == 0 || s.len >= sizeof(text) || memchr(s.p, '\0', s.len) != NULL)
		return -1;
	memcpy(text, s.p, s.len);
	text[s.len] = '\0';
	memset(&a, 0, sizeof(a));
	if (inet_pton(AF_INET, text, &a.v4.sin_addr) == 1) {
		a.v4.sin_family = AF_INET;
		a.len = sizeof(a.v4);
	} else if (inet_pton(AF_INET6, text, &a.v6.sin6_addr) == 1) {
		a.v6.sin6_family = AF_INET6;
		a.len = sizeof(a.v6);
	} else {
		return -1;
	}
	*out = a;
	return 0;
}

static bool
in_brackets(struct slice s)
{
	return s.len >= 2 && s.p[0] == '[' && s.p[s.len - 1] == ']';
}

int
sockaddress_parse(struct slice s, uint16_t port, struct sockaddress *out)
{
	if (in_brackets(s))
		s = slice_of(s.p + 1, s.len - 2);
	if (parse_bare(s, out) == -1)
		return -1;
	sockaddress_set_port(out, port);
	return 0;
}

/* Digits without a sign or a leading zero, 1-65535. */
static int
parse_port(struct slice s, uint16_t *out)
{
	uint64_t n;

	if (s.len == 0 || s.p[0] == '0' || num_parse(s, UINT16_MAX, &n) == -1)
		return -1;
	*out = (uint16_t)n;
	return 0;
}

/* Where the colon before a port is: behind a bracket, or the only colon there is. */
static const char *
port_colon(struct slice s)
{
	const char *first = memchr(s.p, ':', s.len);
	const char *bracket = memchr(s.p, ']', s.len);

	if (s.p[0] == '[') {
		bool follows = bracket != NULL && bracket + 1 < s.p + s.len && bracket[1] == ':';

		return follows ? bracket + 1 : NULL;
	}
	if (first == NULL || memchr(first + 1, ':', s.len - (size_t)(first + 1 - s.p)) != NULL)
		return NULL;
	return first;
}

int
sockaddress_parse_port(struct slice s, uint16_t default_port, struct sockaddress *out)
{
	const char *colon = s.len == 0 ? NULL : port_colon(s);
	uint16_t port = default_port;
	size_t host_len = s.len;

	if (colon != NULL) {
		host_len = (size_t)(colon - s.p);
		if (parse_port(slice_of(colon + 1, s.len - host_len - 1), &port) == -1)
			return -1;
	}
	if (port == 0)
		return -1;
	return sockaddress_parse(slice_of(s.p, host_len), port, out);
}

const char *
sockaddress_print(const struct sockaddress *a, char out[SOCKADDRESS_TEXT])
{
	unsigned count;

	if (a->len == 0 ||
	    inet_ntop(a->any.sa_family, address_bytes(a, &count), out, SOCKADDRESS_TEXT) == NULL)
		memcpy(out, "none", sizeof("none"));
	return out;
}

const char *
sockaddress_print_port(const struct sockaddress *a, char out[SOCKADDRESS_TEXT])
{
	char host[SOCKADDRESS_TEXT];
	bool v6 = a->any.sa_family == AF_INET6;

	/* The longest IPv6 text is 45 bytes, so 54 with brackets, colon and port. */
	snprintf(out, SOCKADDRESS_TEXT, v6 ? "[%.45s]:%u" : "%.45s:%u", sockaddress_print(a, host),
	    (unsigned)sockaddress_port(a));
	return out;
}

uint16_t
sockaddress_port(const struct sockaddress *a)
{
	if (a->len == 0)
		return 0;
	return ntohs(a->any.sa_family == AF_INET6 ? a->v6.sin6_port : a->v4.sin_port);
}

void
sockaddress_set_port(struct sockaddress *a, uint16_t port)
{
	if (a->any.sa_family == AF_INET6)
		a->v6.sin6_port = htons(port);
	else
		a->v4.sin_port = htons(port);
}

bool
sockaddress_same_host(const struct sockaddress *a, const struct sockaddress *b)
{
	struct sockaddress x = *a, y = *b;
	unsigned xn, yn;
	const uint8_t *xb, *yb;

	sockaddress_unmap(&x);
	sockaddress_unmap(&y);
	if (x.len == 0 || y.len == 0 || x.any.sa_family != y.any.sa_family)
		return false;
	xb = address_bytes(&x, &xn);
	yb = address_bytes(&y, &yn);
	return memcmp(xb, yb, xn) == 0;
}

static bool
listed(const struct prefix *table, size_t n, const uint8_t *bytes)
{
	for (size_t i = 0; i < n; i++) {
		if (bits_equal(table[i].bytes, bytes, table[i].bits))
			return true;
	}
	return false;
}

bool
sockaddress_is_private(const struct sockaddress *a)
{
	unsigned count;
	const uint8_t *bytes = address_bytes(a, &count);

	if (a->len == 0)
		return true;
	if (count == 4)
		return listed(private_v4, sizeof(private_v4) / sizeof(private_v4[0]), bytes);
	for (size_t i = 0; i < sizeof(carries_v4) / sizeof(carries_v4[0]); i++) {
		if (bits_equal(carries_v4[i].bytes, bytes, carries_v4[i].bits))
			return listed(private_v4, sizeof(private_v4) / sizeof(private_v4[0]),
			    bytes + carries_v4[i].bits / 8);
	}
	return listed(private_v6, sizeof(private_v6) / sizeof(private_v6[0]), bytes);
}

bool
sockaddress_is_any(const struct sockaddress *a)
{
	static const struct in6_addr any = IN6ADDR_ANY_INIT;

	if (a->any.sa_family == AF_INET6)
		return memcmp(&a->v6.sin6_addr, &any, sizeof(any)) == 0;
	return a->v4.sin_addr.s_addr == INADDR_ANY;
}

void
sockaddress_unmap(struct sockaddress *a)
{
	struct sockaddress v4;

	if (a->len == 0 || a->any.sa_family != AF_INET6 || !IN6_IS_ADDR_V4MAPPED(&a->v6.sin6_addr))
		return;
	memset(&v4, 0, sizeof(v4));
	v4.v4.sin_family = AF_INET;
	v4.v4.sin_port = a->v6.sin6_port;
	memcpy(&v4.v4.sin_addr, a->v6.sin6_addr.s6_addr + 12, 4);
	v4.len = sizeof(v4.v4);
	*a = v4;
}

/* No bit behind the prefix may be set: "10.0.0.1/8" is a slip of the pen, and guessing which
 * half was meant opens a relay. */
static bool
host_bits_clear(const struct network *n)
{
	unsigned count;
	const uint8_t *bytes = address_bytes(&n->base, &count);

	for (unsigned bit = n->bits; bit < count * 8; bit++) {
		if ((bytes[bit / 8] & (0x80 >> (bit % 8))) != 0)
			return false;
	}
	return true;
}

static int
parse_bits(struct slice s, uint64_t max, uint8_t *out)
{
	uint64_t n;

	if (s.len == 0 || (s.len > 1 && s.p[0] == '0') || num_parse(s, max, &n) == -1)
		return -1;
	*out = (uint8_t)n;
	return 0;
}

int
network_parse(struct slice s, struct network *out)
{
	struct slice rest, host = slice_split(s, '/', &rest);
	struct network n;
	uint8_t width;

	memset(&n, 0, sizeof(n));
	if (sockaddress_parse(host, 0, &n.base) == -1)
		return -1;
	width = n.base.any.sa_family == AF_INET6 ? 128 : 32;
	n.bits = width;
	if (rest.p != NULL && parse_bits(rest, width, &n.bits) == -1)
		return -1;
	if (!host_bits_clear(&n))
		return -1;
	if (width == 128 && n.bits >= 96 && IN6_IS_ADDR_V4MAPPED(&n.base.v6.sin6_addr)) {
		sockaddress_unmap(&n.base);
		n.bits = (uint8_t)(n.bits - 96);
	}
	*out = n;
	return 0;
}

bool
network_holds(const struct network *n, const struct sockaddress *address)
{
	struct sockaddress a = *address;
	unsigned base_count, count;
	const uint8_t *base = address_bytes(&n->base, &base_count), *bytes;

	sockaddress_unmap(&a);
	if (a.len == 0 || n->base.len == 0 || a.any.sa_family != n->base.any.sa_family)
		return false;
	bytes = address_bytes(&a, &count);
	return bits_equal(base, bytes, n->bits);
}
