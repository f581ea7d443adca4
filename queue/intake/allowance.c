/* allowance — a table of the logins that have sent something within the hour, by name. */
#include "queue/intake/allowance.h"

#include "base/hash.h"
#include "base/mem.h"

#define SWEEP_EVERY	INT64_C(60000)	/* ms: a full table is not searched for empty buckets with each message */

struct allowance {
	struct hash_node	by_login;
	struct allowance_used	used;		/* at: */
	int64_t			at_ms;
	struct slice		login;		/* behind the struct */
};

struct allowances {
	struct hash		by_login;
	bool			swept;		/* once it was full, at: */
	int64_t			swept_ms;
};

/* A walk over all of them, at one time and under one pair of limits. */
struct walk {
	struct allowances		*all;
	const struct allowance_limits	*limits;
	int64_t				 now_ms;
	void				(*each)(void *, struct slice, const struct allowance_used *);
	void				*arg;
	size_t				 limited;
};

struct allowances *
allowances_new(void)
{
	struct allowances *all = mem_zalloc(sizeof(*all));

	if (all != NULL)
		hash_init(&all->by_login);
	return all;
}

static void
drop(struct allowances *all, struct allowance *a)
{
	hash_remove(&all->by_login, &a->by_login);
	mem_free(a);
}

static void
drop_node(struct hash_node *node, void *all)
{
	drop(all, CONTAINER_OF(node, struct allowance, by_login));
}

void
allowances_free(struct allowances **allp)
{
	struct allowances *all = *allp;

	*allp = NULL;
	if (all == NULL)
		return;
	hash_each(&all->by_login, drop_node, all);
	hash_fini(&all->by_login);
	mem_free(all);
}

/* --- one pair of buckets ------------------------------------------------------------------------ */

static int64_t
elapsed_ms(int64_t since_ms, int64_t now_ms)
{
	if (now_ms <= since_ms)
		return 0;
	return now_ms - since_ms < ALLOWANCE_PERIOD ? now_ms - since_ms : ALLOWANCE_PERIOD;
}

static uint64_t
size_of(uint32_t an_hour)
{
	return an_hour * ALLOWANCE_ONE;
}

/* False: both are empty. */
static bool
leak(struct allowance *a, const struct allowance_limits *limits, int64_t now_ms)
{
	uint64_t elapsed = (uint64_t)elapsed_ms(a->at_ms, now_ms), left = 0;

	a->at_ms = now_ms;
	for (int k = 0; k < ALLOWANCE_KINDS; k++) {
		uint64_t *used = &a->used.in[k], gone = limits->an_hour[k] * elapsed;

		if (*used > size_of(limits->an_hour[k]))
			*used = size_of(limits->an_hour[k]);
		*used -= gone < *used ? gone : *used;
		left |= *used;
	}
	return left != 0;
}

/* Until so many more fit, of as many as ever do. */
static int64_t
wait_ms(uint64_t used, uint32_t an_hour, uint32_t more)
{
	uint64_t sum = used + more * ALLOWANCE_ONE, size = size_of(an_hour);

	return an_hour == 0 || sum <= size ? 0 : (int64_t)((sum - size + an_hour - 1) / an_hour);
}

/* The longer wait of the two; 0: it fits now. */
static int64_t
longest_wait(const struct allowance *a, const struct allowance_limits *limits, uint32_t recipients, enum allowance_kind *kind)
{
	int64_t messages = wait_ms(a->used.in[ALLOWANCE_MESSAGES], limits->an_hour[ALLOWANCE_MESSAGES], 1);
	int64_t names = wait_ms(a->used.in[ALLOWANCE_RECIPIENTS], limits->an_hour[ALLOWANCE_RECIPIENTS], recipients);

	*kind = names > messages ? ALLOWANCE_RECIPIENTS : ALLOWANCE_MESSAGES;
	return names > messages ? names : messages;
}

/* --- the table ---------------------------------------------------------------------------------- */

/* Capitals make no other login: who checks passwords may not look at them, and each way to write it would have its own hour. */
static struct allowance *
find(const struct allowances *all, struct slice login)
{
	for (struct hash_node *n = hash_first(&all->by_login, hash_slice_nocase(login)); n != NULL; n = hash_next(n))
		if (slice_caseeq(CONTAINER_OF(n, struct allowance, by_login)->login, login))
			return CONTAINER_OF(n, struct allowance, by_login);
	return NULL;
}

static void
ignore(void *arg, struct slice login, const struct allowance_used *used)
{
	(void)arg;
	(void)login;
	(void)used;
}

