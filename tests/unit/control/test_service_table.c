/* test_service_table — the cast is complete, in order, and wired to processes that exist. */
#include "conf/fill.h"
#include "control/supervisor/service_table.h"
#include "tests/support/testing.h"

static const struct service_row *
row_of(enum wire_role role)
{
	for (size_t i = 0; i < service_row_count; i++)
		if (service_rows[i].role == role)
			return &service_rows[i];
	return NULL;
}

static void
test_rows(void **state)
{
	char name[PROCESS_NAME_MAX];

	(void)state;
	for (size_t i = 0; i < service_row_count; i++) {
		const struct service_row *row = &service_rows[i];

		ROW(i, row->name);
		assert_true(row->rank < RANK_COUNT);
		if (row->role == ROLE_PAM)
			assert_null(row->user);		/* nobody else stays root */
		else
			assert_true(strncmp(row->user, "posthorn-", 9) == 0);
		assert_non_null(row->count);
		assert_ptr_equal(row_of(row->role), row);	/* one row a role */
		service_process_name(row, 64, name);
		assert_true(strlen(name) < PROCESS_NAME_MAX - 1);
		assert_int_equal(strchr(name, '6') != NULL, row->several);
	}
}

/* Each rank has somebody, and the times for an orderly stop add up to what the postmaster was promised. */
static void
test_stop_fits(void **state)
{
	unsigned tenths = 0;

	(void)state;
	for (unsigned rank = 0; rank < RANK_COUNT; rank++) {
		unsigned most = 0;

		for (size_t i = 0; i < service_row_count; i++)
			if (service_rows[i].rank == rank && service_rows[i].stop_share > most)
				most = service_rows[i].stop_share;
		assert_true(most > 0);
		tenths += most;
	}
	assert_int_equal(tenths, 10);
}

static void
test_wires(void **state)
{
	(void)state;
	for (size_t i = 0; i < wire_row_count; i++) {
		const struct service_row *asks = row_of(wire_rows[i].asks), *answers = row_of(wire_rows[i].answers);

		assert_non_null(asks);
		assert_non_null(answers);
		assert_ptr_not_equal(asks, answers);
	}
	/* Only queue is told mail, and no smtpd talks to an agent or a worker. */
	for (size_t i = 0; i < wire_row_count; i++) {
		if (wire_rows[i].kind == WIRE_SUBMIT)
			assert_int_equal(wire_rows[i].answers, ROLE_QUEUE);
		if (wire_rows[i].kind == WIRE_DELIVER)
			assert_int_equal(wire_rows[i].asks, ROLE_QUEUE);
	}
}

static uint32_t
count(const struct conf *conf, enum wire_role role)
{
	return row_of(role)->count(conf);
}

static void
test_counts(void **state)
{
	struct conf *conf = conf_new();
	struct conf_listener listeners[2] = { { .role = LISTENER_SUBMISSION }, { .role = LISTENER_MX } };

	(void)state;
	assert_int_equal(conf_set_initial(conf), 0);
	conf->smtpd.workers = 3;
	conf->relay.workers = 2;
	conf->listeners = listeners;
	conf->listener_count = 1;
	conf->trusted_networks.count = 0;
	assert_int_equal(count(conf, ROLE_SUBMISSION), 3);
	assert_int_equal(count(conf, ROLE_MX), 0);
	assert_int_equal(count(conf, ROLE_TRUSTED), 0);
	assert_int_equal(count(conf, ROLE_RELAY), 2);
	assert_int_equal(count(conf, ROLE_QUEUE), 1);
	assert_int_equal(count(conf, ROLE_PAM), 0);
	conf->submission.users = arena_str(&conf->arena, "pam:smtp");
	assert_int_equal(count(conf, ROLE_PAM), 1);
	conf->submission.users = arena_str(&conf->arena, "file:/pam:smtp");
	assert_int_equal(count(conf, ROLE_PAM), 0);
	conf->listener_count = 2;
	assert_int_equal(count(conf, ROLE_MX), 3);
	assert_int_equal(count(conf, ROLE_TRUSTED), 0);
	conf->trusted_networks.count = 1;	/* connections will be handed over */
	assert_int_equal(count(conf, ROLE_TRUSTED), 3);
	conf->listener_count = 0;
	conf_free(&conf);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows), cmocka_unit_test(test_stop_fits), cmocka_unit_test(test_wires), cmocka_unit_test(test_counts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
