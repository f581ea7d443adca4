/*
 * PROXY headers, both versions. Each row is also cut at every byte: what is a whole header is no header before its last byte, and the
 * same with anything behind it.
 */
#include "base/buf.h"
#include "net/proxy.h"
#include "tests/support/testing.h"

#define SIGNATURE	"\r\n\r\n\0\r\nQUIT\n"
#define V6_A		"\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01"
#define V6_B		"\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x02"

static const struct {
	struct slice		 in;
	enum proxy_result	 result;
	const char		*client;	/* with its port */
} rows[] = {
	{ SLICE_LIT("PROXY TCP4 192.0.2.1 192.0.2.2 40000 25\r\n"), PROXY_CLIENT, "192.0.2.1:40000" },
	{ SLICE_LIT("PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n"), PROXY_CLIENT, "255.255.255.255:65535" },
	{ SLICE_LIT("PROXY TCP6 2001:db8::1 2001:db8::2 0 25\r\n"), PROXY_CLIENT, "[2001:db8::1]:0" },
	{ SLICE_LIT("PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n"), PROXY_CLIENT,
	    "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535" },
	{ SLICE_LIT("PROXY UNKNOWN\r\n"), PROXY_SELF, NULL },
	{ SLICE_LIT("PROXY UNKNOWN ffff:: whatever it is\r\n"), PROXY_SELF, NULL },
	{ SLICE_LIT("PROXY TCP4 192.0.2.1 192.0.2.2 40000 25\n"), PROXY_BAD, NULL },
	{ SLICE_LIT("PROXY TCP4 192.0.2.1 192.0.2.2 40000 25\r\r\n"), PROXY_BAD, NULL },
	{ SLICE_LIT("PROXY TCP4 192.0.2.1 192.0.2.2 40000\r25\r\n"), PROXY_BAD, NULL },
	{ SLICE_LIT("PROXY TCP4 192.0.2.1 192.0.2.2 40000 25 \r\n"), PROXY_BAD, NULL },
	{ SLICE_LIT("PROXY TCP4 192.0.2.1 192.0.2.2 40000 25 x\r\n"), PROXY_BAD, NULL },
	{ SLICE_LIT("PROXY TCP4  192.0.2.1 192.0.2.2 40000 25\r\n"), PROXY_BAD, NULL },
	{ SLICE_LIT("PROXY TCP4 192.0.2.1 192.0.2.2 40000\r\n"), PROXY_BAD, NULL },
	{ SLICE_LIT("PROXY TCP4 192.0.2.1 192.0.2.2 40000 65536\r\n"), PROXY_BAD, NULL },
	{ SLICE_LIT("PROXY TCP4 192.0.2.1 192.0.2.2 -1 25\r\n"), PROXY_BAD, NULL },
	{ SLICE_LIT("PROXY TCP4 192.0.2.1 192.0.2.2 040000 25\r\n"), PROXY_BAD, NULL },
	{ SLICE_LIT("PROXY TCP4 192.0.2.001 192.0.2.2 40000 25\r\n"), PROXY_BAD, NULL },
	{ SLICE_LIT("PROXY TCP4 192.0.2 192.0.2.2 40000 25\r\n"), PROXY_BAD, NULL },
	{ SLICE_LIT("PROXY TCP4 2001:db8::1 2001:db8::2 40000 25\r\n"), PROXY_BAD, NULL },
	{ SLICE_LIT("PROXY TCP6 192.0.2.1 192.0.2.2 40000 25\r\n"), PROXY_BAD, NULL },
	{ SLICE_LIT("PROXY TCP6 2001:db8::1 192.0.2.2 40000 25\r\n"), PROXY_BAD, NULL },
	{ SLICE_LIT("PROXY TCP6 [2001:db8::1] [2001:db8::2] 40000 25\r\n"), PROXY_BAD, NULL },
	{ SLICE_LIT("PROXY TCP6 fe80::1%lo fe80::2%lo 40000 25\r\n"), PROXY_BAD, NULL },
	{ SLICE_LIT("PROXY TCP4 192.0.2.1\0 192.0.2.2 40000 25\r\n"), PROXY_BAD, NULL },
	{ SLICE_LIT("PROXY tcp4 192.0.2.1 192.0.2.2 40000 25\r\n"), PROXY_BAD, NULL },
	{ SLICE_LIT("PROXY UDP4 192.0.2.1 192.0.2.2 40000 25\r\n"), PROXY_BAD, NULL },
	{ SLICE_LIT("PROXY \r\n"), PROXY_BAD, NULL },
	{ SLICE_LIT("PROXY\r\n"), PROXY_BAD, NULL },
	{ SLICE_LIT("proxy TCP4 192.0.2.1 192.0.2.2 40000 25\r\n"), PROXY_BAD, NULL },
	{ SLICE_LIT("EHLO x\r\n"), PROXY_BAD, NULL },
	{ SLICE_LIT("PROXY UNKNOWN 3456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123\r\n"), PROXY_SELF, NULL },
	{ SLICE_LIT("PROXY UNKNOWN 34567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234\r\n"), PROXY_BAD, NULL },
	{ SLICE_LIT(SIGNATURE "\x21\x11\0\x0c\xc0\0\x02\x01\xc0\0\x02\x02\x9c\x40\0\x19"), PROXY_CLIENT, "192.0.2.1:40000" },
	{ SLICE_LIT(SIGNATURE "\x21\x11\0\x10\xc0\0\x02\x01\xc0\0\x02\x02\x9c\x40\0\x19\x04\0\x01x"), PROXY_CLIENT, "192.0.2.1:40000" },
	{ SLICE_LIT(SIGNATURE "\x21\x21\0\x24" V6_A V6_B "\x9c\x40\0\x19"), PROXY_CLIENT, "[2001:db8::1]:40000" },
	{ SLICE_LIT(SIGNATURE "\x21\x21\0\x29" V6_A V6_B "\x9c\x40\0\x19\xff\xff\xff\xff\xff"), PROXY_CLIENT, "[2001:db8::1]:40000" },
	{ SLICE_LIT(SIGNATURE "\x20\0\0\0"), PROXY_SELF, NULL },
	{ SLICE_LIT(SIGNATURE "\x20\x11\0\x0c\xc0\0\x02\x01\xc0\0\x02\x02\x9c\x40\0\x19"), PROXY_SELF, NULL },
	{ SLICE_LIT(SIGNATURE "\x20\x11\0\0"), PROXY_SELF, NULL },
	{ SLICE_LIT(SIGNATURE "\x21\0\0\x03" "abc"), PROXY_SELF, NULL },
	{ SLICE_LIT(SIGNATURE "\x21\x12\0\x0c\xc0\0\x02\x01\xc0\0\x02\x02\x9c\x40\0\x19"), PROXY_SELF, NULL },
	{ SLICE_LIT(SIGNATURE "\x21\x31\0\x01/"), PROXY_SELF, NULL },
	{ SLICE_LIT(SIGNATURE "\x21\x11\0\x0b\xc0\0\x02\x01\xc0\0\x02\x02\x9c\x40\0"), PROXY_BAD, NULL },
	{ SLICE_LIT(SIGNATURE "\x21\x11\0\0"), PROXY_BAD, NULL },
	{ SLICE_LIT(SIGNATURE "\x21\x21\0\x23" V6_A V6_B "\x9c\x40\0"), PROXY_BAD, NULL },
	{ SLICE_LIT(SIGNATURE "\x11\x11\0\x0c"), PROXY_BAD, NULL },
	{ SLICE_LIT(SIGNATURE "\x22\x11\0\x0c"), PROXY_BAD, NULL },
	{ SLICE_LIT(SIGNATURE "\x21\x41\0\x0c"), PROXY_BAD, NULL },
	{ SLICE_LIT(SIGNATURE "\x21\x13\0\x0c"), PROXY_BAD, NULL },
	{ SLICE_LIT(SIGNATURE "\x21\x11\x10\0"), PROXY_BAD, NULL },		/* longer than we read */
	{ SLICE_LIT(SIGNATURE "\x21\x11\xff\xff"), PROXY_BAD, NULL },
	{ SLICE_LIT("\r\n\r\n\0\r\nQUIT\r\n"), PROXY_BAD, NULL },
};

