#ifndef PASSWORD_SASL_H
#define PASSWORD_SASL_H
/*
 * sasl — one attempt to log in, from the server's side (RFC 4422): PLAIN (RFC 4616), LOGIN, SCRAM-SHA-256 and its -PLUS
 * (RFC 5802, RFC 7677).
 *
 * A pure function of all that the client has said so far: each step begins at the beginning, with the same nonce. So no state
 * outlives a step, a failed attempt leaves nothing that the next one could find, and any worker can take any step. The users come
 * by a callback: it gives what is kept of a password, or it judges passwords itself. Who asks wipes what the client said.
 */
#include "lookup/password/verifier.h"
#include "wire/auth.h"

#define SASL_RESPONSES_MAX	3	/* the most that a mechanism asks for */
#define SASL_CHALLENGE_MAX	1024
#define SASL_NONCE_MAX		64	/* printable characters, none a comma */

enum sasl_mechanism { SASL_NONE, SASL_PLAIN, SASL_LOGIN, SASL_SCRAM, SASL_SCRAM_PLUS, SASL_MECHANISM_COUNT };

struct sasl_said {
	enum sasl_mechanism	mechanism;
	bool			plus_offered;	/* the client could have taken -PLUS (RFC 5802 6, downgrade) */
	uint32_t		channel_count, count;
	struct auth_channel	channels[AUTH_CHANNELS_MAX];
	struct slice		client;		/* its address: 4 or 16 bytes */
	struct slice		nonce;		/* drawn for this attempt */
	struct slice		responses[SASL_RESPONSES_MAX];	/* decoded, in their order */
};

enum sasl_result {
	SASL_RESULT_NONE,
	SASL_CHALLENGE,		/* `challenge` goes to the client; its answer is the next response */
	SASL_OK,		/* `login` it is */
	SASL_FAILED,		/* why, for the log; the client hears no more than that */
	SASL_TROUBLE,		/* ours: try later */
	SASL_RESULT_COUNT
};

struct sasl_answer {
	enum sasl_result	result;
	size_t			challenge_len;
	char			challenge[SASL_CHALLENGE_MAX];
	char			login[AUTH_LOGIN_MAX + 1];	/* as soon as it is known, also of a failure */
	const char		*why;
};

enum sasl_found { FOUND_NONE, FOUND_USER, FOUND_NOBODY, FOUND_TROUBLE };

struct sasl_users {
	/* Judges the password of out->login by itself: result and why, and the login when it is to be another. NULL: by `find`. */
	void			(*judge)(void *arg, const struct sasl_said *, struct slice password, struct sasl_answer *out);
	/* NULL with `judge`: then there is no SCRAM. FOUND_NOBODY: *out is somebody's of the same kind if possible, else zero, for the work that hides it. */
	enum sasl_found		(*find)(void *arg, struct slice login, struct verifier *out);
	void			*arg;
	unsigned char		secret[SCRAM_KEY];	/* the salts of those who do not exist come from it */
};

const char		*sasl_name(enum sasl_mechanism);		/* "PLAIN" */
enum sasl_mechanism	 sasl_named(struct slice);			/* in any case; SASL_NONE: none of ours */
const char		*sasl_binding_name(enum auth_binding);
/* UTF-8 without a NUL, which ends a text in some places and not in others. */
bool			 sasl_is_text(struct slice);
/* A name that somebody could have: UTF-8 without controls, which would have a meaning in logs; 1 to AUTH_LOGIN_MAX bytes. */
bool			 sasl_is_login(struct slice);
/* The next step looks at a password, or at what stands for one; before, there are only prompts to give. */
bool			 sasl_judges(const struct sasl_said *);
void			 sasl_step(const struct sasl_said *, const struct sasl_users *, struct sasl_answer *);

/* Inside the room: one mechanism each. */
void	plain_step(const struct sasl_said *, const struct sasl_users *, struct sasl_answer *);
void	login_step(const struct sasl_said *, const struct sasl_users *, struct sasl_answer *);
void	scram_step(const struct sasl_said *, const struct sasl_users *, struct sasl_answer *);
void	sasl_challenge(struct sasl_answer *, struct slice);
void	sasl_fail(struct sasl_answer *, const char *why);
/* Takes the login into the answer. -1: no name that anybody could have; the answer says so. */
int	sasl_take_login(struct sasl_answer *, struct slice);

#endif
