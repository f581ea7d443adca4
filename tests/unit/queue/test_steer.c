/* test_steer — agents that come, go and die, and operators that reach for messages in every stage. */
#include "tests/unit/queue/play.h"

#include <sys/socket.h>
#include <unistd.h>

/* --- agents ------------------------------------------------------------------------------------ */

static void
test_agent_dies(void **state)
{
	struct stage_set *s = *state;

	stage_all(s);
	(void)stage_submit(s, "a@client.test", "b@far.test", 1);
	(void)stage_job(s, 0);
	stage_agent_dies(s, 0);
	assert_int_equal(stage_status(s, "in-flight"), 0);
	stage_agent(s, 0, false, 10, NULL);
	assert_int_equal(stage_job(s, 1)->flags, JOB_MAYBE);
	assert_true(s->jobs[1].lease != s->jobs[0].lease);
	stage_report(s, &s->jobs[1], ACTION_RELAYED, ok, true);
	stage_status_is(s, "messages", 0);
	assert_int_equal(s->job_count, 2);
}

/* One of two relays has what there is to do; it dies, and the other one gets it at once. */
static void
test_other_takes_over(void **state)
{
	struct stage_set *s = *state;
	struct played_job *job;

	s->conf->relay.workers = 2;
	queue_reloaded(&s->process, s->conf);
	stage_all(s);
	(void)stage_submit(s, "a@client.test", "b@far.test", 1);
	stage_rounds(s, 20);
	assert_int_equal(s->job_count, 0);	/* the second one may still hold something */
	stage_agent(s, 1, false, 1, NULL);
	job = stage_job(s, 0);
	stage_agent_dies(s, job->agent);
	assert_int_equal(stage_job(s, 1)->agent, 1 - job->agent);
}

/* A relay that dies before it said HELLO holds nothing, and mail does not wait for it any longer. */
static void
test_dead_before_hello(void **state)
{
	struct stage_set *s = *state;
	int pair[2];

	stage_smtpd(s, ROLE_TRUSTED);
	stage_lookup(s);
	s->conf->relay.workers = 2;
	queue_reloaded(&s->process, s->conf);
	stage_agent(s, 0, false, 10, NULL);
	(void)stage_submit(s, "a@client.test", "b@far.test", 1);
	stage_rounds(s, 20);
	assert_int_equal(s->job_count, 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair), 0);
	queue_wire(&s->process, &(struct control_wire){ .kind = WIRE_DELIVER, .role = ROLE_RELAY, .number = 1 }, pair[1]);
	(void)close(pair[0]);
	(void)stage_job(s, 0);
}

/* What an agent kept while queue was away is not given a second time. */
static void
test_leases(void **state)
{
	struct stage_set *s = *state;
	uint32_t index = 1;
	struct lease lease = { .lease = 77, .count = 1, .indexes = &index };
	struct played_job held = { .lease = 77, .count = 1, .indexes = { 1 } };

	stage_smtpd(s, ROLE_TRUSTED);
	lease.id = held.id = stage_submit(s, "a@client.test", "b#@far.test", 3);
	stage_crash(s);
	stage_lookup(s);
	stage_rounds(s, 20);
	stage_agent(s, 0, false, 10, &(struct deliver_hello){ .count = 1, .leases = &lease });
	assert_int_equal(stage_job(s, 0)->count, 2);
	assert_int_equal(s->jobs[0].indexes[0] + s->jobs[0].indexes[1], 2);
	assert_false(stage_committed(s, 77));
	stage_report(s, &held, ACTION_DELAYED, soon, true);
	stage_until(s, &s->committed_count, 1);
	assert_true(stage_committed(s, 77));
	stage_report(s, &s->jobs[0], ACTION_RELAYED, ok, true);
	stage_until(s, &s->committed_count, 2);
	assert_int_equal(stage_status(s, "messages"), 1);
	stage_operator(s, "retry", "all");
	assert_int_equal(stage_job(s, 1)->indexes[0], 1);
	stage_report(s, &s->jobs[1], ACTION_RELAYED, ok, true);
	stage_status_is(s, "messages", 0);
}

