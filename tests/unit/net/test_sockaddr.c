/* Literals in, literals out, and what no MX may name. */
#include "tests/support/testing.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "net/listen.h"
#include "net/sockaddr.h"

static const struct parse_case {
	const char	*text;
	uint16_t	 default_port;
	const char	*printed;	/* with its port; NULL: refused */
} parse_cases[] = {
	{ "192.0.2.1:25", 0, "192.0.2.1:25" },
	{ "192.0.2.1", 53, "192.0.2.1:53" },
	{ "192.0.2.1", 0, NULL },
	{ "[192.0.2.1]:25", 0, "192.0.2.1:25" },
	{ "[::1]:5353", 0, "[::1]:5353" },
	{ "[::1]", 53, "[::1]:53" },
	{ "::1", 53, "[::1]:53" },
	{ "2001:db8::1:5353", 53, "[2001:db8::1:5353]:53" },	/* an address of its own, not one with a port */
	{ "2001:db8::1:5353", 0, NULL },
	{ "2001:DB8::0:1", 25, "[2001:db8::1]:25" },
	{ "::ffff:192.0.2.1", 25, "[::ffff:192.0.2.1]:25" },
	{ "192.0.2.1:65535", 0, "192.0.2.1:65535" },
	{ "192.0.2.1:65536", 0, NULL },
	{ "192.0.2.1:99999", 0, NULL },		/* what c-ares wraps around */
	{ "192.0.2.1:0", 53, NULL },
	{ "192.0.2.1:025", 53, NULL },
	{ "192.0.2.1:+25", 53, NULL },
	{ "192.0.2.1: 25", 53, NULL },
	{ "192.0.2.1:", 53, NULL },
	{ "192.0.2.01", 53, NULL },
	{ "192.0.2", 53, NULL },
	{ "0xc0000201", 53, NULL },
	{ "192.0.2.256", 53, NULL },
	{ "192.0.2.1 ", 53, NULL },
	{ "localhost", 53, NULL },
	{ "localhost:53", 53, NULL },
	{ "", 53, NULL },
	{ "[]", 53, NULL },
	{ "[", 53, NULL },
	{ "[::1", 53, NULL },
	{ "[::1]x", 53, NULL },
	{ "[::1]25", 53, NULL },
	{ "[[::1]]", 53, NULL },
	{ "fe80::1%eth0", 53, NULL },
	{ "1:2:3:4:5:6:7:8:9", 53, NULL },
	{ "0000:0000:0000:0000:0000:0000:0000:0000:0000:0001", 53, NULL },
};

static void
parsing(void **state)
{
	char text[SOCKADDRESS_TEXT];
	struct sockaddress a;

	(void)state;
	for (size_t i = 0; i < sizeof(parse_cases) / sizeof(parse_cases[0]); i++) {
		const struct parse_case *c = &parse_cases[i];
		int rc = sockaddress_parse_port(slice_str(c->text), c->default_port, &a);

		ROW(i, c->text);
		assert_int_equal(rc, c->printed == NULL ? -1 : 0);
		if (rc == 0)
			assert_string_equal(sockaddress_print_port(&a, text), c->printed);
	}
}

/* What is printed is parsed again to the same; a slice without a NUL behind it is enough. */
static void
bounded(void **state)
{
	const char text[] = { '1', '0', '.', '0', '.', '0', '.', '1', '9' };
	char printed[SOCKADDRESS_TEXT];
	struct sockaddress a, b;

	(void)state;
	assert_int_equal(sockaddress_parse(slice_of(text, 8), 25, &a), 0);
	assert_string_equal(sockaddress_print(&a, printed), "10.0.0.1");
	assert_int_equal(sockaddress_port(&a), 25);
	assert_int_equal(sockaddress_parse_port(slice_str(sockaddress_print_port(&a, printed)), 0, &b), 0);
	assert_true(sockaddress_same_host(&a, &b));
	assert_int_equal(sockaddress_parse(slice_of("10.0.0.1\0", 9), 25, &a), -1);
	assert_string_equal(sockaddress_print(&(struct sockaddress){ .len = 0 }, printed), "none");
}

