#ifndef PASSWORD_UTF8_H
#define PASSWORD_UTF8_H
/* utf8 — is this text (RFC 3629), and not bytes that two programs read in two ways? */
#include "base/slice.h"

/* No NUL, nothing overlong, no surrogate, nothing beyond U+10FFFF. The empty text is one. */
bool	utf8_valid(struct slice);

#endif