static void
make_room(struct allowances *all, const struct allowance_limits *limits, int64_t now_ms)
{
	if (all->by_login.count < ALLOWANCE_LOGINS ||
	    (all->swept && now_ms >= all->swept_ms && now_ms - all->swept_ms < SWEEP_EVERY))
		return;
	all->swept = true;
	all->swept_ms = now_ms;
	allowances_each(all, limits, now_ms, ignore, NULL);
}

/* NULL: no room. */
static struct allowance *
add(struct allowances *all, struct slice login, int64_t now_ms)
{
	struct allowance *a;

	if (all->by_login.count >= ALLOWANCE_LOGINS || (a = mem_zalloc(sizeof(*a) + login.len)) == NULL)
		return NULL;
	if (login.len > 0)
		memcpy(a + 1, login.p, login.len);
	a->login = slice_of(a + 1, login.len);
	a->at_ms = now_ms;
	hash_insert(&all->by_login, &a->by_login, hash_slice_nocase(login));
	return a;
}

struct allowance_answer
allowance_take(struct allowances *all, const struct allowance_limits *limits, struct slice login, uint32_t recipients, int64_t now_ms)
{
	const uint32_t *an_hour = limits->an_hour, more[] = { 1, recipients };
	struct allowance_answer answer = { .verdict = ALLOWANCE_FITS };
	struct allowance *a;

	if (an_hour[ALLOWANCE_MESSAGES] == 0 && an_hour[ALLOWANCE_RECIPIENTS] == 0)
		return answer;
	if (an_hour[ALLOWANCE_RECIPIENTS] != 0 && recipients > an_hour[ALLOWANCE_RECIPIENTS])
		return (struct allowance_answer){ .verdict = ALLOWANCE_NEVER, .kind = ALLOWANCE_RECIPIENTS };
	if ((a = find(all, login)) == NULL) {
		make_room(all, limits, now_ms);
		if ((a = add(all, login, now_ms)) == NULL)
			return answer;
	}
	(void)leak(a, limits, now_ms);
	answer.wait_ms = longest_wait(a, limits, recipients, &answer.kind);
	if (answer.wait_ms > 0) {
		answer.verdict = ALLOWANCE_LATER;
		return answer;
	}
	for (int k = 0; k < ALLOWANCE_KINDS; k++)
		a->used.in[k] += an_hour[k] != 0 ? more[k] * ALLOWANCE_ONE : 0;
	answer.counted = true;
	return answer;
}

void
allowance_give_back(struct allowances *all, struct slice login, uint32_t recipients)
{
	const uint32_t less[] = { 1, recipients };
	struct allowance *a = find(all, login);

	for (int k = 0; a != NULL && k < ALLOWANCE_KINDS; k++) {
		uint64_t back = less[k] * ALLOWANCE_ONE;

		a->used.in[k] -= back < a->used.in[k] ? back : a->used.in[k];
	}
}

bool
allowance_put(struct allowances *all, struct slice login, const struct allowance_used *used, int64_t at_ms)
{
	struct allowance *a = find(all, login);

	if (a == NULL && (a = add(all, login, at_ms)) == NULL)
		return false;
	for (int k = 0; k < ALLOWANCE_KINDS; k++)
		if (used->in[k] > a->used.in[k])
			a->used.in[k] = used->in[k];
	return true;
}

/* --- all of them -------------------------------------------------------------------------------- */

static void
show(struct hash_node *node, void *arg)
{
	const struct walk *w = arg;
	struct allowance *a = CONTAINER_OF(node, struct allowance, by_login);

	if (leak(a, w->limits, w->now_ms))
		w->each(w->arg, a->login, &a->used);
	else
		drop(w->all, a);
}

void
allowances_each(struct allowances *all, const struct allowance_limits *limits, int64_t now_ms,
    void (*each)(void *, struct slice, const struct allowance_used *), void *arg)
{
	struct walk w = { .all = all, .limits = limits, .now_ms = now_ms, .each = each, .arg = arg };

	hash_each(&all->by_login, show, &w);
}

static void
count_limited(struct hash_node *node, void *arg)
{
	struct walk *w = arg;
	struct allowance *a = CONTAINER_OF(node, struct allowance, by_login);
	enum allowance_kind kind;

	(void)leak(a, w->limits, w->now_ms);
	w->limited += longest_wait(a, w->limits, 1, &kind) > 0;
}

size_t
allowances_limited(struct allowances *all, const struct allowance_limits *limits, int64_t now_ms)
{
	struct walk w = { .all = all, .limits = limits, .now_ms = now_ms };

	hash_each(&all->by_login, count_limited, &w);
	return w.limited;
}
