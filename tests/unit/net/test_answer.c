/* answer — hand-made DNS messages: good, odd, cut and hostile. */
#include "tests/support/testing.h"

#include "base/random.h"
#include "net/answer.h"

#define QNAME	"example.org"

struct packet {
	size_t	len;
	uint8_t	bytes[65536];
};

static struct packet packet;
static struct dns_record room[DNS_RECORDS_MAX];

static void
put(const void *bytes, size_t n)
{
	assert_true(packet.len + n <= sizeof(packet.bytes));
	memcpy(packet.bytes + packet.len, bytes, n);
	packet.len += n;
}

static void
put16(unsigned v)
{
	put((uint8_t[]){ (uint8_t)(v >> 8), (uint8_t)v }, 2);
}

static void
put32(uint32_t v)
{
	put16(v >> 16);
	put16(v & 0xffff);
}

static void
put_name(const char *name)
{
	while (*name != '\0') {
		size_t n = strcspn(name, ".");
		uint8_t len = (uint8_t)n;

		put(&len, 1);
		put(name, n);
		name += n + (name[n] == '.');
	}
	put("", 1);
}

/* Header and question; the counts are what the case says, true or not. */
static void
begin(unsigned flags, enum dns_type type, unsigned answers, unsigned authority)
{
	packet.len = 0;
	put16(0x1234);
	put16(flags);
	put16(1);
	put16(answers);
	put16(authority);
	put16(0);
	put_name(QNAME);
	put16((unsigned)type);
	put16(1);
}

static void
put_head(const char *owner, unsigned type, uint32_t ttl, unsigned data_len)
{
	put_name(owner);
	put16(type);
	put16(1);
	put32(ttl);
	put16(data_len);
}

static void
put_a(const char *owner, uint32_t ttl, unsigned last)
{
	put_head(owner, DNS_A, ttl, 4);
	put((uint8_t[]){ 192, 0, 2, (uint8_t)last }, 4);
}

static void
put_mx(const char *owner, unsigned preference, const char *exchange)
{
	put_head(owner, DNS_MX, 300, (unsigned)(2 + strlen(exchange) + (exchange[0] == '\0' ? 1 : 2)));
	put16(preference);
	put_name(exchange);
}

static void
put_cname(const char *owner, const char *target)
{
	put_head(owner, DNS_CNAME, 60, (unsigned)strlen(target) + 2);
	put_name(target);
}

static void
put_soa(uint32_t ttl, uint32_t minimum)
{
	put_head(QNAME, DNS_SOA, ttl, 22);
	put("\0\0", 2);
	for (int i = 0; i < 4; i++)
		put32(7);
	put32(minimum);
}

static struct dns_answer
parse(enum dns_type type)
{
	struct dns_answer a;
	/* An exact copy, so that a sanitizer sees one byte too far. */
	uint8_t *exact = malloc(packet.len > 0 ? packet.len : 1);

	assert_non_null(exact);
	memcpy(exact, packet.bytes, packet.len);
	dns_answer_parse(slice_of(exact, packet.len), SLICE_LIT(QNAME), type, room, &a);
	free(exact);
	return a;
}

static void make_one(void) { begin(0x8180, DNS_A, 1, 0); put_a(QNAME, 300, 1); }
static void make_two(void) { begin(0x8180, DNS_A, 2, 0); put_a(QNAME, 300, 1); put_a("EXAMPLE.org", 100, 2); }
static void make_other_owner(void) { begin(0x8180, DNS_A, 1, 0); put_a("example.net", 300, 1); }
static void make_chain(void) { begin(0x8180, DNS_A, 3, 0); put_a("c.example.org", 300, 1); put_cname("b.example.org", "c.example.org"); put_cname(QNAME, "b.example.org"); }

