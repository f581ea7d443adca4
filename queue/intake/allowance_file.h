#ifndef INTAKE_ALLOWANCE_FILE_H
#define INTAKE_ALLOWANCE_FILE_H
/*
 * allowance_file — what each login has sent, as a text that outlives queue: the file `logins` of the queue directory (docs/SPOOL.md).
 *
 * It is a help and no promise: written without a sync, since the loop waits for no disk, and read as if anybody had written it. Lines
 * that make no sense are counted and left out.
 */
#include "base/buf.h"
#include "base/err.h"
#include "queue/intake/allowance.h"

#define ALLOWANCE_TEXT_MAX	(32u * 1024 * 1024)	/* 100,000 lines of 335 bytes; a longer one is neither read nor written */

/* A whole text. *bad: lines that were left out. -1: err, it is none of ours, and nothing was taken. Pure. */
int	allowance_text_get(struct slice text, struct allowances *, int64_t now_ms, size_t *bad, struct err *);
/* The buf fails when it has no room for all. */
void	allowance_text_put(struct buf *, struct allowances *, const struct allowance_limits *, int64_t now_ms);

/* One that is not there is empty. */
int	allowance_file_read(const char *directory, struct allowances *, int64_t now_ms, size_t *bad, struct err *);
int	allowance_file_write(const char *directory, struct allowances *, const struct allowance_limits *, int64_t now_ms, struct err *);

#endif
