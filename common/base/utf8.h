#ifndef BASE_UTF8_H
#define BASE_UTF8_H
/*
 * utf8 — code points out of bytes (RFC 3629), and which of them may stand in a name that people and programs read.
 */
#include <stdint.h>

#include "base/slice.h"

bool	slice_is_ascii(struct slice);
/* Takes one code point off the front of what is not empty. -1: overlong, a surrogate, beyond U+10FFFF, cut, or no UTF-8 at all;
 * one byte is taken then. */
int32_t	utf8_take(struct slice *);
bool	utf8_valid(struct slice);
/*
 * Shows as itself: no control (C1 included), nothing that turns the direction of writing, hides, joins lines or marks bytes
 * (U+FEFF), and no noncharacter. A name with one of those is not what it looks like.
 */
bool	utf8_is_plain(int32_t c);
/* UTF-8 whose code points above U+007F are all plain; ASCII is somebody else's to judge. */
bool	utf8_is_name(struct slice);

#endif
