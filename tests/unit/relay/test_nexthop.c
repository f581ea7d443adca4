/* nexthop, mx, target, health — the pure half of "where does this go", as tables. */
#include "tests/support/testing.h"

#include "relay/nexthop/nexthop.h"
#include "relay/nexthop/target.h"

#define MINE	"me.example.org"

static void
test_parse(void **state)
{
	static const struct { const char *text; enum nexthop_kind kind; const char *name; unsigned port; } rows[] = {
		{ "example.org", NEXTHOP_DOMAIN, "example.org", 25 },
		{ "Example.ORG.", NEXTHOP_DOMAIN, "example.org", 25 },
		{ "example.org:2525", NEXTHOP_DOMAIN, "example.org", 2525 },
		{ "[mx.example.org]", NEXTHOP_HOST, "mx.example.org", 25 },
		{ "[mx.example.org]:587", NEXTHOP_HOST, "mx.example.org", 587 },
		{ "[192.0.2.1]", NEXTHOP_ADDRESS, "192.0.2.1", 25 },
		{ "[192.0.2.1]:26", NEXTHOP_ADDRESS, "192.0.2.1", 26 },
		{ "[IPv6:2001:db8::1]", NEXTHOP_ADDRESS, "2001:db8::1", 25 },
		{ "[2001:DB8::1]:587", NEXTHOP_ADDRESS, "2001:db8::1", 587 },
		{ "[::ffff:192.0.2.1]", NEXTHOP_ADDRESS, "192.0.2.1", 25 },
		{ "", NEXTHOP_NONE, "", 0 }, { "[", NEXTHOP_NONE, "", 0 }, { "[]", NEXTHOP_NONE, "", 0 }, { "[a]b", NEXTHOP_NONE, "", 0 },
		{ "[a]:0", NEXTHOP_NONE, "", 0 }, { "[a]:65536", NEXTHOP_NONE, "", 0 }, { "a:", NEXTHOP_NONE, "", 0 },
		{ "a:b:25", NEXTHOP_NONE, "", 0 }, { "a b", NEXTHOP_NONE, "", 0 }, { "a..b", NEXTHOP_NONE, "", 0 }, { ":25", NEXTHOP_NONE, "", 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct nexthop hop;
		int result = nexthop_parse(slice_str(rows[i].text), 25, &hop);

		if ((result == 0) != (rows[i].kind != NEXTHOP_NONE))
			ROW(i, rows[i].text);
		assert_int_equal(result, rows[i].kind == NEXTHOP_NONE ? -1 : 0);
		if (result == -1)
			continue;
		assert_int_equal(hop.kind, rows[i].kind);
		assert_string_equal(hop.name, rows[i].name);
		assert_int_equal(hop.port, rows[i].port);
	}
}

static uint32_t
never_move(uint32_t n)
{
	return n - 1;
}

static uint32_t
take_first(uint32_t n)
{
	(void)n;
	return 0;
}

/* "10 a,20 b" as an answer; "-" is the root. */
static struct dns_answer
answer_of(const char *text, struct dns_record *records)
{
	struct dns_answer a = { .result = DNS_FOUND, .records = records };
	unsigned preference;
	char name[64];
	int n;

	while (sscanf(text, "%u %63[^,]%n", &preference, name, &n) == 2) {
		struct dns_record *r = &records[a.count++];

		memset(r, 0, sizeof(*r));
		r->preference = (uint16_t)preference;
		if (strcmp(name, "-") != 0)
			snprintf(r->name, sizeof(r->name), "%s", name);
		text += n + (text[n] == ',');
	}
	return a;
}

static void
print_hosts(const struct mx_hosts *hosts, char *out, size_t size)
{
	out[0] = '\0';
	for (unsigned i = 0; i < hosts->count; i++) {
		strlcat(out, i > 0 ? " " : "", size);
		strlcat(out, hosts->hosts[i].name, size);
	}
}

static void
test_order(void **state)
{
	static const struct { const char *name, *records; enum dns_result result; unsigned unusable; uint32_t (*dice)(uint32_t);
	    enum mx_verdict verdict; const char *hosts; } rows[] = {
		{ "by preference", "20 b,10 a,30 c", DNS_FOUND, 0, never_move, MX_HOSTS, "a b c" },
		{ "equal: as the dice fall", "10 a,10 b,10 c", DNS_FOUND, 0, never_move, MX_HOSTS, "a b c" },
		{ "equal: shuffled", "10 a,10 b,10 c", DNS_FOUND, 0, take_first, MX_HOSTS, "b c a" },
		{ "shuffled only within a preference", "10 a,10 b,5 c", DNS_FOUND, 0, take_first, MX_HOSTS, "c b a" },
		{ "the same host twice", "10 a,20 a,30 b", DNS_FOUND, 0, never_move, MX_HOSTS, "a b" },
		{ "null MX", "0 -", DNS_FOUND, 0, never_move, MX_NULL, "" },
		{ "null MX beside a real one", "0 -,10 a", DNS_FOUND, 0, never_move, MX_HOSTS, "a" },
		{ "we are one of the worse", "10 a,20 " MINE ",30 c", DNS_FOUND, 0, never_move, MX_HOSTS, "a" },
		{ "equal to us is not nearer", "10 a,20 b,20 " MINE, DNS_FOUND, 0, never_move, MX_HOSTS, "a" },
		{ "we are the best", "10 " MINE ",20 b", DNS_FOUND, 0, never_move, MX_OURSELVES, "" },
		{ "nothing usable", "", DNS_FOUND, 2, never_move, MX_UNUSABLE, "" },
		{ "no MX", "", DNS_NO_DATA, 0, never_move, MX_IMPLICIT, "example.net" },
		{ "no such domain", "", DNS_NO_NAME, 0, never_move, MX_NO_NAME, "" },
		{ "trouble", "", DNS_TEMPORARY, 0, never_move, MX_TEMPORARY, "" },
		{ "more than we look at", "1 a,2 b,3 c,4 d,5 e,6 f,7 g,8 h,9 i,10 j,11 k,12 l", DNS_FOUND, 0, never_move, MX_HOSTS,
		    "a b c d e f g h i j" },
	};
	struct dns_record records[DNS_RECORDS_MAX];
	struct mx_hosts hosts;
	char text[200];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct dns_answer a = answer_of(rows[i].records, records);

		a.result = rows[i].result;
		a.unusable = (uint16_t)rows[i].unusable;
		enum mx_verdict verdict = mx_order(&a, SLICE_LIT("example.net"), SLICE_LIT(MINE), rows[i].dice, &hosts);

		print_hosts(&hosts, text, sizeof(text));
		if (verdict != rows[i].verdict || strcmp(text, rows[i].hosts) != 0)
			ROW(i, rows[i].name);
		assert_int_equal(verdict, rows[i].verdict);
		assert_string_equal(text, rows[i].hosts);
	}
	struct dns_answer none = { .result = DNS_NO_DATA };
	assert_int_equal(mx_order(&none, SLICE_LIT("ME.example.org"), SLICE_LIT(MINE), never_move, &hosts), MX_OURSELVES);
}

