/*
 * logline — see logline.h.
 */
#include "queue/archive/logline.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/fmt.h"
#include "base/num.h"

/* --- pieces ------------------------------------------------------------------------------------- */

static bool
take(struct slice *in, const char *word)
{
	struct slice w = slice_str(word);

	if (!slice_starts(*in, w))
		return false;
	slice_drop(in, w.len);
	return true;
}

static bool
take_id(struct slice *in, queue_id *id)
{
	if (in->len < QUEUE_ID_LEN || queue_id_parse(slice_of(in->p, QUEUE_ID_LEN), id) == -1)
		return false;
	slice_drop(in, QUEUE_ID_LEN);
	return true;
}

/* What stands before `>`, which may be in quotes within an address; the logger doubles each backslash. */
static bool
take_address(struct slice *in, struct slice *out)
{
	bool quoted = false;

	for (size_t i = 0; i < in->len; i++) {
		if (quoted && in->p[i] == '\\' && i + 2 < in->len && in->p[i + 1] == '\\')
			i += in->p[i + 2] == '\\' ? 3 : 2;	/* with what it makes ordinary */
		else if (in->p[i] == '"')
			quoted = !quoted;
		else if (in->p[i] == '>' && !quoted) {
			*out = slice_of(in->p, i);
			slice_drop(in, i + 1);
			return true;
		}
	}
	return false;
}

static bool
take_number(struct slice *in, uint64_t *out)
{
	size_t n = 0;

	while (n < in->len && in->p[n] >= '0' && in->p[n] <= '9')
		n++;
	if (num_parse(slice_of(in->p, n), UINT32_MAX, out) == -1)
		return false;
	slice_drop(in, n);
	return true;
}

/* Up to these words, which are taken, too. */
static bool
take_until(struct slice *in, const char *words, struct slice *out)
{
	const char *at = in->len == 0 ? NULL : memmem(in->p, in->len, words, strlen(words));

	if (at == NULL)
		return false;
	*out = slice_of(in->p, (size_t)(at - in->p));
	slice_drop(in, out->len + strlen(words));
	return true;
}

/* "0.04", "17": as lines.c prints seconds. */
static int64_t
seconds(struct slice text)
{
	uint64_t whole = 0, part = 0;
	struct slice rest, front = slice_split(text, '.', &rest);

	(void)num_parse(front, UINT32_MAX, &whole);
	if (rest.len > 0 && rest.len <= 2 && num_parse(rest, 99, &part) == 0)
		part *= rest.len == 1 ? 100 : 10;
	return (int64_t)(whole * 1000 + part);
}

/* --- stamps ------------------------------------------------------------------------------------- */

/* "Nov 23 06:00:00", local time. -1: it is none. */
static int64_t
old_stamp(const char *text, int year)
{
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	struct tm tm = { .tm_year = year - 1900, .tm_isdst = -1 };
	const char *at;
	char month[4];

	if (sscanf(text, "%3[A-Za-z] %2d %2d:%2d:%2d", month, &tm.tm_mday, &tm.tm_hour, &tm.tm_min, &tm.tm_sec) != 5 ||
	    strlen(month) != 3 || (at = strstr(months, month)) == NULL || (at - months) % 3 != 0)
		return -1;
	tm.tm_mon = (int)(at - months) / 3;
	return (int64_t)mktime(&tm) * 1000;
}

/* "2026-11-23T06:05:44.123Z", or with an offset: "+01:00", or as journalctl prints it, "+0100". */
static int64_t
new_stamp(const char *text)
{
	struct tm tm = { 0 };
	unsigned ms = 0, hours, minutes = 0;
	const char *zone;
	int64_t at;
	char sign;

	if (strlen(text) < 19 ||
	    sscanf(text, "%4d-%2d-%2dT%2d:%2d:%2d", &tm.tm_year, &tm.tm_mon, &tm.tm_mday, &tm.tm_hour, &tm.tm_min, &tm.tm_sec) != 6)
		return -1;
	tm.tm_year -= 1900;
	tm.tm_mon -= 1;
	(void)sscanf(text + 19, ".%3u", &ms);
	at = (int64_t)timegm(&tm) * 1000 + ms;
	zone = strpbrk(text + 19, "Z+-");
	if (zone != NULL && sscanf(zone, strchr(zone, ':') != NULL ? "%c%2u:%2u" : "%c%2u%2u", &sign, &hours, &minutes) == 3)
		at -= (sign == '-' ? -1 : 1) * (int64_t)(hours * 60 + minutes) * 60000;
	return at;
}

