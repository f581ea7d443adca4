/*
 * Addresses and paths: every row says what goes in and the one canonical form that comes out, or why not.
 */
#include "mail/path.h"
#include "tests/support/testing.h"

static const struct {
	const char	*in;
	const char	*out;		/* canonical; NULL: refused */
	bool		 bare_ok;
} addresses[] = {
	{ "a@b.c", "a@b.c", false },
	{ "User.Name+tag@Example.ORG", "User.Name+tag@example.org", false },
	{ "user@example.org.", "user@example.org", false },
	{ "user@localhost", "user@localhost", false },
	{ "!#$%&'*+-/=?^_`{|}~@x.y", "!#$%&'*+-/=?^_`{|}~@x.y", false },
	{ "a%b@c.d", "a%b@c.d", false },		/* the percent sign routes nothing */
	{ "a!b@c.d", "a!b@c.d", false },
	{ "\"a b\"@c.d", "\"a b\"@c.d", false },
	{ "\"plain\"@c.d", "plain@c.d", false },	/* quotes that mean nothing go */
	{ "\"pl\\ain\"@c.d", "plain@c.d", false },
	{ "\"a\\\"b\\\\c\"@c.d", "\"a\\\"b\\\\c\"@c.d", false },
	{ "\"a@b\"@c.d", "\"a@b\"@c.d", false },
	{ "\"a>b\"@c.d", "\"a>b\"@c.d", false },
	{ "\"a..b\"@c.d", "\"a..b\"@c.d", false },
	{ "\" \"@c.d", "\" \"@c.d", false },
	{ "\"\"@c.d", NULL, false },
	{ "\"a@c.d", NULL, false },
	{ "\"a\\", NULL, false },
	{ "\"a\"b@c.d", NULL, false },
	{ "a\"b\"@c.d", NULL, false },
	{ "\"a\tb\"@c.d", NULL, false },
	{ "\"a\\\tb\"@c.d", NULL, false },
	{ "\"a\177b\"@c.d", NULL, false },
	{ "\"a\303\244\"@c.d", "a\303\244@c.d", false },
	{ "\"a \303\244\"@c.d", "\"a \303\244\"@c.d", false },
	{ "j\303\274rgen@b\303\274cher.example", "j\303\274rgen@b\303\274cher.example", false },
	{ "a@B\303\234CHER.Example.", "a@b\303\274cher.example", false },	/* a domain has one form */
	{ "J\303\234RGEN@c.d", "J\303\234RGEN@c.d", false },		/* a local-part is the bytes that were said */
	{ "u\314\210@c.d", "u\314\210@c.d", false },
	{ "a@bu\314\210cher.example", "a@b\303\274cher.example", false },
	{ "a@stra\303\237e.example", "a@stra\303\237e.example", false },
	{ "\347\224\250\346\210\267@\344\276\213\345\255\220.example", "\347\224\250\346\210\267@\344\276\213\345\255\220.example", false },
	{ "a\303@c.d", NULL, false },			/* cut */
	{ "a\300\200@c.d", NULL, false },			/* NUL, overlong */
	{ "a\355\240\200@c.d", NULL, false },		/* a surrogate */
	{ "a\302\205@c.d", NULL, false },			/* NEL */
	{ "\"a\302\233\"@c.d", NULL, false },		/* CSI */
	{ "a\357\273\277@c.d", NULL, false },		/* U+FEFF */
	{ "a\342\200\256@c.d", NULL, false },		/* turns the direction of writing */
	{ "a\342\200\250@c.d", NULL, false },		/* line separator */
	{ "a@\342\200\256c.d", NULL, false },
	{ "a@\303\274..d", NULL, false },
	{ "a@-\303\274.d", NULL, false },
	{ "a@xn--\303\274.d", NULL, false },
	{ "a@[\303\274]", NULL, false },
	{ "\303\274", "\303\274", true },
	{ "", NULL, false },
	{ "", NULL, true },
	{ "@", NULL, false },
	{ "@c.d", NULL, true },
	{ "a@", NULL, false },
	{ "a@", NULL, true },
	{ "a", NULL, false },
	{ "postmaster", "postmaster", true },
	{ "PostMaster", "PostMaster", true },
	{ ".a@c.d", NULL, false },
	{ "a.@c.d", NULL, false },
	{ "a..b@c.d", NULL, false },
	{ "a b@c.d", NULL, false },
	{ "a,b@c.d", NULL, false },
	{ "a(b)@c.d", NULL, false },
	{ "a@b@c.d", NULL, false },
	{ "a@c.d ", NULL, false },
	{ " a@c.d", NULL, false },
	{ "a@c..d", NULL, false },
	{ "a@.c.d", NULL, false },
	{ "a@c.d..", NULL, false },
	{ "a@.", NULL, false },
	{ "a@-c.d", NULL, false },
	{ "a@c-.d", NULL, false },
	{ "a@c_d.e", NULL, false },
	{ "a@c\\d", NULL, false },
	{ "a@1.2.3.4", NULL, false },
	{ "a@c.42", NULL, false },
	{ "a@3com.com", "a@3com.com", false },
	{ "a@xn--bcher-kva.example", "a@xn--bcher-kva.example", false },
	{ "a@[192.0.2.1]", "a@[192.0.2.1]", false },
	{ "a@[ipv6:2001:DB8:0::1]", "a@[IPv6:2001:db8::1]", false },
	{ "a@[IPv6:::1]", "a@[IPv6:::1]", false },
	{ "a@[::1]", NULL, false },
	{ "a@[192.0.2.256]", NULL, false },
	{ "a@[192.0.2]", NULL, false },
	{ "a@[192.0.2.1", NULL, false },
	{ "a@[192.0.2.1]x", NULL, false },
	{ "a@[]", NULL, false },
	{ "a@[", NULL, false },
	{ "a@[IPv6:]", NULL, false },
	{ "a@[x400:c=de]", NULL, false },
	{ "a\303\244@c.d", "a\303\244@c.d", false },
	{ "a\344@c.d", NULL, false },			/* Latin-1 */
	{ "a\r\nb@c.d", NULL, false },
};

