/*
 * proxy — see proxy.h: a line of text, or a binary header with a length in front.
 */
#include "net/proxy.h"

#include <string.h>

#include "base/num.h"

#define LINE_MAX_V1	107	/* CRLF included */
#define HEAD_V2		16	/* signature, version and command, family, length */

static const struct slice mark_v1 = SLICE_LIT("PROXY ");
static const struct slice mark_v2 = SLICE_LIT("\r\n\r\n\0\r\nQUIT\n");

/* in begins like mark, as far as either goes. */
static bool
begins(struct slice in, struct slice mark)
{
	return memcmp(in.p, mark.p, in.len < mark.len ? in.len : mark.len) == 0;
}

static int
take_port(struct slice word, uint16_t *out)
{
	uint64_t port;

	if ((word.len > 1 && word.p[0] == '0') || num_parse(word, UINT16_MAX, &port) == -1)
		return -1;
	*out = (uint16_t)port;
	return 0;
}

static int
take_address(struct slice word, int family, struct sockaddress *out)
{
	if (word.len == 0 || word.p[0] == '[' || sockaddress_parse(word, 0, out) == -1)
		return -1;
	return out->any.sa_family == family ? 0 : -1;
}

/* "192.0.2.1 192.0.2.2 40000 25": from, to, and their ports. */
static enum proxy_result
take_words(struct slice rest, int family, struct sockaddress *client)
{
	struct slice from = slice_split(rest, ' ', &rest), to = slice_split(rest, ' ', &rest);
	struct slice from_port = slice_split(rest, ' ', &rest), to_port = slice_split(rest, ' ', &rest);
	struct sockaddress a, b;
	uint16_t port, own;

	if (rest.p != NULL || take_address(from, family, &a) == -1 || take_address(to, family, &b) == -1)
		return PROXY_BAD;
	if (take_port(from_port, &port) == -1 || take_port(to_port, &own) == -1)
		return PROXY_BAD;
	sockaddress_set_port(&a, port);
	*client = a;
	return PROXY_CLIENT;
}

static enum proxy_result
parse_line(struct slice in, size_t *len, struct sockaddress *client)
{
	const char *lf = memchr(in.p, '\n', in.len < LINE_MAX_V1 ? in.len : LINE_MAX_V1);
	struct slice line, protocol;

	if (lf == NULL)
		return in.len < LINE_MAX_V1 ? PROXY_MORE : PROXY_BAD;
	line = slice_of(in.p, (size_t)(lf - in.p));
	*len = line.len + 1;
	if (memchr(line.p, '\r', line.len) != lf - 1)
		return PROXY_BAD;
	line.len--;
	slice_drop(&line, mark_v1.len);
	protocol = slice_split(line, ' ', &line);
	if (slice_eq(protocol, SLICE_LIT("UNKNOWN")))
		return PROXY_SELF;		/* what follows it means nothing */
	if (slice_eq(protocol, SLICE_LIT("TCP4")))
		return take_words(line, AF_INET, client);
	if (slice_eq(protocol, SLICE_LIT("TCP6")))
		return take_words(line, AF_INET6, client);
	return PROXY_BAD;
}

static uint16_t
number(const char *p)
{
	return (uint16_t)((unsigned char)p[0] << 8 | (unsigned char)p[1]);
}

static enum proxy_result
take_v4(struct slice block, struct sockaddress *client)
{
	struct sockaddress a = { .len = sizeof(a.v4) };

	if (block.len < 12)
		return PROXY_BAD;
	a.v4.sin_family = AF_INET;
	memcpy(&a.v4.sin_addr, block.p, 4);
	sockaddress_set_port(&a, number(block.p + 8));
	*client = a;
	return PROXY_CLIENT;
}

static enum proxy_result
take_v6(struct slice block, struct sockaddress *client)
{
	struct sockaddress a = { .len = sizeof(a.v6) };

	if (block.len < 36)
		return PROXY_BAD;
	a.v6.sin6_family = AF_INET6;
	memcpy(&a.v6.sin6_addr, block.p, 16);
	sockaddress_set_port(&a, number(block.p + 32));
	*client = a;
	return PROXY_CLIENT;
}

/* Behind the addresses may stand extensions (TLVs), which we have no use for. */
static enum proxy_result
parse_binary(struct slice in, size_t *len, struct sockaddress *client)
{
	unsigned char version, family;
	size_t whole;

	if (in.len < HEAD_V2)
		return PROXY_MORE;
	version = (unsigned char)in.p[12];
	family = (unsigned char)in.p[13];
	whole = HEAD_V2 + (size_t)number(in.p + 14);
	if ((version != 0x20 && version != 0x21) || family >> 4 > 3 || (family & 15) > 2 || whole > PROXY_MAX)
		return PROXY_BAD;
	if (in.len < whole)
		return PROXY_MORE;
	*len = whole;
	if (version == 0x20)			/* LOCAL */
		return PROXY_SELF;
	if (family == 0x11)
		return take_v4(slice_of(in.p + HEAD_V2, whole - HEAD_V2), client);
	if (family == 0x21)
		return take_v6(slice_of(in.p + HEAD_V2, whole - HEAD_V2), client);
	return PROXY_SELF;			/* datagrams, Unix sockets, unspecified */
}

enum proxy_result
proxy_parse(struct slice in, size_t *len, struct sockaddress *client)
{
	*len = 0;
	if (in.len == 0)
		return PROXY_MORE;
	if (begins(in, mark_v1))
		return parse_line(in, len, client);
	if (begins(in, mark_v2))
		return parse_binary(in, len, client);
	return PROXY_BAD;
}