/* The question's name is an alias of a, that of b, and so on; the last name has an address. */
static void
make_aliases(unsigned n)
{
	char from[] = "a.example.org", to[] = "a.example.org";

	begin(0x8180, DNS_A, n + 1, 0);
	put_cname(QNAME, to);
	for (unsigned i = 1; i < n; i++) {
		from[0] = (char)('a' + i - 1);
		to[0] = (char)('a' + i);
		put_cname(from, to);
	}
	put_a(to, 300, 1);
}

static void make_long_chain(void) { make_aliases(DNS_CHAIN_MAX); }
static void make_longer_chain(void) { make_aliases(DNS_CHAIN_MAX + 1); }
static void make_loop(void) { begin(0x8180, DNS_A, 2, 0); put_cname(QNAME, "b.example.org"); put_cname("b.example.org", QNAME); }
static void make_half(void) { begin(0x8180, DNS_A, 1, 0); put_cname(QNAME, "b.example.org"); }
static void make_alias_no_data(void) { begin(0x8180, DNS_A, 1, 1); put_cname(QNAME, "b.example.org"); put_soa(900, 30); }
static void make_alias_no_name(void) { begin(0x8183, DNS_A, 1, 1); put_cname(QNAME, "b.example.org"); put_soa(900, 30); }
static void make_no_data(void) { begin(0x8180, DNS_A, 0, 1); put_soa(900, 30); }
static void make_no_data_bare(void) { begin(0x8180, DNS_A, 0, 0); }
static void make_referral(void) { begin(0x8180, DNS_A, 0, 1); put_head(QNAME, 2, 60, 3); put("\1n", 3); }
static void make_no_name(void) { begin(0x8183, DNS_A, 0, 1); put_soa(20, 900); }
static void make_servfail(void) { begin(0x8182, DNS_A, 0, 0); }
static void make_refused(void) { begin(0x8185, DNS_A, 0, 0); }
static void make_formerr(void) { begin(0x8181, DNS_A, 0, 0); }
static void make_query(void) { begin(0x0100, DNS_A, 1, 0); put_a(QNAME, 300, 1); }
static void make_cut_bit(void) { begin(0x8380, DNS_A, 1, 0); put_a(QNAME, 300, 1); }
static void make_other_type(void) { begin(0x8180, DNS_AAAA, 1, 0); put_a(QNAME, 300, 1); }
static void make_two_questions(void) { make_one(); packet.bytes[5] = 2; }
static void make_other_question(void) { make_one(); packet.bytes[13] = 'X'; }
static void make_more_promised(void) { make_one(); packet.bytes[7] = 9; }
static void make_huge_counts(void) { make_one(); memset(packet.bytes + 6, 0xff, 6); }
static void make_long_ttl(void) { begin(0x8180, DNS_A, 1, 0); put_a(QNAME, 0x7fffffff, 1); }
static void make_negative_ttl(void) { begin(0x8180, DNS_A, 1, 0); put_a(QNAME, 0x80000001, 1); }
static void make_short_a(void) { begin(0x8180, DNS_A, 1, 0); put_head(QNAME, DNS_A, 300, 3); put("abc", 3); }
static void make_mx(void) { begin(0x8180, DNS_MX, 2, 0); put_mx(QNAME, 20, "b.example.org"); put_mx(QNAME, 10, "A.Example.ORG"); }
static void make_null_mx(void) { begin(0x8180, DNS_MX, 1, 0); put_mx(QNAME, 0, ""); }
static void make_bad_mx(void) { begin(0x8180, DNS_MX, 1, 0); put_mx(QNAME, 0, "a b.example.org"); }
static void make_slashed_mx(void) { begin(0x8180, DNS_MX, 1, 0); put_mx(QNAME, 0, "a\\b.example.org"); }
static void make_ad(void) { begin(0x81a0, DNS_A, 1, 0); put_a(QNAME, 300, 1); }

static void
make_many_mx(void)
{
	begin(0x8180, DNS_MX, 1000, 0);
	for (unsigned i = 0; i < 1000; i++)
		put_mx(QNAME, 1000 - i, "m.example.org");
}