static void
of_bytes(void **state)
{
	static const struct { struct slice bytes; const char *printed; } rows[] = {
		{ SLICE_LIT("\300\0\2\1"), "192.0.2.1" },
		{ SLICE_LIT("\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\1"), "2001:db8::1" },
		{ SLICE_LIT(""), "none" }, { SLICE_LIT("\300\0\2"), "none" }, { SLICE_LIT("\300\0\2\1\1"), "none" },
	};
	char printed[SOCKADDRESS_TEXT];
	struct sockaddress a;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		ROW(i, rows[i].printed);
		sockaddress_of_bytes(rows[i].bytes, &a);
		assert_string_equal(sockaddress_print(&a, printed), rows[i].printed);
	}
}

static void
same_host(void **state)
{
	struct sockaddress a, b, c;

	(void)state;
	assert_int_equal(sockaddress_parse(SLICE_LIT("192.0.2.7"), 1, &a), 0);
	assert_int_equal(sockaddress_parse(SLICE_LIT("::ffff:192.0.2.7"), 2, &b), 0);
	assert_int_equal(sockaddress_parse(SLICE_LIT("192.0.2.8"), 1, &c), 0);
	assert_true(sockaddress_same_host(&a, &b));
	assert_false(sockaddress_same_host(&a, &c));
	assert_false(sockaddress_same_host(&a, &(struct sockaddress){ .len = 0 }));
	sockaddress_unmap(&b);
	assert_int_equal(b.any.sa_family, AF_INET);
	assert_int_equal(sockaddress_port(&b), 2);
}

static const struct private_case {
	const char	*text;
	bool		 is_private;
} private_cases[] = {
	{ "127.0.0.1", true }, { "127.255.255.255", true }, { "126.255.255.255", false }, { "128.0.0.1", false },
	{ "10.1.2.3", true }, { "11.0.0.0", false }, { "172.15.255.255", false }, { "172.16.0.0", true },
	{ "172.31.255.255", true }, { "172.32.0.0", false }, { "192.168.0.1", true }, { "192.167.255.255", false },
	{ "169.254.169.254", true }, { "100.64.0.1", true }, { "100.63.255.255", false }, { "100.128.0.0", false },
	{ "0.0.0.0", true }, { "224.0.0.1", true }, { "255.255.255.255", true }, { "223.255.255.255", false },
	{ "198.18.0.1", true }, { "198.20.0.0", false }, { "192.0.2.1", true }, { "8.8.8.8", false },
	{ "::", true }, { "::1", true }, { "fe80::1", true }, { "fec0::1", true }, { "fd00::1", true }, { "ff02::1", true },
	{ "2001:db8::1", true }, { "2001:4860:4860::8888", false }, { "2a00:1450::1", false },
	{ "::ffff:127.0.0.1", true }, { "::ffff:8.8.8.8", false },
	{ "64:ff9b::127.0.0.1", true }, { "64:ff9b::8.8.8.8", false }, { "64:ff9b:1::1", true },
	{ "2002:7f00:1::1", true }, { "2002:808:808::1", false },
};

static void
private(void **state)
{
	struct sockaddress a;

	(void)state;
	for (size_t i = 0; i < sizeof(private_cases) / sizeof(private_cases[0]); i++) {
		ROW(i, private_cases[i].text);
		assert_int_equal(sockaddress_parse(slice_str(private_cases[i].text), 25, &a), 0);
		assert_int_equal(sockaddress_is_private(&a), private_cases[i].is_private);
	}
	assert_true(sockaddress_is_private(&(struct sockaddress){ .len = 0 }));
}

