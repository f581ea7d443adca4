/*
 * world — see world.h.
 */
#include "tests/unit/smtpd/world.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "smtpd/handoff.h"
#include "tests/support/testing.h"

#define GUARD_MS	10000

static int	queue_message(void *, struct reader *, int);
static int	queue_large_open(void *, struct reader *, int);
static int	queue_large_drop(void *, struct reader *, int);
static int	queue_flush(void *, struct reader *, int);
static void	queue_end(void *, const char *);

static const struct frame_handler queue_handlers[SUBMIT_FRAME_COUNT] = {
	[SUBMIT_MESSAGE] = { "message", queue_message, false },
	[SUBMIT_LARGE_OPEN] = { "large open", queue_large_open, false },
	[SUBMIT_LARGE_DROP] = { "large drop", queue_large_drop, false },
	[SUBMIT_FLUSH] = { "flush", queue_flush, false },
};
static const struct channel_ops queue_ops = {
	.wire = "submit", .version = SUBMIT_VERSION, .handlers = queue_handlers, .handler_count = SUBMIT_FRAME_COUNT,
	.on_end = queue_end,
};
static void
queue_end(void *arg, const char *why)
{
	struct world *w = arg;

	(void)why;
	channel_close(&w->queue);
}

/* queue */

static void
read_file(struct world *w, struct stored *m)
{
	char *room = buf_room(&m->content, m->size);

	assert_non_null(room);
	assert_true(w->file >= 0);
	assert_int_equal(fd_pread_full(w->file, room, m->size, 0), m->size);
	assert_int_equal(lseek(w->file, 0, SEEK_END), m->size);
	buf_added(&m->content, m->size);
}

static void
lease(struct world *w)
{
	struct submit_ids ids = { .first = queue_id_of(w->epoch, w->leased + 1), .count = 1000 };

	w->leased += ids.count;
	submit_ids_put(channel_begin(w->queue, SUBMIT_IDS), &ids);
	assert_int_equal(channel_end(w->queue), 0);
}

static void
note_dsn(struct stored *m, const struct envelope *e)
{
	size_t at = (size_t)snprintf(m->dsn, sizeof(m->dsn), "%.*s", SLICE_FMT(e->envid));

	for (uint32_t i = 0; i < e->count && at < sizeof(m->dsn); i++)
		at += (size_t)snprintf(m->dsn + at, sizeof(m->dsn) - at, " %u:%.*s", e->recipients[i].notify, SLICE_FMT(e->recipients[i].orcpt));
}

static int
queue_message(void *arg, struct reader *r, int fd)
{
	struct world *w = arg;
	struct stored *m = &w->stored[w->stored_count];
	struct arena arena = { .max = 1 << 20 };
	struct submit_message message;

	(void)fd;
	assert_int_equal(submit_message_get(r, &arena, &message), 0);
	assert_true(w->stored_count < MESSAGES_MAX);
	*m = (struct stored){ .id = message.id, .serial = message.serial, .large = message.large, .size = message.envelope.size,
	    .crc = message.crc, .token = message.token, .body = message.envelope.body, .ret = message.envelope.ret,
	    .smtputf8 = message.envelope.smtputf8, .tls = message.envelope.tls };
	buf_init(&m->sender, 1000);
	buf_init(&m->recipients, 1 << 20);
	buf_init(&m->content, 1 << 26);
	buf_put_slice(&m->sender, message.envelope.reverse_path);
	note_dsn(m, &message.envelope);
	for (uint32_t i = 0; i < message.envelope.count; i++) {
		buf_put_slice(&m->recipients, message.envelope.recipients[i].address);
		buf_putc(&m->recipients, '\n');
	}
	if (message.large)
		read_file(w, m);
	else
		buf_put_slice(&m->content, message.content);
	arena_fini(&arena);
	w->stored_count++;
	if ((message.id & UINT32_MAX) + 500 == w->leased)
		lease(w);
	if (w->verdict != VERDICT_NONE)
		world_give_verdict(w, w->stored_count - 1, w->verdict);
	return 0;
}

