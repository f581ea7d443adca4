/*
 * gate — see gate.h. attempt_answer is where an attempt is decided, attempt_end the one way out of it.
 */
#include "lookup/password/gate_inside.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/random.h"
#include "lookup/worker.h"

#define LINE_MOST	256	/* attempts that wait for a worker */
#define LINE_EACH	16	/* of them from one address */
#define DOOR_MOST	20000	/* attempts and logins of one smtpd */
#define QUEUE_MS	5000	/* for its answer */
/* Our trouble, in the words by which log readers tell it from a wrong password. */
#define AWAY(words)	"Connection lost to authentication server: " words

/* --- deciding --------------------------------------------------------------------------------- */

static void
attempt_end(struct attempt *a, uint16_t type, const char *why)
{
	*(type == AUTH_FAILED ? &a->gate->failed : &a->gate->put_off) += 1;
	door_tell(a, type, slice_str(why));
	attempt_drop(a);
}

static void
on_timer(void *arg)
{
	struct attempt *a = arg;

	switch (a->state) {
	case ATTEMPT_HELD:
		attempt_end(a, AUTH_FAILED, a->why);
		break;
	case ATTEMPT_QUEUE:
		attempt_end(a, AUTH_LATER, AWAY("the queue is away"));
		break;
	default:
		attempt_end(a, AUTH_LATER, AWAY("the check did not end in time"));
		break;
	}
}

static void
ask_queue(struct attempt *a)
{
	a->state = ATTEMPT_QUEUE;
	timer_set(&a->timer, QUEUE_MS);
	/* When it is away it may be back within the time: then it hears of this one as of all others. */
	(void)queue_login(a);
}

static void
grant(struct attempt *a)
{
	do
		random_bytes(&a->token, sizeof(a->token));
	while (!token_is_set(&a->token));
	ask_queue(a);
}

void
attempt_known(struct gate *g, const struct auth_known *known)
{
	struct attempt *a = attempt_by_id(g, known->serial);

	if (a == NULL || (a->state != ATTEMPT_QUEUE && a->state != ATTEMPT_LIVE))
		return;		/* it has been cancelled meanwhile */
	if (!known->ok) {
		attempt_end(a, AUTH_LATER, AWAY("queue does not take the login"));
	} else if (a->state == ATTEMPT_QUEUE) {
		timer_stop(&a->timer);
		a->state = ATTEMPT_LIVE;
		g->live++;
		if (!a->resumed) {
			g->granted++;
			failures_succeeded(g->failures, attempt_address(a), slice_str(a->login), loop_now(g->loop));
		}
		a->resumed = false;
		door_tell(a, AUTH_OK, slice_of("", 0));
	}
}

static void
hold(struct attempt *a, struct slice why)
{
	struct gate *g = a->gate;
	int64_t delay = failures_add(g->failures, &g->rules, attempt_address(a), slice_str(a->login), loop_now(g->loop));

	(void)snprintf(a->why, sizeof(a->why), "%.*s", SLICE_FMT(why));
	a->state = ATTEMPT_HELD;
	timer_set(&a->timer, delay);
}

static bool
is_refused(const struct attempt *a)
{
	const struct gate *g = a->gate;

	return failures_refuse(g->failures, &g->rules, attempt_address(a), slice_str(a->login), loop_now(g->loop));
}

/*
 * The state is CHECKED, and that is over. SCRAM says by a challenge that a proof is right (RFC 5802 3), so who is refused hears of none
 * either. Dovecot names the login with its verdict only.
 */
static void
attempt_answer(struct attempt *a, const struct check_answer *answer)
{
	if (answer->login.len > 0)
		(void)snprintf(a->login, sizeof(a->login), "%.*s", SLICE_FMT(answer->login));
	timer_stop(&a->timer);
	if (answer->result == SASL_CHALLENGE && (a->login[0] == '\0' || !is_refused(a))) {
		a->state = ATTEMPT_CLIENT;
		door_tell(a, AUTH_CHALLENGE, answer->challenge);
		return;
	}
	a->state = ATTEMPT_NONE;
	attempt_wipe(a);
	if (answer->result == SASL_TROUBLE)
		attempt_end(a, AUTH_LATER, AWAY("the users cannot be asked"));
	else if (is_refused(a))
		attempt_end(a, AUTH_LATER, "too many failed logins");
	else if (answer->result == SASL_OK)
		grant(a);
	else
		hold(a, answer->why);
}

/* --- users in a file: workers; users in PAM: those of the process pam ---------------------------- */

/* Whether this client may have been offered -PLUS: it can be told only to who can bind. */
static bool
offers_plus(const struct attempt *a)
{
	return a->channel_count > 0 && strstr(a->gate->mechanisms, sasl_name(SASL_SCRAM_PLUS)) != NULL;
}