static const struct network_case {
	const char	*network, *inside, *outside;	/* inside NULL: the network is refused */
} network_cases[] = {
	{ "10.0.0.0/8", "10.255.0.1", "11.0.0.1" },
	{ "10.0.0.0/8", "::ffff:10.1.1.1", "::10.1.1.1" },
	{ "192.0.2.7", "192.0.2.7", "192.0.2.6" },
	{ "192.0.2.128/25", "192.0.2.129", "192.0.2.127" },
	{ "192.0.2.4/31", "192.0.2.5", "192.0.2.6" },
	{ "0.0.0.0/0", "203.0.113.9", "::1" },
	{ "::1", "::1", "::2" },
	{ "2001:db8::/32", "2001:db8:ffff::1", "2001:db9::" },
	{ "2001:db8::/33", "2001:db8:7fff::1", "2001:db8:8000::" },
	{ "::/0", "2001:db8::1", "192.0.2.1" },
	{ "[2001:db8::]/32", "2001:db8::1", "::1" },
	{ "::ffff:10.0.0.0/104", "10.1.2.3", "11.1.2.3" },
	{ "10.0.0.1/8", NULL, NULL },		/* host bits */
	{ "2001:db8::1/32", NULL, NULL },
	{ "10.0.0.0/33", NULL, NULL },
	{ "::/129", NULL, NULL },
	{ "10.0.0.0/", NULL, NULL },
	{ "10.0.0.0/08", NULL, NULL },
	{ "10.0.0.0/-1", NULL, NULL },
	{ "10.0.0.0/255.0.0.0", NULL, NULL },
	{ "10.0.0.0/8/8", NULL, NULL },
	{ "10/8", NULL, NULL },
	{ "example.org/8", NULL, NULL },
	{ "", NULL, NULL },
	{ "/8", NULL, NULL },
};

static void
networks(void **state)
{
	struct sockaddress a;
	struct network n;

	(void)state;
	for (size_t i = 0; i < sizeof(network_cases) / sizeof(network_cases[0]); i++) {
		const struct network_case *c = &network_cases[i];

		ROW(i, c->network);
		assert_int_equal(network_parse(slice_str(c->network), &n), c->inside == NULL ? -1 : 0);
		if (c->inside == NULL)
			continue;
		assert_int_equal(sockaddress_parse(slice_str(c->inside), 0, &a), 0);
		assert_true(network_holds(&n, &a));
		assert_int_equal(sockaddress_parse(slice_str(c->outside), 0, &a), 0);
		assert_false(network_holds(&n, &a));
	}
}

/* A free port is bound once; the second gets the kernel's refusal as one sentence. */
static void
listening(void **state)
{
	struct sockaddress any, bound;
	struct err err = { 0 };
	int first, second;

	(void)state;
	assert_int_equal(sockaddress_parse(SLICE_LIT("127.0.0.1"), 0, &any), 0);
	first = listen_tcp(&any, 5, &err);
	assert_true(first >= 0);
	assert_int_equal(listen_address(first, &bound), 0);
	assert_true(sockaddress_port(&bound) > 0);
	second = listen_tcp(&bound, 5, &err);
	assert_int_equal(second, -1);
	assert_non_null(strstr(err.text, "127.0.0.1:"));
	close(first);
}

/* A stale socket is replaced; a live one, and anything that is no socket, is left alone. */
static void
unix_sockets(void **state)
{
	char directory[] = "/tmp/posthorn-test-XXXXXX", path[64], too_long[200];
	struct err err = { 0 };
	struct stat st;
	int fd;

	(void)state;
	assert_non_null(mkdtemp(directory));
	snprintf(path, sizeof(path), "%s/s", directory);
	fd = listen_unix(path, 0600, 5, &err);
	assert_true(fd >= 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(listen_unix(path, 0600, 5, &err), -1);
	close(fd);
	fd = listen_unix(path, 0660, 5, &err);
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(mkdir(path, 0700), 0);
	assert_int_equal(listen_unix(path, 0600, 5, &err), -1);
	assert_int_equal(rmdir(path), 0);
	assert_int_equal(rmdir(directory), 0);
	memset(too_long, 'a', sizeof(too_long) - 1);
	too_long[sizeof(too_long) - 1] = '\0';
	assert_int_equal(listen_unix(too_long, 0600, 5, &err), -1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parsing), cmocka_unit_test(bounded), cmocka_unit_test(of_bytes), cmocka_unit_test(same_host), cmocka_unit_test(private),
		cmocka_unit_test(networks), cmocka_unit_test(listening), cmocka_unit_test(unix_sockets),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
