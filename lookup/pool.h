#ifndef LOOKUP_POOL_H
#define LOOKUP_POOL_H
/*
 * pool — forked workers that answer one question at a time, and the clock that ends them.
 *
 * A worker that has not answered within the time is killed, reaped and replaced; so is one that
 * dies by itself. Whoever asked hears it as `lost`. A worker that dies young is replaced after 1,
 * 2, 4 ... 60 s; meanwhile pool_hopeful says whether waiting makes sense. Nothing here blocks. Called by lookup.c, gate.c and, in
 * the process pam, desk.c.
 */
#include "event/loop.h"
#include "ipc/channel.h"

struct pool;

struct pool_ops {
	/* In the forked child, with nothing open but fd (its own) and the standard three: serves,
	 * and returns the exit status. */
	int	(*child)(void *arg, int fd);
	/* A frame from a worker. `question` is what it was asked, or NULL
	 * when that was given up. 2: that was its last answer, a fresh one
	 * takes its place; 1: that was the answer; 0: something else;
	 * -1: a bad frame, which costs the worker its life. */
	int	(*frame)(void *arg, void *question, uint16_t type, struct reader *);
	void	(*lost)(void *arg, void *question);	/* no answer will come to this one */
	void	(*idle)(void *arg);			/* a worker is free, or none will be soon */
	void	*arg;
};

/* NULL: err. The workers are forked at once. */
struct pool	*pool_new(struct loop *, uint32_t workers, int64_t answer_ms, const struct pool_ops *, struct err *);
void		 pool_free(struct pool **);	/* kills and reaps; no callback runs */
bool		 pool_ready(const struct pool *);	/* one is free: pool_begin may be called */
bool		 pool_hopeful(const struct pool *);	/* one works, or is about to be replaced without back-off */
/* Starts a question to a free worker; `question` must not be NULL. Fill the buf, then pool_end. */
struct buf	*pool_begin(struct pool *, uint16_t type, void *question);
void		 pool_end(struct pool *);
/* Nobody waits for this answer any more; the worker keeps its clock. */
void		 pool_forget(struct pool *, const void *question);
uint64_t	 pool_deaths(const struct pool *);

#endif
