/*
 * schedule — the heap of waiting jobs, the rings of destinations, and one timer for the nearest time.
 */
#include "queue/schedule/inside.h"

#include <assert.h>

#include "base/clock.h"
#include "base/mem.h"

#define WAIT_MOST	(INT64_C(24) * 3600 * 1000)	/* a due time further away is looked at again then */

static void run(void *);

static bool
due_less(const struct heap_node *a, const struct heap_node *b)
{
	return CONTAINER_OF(a, const struct job, due)->due_mono_ms < CONTAINER_OF(b, const struct job, due)->due_mono_ms;
}

static bool
pause_less(const struct heap_node *a, const struct heap_node *b)
{
	return CONTAINER_OF(a, const struct destination, pause)->resume_mono_ms <
	    CONTAINER_OF(b, const struct destination, pause)->resume_mono_ms;
}

struct schedule *
schedule_new(struct loop *loop, const struct schedule_ops *ops, void *arg, struct err *err)
{
	struct schedule *s = mem_zalloc(sizeof(*s));

	if (s == NULL || timer_init(&s->timer, loop, run, s) == -1) {
		(void)err_set(err, "no memory for the schedule");
		mem_free(s);
		return NULL;
	}
	s->loop = loop;
	s->ops = ops;
	s->arg = arg;
	s->destination_jobs = 1;
	hash_init(&s->destinations);
	heap_init(&s->waiting, due_less);
	heap_init(&s->pausing, pause_less);
	heap_init(&s->sleeping, schedule_wakes_before);
	TAILQ_INIT(&s->fresh);
	for (int i = 0; i < TRANSPORT_COUNT; i++)
		TAILQ_INIT(&s->rings[i].destinations);
	return s;
}

static void
free_destination(struct hash_node *node, void *arg)
{
	struct destination *d = CONTAINER_OF(node, struct destination, by_name);

	(void)arg;
	destination_free(&d);
}

void
schedule_free(struct schedule **sp)
{
	struct schedule *s = *sp;

	*sp = NULL;
	if (s == NULL)
		return;
	hash_each(&s->destinations, free_destination, NULL);
	hash_fini(&s->destinations);
	heap_fini(&s->waiting);
	heap_fini(&s->pausing);
	heap_fini(&s->sleeping);
	timer_fini(&s->timer);
	loop_hook_cancel(s->loop, &s->hook);
	mem_free(s);
}

static void
set_most(struct hash_node *node, void *arg)
{
	struct destination *d = CONTAINER_OF(node, struct destination, by_name);

	d->most = *(uint32_t *)arg;
	if (d->window > d->most)
		d->window = d->most;
}

void
schedule_limit(struct schedule *s, uint32_t destination_jobs)
{
	s->destination_jobs = destination_jobs > 0 ? destination_jobs : 1;
	hash_each(&s->destinations, set_most, &s->destination_jobs);
}

void
schedule_run_soon(struct schedule *s)
{
	loop_at_end(s->loop, &s->hook, run, s);
}

static void
consider_each(struct hash_node *node, void *arg)
{
	schedule_consider(arg, CONTAINER_OF(node, struct destination, by_name));
}

void
schedule_pause(struct schedule *s, enum transport transport, bool pause)
{
	if (s->rings[transport].paused == pause)
		return;			/* said each time an agent has room again; there may be ten thousand destinations */
	s->rings[transport].paused = pause;
	hash_each(&s->destinations, consider_each, s);
	schedule_run_soon(s);
}

void
schedule_wake(struct schedule *s, enum transport transport)
{
	if (!s->rings[transport].full)
		return;
	s->rings[transport].full = false;
	schedule_run_soon(s);
}

/* --- destinations ------------------------------------------------------------------------------ */

static uint64_t
name_hash(enum transport transport, struct slice nexthop)
{
	return hash_slice(nexthop) + transport;
}

static struct destination *
find_destination(const struct schedule *s, enum transport transport, struct slice nexthop)
{
	struct hash_node *n;

	for (n = hash_first(&s->destinations, name_hash(transport, nexthop)); n != NULL; n = hash_next(n)) {
		struct destination *d = CONTAINER_OF(n, struct destination, by_name);

		if (d->transport == transport && slice_eq(d->nexthop, nexthop))
			return d;
	}
	return NULL;
}