/* Every equal host comes first about as often as the others. */
static uint32_t dice_seed;

static uint32_t
dice(uint32_t n)
{
	dice_seed = dice_seed * 1103515245u + 12345u;
	return (dice_seed >> 16) % n;
}

static void
test_shuffle(void **state)
{
	struct dns_record records[DNS_RECORDS_MAX];
	struct dns_answer a = answer_of("10 a,10 b,10 c,10 d", records);
	unsigned first[4] = { 0 };
	struct mx_hosts hosts;

	(void)state;
	for (unsigned i = 0; i < 4000; i++) {
		assert_int_equal(mx_order(&a, SLICE_LIT("x"), SLICE_LIT(MINE), dice, &hosts), MX_HOSTS);
		first[hosts.hosts[0].name[0] - 'a']++;
	}
	for (unsigned i = 0; i < 4; i++)
		assert_in_range(first[i], 800, 1200);
}

static const char *own_text = "";

static bool
is_own(void *arg, const struct sockaddress *a)
{
	char text[SOCKADDRESS_TEXT];

	(void)arg;
	return strcmp(sockaddress_print_port(a, text), own_text) == 0;
}

/* "10 192.0.2.1 2001:db8::1,20 192.0.2.2" as hosts with addresses. */
static void
hosts_of(const char *text, struct mx_hosts *out)
{
	struct slice rest = slice_str(text);

	memset(out, 0, sizeof(*out));
	while (rest.p != NULL && rest.len > 0) {
		struct slice words = slice_split(rest, ',', &rest), more;
		struct mx_host *host = &out->hosts[out->count++];
		struct slice number = slice_split(words, ' ', &more);

		host->preference = (uint16_t)strtoul(number.p, NULL, 10);
		snprintf(host->name, sizeof(host->name), "h%u", out->count);
		while (more.p != NULL) {
			struct sockaddress a;

			words = slice_split(more, ' ', &more);
			assert_int_equal(sockaddress_parse(words, 0, &a), 0);
			if (a.any.sa_family == AF_INET)
				host->v4[host->v4_count++] = a;
			else
				host->v6[host->v6_count++] = a;
		}
	}
}

