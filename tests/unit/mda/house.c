/* house — see house.h. */
#include "tests/unit/mda/house.h"

#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/crc32c.h"
#include "base/fd.h"
#include "mda/worker/worker.h"
#include "wire/spawn.h"

struct fixture *the;

int flush_error;

static int
fake_flush(int fd)
{
	int error = flush_error;

	(void)fd;
	flush_error = 0;
	return error;
}

/* --- the queue ---------------------------------------------------------------------------------------------- */

static int
on_hello(void *arg, struct reader *in, int fd)
{
	struct deliver_hello hello;

	(void)arg;
	(void)fd;
	arena_reset(&the->arena);
	assert_int_equal(deliver_hello_get(in, &the->arena, &hello), 0);
	the->hello_count++;
	the->hello_leases = hello.count;
	assert_true(hello.credit > 0);
	return 0;
}

void
commit(uint64_t lease)
{
	struct deliver_lease committed = { lease };

	deliver_lease_put(channel_begin(the->queue, DELIVER_COMMITTED), &committed);
	assert_int_equal(channel_end(the->queue), 0);
}

static int
on_results(void *arg, struct reader *in, int fd)
{
	struct deliver_results results;
	struct result *kept = &the->results[the->result_count++ % RESULTS_MAX];

	(void)arg;
	(void)fd;
	arena_reset(&the->arena);
	assert_int_equal(deliver_results_get(in, &the->arena, &results), 0);
	assert_true(results.finished);
	*kept = (struct result){ .lease = results.lease, .count = results.count, .damaged = results.damaged };
	if (results.count > 0) {
		kept->action = results.results[0].outcome.action;
		kept->status = results.results[0].outcome.status;
		(void)snprintf(kept->text, sizeof(kept->text), "%.*s", SLICE_FMT(results.results[0].outcome.text));
	}
	if (the->commit)
		commit(results.lease);
	if (the->result_count >= the->wanted)
		loop_stop(the->loop);
	return 0;
}

static void
on_end(void *arg, const char *why)
{
	fail_msg("the %s wire ended: %s", (const char *)arg, why);
}

static const struct frame_handler queue_handlers[DELIVER_FRAME_COUNT] = {
	[DELIVER_HELLO] = { "HELLO", on_hello, false },
	[DELIVER_RESULTS] = { "RESULTS", on_results, false },
};
static const struct channel_ops queue_ops = { "deliver", DELIVER_VERSION, queue_handlers, DELIVER_FRAME_COUNT, on_end, NULL, false };

/* --- lookup ------------------------------------------------------------------------------------------------- */

/* user@anything: a home below BASE, owned by the uid that workers have. */
static int
on_mailbox(void *arg, struct reader *in, int fd)
{
	struct mailbox_question question;
	struct mailbox_answer answer = { .verdict = the->verdict, .uid = the->answer_uid, .gid = the->answer_uid };
	char home[512], maildir[600];

	(void)arg;
	(void)fd;
	assert_int_equal(mailbox_question_get(in, &question), 0);
	the->questions++;
	(void)snprintf(home, sizeof(home), "%s/%.*s", the->base,
	    (int)((const char *)memchr(question.address.p, '@', question.address.len) - question.address.p), question.address.p);
	(void)snprintf(maildir, sizeof(maildir), "%s/Maildir", the->home != NULL ? the->home : home);
	answer.serial = question.serial;
	if (the->verdict == ROUTE_LOCAL) {
		answer.home = slice_str(the->home != NULL ? the->home : home);
		answer.maildir = slice_str(maildir);
	} else {
		answer.status = the->verdict == ROUTE_UNKNOWN ? STATUS(5, 1, 1) : STATUS(4, 3, 0);
		answer.text = SLICE_LIT("as the test wishes");
	}
	mailbox_answer_put(channel_begin(the->lookup, LOOKUP_MAILBOX_OF), &answer);
	return channel_end(the->lookup);
}

static const struct frame_handler lookup_handlers[LOOKUP_FRAME_COUNT] = {
	[LOOKUP_MAILBOX] = { "MAILBOX", on_mailbox, false },
};
static const struct channel_ops lookup_ops = { "lookup", LOOKUP_VERSION, lookup_handlers, LOOKUP_FRAME_COUNT, on_end, NULL, false };

/* --- the supervisor ----------------------------------------------------------------------------------------- */

static void
spawn_say(uint16_t type, uint64_t worker, const char *text, int fd)
{
	struct spawn_event event = { .worker = worker, .text = slice_str(text) };

	spawn_event_put(channel_begin(the->spawn, type), &event);
	assert_int_equal(channel_end_fd(the->spawn, fd), 0);
}

