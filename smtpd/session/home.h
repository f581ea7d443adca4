#ifndef SMTPD_HOME_H
#define SMTPD_HOME_H
/*
 * home — what all sessions of one process share. The owner (smtpd.c) fills it in; sessions borrow it.
 */
#include "mail/date.h"
#include "smtpd/session/transaction.h"
#include "smtpd/settings.h"
#include "wire/control.h"

#define CONTENT_MEMORY_MAX	(64 * 1024 * 1024)	/* content in memory, all sessions; beyond it even small mail goes by file */

struct session;

struct home {
	struct loop		*loop;
	struct settings		*settings;	/* for new sessions */
	struct intake		*intake;
	struct routes		*routes;
	struct logins		*logins;
	struct transaction_pool	 pool;
	enum wire_role		 role;
	bool			 stressed;	/* sessions run out: strangers have less time */
	bool			 stopping;	/* no new transactions; sessions end when they are between two */
	uint32_t		 number_base;	/* of session numbers */
	uint32_t		 opened;	/* sessions so far */
	size_t			 content_bytes;	/* in memory now */
	uint64_t		 messages, refusals;	/* for status */
	int64_t			 date_second;	/* the second that `date` shows */
	char			 date[DATE_PRINT_SIZE];
	/* One more message or recipient of this session's client; false: over the limit, and the log has been told. */
	bool			(*charge)(void *arg, struct session *, enum client_charge);
	/* It speaks for another client from now on; false: that one has too many sessions, and the log has been told. */
	bool			(*moved)(void *arg, struct session *, const struct sockaddress *);
	void			(*closed)(void *arg, struct session *);	/* the session's memory goes when the round is over */
	void			*arg;
};

#endif