static void
check(size_t i, struct slice in)
{
	struct sockaddress client;
	char text[SOCKADDRESS_TEXT];
	size_t len;
	enum proxy_result result = proxy_parse(in, &len, &client);

	if (result != rows[i].result) {
		ROW(i, rows[i].in.p);
		fail_msg("result %d, wanted %d", (int)result, (int)rows[i].result);
	}
	if (result != PROXY_BAD)
		assert_int_equal(len, rows[i].in.len);
	if (result == PROXY_CLIENT)
		assert_string_equal(sockaddress_print_port(&client, text), rows[i].client);
}

static void
test_rows(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct buf more;

		check(i, rows[i].in);
		buf_init(&more, 1000);
		buf_put_slice(&more, rows[i].in);
		buf_puts(&more, "EHLO x\r\nPROXY UNKNOWN\r\n");
		check(i, buf_slice(&more));
		buf_fini(&more);
	}
}

static void
test_every_cut(void **state)
{
	struct sockaddress client;
	size_t len;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		for (size_t cut = 0; cut < rows[i].in.len; cut++) {
			enum proxy_result result = proxy_parse(slice_of(rows[i].in.p, cut), &len, &client);

			if (result == PROXY_MORE || (result == PROXY_BAD && rows[i].result == PROXY_BAD))
				continue;
			ROW(i, rows[i].in.p);
			fail_msg("cut at %zu: result %d", cut, (int)result);
		}
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_rows), cmocka_unit_test(test_every_cut) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
