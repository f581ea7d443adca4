/*
 * The argument of XCLIENT.
 */
#include "base/buf.h"
#include "smtp/xclient.h"
#include "tests/support/testing.h"

#define ALL	(XCLIENT_BIT(XCLIENT_NAME) | XCLIENT_BIT(XCLIENT_ADDR) | XCLIENT_BIT(XCLIENT_PORT) | XCLIENT_BIT(XCLIENT_PROTO) | \
		 XCLIENT_BIT(XCLIENT_HELO))

static const struct {
	const char	*argument;
	const char	*got;		/* name/addr/port/proto/helo; - absent, ? unknown; NULL: refused */
	const char	*which;		/* what is wrong */
} rows[] = {
	{ "NAME=mx.example.org ADDR=192.0.2.1", "mx.example.org/192.0.2.1/-/-/-", NULL },
	{ "addr=IPV6:2001:db8::1", "-/IPV6:2001:db8::1/-/-/-", NULL },
	{ "PORT=40000 PROTO=ESMTP HELO=client.example", "-/-/40000/ESMTP/client.example", NULL },
	{ "NAME=[UNAVAILABLE] ADDR=[tempunavail]", "?/?/-/-/-", NULL },
	{ "HELO=a+2Bb+3D", "-/-/-/-/a+b=", NULL },
	{ "HELO=[192.0.2.1]", "-/-/-/-/[192.0.2.1]", NULL },
	{ "", NULL, "" },
	{ "NAME", NULL, "NAME" },
	{ "NAME=", NULL, "NAME=" },
	{ "NAME=a ", NULL, "" },
	{ "NAME=a  ADDR=192.0.2.1", NULL, "" },
	{ " NAME=a", NULL, "" },
	{ "NAME=a NAME=b", NULL, "NAME=b" },
	{ "NAME=[UNAVAILABLE] NAME=b", NULL, "NAME=b" },
	{ "LOGIN=me", NULL, "LOGIN=me" },
	{ "NAME=a DESTADDR=192.0.2.1", NULL, "DESTADDR=192.0.2.1" },
	{ "HELO=a+00b", NULL, "HELO=a+00b" },
	{ "HELO=a+0D+0Ab", NULL, "HELO=a+0D+0Ab" },
	{ "HELO=a+", NULL, "HELO=a+" },
	{ "HELO=a+2", NULL, "HELO=a+2" },
	{ "HELO=a+zz", NULL, "HELO=a+zz" },
	{ "HELO=a=b", NULL, "HELO=a=b" },
	{ "HELO=\xc3\xa4", NULL, "HELO=\xc3\xa4" },
};

static void
put(struct buf *out, const struct xclient_value *v)
{
	buf_printf(out, "%s%s", buf_len(out) > 0 ? "/" : "", !v->given ? "-" : !v->known ? "?" : v->text);
}

static void
test_rows(void **state)
{
	static struct xclient x;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct slice which;
		struct buf got;
		int result = xclient_parse(slice_str(rows[i].argument), ALL, &x, &which);

		ROW(i, rows[i].argument);
		assert_int_equal(result, rows[i].got == NULL ? -1 : 0);
		if (result == -1) {
			assert_slice(which, rows[i].which);
			continue;
		}
		buf_init(&got, 2000);
		for (enum xclient_attribute a = XCLIENT_NAME; a <= XCLIENT_HELO; a++)
			put(&got, &x.values[a]);
		assert_string_equal(buf_cstr(&got), rows[i].got);
		buf_fini(&got);
	}
}

/* A value has an end. */
static void
test_long(void **state)
{
	static struct xclient x;
	char text[5 + XCLIENT_VALUE_MAX + 2] = "HELO=";
	struct slice which;

	(void)state;
	memset(text + 5, 'x', XCLIENT_VALUE_MAX);
	assert_int_equal(xclient_parse(slice_str(text), ALL, &x, &which), 0);
	assert_int_equal(x.values[XCLIENT_HELO].len, XCLIENT_VALUE_MAX);
	text[5 + XCLIENT_VALUE_MAX] = 'x';
	assert_int_equal(xclient_parse(slice_str(text), ALL, &x, &which), -1);
}

/* XFORWARD has attributes that XCLIENT has not. */
static void
test_attributes(void **state)
{
	static struct xclient x;
	struct slice which;

	(void)state;
	assert_int_equal(xclient_parse(SLICE_LIT("NAME=a IDENT=1234"), ALL, &x, &which), -1);
	assert_slice(which, "IDENT=1234");
	assert_int_equal(xclient_parse(SLICE_LIT("ident=12+2B SOURCE=LOCAL"), XCLIENT_BIT(XCLIENT_IDENT) | XCLIENT_BIT(XCLIENT_SOURCE), &x, &which), 0);
	assert_string_equal(x.values[XCLIENT_IDENT].text, "12+");
	assert_string_equal(x.values[XCLIENT_SOURCE].text, "LOCAL");
	assert_int_equal(xclient_parse(SLICE_LIT("NAME=a"), XCLIENT_BIT(XCLIENT_IDENT), &x, &which), -1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_rows), cmocka_unit_test(test_long), cmocka_unit_test(test_attributes) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
