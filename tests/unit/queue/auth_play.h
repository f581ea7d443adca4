#ifndef QUEUE_AUTH_PLAY_H
#define QUEUE_AUTH_PLAY_H
/* auth_play — lookup's end of the auth wire on a stage: who is logged in, and what becomes of what they send. */
#include "tests/unit/queue/stage.h"
#include "wire/auth.h"

struct auth_play {
	struct stage_set	*stage;
	struct channel		*lookup;
	uint32_t		 known, full;		/* answers of queue's: yes, no */
};

void	auth_play_open(struct auth_play *, struct stage_set *);	/* an open stage, where people log in, and all others */
void	auth_play_all(struct auth_play *);			/* everybody else, anew: after a start of the owner */
void	auth_play_close(struct auth_play *);			/* and the stage */
void	auth_play_wire(struct auth_play *);			/* another lookup has come */
struct auth_token auth_play_token(uint64_t low);
void	auth_play_login(struct auth_play *, uint64_t low, const char *name);	/* waits for queue's yes */
/* One message with this token; exactly this verdict. */
void	auth_play_submit(struct auth_play *, struct auth_token, const char *to, uint32_t count, enum submit_verdict);

#endif
