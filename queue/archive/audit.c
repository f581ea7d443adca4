/*
 * audit — see audit.h. The log's lines go into the book, then the disk's messages; then each page of it is judged.
 */
#include "queue/archive/audit.h"

#include <fcntl.h>
#include <grp.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/fmt.h"
#include "queue/archive/book.h"
#include "queue/archive/census.h"
#include "queue/archive/logline.h"
#include "queue/archive/tree.h"
#include "queue/store/layout.h"
#include "wire/fields.h"

#define LINE_MOST	65536u		/* the logger's are far shorter */
#define HOST_MAX	256
#define COMPLAINT_MAX	(4 * ADDRESS_FIELD_MAX + 256)
#define DAY_MS		INT64_C(86400000)
#define SLACK_MS	INT64_C(2000)	/* stamps and delays are cut to seconds */

struct audit {
	struct book	book;
	struct census	census;
	int64_t		from_ms, to_ms;		/* what the logs cover; -1: nothing yet */
	uint64_t	messages, older, in_corrupt;
	uint64_t	lines;			/* of the log that speak of a message */
	uint64_t	lost_lines;		/* of the log, as it says itself */
	uint64_t	twice;			/* ids that were given to two messages */
	char		host[HOST_MAX];		/* whose lines these are; "": they do not say */
	char		other[HOST_MAX];	/* and whose, too; "": nobody's */
	struct sums	sums;
	uint64_t	recipients;		/* accepted */
	bool		trouble;
};

/* --- the log ------------------------------------------------------------------------------------ */

static const enum share shares[LOGLINE_KIND_COUNT] = {
	[LOGLINE_SENT] = SHARE_DELIVERED, [LOGLINE_EXPANDED] = SHARE_EXPANDED, [LOGLINE_BOUNCED] = SHARE_BOUNCED,
};

static int
enter_fate(struct audit *a, struct leaf *l, const struct logline *line)
{
	struct holder *h = book_holder(&a->book, l, line->to, line->original);

	if (h == NULL)
		return -1;
	if (shares[line->kind] != SHARE_NONE)
		h->log = shares[line->kind];
	if (l->came_ms == -1)
		l->came_ms = line->at_ms - line->delay_ms;
	return h->log == SHARE_BOUNCED ? book_bounced(&a->book, h, line->to) : 0;
}

static int
enter_notice(struct audit *a, struct leaf *l, const struct logline *line)
{
	struct holder *h = book_holder(&a->book, l, line->to, line->original);

	if (h == NULL)
		return -1;
	if (line->kind == LOGLINE_UNWANTED)
		h->unwanted = true;
	else
		h->notice = line->new_id;
	if (h->log == SHARE_NONE)
		h->log = SHARE_BOUNCED;		/* the line that said so is lost */
	return book_bounced(&a->book, h, line->to);
}

/* A log may be given twice. Another time means another message, and then nothing is certain of either. */
static void
enter_queued(struct audit *a, struct leaf *l, const struct logline *line)
{
	a->twice += l->accepted && l->came_ms / 1000 != line->at_ms / 1000;
	l->accepted = true;
	l->from_nobody = line->from.len == 0;
	l->recipients = (uint32_t)line->recipients;
	l->came_ms = line->at_ms;
}

static int
enter(struct audit *a, const struct logline *line)
{
	struct leaf *l = book_leaf(&a->book, line->id);

	if (l == NULL)
		return -1;
	l->ended = l->ended || line->kind != LOGLINE_QUEUED;
	switch (line->kind) {
	case LOGLINE_QUEUED:
		enter_queued(a, l, line);
		return 0;
	case LOGLINE_NOTIFIED:
	case LOGLINE_UNWANTED:
		return enter_notice(a, l, line);
	case LOGLINE_DELETED:
		l->deleted = true;
		return 0;
	case LOGLINE_REMOVED:
		l->removed = true;
		return 0;
	default:
		return enter_fate(a, l, line);
	}
}

static void
cover(struct audit *a, int64_t at_ms)
{
	if (at_ms == -1)
		return;
	if (a->from_ms == -1 || at_ms < a->from_ms)
		a->from_ms = at_ms;
	if (at_ms > a->to_ms)
		a->to_ms = at_ms;
}

