/* Comments become blanks, lines stay, and quotes protect. */
#include "tests/support/testing.h"

#include "conf/strip.h"

static const struct {
	const char	*in, *out;
	size_t		 open;		/* where an open comment begins; 0: there is none */
} cases[] = {
	{ "a = 1 # b\nc", "a = 1    \nc", 0 },
	{ "# all\n# of it", "     \n       ", 0 },
	{ "a = 1 // b\nc", "a = 1     \nc", 0 },
	{ "a /* b\n c */ d", "a     \n      d", 0 },
	{ "/**/a", "    a", 0 },
	{ "a = \"# no\" # yes", "a = \"# no\"      ", 0 },
	{ "a = '// no' // yes", "a = '// no'       ", 0 },
	{ "a = \"\\\" # no\"", "a = \"\\\" # no\"", 0 },
	{ "a = '\\' # no'", "a = '\\' # no'", 0 },
	{ "a = \"${X:-\"# no\"}\" # yes", "a = \"${X:-\"# no\"}\"      ", 0 },
	{ "a = \"${X # no\n\"", "a = \"${X # no\n\"", 0 },
	{ "a = \"never closed # no", "a = \"never closed # no", 0 },
	{ "a = /var/spool # b", "a = /var/spool    ", 0 },
	{ "a = 1 /* open\nb = 2", "a = 1 /* open\nb = 2", 6 },
	{ "/*/ b", "/*/ b", 0 },	/* open at 0: see below */
	{ "a/", "a/", 0 },
	{ "\"\\", "\"\\", 0 },
	{ "", "", 0 },
};

static void
stripping(void **state)
{
	char text[128];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		size_t len = strlen(cases[i].in), end;

		ROW(i, cases[i].in);
		memcpy(text, cases[i].in, len + 1);
		end = strip_comments(text, len);
		assert_string_equal(text, cases[i].out);
		if (strncmp(cases[i].in, "/*/", 3) == 0)
			assert_int_equal(end, 0);
		else
			assert_int_equal(end, cases[i].open == 0 ? len : cases[i].open);
	}
}

static const struct {
	const char	*text;
	int		 open;		/* -1: nothing is */
} braces[] = {
	{ "", -1 }, { "a { b }", -1 }, { "a { b", 2 }, { "a { b { c }", 2 }, { "a { } b { c }", -1 }, { "a { } b {", 8 },
	{ "a = \"{\"", -1 }, { "a = '{' {", 8 }, { "}", -1 }, { "} {", 2 }, { "a = ${X}", -1 }, { "a = \"{", -1 },
};

static void
open_braces(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(braces) / sizeof(braces[0]); i++) {
		size_t len = strlen(braces[i].text);

		ROW(i, braces[i].text);
		assert_int_equal(unclosed_brace(braces[i].text, len), braces[i].open == -1 ? len : (size_t)braces[i].open);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(stripping), cmocka_unit_test(open_braces) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
