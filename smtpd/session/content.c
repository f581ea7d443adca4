/*
 * content — DATA's and BDAT's bytes on their way to queue: scanned, kept in memory or written to the file that queue gave.
 *
 * Trouble is remembered and said when the data or the chunk ends, since a client listens only then. Bare CR or LF ends the
 * session: behind DATA at once, since nobody can know any more where the message ends.
 */
#include "smtpd/session/inside.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>

#include "base/crc32c.h"
#include "base/fault.h"
#include "base/fd.h"
#include "base/fmt.h"
#include "base/log.h"

#define WRITE_BEHIND	(4 * 1024 * 1024)	/* so much of a large message goes to the disk at once while the rest still comes */
#define WRITE_A_TURN	65536		/* bytes of one session a round: nobody else waits for a large message */
#define RATE_LEAST	256		/* bytes a second, on the average, once data_timeout is used up */
#define SIZE_LIMIT	UINT32_MAX	/* what an envelope's size can say */
#define COMPLETED_MAX	CONTENT_INLINE_MAX	/* bytes of a header that may be completed: it is kept in memory until it ends */
#define OVERRUN		(1024 * 1024)	/* read and thrown away behind the size limit, beside as much again as the limit */

static const enum sentence fault_sentences[CONTENT_FAULT_COUNT] = {
	[CONTENT_TOO_BIG]		= SAY_TOO_BIG,
	[CONTENT_HEADER_TOO_LONG]	= SAY_HEADER_TOO_LONG,
	[CONTENT_LOOPS]			= SAY_LOOPS,
	[CONTENT_NO_MEMORY]		= SAY_NO_MEMORY,
	[CONTENT_NO_SPACE]		= SAY_NO_SPACE,
	[CONTENT_NO_FILE]		= SAY_NOT_QUEUED,
	[CONTENT_BARE]			= SAY_BARE,
};

static void
fault(struct transaction *tx, enum content_fault what)
{
	if (tx->fault == CONTENT_FINE)
		tx->fault = what;
}

static void
on_field(void *arg, enum header_field field, struct slice value)
{
	struct session *s = arg;

	if (field == HEADER_MESSAGE_ID && s->tx->message_id.len == 0)
		s->tx->message_id = arena_slice(&s->tx->arena, value);
	if (field == HEADER_FROM && sender_is_watched(s))
		sender_read_from(s, value);
	if (field == HEADER_TLS_REQUIRED)
		s->tx->tls_no = slice_caseeq(value, SLICE_LIT("No"));
}

/* The bytes in memory have changed. */
static void
account(struct session *s)
{
	struct transaction *tx = s->tx;

	s->home->content_bytes += buf_len(&tx->content);
	s->home->content_bytes -= tx->counted;
	tx->counted = buf_len(&tx->content);
}

void
content_begin(struct session *s)
{
	struct transaction *tx = s->tx;
	size_t most = s->settings->header_size;

	tx->completes = s->home->role == ROLE_SUBMISSION;
	header_scan_init(&tx->scan, tx->completes && most > COMPLETED_MAX ? COMPLETED_MAX : most, on_field, s);
	tx->data_began = loop_now(s->home->loop);
	if (received_print(s, &tx->content) == -1)
		fault(tx, CONTENT_NO_MEMORY);
	tx->size = tx->trace_size = buf_len(&tx->content);
	account(s);
}

static void
scan(struct session *s, struct slice run)
{
	struct transaction *tx = s->tx;

	if (tx->scan.result == HEADER_MORE && header_scan_feed(&tx->scan, run) == HEADER_TOO_LONG)
		fault(tx, CONTENT_HEADER_TOO_LONG);
	if (tx->scan.counts[HEADER_RECEIVED] > s->settings->max_hops)
		fault(tx, CONTENT_LOOPS);
}

/*
 * Where the header ends, and before what follows: the fields that it lacks, and the empty line where the body began without one. Whoever
 * reads on behind a line that is no field must not find a From there that we have not seen.
 */
static void
complete(struct session *s)
{
	struct transaction *tx = s->tx;
	size_t at = tx->trace_size + tx->scan.size - (tx->scan.closed ? 2 : 0);
	struct buf added;

	tx->complete = true;
	buf_init(&added, 4096);
	if (missing_print(s, &added) == -1)
		fault(tx, CONTENT_NO_MEMORY);
	if (!tx->scan.closed && at < tx->size)
		(void)buf_puts(&added, "\r\n");
	if (tx->fault == CONTENT_FINE && buf_insert(&tx->content, at, buf_slice(&added)) == -1)
		fault(tx, CONTENT_NO_MEMORY);
	tx->size += buf_len(&added);
	buf_fini(&added);
}