static bool
somebody_free(const struct gate *g)
{
	return g->by_pam ? pam_peer_ready(g->pam, (uint32_t)g->conf->submission.workers) : pool_ready(g->pool);
}

static bool
somebody_works(const struct gate *g)
{
	return g->by_pam ? pam_peer_here(g->pam) : pool_hopeful(g->pool);
}

/* The pool has a clock of its own; pam's has, too, and it waits for a fresh checker besides. */
static void
give(struct gate *g, struct attempt *a, const struct sasl_said *said)
{
	if (g->by_pam) {
		timer_set(&a->timer, 2 * g->conf->lookup.answer_timeout);
		pam_peer_ask(g->pam, a->id, said);
		return;
	}
	timer_stop(&a->timer);
	check_ask_put(pool_begin(g->pool, WORKER_STEP, a), said);
	pool_end(g->pool);
}

static void
dispatch(void *arg)
{
	struct gate *g = arg;
	struct attempt *a;

	while ((a = TAILQ_FIRST(&g->line)) != NULL && somebody_free(g)) {
		struct sasl_said said = { .mechanism = a->mechanism, .plus_offered = offers_plus(a), .client = attempt_address(a),
		    .nonce = slice_of(a->nonce, NONCE_LEN), .channel_count = a->channel_count, .count = a->count };

		attempt_leave_line(a);
		a->state = ATTEMPT_CHECKED;
		memcpy(said.channels, a->channels, sizeof(said.channels));
		memcpy(said.responses, a->responses, sizeof(said.responses));
		give(g, a, &said);
	}
	/* All workers rest after early deaths, or pam is away. */
	while ((a = TAILQ_FIRST(&g->line)) != NULL && !somebody_works(g))
		attempt_end(a, AUTH_LATER, AWAY("nobody can check it now"));
}

static int
on_worker_frame(void *arg, void *question, uint16_t type, struct reader *in)
{
	struct check_answer answer;

	(void)arg;
	if (type == WORKER_SAY)
		return worker_said(in);
	if (type != WORKER_STEPPED || check_answer_get(in, &answer) == -1)
		return -1;
	if (question != NULL)
		attempt_answer(question, &answer);
	return 1;
}

static void
on_worker_lost(void *arg, void *question)
{
	(void)arg;
	attempt_end(question, AUTH_LATER, AWAY("the check did not end in time"));
}

static int
on_fork(void *arg, int fd)
{
	const struct gate *g = arg;

	return checker_run_file(fd, g->conf->submission.users + strlen("file:"), g->secret);
}

static void
put_in_line(struct attempt *a)
{
	struct gate *g = a->gate;
	const struct attempt *other;
	size_t same = 0;

	TAILQ_FOREACH(other, &g->line, line)
		same += slice_eq(failures_place(attempt_address(other)), failures_place(attempt_address(a)));
	if (g->waiting >= LINE_MOST || same >= LINE_EACH) {
		attempt_end(a, AUTH_LATER, AWAY("too many log in at once"));
		return;
	}
	a->state = ATTEMPT_LINE;
	TAILQ_INSERT_TAIL(&g->line, a, line);
	g->waiting++;
	timer_set(&a->timer, g->conf->lookup.answer_timeout);
	dispatch(g);
}

/* Dovecot's and pam's: an attempt may have ended meanwhile. */
static void
on_answer(void *arg, uint32_t id, const struct check_answer *answer)
{
	struct attempt *a = attempt_by_id(arg, id);

	if (a != NULL && a->state == ATTEMPT_CHECKED && !a->orphan)
		attempt_answer(a, answer);
}

/* --- users at Dovecot --------------------------------------------------------------------------- */

/* Who checked is gone: an answer now, or, while the client thinks, when it has spoken. */
static void
orphan_all(struct gate *g)
{
	struct attempt *a, *next;
	struct door *door;

	TAILQ_FOREACH(door, &g->doors, all)
		for (a = TAILQ_FIRST(&door->attempts); a != NULL; a = next) {
			next = TAILQ_NEXT(a, of_door);
			if (a->state > ATTEMPT_CLIENT)
				continue;
			a->orphan = true;
			if (a->state != ATTEMPT_CLIENT)
				attempt_end(a, AUTH_LATER, AWAY("the users cannot be asked"));
		}
}

static void	offer(struct gate *, struct slice);

static void
on_dovecot_offers(void *arg, struct slice names)
{
	struct gate *g = arg;

	/* What it could do it will be able to do again: a client that is told of no AUTH would not even try later. */
	if (names.len == 0)
		orphan_all(g);
	else
		offer(g, names);
}

