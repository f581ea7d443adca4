#ifndef WIRE_AUTH_H
#define WIRE_AUTH_H
/*
 * auth — who logs in: an smtpd for users passes on what a client says, lookup decides, and queue hears it from lookup.
 *
 *	smtpd → lookup	BEGIN			a client wants to log in in this way; maybe with a first response
 *			CONTINUE		its answer to a challenge
 *			CANCEL u64		the attempt, or the login that came of it, is over
 *			RESUME			the lookup before this one gave me this login: OK or LATER
 *	lookup → smtpd	MECHANISMS text		what EHLO may offer, parted by spaces; first, and when it changes
 *			CHALLENGE		for the client, as bytes
 *			OK			logged in; the token goes with each message
 *			FAILED, LATER		535, 454; text for the log
 *	lookup → queue	LOGIN			this token is that user; answered before smtpd hears OK
 *			CLAIM			smtpd says that this token is that user since before my time: is it?
 *			LOGOUT			it is nobody's any more
 *			TOLD			all logins that were alive when this wire came have been told
 *	queue → lookup	KNOWN			the answer to LOGIN and CLAIM; false: no room; it is not
 *
 * A serial is smtpd's number for an attempt and the login that it becomes; on each wire it is used once. It is over with FAILED,
 * LATER, CANCEL or the wire. smtpd never sees what a password is checked against, and cannot make a token that queue believes.
 */
#include "wire/fields.h"

#define AUTH_VERSION		1
#define AUTH_MECHANISM_MAX	20	/* RFC 4422 3.1 */
#define AUTH_MECHANISMS_MAX	400
#define AUTH_RESPONSE_MAX	9216	/* 12,288 in base64 (RFC 4954 4) */
#define AUTH_CHALLENGE_MAX	9216
#define AUTH_LOGIN_MAX		255
#define AUTH_TEXT_MAX		200
#define AUTH_CHANNELS_MAX	2
#define AUTH_CHANNEL_DATA_MAX	64

enum auth_frame {
	AUTH_NONE, AUTH_BEGIN, AUTH_CONTINUE, AUTH_CANCEL, AUTH_MECHANISMS, AUTH_CHALLENGE, AUTH_OK, AUTH_FAILED, AUTH_LATER,
	AUTH_LOGIN, AUTH_LOGOUT, AUTH_TOLD, AUTH_KNOWN, AUTH_RESUME, AUTH_CLAIM, AUTH_FRAME_COUNT
};

enum auth_binding { BINDING_NONE, BINDING_TLS_EXPORTER, BINDING_TLS_SERVER_END_POINT, BINDING_COUNT };	/* RFC 9266, RFC 5929 */

struct auth_channel {		/* what ties an attempt to the TLS connection below it (RFC 5056) */
	enum auth_binding	type;
	struct slice		data;	/* never empty */
};

struct auth_begin {
	uint64_t		serial;
	struct slice		mechanism;	/* 1 to 20 of A-Z 0-9 - _ */
	struct slice		client;		/* its address: 4 or 16 bytes */
	bool			secure;		/* below TLS */
	bool			has_response;	/* an empty one is not the same as none */
	struct slice		response;
	uint32_t		channel_count;
	struct auth_channel	channels[AUTH_CHANNELS_MAX];
};

struct auth_piece {		/* CONTINUE, CHALLENGE */
	uint64_t		serial;
	struct slice		bytes;
};

struct auth_granted {		/* OK, RESUME; LOGIN, CLAIM */
	uint64_t		serial;		/* LOGIN, CLAIM: lookup's own, for KNOWN */
	struct auth_token	token;
	struct slice		login;
};

struct auth_denied {		/* FAILED, LATER */
	uint64_t		serial;
	struct slice		login;		/* as far as known; for the log */
	struct slice		text;
};

struct auth_known {
	uint64_t		serial;
	bool			ok;
};

void	auth_begin_put(struct buf *, const struct auth_begin *);
int	auth_begin_get(struct reader *, struct auth_begin *);		/* slices borrowed from the frame, as below */
void	auth_piece_put(struct buf *, const struct auth_piece *);
int	auth_piece_get(struct reader *, struct auth_piece *);
void	auth_serial_put(struct buf *, uint64_t serial);			/* CANCEL */
int	auth_serial_get(struct reader *, uint64_t *serial);
void	auth_mechanisms_put(struct buf *, struct slice);
int	auth_mechanisms_get(struct reader *, struct slice *);		/* nothing but names and spaces */
void	auth_granted_put(struct buf *, const struct auth_granted *);
int	auth_granted_get(struct reader *, struct auth_granted *);
void	auth_denied_put(struct buf *, const struct auth_denied *);
int	auth_denied_get(struct reader *, struct auth_denied *);
void	auth_logout_put(struct buf *, const struct auth_token *);
int	auth_logout_get(struct reader *, struct auth_token *);
void	auth_known_put(struct buf *, const struct auth_known *);
int	auth_known_get(struct reader *, struct auth_known *);

#endif
