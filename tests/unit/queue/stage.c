/* stage — see stage.h. */
#include "tests/unit/queue/stage.h"

#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "tests/support/tempdir.h"
#include "tests/support/turns.h"

/* proc/service.c's, played: the test runs the loop. */
void
process_stopped(struct process *p)
{
	(void)p;
}

static void
stop_loop(void *arg)
{
	loop_stop(arg);
}

void
stage_rounds(struct stage_set *s, int64_t ms)
{
	turns_run(s->loop, &s->end, ms);
}

void
stage_until(struct stage_set *s, const uint32_t *value, uint32_t want)
{
	for (int i = 0; i < 1000 && *value < want; i++)
		stage_rounds(s, 2);
	if (*value < want)
		fail_msg("got %u, waited for %u", *value, want);
}

void
stage_turn(struct stage_set *s, int64_t ms)
{
	clock_turn(ms, ms);
	s->turned_ms += ms;
	stage_rounds(s, 20);
}

/* --- wires ------------------------------------------------------------------------------------ */

void
stage_peer_ended(void *arg, const char *why)
{
	struct peer *p = arg;

	(void)why;
	channel_close(&p->channel);
	if (p >= p->set->agents && p < p->set->agents + STAGE_AGENTS)
		p->set->ended[p->which] = true;
}

int
stage_bad_frame(const struct peer *p)
{
	if (!p->set->lenient)
		fail_msg("a frame that cannot be read");
	return -1;
}

/* Sends what channel_begin began. */
static void
end_frame(const struct stage_set *s, const struct peer *p)
{
	if (channel_end(p->channel) == -1 && !s->lenient)
		fail_msg("a frame that cannot be sent");
}

static void
join(struct stage_set *s, struct peer *p, const struct channel_ops *ops, const struct control_wire *wire)
{
	int pair[2];

	p->set = s;
	channel_close(&p->channel);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair), 0);
	p->channel = channel_open(s->loop, pair[0], ops, p, NULL);
	assert_non_null(p->channel);
	queue_wire(&s->process, wire, pair[1]);
}

/* --- smtpd ------------------------------------------------------------------------------------- */

static int
on_ids(void *arg, struct reader *r, int fd)
{
	struct peer *p = arg;
	struct submit_ids ids;

	(void)fd;
	if (submit_ids_get(r, &ids) == -1)
		return stage_bad_frame(p);
	if (p->set->next_id == 0)
		p->set->next_id = ids.first;
	return 0;
}

static int
on_room(void *arg, struct reader *r, int fd)
{
	struct peer *p = arg;

	(void)fd;
	return submit_room_get(r, &p->set->room);
}

static int
on_verdict(void *arg, struct reader *r, int fd)
{
	struct peer *p = arg;
	struct submit_verdict_of v;

	(void)fd;
	if (submit_verdict_get(r, &v) == -1)
		return stage_bad_frame(p);
	p->set->verdicts[v.verdict]++;
	p->set->wait_s = v.wait_s;
	return 0;
}

static const struct frame_handler smtpd_handlers[SUBMIT_FRAME_COUNT] = {
	[SUBMIT_IDS] = { "ids", on_ids, false },
	[SUBMIT_ROOM] = { "room", on_room, false },
	[SUBMIT_VERDICT] = { "verdict", on_verdict, false },
};
static const struct channel_ops smtpd_ops = { .wire = "submit", .version = SUBMIT_VERSION, .handlers = smtpd_handlers,
	.handler_count = SUBMIT_FRAME_COUNT, .on_end = stage_peer_ended };

void
stage_smtpd(struct stage_set *s, enum wire_role role)
{
	s->next_id = 0;
	join(s, &s->smtpd, &smtpd_ops, &(struct control_wire){ .kind = WIRE_SUBMIT, .role = role });
	for (int i = 0; i < 100 && s->next_id == 0; i++)
		stage_rounds(s, 2);
	assert_true(s->next_id != 0);
}

