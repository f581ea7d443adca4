#ifndef PASSWORD_PASSWORD_FILE_H
#define PASSWORD_PASSWORD_FILE_H
/*
 * password_file — who may log in, in lines of `login:verifier[:anything]`; a passwd-file of Dovecot is one, too.
 *
 * Empty lines and lines that begin with # say nothing. A line whose verifier is not accepted is reported once for each version of
 * the file, and its user cannot log in. Trouble with the file is trouble, and never a wrong password.
 */
#include "lookup/password/sasl.h"
#include "lookup/user/text_file.h"

struct password_file;

struct password_file	*password_file_new(const char *path);	/* NULL: no memory; nothing is read yet */
void			 password_file_free(struct password_file **);
int			 password_file_refresh(struct password_file *, struct err *);	/* as text_file_refresh */
/* After a good refresh. FOUND_NOBODY: *out is the first verifier of the file, so that a stranger costs what a user costs. */
enum sasl_found		 password_file_find(const struct password_file *, struct slice login, struct verifier *out);

#endif
