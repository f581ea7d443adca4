/* The settings in posthorn.conf(5) are the rows; after a change of rows docs/man/update makes
 * them so again. */
#include "tests/support/testing.h"

#include <stdio.h>

#include "conf/show.h"

#define PAGE	TOP_SRCDIR "/docs/man/posthorn.conf.5"

static void
page_is_up_to_date(void **state)
{
	static char page[256 * 1024];
	const char *begin, *end;
	struct buf rows;
	FILE *f = fopen(PAGE, "r");

	(void)state;
	assert_non_null(f);
	page[fread(page, 1, sizeof(page) - 1, f)] = '\0';
	fclose(f);
	begin = strstr(page, ".\\\" settings begin");
	end = strstr(page, ".\\\" settings end");
	assert_non_null(begin);
	assert_non_null(end);
	begin = strchr(begin, '\n') + 1;
	buf_init(&rows, sizeof(page));
	conf_show_manual(&rows);
	assert_false(rows.failed);
	if (!slice_eq(slice_of(begin, (size_t)(end - begin)), buf_slice(&rows)))
		fail_msg("%s", "docs/man/posthorn.conf.5 is older than the rows: run docs/man/update path-of-posthorn");
	buf_fini(&rows);
}

/* Each setting of each section is in `config show --defaults`, with its words. */
static void
defaults_are_whole(void **state)
{
	struct buf text;

	(void)state;
	buf_init(&text, 256 * 1024);
	conf_show_defaults(&text);
	assert_false(text.failed);
	assert_non_null(strstr(buf_cstr(&text), "#hostname = \"\"\t# must be set\n"));
	assert_non_null(strstr(buf_cstr(&text), "\nrelay {\n"));
	assert_non_null(strstr(buf_cstr(&text), "\tretry = { 5m, 10m, 20m, 40m, 60m }\n"));
	assert_non_null(strstr(buf_cstr(&text), "#listener \"...\" {\n"));
	assert_non_null(strstr(buf_cstr(&text), "\t# messages on one connection; from 1 to 100000\n"));
	buf_fini(&text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(page_is_up_to_date), cmocka_unit_test(defaults_are_whole) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
