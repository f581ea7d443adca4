#ifndef SUPERVISOR_TLS_FILES_H
#define SUPERVISOR_TLS_FILES_H
/*
 * tls_files — certificates and keys, and the authorities that relay believes: opened here by their names, read only by those who need
 * them.
 *
 * smtpd gets certificates, key gets both, so that it can see whether they belong together; nobody else gets any. They stay open as long as their configuration is in force, so that a
 * process that is started again has the same ones as its siblings.
 */
#include "conf/conf.h"
#include "proc/files.h"

#define TLS_FILES_MAX	(FILES_MAX / 2)

struct child;

struct tls_files {
	uint32_t	count;		/* of pairs, numbered as conf_tls_first says */
	int		certificates[TLS_FILES_MAX], keys[TLS_FILES_MAX];
	bool		has_authorities;
	int		authorities;	/* relay's; without them, mail that requires TLS waits, and all other goes */
};

/* All that the configuration names. -1: err names the file; none is open then. */
int	tls_files_open(struct tls_files *, const struct conf *, struct err *);
void	tls_files_close(struct tls_files *);
/* Those that are for this role, before the frame that they belong to. */
void	tls_files_give(const struct tls_files *, struct child *);

#endif