struct destination *
schedule_destination(struct schedule *s, enum transport transport, struct slice nexthop)
{
	struct destination *d = find_destination(s, transport, nexthop);

	if (d == NULL && (d = destination_new(transport, nexthop, s->destination_jobs)) != NULL)
		hash_insert(&s->destinations, &d->by_name, name_hash(transport, nexthop));
	return d;
}

static void
leave_ring(struct schedule *s, struct destination *d)
{
	if (d->has_turn)
		TAILQ_REMOVE(&s->rings[d->transport].destinations, d, turn);
	d->has_turn = false;
}

static void
join_ring(struct schedule *s, struct destination *d)
{
	if (d->has_turn || !destination_can_start(d))
		return;
	TAILQ_INSERT_TAIL(&s->rings[d->transport].destinations, d, turn);
	d->has_turn = true;
	schedule_run_soon(s);
}

/* A destination that nobody names is forgotten, unless it backs off, or messages for it sleep: then it still has something to say. */
void
schedule_release(struct schedule *s, struct destination *d)
{
	d->jobs--;
	schedule_consider(s, d);
	if (d->jobs > 0 || d->resume_mono_ms != 0 || d->waking || d->wake_mono_ms != DESTINATION_NONE_SLEEP)
		return;
	leave_ring(s, d);
	hash_remove(&s->destinations, &d->by_name);
	destination_free(&d);
}

static void
resume_destination(struct schedule *s, struct destination *d)
{
	heap_remove(&s->pausing, &d->pause);
	d->resume_mono_ms = 0;
	d->jobs++;
	join_ring(s, d);
	schedule_release(s, d);
}

static void
pause_destination(struct schedule *s, struct destination *d, int64_t ms)
{
	heap_remove(&s->pausing, &d->pause);
	d->paused_mono_ms = loop_now(s->loop);
	d->resume_mono_ms = d->paused_mono_ms + ms;
	leave_ring(s, d);
	if (heap_push(&s->pausing, &d->pause) == -1) {
		d->resume_mono_ms = 0;		/* without memory it merely does not pause */
		join_ring(s, d);
	}
	schedule_run_soon(s);
}

/* --- where a job is ---------------------------------------------------------------------------- */

static void
stop_collecting(struct schedule *s, struct job *job)
{
	TAILQ_REMOVE(&s->fresh, job, link);
	if (job->destination->collecting == job)
		job->destination->collecting = NULL;
}

static void
unplace(struct schedule *s, struct job *job)
{
	struct destination *d = job->destination;

	switch (job->state) {
	case JOB_FRESH:
		stop_collecting(s, job);
		break;
	case JOB_WAITING:
		heap_remove(&s->waiting, &job->due);
		break;
	case JOB_READY:
		TAILQ_REMOVE(&d->ready, job, link);
		d->lined_up--;
		schedule_consider(s, d);
		if (TAILQ_EMPTY(&d->ready))
			leave_ring(s, d);
		break;
	default:
		break;
	}
	job->state = JOB_NONE;
}

static void
make_ready(struct schedule *s, struct job *job)
{
	job->state = JOB_READY;
	job->ready_mono_ms = clock_mono_ms();
	TAILQ_INSERT_TAIL(&job->destination->ready, job, link);
	job->destination->lined_up++;
	join_ring(s, job->destination);
}

static void
make_waiting(struct schedule *s, struct job *job, int64_t in_ms)
{
	job->state = JOB_WAITING;
	job->is_far = in_ms > WAIT_MOST;
	job->due_mono_ms = loop_now(s->loop) + (job->is_far ? WAIT_MOST : in_ms);
	if (heap_push(&s->waiting, &job->due) == -1) {
		make_ready(s, job);	/* early is better than never */
		return;
	}
	schedule_run_soon(s);
}

static void
put_in_place(struct schedule *s, struct job *job)
{
	int64_t next = job_next_wall_ms(job), in_ms = next - clock_wall_ms();

	if (job_open(job) == 0)
		schedule_drop(s, job);
	else if (next == -1)
		job->state = JOB_HELD;
	else if (next == 0 || in_ms <= 0)
		make_ready(s, job);
	else
		make_waiting(s, job, in_ms);
}