void
stage_send(struct stage_set *s, uint64_t id, const char *from, const char *to, uint32_t count)
{
	static const char head[] = "Subject: hello\r\nMessage-Id: <1@client.test>\r\n\r\n";
	size_t size = s->content_size > sizeof(head) ? s->content_size : sizeof(head) + 6;
	char *content = mem_alloc(size);
	struct recipient *rcpts = mem_array(count, sizeof(*rcpts));
	char (*names)[128] = mem_array(count, sizeof(*names));
	struct submit_message m = { .serial = id, .id = id, .content = slice_of(content, size),
	    .token = s->token, .envelope = { .reverse_path = slice_str(from), .body = BODY_7BIT, .tls = s->tls, .ret = s->ret,
	    .size = (uint32_t)size, .recipients = rcpts, .count = count } };
	char *digits;

	memset(content, 'x', size);
	memcpy(content, head, sizeof(head) - 1);
	for (uint32_t i = 0; i < count; i++) {
		(void)snprintf(names[i], sizeof(names[i]), "%s", to);
		digits = strchr(names[i], '#');		/* a number in its place */
		if (digits != NULL)
			(void)snprintf(digits, sizeof(names[i]) - (size_t)(digits - names[i]), "%u%s", i,
			    strchr(to, '#') + 1);
		rcpts[i].address = slice_str(names[i]);
		rcpts[i].original = SLICE_LIT("");
		rcpts[i].notify = s->notify;
	}
	submit_message_put(channel_begin(s->smtpd.channel, SUBMIT_MESSAGE), &m);
	assert_int_equal(channel_end(s->smtpd.channel), 0);
	mem_free(rcpts);
	mem_free(names);
	mem_free(content);
}

static uint32_t
answers(const struct stage_set *s)
{
	uint32_t n = 0;

	for (int i = 0; i < VERDICT_COUNT; i++)
		n += s->verdicts[i];
	return n;
}

uint64_t
stage_submit(struct stage_set *s, const char *from, const char *to, uint32_t count)
{
	uint64_t id = s->next_id++;
	uint32_t before = answers(s);

	stage_send(s, id, from, to, count);
	for (int i = 0; i < 1000 && answers(s) == before; i++)
		stage_rounds(s, 2);
	assert_int_equal(answers(s), before + 1);
	return id;
}

/* --- lookup ------------------------------------------------------------------------------------ */

static void
route_of(const struct stage_set *s, struct slice address, struct route *out)
{
	struct slice domain, local = slice_split(address, '@', &domain);
	bool mailbox = slice_starts(local, SLICE_LIT("local")) || slice_eq(local, SLICE_LIT("postmaster"));

	*out = (struct route){ .text = SLICE_LIT(""), .nexthop = SLICE_LIT("") };
	if (slice_starts(local, SLICE_LIT("unknown"))) {
		out->verdict = ROUTE_UNKNOWN;
		out->status = STATUS(5, 1, 1);
		out->text = SLICE_LIT("no such user");
	} else if (slice_starts(local, SLICE_LIT("later")) ||
	    (s->no_postmaster && slice_eq(local, SLICE_LIT("postmaster")))) {
		out->verdict = ROUTE_TRY_LATER;
		out->status = STATUS(4, 3, 0);
	} else {
		out->verdict = mailbox ? ROUTE_LOCAL : ROUTE_REMOTE;
		out->transport = mailbox ? TRANSPORT_LOCAL : TRANSPORT_RELAY;
		out->nexthop = mailbox ? address : domain;
	}
}

static int
on_question(void *arg, struct reader *r, int fd)
{
	struct peer *p = arg;
	struct arena arena = { .max = 65536 };
	struct route_question q;
	struct route routes[ROUTE_ADDRESSES_MAX];
	struct route_answer a = { .generation = 1, .ttl_ms = 0, .routes = routes };

	(void)fd;
	if (route_question_get(r, &arena, &q) == -1)
		return stage_bad_frame(p);
	p->set->questions++;
	p->set->asked += q.count;
	a.serial = q.serial;
	a.count = q.count;
	for (uint32_t i = 0; i < q.count; i++)
		route_of(p->set, q.addresses[i], &routes[i]);
	if (!p->set->silent) {
		route_answer_put(channel_begin(p->channel, LOOKUP_ROUTES), &a);
		end_frame(p->set, p);
	}
	arena_fini(&arena);
	return 0;
}

static const struct frame_handler lookup_handlers[LOOKUP_FRAME_COUNT] = {
	[LOOKUP_ROUTE] = { "route", on_question, false },
};
static const struct channel_ops lookup_ops = { .wire = "lookup", .version = LOOKUP_VERSION, .handlers = lookup_handlers,
	.handler_count = LOOKUP_FRAME_COUNT, .on_end = stage_peer_ended };

void
stage_lookup(struct stage_set *s)
{
	join(s, &s->lookup, &lookup_ops, &(struct control_wire){ .kind = WIRE_LOOKUP, .role = ROLE_LOOKUP });
	stage_rounds(s, 2);
}