static const char *
printed(const struct address *a, struct buf *buf)
{
	const char *text;

	buf_init(buf, ADDRESS_MAX);
	address_print(a, buf);
	assert_false(buf->failed);
	text = buf_cstr(buf);
	assert_non_null(text);
	return text;
}

static void
check_canonical(const struct address *a, bool bare_ok, const char *want)
{
	struct arena arena = { .max = 4096 };
	struct address again;
	struct buf once, twice;
	const char *why = NULL;

	assert_string_equal(printed(a, &once), want);
	assert_int_equal(address_parse(buf_slice(&once), bare_ok, &arena, &again, &why), 0);
	assert_string_equal(printed(&again, &twice), want);
	buf_fini(&once);
	buf_fini(&twice);
	arena_fini(&arena);
}

static void
test_addresses(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(addresses) / sizeof(addresses[0]); i++) {
		struct arena arena = { .max = 4096 };
		struct address a;
		const char *why = NULL;
		int result = address_parse(slice_str(addresses[i].in), addresses[i].bare_ok, &arena, &a, &why);

		if ((result == 0) != (addresses[i].out != NULL)) {
			ROW(i, addresses[i].in);
			fail_msg("%s", result == 0 ? "taken" : why);
		}
		if (result == 0)
			check_canonical(&a, addresses[i].bare_ok, addresses[i].out);
		else
			assert_non_null(why);
		arena_fini(&arena);
	}
}

static void
test_nul(void **state)
{
	struct arena arena = { .max = 4096 };
	struct address a;
	const char *why = NULL;

	(void)state;
	assert_int_equal(address_parse(SLICE_LIT("a\0b@c.d"), false, &arena, &a, &why), -1);
	assert_int_equal(address_parse(SLICE_LIT("\"a\0b\"@c.d"), false, &arena, &a, &why), -1);
	assert_int_equal(address_parse(SLICE_LIT("a@c\0.d"), false, &arena, &a, &why), -1);
	assert_int_equal(address_parse(SLICE_LIT("a@[192.0.2.1\0]"), false, &arena, &a, &why), -1);
	arena_fini(&arena);
}

