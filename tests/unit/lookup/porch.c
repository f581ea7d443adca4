/* porch — see porch.h. */
#include "tests/unit/lookup/porch.h"

#include <stdio.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "tests/support/tempdir.h"
#include "tests/support/turns.h"

struct porch the;

/* --- smtpd ---------------------------------------------------------------------------------------------------- */

static struct news *
note(uint16_t type)
{
	assert_true(the.got < 64);
	the.news[the.got] = (struct news){ .type = type };
	return &the.news[the.got++];
}

static int
on_mechanisms(void *arg, struct reader *in, int fd)
{
	struct slice names;

	(void)arg;
	(void)fd;
	assert_int_equal(auth_mechanisms_get(in, &names), 0);
	the.offers++;
	(void)snprintf(the.mechanisms, sizeof(the.mechanisms), "%.*s", SLICE_FMT(names));
	return 0;
}

static int
on_challenge(void *arg, struct reader *in, int fd)
{
	struct news *n = note(AUTH_CHALLENGE);
	struct auth_piece piece;

	(void)arg;
	(void)fd;
	assert_int_equal(auth_piece_get(in, &piece), 0);
	n->serial = piece.serial;
	(void)snprintf(n->text, sizeof(n->text), "%.*s", SLICE_FMT(piece.bytes));
	return 0;
}

static int
on_ok(void *arg, struct reader *in, int fd)
{
	struct news *n = note(AUTH_OK);
	struct auth_granted granted;

	(void)arg;
	(void)fd;
	assert_int_equal(auth_granted_get(in, &granted), 0);
	n->serial = granted.serial;
	n->token = granted.token;
	(void)snprintf(n->login, sizeof(n->login), "%.*s", SLICE_FMT(granted.login));
	/* queue has heard of it before we have. */
	for (unsigned i = 0; i < the.logins; i++)
		if (token_eq(&the.told_of[i], &granted.token))
			return 0;
	fail_msg("%s", "queue does not know this login");
	return -1;
}

static int
on_denied(struct reader *in, uint16_t type)
{
	struct news *n = note(type);
	struct auth_denied denied;

	assert_int_equal(auth_denied_get(in, &denied), 0);
	n->serial = denied.serial;
	(void)snprintf(n->login, sizeof(n->login), "%.*s", SLICE_FMT(denied.login));
	(void)snprintf(n->text, sizeof(n->text), "%.*s", SLICE_FMT(denied.text));
	return 0;
}

static int
on_failed(void *arg, struct reader *in, int fd)
{
	(void)arg;
	(void)fd;
	return on_denied(in, AUTH_FAILED);
}

static int
on_later(void *arg, struct reader *in, int fd)
{
	(void)arg;
	(void)fd;
	return on_denied(in, AUTH_LATER);
}

static const struct frame_handler door_handlers[AUTH_FRAME_COUNT] = {
	[AUTH_MECHANISMS] = { "mechanisms", on_mechanisms, false }, [AUTH_CHALLENGE] = { "challenge", on_challenge, false },
	[AUTH_OK] = { "ok", on_ok, false }, [AUTH_FAILED] = { "failed", on_failed, false }, [AUTH_LATER] = { "later", on_later, false },
};

static void
on_door_end(void *arg, const char *why)
{
	(void)arg;
	(void)why;
	the.ended = true;
	channel_close(&the.door);
}

static const struct channel_ops door_ops = { "auth", AUTH_VERSION, door_handlers, AUTH_FRAME_COUNT, on_door_end, NULL, false };

/* --- queue ---------------------------------------------------------------------------------------------------- */

static int
on_login(void *arg, struct reader *in, int fd)
{
	struct auth_granted login;

	(void)arg;
	(void)fd;
	assert_int_equal(auth_granted_get(in, &login), 0);
	assert_true(the.logins < 64);
	the.told_of[the.logins++] = the.last_login = login.token;
	if (the.silent)
		return 0;
	auth_known_put(channel_begin(the.queue, AUTH_KNOWN), &(struct auth_known){ login.serial, !the.refuse });
	return channel_end(the.queue);
}

static int
on_claim(void *arg, struct reader *in, int fd)
{
	the.claims++;
	return on_login(arg, in, fd);
}

static int
on_logout(void *arg, struct reader *in, int fd)
{
	(void)arg;
	(void)fd;
	the.logouts++;
	return auth_logout_get(in, &the.last_logout);
}

static int
on_told(void *arg, struct reader *in, int fd)
{
	(void)arg;
	(void)fd;
	the.told++;
	return reader_end(in);
}

static const struct frame_handler queue_handlers[AUTH_FRAME_COUNT] = {
	[AUTH_LOGIN] = { "login", on_login, false }, [AUTH_CLAIM] = { "claim", on_claim, false }, [AUTH_LOGOUT] = { "logout", on_logout, false }, [AUTH_TOLD] = { "told", on_told, false },
};