static void
ask_dovecot(struct attempt *a, const struct auth_begin *begin, struct slice response)
{
	struct gate *g = a->gate;
	int result;

	a->state = ATTEMPT_CHECKED;
	/* Dovecot holds failures back for some seconds, and its passdb may be far away. */
	timer_set(&a->timer, 6 * g->conf->lookup.answer_timeout);
	result = begin != NULL ? dovecot_begin(g->dovecot, a->id, begin) : dovecot_continue(g->dovecot, a->id, response);
	if (result == -1)
		attempt_end(a, AUTH_LATER, AWAY("Dovecot is away, or the response is too long for it"));
}

/* --- frames of smtpd ---------------------------------------------------------------------------- */

/* A whole word of what is offered. */
static bool
is_offered(const struct gate *g, struct slice mechanism)
{
	struct slice rest = slice_str(g->mechanisms);

	while (rest.p != NULL)
		if (slice_eq(slice_split(rest, ' ', &rest), mechanism))
			return true;
	return false;
}

static void
check_new(struct attempt *a, const struct auth_begin *begin)
{
	struct gate *g = a->gate;

	if (!begin->secure)
		attempt_end(a, AUTH_FAILED, "the connection is not encrypted");
	else if (failures_refuse_address(g->failures, &g->rules, attempt_address(a), loop_now(g->loop)))
		attempt_end(a, AUTH_LATER, "too many failed logins from this address");
	else if (g->pool == NULL && g->dovecot == NULL && !g->by_pam)
		attempt_end(a, AUTH_LATER, AWAY("nobody can log in here"));
	else if (!is_offered(g, begin->mechanism))
		attempt_end(a, g->mechanisms[0] == '\0' ? AUTH_LATER : AUTH_FAILED, "Invalid authentication mechanism");
	else if (g->dovecot != NULL)
		ask_dovecot(a, begin, slice_of("", 0));
	else if (begin->has_response && attempt_keep(a, begin->response) == -1)
		attempt_end(a, AUTH_LATER, AWAY("no memory"));
	else
		put_in_line(a);
}

int
attempt_begin(struct door *door, const struct auth_begin *begin)
{
	struct attempt *a;

	if (attempt_find(door, begin->serial) != NULL)
		return -1;
	door->gate->begun++;
	if (door->count >= DOOR_MOST || (a = attempt_new(door, begin, on_timer)) == NULL) {
		door->gate->put_off++;
		door_refuse(door, begin->serial, SLICE_LIT(AWAY("no room for another login")));
		return 0;
	}
	if (attempt_keep_channels(a, begin) == -1)
		attempt_end(a, AUTH_LATER, AWAY("no memory"));
	else
		check_new(a, begin);
	return 0;
}

int
attempt_resume(struct door *door, const struct auth_granted *granted)
{
	/* Where from and how is forgotten: it has been checked. */
	const struct auth_begin begin = { .serial = granted->serial, .mechanism = SLICE_LIT("PLAIN"), .client = SLICE_LIT("\0\0\0\0") };
	struct attempt *a;

	if (attempt_find(door, granted->serial) != NULL)
		return -1;
	if (door->count >= DOOR_MOST || (a = attempt_new(door, &begin, on_timer)) == NULL) {
		door_refuse(door, granted->serial, SLICE_LIT(AWAY("no room for another login")));
		return 0;
	}
	a->resumed = true;
	a->token = granted->token;
	(void)snprintf(a->login, sizeof(a->login), "%.*s", SLICE_FMT(granted->login));
	ask_queue(a);
	return 0;
}

int
attempt_continue(struct door *door, const struct auth_piece *piece)
{
	struct attempt *a = attempt_find(door, piece->serial);

	if (a == NULL || a->state != ATTEMPT_CLIENT)
		return -1;
	if (a->orphan)
		attempt_end(a, AUTH_LATER, AWAY("the users cannot be asked"));
	else if (a->gate->dovecot != NULL)
		ask_dovecot(a, NULL, piece->bytes);
	else if (attempt_keep(a, piece->bytes) == -1)
		attempt_end(a, AUTH_LATER, AWAY("no memory, or a dialogue without end"));
	else
		put_in_line(a);
	return 0;
}

/* --- life --------------------------------------------------------------------------------------- */