static uint64_t
size_limit(const struct session *s)
{
	return s->settings->message_size > 0 ? s->settings->message_size : SIZE_LIMIT;
}

/* Content that begins with a blank would go on in our Received field: it is a body, and gets the line that parts it from us. */
static void
part(struct transaction *tx, struct slice run)
{
	if (tx->received > 0 || tx->completes || run.len == 0 || (run.p[0] != ' ' && run.p[0] != '\t'))
		return;
	if (buf_puts(&tx->content, "\r\n") == -1)
		fault(tx, CONTENT_NO_MEMORY);
	tx->size += 2;
}

static void
add(struct session *s, struct slice run)
{
	struct transaction *tx = s->tx;

	part(tx, run);
	tx->received += run.len;
	tx->size += run.len;
	if (tx->received > size_limit(s) || tx->size > SIZE_LIMIT)
		fault(tx, CONTENT_TOO_BIG);
	if (tx->fault == CONTENT_FINE)
		scan(s, run);
	if (tx->fault == CONTENT_FINE && buf_put_slice(&tx->content, run) == -1)
		fault(tx, CONTENT_NO_MEMORY);
	if (tx->completes && !tx->complete && tx->fault == CONTENT_FINE && tx->scan.result == HEADER_DONE)
		complete(s);
}

/* All bytes have come. */
static void
end_header(struct session *s)
{
	if (s->tx->fault != CONTENT_FINE)
		return;
	(void)header_scan_end(&s->tx->scan);
	add(s, slice_of("", 0));
}

/* Back to commands, with this reply. */
static void
close_with(struct session *s, bool ok)
{
	session_count(s, s->last, ok);
	session_reset(s);
	session_go(s, PHASE_COMMAND);
}

/* Who is asked to wait reads it in a window of his mail program: minutes will do. */
static void
say_no(struct session *s, const struct submit_verdict_of *no)
{
	static const struct { enum sentence sentence; const char *too; } noes[VERDICT_COUNT] = {
		[VERDICT_NONE]		 = { SAY_NOT_QUEUED, NULL },
		[VERDICT_TRY_LATER]	 = { SAY_NOT_QUEUED, NULL },
		[VERDICT_NO_SPACE]	 = { SAY_NO_SPACE, NULL },
		[VERDICT_REFUSED]	 = { SAY_NOT_ALLOWED, NULL },
		[VERDICT_TOO_MUCH_MAIL]	 = { SAY_TOO_MUCH_MAIL, "much mail" },
		[VERDICT_TOO_MANY_NAMES] = { SAY_TOO_MANY_NAMES, "many recipients" },
		[VERDICT_NEVER]		 = { SAY_NEVER, NULL },
	};
	uint32_t minutes = no->wait_s / 60 + (no->wait_s % 60 != 0);

	if (minutes > 0 && noes[no->verdict].too != NULL)
		session_sayf(s, "450 4.7.1 Error: too %s from you, try again in %" PRIu32 " minute%s\r\n", noes[no->verdict].too,
		    minutes, minutes == 1 ? "" : "s");
	else
		session_say(s, noes[no->verdict].sentence);
}

static void
on_verdict(void *arg, const struct submit_verdict_of *v)
{
	struct session *s = arg;
	char id[QUEUE_ID_LEN + 1], why[SUBMIT_TEXT_MAX];

	queue_id_print(s->tx->ticket.id, id);
	if (v->verdict == VERDICT_DURABLE) {
		session_sayf(s, "250 2.0.0 Ok: queued as %s\r\n", id);
		s->errors = s->junk = 0;
		s->home->messages++;
	} else {
		log_warn("%s: not queued: %s", id, fmt_escaped(why, sizeof(why), v->text));
		say_no(s, v);
	}
	close_with(s, v->verdict == VERDICT_DURABLE);
	session_resume(s);
}

void
content_refuse(struct session *s, const char *reply)
{
	s->home->refusals++;
	session_reject(s, "END-OF-MESSAGE", &s->tx->reverse_path, NULL, "%s", reply);
	close_with(s, false);
}

void
content_refuse_sentence(struct session *s, enum sentence no)
{
	s->home->refusals++;
	session_reject_sentence(s, "END-OF-MESSAGE", &s->tx->reverse_path, NULL, no);
	close_with(s, false);
}

/* What stands behind a lone CR or LF is never looked at: neither by us nor by the next hop. */
static void
end_bare(struct session *s)
{
	session_reject_sentence(s, verb_name(s->last), &s->tx->reverse_path, NULL, SAY_BARE);
	session_end(s, NULL);
}

