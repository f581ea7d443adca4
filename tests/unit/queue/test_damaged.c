/* test_damaged — an agent says that a content is not what its checksum says: the message waits for a person, and keeps its file. */
#include "tests/unit/queue/stage.h"

#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/crc32c.h"
#include "base/fault.h"
#include "base/fd.h"
#include "base/mem.h"
#include "tests/support/tempdir.h"
#include "wire/submit.h"

#define LARGE	(CONTENT_INLINE_MAX + 50000u)
#define HOUR	INT64_C(3600000)

static const struct status ok = { 2, 0, 0 }, no = { 5, 1, 1 };

struct sender {				/* a second smtpd, which fills files */
	struct channel	*channel;
	uint64_t	 id;
	uint32_t	 crc, durable, refused;
	enum submit_room room;
};

static struct sender sender;

static int
setup(void **state)
{
	*state = mem_zalloc(sizeof(struct stage_set));
	sender = (struct sender){ 0 };
	stage_open(*state);
	return 0;
}

static int
teardown(void **state)
{
	channel_close(&sender.channel);
	stage_close(*state);
	mem_free(*state);
	return 0;
}

/* --- a large message ----------------------------------------------------------------------------- */

static int
on_ids(void *arg, struct reader *r, int fd)
{
	struct submit_ids ids;

	(void)arg;
	(void)fd;
	assert_int_equal(submit_ids_get(r, &ids), 0);
	sender.id = ids.first;
	return 0;
}

static int
on_room(void *arg, struct reader *r, int fd)
{
	(void)arg;
	(void)fd;
	return submit_room_get(r, &sender.room);
}

/* Here is the file: content, and the message that names it, to a mailbox and twice to another host. */
static int
on_file(void *arg, struct reader *r, int fd)
{
	struct recipient rcpts[3] = { { .address = SLICE_LIT("local@mail.test") },
				      { .address = SLICE_LIT("b@far.test") },
				      { .address = SLICE_LIT("c@far.test") } };
	struct submit_message m = { .serial = 1,
				    .id = sender.id,
				    .large = true,
				    .content = SLICE_LIT(""),
				    .envelope = { .reverse_path = SLICE_LIT("a@client.test"),
						  .body = BODY_7BIT,
						  .size = LARGE,
						  .recipients = rcpts,
						  .count = 3 } };
	struct submit_large file;
	char *content;

	(void)arg;
	assert_int_equal(submit_large_get(r, &file), 0);
	assert_int_equal(file.ok, fd != -1);
	if (!file.ok) {
		sender.refused++;
		return 0;
	}
	content = mem_alloc(LARGE);
	memset(content, 'x', LARGE);
	assert_int_equal(fd_write_all(fd, content, LARGE), 0);
	fd_close(&fd);
	m.crc = sender.crc = crc32c(0, content, LARGE);
	mem_free(content);
	submit_message_put(channel_begin(sender.channel, SUBMIT_MESSAGE), &m);
	return channel_end(sender.channel);
}

static int
on_verdict(void *arg, struct reader *r, int fd)
{
	struct submit_verdict_of v;

	(void)arg;
	(void)fd;
	assert_int_equal(submit_verdict_get(r, &v), 0);
	assert_int_equal(v.verdict, VERDICT_DURABLE);
	sender.durable++;
	return 0;
}

static const struct frame_handler handlers[SUBMIT_FRAME_COUNT] = {
	[SUBMIT_IDS] = { "ids", on_ids, false },
	[SUBMIT_ROOM] = { "room", on_room, false },
	[SUBMIT_LARGE_FILE] = { "file", on_file, true },
	[SUBMIT_VERDICT] = { "verdict", on_verdict, false },
};

static void
on_end(void *arg, const char *why)
{
	(void)arg;
	(void)why;
	channel_close(&sender.channel);
}

static const struct channel_ops ops = { .wire = "submit",
					.version = SUBMIT_VERSION,
					.handlers = handlers,
					.handler_count = SUBMIT_FRAME_COUNT,
					.on_end = on_end };

static void
ask_for_file(struct stage_set *s)
{
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair), 0);
	sender.channel = channel_open(s->loop, pair[0], &ops, NULL, NULL);
	assert_non_null(sender.channel);
	queue_wire(&s->process, &(struct control_wire){ .kind = WIRE_SUBMIT, .role = ROLE_TRUSTED }, pair[1]);
	for (int i = 0; i < 100 && sender.id == 0; i++)
		stage_rounds(s, 2);
	submit_large_put(channel_begin(sender.channel, SUBMIT_LARGE_OPEN),
			 &(struct submit_large){ .id = sender.id, .ok = true });
	assert_int_equal(channel_end(sender.channel), 0);
}