/* What EHLO may say: of what the back end can, what the configuration names; all of it when that names none. */
static void
offer(struct gate *g, struct slice able)
{
	const struct conf_strings *wanted = &g->conf->submission.mechanisms;
	struct door *door;
	size_t len = 0;

	g->mechanisms[0] = '\0';
	while (able.p != NULL) {
		struct slice name = slice_split(able, ' ', &able);
		bool wants = wanted->count == 0;

		for (uint32_t i = 0; i < wanted->count; i++)
			wants = wants || slice_eq(name, slice_str(wanted->v[i]));
		if (wants && name.len > 0 && len + name.len + 1 < sizeof(g->mechanisms))
			len += (size_t)snprintf(g->mechanisms + len, sizeof(g->mechanisms) - len, "%s%.*s", len > 0 ? " " : "",
			    SLICE_FMT(name));
	}
	TAILQ_FOREACH(door, &g->doors, all)
		door_mechanisms(door);
}

static int
open_users(struct gate *g, struct err *err)
{
	const struct pool_ops pool_ops = { on_fork, on_worker_frame, on_worker_lost, dispatch, g };
	const struct dovecot_ops dovecot_ops = { on_dovecot_offers, on_answer, g };
	const struct conf_submission *conf = &g->conf->submission;

	g->by_pam = false;
	if (slice_starts(slice_str(conf->users), SLICE_LIT("file:"))) {
		g->pool = pool_new(g->loop, (uint32_t)conf->workers, g->conf->lookup.answer_timeout, &pool_ops, err);
		offer(g, conf->mechanisms.count == 0 ? SLICE_LIT("PLAIN LOGIN") :
		    SLICE_LIT("SCRAM-SHA-256-PLUS SCRAM-SHA-256 PLAIN LOGIN"));
		return g->pool == NULL ? -1 : 0;
	}
	g->by_pam = conf_pam_service(g->conf) != NULL;
	offer(g, g->by_pam ? SLICE_LIT("PLAIN LOGIN") : SLICE_LIT(""));
	if (!slice_starts(slice_str(conf->users), SLICE_LIT("dovecot:")))
		return 0;
	g->dovecot = dovecot_new(g->loop, conf->users + strlen("dovecot:"), &dovecot_ops, err);
	return g->dovecot == NULL ? -1 : 0;
}

static int
gate_begin(struct gate *g, const struct conf *conf, struct err *err)
{
	g->conf = conf;
	g->rules = (struct failures_rules){ .limit = (uint32_t)conf->submission.failures,
	    .window = conf->submission.failure_window, .delay = conf->submission.failure_delay };
	return open_users(g, err);
}

struct gate *
gate_new(struct loop *loop, const struct conf *conf, struct err *err)
{
	struct gate *g = mem_zalloc(sizeof(*g));
	const struct pam_peer_ops pam_ops = { on_answer, dispatch, g };

	if (g == NULL) {
		(void)err_set(err, "no memory for logins");
		return NULL;
	}
	g->loop = loop;
	TAILQ_INIT(&g->doors);
	TAILQ_INIT(&g->line);
	hash_init(&g->by_id);
	random_bytes(g->secret, sizeof(g->secret));
	g->failures = failures_new();
	g->pam = pam_peer_new(loop, &pam_ops);
	if (g->failures == NULL || g->pam == NULL)
		(void)err_set(err, "no memory for logins");
	else if (gate_begin(g, conf, err) == 0)
		return g;
	gate_free(&g);
	return NULL;
}

void
gate_free(struct gate **gp)
{
	struct gate *g = *gp;

	*gp = NULL;
	if (g == NULL)
		return;
	while (!TAILQ_EMPTY(&g->doors))
		door_close(TAILQ_FIRST(&g->doors));
	channel_close(&g->queue);
	pool_free(&g->pool);
	dovecot_free(&g->dovecot);
	pam_peer_free(&g->pam);
	failures_free(&g->failures);
	hash_fini(&g->by_id);
	explicit_bzero(g, sizeof(*g));
	mem_free(g);
}

void
gate_wire(struct gate *g, enum wire_role role, int fd)
{
	if (role == ROLE_SUBMISSION)
		door_open(g, fd);
	else if (role == ROLE_QUEUE)
		queue_open(g, fd);
	else if (role == ROLE_PAM)
		pam_peer_wire(g->pam, fd);
	else
		fd_close(&fd);
}

int
gate_reload(struct gate *g, const struct conf *conf, struct err *err)
{
	orphan_all(g);
	pool_free(&g->pool);
	dovecot_free(&g->dovecot);
	return gate_begin(g, conf, err);
}

void
gate_status(const struct gate *g, struct buf *out)
{
	(void)buf_printf(out, "logins_begun %" PRIu64 "\nlogins_granted %" PRIu64 "\nlogins_failed %" PRIu64 "\nlogins_put_off %" PRIu64
	    "\nlogins_live %" PRIu64 "\nlogins_waiting %zu\nlogins_remembered %zu\n", g->begun, g->granted, g->failed, g->put_off, g->live,
	    g->waiting, failures_count(g->failures));
}