static void
test_targets(void **state)
{
	static const struct { const char *name, *hosts, *own, *dead; unsigned most; bool private_ok, by_mx; const char *targets; } rows[] = {
		{ "host by host", "10 1.0.0.1,20 1.0.0.2", "", "", 5, false, true, "1.0.0.1:25 1.0.0.2:25" },
		{ "families in turn", "10 1.0.0.1 1.0.0.2 2a00::1 2a00::2", "", "", 5, false, true, "[2a00::1]:25 1.0.0.1:25 [2a00::2]:25 1.0.0.2:25" },
		{ "no more than allowed", "10 1.0.0.1 1.0.0.2 1.0.0.3", "", "", 2, false, true, "1.0.0.1:25 1.0.0.2:25" },
		{ "the same address twice", "10 1.0.0.1,20 1.0.0.1 1.0.0.2", "", "", 5, false, true, "1.0.0.1:25 1.0.0.2:25" },
		{ "a mapped address is the same", "10 1.0.0.1 ::ffff:1.0.0.1", "", "", 5, false, true, "1.0.0.1:25" },
		{ "the dead go last", "10 1.0.0.1,20 1.0.0.2", "", "1.0.0.1:25", 5, false, true, "1.0.0.2:25 1.0.0.1:25" },
		{ "the dead give way", "10 1.0.0.1 1.0.0.2,20 1.0.0.3", "", "1.0.0.1:25", 2, false, true, "1.0.0.2:25 1.0.0.3:25" },
		{ "all dead: tried anyway", "10 1.0.0.1", "", "1.0.0.1:25", 5, false, true, "1.0.0.1:25" },
		{ "dead on another port", "10 1.0.0.1,20 1.0.0.2", "", "1.0.0.1:26", 5, false, true, "1.0.0.1:25 1.0.0.2:25" },
		{ "private ones are left out", "10 127.0.0.1 ::1 10.0.0.1,20 1.0.0.1", "", "", 5, false, true, "1.0.0.1:25" },
		{ "only private ones", "10 127.0.0.1", "", "", 5, false, true, "private" },
		{ "private ones allowed", "10 127.0.0.1", "", "", 5, true, true, "127.0.0.1:25" },
		{ "our address cuts", "10 1.0.0.1,20 1.0.0.2,30 1.0.0.3", "1.0.0.2:25", "", 5, false, true, "1.0.0.1:25" },
		{ "our address is the best", "10 1.0.0.1,20 1.0.0.2", "1.0.0.1:25", "", 5, false, true, "ourselves" },
		{ "our private address, too", "10 10.0.0.1,20 1.0.0.2", "10.0.0.1:25", "", 5, false, true, "ourselves" },
		{ "our address at another port", "10 1.0.0.1", "1.0.0.1:26", "", 5, false, true, "1.0.0.1:25" },
		{ "a smart host on this machine", "10 127.0.0.1", "127.0.0.1:25", "", 5, true, false, "127.0.0.1:25" },
		{ "nothing", "10", "", "", 5, false, true, "" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		static struct health health;
		struct target_rules rules = { .port = 25, .most = (uint16_t)rows[i].most, .private_ok = rows[i].private_ok,
		    .cut_at_own = rows[i].by_mx, .health = &health, .now = 1000, .is_own = is_own };
		char text[400] = "", one[SOCKADDRESS_TEXT];
		struct mx_hosts hosts;
		struct targets targets;
		struct sockaddress dead;

		memset(&health, 0, sizeof(health));
		own_text = rows[i].own;
		if (rows[i].dead[0] != '\0') {
			assert_int_equal(sockaddress_parse_port(slice_str(rows[i].dead), 0, &dead), 0);
			health_failed(&health, &dead, 1000);
		}
		hosts_of(rows[i].hosts, &hosts);
		if (!targets_choose(&hosts, &rules, &targets))
			strlcpy(text, "ourselves", sizeof(text));
		else if (targets.count == 0 && targets.refused_private)
			strlcpy(text, "private", sizeof(text));
		for (unsigned k = 0; k < targets.count; k++) {
			strlcat(text, k > 0 ? " " : "", sizeof(text));
			strlcat(text, sockaddress_print_port(&targets.v[k].address, one), sizeof(text));
		}
		if (strcmp(text, rows[i].targets) != 0)
			ROW(i, rows[i].name);
		assert_string_equal(text, rows[i].targets);
	}
}

static void
test_health(void **state)
{
	static struct health health;
	struct sockaddress a, b;

	(void)state;
	assert_int_equal(sockaddress_parse_port(SLICE_LIT("192.0.2.1:25"), 0, &a), 0);
	assert_int_equal(sockaddress_parse_port(SLICE_LIT("192.0.2.1:26"), 0, &b), 0);
	assert_false(health_is_dead(&health, &a, 5));
	health_failed(&health, &a, 5);
	assert_true(health_is_dead(&health, &a, 5));
	assert_false(health_is_dead(&health, &b, 5));
	assert_true(health_is_dead(&health, &a, 5 + HEALTH_MS - 1));
	assert_false(health_is_dead(&health, &a, 5 + HEALTH_MS));
	health_failed(&health, &a, 10);
	health_worked(&health, &a);
	assert_false(health_is_dead(&health, &a, 10));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse), cmocka_unit_test(test_order), cmocka_unit_test(test_shuffle), cmocka_unit_test(test_targets),
		cmocka_unit_test(test_health),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
