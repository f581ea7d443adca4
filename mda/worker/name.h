#ifndef MDA_NAME_H
#define MDA_NAME_H
/*
 * name — what a delivered file is called: SECS.M<nonce>R<index>.HOST,S=SIZE
 *
 * SECS is the second of acceptance, the nonce the message's, the index the recipient's place in its envelope: the same
 * copy has the same name whenever and by whomever it is delivered, so a repeat after a crash can be recognised. In tmp/ the
 * part before the comma is used: the size is known only when all is written.
 */
#include <stdint.h>

#include "base/slice.h"

#define NAME_SIZE	256	/* NAME_MAX and its NUL */

/* -1: host is too long for a name. `/` and `:` of the host are written \057 and \072. */
int	name_make(char out[NAME_SIZE], int64_t seconds, uint64_t nonce, uint32_t index, struct slice host);
int	name_add_size(char name[NAME_SIZE], uint64_t size);
/* Is `entry` (of new/ or cur/) the file of this name, whatever flags behind a ':' a reader has put on it? */
bool	name_matches(const char *entry, const char *name);

#endif
