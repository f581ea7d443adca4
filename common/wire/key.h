#ifndef WIRE_KEY_H
#define WIRE_KEY_H
/*
 * key — smtpd asks for a signature with a private key that it does not have.
 *
 *	smtpd → key	SIGN		what TLS signs in a handshake, whole: key looks at it before it signs
 *	key → smtpd	SIGNATURE	or none: no such key, or nothing that a TLS server signs
 *
 * One question at a time; answers come in order.
 */
#include "ipc/reader.h"
#include "ipc/writer.h"

#define KEY_VERSION		1
#define KEY_ID_SIZE		32	/* SHA-256 of the public key (SubjectPublicKeyInfo, DER) */
#define KEY_CONTENT_MAX		512	/* TLS 1.3 signs 130 to 162 bytes, 1.2 with ECDHE 64 and some hundred */
#define KEY_SIGNATURE_MAX	1024	/* RSA of 8,192 bits */

enum key_frame { KEY_NONE, KEY_SIGN, KEY_SIGNATURE, KEY_FRAME_COUNT };

enum key_digest { KEY_DIGEST_NONE, KEY_SHA256, KEY_SHA384, KEY_SHA512, KEY_DIGEST_COUNT };

struct key_question {
	uint8_t		id[KEY_ID_SIZE];
	enum key_digest	digest;
	bool		pss;		/* RSA: with PSS padding, else PKCS#1 */
	struct slice	content;
};

struct key_answer {
	struct slice	signature;	/* empty: none */
};

void	key_question_put(struct buf *, const struct key_question *);
int	key_question_get(struct reader *, struct key_question *);	/* content borrowed from the frame */
void	key_answer_put(struct buf *, const struct key_answer *);
int	key_answer_get(struct reader *, struct key_answer *);

#endif
