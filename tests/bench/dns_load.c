/*
 * dns_load — a DNS server that has an answer for every name and costs nearly nothing, for runs with many next hops.
 *
 * MX of NAME is "10 mx.NAME". A of a name is an address after the base given with --base: as many steps after it as the first
 * number in the name says ("mx.d7.bench.example": the seventh). Other types have no data. UDP only; what it does not
 * understand it does not answer.
 */
#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/num.h"

#define HEADER		12u
#define QUESTION_MAX	280u
#define TYPE_A		1u
#define TYPE_MX		15u
#define TTL		3600u

struct packet {
	unsigned char	bytes[1024];
	size_t		len;
};

static void
put16(struct packet *p, unsigned value)
{
	p->bytes[p->len++] = (unsigned char)(value >> 8);
	p->bytes[p->len++] = (unsigned char)value;
}

static void
put32(struct packet *p, uint32_t value)
{
	put16(p, value >> 16);
	put16(p, value & 0xffff);
}

/* Where the question's name ends, behind its last zero; 0 when this is no question we can read. */
static size_t
name_end(const struct packet *p)
{
	size_t at = HEADER;

	while (at < p->len && p->bytes[at] != 0) {
		if (p->bytes[at] > 63)
			return 0;
		at += p->bytes[at] + 1u;
	}
	return at + 5 <= p->len && at < HEADER + QUESTION_MAX ? at + 1 : 0;
}

static uint32_t
first_number(const struct packet *p, size_t end)
{
	size_t at = HEADER;
	uint32_t n = 0;

	while (at < end && !isdigit(p->bytes[at]))
		at++;
	for (; at < end && isdigit(p->bytes[at]) && n < 1000000; at++)
		n = n * 10 + (uint32_t)(p->bytes[at] - '0');
	return n;
}

/* The head of a record about the name that was asked for. */
static void
put_record(struct packet *p, unsigned type, unsigned len)
{
	put16(p, 0xc000 | HEADER);
	put16(p, type);
	put16(p, 1);
	put32(p, TTL);
	put16(p, len);
}

static bool
answer(struct packet *p, uint32_t base)
{
	size_t end = p->len < HEADER + 5 ? 0 : name_end(p);
	unsigned type;

	if (end == 0 || (p->bytes[2] & 0x80) != 0)
		return false;
	type = (unsigned)p->bytes[end] << 8 | p->bytes[end + 1];
	p->len = end + 4;			/* what EDNS adds is not wanted back */
	p->bytes[2] = 0x81;
	p->bytes[3] = 0x80;
	memset(p->bytes + 4, 0, 8);
	p->bytes[5] = 1;
	p->bytes[7] = type == TYPE_A || type == TYPE_MX;
	if (type == TYPE_A) {
		put_record(p, type, 4);
		put32(p, base + first_number(p, end));
	} else if (type == TYPE_MX) {
		put_record(p, type, 7);
		put16(p, 10);
		memcpy(p->bytes + p->len, "\2mx", 3);
		p->len += 3;
		put16(p, 0xc000 | HEADER);
	}
	return true;
}

static void
serve(int fd, uint32_t base)
{
	struct sockaddr_in from;
	socklen_t from_len = sizeof(from);
	struct packet p;
	ssize_t n = recvfrom(fd, p.bytes, 512, 0, (struct sockaddr *)&from, &from_len);

	if (n <= 0)
		return;
	p.len = (size_t)n;
	if (answer(&p, base) && sendto(fd, p.bytes, p.len, 0, (struct sockaddr *)&from, from_len) == -1)
		fprintf(stderr, "dns_load: %s\n", strerror(errno));
}

static void
usage(void)
{
	fprintf(stderr, "usage: dns_load [--host A] [--port N] [--base A]\n");
	exit(64);
}

int
main(int argc, char **argv)
{
	struct sockaddr_in at = { .sin_family = AF_INET };
	const char *host = "127.0.0.1";
	struct in_addr base = { 0 };
	uint64_t port = 5353;
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	for (int i = 1; i + 1 < argc; i += 2) {
		if (strcmp(argv[i], "--host") == 0)
			host = argv[i + 1];
		else if (strcmp(argv[i], "--base") == 0 ? inet_pton(AF_INET, argv[i + 1], &base) != 1 :
		    strcmp(argv[i], "--port") != 0 || num_parse(slice_str(argv[i + 1]), 65535, &port) == -1)
			usage();
	}
	at.sin_port = htons((uint16_t)port);
	if (inet_pton(AF_INET, host, &at.sin_addr) != 1 || bind(fd, (struct sockaddr *)&at, sizeof(at)) == -1) {
		fprintf(stderr, "dns_load: %s:%u: %s\n", host, (unsigned)port, strerror(errno));
		return 1;
	}
	for (;;)
		serve(fd, ntohl(base.s_addr));
}
