#ifndef TEST_LOOKUP_PORCH_H
#define TEST_LOOKUP_PORCH_H
/*
 * porch — a gate, and around it the smtpd that asks and the queue that is told, both played by the test.
 */
#include "tests/support/testing.h"

#include "event/loop.h"
#include "event/timer.h"
#include "ipc/channel.h"
#include "lookup/password/gate.h"
#include "wire/auth.h"

#define BOB	"bob:$2b$04$abcdefghijklmnopqrstuu/FyAyuZSl3DbPdvio4KrIBdz2k2yhV2\n"
#define USER	"user:{SCRAM-SHA-256}4096,W22ZaJ0SNY7soEsUEjb6gQ==,WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=,wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=\n"
#define RIGHT	SLICE_LIT("\0bob\0pencil")
#define WRONG	SLICE_LIT("\0bob\0pen")
#define DELAY	40	/* ms */

struct news {
	uint16_t	type;
	uint64_t	serial;
	char		text[300], login[100];
	struct auth_token token;
};

struct porch {
	struct loop	*loop;
	struct gate	*gate;
	struct conf	 conf;
	struct timer	 tick;
	char		 base[256], users[600];
	/* smtpd */
	struct channel	*door;
	struct news	 news[64];
	unsigned	 got, used;
	char		 mechanisms[AUTH_MECHANISMS_MAX + 1];
	unsigned	 offers;	/* times that they were told */
	bool		 ended;
	/* queue */
	struct channel	*queue;
	bool		 refuse, silent, queue_ended;
	unsigned	 logins, claims, logouts, told;
	struct auth_token told_of[64], last_login, last_logout;
};
extern struct porch the;

int	porch_setup(void **);
int	porch_teardown(void **);
void	porch_open(const char *users);			/* a gate, an smtpd, a queue */
void	porch_open_file(const char *text);		/* with users in base/passwd */
void	porch_smtpd(void);				/* a new wire; the old one has ended */
void	porch_queue(void);
void	porch_rounds(int64_t ms);
void	porch_until(const unsigned *counter, unsigned least);
void	porch_begin(uint64_t serial, const char *mechanism, struct slice response);
void	porch_begin_from(uint64_t serial, const char *mechanism, const struct slice *response, const char *address);
void	porch_resume(uint64_t serial, struct auth_token, const char *login);
void	porch_say(uint64_t serial, struct slice response);
void	porch_cancel(uint64_t serial);
/* The next news, which has to be of this type, of this attempt, and to say this (a part of it). */
const struct news *porch_expect(uint16_t type, uint64_t serial, const char *text);

#endif
