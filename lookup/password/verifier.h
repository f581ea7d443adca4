#ifndef PASSWORD_VERIFIER_H
#define PASSWORD_VERIFIER_H
/*
 * verifier — what is kept of a password so that it can be checked and not be read back.
 *
 *	$y$... $2b$... $6$... {CRYPT}$y$...	a hash as crypt(3) makes it; {BLF-CRYPT}, {SHA256-CRYPT}, {SHA512-CRYPT} as Dovecot says
 *	{SCRAM-SHA-256}4096,SALT,STORED,SERVER	RFC 5803's keys, as `doveadm pw -s SCRAM-SHA-256` prints them
 *
 * Plain text and the schemes of the last century ({PLAIN}, {MD5}, DES) are refused: a file of them is a file of passwords.
 */
#include "base/slice.h"

#define SCRAM_KEY		32	/* bytes of SHA-256 */
#define SCRAM_SALT_MAX		64
#define SCRAM_ITERATIONS_LEAST	4096	/* RFC 7677 4 */
#define SCRAM_ITERATIONS_MAX	1000000	/* 0.4 s for one PLAIN login */
#define CRYPT_HASH_MAX		383	/* CRYPT_OUTPUT_SIZE without its NUL */
#define PASSWORD_MAX		511	/* CRYPT_MAX_PASSPHRASE_SIZE without its NUL */

enum verifier_kind { VERIFIER_NONE, VERIFIER_CRYPT, VERIFIER_SCRAM };

struct verifier {
	enum verifier_kind	kind;
	char			hash[CRYPT_HASH_MAX + 1];	/* CRYPT */
	unsigned		iterations;			/* SCRAM, as what follows */
	size_t			salt_len;
	unsigned char		salt[SCRAM_SALT_MAX], stored[SCRAM_KEY], server[SCRAM_KEY];
};

/* -1: *why says what is wrong with it. */
int	verifier_parse(struct slice text, struct verifier *out, const char **why);
/* Takes as long as the scheme wants (a tenth of a second is usual), and the same time for every wrong password. */
bool	verifier_check(const struct verifier *, struct slice password);
/* The same work for somebody who does not exist: `like` is a verifier of the same file, or NULL. */
void	verifier_pretend(const struct verifier *like, struct slice password);
const char	*verifier_stranger(void);	/* what NULL stands for; for tests */
/* Asks the libraries once, so that they load what they need before a sandbox closes. */
void	verifier_warm_up(void);

#endif
