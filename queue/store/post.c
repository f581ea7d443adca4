/*
 * post — see post.h.
 */
#include "queue/store/post.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"
#include "queue/store/inside.h"

int
post_open(struct post *p, struct err *err)
{
	*p = (struct post){ .fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK) };
	pthread_mutex_init(&p->lock, NULL);
	STAILQ_INIT(&p->finished);
	STAILQ_INIT(&p->notices);
	return p->fd == -1 ? err_sys(err, "eventfd") : 0;
}

int
post_watch(struct post *p, struct loop *loop, void (*fn)(void *, int), void *arg, struct err *err)
{
	if (watch_start(&p->watch, loop, p->fd, WATCH_READ, fn, arg) == -1)
		return err_memory(err, "no memory");
	p->watching = true;
	return 0;
}

static void
notices_log(struct notice_list *notices)
{
	struct notice *n;

	while ((n = STAILQ_FIRST(notices)) != NULL) {
		STAILQ_REMOVE_HEAD(notices, next);
		if (n->level == LOG_LEVEL_ERROR)
			log_error("%s", n->text);
		else
			log_warn("%s", n->text);
		mem_free(n);
	}
}

void
post_close(struct post *p)
{
	if (p->watching)
		watch_stop(&p->watch);
	p->watching = false;
	notices_log(&p->notices);	/* the words of a start that fails are heard, too */
	fd_close(&p->fd);
	pthread_mutex_destroy(&p->lock);
}

/* Under the lock. An eventfd holds 2^64 - 2 of these: the write cannot fail. */
static void
ring_bell(struct post *p)
{
	uint64_t one = 1;
	ssize_t n;

	if (p->rung)
		return;
	p->rung = true;
	do
		n = write(p->fd, &one, sizeof(one));
	while (n == -1 && errno == EINTR);
}

void
post_give(struct post *p, struct post_list *list)
{
	if (STAILQ_EMPTY(list))
		return;
	pthread_mutex_lock(&p->lock);
	STAILQ_CONCAT(&p->finished, list);
	ring_bell(p);
	pthread_mutex_unlock(&p->lock);
}

void
post_leave(struct post *p, struct post_list *list)
{
	pthread_mutex_lock(&p->lock);
	STAILQ_CONCAT(&p->finished, list);
	pthread_mutex_unlock(&p->lock);
}

void
post_ring(struct post *p)
{
	pthread_mutex_lock(&p->lock);
	ring_bell(p);
	pthread_mutex_unlock(&p->lock);
}

void
post_say(struct post *p, enum log_level level, const char *fmt, ...)
{
	struct notice *n = mem_alloc(sizeof(*n));
	va_list ap;

	if (n == NULL)
		return;
	n->level = level;
	va_start(ap, fmt);
	vsnprintf(n->text, sizeof(n->text), fmt, ap);
	va_end(ap);
	pthread_mutex_lock(&p->lock);
	STAILQ_INSERT_TAIL(&p->notices, n, next);
	ring_bell(p);
	pthread_mutex_unlock(&p->lock);
}

void
post_take(struct post *p, struct post_list *out)
{
	struct notice_list notices = STAILQ_HEAD_INITIALIZER(notices);
	uint64_t rings;

	STAILQ_INIT(out);
	pthread_mutex_lock(&p->lock);
	while (p->rung && read(p->fd, &rings, sizeof(rings)) == -1 && errno == EINTR)
		;
	p->rung = false;
	STAILQ_CONCAT(out, &p->finished);
	STAILQ_CONCAT(&notices, &p->notices);
	pthread_mutex_unlock(&p->lock);
	notices_log(&notices);
}