static void
on_queue_end(void *arg, const char *why)
{
	(void)arg;
	(void)why;
	the.queue_ended = true;
	channel_close(&the.queue);
}

static const struct channel_ops queue_ops = { "auth", AUTH_VERSION, queue_handlers, AUTH_FRAME_COUNT, on_queue_end, NULL, false };

static struct channel	*porch_wire(const struct channel_ops *, enum wire_role);

/* The wires, again if need be. */
void
porch_smtpd(void)
{
	the.ended = false;
	the.door = porch_wire(&door_ops, ROLE_SUBMISSION);
}

void
porch_queue(void)
{
	channel_close(&the.queue);
	the.queue_ended = false;
	the.queue = porch_wire(&queue_ops, ROLE_QUEUE);
}

/* --- running -------------------------------------------------------------------------------------------------- */

static void
on_tick(void *arg)
{
	(void)arg;
	loop_stop(the.loop);
}

void
porch_rounds(int64_t ms)
{
	turns_run(the.loop, &the.tick, ms);
}

void
porch_until(const unsigned *counter, unsigned least)
{
	int64_t end = clock_mono_ms() + 10000;

	while (*counter < least && !the.ended) {
		if (clock_mono_ms() > end)
			fail_msg("%u of %u after 10 s", *counter, least);
		porch_rounds(2);
	}
}

static struct channel *
porch_wire(const struct channel_ops *ops, enum wire_role role)
{
	struct channel *ours;
	struct err err;
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair), 0);
	assert_non_null(ours = channel_open(the.loop, pair[0], ops, NULL, &err));
	gate_wire(the.gate, role, pair[1]);
	return ours;
}

void
porch_open(const char *users)
{
	struct err err;

	(void)snprintf(the.users, sizeof(the.users), "%s", users);
	the.conf.submission.users = the.users;
	the.gate = gate_new(the.loop, &the.conf, &err);
	if (the.gate == NULL)
		fail_msg("%s", err.text);
	porch_smtpd();
	porch_queue();
}

void
porch_open_file(const char *text)
{
	char path[512], users[600];

	tempdir_write(tempdir_join(path, the.base, "passwd"), text);
	(void)snprintf(users, sizeof(users), "file:%s", path);
	porch_open(users);
}

int
porch_setup(void **state)
{
	(void)state;
	memset(&the, 0, sizeof(the));
	tempdir_make(the.base);
	assert_non_null(the.loop = loop_new(NULL));
	assert_int_equal(timer_init(&the.tick, the.loop, on_tick, NULL), 0);
	the.conf.lookup.answer_timeout = 5000;
	the.conf.submission = (struct conf_submission){ .workers = 2, .failures = 5, .failure_window = 60000, .failure_delay = DELAY };
	return 0;
}

int
porch_teardown(void **state)
{
	(void)state;
	channel_close(&the.door);
	channel_close(&the.queue);
	gate_free(&the.gate);
	timer_fini(&the.tick);
	loop_free(the.loop);
	tempdir_remove(the.base);
	return 0;
}

void
porch_begin_from(uint64_t serial, const char *mechanism, const struct slice *response, const char *address)
{
	struct auth_begin begin = { .serial = serial, .mechanism = slice_str(mechanism), .client = slice_of(address, 4), .secure = true };

	if (response != NULL) {
		begin.has_response = true;
		begin.response = *response;
	}
	auth_begin_put(channel_begin(the.door, AUTH_BEGIN), &begin);
	assert_int_equal(channel_end(the.door), 0);
}

void
porch_begin(uint64_t serial, const char *mechanism, struct slice response)
{
	porch_begin_from(serial, mechanism, &response, "\300\0\2\7");
}

void
porch_resume(uint64_t serial, struct auth_token token, const char *login)
{
	auth_granted_put(channel_begin(the.door, AUTH_RESUME), &(struct auth_granted){ serial, token, slice_str(login) });
	assert_int_equal(channel_end(the.door), 0);
}

void
porch_say(uint64_t serial, struct slice response)
{
	auth_piece_put(channel_begin(the.door, AUTH_CONTINUE), &(struct auth_piece){ serial, response });
	assert_int_equal(channel_end(the.door), 0);
}

void
porch_cancel(uint64_t serial)
{
	auth_serial_put(channel_begin(the.door, AUTH_CANCEL), serial);
	assert_int_equal(channel_end(the.door), 0);
}

const struct news *
porch_expect(uint16_t type, uint64_t serial, const char *text)
{
	const struct news *n = &the.news[the.used];

	porch_until(&the.got, the.used + 1);
	assert_false(the.ended);
	if (n->type != type || n->serial != serial || strstr(n->text, text) == NULL)
		fail_msg("type %u of %u: %s", (unsigned)n->type, (unsigned)n->serial, n->text);
	the.used++;
	return n;
}
