#ifndef CRASH_TOY_INSIDE_H
#define CRASH_TOY_INSIDE_H
/* toy_inside — what store_toy.c, load.c and promises.c share, and nobody else sees. */
#include "tests/crash/store_toy.h"

#define ENVELOPE_FIXED	20u

struct toy_message	*toy_message_new(struct toy *, struct row *);	/* not live yet */
void			 toy_message_live(struct toy *, struct toy_message *);
void			 toy_message_free(struct toy_message *);
void			 toy_content(uint64_t id, char *p, uint32_t len);	/* follows from the id alone */
void			 toy_envelope(struct toy_message *);		/* made anew, with the state it has now */
struct slice		 toy_destination(uint64_t id, char out[16]);
void			 toy_maybe_sleep(struct toy *, struct toy_message *);
/* promises.c: one live message; all of them, and what sleeps. */
void			 toy_check(struct toy *, struct toy_message *);
void			 toy_check_all(struct toy *);

#endif