/* Two jobs follow, one for the mailbox and one for far.test. */
static void
submit_large(struct stage_set *s)
{
	ask_for_file(s);
	stage_until(s, &sender.durable, 1);
}

/* What is being written may become as large as any: it counts so before anything is on the disk. */
static void
test_no_space_for_all(void **state)
{
	struct stage_set *s = *state;

	s->conf->message_size = INT64_MAX;
	ask_for_file(s);
	stage_until(s, &sender.refused, 1);
	assert_int_equal(sender.durable, 0);
	assert_int_equal(sender.room, ROOM_SMALL);	/* the next ones are refused at MAIL */
}

/* --- what an agent says, what is on disk --------------------------------------------------------- */

/* `failed`: the first recipient was refused before. */
static void
report_damaged(struct stage_set *s, const struct played_job *job, bool failed)
{
	struct deliver_result result = { .index = job->indexes[0],
					 .outcome = { .action = ACTION_FAILED,
						      .status = no,
						      .text = SLICE_LIT("550 no"),
						      .mta = SLICE_LIT("mx.test[192.0.2.1]:25") } };
	struct deliver_results frame = { .lease = job->lease,
					 .id = job->id,
					 .finished = true,
					 .damaged = true,
					 .count = failed ? 1 : 0,
					 .results = &result };

	deliver_results_put(channel_begin(s->agents[job->agent].channel, DELIVER_RESULTS), &frame);
	assert_int_equal(channel_end(s->agents[job->agent].channel), 0);
	stage_rounds(s, 5);
}

static const struct played_job *
job_of(struct stage_set *s, int agent)
{
	for (uint32_t i = 0; i < s->job_count; i++)
		if (s->jobs[i].agent == agent)
			return &s->jobs[i];
	fail_msg("agent %d has no job", agent);
	return NULL;
}

/* How many names the file has; 0: there is none. */
static nlink_t
names(const struct stage_set *s, const char *prefix, uint64_t id)
{
	char path[900], printed[QUEUE_ID_LEN + 1];
	struct stat st;

	(void)snprintf(path, sizeof(path), "%s/%s%s", s->spool, prefix, queue_id_print(id, printed));
	return stat(path, &st) == 0 ? st.st_nlink : 0;
}

static size_t
in_corrupt(const struct stage_set *s)
{
	char path[600];

	(void)snprintf(path, sizeof(path), "%s/corrupt", s->spool);
	return tempdir_count(path);
}

/* --- tests --------------------------------------------------------------------------------------- */

/* COMMITTED means that the hold is on disk; and nothing but a person ends it. */
static void
test_held(void **state)
{
	struct stage_set *s = *state;
	const struct played_job *far;

	stage_all(s);
	submit_large(s);
	(void)stage_job(s, 1);
	far = job_of(s, 0);
	assert_true(far->by_fd && far->size == LARGE && far->crc == sender.crc);
	report_damaged(s, far, false);
	stage_until(s, &s->committed_count, 1);
	assert_true(stage_committed(s, far->lease));
	assert_int_equal(stage_status(s, "damaged"), 1);
	assert_int_equal(stage_status(s, "deferred"), 0);
	assert_int_equal(names(s, "spool/large/", sender.id), 2);
	assert_int_equal(names(s, "corrupt/content-", sender.id), 2);
	assert_int_equal(in_corrupt(s), 2); /* with its reason */
	stage_report(s, job_of(s, MDA), ACTION_DELIVERED, ok, true);
	stage_until(s, &s->committed_count, 2);
	stage_turn(s, s->conf->queue.expire + HOUR);
	assert_int_equal(s->job_count, 2); /* no try, no notification */
	stage_crash(s);
	stage_all(s);
	stage_rounds(s, 30);
	assert_int_equal(s->job_count, 0);
	stage_operator(s, "release", "all");
	stage_operator(s, "retry", "all");
	assert_int_equal(stage_job(s, 0)->count, 2);
	assert_true(s->jobs[0].by_fd && s->jobs[0].crc == sender.crc);
	report_damaged(s, &s->jobs[0], false); /* and once more */
	stage_until(s, &s->committed_count, 1);
	assert_int_equal(in_corrupt(s), 2);
	stage_operator(s, "release", "all");
	stage_operator(s, "retry", "all");
	stage_report(s, stage_job(s, 1), ACTION_RELAYED, ok, true);
	stage_status_is(s, "messages", 0);
	for (int i = 0; i < 500 && names(s, "spool/large/", sender.id) > 0; i++)
		stage_rounds(s, 2);
	assert_int_equal(names(s, "spool/large/", sender.id), 0);
	assert_int_equal(names(s, "corrupt/content-", sender.id), 1);
}

