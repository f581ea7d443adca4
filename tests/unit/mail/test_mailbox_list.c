/*
 * From fields as people and programs write them, and as somebody writes them who wants two readers to disagree.
 */
#include "mail/mailbox_list.h"
#include "tests/support/testing.h"

#define MOST	4

static const struct {
	const char	*in, *out;	/* the addresses with spaces between; NULL: refused */
} rows[] = {
	{ "ann@example.org", "ann@example.org" },
	{ " ann@Example.ORG ", "ann@example.org" },
	{ "<ann@example.org>", "ann@example.org" },
	{ "< ann@example.org >", "ann@example.org" },
	{ "Ann <ann@example.org>", "ann@example.org" },
	{ "Ann<ann@example.org>", "ann@example.org" },
	{ "Ann B. Example <ann@example.org>", "ann@example.org" },
	{ "\"Ann, the \\\"first\\\" <x@evil.example>\" <ann@example.org>", "ann@example.org" },
	{ "\"x@evil.example\" <ann@example.org>", "ann@example.org" },
	{ "=?utf-8?Q?=C3=84nne?= <ann@example.org>", "ann@example.org" },
	{ "\303\204nne <ann@example.org>", "ann@example.org" },
	{ "\344nne <ann@example.org>", "ann@example.org" },
	{ "ann@example.org (Ann (the first) \\) here)", "ann@example.org" },
	{ "(x@evil.example) ann@example.org", "ann@example.org" },
	{ "Ann (x@evil.example, y) <ann@example.org> (Ann)", "ann@example.org" },
	{ "\tann@example.org,\tbob@example.org", "ann@example.org bob@example.org" },
	{ "Ann <ann@example.org>, \"Bob, jr\" <bob@example.org> , c@d.example", "ann@example.org bob@example.org c@d.example" },
	{ "\"a b\"@example.org", "\"a b\"@example.org" },
	{ "\"a,b\" <\"a,b>c\"@example.org>", "\"a,b>c\"@example.org" },
	{ "\"a,b\"@example.org, c@example.org", "\"a,b\"@example.org c@example.org" },
	{ "ann@[192.0.2.1]", "ann@[192.0.2.1]" },
	{ "Ann <ann@[IPv6:2001:db8::1]>", "ann@[IPv6:2001:db8::1]" },
	{ "a@x.example, b@x.example, c@x.example, d@x.example", "a@x.example b@x.example c@x.example d@x.example" },
	{ "\303\244nne@b\303\274cher.example", "\303\244nne@b\303\274cher.example" },
	{ "a@x.example, b@x.example, c@x.example, d@x.example, e@x.example", NULL },
	{ "=?us-ascii?b?\?=ceo@example.org", NULL },
	{ "Ann <=?utf-8?q?ceo?=@example.org>", NULL },
	{ "", NULL },
	{ "   ", NULL },
	{ "()", NULL },
	{ "Ann", NULL },
	{ "<>", NULL },
	{ "Ann <>", NULL },
	{ "x@evil.example <ann@example.org>", NULL },
	{ "x@evil.example<ann@example.org>", NULL },
	{ "<ann@example.org> <x@evil.example>", NULL },
	{ "<ann@example.org> x@evil.example", NULL },
	{ "ann@example.org x@evil.example", NULL },
	{ "ann@example.org <x@evil.example>", NULL },
	{ "<ann@example.org", NULL },
	{ "ann@example.org>", NULL },
	{ "Ann <<ann@example.org>>", NULL },
	{ "Ann <ann@example.org>>", NULL },
	{ "Ann <@relay.example:ann@example.org>", NULL },
	{ "friends: ann@example.org, bob@example.org;", NULL },
	{ "nobody:;", NULL },
	{ "ann@example.org,", NULL },
	{ ",ann@example.org", NULL },
	{ "ann@example.org,,bob@example.org", NULL },
	{ "ann@example.org;bob@example.org", NULL },
	{ "ann @example.org", NULL },
	{ "ann@ example.org", NULL },
	{ "ann(x)@example.org", NULL },
	{ "ann@(x)example.org", NULL },
	{ "Ann <ann@example.org(x)>", NULL },
	{ "ann@example.org (no end", NULL },
	{ "(no end ann@example.org", NULL },
	{ "\"no end <ann@example.org>", NULL },
	{ "Ann \\<x\\> <ann@example.org>", NULL },
	{ "Ann [x] <ann@example.org>", NULL },
	{ "ann@example.org\r\n bob@example.org", NULL },
	{ "Ann\001 <ann@example.org>", NULL },
	{ "((((((((((((((((((x)))))))))))))))))) ann@example.org", NULL },
	{ "ann@example.org]", NULL },
	{ "ann@[192.0.2.1", NULL },
};

static void
test_rows(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct slice found[MOST];
		struct arena arena = { .max = 65536 };
		const char *why = NULL;
		uint32_t count = 0;
		char text[512] = "";
		int result = mailbox_list_parse(slice_str(rows[i].in), &arena, found, MOST, &count, &why);

		ROW(i, rows[i].in);
		assert_int_equal(result, rows[i].out != NULL ? 0 : -1);
		if (result == -1)
			assert_non_null(why);
		for (uint32_t k = 0; k < count; k++) {
			strlcat(text, k > 0 ? " " : "", sizeof(text));
			strncat(text, found[k].p, found[k].len);
		}
		assert_string_equal(text, rows[i].out != NULL ? rows[i].out : "");
		arena_fini(&arena);
	}
}

/* A NUL ends a text for some readers and not for others. */
static void
test_nul(void **state)
{
	struct slice found[MOST];
	struct arena arena = { .max = 65536 };
	const char *why;
	uint32_t count;

	(void)state;
	assert_int_equal(mailbox_list_parse(SLICE_LIT("ann@example.org\0, x"), &arena, found, MOST, &count, &why), -1);
	arena_fini(&arena);
}

static void
test_no_memory(void **state)
{
	struct slice found[MOST];
	struct arena arena = { .max = 1 };
	const char *why = NULL;
	uint32_t count;

	(void)state;
	assert_int_equal(mailbox_list_parse(SLICE_LIT("ann@example.org"), &arena, found, MOST, &count, &why), -1);
	assert_ptr_equal(why, address_no_memory);
	arena_fini(&arena);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows), cmocka_unit_test(test_nul), cmocka_unit_test(test_no_memory),
	};

	return cmocka_run_group_tests_name("mailbox_list", tests, NULL, NULL);
}