void
world_give_verdict(struct world *w, size_t message, enum submit_verdict verdict)
{
	struct submit_verdict_of v = { .serial = w->stored[message].serial, .verdict = verdict, .wait_s = w->wait_s, .text = SLICE_LIT("") };

	submit_verdict_put(channel_begin(w->queue, SUBMIT_VERDICT), &v);
	assert_int_equal(channel_end(w->queue), 0);
}

static int
queue_large_open(void *arg, struct reader *r, int fd)
{
	struct world *w = arg;
	struct submit_large large;

	(void)fd;
	assert_int_equal(submit_large_get(r, &large), 0);
	w->file_asked = large.id;
	if (w->hold_file)
		return 0;
	large.ok = !w->no_file;
	submit_large_put(channel_begin(w->queue, SUBMIT_LARGE_FILE), &large);
	if (w->no_file)
		return channel_end(w->queue);
	fd_close(&w->file);
	w->file = memfd_create("large", MFD_CLOEXEC);
	assert_true(w->file >= 0);
	return channel_end_fd(w->queue, w->file);
}

static int
queue_large_drop(void *arg, struct reader *r, int fd)
{
	struct world *w = arg;
	struct submit_large large;

	(void)fd;
	assert_int_equal(submit_large_get(r, &large), 0);
	w->drops++;
	return 0;
}

static int
queue_flush(void *arg, struct reader *r, int fd)
{
	struct world *w = arg;
	struct submit_verdict_of v = { .verdict = VERDICT_STARTED, .text = SLICE_LIT("") };
	struct submit_flush flush;

	(void)fd;
	assert_int_equal(submit_flush_get(r, &flush), 0);
	snprintf(w->flushed, sizeof(w->flushed), "%.*s", SLICE_FMT(flush.domain));
	w->flushes++;
	if (slice_starts(flush.domain, SLICE_LIT("hold")))
		return 0;
	v.serial = flush.serial;
	if (slice_starts(flush.domain, SLICE_LIT("later")))
		v.verdict = VERDICT_TRY_LATER;
	else if (slice_starts(flush.domain, SLICE_LIT("not")))
		v.verdict = VERDICT_REFUSED;
	submit_verdict_put(channel_begin(w->queue, SUBMIT_VERDICT), &v);
	return channel_end(w->queue);
}

/* log */

static void
note(struct world *w, const struct log_record *record)
{
	char id[QUEUE_ID_LEN + 1];

	w->events[record->event]++;
	buf_printf(&w->texts, "%d", (int)record->event);
	for (uint32_t i = 0; i < record->count; i++) {
		const struct log_field *f = &record->fields[i];

		if (f->type == LOG_TYPE_ID)
			buf_printf(&w->texts, " %d=%s", (int)f->key, queue_id_print((queue_id)f->number, id));
		else
			buf_printf(&w->texts, " %d=%.*s", (int)f->key, SLICE_FMT(f->text));
	}
	buf_puts(&w->texts, "\n");
}

void
world_log(struct world *w)
{
	static char bytes[LOG_DATAGRAM_MAX];
	static struct log_record record;
	uint32_t process;
	uint64_t dropped;
	ssize_t n;

	log_wire_flush(NULL);
	while ((n = recv(w->log, bytes, sizeof(bytes), MSG_DONTWAIT)) > 0) {
		struct reader r = reader_of(slice_of(bytes, (size_t)n));

		assert_int_equal(log_header_get(&r, &process, &dropped), 0);
		assert_int_equal(dropped, 0);
		while (r.in.len > 0) {
			assert_int_equal(log_record_get(&r, &record), 0);
			note(w, &record);
		}
	}
}

bool
world_logged(struct world *w, const char *text)
{
	world_log(w);
	return strstr(buf_cstr(&w->texts), text) != NULL;
}

/* running */

static void
client_read(struct world *w)
{
	char bytes[65536];
	ssize_t n;

	while (w->client >= 0 && !w->closed) {
		n = recv(w->client, bytes, sizeof(bytes), MSG_DONTWAIT);
		if (n == -1 && errno == EAGAIN)
			return;
		if (n <= 0)
			w->closed = true;
		else
			assert_int_equal(buf_append(&w->got, bytes, (size_t)n), 0);
	}
}