/* A stamp without a year is of the one that ended with the file's last change. */
static void
read_line(struct logline *line, struct slice text, const struct stat *st)
{
	struct tm tm = { 0 };

	(void)localtime_r(&st->st_mtime, &tm);
	logline_read(line, text, tm.tm_year + 1900);
	if (line->at_ms > (int64_t)st->st_mtime * 1000 + DAY_MS)
		logline_read(line, text, tm.tm_year + 1899);
}

/* Two hosts give the same ids to their messages. */
static void
note_host(struct audit *a, struct slice host)
{
	char name[HOST_MAX], *at;

	(void)fmt_escaped(name, sizeof(name), host);
	at = a->host[0] == '\0' || strcmp(name, a->host) == 0 ? a->host : a->other;
	memcpy(at, name, sizeof(name));
}

static int
take_line(struct audit *a, struct slice text, const struct stat *st, struct err *err)
{
	static struct logline line;

	read_line(&line, text, st);
	cover(a, line.at_ms);
	if (line.kind == LOGLINE_NONE)
		return 0;
	if (line.host.len > 0 && line.host.len < HOST_MAX)
		note_host(a, line.host);
	if (line.kind == LOGLINE_DROPPED)
		a->lost_lines += line.recipients;
	else if (enter(a, &line) == -1)
		return err_memory(err, "no memory");
	a->lines += line.kind != LOGLINE_DROPPED;
	return 0;
}

static bool
is_compressed(FILE *f)
{
	static const char *const beginnings[] = { "\037\213", "BZh", "\3757zXZ", "(\265/\375" };
	char head[8];
	ssize_t n = pread(fileno(f), head, sizeof(head), 0);	/* a pipe has no beginning */

	for (size_t i = 0; n > 0 && i < sizeof(beginnings) / sizeof(beginnings[0]); i++)
		if (slice_starts(slice_of(head, (size_t)n), slice_str(beginnings[i])))
			return true;
	return false;
}

/* Without its newline. A power cut may have left zeros where lines were, which then stand in front of the next one. False: no more. */
static bool
next_line(FILE *f, char text[LINE_MOST], size_t *len)
{
	int c;

	*len = 0;
	while ((c = getc_unlocked(f)) != EOF && c != '\n') {
		if (c == '\0')
			*len = 0;
		else if (*len < LINE_MOST)
			text[(*len)++] = (char)c;
	}
	return c != EOF || *len > 0;
}

static int
read_lines(struct audit *a, FILE *f, const char *path, struct err *err)
{
	static char text[LINE_MOST];
	struct stat st;
	size_t len;

	if (fstat(fileno(f), &st) == -1)
		return err_sys(err, "%s", path);
	if (is_compressed(f))
		return err_set(err, "%s is compressed: unpack it into \"posthorn queue audit -\"", path);
	while (next_line(f, text, &len))
		if (take_line(a, slice_of(text, len), &st, err) == -1)
			return -1;
	return ferror(f) ? err_sys(err, "%s", path) : 0;
}

static int
read_log(struct audit *a, const char *path, struct err *err)
{
	FILE *f = strcmp(path, "-") == 0 ? stdin : fopen(path, "re");
	int rc;

	if (f == NULL)
		return err_sys(err, "%s", path);
	rc = read_lines(a, f, path, err);
	if (f != stdin)
		(void)fclose(f);
	return rc;
}

/* --- corrupt/ ----------------------------------------------------------------------------------- */

static int
enter_corrupt(void *arg, const char *name, struct err *err)
{
	struct audit *a = arg;
	const char *dash = strchr(name, '-');
	struct leaf *l;
	queue_id id;

	(void)err;
	if (dash == NULL || queue_id_parse(slice_str(dash + 1), &id) == -1 || (l = book_find(&a->book, id)) == NULL || l->on_disk)
		return 0;
	l->damage = "it was damaged, and is in corrupt/";
	a->in_corrupt++;
	return 0;
}

/* --- judging ------------------------------------------------------------------------------------ */

/* Addresses are escaped by whoever wrote the log; whoever wrote into it besides may not have done so. */
static void
print_tame(const char *text)
{
	for (; *text != '\0'; text++)
		(void)putchar(*text >= ' ' && *text <= '~' ? *text : '?');
}

