/*
 * log — records gathered during a round of the loop, sent as one datagram, or as a larger one later.
 *
 * A process has one log wire, so this is the house's other mutable global besides base/log. Threads
 * may log: a lock guards the datagram in hand.
 */
#include "wire/log.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/fd.h"
#include "wire/fields.h"

#define HEADER_SIZE	12	/* u32 process, u64 dropped */
#define FULL_MOST	64	/* full datagrams that wait for room in the socket: 4 MiB */
#define LAST_WORDS	200	/* ms that a process which ends waits for logger to take them */

static struct {
	pthread_mutex_t	lock;
	int		fd;
	uint32_t	process;
	uint64_t	sequence, dropped;
	uint32_t	records;	/* in the datagram in hand; read without the lock by log_wire_flush */
	struct buf	out;		/* the datagram in hand */
	struct buf	full[FULL_MOST];	/* a ring, of those behind it in `count` */
	uint32_t	first, count;
} wire = { .lock = PTHREAD_MUTEX_INITIALIZER, .fd = -1 };

static void
begin_datagram(void)
{
	buf_reset(&wire.out);
	put_u32(&wire.out, wire.process);
	put_u64(&wire.out, wire.dropped);
	wire.records = 0;
}

/* False: logger has not read enough yet. Whatever else goes wrong: nobody will read it, and it is gone. */
static bool
send_one(const struct buf *b)
{
	ssize_t n;

	do
		n = send(wire.fd, b->mem + b->start, buf_len(b), MSG_NOSIGNAL | MSG_DONTWAIT);
	while (n == -1 && errno == EINTR);
	return n != -1 || (errno != EAGAIN && errno != EWOULDBLOCK);
}

/* True: all that was full has left. */
static bool
send_full(void)
{
	while (wire.count > 0) {
		struct buf *b = &wire.full[wire.first];

		if (!send_one(b))
			return false;
		buf_fini(b);
		wire.first = (wire.first + 1) % FULL_MOST;
		wire.count--;
	}
	return true;
}

/* What the socket does not take waits for the next round, and grows meanwhile: logging never waits (nor does mail for it). */
static void
send_datagram(void)
{
	if (wire.records == 0 || wire.fd == -1 || !send_full() || !send_one(&wire.out))
		return;
	wire.dropped = 0;
	begin_datagram();
}

/* The datagram in hand is full: it leaves, or lines up, or is lost and counted. */
static void
put_aside(void)
{
	send_datagram();
	if (wire.records == 0)
		return;
	if (wire.count == FULL_MOST) {
		wire.dropped += wire.records;
	} else {
		wire.full[(wire.first + wire.count++) % FULL_MOST] = wire.out;
		buf_init(&wire.out, LOG_DATAGRAM_MAX);
		wire.dropped = 0;
	}
	begin_datagram();
}

static void
put_field(struct buf *b, const struct log_field *f)
{
	put_u8(b, (uint8_t)f->key);
	put_u8(b, (uint8_t)f->type);
	switch (f->type) {
	case LOG_TYPE_NUMBER:
	case LOG_TYPE_ID:
		put_i64(b, f->number);
		break;
	case LOG_TYPE_STATUS:
		put_status(b, f->status);
		break;
	default:
		put_slice(b, slice_of(f->text.p, f->text.len < LOG_TEXT_MAX ? f->text.len : LOG_TEXT_MAX));
		break;
	}
}

static void
put_record(enum log_event event, enum log_level level, uint32_t session, const struct log_field *fields, size_t count)
{
	struct buf *b = &wire.out;

	put_u8(b, (uint8_t)event);
	put_u8(b, (uint8_t)level);
	put_u32(b, session);
	put_u64(b, ++wire.sequence);
	put_i64(b, clock_wall_ms());
	put_u32(b, (uint32_t)count);
	for (size_t i = 0; i < count; i++)
		put_field(b, &fields[i]);
}

/* Whole or not at all. */
static int
try_record(enum log_event event, enum log_level level, uint32_t session, const struct log_field *fields, size_t count)
{
	size_t before;

	if (wire.out.failed || buf_len(&wire.out) < HEADER_SIZE)
		begin_datagram();
	before = buf_len(&wire.out);
	put_record(event, level, session, fields, count);
	if (!wire.out.failed) {
		__atomic_store_n(&wire.records, wire.records + 1, __ATOMIC_RELAXED);
		return 0;
	}
	buf_cut(&wire.out, before);
	wire.out.failed = false;
	wire.sequence--;
	return -1;
}