/* What an address may measure: built, as the rows would not fit the eye. */
static void
test_lengths(void **state)
{
	static const struct {
		size_t	local, label, labels;
		bool	quoted, ok;
	} rows[] = {
		{ 64, 63, 3, false, true },
		{ 65, 63, 3, false, false },
		{ 62, 3, 1, true, true },	/* its quotes count */
		{ 63, 3, 1, true, false },
		{ 1, 64, 1, false, false },
		{ 64, 50, 5, false, true },
		{ 1, 63, 4, false, true },	/* 255 */
		{ 1, 63, 5, false, false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct arena arena = { .max = 4096 };
		struct address a;
		struct buf in;
		const char *why = NULL;

		buf_init(&in, 4096);
		if (rows[i].quoted)
			buf_puts(&in, "\"");
		for (size_t n = 0; n < rows[i].local; n++)
			buf_putc(&in, rows[i].quoted ? ' ' : 'l');
		buf_puts(&in, rows[i].quoted ? "\"@" : "@");
		for (size_t n = 0; n < rows[i].labels; n++) {
			for (size_t m = 0; m < rows[i].label; m++)
				buf_putc(&in, 'd');
			if (n + 1 < rows[i].labels)
				buf_putc(&in, '.');
		}
		if ((address_parse(buf_slice(&in), false, &arena, &a, &why) == 0) != rows[i].ok) {
			ROW(i, why == NULL ? "taken" : why);
			fail();
		}
		if (rows[i].ok)
			check_canonical(&a, false, buf_cstr(&in));
		buf_fini(&in);
		arena_fini(&arena);
	}
}

static void
test_small_arena(void **state)
{
	struct arena arena = { .max = 1 };
	struct address a;
	const char *why = NULL;

	(void)state;
	assert_int_equal(address_parse(SLICE_LIT("abc@d.e"), false, &arena, &a, &why), -1);
	assert_string_equal(why, "no memory");
	arena_fini(&arena);
}

static const struct {
	const char	*in;
	const char	*out;		/* NULL: refused; "": the null path */
	const char	*rest;
	bool		 null_ok, bare_ok;
} paths[] = {
	{ "<a@b.c>", "a@b.c", "", false, false },
	{ "<a@b.c> SIZE=1", "a@b.c", " SIZE=1", false, false },
	{ "<a@b.c>SIZE=1", "a@b.c", "SIZE=1", false, false },
	{ "<>", "", "", true, false },
	{ "<> BODY=7BIT", "", " BODY=7BIT", true, false },
	{ "<>", NULL, "<>", false, false },
	{ "<postmaster>", "postmaster", "", false, true },
	{ "<postmaster>", NULL, "<postmaster>", false, false },
	{ "<@x.y:a@b.c>", "a@b.c", "", false, false },
	{ "<@x.y,@z:a@b.c>", "a@b.c", "", false, false },
	{ "<@x.y,z:a@b.c>", NULL, "", false, false },
	{ "<@x.y,@:a@b.c>", NULL, "", false, false },
	{ "<@x.y:>", NULL, "", true, false },
	{ "<@x.y>", NULL, "", false, false },
	{ "<@>", NULL, "", false, false },
	{ "<\"a>b\"@c.d>", "\"a>b\"@c.d", "", false, false },
	{ "<\"a\\\">b\"@c.d>", "\"a\\\">b\"@c.d", "", false, false },
	{ "<\"a>", NULL, "", false, false },
	{ "<\"a\\", NULL, "", false, false },
	{ "<a@b.c", NULL, "", false, false },
	{ "a@b.c", NULL, "", false, false },
	{ "a@b.c>", NULL, "", false, false },
	{ "", NULL, "", false, false },
	{ "<", NULL, "", true, false },
	{ " <a@b.c>", NULL, "", false, false },
	{ "< a@b.c>", NULL, "", false, false },
	{ "<a@b.c >", NULL, "", false, false },
	{ "<<a@b.c>>", NULL, "", false, false },
};

static void
test_paths(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		struct arena arena = { .max = 4096 };
		struct slice in = slice_str(paths[i].in);
		struct path path;
		struct buf text;
		const char *why = NULL;
		int result = path_take(&in, paths[i].null_ok, paths[i].bare_ok, &arena, &path, &why);

		if ((result == 0) != (paths[i].out != NULL)) {
			ROW(i, paths[i].in);
			fail_msg("%s", result == 0 ? "taken" : why);
		}
		if (result == 0) {
			assert_slice(in, paths[i].rest);
			assert_true(path.is_null == (paths[i].out[0] == '\0'));
			if (!path.is_null) {
				assert_string_equal(printed(&path.address, &text), paths[i].out);
				buf_fini(&text);
			}
		} else {
			assert_non_null(why);
			assert_slice(in, paths[i].in);
		}
		arena_fini(&arena);
	}
}

static void
test_split_detail(void **state)
{
	static const struct {
		const char	*local;
		char		 delimiter;
		const char	*user, *detail;		/* detail NULL: none */
	} rows[] = {
		{ "user+tag", '+', "user", "tag" },
		{ "user+a+b", '+', "user", "a+b" },
		{ "user+", '+', "user", "" },
		{ "+user", '+', "+user", NULL },
		{ "+user+x", '+', "+user", "x" },
		{ "user", '+', "user", NULL },
		{ "user+tag", '\0', "user+tag", NULL },
		{ "user-tag", '-', "user", "tag" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct slice user, detail;

		address_split_detail(slice_str(rows[i].local), rows[i].delimiter, &user, &detail);
		assert_slice(user, rows[i].user);
		assert_true((detail.p == NULL) == (rows[i].detail == NULL));
		if (rows[i].detail != NULL)
			assert_slice(detail, rows[i].detail);
	}
}

static void
test_postmaster(void **state)
{
	struct address a = { .local = SLICE_LIT("PostMaster"), .domain = SLICE_LIT("x.y") };

	(void)state;
	assert_true(address_is_postmaster(&a));
	a.local = SLICE_LIT("postmasters");
	assert_false(address_is_postmaster(&a));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_addresses),
		cmocka_unit_test(test_nul),
		cmocka_unit_test(test_lengths),
		cmocka_unit_test(test_small_arena),
		cmocka_unit_test(test_paths),
		cmocka_unit_test(test_split_detail),
		cmocka_unit_test(test_postmaster),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