/* --- agents ------------------------------------------------------------------------------------ */

static int
on_job(void *arg, struct reader *r, int fd)
{
	struct peer *p = arg;
	struct arena arena = { .max = 1024 * 1024 };
	struct deliver_job job;
	struct played_job *j = &p->set->jobs[p->set->job_count];

	if (fd != -1)
		(void)close(fd);
	if (deliver_job_get(r, &arena, &job) == -1)
		return stage_bad_frame(p);
	assert_true(p->set->job_count < STAGE_JOBS);
	*j = (struct played_job){ .lease = job.lease, .id = job.id, .flags = job.flags, .count = job.count,
	    .size = job.size, .by_fd = job.by_fd, .crc = job.crc, .null_path = job.reverse_path.len == 0, .tls = job.tls,
	    .agent = p->which };
	for (uint32_t i = 0; i < job.count; i++)
		j->indexes[i] = job.recipients[i].index;
	(void)snprintf(j->first, sizeof(j->first), "%.*s", (int)job.recipients[0].address.len, job.recipients[0].address.p);
	(void)snprintf(j->nexthop, sizeof(j->nexthop), "%.*s", (int)job.nexthop.len, job.nexthop.p);
	(void)snprintf(j->head, sizeof(j->head), "%.*s", (int)job.content.len, job.content.p);
	p->set->job_count++;
	arena_fini(&arena);
	return 0;
}

static int
on_committed(void *arg, struct reader *r, int fd)
{
	struct peer *p = arg;
	struct deliver_lease lease;

	(void)fd;
	if (deliver_lease_get(r, &lease) == -1)
		return stage_bad_frame(p);
	if (!stage_committed(p->set, lease.lease) && p->set->committed_count < STAGE_JOBS)
		p->set->committed[p->set->committed_count++] = lease.lease;
	return 0;
}

static int
on_cancel(void *arg, struct reader *r, int fd)
{
	struct peer *p = arg;
	struct deliver_lease lease;

	(void)fd;
	p->set->cancelled++;
	return deliver_lease_get(r, &lease);
}

static const struct frame_handler agent_handlers[DELIVER_FRAME_COUNT] = {
	[DELIVER_JOB] = { "job", on_job, true },
	[DELIVER_COMMITTED] = { "committed", on_committed, false },
	[DELIVER_CANCEL] = { "cancel", on_cancel, false },
};
static const struct channel_ops agent_ops = { .wire = "deliver", .version = DELIVER_VERSION, .handlers = agent_handlers,
	.handler_count = DELIVER_FRAME_COUNT, .on_end = stage_peer_ended };

void
stage_agent(struct stage_set *s, int which, bool fault, uint32_t credit, const struct deliver_hello *leases)
{
	struct deliver_hello hello = { .credit = credit };

	if (leases != NULL) {
		hello = *leases;
		hello.credit = credit;
	}
	s->agents[which].which = which;
	s->ended[which] = false;
	join(s, &s->agents[which], &agent_ops, &(struct control_wire){ .kind = WIRE_DELIVER,
	    .role = which == MDA ? ROLE_MDA : ROLE_RELAY, .number = which == MDA ? 0 : (uint32_t)which, .fault = fault });
	deliver_hello_put(channel_begin(s->agents[which].channel, DELIVER_HELLO), &hello);
	assert_int_equal(channel_end(s->agents[which].channel), 0);
	stage_rounds(s, 5);
}

void
stage_agent_dies(struct stage_set *s, int which)
{
	channel_close(&s->agents[which].channel);
	stage_rounds(s, 5);
}

void
stage_report(struct stage_set *s, const struct played_job *job, enum action action, struct status status, bool finished)
{
	struct deliver_result results[JOB_RECIPIENTS_MAX];
	struct deliver_results frame = { .lease = job->lease, .id = job->id, .finished = finished, .count = job->count,
	    .results = results };

	for (uint32_t i = 0; i < job->count; i++)
		results[i] = (struct deliver_result){ .index = job->indexes[i],
		    .tells = s->tells && action == ACTION_RELAYED, .outcome = { .action = action,
		    .status = status, .text = slice_str(s->words != NULL ? s->words : "the other side said so"), .mta = SLICE_LIT("mx.test[192.0.2.1]:25") } };
	if (s->agents[job->agent].channel == NULL)
		return;
	deliver_results_put(channel_begin(s->agents[job->agent].channel, DELIVER_RESULTS), &frame);
	end_frame(s, &s->agents[job->agent]);
	stage_rounds(s, 5);
}