static struct job *
collecting_job(struct schedule *s, struct message *m, struct destination *d)
{
	struct job *job = d->collecting;

	if (job != NULL && job->message == m && job->count < JOB_RECIPIENTS_MAX)
		return job;
	job = job_new(m, d, m->envelope.count < JOB_RECIPIENTS_MAX ? m->envelope.count : JOB_RECIPIENTS_MAX);
	if (job == NULL)
		return NULL;
	job->state = JOB_FRESH;
	d->collecting = job;
	d->jobs++;
	LIST_INSERT_HEAD(&m->jobs, job, of_message);
	TAILQ_INSERT_TAIL(&s->fresh, job, link);
	schedule_run_soon(s);
	return job;
}

static void
join_job(struct job *job, uint32_t index)
{
	struct place *place = &job->message->places[index];

	job->indexes[job->count++] = index;
	place->stage = STAGE_JOB;
	place->job = job;
	if (job->destination != NULL)
		place->nexthop = job->destination->nexthop;
	if (job->message->envelope.recipients[index].fate.flags & FATE_MAYBE)
		job->flags |= JOB_MAYBE;
}

int
schedule_add(struct schedule *s, struct message *m, uint32_t index, enum transport transport, struct slice nexthop)
{
	struct destination *d = schedule_destination(s, transport, nexthop);
	struct job *job = d == NULL ? NULL : collecting_job(s, m, d);

	if (job == NULL) {
		if (d != NULL && d->jobs == 0) {
			d->jobs++;
			schedule_release(s, d);
		}
		return -1;
	}
	join_job(job, index);
	return 0;
}

struct job *
schedule_adopt(struct schedule *s, struct message *m, const uint32_t *indexes, uint32_t count)
{
	struct job *job = job_new(m, NULL, count);

	(void)s;
	if (job == NULL)
		return NULL;
	job->state = JOB_ACTIVE;
	LIST_INSERT_HEAD(&m->jobs, job, of_message);
	for (uint32_t i = 0; i < count; i++)
		join_job(job, indexes[i]);
	return job;
}

/* --- what becomes of a job --------------------------------------------------------------------- */

void
schedule_settling(struct schedule *s, struct job *job, bool reachable)
{
	struct destination *d = job->destination;
	int64_t pause;

	assert(job->state == JOB_ACTIVE);
	job->state = JOB_SETTLING;
	if (d == NULL)
		return;
	d->in_flight--;
	pause = destination_answered(d, reachable);
	if (pause > 0)
		pause_destination(s, d, pause);
	else
		join_ring(s, d);
	schedule_consider(s, d);
}

void
schedule_drop(struct schedule *s, struct job *job)
{
	struct destination *d = job->destination;

	if (job->state == JOB_ACTIVE && d != NULL) {
		d->in_flight--;
		join_ring(s, d);
	}
	unplace(s, job);
	LIST_REMOVE(job, of_message);
	for (uint32_t i = 0; i < job->count; i++)
		job->message->places[job->indexes[i]].nexthop = slice_of("", 0);
	job_free(&job);
	if (d != NULL)
		schedule_release(s, d);
}

void
schedule_again(struct schedule *s, struct job *job)
{
	if (job->state == JOB_ACTIVE && job->destination != NULL) {
		job->destination->in_flight--;
		join_ring(s, job->destination);
	}
	unplace(s, job);
	job->agent = NULL;
	put_in_place(s, job);
}

static void
review_job(struct job *job, void *arg)
{
	struct schedule *s = arg;

	if (job->state == JOB_WAITING || job->state == JOB_READY || job->state == JOB_HELD)
		schedule_again(s, job);
}

void
schedule_review(struct schedule *s, struct message *m)
{
	schedule_each_job(m, review_job, s);
}

void
schedule_resume(struct schedule *s, struct slice nexthop, int64_t since_mono_ms)
{
	struct destination *d = find_destination(s, TRANSPORT_RELAY, nexthop);

	if (d != NULL && d->resume_mono_ms != 0 && d->paused_mono_ms <= since_mono_ms)
		resume_destination(s, d);
}

/* --- running ----------------------------------------------------------------------------------- */

