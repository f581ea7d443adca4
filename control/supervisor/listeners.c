/* listeners — one entry for each address of each listener block. */
#include "control/supervisor/listeners.h"

#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <time.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "net/listen.h"

#define BACKLOG		1024
#define TRY_AGAIN_MS	100

struct listener {
	TAILQ_ENTRY(listener)	entry;
	struct sockaddress	at;
	enum wire_role		role;
	uint32_t		number;		/* index of its block in the configuration */
	int			fd;
};

static void
listener_free(struct listener *l)
{
	fd_close(&l->fd);
	mem_free(l);
}

static void
empty(struct listener_list *list)
{
	struct listener *l;

	while ((l = TAILQ_FIRST(list)) != NULL) {
		TAILQ_REMOVE(list, l, entry);
		listener_free(l);
	}
}

void
listeners_init(struct listeners *all)
{
	TAILQ_INIT(&all->now);
	TAILQ_INIT(&all->next);
	all->queue = -1;
}

void
listeners_fini(struct listeners *all)
{
	empty(&all->now);
	empty(&all->next);
	fd_close(&all->queue);
}

static void
wait_a_little(void)
{
	const struct timespec t = { 0, TRY_AGAIN_MS * 1000000L };

	(void)nanosleep(&t, NULL);
}

/* Somebody who is just leaving may still hold the port. */
static int
bind_patiently(const struct sockaddress *at, int64_t until, struct err *err)
{
	int fd;

	for (;;) {
		fd = listen_tcp(at, BACKLOG, err);
		if (fd != -1 || err->code != EADDRINUSE || clock_mono_ms() >= until)
			return fd;
		wait_a_little();
	}
}

static int
listen_queue(const char *directory, int64_t until, struct err *err)
{
	char path[4096];
	int fd;

	(void)snprintf(path, sizeof(path), "%s/queue", directory);
	for (;;) {
		fd = listen_unix(path, 0666, BACKLOG, err);
		if (fd != -1 || clock_mono_ms() >= until)
			return fd;
		wait_a_little();
	}
}

static bool
same(const struct listener *l, const struct sockaddress *at, enum wire_role role)
{
	return l->role == role && sockaddress_same_host(&l->at, at) && sockaddress_port(&l->at) == sockaddress_port(at);
}

static struct listener *
find(const struct listener_list *list, const struct sockaddress *at, enum wire_role role)
{
	struct listener *l;

	TAILQ_FOREACH(l, list, entry)
		if (same(l, at, role))
			return l;
	return NULL;
}

static int
add(struct listener_list *list, const struct sockaddress *at, enum wire_role role, uint32_t number, int64_t until,
    struct err *err)
{
	struct listener *l = mem_zalloc(sizeof(*l));

	if (l == NULL)
		return err_set(err, "no memory for a listener");
	l->at = *at;
	l->role = role;
	l->number = number;
	l->fd = bind_patiently(at, until, err);
	if (l->fd == -1) {
		mem_free(l);
		return -1;
	}
	TAILQ_INSERT_TAIL(list, l, entry);
	return 0;
}

/* Binds into `list` what `conf` names and `have` does not. */
static int
bind_all(struct listener_list *list, const struct listener_list *have, const struct conf *conf, int64_t until, struct err *err)
{
	for (uint32_t i = 0; i < conf->listener_count; i++) {
		const struct conf_listener *block = &conf->listeners[i];
		enum wire_role role = listener_wire_role(block->role);

		for (uint32_t k = 0; k < block->at.count; k++)
			if ((have == NULL || find(have, &block->at.v[k], role) == NULL) &&
			    add(list, &block->at.v[k], role, i, until, err) == -1)
				return -1;
	}
	return 0;
}

int
listeners_open(struct listeners *all, const struct conf *conf, int64_t wait_ms, struct err *err)
{
	int64_t until = clock_mono_ms() + wait_ms;

	if (bind_all(&all->now, NULL, conf, until, err) == -1)
		return -1;
	all->queue = listen_queue(conf->run_directory, until, err);
	return all->queue == -1 ? -1 : 0;
}

void
listeners_give(const struct listeners *all, struct child *c)
{
	const struct listener *l;

	if (c->row->role == ROLE_QUEUE && all->queue != -1)
		child_send_listener(c, WIRE_CONTROL, ROLE_OPERATOR, 0, all->queue);
	TAILQ_FOREACH(l, &all->now, entry)
		if (l->role == c->row->role)
			child_send_listener(c, WIRE_NONE, l->role, l->number, l->fd);
}

int
listeners_prepare(struct listeners *all, const struct conf *conf, struct err *err)
{
	listeners_forget(all);
	if (bind_all(&all->next, &all->now, conf, 0, err) == 0)
		return 0;
	listeners_forget(all);
	return -1;
}

void
listeners_forget(struct listeners *all)
{
	empty(&all->next);
}

static bool
named(const struct conf *conf, struct listener *l)
{
	for (uint32_t i = 0; i < conf->listener_count; i++)
		for (uint32_t k = 0; k < conf->listeners[i].at.count; k++)
			if (same(l, &conf->listeners[i].at.v[k], listener_wire_role(conf->listeners[i].role))) {
				l->number = i;
				return true;
			}
	return false;
}

static void
drop_unnamed(struct listeners *all, const struct conf *conf)
{
	struct listener *l, *following;
	char text[SOCKADDRESS_TEXT];

	for (l = TAILQ_FIRST(&all->now); l != NULL; l = following) {
		following = TAILQ_NEXT(l, entry);
		if (named(conf, l))
			continue;
		log_info("no longer listening at %s", sockaddress_print_port(&l->at, text));
		(void)shutdown(l->fd, SHUT_RDWR);
		TAILQ_REMOVE(&all->now, l, entry);
		listener_free(l);
	}
}

static void
give_to_all(const struct listener *l, const struct child_list *children)
{
	struct child *c;

	TAILQ_FOREACH(c, children, entry)
		if (c->row->role == l->role)
			child_send_listener(c, WIRE_NONE, l->role, l->number, l->fd);
}

void
listeners_commit(struct listeners *all, const struct conf *conf, const struct child_list *children)
{
	struct listener *l;
	char text[SOCKADDRESS_TEXT];

	drop_unnamed(all, conf);
	while ((l = TAILQ_FIRST(&all->next)) != NULL) {
		TAILQ_REMOVE(&all->next, l, entry);
		TAILQ_INSERT_TAIL(&all->now, l, entry);
		log_info("now listening at %s", sockaddress_print_port(&l->at, text));
		give_to_all(l, children);
	}
}