struct played_job *
stage_job(struct stage_set *s, uint32_t nth)
{
	stage_until(s, &s->job_count, nth + 1);
	return &s->jobs[nth];
}

bool
stage_committed(const struct stage_set *s, uint64_t lease)
{
	for (uint32_t i = 0; i < s->committed_count; i++)
		if (s->committed[i] == lease)
			return true;
	return false;
}

long
stage_status(struct stage_set *s, const char *name)
{
	struct buf text;
	const char *at;
	char want[64];
	long value = -1;

	buf_init(&text, 65536);
	queue_status(&s->process, &text);
	(void)snprintf(want, sizeof(want), "%s ", name);
	for (at = buf_cstr(&text); at != NULL; at = strchr(at, '\n')) {
		at += *at == '\n' ? 1 : 0;
		if (strncmp(at, want, strlen(want)) == 0)
			value = strtol(at + strlen(want), NULL, 10);
		if (*at == '\0')
			break;
	}
	buf_fini(&text);
	return value;
}

void
stage_status_is(struct stage_set *s, const char *name, long want)
{
	for (int i = 0; i < 1000 && stage_status(s, name) != want; i++)
		stage_rounds(s, 2);
	assert_int_equal(stage_status(s, name), want);
}

/* --- the owner --------------------------------------------------------------------------------- */

void
stage_start(struct stage_set *s)
{
	struct err err = { 0 };

	s->process = (struct process){ .loop = s->loop, .conf = s->conf, .name = "queue", .role = ROLE_QUEUE };
	if (queue_start(&s->process, &err) == -1)
		fail_msg("the owner does not start: %s", err.text);
	s->up = true;
	stage_listen_for_tools(s);
}

void
stage_stop(struct stage_set *s)
{
	if (!s->up)
		return;
	queue_stop(&s->process, 1000);
	stage_rounds(s, 2);
	queue_free();
	channel_close(&s->smtpd.channel);
	channel_close(&s->lookup.channel);
	channel_close(&s->tool.channel);
	for (int i = 0; i < STAGE_AGENTS; i++)
		channel_close(&s->agents[i].channel);
	stage_rounds(s, 2);
	s->up = false;
}

/* Files only, into a directory that is there. */
static void
copy_tree(const char *from, const char *to)
{
	char command[1200];

	(void)snprintf(command, sizeof(command), "%s/.", from);
	pid_t pid = fork();

	if (pid == 0) {
		(void)execlp("cp", "cp", "-a", command, to, (char *)NULL);
		_exit(127);
	}
	int status = -1;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

void
stage_crash(struct stage_set *s)
{
	char image[512];

	tempdir_join(image, s->dir, "image");
	assert_int_equal(mkdir(image, 0700), 0);
	copy_tree(s->spool, image);
	stage_stop(s);
	tempdir_remove(s->spool);
	assert_int_equal(rename(image, s->spool), 0);
	s->committed_count = s->job_count = 0;
	stage_start(s);
}

void
stage_open(struct stage_set *s)
{
	*s = (struct stage_set){ .listener = -1 };
	tempdir_make(s->dir);
	tempdir_join(s->spool, s->dir, "spool");
	assert_int_equal(mkdir(s->spool, 0700), 0);
	s->loop = loop_new(NULL);
	assert_int_equal(timer_init(&s->end, s->loop, stop_loop, s->loop), 0);
	s->conf = conf_new_default("mail.test");
	s->conf->queue.directory = s->spool;
	s->conf->queue.segments = STORE_SEGMENTS_MIN;
	s->conf->queue.segment_size = STORE_SEGMENT_SIZE_MIN;
	log_level_set(LOG_LEVEL_ERROR);
	stage_start(s);
}

void
stage_all(struct stage_set *s)
{
	stage_smtpd(s, ROLE_TRUSTED);
	stage_lookup(s);
	stage_agent(s, 0, false, 100, NULL);
	stage_agent(s, MDA, false, 100, NULL);
}

void
stage_close(struct stage_set *s)
{
	stage_stop(s);
	clock_turn(-s->turned_ms, -s->turned_ms);
	timer_fini(&s->end);
	loop_free(s->loop);
	conf_free(&s->conf);
	tempdir_remove(s->dir);
}
