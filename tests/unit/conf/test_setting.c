/* The rows themselves: what each promises about its field, default and bounds must be true. */
#include "tests/support/testing.h"

#include <ctype.h>

#include "conf/conf.h"
#include "conf/fill.h"
#include "conf/value.h"

static void
no_mistake(void *arg, size_t index, const char *sentence)
{
	(void)index;
	fail_msg("%s: %s", (const char *)arg, sentence);
}

/* Kebab-case, a sentence without a full stop, a type, choices where they belong. */
static void
check_row(const struct section *section, const struct setting *s)
{
	ROW(0, s->name);
	for (const char *p = s->name; *p != '\0'; p++)
		assert_true(islower((unsigned char)*p) || isdigit((unsigned char)*p) || *p == '-');
	assert_true(s->type > SETTING_NONE && s->type < SETTING_TYPE_COUNT);
	assert_non_null(s->words);
	assert_true(strlen(s->words) > 10 && s->words[strlen(s->words) - 1] != '.');
	assert_int_equal(s->choices != NULL, s->type == SETTING_ENUM);
	assert_ptr_equal(section_setting(section, s->name), s);
}

static void
rows_are_whole(void **state)
{
	(void)state;
	assert_string_equal(conf_sections[0].name, "");
	for (size_t i = 0; i < conf_section_count; i++) {
		assert_ptr_equal(section_find(conf_sections[i].name), &conf_sections[i]);
		for (size_t j = 0; j < conf_sections[i].count; j++)
			check_row(&conf_sections[i], &conf_sections[i].settings[j]);
	}
	assert_null(section_find("nothing"));
	assert_null(section_setting(&conf_sections[0], "nothing"));
}

/* Every bound parses as its own setting and lies inside itself; min is not above max. */
static void
check_bound(const struct setting *s, const char *bound)
{
	static struct conf room;	/* larger than any struct that a row counts its offset from */
	struct slice item = slice_str(bound == NULL ? "1" : bound);
	struct arena arena;

	/* Bounds of texts are lengths. */
	arena_init(&arena, 4096);
	if (bound != NULL && s->type != SETTING_STRING && s->type != SETTING_STRINGS)
		assert_int_equal(value_set(s, &room, &item, 1, &arena, no_mistake, (void *)(uintptr_t)s->name), 0);
	arena_fini(&arena);
}

static void
bounds_are_good(void **state)
{
	(void)state;
	for (size_t i = 0; i < conf_section_count; i++) {
		for (size_t j = 0; j < conf_sections[i].count; j++) {
			ROW(i, conf_sections[i].settings[j].name);
			check_bound(&conf_sections[i].settings[j], conf_sections[i].settings[j].min);
			check_bound(&conf_sections[i].settings[j], conf_sections[i].settings[j].max);
		}
	}
}

static void
defaults(void **state)
{
	struct conf *conf = conf_new_default("MX1.example.org");
	char text[SOCKADDRESS_TEXT];

	(void)state;
	assert_non_null(conf);
	assert_string_equal(conf->hostname, "mx1.example.org");
	assert_int_equal(conf->message_size, 50000000);
	assert_int_equal(conf->message_recipients, 1000);
	assert_string_equal(conf->subaddress_delimiter, "+");
	assert_int_equal(conf->trusted_networks.count, 2);
	assert_int_equal(conf->queue.retry.count, 5);
	assert_true(conf->queue.retry.v[4] == 3600000);
	assert_true(conf->queue.retry_unknown.v[3] == 86400000);
	assert_true(conf->queue.expire == 5 * INT64_C(86400000));
	assert_true(conf->queue.bounce_expire == 2 * INT64_C(86400000));
	assert_int_equal(conf->queue.segments, 16);
	assert_int_equal(conf->queue.segment_size, 16777216);
	assert_string_equal(conf->queue.directory, "/var/spool/posthorn");
	assert_string_equal(conf->run_directory, POSTHORN_RUNDIR);
	assert_int_equal(conf->mda.first_uid, 500);
	assert_false(conf->relay.allow_private_targets);
	assert_int_equal(conf->log.format, LOG_FORMAT_TEXT);
	assert_int_equal(conf->listener_count, 1);
	assert_int_equal(conf->listeners[0].role, LISTENER_MX);
	assert_int_equal(conf->listeners[0].at.count, 2);
	assert_string_equal(sockaddress_print_port(&conf->listeners[0].at.v[1], text), "[::]:25");
	assert_int_equal(conf->domain_count, 1);
	assert_string_equal(conf->domains[0].name, "mx1.example.org");
	assert_int_equal(conf->domains[0].users, USERS_SYSTEM);
	assert_string_equal(sockaddress_print_port(&conf->dns.servers.v[0], text), "127.0.0.1:53");
	conf_free(&conf);
	conf_free(&conf);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rows_are_whole), cmocka_unit_test(bounds_are_good), cmocka_unit_test(defaults),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