static void
first_bytes(struct slice line, char out[40])
{
	size_t n = line.len < 39 ? line.len : 39;

	if (n > 0)
		memcpy(out, line.p, n);
	out[n] = '\0';
}

/* A word and the spaces behind it. */
static struct slice
take_word(struct slice *in)
{
	struct slice rest, word = slice_split(*in, ' ', &rest);

	*in = rest;
	while (in->len > 0 && in->p[0] == ' ')
		slice_drop(in, 1);
	return word;
}

/* Stamp and host go, if they are there. */
static void
take_stamp(struct slice *in, struct logline *out, int year)
{
	char text[40];
	int words = 1;

	first_bytes(*in, text);
	if ((out->at_ms = new_stamp(text)) == -1) {
		if ((out->at_ms = old_stamp(text, year)) == -1)
			return;
		words = 3;
	}
	while (words-- > 0)
		(void)take_word(in);
	out->host = take_word(in);
}

/* "name/service[number]:" goes. False: it is no line of a logger of ours. */
static bool
take_name(struct slice *in)
{
	struct slice word = take_word(in);

	return word.len > 4 && memcmp(word.p + word.len - 2, "]:", 2) == 0 &&
	    (memmem(word.p, word.len, "/queue[", 7) != NULL || memmem(word.p, word.len, "/logger[", 8) != NULL);
}

/* --- text --------------------------------------------------------------------------------------- */

/* Behind `to=<`. `then`: what follows each of the two. */
static bool
take_addresses(struct slice *in, struct logline *out, const char *then, const char *original)
{
	if (!take_address(in, &out->to) || !take(in, then))
		return false;
	return !take(in, original) || (take_address(in, &out->original) && take(in, then));
}

/* to=<>, [orig_to=<>, ]relay=, delay=, delays=, dsn=, status= (text). Behind the status strangers speak. */
static bool
read_delivery(struct slice in, struct logline *out)
{
	static const struct { const char *word; enum logline_kind kind; } words[] = {
		{ "sent (expanded)", LOGLINE_EXPANDED }, { "sent (", LOGLINE_SENT }, { "bounced (", LOGLINE_BOUNCED },
		{ "deferred (", LOGLINE_DEFERRED },
	};
	struct slice relay, delay, rest;

	if (!take(&in, "to=<") || !take_addresses(&in, out, ", ", "orig_to=<"))
		return false;
	if (!take(&in, "relay=") || !take_until(&in, ", delay=", &relay) || !take_until(&in, ", delays=", &delay) ||
	    !take_until(&in, ", status=", &rest))
		return false;
	out->delay_ms = seconds(delay);
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]) && out->kind == LOGLINE_NONE; i++)
		if (slice_starts(in, slice_str(words[i].word)))
			out->kind = words[i].kind;
	return out->kind != LOGLINE_NONE;
}

static bool
read_queued(struct slice in, struct logline *out)
{
	struct slice size;

	if (!take(&in, "from=<") || !take_address(&in, &out->from) || !take(&in, ", size=") || !take_until(&in, ", nrcpt=", &size) ||
	    !take_number(&in, &out->recipients) || !take(&in, " (queue active)"))
		return false;
	out->kind = LOGLINE_QUEUED;
	return true;
}

static bool
read_notified(struct slice in, struct logline *out)
{
	if (!take(&in, "notification=") || !take_id(&in, &out->new_id) || !take(&in, ", to=<") ||
	    !take_addresses(&in, out, "", ", orig_to=<"))
		return false;
	out->kind = LOGLINE_NOTIFIED;
	return true;
}

static bool
read_unwanted(struct slice in, struct logline *out)
{
	if (!take(&in, "no notification is wanted, to=<") || !take_addresses(&in, out, "", ", orig_to=<"))
		return false;
	out->kind = LOGLINE_UNWANTED;
	return true;
}

static bool
read_end(struct slice in, struct logline *out)
{
	if (!take(&in, "removed"))
		return false;
	out->kind = take(&in, " by an operator") ? LOGLINE_DELETED : LOGLINE_REMOVED;
	return true;
}

/* What the logger says of lines that never came, or that it could not write (control/logger/logger.c). */
static bool
read_dropped(struct slice in, struct logline *out)
{
	(void)take(&in, "the log target was stuck: ");
	if (!take_number(&in, &out->recipients) || !take(&in, " lines ") ||
	    (!take(&in, "were dropped") && !take(&in, "of this process were dropped")))
		return false;
	out->kind = LOGLINE_DROPPED;
	return true;
}

