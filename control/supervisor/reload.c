/* reload — two phases by generation. */
#include "control/supervisor/reload.h"

#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "base/fd.h"
#include "base/fmt.h"
#include "base/log.h"
#include "conf/child.h"

enum fixed_type { FIXED_TEXT, FIXED_NUMBER };

/* Settings that hold something open, or on disk, for as long as posthorn runs. */
static const struct {
	const char	*name;
	enum fixed_type	 type;
	size_t		 at;
} fixed[] = {
	{ "run-directory",	 FIXED_TEXT,	offsetof(struct conf, run_directory) },
	{ "queue.directory",	 FIXED_TEXT,	offsetof(struct conf, queue.directory) },
	{ "queue.ring-segments", FIXED_NUMBER,	offsetof(struct conf, queue.segments) },
	{ "queue.segment-size",	 FIXED_NUMBER,	offsetof(struct conf, queue.segment_size) },
};

static bool
same_text(const char *a, const char *b)
{
	return strcmp(a == NULL ? "" : a, b == NULL ? "" : b) == 0;
}

static bool
same_setting(size_t i, const struct conf *now, const struct conf *next)
{
	const char *a = (const char *)now + fixed[i].at, *b = (const char *)next + fixed[i].at;

	if (fixed[i].type == FIXED_NUMBER)
		return memcmp(a, b, sizeof(int64_t)) == 0;
	return same_text(*(char *const *)(const void *)a, *(char *const *)(const void *)b);
}

int
reload_fits(const struct conf *now, const struct conf *next, struct err *err)
{
	for (size_t i = 0; i < sizeof(fixed) / sizeof(fixed[0]); i++)
		if (!same_setting(i, now, next))
			return err_set(err, "%s cannot change while posthorn runs: restart it", fixed[i].name);
	return 0;
}

static void begin(void *);

static void
out_of_patience(void *arg)
{
	struct reload *r = arg;
	struct child *c;
	char why[200] = "nobody answers";

	TAILQ_FOREACH(c, r->children, entry)
		if (c->asked)
			(void)snprintf(why, sizeof(why), "%s does not answer", c->name);
	reload_answer(r, NULL, &(struct control_conf){ .generation = r->generation, .text = slice_str(why) });
}

int
reload_init(struct reload *r)
{
	r->last = -RELOAD_SPACING_MS;
	if (timer_init(&r->patience, r->stage->loop, out_of_patience, r) == -1)
		return -1;
	return timer_init(&r->soon, r->stage->loop, begin, r);
}

void
reload_fini(struct reload *r)
{
	timer_fini(&r->soon);
	timer_fini(&r->patience);
	tls_files_close(&r->files);
	conf_free(&r->next);
}

bool
reload_running(const struct reload *r)
{
	return r->next != NULL;
}

static void
send_verdict(struct reload *r, bool ok)
{
	struct child *c;

	TAILQ_FOREACH(c, r->children, entry)
		if (!c->row->replaced)
			child_send_commit(c, r->generation, ok);
}

static void
finish(struct reload *r, bool ok, const char *text)
{
	timer_stop(&r->patience);
	r->last = loop_now(r->stage->loop);
	r->ops->told(r->arg, ok, text);
	if (r->again)
		reload_wish(r);
}

static void
refuse(struct reload *r, const char *why)
{
	if (r->next != NULL)
		send_verdict(r, false);
	conf_free(&r->next);
	tls_files_close(&r->files);
	listeners_forget(r->listeners);
	finish(r, false, why);
}

static void
commit(struct reload *r)
{
	struct conf *next = r->next;

	r->next = NULL;
	send_verdict(r, true);
	r->ops->committed(r->arg, next, &r->files);
	r->files = (struct tls_files){ 0 };		/* they are in others' hands now */
	finish(r, true, "the new configuration is in force");
}

/* As the logger will open it, by whoever we are: better found out now than by a log that ends. */
static int
try_log(const struct conf *now, const struct conf *next, struct err *err)
{
	static const char file[] = "file:";
	const char *path = next->log.target + sizeof(file) - 1;
	int fd;

	if (same_text(now->log.target, next->log.target) || strncmp(next->log.target, file, sizeof(file) - 1) != 0)
		return 0;
	fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0640);
	if (fd == -1)
		return err_sys(err, "log target %s", path);
	fd_close(&fd);
	return 0;
}

/* Every mistake is a line of the log; the first one is the answer to whoever asked. */
static void
tell_mistakes(const struct conf_report *report, struct err *err)
{
	struct slice rest = buf_slice(&report->lines), line;
	char words[200];

	(void)err_set(err, "the configuration has %u mistakes", (unsigned)report->mistakes);
	for (bool first = true; rest.p != NULL && rest.len > 0; first = false) {
		line = slice_split(rest, '\n', &rest);
		log_error("%s", fmt_escaped(words, sizeof(words), line));
		if (first)
			(void)err_set(err, "%s (%u mistakes in all)", words, (unsigned)report->mistakes);
	}
}

static struct conf *
load(struct reload *r, struct err *err)
{
	struct conf *next = NULL;
	struct conf_report report;

	conf_report_init(&report);
	if (conf_load_in_child(r->path, &next, &report) == -1)
		tell_mistakes(&report, err);
	conf_report_fini(&report);
	return next;
}

static int
prepare(struct reload *r, struct conf *next, struct err *err)
{
	if (reload_fits(r->stage->conf, next, err) == -1 || try_log(r->stage->conf, next, err) == -1)
		return -1;
	return tls_files_open(&r->files, next, err) == -1 ? -1 : listeners_prepare(r->listeners, next, err);
}

static bool
anybody_asked(const struct reload *r)
{
	const struct child *c;

	TAILQ_FOREACH(c, r->children, entry)
		if (c->asked)
			return true;
	return false;
}

static void
begin(void *arg)
{
	struct reload *r = arg;
	struct err err = { 0, "" };
	struct conf *next;
	struct child *c;

	timer_stop(&r->soon);
	r->again = false;
	next = load(r, &err);
	if (next == NULL || prepare(r, next, &err) == -1) {
		conf_free(&next);
		refuse(r, err.text);
		return;
	}
	next->generation = ++r->generation;
	r->next = next;
	timer_set(&r->patience, RELOAD_PATIENCE_MS);
	TAILQ_FOREACH(c, r->children, entry)
		if (!c->row->replaced)
			child_send_prepare(c, next, &r->files);
	if (!anybody_asked(r))
		commit(r);
}

void
reload_wish(struct reload *r)
{
	int64_t since = loop_now(r->stage->loop) - r->last;

	r->again = true;
	if (!reload_running(r) && !timer_is_set(&r->soon))
		timer_set(&r->soon, since < RELOAD_SPACING_MS ? RELOAD_SPACING_MS - since : 1);
}

void
reload_answer(struct reload *r, struct child *c, const struct control_conf *answer)
{
	char why[CHILD_WHY_MAX];

	if (!reload_running(r) || answer->generation != r->generation)
		return;
	if (c != NULL)
		c->asked = false;
	if (!answer->ok)
		refuse(r, fmt_escaped(why, sizeof(why), answer->text));
	else if (!anybody_asked(r))
		commit(r);
}

void
reload_lost(struct reload *r, const struct child *c)
{
	char why[80];

	if (!reload_running(r) || !c->asked)
		return;
	(void)snprintf(why, sizeof(why), "%s died meanwhile", c->name);
	refuse(r, why);
}