/* What does not fit behind the others goes into a datagram
 * of its own; what cannot be had at all (memory) is counted. */
static void
add_record(enum log_event event, enum log_level level, uint32_t session, const struct log_field *fields, size_t count)
{
	if (try_record(event, level, session, fields, count) == 0)
		return;
	put_aside();
	if (try_record(event, level, session, fields, count) == -1)
		wire.dropped++;
}

void
log_event_put(enum log_event event, enum log_level level, uint32_t session, const struct log_field *fields, size_t count)
{
	assert(count <= LOG_FIELDS_MAX && event > EVENT_NONE && event < EVENT_COUNT);
	if (!log_wants(level) || wire.fd == -1)
		return;
	pthread_mutex_lock(&wire.lock);
	add_record(event, level, session, fields, count);
	pthread_mutex_unlock(&wire.lock);
}

static void
sink(enum log_level level, struct slice text, void *unused)
{
	const struct log_field field = LOG_SLICE(KEY_TEXT, text);

	(void)unused;
	log_event_put(EVENT_TEXT, level, 0, &field, 1);
}

void
log_wire_open(int fd, uint32_t process)
{
	pthread_mutex_lock(&wire.lock);
	fd_close(&wire.fd);
	buf_fini(&wire.out);
	buf_init(&wire.out, LOG_DATAGRAM_MAX);
	wire.fd = fd;
	wire.process = process;
	begin_datagram();
	pthread_mutex_unlock(&wire.lock);
	log_sink_set(sink, NULL);
}

void
log_wire_flush(void *unused)
{
	(void)unused;
	if (wire.fd == -1 || __atomic_load_n(&wire.records, __ATOMIC_RELAXED) == 0)
		return;
	pthread_mutex_lock(&wire.lock);
	send_datagram();
	pthread_mutex_unlock(&wire.lock);
}

void
log_wire_close(void)
{
	struct pollfd room = { .events = POLLOUT };

	log_sink_set(NULL, NULL);
	pthread_mutex_lock(&wire.lock);
	room.fd = wire.fd;
	send_datagram();
	for (int left = LAST_WORDS / 10; wire.fd != -1 && (wire.records > 0 || wire.count > 0) && left > 0; left--) {
		(void)poll(&room, 1, 10);
		send_datagram();
	}
	while (wire.count > 0)
		buf_fini(&wire.full[(wire.first + --wire.count) % FULL_MOST]);
	fd_close(&wire.fd);
	buf_fini(&wire.out);
	pthread_mutex_unlock(&wire.lock);
}

int
log_header_get(struct reader *r, uint32_t *process, uint64_t *dropped)
{
	*process = get_u32(r);
	*dropped = get_u64(r);
	return r->bad ? -1 : 0;
}

static void
get_field(struct reader *r, struct log_field *out)
{
	*out = (struct log_field){ 0 };
	out->key = (enum log_key)get_enum(r, KEY_COUNT);
	out->type = (enum log_type)get_enum(r, LOG_TYPE_COUNT);
	if (out->type == LOG_TYPE_NUMBER || out->type == LOG_TYPE_ID)
		out->number = get_i64(r);
	else if (out->type == LOG_TYPE_STATUS)
		out->status = get_status(r);
	else if (out->type == LOG_TYPE_SLICE)
		out->text = get_slice(r, LOG_TEXT_MAX);
}

int
log_record_get(struct reader *r, struct log_record *out)
{
	*out = (struct log_record){ 0 };
	out->event = (enum log_event)get_enum(r, EVENT_COUNT);
	out->level = (enum log_level)get_enum(r, LOG_LEVEL_COUNT);
	out->session = get_u32(r);
	out->sequence = get_u64(r);
	out->wall_ms = get_i64(r);
	out->count = get_count(r, LOG_FIELDS_MAX, 2);
	for (uint32_t i = 0; i < out->count && !r->bad; i++)
		get_field(r, &out->fields[i]);
	return r->bad ? -1 : 0;
}