static void
every_round(void *arg)
{
	struct world *w = arg;

	world_log(w);
	client_read(w);
	if (w->waiting_for != NULL && strstr(buf_cstr(&w->got), "\r\n") != NULL)
		w->found = true;
	if (w->found || w->closed)
		loop_stop(w->loop);
}

static void
give_up(void *arg)
{
	struct world *w = arg;

	fail_msg("nothing more happens; waiting for \"%s\", got \"%s\"", w->waiting_for, buf_cstr(&w->got));
}

void
world_line(struct world *w, const char *prefix, char *line, size_t size)
{
	const char *end;

	w->waiting_for = prefix;
	client_read(w);
	while ((end = strstr(buf_cstr(&w->got), "\r\n")) == NULL) {
		w->found = false;
		if (w->closed)
			fail_msg("closed while waiting for \"%s\", got \"%s\"", prefix, buf_cstr(&w->got));
		timer_set(&w->guard, GUARD_MS);
		(void)loop_run(w->loop);
	}
	timer_stop(&w->guard);
	w->waiting_for = NULL;
	snprintf(line, size, "%.*s", (int)(end - buf_cstr(&w->got)), buf_cstr(&w->got));
	buf_drop(&w->got, (size_t)(end - buf_cstr(&w->got)) + 2);
}

void
world_expect(struct world *w, const char *prefix)
{
	char line[2000];

	world_line(w, prefix, line, sizeof(line));
	if (strncmp(line, prefix, strlen(prefix)) != 0)
		fail_msg("wanted \"%s\", got \"%s\"", prefix, line);
}

void
world_expect_close(struct world *w)
{
	while (!w->closed) {
		w->waiting_for = NULL;
		timer_set(&w->guard, GUARD_MS);
		(void)loop_run(w->loop);
	}
	timer_stop(&w->guard);
	if (buf_len(&w->got) > 0)
		fail_msg("unread: \"%s\"", buf_cstr(&w->got));
	world_log(w);
}

static void
round_over(void *arg)
{
	loop_stop(arg);
}

void
world_run_round(struct world *w)
{
	struct timer now;

	for (int i = 0; i < 3; i++) {
		assert_int_equal(timer_init(&now, w->loop, round_over, w->loop), 0);
		timer_set(&now, 0);
		(void)loop_run(w->loop);
		timer_fini(&now);
	}
}

void
world_until(struct world *w, const unsigned *counter, unsigned least)
{
	int64_t until = clock_mono_ms() + GUARD_MS;

	while (*counter < least) {
		world_run_round(w);
		if (clock_mono_ms() > until)
			fail_msg("nothing more happens");
	}
}

/* the client */

void
world_send(struct world *w, const char *bytes, size_t len)
{
	while (len > 0) {
		ssize_t n = send(w->client, bytes, len, MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n == -1) {
			client_read(w);
			if (w->closed)
				return;
			world_run_round(w);
			continue;
		}
		bytes += n;
		len -= (size_t)n;
	}
}

void
world_say(struct world *w, const char *text)
{
	world_send(w, text, strlen(text));
}

void
world_talk(struct world *w, const char *text, const char *prefix)
{
	world_say(w, text);
	world_expect(w, prefix);
}

void
world_hang_up(struct world *w)
{
	fd_close(&w->client);
	buf_reset(&w->got);
	w->closed = false;
}

static void
pair(int type, int *ours, int *theirs)
{
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds), 0);
	*ours = fds[0];
	*theirs = fds[1];
}

void
world_connect(struct world *w, const char *ip)
{
	struct sockaddress peer;
	int theirs;

	world_hang_up(w);
	assert_int_equal(sockaddress_parse(slice_str(ip), 40000, &peer), 0);
	pair(SOCK_STREAM, &w->client, &theirs);
	smtpd_connection(w->smtpd, theirs, &peer);
}