static void
flush(struct stage_set *s, const char *domain, enum submit_verdict wanted)
{
	uint32_t before = s->verdicts[VERDICT_STARTED] + s->verdicts[VERDICT_TRY_LATER] + s->verdicts[VERDICT_REFUSED], after = before;

	submit_flush_put(channel_begin(s->smtpd.channel, SUBMIT_FLUSH), &(struct submit_flush){ 7, s->token, slice_str(domain) });
	assert_int_equal(channel_end(s->smtpd.channel), 0);
	for (int i = 0; i < 1000 && after == before; i++) {
		stage_rounds(s, 2);
		after = s->verdicts[VERDICT_STARTED] + s->verdicts[VERDICT_TRY_LATER] + s->verdicts[VERDICT_REFUSED];
	}
	assert_int_equal(after, before + 1);
	if (wanted != VERDICT_NONE)
		assert_true(s->verdicts[wanted] > 0);
}

/* ETRN: mail that waits for a domain is tried at once, that of others is not; who asks again within a minute changes nothing. */
static void
test_flush(void **state)
{
	static char all[] = "*", *any[] = { all }, far[] = "FAR.test", *one[] = { far };
	struct stage_set *s = *state;
	char name[40];

	s->conf->smtpd.etrn_domains = (struct conf_strings){ .count = 1, .v = one };
	stage_smtpd(s, ROLE_TRUSTED);
	stage_lookup(s);
	stage_agent(s, 0, false, 10, NULL);
	(void)stage_submit(s, "a@client.test", "b@far.test", 1);
	stage_report(s, stage_job(s, 0), ACTION_DELAYED, soon, true);
	(void)stage_submit(s, "a@client.test", "b@other.test", 1);
	stage_report(s, stage_job(s, 1), ACTION_DELAYED, soon, true);
	stage_until(s, &s->committed_count, 2);
	flush(s, "FAR.test", VERDICT_STARTED);
	assert_int_equal(s->verdicts[VERDICT_STARTED], 1);
	assert_string_equal(stage_job(s, 2)->first, "b@far.test");
	stage_report(s, &s->jobs[2], ACTION_DELAYED, soon, true);
	stage_until(s, &s->committed_count, 3);
	flush(s, "far.test", VERDICT_NONE);
	assert_int_equal(s->verdicts[VERDICT_STARTED], 2);
	stage_rounds(s, 100);
	assert_int_equal(s->job_count, 3);
	flush(s, "other.test", VERDICT_REFUSED);	/* the configuration does not name it */
	s->conf->smtpd.etrn_domains.v = any;
	for (int i = 0; i < 70; i++) {
		(void)snprintf(name, sizeof(name), "d%d.test", i);
		flush(s, name, VERDICT_NONE);
	}
	assert_int_equal(s->verdicts[VERDICT_STARTED] + s->verdicts[VERDICT_TRY_LATER], 72);
	assert_true(s->verdicts[VERDICT_TRY_LATER] > 0);	/* so many domains a minute and no more */
}

/* Orders run one to a domain, and few at once: a tool still finds room beside them. */
static void
test_orders_at_once(void **state)
{
	static char all[] = "*", *any[] = { all };
	struct stage_set *s = *state;
	char name[40];

	s->conf->smtpd.etrn_domains = (struct conf_strings){ .count = 1, .v = any };
	stage_smtpd(s, ROLE_TRUSTED);
	stage_lookup(s);
	for (int i = 0; i < 70; i++) {		/* all in one read of queue's: the store has answered none of them yet */
		(void)snprintf(name, sizeof(name), "d%d.test", i / 2);
		submit_flush_put(channel_begin(s->smtpd.channel, SUBMIT_FLUSH), &(struct submit_flush){ 7, s->token, slice_str(name) });
		assert_int_equal(channel_end(s->smtpd.channel), 0);
	}
	stage_until(s, &s->verdicts[VERDICT_TRY_LATER], 62);
	assert_int_equal(s->verdicts[VERDICT_STARTED], 8);	/* four, each asked for twice */
	stage_operator(s, "count", NULL);
	assert_true(s->ok);
	flush(s, "d60.test", VERDICT_NONE);
	assert_int_equal(s->verdicts[VERDICT_STARTED], 9);
}

/* A worker for strangers may not ask, whatever it says. */
static void
test_flush_of_strangers(void **state)
{
	struct stage_set *s = *state;

	stage_smtpd(s, ROLE_MX);
	stage_lookup(s);
	flush(s, "far.test", VERDICT_REFUSED);
	s->token = (struct auth_token){ 1, 2 };
	flush(s, "far.test", VERDICT_REFUSED);
	assert_int_equal(s->verdicts[VERDICT_REFUSED], 2);
}

