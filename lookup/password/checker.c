/* checker — a loop of read, check, write. No deadline of its own: the broker has a clock and SIGKILL. */
#include "lookup/password/checker.h"

#include "base/fd.h"
#include "base/log.h"
#include "ipc/channel.h"
#include "lookup/password/password_file.h"
#include "lookup/worker.h"

struct checker {
	struct chan_sync	*wire;
	const struct sasl_users	*users;
	bool			 broken;	/* the broker is gone */
};

void
check_ask_put(struct buf *b, const struct sasl_said *said)
{
	put_u8(b, (uint8_t)said->mechanism);
	put_bool(b, said->plus_offered);
	put_slice(b, said->client);
	put_slice(b, said->nonce);
	put_u32(b, said->channel_count);
	for (uint32_t i = 0; i < said->channel_count; i++) {
		put_u8(b, (uint8_t)said->channels[i].type);
		put_slice(b, said->channels[i].data);
	}
	put_u32(b, said->count);
	for (uint32_t i = 0; i < said->count; i++)
		put_slice(b, said->responses[i]);
}

int
check_ask_get(struct reader *r, struct sasl_said *out)
{
	*out = (struct sasl_said){ 0 };
	out->mechanism = (enum sasl_mechanism)get_enum(r, SASL_MECHANISM_COUNT);
	out->plus_offered = get_bool(r);
	out->client = get_slice(r, 16);
	if (out->client.len != 4 && out->client.len != 16)
		reader_fail(r);
	out->nonce = get_slice(r, SASL_NONCE_MAX);
	out->channel_count = get_count(r, AUTH_CHANNELS_MAX, 5);
	for (uint32_t i = 0; i < out->channel_count; i++) {
		out->channels[i].type = (enum auth_binding)get_enum(r, BINDING_COUNT);
		out->channels[i].data = get_slice(r, AUTH_CHANNEL_DATA_MAX);
	}
	out->count = get_count(r, SASL_RESPONSES_MAX, 4);
	for (uint32_t i = 0; i < out->count; i++)
		out->responses[i] = get_slice(r, AUTH_RESPONSE_MAX);
	return reader_end(r);
}

void
check_answer_put(struct buf *b, const struct check_answer *answer)
{
	put_u8(b, (uint8_t)answer->result);
	put_slice(b, answer->challenge);
	put_slice(b, answer->login);
	put_slice(b, answer->why);
}

int
check_answer_get(struct reader *r, struct check_answer *out)
{
	out->result = (enum sasl_result)get_enum(r, SASL_RESULT_COUNT);
	out->challenge = get_slice(r, SASL_CHALLENGE_MAX);
	out->login = get_text(r, AUTH_LOGIN_MAX);
	out->why = get_slice(r, AUTH_TEXT_MAX);
	if (out->result == SASL_OK && out->login.len == 0)
		reader_fail(r);
	return reader_end(r);
}

static void
checker_send(struct checker *c)
{
	if (chan_sync_send(c->wire, -1, NULL) == -1)
		c->broken = true;
}

static void
on_log(enum log_level level, struct slice text, void *arg)
{
	struct checker *c = arg;
	struct buf *out = chan_sync_begin(c->wire, WORKER_SAY);

	put_u8(out, (uint8_t)level);
	put_text(out, text, WORKER_TEXT_MAX);
	checker_send(c);
}

static int
on_step(struct checker *c, struct reader *in)
{
	struct sasl_answer answer;
	struct sasl_said said;

	if (check_ask_get(in, &said) == -1)
		return -1;
	sasl_step(&said, c->users, &answer);
	for (uint32_t i = 0; i < said.count; i++)
		explicit_bzero((void *)(uintptr_t)said.responses[i].p, said.responses[i].len);	/* the wire's buffer is ours */
	check_answer_put(chan_sync_begin(c->wire, WORKER_STEPPED), &(struct check_answer){ .result = answer.result,
	    .challenge = slice_of(answer.challenge, answer.challenge_len), .login = slice_str(answer.login), .why = slice_str(answer.why) });
	checker_send(c);
	return 0;
}

int
checker_run(int fd, const struct sasl_users *users)
{
	struct checker c = { .users = users };
	struct reader in;
	int passed;

	if ((c.wire = chan_sync_open(fd, WORKER_WIRE, WORKER_VERSION, NULL)) == NULL)
		return 1;
	log_sink_set(on_log, &c);
	while (!c.broken && chan_sync_next(c.wire, &in, &passed, NULL) == WORKER_STEP && on_step(&c, &in) == 0)
		;
	log_sink_set(NULL, NULL);
	chan_sync_close(&c.wire);
	return 0;
}

/* --- by a file ---------------------------------------------------------------------------------- */

static enum sasl_found
on_find(void *arg, struct slice login, struct verifier *out)
{
	struct password_file *file = arg;
	struct err err;

	if (password_file_refresh(file, &err) == -1) {
		log_error("nobody can log in: %s", err.text);
		return FOUND_TROUBLE;
	}
	return password_file_find(file, login, out);
}

int
checker_run_file(int fd, const char *path, const unsigned char secret[SCRAM_KEY])
{
	struct password_file *file = password_file_new(path);
	struct sasl_users users = { .find = on_find, .arg = file };
	int status;

	if (file == NULL) {
		fd_close(&fd);
		return 1;
	}
	memcpy(users.secret, secret, SCRAM_KEY);
	status = checker_run(fd, &users);
	password_file_free(&file);
	return status;
}