static int
submit(struct session *s)
{
	struct transaction *tx = s->tx;
	struct submit_message message = { .token = s->login.token, .large = tx->file == FILE_OPEN, .crc = tx->crc };

	transaction_envelope(tx, &message.envelope);
	message.content = message.large ? slice_of("", 0) : buf_slice(&tx->content);
	if (intake_submit(s->home->intake, &tx->ticket, &message, &tx->promise, on_verdict, s) == -1)
		return -1;
	tx->ticket_spent = true;
	return 0;
}

void
content_hand_in(struct session *s)
{
	struct transaction *tx = s->tx;

	if (auth_is_lost(s)) {		/* queue would refuse for ever what can be sent again in a minute */
		(void)session_end_sentence(s, SAY_LOGIN_LOST);
		return;
	}
	log_event(EVENT_MESSAGE_ID, LOG_LEVEL_INFO, s->number, LOG_ID(KEY_ID, tx->ticket.id),
	    LOG_SLICE(KEY_MESSAGE_ID, tx->message_id.p != NULL ? tx->message_id : slice_of("", 0)));
	if (submit(s) == -1) {
		content_refuse_sentence(s, SAY_NOT_QUEUED);
		return;
	}
	/* What is in memory has been copied into the frame. */
	buf_reset(&tx->content);
	account(s);
	session_go(s, PHASE_VERDICT);
}

/* The end, or that of a chunk with something wrong, has been seen and all of the content is where it has to be. */
static void
finish(struct session *s)
{
	struct transaction *tx = s->tx;

	if (tx->fault == CONTENT_BARE)
		end_bare(s);
	else if (tx->fault != CONTENT_FINE)
		content_refuse_sentence(s, fault_sentences[tx->fault]);
	else if (!sender_is_watched(s) || sender_judge_from(s) == DONE_OK)
		content_hand_in(s);
}

/* The disk begins with what is there: queue's sync, which the client waits for, then finds most of it done. Only advice; where
 * it does not help it does no harm, and only the sync counts. */
static void
write_behind(const struct transaction *tx, uint64_t before)
{
	uint64_t from = before / WRITE_BEHIND * WRITE_BEHIND, to = tx->written / WRITE_BEHIND * WRITE_BEHIND;

	if (to > from)
		(void)sync_file_range(tx->fd, (off_t)from, (off_t)(to - from), SYNC_FILE_RANGE_WRITE);
}

/* At most WRITE_A_TURN bytes into the file. */
static int
write_some(struct session *s)
{
	struct transaction *tx = s->tx;
	struct slice some = buf_slice(&tx->content);
	int broken = fault_at("content-write");

	if (some.len > WRITE_A_TURN)
		some.len = WRITE_A_TURN;
	if (broken != 0)
		errno = broken;
	if (broken != 0 || fd_pwrite_all(tx->fd, some.p, some.len, (off_t)tx->written) == -1) {
		log_warn("cannot write a large message: %s", strerror(errno));
		return -1;
	}
	tx->crc = crc32c(tx->crc, some.p, some.len);
	tx->written += some.len;
	write_behind(tx, tx->written - some.len);
	buf_drop(&tx->content, some.len);
	account(s);
	return 0;
}

static void	pump(struct session *);

static void
on_turn(void *arg)
{
	struct session *s = arg;

	pump(s);
	session_resume(s);
}

static void
on_file(void *arg, int fd)
{
	struct session *s = arg;
	struct transaction *tx = s->tx;

	if (fd == -1) {
		tx->file = FILE_NONE;
		fault(tx, intake_wired(s->home->intake) && !intake_has_room(s->home->intake, true) ? CONTENT_NO_SPACE : CONTENT_NO_FILE);
	} else {
		tx->file = FILE_OPEN;
		tx->fd = fd;
	}
	pump(s);
	session_resume(s);
}

static bool
wants_file(const struct session *s)
{
	const struct transaction *tx = s->tx;

	if (tx->completes && !tx->complete)
		return false;		/* more than CONTENT_MEMORY_MAX in all: pump refuses it */
	return tx->file != FILE_NONE || transaction_is_large(tx) || s->home->content_bytes > CONTENT_MEMORY_MAX;
}

/* One step towards the file. 0: nothing more to do now; 1: wait, pump is called again; -1: no file, or it is broken. */
static int
feed_file(struct session *s)
{
	struct transaction *tx = s->tx;

	if (tx->file == FILE_NONE) {
		if (timer_init(&tx->turn, s->home->loop, on_turn, s) == -1 ||
		    intake_open_file(s->home->intake, &tx->ticket, &tx->wish, on_file, s) == -1)
			return -1;
		tx->file = FILE_ASKED;
	}
	if (tx->file == FILE_ASKED)
		return 1;
	if (write_some(s) == -1)
		return -1;
	if (buf_len(&tx->content) == 0)
		return 0;
	timer_set(&tx->turn, 0);
	return 1;
}