/* What an operator was told is done survives whatever comes next. */
static void
test_orders_are_durable(void **state)
{
	struct stage_set *s = *state;

	stage_smtpd(s, ROLE_TRUSTED);
	for (int i = 0; i < 3; i++)
		(void)stage_submit(s, "a@client.test", "b@far.test", 1);
	stage_operator(s, "hold", "all");
	stage_crash(s);
	stage_all(s);
	stage_rounds(s, 100);
	assert_int_equal(s->job_count, 0);
	stage_operator(s, "release", "all");
	stage_crash(s);
	stage_all(s);
	(void)stage_job(s, 0);
	stage_operator(s, "delete", "all");
	stage_crash(s);
	stage_status_is(s, "messages", 0);
}

/* Twice its agent crashed: then it goes alone. The third time: a person has to look. A death from outside does not count. */
static void
test_deadly_job(void **state)
{
	static const struct { const char *name; bool fault; uint32_t given; } rows[] = {
		{ "killed from outside", false, 2 }, { "first crash", true, 2 }, { "second crash: alone", true, 1 },
	};
	struct stage_set *s = *state;

	stage_all(s);
	(void)stage_submit(s, "a@client.test", "b@one.test", 1);
	(void)stage_submit(s, "a@client.test", "b@two.test", 1);
	(void)stage_job(s, 1);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		ROW(i, rows[i].name);
		s->job_count = 0;
		stage_agent_dies(s, 0);
		stage_agent(s, 0, rows[i].fault, 10, NULL);
		stage_rounds(s, 20);
		assert_int_equal(s->job_count, rows[i].given);
	}
	s->job_count = 0;
	stage_agent_dies(s, 0);
	stage_agent(s, 0, true, 10, NULL);		/* the one that ran alone is held, the other one's turn is alone */
	assert_int_equal(stage_job(s, 0)->count, 1);
	stage_rounds(s, 20);
	assert_int_equal(s->job_count, 1);
	stage_report(s, &s->jobs[0], ACTION_RELAYED, ok, true);
	stage_status_is(s, "messages", 1);
	stage_operator(s, "release", "all");
	(void)stage_job(s, 1);
}

/* --- operators --------------------------------------------------------------------------------- */

static void
delete_queued(struct stage_set *s)
{
	stage_smtpd(s, ROLE_TRUSTED);
	(void)stage_submit(s, "a@client.test", "b@far.test", 1);
}

static void
delete_asked(struct stage_set *s)
{
	stage_smtpd(s, ROLE_TRUSTED);
	stage_lookup(s);
	s->silent = true;
	(void)stage_submit(s, "a@client.test", "b#@far.test", 200);
	stage_rounds(s, 5);
}

static void
delete_ready(struct stage_set *s)
{
	stage_smtpd(s, ROLE_TRUSTED);
	stage_lookup(s);
	(void)stage_submit(s, "a@client.test", "b#@far#.test", 3);
	stage_rounds(s, 5);
}

static void
delete_active(struct stage_set *s)
{
	stage_all(s);
	(void)stage_submit(s, "a@client.test", "b@far.test", 1);
	(void)stage_job(s, 0);
}

static void
delete_settling(struct stage_set *s)
{
	delete_active(s);
	stage_report(s, &s->jobs[0], ACTION_DELAYED, soon, true);
}

static void
delete_waiting(struct stage_set *s)
{
	delete_settling(s);
	stage_until(s, &s->committed_count, 1);
}

static void
delete_held(struct stage_set *s)
{
	delete_waiting(s);
	stage_operator(s, "hold", "all");
}

static void
test_delete(void **state)
{
	static const struct { const char *name; void (*bring)(struct stage_set *); } rows[] = {
		{ "nobody asked where to", delete_queued }, { "lookup is asked", delete_asked },
		{ "in line", delete_ready }, { "in an agent's hands", delete_active }, { "settling", delete_settling },
		{ "waiting", delete_waiting }, { "held", delete_held },
	};
	struct stage_set *s = *state;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		ROW(i, rows[i].name);
		rows[i].bring(s);
		stage_operator(s, "delete", "all");
		assert_true(s->ok);
		stage_status_is(s, "messages", 0);
		stage_stop(s);
		s->silent = false;
		s->job_count = s->committed_count = 0;
		stage_start(s);
		assert_int_equal(stage_status(s, "messages"), 0);
	}
}