static void
read_text(struct logline *out, struct slice line)
{
	static bool (*const shapes[])(struct slice, struct logline *) = { read_delivery, read_queued, read_notified,
	    read_unwanted, read_end };

	if (!take_name(&line) || (take(&line, "warning: ") && read_dropped(line, out)) || !take_id(&line, &out->id) || !take(&line, ": "))
		return;
	for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++)
		if (shapes[i](line, out))
			return;
}

/* --- json --------------------------------------------------------------------------------------- */

static struct slice
member(const json_t *all, const char *name)
{
	const json_t *v = json_object_get(all, name);

	return json_is_string(v) ? slice_of(json_string_value(v), json_string_length(v)) : slice_of("", 0);
}

/* As a line of text would have it. */
static struct slice
escaped(struct logline *out, size_t *used, struct slice text)
{
	char *at = out->scratch + *used;

	(void)fmt_shown(at, sizeof(out->scratch) - *used, text);
	*used += strlen(at) + 1 < sizeof(out->scratch) - *used ? strlen(at) + 1 : 0;
	return slice_str(at);
}

static enum logline_kind
json_delivery(const json_t *all)
{
	struct slice status = member(all, "status");

	if (slice_eq(status, SLICE_LIT("sent")))
		return slice_eq(member(all, "text"), SLICE_LIT("expanded")) ? LOGLINE_EXPANDED : LOGLINE_SENT;
	return slice_eq(status, SLICE_LIT("bounced")) ? LOGLINE_BOUNCED : LOGLINE_DEFERRED;
}

static enum logline_kind
json_kind(const json_t *all)
{
	struct slice event = member(all, "event");

	if (slice_eq(event, SLICE_LIT("delivery")))
		return json_delivery(all);
	if (slice_eq(event, SLICE_LIT("queued")))
		return LOGLINE_QUEUED;
	if (slice_eq(event, SLICE_LIT("told")))
		return LOGLINE_NOTIFIED;
	if (slice_eq(event, SLICE_LIT("untold")))
		return LOGLINE_UNWANTED;
	if (slice_eq(event, SLICE_LIT("operator")))
		return slice_eq(member(all, "text"), SLICE_LIT("removed by an operator")) ? LOGLINE_DELETED : LOGLINE_NONE;
	return slice_eq(event, SLICE_LIT("removed")) ? LOGLINE_REMOVED : LOGLINE_NONE;
}

static bool
json_is_dropped(const json_t *all, struct logline *out)
{
	struct slice who = member(all, "service");

	return slice_eq(member(all, "event"), SLICE_LIT("text")) &&
	    (slice_eq(who, SLICE_LIT("queue")) || slice_eq(who, SLICE_LIT("logger"))) && read_dropped(member(all, "text"), out);
}

static void
read_json(struct logline *out, struct slice line)
{
	json_t *all = json_loadb(line.p, line.len, JSON_ALLOW_NUL, NULL);	/* a next hop may say one */
	char stamp[40];
	size_t used = 0;

	first_bytes(member(all, "time"), stamp);
	out->at_ms = new_stamp(stamp);
	out->kind = json_kind(all);
	if (json_is_dropped(all, out)) {
		json_decref(all);
		return;
	}
	if (queue_id_parse(member(all, "queue_id"), &out->id) == -1 ||
	    (out->kind == LOGLINE_NOTIFIED && queue_id_parse(member(all, "new_queue_id"), &out->new_id) == -1))
		out->kind = LOGLINE_NONE;
	out->recipients = (uint64_t)json_integer_value(json_object_get(all, "nrcpt"));
	out->delay_ms = json_integer_value(json_object_get(all, "delay_ms"));
	out->from = escaped(out, &used, member(all, "from"));
	out->to = escaped(out, &used, member(all, "to"));
	out->original = escaped(out, &used, member(all, "orig_to"));
	json_decref(all);
}

void
logline_read(struct logline *out, struct slice line, int year)
{
	out->kind = LOGLINE_NONE;
	out->at_ms = -1;
	out->id = out->new_id = 0;
	out->recipients = 0;
	out->delay_ms = 0;
	out->from = out->to = out->original = out->host = slice_of("", 0);
	take_stamp(&line, out, year);
	if (line.len > 0 && line.p[0] == '{')
		read_json(out, line);
	else
		read_text(out, line);
	if (slice_eq(out->to, out->original))
		out->original = slice_of("", 0);
}
