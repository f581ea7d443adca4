/*
 * answer — walks a DNS message once, front to back, with a cursor that cannot leave it.
 *
 * c-ares has parsers of its own, but those of the release that we must live with lose TTLs and the AD bit. Called by
 * resolver.c with what came from the network; fuzzed.
 */
#include "net/answer.h"

#include <stdio.h>

#define HEADER_SIZE	12
#define CLASS_IN	1
#define JUMPS_MAX	32	/* compression pointers in one name; each must point backwards, too */
#define TYPE_NS		2
#define TYPE_OPT	41
#define EDNS_PAYLOAD	1232

enum { RCODE_OK = 0, RCODE_FORMERR = 1, RCODE_NXDOMAIN = 3 };

struct cursor {
	const uint8_t	*p;
	size_t		 len, at;
	bool		 bad;		/* sticky: everything read afterwards is zero */
};

struct record_head {
	char		owner[DNS_NAME_SIZE];
	uint16_t	type, class;
	uint32_t	ttl;
	size_t		data, data_len;
};

struct walk {			/* one message and the question it should answer */
	struct cursor		 c;
	enum dns_type		 type;
	struct dns_record	*room;
	struct dns_answer	*out;
	char			 target[DNS_NAME_SIZE];	/* the name whose records count: the question's, then what aliases say */
	unsigned		 counts[4];		/* question, answer, authority, additional */
	uint32_t		 ttl;			/* the least seen on the way */
	bool			 aliased;
};

static bool
label_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

bool
dns_name_valid(struct slice name)
{
	size_t label = 0;

	if (name.len == 0 || name.len > 253)
		return false;
	for (size_t i = 0; i < name.len; i++) {
		if (name.p[i] == '.') {
			if (label == 0)
				return false;
			label = 0;
		} else if (!label_char(name.p[i]) || ++label > 63) {
			return false;
		}
	}
	return label > 0;
}