static void __attribute__((format(printf, 3, 4)))
complain(struct audit *a, const struct leaf *l, const char *format, ...)
{
	char id[QUEUE_ID_LEN + 1], text[COMPLAINT_MAX];
	va_list ap;

	a->trouble = true;
	va_start(ap, format);
	(void)vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	printf("%s: ", queue_id_print(l->id, id));
	print_tame(text);
	(void)putchar('\n');
}

/* Accepted before the log begins, as far as anybody can tell. */
static bool
is_older(const struct audit *a, const struct leaf *l)
{
	return !l->accepted && (l->came_ms == -1 || a->from_ms == -1 || l->came_ms < a->from_ms + SLACK_MS);
}

static const char *
why_missing(const struct leaf *l)
{
	if (l->damage != NULL)
		return l->damage;
	if (l->on_disk)
		return "the disk has the message, but not them";
	return l->removed ? "the message was removed, and the log does not say what became of them" :
	    "neither the disk nor the log knows what became of them";
}

static void
judge_bounce(struct audit *a, const struct leaf *l, const struct holder *h)
{
	char id[QUEUE_ID_LEN + 1];

	switch (book_telling(&a->book, l, h)) {
	case TELLING_NONE:
		complain(a, l, "<%.*s> bounced, and %s was not told", SLICE_FMT(h->address), l->from_nobody ? "postmaster" : "the sender");
		break;
	case TELLING_LOST:
		complain(a, l, "<%.*s> bounced, and its notification %s was never queued", SLICE_FMT(h->address),
		    queue_id_print(h->notice, id));
		break;
	default:
		break;
	}
}

/* Whoever is told is told after the bounce: what the log has of the one it has of the other, too, however old the message is. */
static void
judge_bounces(struct audit *a, const struct leaf *l, bool older)
{
	for (const struct holder *h = l->holders; h != NULL; h = h->next)
		if ((older ? h->log : holder_share(h)) == SHARE_BOUNCED)
			judge_bounce(a, l, h);
}

static void
judge(struct audit *a, const struct leaf *l)
{
	struct sums s;

	if (!l->accepted && !l->on_disk && !l->ended)
		return;
	judge_bounces(a, l, is_older(a, l));
	if (is_older(a, l)) {
		a->older++;
		if (l->damage != NULL)
			complain(a, l, "%s", l->damage);
		return;
	}
	if (!l->accepted)
		complain(a, l, "%s, and the log has not accepted it", l->on_disk ? "it is on the disk" : "the log speaks of it");
	book_sum(&a->book, l, &s);
	a->messages += l->accepted;
	a->recipients += l->accepted ? l->recipients : 0;
	for (enum share i = SHARE_NONE; l->accepted && i < SHARE_COUNT; i++)
		a->sums.share[i] += s.share[i];
	for (enum telling i = TELLING_NONE; l->accepted && i < TELLING_COUNT; i++)
		a->sums.telling[i] += s.telling[i];
	a->sums.again += s.again;
	if (s.share[SHARE_NONE] > 0)
		complain(a, l, "%" PRIu64 " of %" PRIu32 " recipients missing: %s", s.share[SHARE_NONE], l->recipients, why_missing(l));
}

/* --- telling ------------------------------------------------------------------------------------ */

static const char *
time_text(int64_t ms, char out[32])
{
	time_t seconds = (time_t)(ms / 1000);
	struct tm tm = { 0 };

	(void)localtime_r(&seconds, &tm);
	(void)strftime(out, 32, "%Y-%m-%d %H:%M:%S", &tm);
	return out;
}