const char *
world_ehlo(struct world *w)
{
	static char all[800];
	char line[200];

	world_talk(w, "EHLO client.example\r\n", "250-mx.example.net");
	snprintf(all, sizeof(all), " ");
	do {
		world_line(w, "250", line, sizeof(line));
		assert_int_equal(strncmp(line, "250", 3), 0);
		strlcat(all, line + 4, sizeof(all));
		strlcat(all, " ", sizeof(all));
	} while (line[3] == '-');
	return all;
}

void
world_hello(struct world *w, const char *ip)
{
	world_connect(w, ip);
	world_expect(w, "220 mx.example.net ESMTP");
	(void)world_ehlo(w);
}

/* the whole */

int
world_queue_end(struct world *w)
{
	int theirs, fd;

	channel_close(&w->queue);
	pair(SOCK_STREAM, &fd, &theirs);
	w->queue = channel_open(w->loop, fd, &queue_ops, w, NULL);
	assert_non_null(w->queue);
	w->epoch++;
	w->leased = 0;
	lease(w);
	return theirs;
}

void
world_queue(struct world *w)
{
	struct control_wire wire = { .kind = WIRE_SUBMIT, .role = ROLE_QUEUE };

	smtpd_wire(w->smtpd, &wire, world_queue_end(w));
	world_run_round(w);
}

static void
configure(struct world *w)
{
	static char all[] = "*", *any[] = { all };
	static char hostname[] = "mx.example.net";

	w->conf = (struct conf){ .hostname = hostname, .message_size = 1000000, .message_recipients = 100 };
	w->conf.smtpd = (struct conf_smtpd){
		.client_prefix_ipv4 = 32, .client_prefix_ipv6 = 64,
		.command_timeout = 60000, .data_timeout = 60000, .transaction_timeout = 600000, .max_sessions = 1000,
		.max_errors = 20, .max_junk = 100, .max_hops = 100, .header_size = 100000,
	};
	assert_int_equal(network_parse(SLICE_LIT("10.0.0.0/8"), &w->trusted), 0);
	w->conf.smtpd.etrn_domains = (struct conf_strings){ .count = 1, .v = any };
	w->conf.trusted_networks = (struct conf_networks){ .count = 1, .v = &w->trusted };
}

static void
smtpd_stopped(void *arg)
{
	struct world *w = arg;

	w->stopped = true;
}

static enum wire_role role_in_use;

void
world_reopen(struct world *w)
{
	struct err err;

	smtpd_free(&w->smtpd);
	w->smtpd = smtpd_new(w->loop, settings_new(&w->conf, NULL, &err), role_in_use, 3, smtpd_stopped, w, &err);
	assert_non_null(w->smtpd);
	world_queue(w);
	world_lookup(w);
}

void
world_open(struct world *w, enum wire_role role)
{
	int theirs;

	*w = (struct world){ .client = -1, .file = -1, .verdict = VERDICT_DURABLE, .generation = 1, .ttl_ms = 60000 };
	role_in_use = role;
	configure(w);
	buf_init(&w->got, 1 << 24);
	buf_init(&w->texts, 1 << 24);
	pair(SOCK_DGRAM, &w->log, &theirs);
	log_level_set(LOG_LEVEL_INFO);
	log_wire_open(theirs, 3);
	w->loop = loop_new(NULL);
	assert_non_null(w->loop);
	assert_int_equal(timer_init(&w->guard, w->loop, give_up, w), 0);
	loop_every_round(w->loop, every_round, w);
	world_reopen(w);
}

void
world_close(struct world *w)
{
	world_hang_up(w);
	smtpd_free(&w->smtpd);
	channel_close(&w->queue);
	channel_close(&w->lookup);
	world_run_round(w);
	timer_fini(&w->guard);
	loop_free(w->loop);
	log_wire_close();
	fd_close(&w->log);
	fd_close(&w->file);
	for (size_t i = 0; i < w->stored_count; i++) {
		buf_fini(&w->stored[i].sender);
		buf_fini(&w->stored[i].recipients);
		buf_fini(&w->stored[i].content);
	}
	buf_fini(&w->got);
	buf_fini(&w->texts);
}