/* The owner's name points at itself. */
static void
make_self_pointer(void)
{
	begin(0x8180, DNS_A, 1, 0);
	put16(0xc000 | (unsigned)packet.len);
	put16(DNS_A);
	put16(1);
	put32(300);
	put16(4);
	put("\1\2\3\4", 4);
}

/* Two names that point at each other. */
static void
make_pointer_pair(void)
{
	begin(0x8180, DNS_A, 1, 0);
	put16(0xc000 | (unsigned)(packet.len + 2));
	put16(0xc000 | (unsigned)(packet.len - 2));
	put16(DNS_A);
	put16(1);
	put32(300);
	put16(4);
	put("\1\2\3\4", 4);
}

static void
make_compressed(void)
{
	begin(0x8180, DNS_MX, 1, 0);
	put16(0xc00c);
	put16(DNS_MX);
	put16(1);
	put32(60);
	put16(2 + 5);
	put16(10);
	put("\2mx\xc0\x0c", 5);
}

static const struct {
	const char	*name;
	void		(*make)(void);
	enum dns_type	 type;
	enum dns_result	 result;
	unsigned	 count, unusable;
	uint32_t	 ttl;
} rows[] = {
	{ "one address", make_one, DNS_A, DNS_FOUND, 1, 0, 300 },
	{ "two addresses, least TTL", make_two, DNS_A, DNS_FOUND, 2, 0, 100 },
	{ "another owner's address", make_other_owner, DNS_A, DNS_NO_DATA, 0, 0, 0 },
	{ "aliases in any order", make_chain, DNS_A, DNS_FOUND, 1, 0, 60 },
	{ "aliases in a loop", make_loop, DNS_A, DNS_TEMPORARY, 0, 0, 0 },
	{ "as many aliases as are followed", make_long_chain, DNS_A, DNS_FOUND, 1, 0, 60 },
	{ "one alias more", make_longer_chain, DNS_A, DNS_TEMPORARY, 0, 0, 0 },
	{ "an alias and nothing else", make_half, DNS_A, DNS_TEMPORARY, 0, 0, 0 },
	{ "an alias of a name without data", make_alias_no_data, DNS_A, DNS_NO_DATA, 0, 0, 30 },
	{ "an alias of no name", make_alias_no_name, DNS_A, DNS_NO_NAME, 0, 0, 30 },
	{ "no data, SOA", make_no_data, DNS_A, DNS_NO_DATA, 0, 0, 30 },
	{ "no data, no SOA: not to be kept", make_no_data_bare, DNS_A, DNS_NO_DATA, 0, 0, 0 },
	{ "a referral is no answer", make_referral, DNS_A, DNS_TEMPORARY, 0, 0, 0 },
	{ "no name", make_no_name, DNS_A, DNS_NO_NAME, 0, 0, 20 },
	{ "SERVFAIL", make_servfail, DNS_A, DNS_TEMPORARY, 0, 0, 0 },
	{ "REFUSED", make_refused, DNS_A, DNS_TEMPORARY, 0, 0, 0 },
	{ "FORMERR", make_formerr, DNS_A, DNS_TEMPORARY, 0, 0, 0 },
	{ "a question is no answer", make_query, DNS_A, DNS_TEMPORARY, 0, 0, 0 },
	{ "truncated", make_cut_bit, DNS_A, DNS_TEMPORARY, 0, 0, 0 },
	{ "another type was asked", make_other_type, DNS_A, DNS_TEMPORARY, 0, 0, 0 },
	{ "two questions", make_two_questions, DNS_A, DNS_TEMPORARY, 0, 0, 0 },
	{ "another name was asked", make_other_question, DNS_A, DNS_TEMPORARY, 0, 0, 0 },
	{ "more records promised than there", make_more_promised, DNS_A, DNS_TEMPORARY, 0, 0, 0 },
	{ "huge counts", make_huge_counts, DNS_A, DNS_TEMPORARY, 0, 0, 0 },
	{ "TTL of 68 years", make_long_ttl, DNS_A, DNS_FOUND, 1, 0, DNS_TTL_MAX },
	{ "TTL with its top bit set", make_negative_ttl, DNS_A, DNS_FOUND, 1, 0, 0 },
	{ "an address of three bytes", make_short_a, DNS_A, DNS_FOUND, 0, 1, 300 },
	{ "two exchanges", make_mx, DNS_MX, DNS_FOUND, 2, 0, 300 },
	{ "null MX", make_null_mx, DNS_MX, DNS_FOUND, 1, 0, 300 },
	{ "an exchange with a space", make_bad_mx, DNS_MX, DNS_FOUND, 0, 1, 300 },
	{ "an exchange with a backslash", make_slashed_mx, DNS_MX, DNS_FOUND, 0, 1, 300 },
	{ "1,000 exchanges", make_many_mx, DNS_MX, DNS_FOUND, DNS_RECORDS_MAX, 0, 300 },
	{ "a name that points at itself", make_self_pointer, DNS_A, DNS_TEMPORARY, 0, 0, 0 },
	{ "names that point at each other", make_pointer_pair, DNS_A, DNS_TEMPORARY, 0, 0, 0 },
	{ "compressed names", make_compressed, DNS_MX, DNS_FOUND, 1, 0, 60 },
	{ "authentic", make_ad, DNS_A, DNS_FOUND, 1, 0, 300 },
};