static void
tell(const struct audit *a)
{
	static const struct { enum share share; const char *word; } rows[] = {
		{ SHARE_QUEUED, "queued" }, { SHARE_DELIVERED, "delivered" }, { SHARE_BOUNCED, "bounced" },
		{ SHARE_EXPANDED, "expanded" }, { SHARE_DELETED, "deleted" }, { SHARE_NONE, "missing" },
	};
	char from[32], to[32];

	if (a->lines == 0)
		printf("the log speaks of no message%s\n", a->trouble ? ": it proves nothing" : "");
	if (a->from_ms != -1)
		printf("log: %s to %s\n", time_text(a->from_ms, from), time_text(a->to_ms, to));
	if (a->other[0] != '\0')
		printf("the log has lines of %s and of %s: ids of one host mean nothing to another\n", a->host, a->other);
	printf("disk: %" PRIu64 " messages in the ring, %" PRIu64 " in the spool\n", a->census.ring, a->census.spool);
	printf("accepted: %" PRIu64 " messages, %" PRIu64 " recipients\n", a->messages, a->recipients);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		printf("  %-10s %" PRIu64 "\n", rows[i].word, a->sums.share[rows[i].share]);
	if (a->sums.share[SHARE_BOUNCED] > 0)
		printf("of the bounced: %" PRIu64 " told, %" PRIu64 " to be told, %" PRIu64 " deleted before, %" PRIu64 " not to be told\n",
		    a->sums.telling[TELLING_DONE], a->sums.telling[TELLING_OWED], a->sums.telling[TELLING_DELETED],
		    a->sums.telling[TELLING_UNWANTED]);
	if (a->sums.again > 0)
		printf("to be delivered once more: %" PRIu64 " recipients, whose end the disk does not know\n", a->sums.again);
	if (a->older > 0)
		printf("older than the log: %" PRIu64 " messages\n", a->older);
	if (a->in_corrupt > 0)
		printf("in corrupt/: %" PRIu64 " messages\n", a->in_corrupt);
	if (a->lost_lines > 0)
		printf("the log lacks %" PRIu64 " lines, as it says itself: what is named here may have stood there\n", a->lost_lines);
	if (a->twice > 0)
		printf("ids of two messages: %" PRIu64 "; the logs are of two queues, on two hosts or one after the other\n", a->twice);
	if (a->census.damaged > 0)
		printf("damaged places in the ring: %" PRIu64 "\n", a->census.damaged);
	printf(a->trouble ? "NOT conserved\n" : "conserved\n");
}

/* --- in order ----------------------------------------------------------------------------------- */

/* What lies there was written by the queue's user, and libdb reads it: not with more rights than he has. */
static int
become_owner(int dir, const char *path, struct err *err)
{
	struct stat st;

	if (fstat(dir, &st) == -1)
		return err_sys(err, "%s", path);
	if (geteuid() != 0 || st.st_uid == 0)
		return 0;
	if (setgroups(0, NULL) == -1 || setresgid(st.st_gid, st.st_gid, st.st_gid) == -1 ||
	    setresuid(st.st_uid, st.st_uid, st.st_uid) == -1)
		return err_sys(err, "cannot become the owner of %s", path);
	return 0;
}

static int
read_disk(struct audit *a, const char *path, struct err *err)
{
	int dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC), lock = -1, corrupt = -1, rc = -1;

	if (dir == -1)
		return err_sys(err, "queue directory %s", path);
	if (become_owner(dir, path, err) == 0 && (lock = layout_lock(dir, path, false, err)) != -1)
		rc = census_take(&a->census, dir, &a->book, err);
	if (rc == 0 && (corrupt = openat(dir, "corrupt", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)) != -1)
		rc = tree_each(corrupt, enter_corrupt, a, err);
	fd_close(&corrupt);
	fd_close(&lock);
	fd_close(&dir);
	return rc;
}

int
audit(int argc, char **argv)
{
	struct audit a = { .from_ms = -1, .to_ms = -1 };
	struct err err = { 0 };
	int rc = 0;

	book_init(&a.book);
	for (int i = 1; rc == 0 && i < argc; i++)
		rc = read_log(&a, argv[i], &err);
	if (rc == 0)
		rc = read_disk(&a, argv[0], &err);
	if (rc == 0) {
		for (const struct leaf *l = a.book.first; l != NULL; l = l->next)
			judge(&a, l);
		/* What was in a damaged place nobody knows; a log without messages is another one's, one of two queues mixes them. */
		a.trouble = a.trouble || a.census.damaged > 0 || a.twice > 0 || (a.lines == 0 && a.census.ring + a.census.spool > 0);
		tell(&a);
	} else {
		(void)fprintf(stderr, "posthorn: no audit: %s\n", err.text);
	}
	book_fini(&a.book);
	if (rc == -1)
		return EX_NOINPUT;
	return a.trouble ? 1 : EX_OK;
}
