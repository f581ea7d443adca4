/* auth_play — see auth_play.h. */
#include "tests/unit/queue/auth_play.h"

#include <sys/socket.h>

static int
on_known(void *arg, struct reader *r, int fd)
{
	struct auth_play *p = arg;
	struct auth_known k;

	(void)fd;
	assert_int_equal(auth_known_get(r, &k), 0);
	p->known += k.ok;
	p->full += !k.ok;
	return 0;
}

static void
on_end(void *arg, const char *why)
{
	struct auth_play *p = arg;

	(void)why;
	channel_close(&p->lookup);
}

static const struct frame_handler handlers[AUTH_FRAME_COUNT] = { [AUTH_KNOWN] = { "known", on_known, false } };
static const struct channel_ops ops = { "auth", AUTH_VERSION, handlers, AUTH_FRAME_COUNT, on_end, NULL, false };

void
auth_play_wire(struct auth_play *p)
{
	struct err err;
	int pair[2];

	channel_close(&p->lookup);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair), 0);
	assert_non_null(p->lookup = channel_open(p->stage->loop, pair[0], &ops, p, &err));
	queue_wire(&p->stage->process, &(struct control_wire){ .kind = WIRE_AUTH, .role = ROLE_LOOKUP }, pair[1]);
}

void
auth_play_all(struct auth_play *p)
{
	stage_all(p->stage);
	stage_smtpd(p->stage, ROLE_SUBMISSION);
	auth_play_wire(p);
}

void
auth_play_open(struct auth_play *p, struct stage_set *stage)
{
	static char users[] = "file:/etc/posthorn/passwd";

	*p = (struct auth_play){ .stage = stage };
	stage_open(stage);
	stage->conf->submission.users = users;
	auth_play_all(p);
}

void
auth_play_close(struct auth_play *p)
{
	channel_close(&p->lookup);
	stage_close(p->stage);
}

struct auth_token
auth_play_token(uint64_t low)
{
	return (struct auth_token){ 1, low };
}

void
auth_play_login(struct auth_play *p, uint64_t low, const char *name)
{
	struct auth_granted granted = { low, auth_play_token(low), slice_str(name) };

	auth_granted_put(channel_begin(p->lookup, AUTH_LOGIN), &granted);
	assert_int_equal(channel_end(p->lookup), 0);
	stage_until(p->stage, &p->known, p->known + 1);
}

void
auth_play_submit(struct auth_play *p, struct auth_token token, const char *to, uint32_t count, enum submit_verdict want)
{
	uint32_t before = p->stage->verdicts[want];

	p->stage->token = token;
	(void)stage_submit(p->stage, "bob@mail.test", to, count);
	assert_int_equal(p->stage->verdicts[want], before + 1);
}
