#ifndef LOOKUP_SENDER_FILE_H
#define LOOKUP_SENDER_FILE_H
/*
 * sender_file — which logins may write as which addresses, in lines of `address login[, login]...`.
 *
 * The form is that of the text behind Postfix's smtpd_sender_login_maps: `user@example.org` or `@example.org` for a whole domain; a line
 * that begins with a space or tab goes on with the one before; empty lines and those that begin with # say nothing. `*` is everybody who
 * is logged in. A line whose address is none is reported once for each version of the file. Blocks; workers only.
 */
#include "base/arena.h"
#include "lookup/user/text_file.h"

struct sender_file;

struct sender_file	*sender_file_new(const char *path);	/* NULL: no memory; nothing is read yet */
void			 sender_file_free(struct sender_file **);
int			 sender_file_refresh(struct sender_file *, struct err *);	/* as text_file_refresh */
/* After a good refresh: the logins behind this key, "user@domain" canonical or "@domain", to be read by sender_file_names; p NULL: no
 * line has it. Of two lines with one key the first counts. */
struct slice		 sender_file_find(const struct sender_file *, struct slice key);
bool			 sender_file_names(struct slice logins, struct slice login);

#endif
