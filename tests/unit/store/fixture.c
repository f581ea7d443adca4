/* fixture — see fixture.h. */
#include "tests/unit/store/fixture.h"

#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fault.h"
#include "base/fd.h"
#include "base/log.h"
#include "tests/support/tempdir.h"

char directory[64];
struct store_conf conf;
struct loop *loop;
struct store *store;
struct mail mails[MANY];
uint32_t nmails;
uint32_t answers, durable, full, failures, broken_told;
bool refuse_deltas, refuse_envelopes;
int rooms_closed, rooms_opened;
bool plans, no_memory;
uint32_t spooled_told, asleep_told, folds_of_nobody, plans_without_time;
struct told told[64];
uint32_t ntold;
struct err why_not;
void (*during_fold)(struct mail *);
static uint32_t wanted;

static void *
on_found(void *arg, struct stored *stored, const struct store_put *put)
{
	struct mail *m = &mails[nmails++];

	(void)arg;
	if (refuse_envelopes || no_memory) {
		nmails--;
		return refuse_envelopes ? STORE_UNREADABLE : NULL;
	}
	*m = (struct mail){ .stored = stored, .id = put->id, .version = put->version, .maybe = put->maybe,
	    .size = stored_size(stored), .spooled = stored_is_spooled(stored) };
	snprintf(m->envelope, sizeof(m->envelope), "%.*s", SLICE_FMT(put->envelope));
	return m;
}

static int
on_delta(void *arg, void *owner, uint32_t version, struct slice delta)
{
	struct mail *m = owner;

	(void)arg;
	if (refuse_deltas) {
		nmails--;
		return -1;
	}
	assert_true(version > m->version);
	m->version = version;
	m->delta_bytes += (uint32_t)delta.len;
	m->deltas++;
	return 0;
}

static void
on_fold(void *arg, void *owner, struct buf *out)
{
	struct mail *m = owner;

	(void)arg;
	if (m == NULL) {
		folds_of_nobody++;
		return;
	}
	(void)buf_printf(out, "%s", m->envelope);
	if (during_fold != NULL)
		during_fold(m);
}

static void
on_room(void *arg, enum store_class class, bool yes)
{
	(void)arg;
	(void)class;
	rooms_closed += !yes;
	rooms_opened += yes;
}

static void
on_broken(void *arg, const char *why)
{
	(void)arg;
	assert_true(strlen(why) > 0);
	broken_told++;
}

const struct store_ops ops = { .found = on_found, .delta = on_delta, .fold = on_fold, .room = on_room, .broken = on_broken };

/* --- an owner that makes plans ------------------------------------------------------------------ */

static struct slice
word(const char *text, int n)
{
	size_t len;

	for (; n > 0 && *text != '\0'; n--) {
		text += strcspn(text, " ");
		text += *text == ' ';
	}
	len = strcspn(text, " ");
	return slice_of(text, len);
}

static void
on_plan(void *arg, void *owner, int64_t now_ms, struct plan *out)
{
	struct mail *m = owner;
	struct slice domain;

	(void)arg;
	plans_without_time += now_ms <= 0;
	if (m == NULL)
		return;
	plan_row(out, word(m->envelope, 0), m->priority == PLAN_NONE ? PLAN_MAIL : m->priority, m->due_ms);
	if (m->look_ms != 0)
		plan_look(out, m->look_ms);
	domain = word(m->envelope, 1);
	if (domain.len > 0)
		plan_domain(out, domain);
}

static void
on_spooled(void *arg, void *owner)
{
	struct mail *m = owner;

	(void)arg;
	m->spooled = true;
	spooled_told++;
}

static bool
on_asleep(void *arg, void *owner)
{
	struct mail *m = owner;

	(void)arg;
	asleep_told++;
	if (m->stubborn)
		return false;
	m->asleep = true;
	m->stored = NULL;
	return true;
}

static bool
on_knows(void *arg, uint64_t id)
{
	(void)arg;
	return mail_of(id) != NULL;
}

static void
on_destination(void *arg, struct slice name, uint64_t messages, int64_t earliest_ms)
{
	struct told *t = &told[ntold++ % 64];

	(void)arg;
	*t = (struct told){ .messages = messages, .earliest_ms = earliest_ms };
	snprintf(t->name, sizeof(t->name), "%.*s", SLICE_FMT(name));
}

const struct store_ops plan_ops = { .found = on_found, .delta = on_delta, .fold = on_fold, .room = on_room,
	.broken = on_broken, .plan = on_plan, .spooled = on_spooled, .asleep = on_asleep, .knows = on_knows,
	.destination = on_destination };

struct mail *
mail_of(uint64_t id)
{
	for (uint32_t i = nmails; i-- > 0;)
		if (mails[i].id == id && mails[i].stored != NULL)
			return &mails[i];
	return NULL;
}

static void
no_log(enum log_level level, struct slice text, void *arg)
{
	(void)level;
	(void)text;
	(void)arg;
}

/* As if nothing had been found, answered or told yet. */
static void
forget_all(void)
{
	nmails = 0;
	answers = durable = full = failures = wanted = broken_told = 0;
	spooled_told = asleep_told = folds_of_nobody = plans_without_time = ntold = answered = npaged = 0;
	memset(mails, 0, sizeof(mails));
}

