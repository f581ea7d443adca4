/* survey — collects "name value" lines, then prints them for people or as JSON. */
#include "control/supervisor/survey.h"

#include <jansson.h>
#include <stdio.h>
#include <unistd.h>

#include "base/fmt.h"
#include "ipc/reader.h"
#include "ipc/writer.h"

#define ANSWERS_MAX	(256 * 1024)
#define REPORT_MAX_BYTES	(512 * 1024)
#define WORD_MAX	128

static const char *const state_names[] = {
	[CHILD_NONE] = "none", [CHILD_WAITING] = "waiting to be started", [CHILD_STARTING] = "starting", [CHILD_READY] = "running",
	[CHILD_STOPPING] = "stopping", [CHILD_KILLED] = "killed", [CHILD_REAPED] = "dead", [CHILD_GONE] = "not running",
};

static void finish(void *);

int
survey_init(struct survey *s)
{
	buf_init(&s->answers, ANSWERS_MAX);
	s->started = loop_now(s->stage->loop);
	return timer_init(&s->patience, s->stage->loop, finish, s);
}

void
survey_fini(struct survey *s)
{
	timer_fini(&s->patience);
	buf_fini(&s->answers);
}

/* The lines that `number` answered; empty when it did not. */
static struct slice
answer_of(const struct survey *s, uint32_t number)
{
	struct reader r = reader_of(buf_slice(&s->answers));

	while (r.in.len > 0 && !r.bad) {
		uint32_t who = get_u32(&r);
		struct slice text = get_slice(&r, ANSWERS_MAX);

		if (who == number)
			return text;
	}
	return SLICE_LIT("");
}

static int64_t
seconds(const struct survey *s, int64_t since)
{
	return (loop_now(s->stage->loop) - since) / 1000;
}

static void
print_child(const struct survey *s, const struct child *c, struct buf *out)
{
	struct slice rest = answer_of(s, c->number), line;

	(void)buf_printf(out, "%-20s %-10s pid %-8ld up %llds\n", c->name, state_names[c->state], (long)c->pid,
	    (long long)seconds(s, c->born));
	while (rest.p != NULL && rest.len > 0) {
		line = slice_split(rest, '\n', &rest);
		(void)buf_puts(out, "    ");
		fmt_escape(out, line, 400);
		(void)buf_putc(out, '\n');
	}
}

static json_t *
child_as_json(const struct survey *s, const struct child *c)
{
	struct slice rest = answer_of(s, c->number), line, value;
	json_t *values = json_object();
	char name[WORD_MAX], text[WORD_MAX];

	while (rest.p != NULL && rest.len > 0) {
		line = slice_split(rest, '\n', &rest);
		(void)fmt_escaped(name, sizeof(name), slice_split(line, ' ', &value));
		(void)json_object_set_new(values, name,
		    json_string(fmt_escaped(text, sizeof(text), value.p == NULL ? SLICE_LIT("") : value)));
	}
	return json_pack("{s:s, s:s, s:I, s:I, s:o}", "name", c->name, "state", state_names[c->state], "pid", (json_int_t)c->pid,
	    "up", (json_int_t)seconds(s, c->born), "values", values);
}

static void
print_json(const struct survey *s, struct buf *out)
{
	json_t *processes = json_array(), *all;
	const struct child *c;
	char *text;

	TAILQ_FOREACH(c, s->children, entry)
		(void)json_array_append_new(processes, child_as_json(s, c));
	all = json_pack("{s:s, s:I, s:I, s:I, s:b, s:o}", "version", PACKAGE_VERSION, "pid", (json_int_t)getpid(), "up",
	    (json_int_t)seconds(s, s->started), "generation", (json_int_t)s->stage->conf->generation, "paused", s->stage->paused,
	    "processes", processes);
	text = all == NULL ? NULL : json_dumps(all, JSON_COMPACT);
	(void)buf_printf(out, "%s\n", text == NULL ? "{}" : text);
	free(text);
	json_decref(all);
}

static void
print_text(const struct survey *s, struct buf *out)
{
	const struct child *c;

	(void)buf_printf(out, "posthorn %s, pid %ld, up %llds, configuration generation %llu%s\n", PACKAGE_VERSION, (long)getpid(),
	    (long long)seconds(s, s->started), (unsigned long long)s->stage->conf->generation,
	    s->stage->paused ? ", delivery paused" : "");
	TAILQ_FOREACH(c, s->children, entry)
		print_child(s, c, out);
}

static void
finish(void *arg)
{
	struct survey *s = arg;
	struct buf text, json;

	timer_stop(&s->patience);
	s->asking = false;
	buf_init(&text, REPORT_MAX_BYTES);
	buf_init(&json, REPORT_MAX_BYTES);
	print_text(s, &text);
	print_json(s, &json);
	s->done(s->arg, buf_slice(&text), buf_slice(&json));
	buf_fini(&text);
	buf_fini(&json);
	buf_reset(&s->answers);
}

void
survey_ask(struct survey *s)
{
	struct child *c;

	if (s->asking)
		return;
	s->asking = true;
	s->open = 0;
	TAILQ_FOREACH(c, s->children, entry) {
		if (c->state != CHILD_READY)
			continue;
		child_ask_status(c);
		s->open++;
	}
	timer_set(&s->patience, s->open > 0 ? SURVEY_PATIENCE_MS : 1);
}

void
survey_answer(struct survey *s, struct child *c, struct slice text)
{
	if (!s->asking || answer_of(s, c->number).len > 0)
		return;
	put_u32(&s->answers, c->number);
	put_slice(&s->answers, text);
	if (s->open > 0 && --s->open == 0)
		finish(s);
}