#define ROWS	(sizeof(rows) / sizeof(rows[0]))

static void
test_rows(void **state)
{
	(void)state;
	for (size_t i = 0; i < ROWS; i++) {
		rows[i].make();
		struct dns_answer a = parse(rows[i].type);

		if (a.result != rows[i].result || a.count != rows[i].count || a.unusable != rows[i].unusable || a.ttl != rows[i].ttl)
			ROW(i, rows[i].name);
		assert_int_equal(a.result, rows[i].result);
		assert_int_equal(a.count, rows[i].count);
		assert_int_equal(a.unusable, rows[i].unusable);
		assert_int_equal(a.ttl, rows[i].ttl);
	}
}

static void
test_values(void **state)
{
	char text[SOCKADDRESS_TEXT];
	struct dns_answer a;

	(void)state;
	make_two();
	a = parse(DNS_A);
	assert_string_equal(sockaddress_print(&a.records[1].address, text), "192.0.2.2");
	make_mx();
	a = parse(DNS_MX);
	assert_string_equal(a.records[0].name, "b.example.org");
	assert_string_equal(a.records[1].name, "a.example.org");
	assert_int_equal(a.records[1].preference, 10);
	make_null_mx();
	a = parse(DNS_MX);
	assert_string_equal(a.records[0].name, "");
	make_compressed();
	a = parse(DNS_MX);
	assert_string_equal(a.records[0].name, "mx.example.org");
	make_formerr();
	assert_true(parse(DNS_A).format_error);
	make_ad();
	assert_true(parse(DNS_A).authentic);
	make_one();
	assert_false(parse(DNS_A).authentic);
}

/* Of too many exchanges the best stay, wherever they stood. */
static void
test_best_stay(void **state)
{
	struct dns_answer a;

	(void)state;
	make_many_mx();
	a = parse(DNS_MX);
	for (unsigned i = 0; i < a.count; i++)
		assert_in_range(a.records[i].preference, 1, DNS_RECORDS_MAX);
}

/* Each message cut at each byte: never a crash, never a "no". */
static void
test_cut(void **state)
{
	(void)state;
	for (size_t i = 0; i < ROWS; i++) {
		rows[i].make();
		size_t whole = packet.len > 2000 ? 2000 : packet.len - 1;

		for (size_t n = 0; n < whole; n++) {
			rows[i].make();
			packet.len = n;
			struct dns_answer a = parse(rows[i].type);

			if (a.result == DNS_NO_NAME || a.result == DNS_NO_DATA)
				ROW(i, rows[i].name);
			assert_true(a.result == DNS_TEMPORARY || a.result == DNS_FOUND);
			assert_int_equal(a.count, 0);
		}
	}
}