bool
open_with(const char *plan)
{
	why_not = (struct err){ 0 };
	forget_all();
	loop = loop_new(&why_not);
	assert_non_null(loop);
#ifdef POSTHORN_FAULTS
	if (plan != NULL)
		fault_plan(plan);
#endif
	(void)plan;
	store = store_open(loop, &conf, plans ? &plan_ops : &ops, NULL, &why_not);
	if (store != NULL)
		return true;
	assert_true(strlen(why_not.text) > 0);
	loop_free(loop);
	loop = NULL;
	return false;
}

void
open_store(void)
{
	if (!open_with(NULL))
		fail_msg("%s", why_not.text);
}

void
close_store(void)
{
	store_close(&store);
	assert_null(store);
	loop_free(loop);
	loop = NULL;
}

void
reopen(void)
{
	close_store();
	open_store();
}

int
setup(void **state)
{
	(void)state;
	log_sink_set(no_log, NULL);
	snprintf(directory, sizeof(directory), "/tmp/test-store-XXXXXX");
	assert_non_null(mkdtemp(directory));
	conf = (struct store_conf){ directory, 8, MIB };
	refuse_deltas = refuse_envelopes = plans = no_memory = false;
	during_fold = NULL;
	rooms_closed = rooms_opened = 0;
	open_store();
	return 0;
}

int
setup_plans(void **state)
{
	if (setup(state) != 0)
		return -1;
	plans = true;
	reopen();
	return 0;
}

int
teardown(void **state)
{
	(void)state;
#ifdef POSTHORN_FAULTS
	fault_plan(NULL);
#endif
	if (store != NULL)
		close_store();
	tempdir_remove(directory);
	return 0;
}

void
again(void **state)
{
	bool was = plans;

	assert_int_equal(teardown(state), 0);
	assert_int_equal(setup(state), 0);
	plans = was;
	reopen();
}

void
on_answer(void *arg, enum store_result result)
{
	(void)arg;
	answers++;
	durable += result == STORE_DURABLE;
	full += result == STORE_FULL;
	failures += result == STORE_FAILED;
	if (answers >= wanted)
		loop_stop(loop);
}

/* Until `n` more answers have come. */
void
wait_answers(uint32_t n)
{
	wanted = answers + n;
	assert_int_equal(loop_run(loop), 0);
	assert_int_equal(answers, wanted);
}

/* --- changes ------------------------------------------------------------------------------------- */

struct mail *
put(enum store_class class, const char *envelope, const char *content, size_t len)
{
	struct change *c = change_new(store, class, on_answer, NULL);
	struct mail *m = &mails[nmails++];
	struct store_put p = { .envelope = slice_str(m->envelope), .content = slice_of(content, len) };

	snprintf(m->envelope, sizeof(m->envelope), "%s", envelope);
	p.envelope = slice_str(m->envelope);
	assert_int_equal(store_next_ids(store, 1, &p.id), 0);
	m->id = p.id;
	m->size = len;
	m->stored = change_put(c, &p, m);
	assert_non_null(m->stored);
	store_commit(store, &c, 0);
	assert_null(c);
	return m;
}

void
state_of(struct mail *m, const char *delta, size_t len, int64_t patience)
{
	struct change *c = change_new(store, STORE_STATE, on_answer, NULL);

	assert_int_equal(change_state(c, m->stored, slice_of(delta, len)), 0);
	store_commit(store, &c, patience);
}

void
done(struct mail *m)
{
	struct change *c = change_new(store, STORE_DONE, on_answer, NULL);

	assert_int_equal(change_done(c, m->stored), 0);
	store_commit(store, &c, 0);
}

struct mail *
put_large(const char *content, size_t len, uint32_t crc)
{
	struct change *c = change_new(store, STORE_CLIENT, on_answer, NULL);
	struct mail *m = &mails[nmails++];
	struct store_put p = { .envelope = SLICE_LIT("large"), .large = true, .large_size = len, .large_crc = crc };
	struct err err;
	int fd;

	assert_int_equal(store_next_ids(store, 1, &p.id), 0);
	fd = store_large_create(store, p.id, &err);
	assert_int_not_equal(fd, -1);
	assert_int_equal(fd_write_all(fd, content, len), 0);
	fd_close(&fd);
	m->id = p.id;
	m->stored = change_put(c, &p, m);
	store_commit(store, &c, 0);
	wait_answers(1);
	return m;
}

#ifdef POSTHORN_FAULTS
bool
killed_at(const char *plan, void (*work)(void))
{
	int status = 0;
	pid_t pid;

	if (store != NULL)
		close_store();
	fflush(NULL);
	pid = fork();
	assert_int_not_equal(pid, -1);
	if (pid == 0) {
		alarm(60);
		fault_plan(plan);
		open_store();
		work();
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
}
#endif

void
one_asleep(void)
{
	put(STORE_CLIENT, "d1 example.org", "content", 7);
	wait_answers(1);
	leave_ring();
	sleep_well(&mails[0]);
}