/* It cannot even be set aside: held all the same. */
static void
test_no_second_name(void **state)
{
	struct stage_set *s = *state;

#ifndef POSTHORN_FAULTS
	skip();
#endif
	stage_all(s);
	submit_large(s);
	(void)stage_job(s, 1);
	fault_plan("store-link:1:ENOSPC");
	report_damaged(s, job_of(s, 0), false);
	fault_plan(NULL);
	stage_until(s, &s->committed_count, 1);
	assert_int_equal(in_corrupt(s), 0);
	assert_int_equal(names(s, "spool/large/", sender.id), 1);
	stage_crash(s);
	stage_all(s);
	assert_int_equal(stage_job(s, 0)->agent, MDA);
	stage_rounds(s, 30);
	assert_int_equal(s->job_count, 1);
}

/* Who was refused before the damage showed has failed; the destination is as good as it was. */
static void
test_half_told(void **state)
{
	struct stage_set *s = *state;

	stage_all(s);
	submit_large(s);
	(void)stage_job(s, 1);
	report_damaged(s, job_of(s, 0), true);
	stage_until(s, &s->committed_count, 1);
	assert_true(stage_job(s, 2)->null_path);
	(void)stage_submit(s, "a@client.test", "d@far.test", 1);
	assert_string_equal(stage_job(s, 3)->nexthop, "far.test");
	stage_operator(s, "release", "all");
	stage_operator(s, "retry", "all");
	assert_int_equal(stage_job(s, 4)->count, 1);
	assert_string_equal(s->jobs[4].first, "c@far.test");
}

/* The agent finds it after queue was replaced: what it has in hand is adopted, and ends the same way. */
static void
test_lease_outlives_queue(void **state)
{
	struct stage_set *s = *state;
	struct played_job job;
	struct lease lease;
	struct deliver_hello hello = { .count = 1, .leases = &lease };

	stage_all(s);
	submit_large(s);
	(void)stage_job(s, 1);
	job = *job_of(s, 0);
	stage_crash(s);
	lease = (struct lease){ .lease = job.lease, .id = job.id, .count = job.count, .indexes = job.indexes };
	stage_agent(s, 0, false, 100, &hello);
	stage_lookup(s);
	report_damaged(s, &job, false);
	stage_until(s, &s->committed_count, 1);
	assert_true(stage_committed(s, job.lease));
	assert_int_equal(stage_status(s, "damaged"), 1);
	stage_rounds(s, 30);
	assert_int_equal(s->job_count, 0);
	report_damaged(s, &job, false); /* COMMITTED was lost: the lease means nothing any more */
	stage_rounds(s, 10);
	assert_int_equal(stage_status(s, "damaged"), 1);
	assert_false(s->ended[0]);
}

/* Deleted while it was in an agent's hands: nobody needs it. */
static void
test_deleted(void **state)
{
	struct stage_set *s = *state;

	stage_all(s);
	submit_large(s);
	(void)stage_job(s, 1);
	stage_operator(s, "delete", "all");
	report_damaged(s, job_of(s, 0), false);
	report_damaged(s, job_of(s, MDA), false);
	stage_status_is(s, "messages", 0);
	assert_int_equal(stage_status(s, "damaged"), 0);
	assert_int_equal(stage_status(s, "in-flight"), 0);
	assert_int_equal(in_corrupt(s), 0);
}

/* A small one that did not fit its frame: it was damaged in memory, and is good on the disk. */
static void
test_small_by_descriptor(void **state)
{
	struct stage_set *s = *state;
	const struct played_job *job;

	s->content_size = CONTENT_INLINE_MAX;
	stage_all(s);
	(void)stage_submit(s, "a@client.test", "b#@far.test", JOB_RECIPIENTS_MAX);
	job = stage_job(s, 0);
	assert_true(job->by_fd && job->crc != 0);
	assert_true(stage_status(s, "memory-content") > 0);
	report_damaged(s, job, false);
	stage_until(s, &s->committed_count, 1);
	assert_int_equal(stage_status(s, "damaged"), 0);
	assert_int_equal(stage_status(s, "memory-content"), 0);
	assert_int_equal(in_corrupt(s), 0);
	stage_rounds(s, 30);
	assert_int_equal(s->job_count, 1);
	stage_operator(s, "release", "all");
	stage_operator(s, "retry", "all");
	assert_int_equal(stage_job(s, 1)->crc, s->jobs[0].crc);
}

int
main(void)
{
#define CASE(t) cmocka_unit_test_setup_teardown(t, setup, teardown)
	const struct CMUnitTest tests[] = {
		CASE(test_held),      CASE(test_no_second_name),
		CASE(test_half_told), CASE(test_lease_outlives_queue),
		CASE(test_deleted),   CASE(test_small_by_descriptor),
		CASE(test_no_space_for_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
