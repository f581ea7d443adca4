#ifndef LOOKUP_ACCOUNT_H
#define LOOKUP_ACCOUNT_H
/*
 * account — who is this local user: from the system's accounts or from a passwd-file.
 *
 * Blocks as long as the system does; only disposable workers call it. What is not a clean "there is
 * no such name" is trouble: mail is never refused because a directory server was away.
 */
#include "base/arena.h"
#include "base/err.h"
#include "conf/conf.h"

enum account_result {
	ACCOUNT_NONE,
	ACCOUNT_FOUND,
	ACCOUNT_UNKNOWN,	/* the source answered, and the name is not in it */
	ACCOUNT_TROUBLE		/* the source did not answer: try later; err says why */
};

struct account {
	struct slice	name;		/* as the source writes it */
	uint32_t	uid, gid;
	struct slice	home;
};

/* How resolution asks, so that its tests need no system. Slices of *out live in the arena. */
struct user_source {
	enum account_result	(*find)(void *arg, const struct conf_domain *, struct slice local, struct arena *,
				    struct account *out, struct err *);
	void			*arg;
};

/* The real source: getpwnam_r, and the passwd-files of
 * all domains, each read again when it has changed. */
struct accounts;

struct accounts_ops {
	/* A file was read: its stamp differs from the last one when its contents may. */
	void	(*loaded)(void *arg, const char *path, uint64_t stamp);
	void	*arg;
};

struct accounts		*accounts_new(const struct accounts_ops *, struct err *);
void			 accounts_free(struct accounts **);
struct user_source	 accounts_source(struct accounts *);
void			 accounts_check(struct accounts *, const char *path);	/* reads it again if it has changed */
/* Loads what the C library loads at its first question; for before the sandbox. */
void			 account_warm_up(void);

#endif
