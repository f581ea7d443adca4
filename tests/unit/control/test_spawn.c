/* test_spawn — who may become a worker, and what a reload may change. */
#include "conf/fill.h"
#include "control/supervisor/reload.h"
#include "control/supervisor/spawn.h"
#include "tests/support/testing.h"

static const struct spawn_policy as_root = { .root = true, .own = 0, .first_uid = 500, .services = { 901, 902 },
	.groups = { 801, 802 }, .service_count = 2 };
static const struct spawn_policy as_user = { .root = false, .own = 1000, .first_uid = 500 };

static const struct {
	const struct spawn_policy *policy;
	uid_t			   uid;
	gid_t			   gid;
	bool			   named;
	const char		  *refusal;	/* a part of the sentence; NULL: allowed */
} rows[] = {
	{ &as_root, 1000, 1000, false, NULL },
	{ &as_root, 1000, 1000, true, NULL },
	{ &as_root, 500, 500, false, NULL },
	{ &as_root, 65534, 65534, false, NULL },
	{ &as_root, 1000, 100, true, NULL },
	{ &as_root, 1000, 6, false, "gid 6 is below first-uid" },
	{ &as_root, 1000, 802, true, "one of posthorn's own" },
	{ &as_root, UINT32_MAX, 1000, false, "leave it" },
	{ &as_root, 1000, UINT32_MAX, true, "leave it" },
	{ &as_root, 0, 0, false, "never delivered as root" },
	{ &as_root, 0, 1000, true, "never delivered as root" },
	{ &as_root, 1000, 0, true, "never delivered as root" },
	{ &as_root, 499, 1000, true, "below first-uid 500" },
	{ &as_root, 1, 1, true, "below first-uid 500" },
	{ &as_root, 901, 901, true, "one of posthorn's own" },
	{ &as_root, 902, 1000, false, "one of posthorn's own" },
	{ &as_user, 1000, 1000, false, NULL },
	{ &as_user, 1001, 1001, false, "cannot become uid 1001" },
	{ &as_user, 0, 0, false, "never delivered as root" },
};

static void
test_allowed(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct err err = { 0, "" };
		int result = spawn_allowed(rows[i].policy, rows[i].uid, rows[i].gid, rows[i].named, &err);

		if (rows[i].refusal == NULL ? result != 0 : result != -1 || strstr(err.text, rows[i].refusal) == NULL)
			fail_msg("row %zu: %d, \"%s\"", i, result, err.text);
	}
}

static struct conf *
defaults(void)
{
	struct conf *conf = conf_new();

	assert_int_equal(conf_set_initial(conf), 0);
	conf->hostname = arena_str(&conf->arena, "mx.example.org");
	return conf;
}

static void
test_reload_fits(void **state)
{
	struct conf *now = defaults(), *next = defaults();
	struct err err = { 0, "" };

	(void)state;
	assert_int_equal(reload_fits(now, next, &err), 0);
	next->hostname = arena_str(&next->arena, "other.example.org");
	next->smtpd.workers++;
	assert_int_equal(reload_fits(now, next, &err), 0);
	next->queue.directory = arena_str(&next->arena, "/elsewhere");
	assert_int_equal(reload_fits(now, next, &err), -1);
	assert_non_null(strstr(err.text, "queue.directory cannot change"));
	next->queue.directory = now->queue.directory;
	next->queue.segments++;
	assert_int_equal(reload_fits(now, next, &err), -1);
	assert_non_null(strstr(err.text, "queue.ring-segments cannot change"));
	conf_free(&now);
	conf_free(&next);
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_allowed), cmocka_unit_test(test_reload_fits) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