static void
take_due(struct schedule *s)
{
	int64_t now = loop_now(s->loop);
	struct heap_node *node;

	while ((node = heap_least(&s->pausing)) != NULL) {
		struct destination *d = CONTAINER_OF(node, struct destination, pause);

		if (d->resume_mono_ms > now)
			break;
		resume_destination(s, d);
	}
	while ((node = heap_least(&s->waiting)) != NULL) {
		struct job *job = CONTAINER_OF(node, struct job, due);

		if (job->due_mono_ms > now)
			break;
		unplace(s, job);
		/* Its time has come by the clock that nobody turns, whatever the other one says now. */
		if (job->is_far || job_next_wall_ms(job) == -1)
			put_in_place(s, job);
		else
			make_ready(s, job);
	}
}

static void
place_fresh(struct schedule *s)
{
	struct job *job;

	while ((job = TAILQ_FIRST(&s->fresh)) != NULL) {
		unplace(s, job);
		put_in_place(s, job);
	}
}

static void
run_ring(struct schedule *s, struct ring *ring)
{
	struct destination *d;

	while (!ring->paused && !ring->full && (d = TAILQ_FIRST(&ring->destinations)) != NULL) {
		struct job *job = TAILQ_FIRST(&d->ready);

		switch (s->ops->start(s->arg, job)) {
		case START_LATER:
			ring->full = true;
			return;
		case START_TAKEN:
			TAILQ_REMOVE(&d->ready, job, link);
			d->lined_up--;
			job->state = JOB_ACTIVE;
			d->in_flight++;
			leave_ring(s, d);	/* and back at the end, when it may start more */
			join_ring(s, d);
			break;
		default:		/* gone: the owner dropped it, and maybe the destination with it */
			break;
		}
	}
}

static void
set_timer(struct schedule *s)
{
	struct heap_node *a = heap_least(&s->waiting), *b = heap_least(&s->pausing);
	struct heap_node *c = heap_least(&s->sleeping);
	int64_t at = INT64_MAX;

	if (c != NULL)
		at = CONTAINER_OF(c, struct destination, sleepers)->wake_mono_ms;
	if (a != NULL && CONTAINER_OF(a, struct job, due)->due_mono_ms < at)
		at = CONTAINER_OF(a, struct job, due)->due_mono_ms;
	if (b != NULL && CONTAINER_OF(b, struct destination, pause)->resume_mono_ms < at)
		at = CONTAINER_OF(b, struct destination, pause)->resume_mono_ms;
	if (at == INT64_MAX)
		timer_stop(&s->timer);
	else
		timer_set(&s->timer, at - loop_now(s->loop));
}

static void
run(void *arg)
{
	struct schedule *s = arg;

	take_due(s);
	schedule_wake_due(s);
	place_fresh(s);
	for (int i = TRANSPORT_NONE + 1; i < TRANSPORT_COUNT; i++)
		run_ring(s, &s->rings[i]);
	set_timer(s);
}

/* --- looking at it ----------------------------------------------------------------------------- */

bool
schedule_in_vain(const struct job *job)
{
	return (job->state == JOB_READY || job->state == JOB_FRESH) && job->destination != NULL &&
	    job->destination->failures > 0;
}

bool
schedule_may_sleep(const struct schedule *s, const struct job *job, int64_t soon_ms)
{
	switch (job->state) {
	case JOB_HELD:
		return true;
	case JOB_WAITING:
		return job->due_mono_ms > loop_now(s->loop) + soon_ms;
	case JOB_READY:
		return job->destination != NULL && destination_is_crowded(job->destination);
	default:
		return false;
	}
}

const char *
schedule_why(const struct schedule *s, const struct job *job)
{
	const struct destination *d = job->destination;

	switch (job->state) {
	case JOB_ACTIVE:
		return "being delivered";
	case JOB_SETTLING:
		return "recording the outcome";
	case JOB_HELD:
		return "held until somebody releases it";
	case JOB_WAITING:
		return "waiting for its next attempt";
	case JOB_READY:
		if (d != NULL && s->rings[d->transport].paused)
			return "deliveries are paused";
		if (d != NULL && d->resume_mono_ms != 0)
			return "its destination does not answer";
		if (d != NULL && d->in_flight >= d->window)
			return "its destination is busy";
		return "waiting for an agent";
	default:
		return "being scheduled";
	}
}

void
schedule_each_job(struct message *m, void (*each)(struct job *, void *), void *arg)
{
	struct job *job, *next;

	LIST_FOREACH_SAFE(job, &m->jobs, of_message, next)
		each(job, arg);
}