/* Everything that has been read is where it belongs. */
static void
settle(struct session *s)
{
	const struct transaction *tx = s->tx;
	enum phase_id more = tx->chunked ? PHASE_CHUNK : PHASE_DATA;
	bool chunk_over = tx->chunked && s->chunk.left == 0;

	if (tx->ended || (chunk_over && tx->fault != CONTENT_FINE))
		finish(s);
	else if (chunk_over)
		bdat_taken(s);
	else if (s->phase != more)
		session_go(s, more);
}

/* Moves what has been read on to where it belongs; the session is then in PHASE_DATA, _CHUNK, _FILE, _VERDICT or _COMMAND, or over. */
static void
pump(struct session *s)
{
	struct transaction *tx = s->tx;
	bool crowded = tx->completes && !tx->complete && s->home->content_bytes > CONTENT_MEMORY_MAX;
	int left = tx->fault == CONTENT_FINE && wants_file(s) ? feed_file(s) : 0;

	if (crowded)
		fault(tx, CONTENT_NO_MEMORY);
	if (left == 1) {
		if (s->phase != PHASE_FILE)
			session_go(s, PHASE_FILE);
		return;
	}
	if (left == -1)
		fault(tx, CONTENT_NO_FILE);
	if (tx->fault != CONTENT_FINE) {
		buf_reset(&tx->content);
		account(s);
	}
	settle(s);
}

void
content_file_late(struct session *s)
{
	struct transaction *tx = s->tx;

	log_warn("queue gave no file for a large message");
	intake_drop_file(s->home->intake, &tx->ticket, &tx->wish);
	tx->ticket_spent = true;
	tx->file = FILE_NONE;
	fault(tx, CONTENT_NO_FILE);
	pump(s);
	session_resume(s);
}

/* It may have been queued all the same; then it comes twice, which is better than not at all. */
void
content_verdict_late(struct session *s)
{
	intake_forget(s->home->intake, &s->tx->promise);
	on_verdict(s, &(struct submit_verdict_of){ .verdict = VERDICT_TRY_LATER, .text = SLICE_LIT("queue gave no answer") });
}

/* Never longer than the phase's patience for the next byte, nor slower than RATE_LEAST in all. */
void
content_extend(struct session *s, int64_t began, uint64_t bytes)
{
	int64_t patience = session_patience(s, s->phase);
	int64_t by_rate = began + patience + (int64_t)(bytes * 1000 / RATE_LEAST);
	int64_t by_gap = loop_now(s->home->loop) + patience;

	session_extend(s, by_rate < by_gap ? by_rate : by_gap);
}

bool
content_fits(const struct session *s, uint64_t size)
{
	return (s->tx != NULL ? s->tx->received : 0) + size <= 2 * size_limit(s) + OVERRUN;
}

void
content_input(struct session *s)
{
	struct transaction *tx = s->tx;
	struct slice in = stream_input(s->stream), run;
	size_t had = in.len;
	enum dot_result result;

	while ((result = dot_read(&tx->dots, &in, &run)) == DOT_RUN)
		add(s, run);
	account(s);
	stream_consume(s->stream, had - in.len);
	tx->ended = result == DOT_END;
	if (tx->ended)
		end_header(s);
	if (result == DOT_BARE) {
		end_bare(s);
		return;
	}
	if (!tx->ended && tx->fault != CONTENT_FINE && !content_fits(s, 0)) {
		session_end_sentence(s, fault_sentences[tx->fault]);
		return;
	}
	if (!tx->ended)
		content_extend(s, tx->data_began, tx->received);
	pump(s);
}

/* What will be too much is not kept to begin with. */
void
content_expect(struct session *s, uint64_t size)
{
	if (s->tx->received + size > size_limit(s))
		fault(s->tx, CONTENT_TOO_BIG);
}

/* Chunks end where they like, the content with CRLF: DATA could not carry it on otherwise. */
static void
end_last_line(struct session *s)
{
	switch (dot_pass_end(&s->tx->dots)) {
	case DOT_END:
		break;
	case DOT_MORE:
		add(s, SLICE_LIT("\r\n"));
		break;
	default:
		fault(s->tx, CONTENT_BARE);
		break;
	}
}

void
content_add(struct session *s, struct slice piece)
{
	if (dot_pass(&s->tx->dots, piece) == DOT_BARE)
		fault(s->tx, CONTENT_BARE);
	add(s, piece);
}

void
content_chunk(struct session *s)
{
	struct transaction *tx = s->tx;

	tx->ended = s->chunk.last && s->chunk.left == 0;
	if (tx->ended) {
		end_last_line(s);
		end_header(s);
	}
	account(s);
	pump(s);
}
