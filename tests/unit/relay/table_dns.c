/* table_dns — answers as the table says, without compression. */
#include "tests/unit/relay/table_dns.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/fd.h"

struct packet {
	size_t	len;
	uint8_t	bytes[2048];
};

static void
put16(struct packet *p, unsigned v)
{
	p->bytes[p->len++] = (uint8_t)(v >> 8);
	p->bytes[p->len++] = (uint8_t)v;
}

static size_t
put_name(struct packet *p, const char *name)
{
	size_t before = p->len;

	while (*name != '\0' && strcmp(name, ".") != 0) {
		size_t n = strcspn(name, ".");

		p->bytes[p->len++] = (uint8_t)n;
		memcpy(p->bytes + p->len, name, n);
		p->len += n;
		name += n + (name[n] == '.');
	}
	p->bytes[p->len++] = 0;
	return p->len - before;
}

static void
put_record(struct packet *p, const struct dns_row *row)
{
	size_t at;
	char *name;

	put_name(p, row->name);
	put16(p, (unsigned)row->type);
	put16(p, 1);
	put16(p, 0);
	put16(p, 60);
	at = p->len;
	put16(p, 0);
	if (row->type == DNS_MX) {
		put16(p, (unsigned)strtoul(row->data, &name, 10));
		put_name(p, name + 1);
	} else {
		p->len += inet_pton(row->type == DNS_A ? AF_INET : AF_INET6, row->data, p->bytes + p->len) == 1
		    ? (row->type == DNS_A ? 4u : 16u) : 0u;
	}
	p->bytes[at + 1] = (uint8_t)(p->len - at - 2);
}

/* The name asked for as text; returns where the question ends. */
static size_t
read_question(const struct packet *p, char *name, size_t size, unsigned *type)
{
	size_t at = 12;

	name[0] = '\0';
	while (p->bytes[at] != 0) {
		size_t len = strlen(name);

		snprintf(name + len, size - len, "%s%.*s", len > 0 ? "." : "", p->bytes[at], (const char *)p->bytes + at + 1);
		at += p->bytes[at] + 1u;
	}
	*type = (unsigned)(p->bytes[at + 1] << 8 | p->bytes[at + 2]);
	return at + 5;
}

static void
answer(const struct table_dns *dns, struct packet *p)
{
	char name[300];
	unsigned type, rcode = 3;

	p->len = read_question(p, name, sizeof(name), &type);
	memset(p->bytes + 6, 0, 6);
	for (const struct dns_row *row = dns->rows; row->name != NULL; row++) {
		if (strcmp(row->name, name) != 0)
			continue;
		if (rcode == 3)
			rcode = 0;		/* the name is there, whatever type was asked for */
		if (row->type != (enum dns_type)type)
			continue;
		rcode = row->rcode;
		if (row->data == NULL)
			continue;
		p->bytes[7]++;
		put_record(p, row);
	}
	p->bytes[2] = 0x81;
	p->bytes[3] = (uint8_t)(0x80 | rcode);
}

static void
on_packet(void *arg, int what)
{
	struct table_dns *dns = arg;
	struct sockaddress from = { .len = sizeof(from.v4) };
	struct packet p;
	ssize_t n = recvfrom(dns->fd, p.bytes, 512, 0, &from.any, &from.len);

	(void)what;
	if (n < 17)
		return;
	dns->questions++;
	answer(dns, &p);
	(void)sendto(dns->fd, p.bytes, p.len, 0, &from.any, from.len);
}

void
table_dns_start(struct table_dns *dns, struct loop *loop, const struct dns_row *rows)
{
	*dns = (struct table_dns){ .rows = rows };
	(void)sockaddress_parse(SLICE_LIT("127.0.0.1"), 0, &dns->address);
	dns->fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (bind(dns->fd, &dns->address.any, dns->address.len) == -1 || getsockname(dns->fd, &dns->address.any, &dns->address.len) == -1)
		abort();
	if (watch_start(&dns->watch, loop, dns->fd, WATCH_READ, on_packet, dns) == -1)
		abort();
}

void
table_dns_stop(struct table_dns *dns)
{
	watch_stop(&dns->watch);
	fd_close(&dns->fd);
}