/* The agent still works on what was deleted: it gets the next job when it says so, and is told to forget the lease. */
static void
test_delete_gives_room(void **state)
{
	struct stage_set *s = *state;

	stage_smtpd(s, ROLE_TRUSTED);
	stage_lookup(s);
	stage_agent(s, 0, false, 1, NULL);
	(void)stage_submit(s, "a@client.test", "b@one.test", 1);
	(void)stage_job(s, 0);
	stage_operator(s, "delete", "all");
	stage_status_is(s, "messages", 0);
	assert_int_equal(s->cancelled, 1);
	(void)stage_submit(s, "a@client.test", "b@two.test", 1);
	stage_rounds(s, 20);
	assert_int_equal(s->job_count, 1);
	stage_report(s, &s->jobs[0], ACTION_DELAYED, soon, true);
	assert_string_equal(stage_job(s, 1)->nexthop, "two.test");
	stage_until(s, &s->committed_count, 1);
}

static void
test_agent_dies_with_deleted(void **state)
{
	struct stage_set *s = *state;

	delete_active(s);
	stage_operator(s, "delete", "all");
	stage_agent_dies(s, 0);
	stage_agent(s, 0, false, 10, NULL);
	stage_status_is(s, "messages", 0);
	assert_int_equal(s->job_count, 1);
}

static void
test_hold(void **state)
{
	struct stage_set *s = *state;

	delete_active(s);
	stage_operator(s, "hold", "all");
	stage_report(s, &s->jobs[0], ACTION_DELAYED, soon, true);
	stage_until(s, &s->committed_count, 1);
	stage_operator(s, "retry", "all");
	stage_rounds(s, 20);
	assert_int_equal(s->job_count, 1);
	stage_crash(s);
	stage_all(s);
	stage_rounds(s, 20);
	assert_int_equal(s->job_count, 0);
	stage_operator(s, "release", "all");
	stage_operator(s, "retry", "all");
	(void)stage_job(s, 0);
}

/* Listing, holding and retrying many goes on while they are routed and given. */
static void
test_many(void **state)
{
	struct stage_set *s = *state;

	stage_smtpd(s, ROLE_TRUSTED);
	for (int i = 0; i < 600; i++)
		stage_send(s, s->next_id++, "a@client.test", "b@dead.test", 1);
	stage_until(s, &s->verdicts[VERDICT_DURABLE], 600);
	stage_lookup(s);
	stage_operator(s, "list", NULL);
	assert_int_equal(s->items, 600);
	stage_operator(s, "hold", "@dead.test");
	assert_string_equal(s->said, "600 messages placed on hold");
	stage_agent(s, 0, false, 10, NULL);
	stage_rounds(s, 50);
	assert_int_equal(s->job_count, 0);
	stage_operator(s, "release", "all");
	stage_until(s, &s->job_count, 5);		/* as many as a new destination gets */
	stage_operator(s, "delete", "all");
	stage_status_is(s, "messages", 0);
}

/* A domain outside ASCII goes by its A-labels, awake or asleep. */
static void
test_domain_outside_ascii(void **state)
{
	struct stage_set *s = *state;

	stage_smtpd(s, ROLE_TRUSTED);
	(void)stage_submit(s, "a@client.test", "b@b\303\274cher.example", 1);
	(void)stage_submit(s, "a@client.test", "b@dead.test", 1);
	stage_operator(s, "hold", "@xn--bcher-kva.example");
	assert_string_equal(s->said, "1 message placed on hold");
	restart(s);
	stage_operator(s, "list", "@xn--bcher-kva.example");
	assert_int_equal(s->items, 1);
}

static void
test_less_memory(void **state)
{
	struct stage_set *s = *state;
	long before;

	stage_smtpd(s, ROLE_TRUSTED);
	(void)stage_submit(s, "a@client.test", "b@far.test", 1);
	before = stage_status(s, "memory-content");
	assert_true(before > 0);
	s->conf->queue.content_memory = 0;
	queue_reloaded(&s->process, s->conf);
	assert_int_equal(stage_status(s, "memory-content"), 0);
	stage_lookup(s);
	stage_agent(s, 0, false, 10, NULL);
	assert_int_equal(stage_job(s, 0)->size, before);
	assert_int_equal(strncmp(s->jobs[0].head, "Subject: hello\r\n", 16), 0);	/* read back from the store */
}

int
main(void)
{
#define CASE(t)	cmocka_unit_test_setup_teardown(t, setup, teardown)
	const struct CMUnitTest tests[] = {
		CASE(test_agent_dies), CASE(test_other_takes_over), CASE(test_dead_before_hello), CASE(test_leases), CASE(test_flush), CASE(test_orders_at_once), CASE(test_flush_of_strangers), CASE(test_orders_are_durable),
		CASE(test_deadly_job), CASE(test_delete), CASE(test_delete_gives_room), CASE(test_agent_dies_with_deleted),
		CASE(test_hold), CASE(test_many), CASE(test_domain_outside_ascii), CASE(test_less_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