static void
put16(uint8_t *p, unsigned v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

/* The name as length-prefixed labels; returns the bytes written: the name's length and 2. */
static size_t
put_labels(uint8_t *out, struct slice name)
{
	struct slice rest = name;
	size_t at = 0;

	while (rest.p != NULL) {
		struct slice label = slice_split(rest, '.', &rest);

		out[at++] = (uint8_t)label.len;
		memcpy(out + at, label.p, label.len);
		at += label.len;
	}
	out[at++] = 0;
	return at;
}

int
dns_question(struct slice name, enum dns_type type, uint16_t id, bool plain, uint8_t *out, size_t size)
{
	static const uint8_t opt[11] = { 0, 0, TYPE_OPT, EDNS_PAYLOAD >> 8, EDNS_PAYLOAD & 0xff };
	size_t at = HEADER_SIZE;

	if (!dns_name_valid(name) || size < HEADER_SIZE + name.len + 2 + 4 + sizeof(opt))
		return -1;
	memset(out, 0, HEADER_SIZE);
	put16(out, id);
	out[2] = 0x01;			/* RD */
	out[3] = plain ? 0 : 0x20;	/* AD: "tell me whether you validated" (RFC 6840 5.7) */
	put16(out + 4, 1);
	put16(out + 10, plain ? 0 : 1);
	at += put_labels(out + at, name);
	put16(out + at, (unsigned)type);
	put16(out + at + 2, CLASS_IN);
	at += 4;
	if (!plain) {
		memcpy(out + at, opt, sizeof(opt));
		at += sizeof(opt);
	}
	return (int)at;
}

static unsigned
read8(struct cursor *c)
{
	if (c->bad || c->at >= c->len) {
		c->bad = true;
		return 0;
	}
	return c->p[c->at++];
}

static unsigned
read16(struct cursor *c)
{
	unsigned high = read8(c);

	return high << 8 | read8(c);
}

static uint32_t
read32(struct cursor *c)
{
	uint32_t high = read16(c);

	return high << 16 | read16(c);
}

static void
skip(struct cursor *c, size_t n)
{
	if (c->bad || n > c->len - c->at)
		c->bad = true;
	else
		c->at += n;
}

/* One label behind its length byte, in lower case; bytes that no host name has become '?', so that such a name is well-formed for
 * the walk and valid for nobody. */
static size_t
read_label(struct cursor *c, unsigned n, char out[DNS_NAME_SIZE], size_t len)
{
	if (len + n + 2 > DNS_NAME_SIZE) {
		c->bad = true;
		return len;
	}
	if (len > 0)
		out[len++] = '.';
	while (n-- > 0) {
		char ch = (char)read8(c);

		out[len++] = label_char(ch) ? ascii_lower(ch) : '?';
	}
	return len;
}

/* A name at the cursor, compression followed (RFC 1035 4.1.4); the root is "". A pointer must point before the place where it
 * stands or the last one led to, so that there is no loop. */
static void
read_name(struct cursor *c, char out[DNS_NAME_SIZE])
{
	struct cursor walk = *c;
	size_t len = 0, floor = c->at;
	bool jumped = false;
	unsigned n;

	out[0] = '\0';
	for (unsigned jumps = 0; (n = read8(&walk)) != 0 && !walk.bad;) {
		if (n < 64) {
			len = read_label(&walk, n, out, len);
			continue;
		}
		size_t to = (size_t)(n & 0x3f) << 8 | read8(&walk);

		if (n < 0xc0 || walk.bad || to >= floor || ++jumps > JUMPS_MAX) {
			walk.bad = true;
			break;
		}
		if (!jumped)
			c->at = walk.at;
		jumped = true;
		walk.at = floor = to;
	}
	if (!jumped)
		c->at = walk.at;
	c->bad = c->bad || walk.bad;
	out[walk.bad ? 0 : len] = '\0';
}

/* The cursor ends behind the data; head->data says where that is. */
static void
read_head(struct cursor *c, struct record_head *head)
{
	read_name(c, head->owner);
	head->type = (uint16_t)read16(c);
	head->class = (uint16_t)read16(c);
	head->ttl = read32(c);
	if (head->ttl > DNS_TTL_MAX)
		head->ttl = head->ttl > INT32_MAX ? 0 : DNS_TTL_MAX;	/* RFC 2181 8: a set top bit is zero */
	head->data_len = read16(c);
	head->data = c->at;
	skip(c, head->data_len);
}

static bool
same_name(const char *a, const char *b)
{
	return slice_caseeq(slice_str(a), slice_str(b));
}

/* A name inside a record's data must end where the data ends. */
static int
name_in_data(const struct walk *w, const struct record_head *head, size_t skipped, char out[DNS_NAME_SIZE])
{
	struct cursor c = w->c;

	if (head->data_len <= skipped)
		return -1;
	c.at = head->data + skipped;
	read_name(&c, out);
	return c.bad || c.at != head->data + head->data_len ? -1 : 0;
}

static int
address_in_data(const struct walk *w, const struct record_head *head, struct sockaddress *out)
{
	const uint8_t *data = w->c.p + head->data;

	memset(out, 0, sizeof(*out));
	if (head->type == DNS_A && head->data_len == 4) {
		out->v4.sin_family = AF_INET;
		memcpy(&out->v4.sin_addr, data, 4);
		out->len = sizeof(out->v4);
		return 0;
	}
	if (head->type == DNS_AAAA && head->data_len == 16) {
		out->v6.sin6_family = AF_INET6;
		memcpy(&out->v6.sin6_addr, data, 16);
		out->len = sizeof(out->v6);
		return 0;
	}
	return -1;
}

static int
exchange_in_data(const struct walk *w, const struct record_head *head, struct dns_record *out)
{
	const uint8_t *data = w->c.p + head->data;

	if (name_in_data(w, head, 2, out->name) == -1)
		return -1;
	out->preference = (uint16_t)(data[0] << 8 | data[1]);
	return out->name[0] == '\0' || dns_name_valid(slice_str(out->name)) ? 0 : -1;
}

/* Where a new record goes: behind the others, or over the worst of them, or nowhere. */
static struct dns_record *
place_for(struct walk *w, uint16_t preference)
{
	struct dns_answer *out = w->out;
	struct dns_record *worst = &w->room[0];

	if (out->count < DNS_RECORDS_MAX)
		return &w->room[out->count++];
	for (size_t i = 1; i < DNS_RECORDS_MAX; i++) {
		if (w->room[i].preference > worst->preference)
			worst = &w->room[i];
	}
	return worst->preference > preference ? worst : NULL;
}

static void
keep(struct walk *w, const struct record_head *head)
{
	struct dns_record record, *place;
	int bad;

	memset(&record, 0, sizeof(record));
	bad = w->type == DNS_MX ? exchange_in_data(w, head, &record) : address_in_data(w, head, &record.address);
	if (bad == -1) {
		w->out->unusable++;
		return;
	}
	place = place_for(w, record.preference);
	if (place != NULL)
		*place = record;
}

static void
lower_ttl(struct walk *w, uint32_t ttl)
{
	if (ttl < w->ttl)
		w->ttl = ttl;
}

/* Follows the aliases of the answer section, which servers send in any order; *w->target is then the last name. A chain that does
 * not end here (a loop, for one) leads nowhere that we know: trouble, and not a "no". */
static void
follow_aliases(struct walk *w)
{
	struct record_head head;

	for (unsigned step = 0; step <= DNS_CHAIN_MAX; step++) {
		struct cursor c = w->c;
		bool moved = false;

		for (unsigned i = 0; i < w->counts[1] && !c.bad && !moved; i++) {
			read_head(&c, &head);
			if (c.bad || head.type != DNS_CNAME || head.class != CLASS_IN || !same_name(head.owner, w->target))
				continue;
			if (name_in_data(w, &head, 0, w->target) == -1 || !dns_name_valid(slice_str(w->target))) {
				w->out->unusable++;
				w->target[0] = '\0';
				return;
			}
			lower_ttl(w, head.ttl);
			w->aliased = moved = true;
		}
		if (!moved)
			return;
	}
	w->c.bad = true;
}

static void
keep_records(struct walk *w)
{
	struct record_head head;

	for (unsigned i = 0; i < w->counts[1] && !w->c.bad; i++) {
		read_head(&w->c, &head);
		if (w->c.bad || head.type != w->type || head.class != CLASS_IN || !same_name(head.owner, w->target))
			continue;
		lower_ttl(w, head.ttl);
		keep(w, &head);
	}
}

/* RFC 2308 5: a "no" is kept for the lesser of the SOA's TTL and its last field; without an SOA it is not kept.
 * NS without SOA is a referral (2.2): a server that does not answer for us at all. An alias without SOA may be half an answer: some
 * forwarders send what they happen to have, and a "no" that they do not vouch for costs mail. */
static bool
read_authority(struct walk *w, uint32_t *negative_ttl)
{
	struct record_head head;
	bool soa = false, referral = false;

	for (unsigned i = 0; i < w->counts[2] && !w->c.bad; i++) {
		read_head(&w->c, &head);
		if (w->c.bad)
			break;
		referral = referral || head.type == TYPE_NS;
		if (head.type != DNS_SOA || head.data_len < 22)
			continue;
		struct cursor minimum = { .p = w->c.p, .len = w->c.len, .at = head.data + head.data_len - 4 };
		uint32_t last = read32(&minimum);

		*negative_ttl = last < head.ttl ? last : head.ttl;
		soa = true;
	}
	return soa || !(referral || (w->aliased && w->out->rcode == RCODE_OK));
}

/* -1: not the answer to this question, or no answer of the kind that counts. */
static int
read_header(struct walk *w, struct slice name)
{
	char owner[DNS_NAME_SIZE];
	unsigned flags;

	(void)read16(&w->c);			/* the id was checked by whoever received this */
	flags = read16(&w->c);
	for (size_t i = 0; i < 4; i++)
		w->counts[i] = read16(&w->c);
	w->out->rcode = (uint8_t)(flags & 0x0f);
	w->out->authentic = (flags & 0x20) != 0;
	w->out->format_error = !w->c.bad && w->out->rcode == RCODE_FORMERR;
	if (w->c.bad || (flags & 0x8000) == 0 || (flags & 0x7800) != 0 || (flags & 0x0200) != 0 || w->counts[0] != 1)
		return -1;
	read_name(&w->c, owner);
	if (read16(&w->c) != (unsigned)w->type || read16(&w->c) != CLASS_IN || w->c.bad)
		return -1;
	if (!slice_caseeq(slice_str(owner), name))
		return -1;
	return w->out->rcode == RCODE_OK || w->out->rcode == RCODE_NXDOMAIN ? 0 : -1;
}

static enum dns_result
walk_answer(struct walk *w, struct slice name)
{
	uint32_t negative_ttl = 0;
	bool authority_good;

	if (read_header(w, name) == -1)
		return DNS_TEMPORARY;
	memcpy(w->target, name.p, name.len);
	w->target[name.len] = '\0';
	follow_aliases(w);
	keep_records(w);
	if (w->c.bad)
		return DNS_TEMPORARY;
	if (w->out->count > 0 || w->out->unusable > 0)
		return DNS_FOUND;
	authority_good = read_authority(w, &negative_ttl);
	if (w->c.bad || !authority_good)
		return DNS_TEMPORARY;
	lower_ttl(w, negative_ttl);
	return w->out->rcode == RCODE_NXDOMAIN ? DNS_NO_NAME : DNS_NO_DATA;
}

void
dns_answer_parse(struct slice bytes, struct slice name, enum dns_type type, struct dns_record *room,
    struct dns_answer *out)
{
	struct walk w = { .c = { .p = (const uint8_t *)bytes.p, .len = bytes.len }, .type = type, .room = room, .out = out,
	    .ttl = DNS_TTL_MAX };

	memset(out, 0, sizeof(*out));
	out->records = room;
	out->result = dns_name_valid(name) ? walk_answer(&w, name) : DNS_TEMPORARY;
	out->ttl = out->result == DNS_TEMPORARY ? 0 : w.ttl;
	if (out->result != DNS_FOUND)
		out->count = out->unusable = 0;
}

const char *
dns_type_name(enum dns_type type)
{
	switch (type) {
	case DNS_A:
		return "A";
	case DNS_AAAA:
		return "AAAA";
	case DNS_MX:
		return "MX";
	case DNS_CNAME:
		return "CNAME";
	case DNS_SOA:
		return "SOA";
	}
	return "unknown";
}

const char *
dns_result_words(const struct dns_answer *answer)
{
	static const char *const words[DNS_RESULT_COUNT] = {
		[DNS_NONE] = "not asked",
		[DNS_FOUND] = "found",
		[DNS_NO_DATA] = "Host found but no data record of requested type",
		[DNS_NO_NAME] = "Host not found",
		[DNS_TEMPORARY] = "Host not found, try again",
	};

	return words[answer->result];
}
