#ifndef LOOKUP_PASSWD_FILE_H
#define LOOKUP_PASSWD_FILE_H
/*
 * passwd_file — users of a domain in a file of passwd(5)'s
 * form, kept in memory and read again when it changes.
 *
 *	name:password:uid:gid:gecos:home[:shell[:anything]]
 *
 * `name` is the local part, or the whole address. Empty lines and lines that begin
 * with # say nothing; a line that makes no sense is reported once for each version
 * of the file and skipped. What text_file.h calls an error is never "no such user".
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "lookup/user/account.h"

struct passwd_file;

struct passwd_file	*passwd_file_new(const char *path);	/* NULL: no memory; nothing is read yet */
void			 passwd_file_free(struct passwd_file **);
/* 1: it was read (first, or again); 0: as it was; -1:
 * err, and nobody in it can be told from a stranger. */
int			 passwd_file_refresh(struct passwd_file *, struct err *);
uint64_t		 passwd_file_stamp(const struct passwd_file *);	/* of the version in memory */
size_t			 passwd_file_skipped(const struct passwd_file *);	/* its lines that made no sense */
/* After a good refresh. Slices of *out live until the next one. `name` in *out is without @domain. */
bool			 passwd_file_find(const struct passwd_file *, struct slice local, struct slice domain, struct account *out);

/* One line without its newline: the slices of *out are parts of it. -1: *why says what is wrong. */
int			 passwd_line_parse(struct slice line, struct account *out, const char **why);

#endif
