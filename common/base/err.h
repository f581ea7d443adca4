#ifndef BASE_ERR_H
#define BASE_ERR_H
/*
 * err — one sentence about our own trouble (disk full, peer gone).
 *
 * Functions that can fail take `struct err *` last and return -1 or NULL after filling it.
 * Whoever can decide logs it once. News about mail ("unknown user") is an outcome, not an error.
 */
#include <stddef.h>

struct err {
	int	code;		/* errno at the time, or 0 */
	char	text[256];
};

/* Both return -1, so that a caller can `return err_set(...)`. A NULL err is fine. */
int	err_set(struct err *, const char *, ...) __attribute__((format(printf, 2, 3)));
/* The same for want of memory, which passes: code is ENOMEM. */
int	err_memory(struct err *, const char *, ...) __attribute__((format(printf, 2, 3)));
/* The same with ": " and the words for errno behind it. */
int	err_sys(struct err *, const char *, ...) __attribute__((format(printf, 2, 3)));
/* Puts "what: " in front of the sentence that is there. Returns -1. */
int	err_wrap(struct err *, const char *, ...) __attribute__((format(printf, 2, 3)));

#endif