/* Opens nothing, and says that all went well. */
static int
lie_to_mda(int fd, const struct lie *lie)
{
	struct mailbox_deliver deliver = { 0 };
	struct mailbox_ids ids = { .count = 1 };
	struct chan_sync *wire = chan_sync_open(fd, MAILBOX_WIRE, MAILBOX_VERSION, NULL);
	int dir = open(the->base, O_RDONLY | O_DIRECTORY | O_CLOEXEC), pipes[2], passed, type;
	struct reader in;

	if (wire == NULL || pipe(pipes) == -1)
		return 1;
	while ((type = chan_sync_next(wire, &in, &passed, NULL)) > 0) {
		if (type == MAILBOX_OPEN) {
			(void)chan_sync_begin(wire, MAILBOX_OPENED);
			if (chan_sync_send(wire, lie->no_directory ? pipes[0] : dir, NULL) == -1)
				return 1;
		}
		if (type != MAILBOX_DELIVER || mailbox_deliver_get(&in, &deliver) == -1)
			continue;
		ids.ids[0] = lie->id != 0 ? lie->id : deliver.id;
		for (size_t i = 0; i < 3 && lie->frames[i] != 0; i++) {
			mailbox_ids_put(chan_sync_begin(wire, lie->frames[i]), &ids);
			if (chan_sync_send(wire, -1, NULL) == -1)
				return 1;
		}
	}
	chan_sync_close(&wire);
	return 0;
}

static pid_t
fork_worker(int fd)
{
	pid_t pid = fork();

	if (pid != 0)
		return pid;
	if (geteuid() == 0 && (setgroups(0, NULL) == -1 || setgid(OTHER_UID) == -1 || setuid(OTHER_UID) == -1))
		_exit(9);
	fault_plan(the->worker_faults);
	/* The test's own descriptors must not keep wires open. */
	if (dup2(fd, 3) == -1 || close_range(4, ~0u, 0) == -1)
		_exit(9);
	_exit((the->lie != NULL ? lie_to_mda(3, the->lie) : worker_serve(3, NULL)) == 0 ? 0 : 1);
}

static int
on_start(void *arg, struct reader *in, int fd)
{
	struct spawn_start start;
	int pair[2];

	(void)arg;
	(void)fd;
	assert_int_equal(spawn_start_get(in, &start), 0);
	if (the->no_spawn) {
		spawn_say(SPAWN_REFUSED, start.worker, "not today", -1);
		return 0;
	}
	assert_true(the->spawned < WORKERS_MAX);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	the->workers[the->spawned] = start.worker;
	the->pids[the->spawned++] = fork_worker(pair[1]);
	the->worker_faults = NULL;
	spawn_say(SPAWN_STARTED, start.worker, "", pair[0]);
	fd_close(&pair[0]);
	fd_close(&pair[1]);
	return 0;
}

static int
on_stop(void *arg, struct reader *in, int fd)
{
	struct spawn_event event;

	(void)arg;
	(void)fd;
	assert_int_equal(spawn_event_get(in, &event), 0);
	for (unsigned i = 0; i < the->spawned; i++)
		if (the->workers[i] == event.worker && the->pids[i] > 0)
			(void)kill(the->pids[i], SIGKILL);
	return 0;
}

static void
reap(void)
{
	for (unsigned i = 0; i < the->spawned; i++)
		if (the->pids[i] > 0 && waitpid(the->pids[i], NULL, WNOHANG) == the->pids[i]) {
			the->pids[i] = 0;
			the->ended++;
			spawn_say(SPAWN_ENDED, the->workers[i], "", -1);
		}
}

static const struct frame_handler spawn_handlers[SPAWN_FRAME_COUNT] = {
	[SPAWN_START] = { "START", on_start, false },
	[SPAWN_STOP] = { "STOP", on_stop, false },
};
static const struct channel_ops spawn_ops = { "spawn", SPAWN_VERSION, spawn_handlers, SPAWN_FRAME_COUNT, on_end, NULL, false };

/* --- the fixture -------------------------------------------------------------------------------------------- */

static int64_t begun;

/* Every 5 ms: children are reaped as a supervisor would; a test that hangs ends. */
static void
on_tick(void *arg)
{
	(void)arg;
	reap();
	if (loop_now(the->loop) - begun > 20000)
		fail_msg("%u of %u results after 20 s", the->result_count, the->wanted);
	if (the->result_count >= the->wanted)
		loop_stop(the->loop);
	timer_set(&the->limit, 5);
}

static struct channel *
wire(const struct channel_ops *ops, void (*give)(struct mda *, int))
{
	struct channel *channel;
	struct err err;
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	channel = channel_open(the->loop, pair[0], ops, (void *)(uintptr_t)ops->wire, &err);
	assert_non_null(channel);
	give(the->mda, pair[1]);
	return channel;
}

void
new_queue(void)
{
	channel_close(&the->queue);
	the->queue = wire(&queue_ops, mda_wire_deliver);
}

