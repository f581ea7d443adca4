/* logger — from records to the sink, once per round. */
#include "control/logger/logger.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "control/logger/json.h"

#define CLOSING_ROUNDS	64	/* reads per source at the end: bounded, whoever keeps talking */

static void on_datagram(void *, const struct line_source *, struct slice);
static void on_ended(void *, struct source *);

static const struct source_ops source_ops = { on_datagram, on_ended };

int
logger_open(struct logger *l, const struct conf *conf, const struct account *as, struct err *err)
{
	*l = (struct logger){ .json = conf->log.format == LOG_FORMAT_JSON };
	LIST_INIT(&l->sources);
	if (sink_open(&l->sink, conf->log.target, as, err) == -1)
		return -1;
	tzset();		/* reads the zone's file now: later there are no files */
	l->style = (struct line_style){ .name = conf->log.name, .host = conf->hostname, .event_ids = conf->log.event_ids,
	    .stamp = sink_is_syslog(&l->sink) ? STAMP_SYSLOG : STAMP_HOST };
	return 0;
}

static void
put(struct logger *l, const struct line_source *who, const struct log_record *r)
{
	int result = l->json ? json_put(&l->sink.lines, who, r) : line_put(&l->sink.lines, &l->style, who, r);

	l->lines++;
	if (result == -1)
		sink_dropped(&l->sink);
}

/* Our own words in the log: made like everybody's, as warnings. */
static void
say(struct logger *l, const struct line_source *who, const char *words)
{
	struct log_record r = { .event = EVENT_TEXT, .level = LOG_LEVEL_WARN, .wall_ms = clock_wall_ms(), .count = 1 };

	r.fields[0] = LOG_STR(KEY_TEXT, words);
	put(l, who, &r);
}

static void
say_flows(void *arg, uint64_t dropped)
{
	struct logger *l = arg;
	char words[100];

	(void)snprintf(words, sizeof(words), "the log target was stuck: %" PRIu64 " lines were dropped", dropped);
	say(l, &(struct line_source){ .role = ROLE_LOGGER, .pid = getpid() }, words);
	sink_flush(&l->sink);
}

int
logger_start(struct logger *l, struct loop *loop, struct err *err)
{
	l->loop = loop;
	l->inbox = inbox_new();
	if (l->inbox == NULL || sink_start(&l->sink, loop, say_flows, l) == -1)
		return err_set(err, "no memory for the log");
	return 0;
}

void
logger_add(struct logger *l, enum wire_role role, uint32_t number, int fd)
{
	struct source *s = source_open(l->loop, l->inbox, fd, role, number, &source_ops, l);

	if (s != NULL)
		LIST_INSERT_HEAD(&l->sources, s, entry);
}

/* One write for all, then a rest in which the next lines gather: nothing else waits in this process. */
static void
end_round(void *arg)
{
	static const struct timespec rest = { 0, LOGGER_REST_MS * 1000000L };
	struct logger *l = arg;

	sink_flush(&l->sink);
	(void)nanosleep(&rest, NULL);
}

static void
on_datagram(void *arg, const struct line_source *who, struct slice bytes)
{
	struct logger *l = arg;

	logger_datagram(l, who, bytes);
	loop_at_end(l->loop, &l->round, end_round, l);
}

void
logger_datagram(struct logger *l, const struct line_source *who, struct slice bytes)
{
	struct reader r = reader_of(bytes);
	struct log_record record;
	uint32_t claimed;
	uint64_t dropped;
	char words[100];

	/* Who it says it is does not matter: the socket says that. */
	if (log_header_get(&r, &claimed, &dropped) == -1)
		return;
	if (dropped > 0) {
		(void)snprintf(words, sizeof(words), "%" PRIu64 " lines of this process were dropped before this one", dropped);
		say(l, who, words);
	}
	while (r.in.len > 0) {
		if (log_record_get(&r, &record) == -1) {
			say(l, who, "the rest of a log datagram cannot be read");
			return;
		}
		put(l, who, &record);
	}
}

static void
on_ended(void *arg, struct source *s)
{
	(void)arg;
	LIST_REMOVE(s, entry);
	source_close(&s);
}

void
logger_close(struct logger *l)
{
	struct source *s, *following;

	for (int i = 0; i < CLOSING_ROUNDS && l->inbox != NULL; i++)
		for (s = LIST_FIRST(&l->sources); s != NULL; s = following) {
			following = LIST_NEXT(s, entry);
			source_read(s);
		}
	while ((s = LIST_FIRST(&l->sources)) != NULL)
		on_ended(l, s);
	if (l->loop != NULL)
		loop_hook_cancel(l->loop, &l->round);
	sink_close(&l->sink);
	inbox_free(&l->inbox);
}

void
logger_status(const struct logger *l, struct buf *out)
{
	(void)buf_printf(out, "lines %" PRIu64 "\ndropped %" PRIu64 "\nwaiting-bytes %zu\nstuck %s\n", l->lines, l->sink.dropped_ever,
	    buf_len(&l->sink.lines), l->sink.stuck ? "yes" : "no");
}