/* Each byte replaced by chance, many times. */
static void
test_damage(void **state)
{
	(void)state;
	for (unsigned round = 0; round < 20000; round++) {
		size_t row = round % ROWS;

		if (rows[row].make == make_many_mx)
			continue;
		rows[row].make();
		for (uint32_t k = random_below(4) + 1; k > 0; k--)
			packet.bytes[random_below((uint32_t)packet.len)] = (uint8_t)random_below(256);
		struct dns_answer a = parse(rows[row].type);

		assert_in_range(a.result, DNS_FOUND, DNS_TEMPORARY);
		for (unsigned i = 0; i < a.count; i++)
			assert_true(a.records[i].name[0] == '\0' || dns_name_valid(slice_str(a.records[i].name)));
	}
}

static void
test_names(void **state)
{
	static const struct { const char *name; bool valid; } names[] = {
		{ "example.org", true }, { "a", true }, { "_spf.example.org", true }, { "xn--bcher-kva.example", true }, { "192.0.2.1", true },
		{ "", false }, { ".", false }, { "a..b", false }, { ".a", false }, { "a.", false }, { "a b", false }, { "a\\.b", false },
		{ "a\n.org", false }, { "b\xc3\xbc.org", false },
		{ "0123456789012345678901234567890123456789012345678901234567890123.org", false },
		{ "012345678901234567890123456789012345678901234567890123456789012.org", true },
	};
	char longest[255];

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (dns_name_valid(slice_str(names[i].name)) != names[i].valid)
			ROW(i, names[i].name);
		assert_int_equal(dns_name_valid(slice_str(names[i].name)), names[i].valid);
	}
	for (size_t i = 0; i < sizeof(longest); i++)
		longest[i] = i % 2 == 0 ? 'a' : '.';
	assert_true(dns_name_valid(slice_of(longest, 253)));
	assert_false(dns_name_valid(slice_of(longest, 255)));
}

static void
test_question(void **state)
{
	static const uint8_t with_edns[] = { 0xab, 0xcd, 1, 0x20, 0, 1, 0, 0, 0, 0, 0, 1, 1, 'a', 2, 'b', 'c', 0, 0, 15, 0, 1,
	    0, 0, 41, 4, 208, 0, 0, 0, 0, 0, 0 };
	uint8_t out[DNS_QUESTION_MAX];
	char longest[253];

	(void)state;
	assert_int_equal(dns_question(SLICE_LIT("a.bc"), DNS_MX, 0xabcd, false, out, sizeof(out)), sizeof(with_edns));
	assert_memory_equal(out, with_edns, sizeof(with_edns));
	assert_int_equal(dns_question(SLICE_LIT("a.bc"), DNS_MX, 1, true, out, sizeof(out)), sizeof(with_edns) - 11);
	assert_int_equal(out[3], 0);
	assert_int_equal(out[11], 0);
	assert_int_equal(dns_question(SLICE_LIT("a..bc"), DNS_MX, 1, true, out, sizeof(out)), -1);
	assert_int_equal(dns_question(SLICE_LIT("a.bc"), DNS_MX, 1, false, out, sizeof(with_edns) - 1), -1);
	for (size_t i = 0; i < sizeof(longest); i++)
		longest[i] = i % 2 == 0 ? 'a' : '.';
	assert_int_equal(dns_question(slice_of(longest, 253), DNS_A, 1, false, out, sizeof(out)), 12 + 255 + 4 + 11);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows), cmocka_unit_test(test_values), cmocka_unit_test(test_best_stay), cmocka_unit_test(test_cut),
		cmocka_unit_test(test_damage), cmocka_unit_test(test_names), cmocka_unit_test(test_question),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