int
house_setup(void **state)
{
	static char hostname[] = "mx.example.org";
	struct err err;

	the = calloc(1, sizeof(*the));
	the->uid = geteuid() == 0 ? OTHER_UID : geteuid();
	the->answer_uid = the->uid;
	the->verdict = ROUTE_LOCAL;
	the->commit = true;
	tempdir_make(the->base);
	assert_int_equal(chmod(the->base, 0755), 0);
	arena_init(&the->arena, 1 << 20);
	the->conf.hostname = hostname;
	the->conf.mda = (struct conf_mda){ .max_workers = 4, .worker_idle = 60000, .worker_jobs = 32, .first_uid = 1 };
	the->conf.lookup.cache_ttl = 60000;
	assert_non_null(the->loop = loop_new(&err));
	begun = loop_now(the->loop);
	assert_int_equal(timer_init(&the->limit, the->loop, on_tick, NULL), 0);
	timer_set(&the->limit, 5);
	assert_non_null(the->mda = mda_new(the->loop, &the->conf, geteuid() == 0, fake_flush, &err));
	the->queue = wire(&queue_ops, mda_wire_deliver);
	the->lookup = wire(&lookup_ops, mda_wire_lookup);
	the->spawn = wire(&spawn_ops, mda_wire_spawn);
	*state = the;
	return 0;
}

int
house_teardown(void **state)
{
	(void)state;
	fault_plan(NULL);
	channel_close(&the->queue);
	channel_close(&the->lookup);
	channel_close(&the->spawn);
	mda_free(&the->mda);
	timer_fini(&the->limit);
	loop_free(the->loop);
	for (unsigned i = 0; i < the->spawned; i++)
		if (the->pids[i] > 0) {
			(void)kill(the->pids[i], SIGKILL);
			(void)waitpid(the->pids[i], NULL, 0);
		}
	arena_fini(&the->arena);
	tempdir_remove(the->base);
	free(the);
	return 0;
}

void
make_home(const char *user)
{
	char path[512];

	assert_int_equal(mkdir(tempdir_join(path, the->base, user), 0700), 0);
	if (geteuid() == 0)
		assert_int_equal(chown(path, the->uid, the->uid), 0);
}

/* Of what is there, at most `size` bytes: not every descriptor ends. */
static uint32_t
file_crc(int fd, uint32_t size)
{
	char *piece = malloc(size);
	ssize_t n = fd_pread_full(fd, piece, size, 0);
	uint32_t crc = n > 0 ? crc32c(0, piece, (size_t)n) : 0;

	free(piece);
	return crc ^ the->crc_off;
}

void
send_job(uint64_t lease, const char *address, struct slice content, uint32_t flags, int fd, uint32_t size)
{
	struct job_recipient recipient = { .index = 2, .address = slice_str(address) };
	struct deliver_job job = { .lease = lease, .id = lease + 1000, .nonce = lease, .arrival_ms = 1700000000000, .flags = flags,
	    .body = BODY_7BIT, .nexthop = slice_str(address), .reverse_path = SLICE_LIT("sender@example.net"),
	    .size = fd == -1 ? (uint32_t)content.len : size, .by_fd = fd != -1,
	    .crc = fd != -1 ? file_crc(fd, size) : 0, .content = content, .count = 1,
	    .recipients = &recipient };

	deliver_job_put(channel_begin(the->queue, DELIVER_JOB), &job);
	assert_int_equal(channel_end_fd(the->queue, fd), 0);
}

void
run_until(unsigned results)
{
	the->wanted = results;
	if (the->result_count < results)
		assert_int_equal(loop_run(the->loop), 0);
	assert_true(the->result_count >= results);
}

void
run_a_while(int64_t ms)
{
	int64_t end = loop_now(the->loop) + ms;

	the->wanted = 0;	/* each tick stops the loop */
	while (loop_now(the->loop) < end)
		assert_int_equal(loop_run(the->loop), 0);
}

const char *
in_maildir(const char *user, const char *sub)
{
	static char path[600];

	(void)snprintf(path, sizeof(path), "%s/%s/Maildir/%s", the->base, user, sub);
	return path;
}

void
assert_only_file(const char *user, const char *want)
{
	char name[256], path[1024], got[4096];
	size_t len;
	FILE *file;

	tempdir_only(in_maildir(user, "new"), name);
	(void)snprintf(path, sizeof(path), "%s/%s", in_maildir(user, "new"), name);
	assert_non_null(file = fopen(path, "rb"));
	len = fread(got, 1, sizeof(got) - 1, file);
	got[len] = '\0';
	fclose(file);
	assert_string_equal(got, want);
	assert_int_equal(tempdir_count(in_maildir(user, "tmp")), 0);
}
