/*
 * archive — the queue as files: copied while it runs, brought back, held against the log.
 *
 * posthorn(1) becomes this program for `queue backup`, `queue restore` and `queue audit`, since only this folder knows what
 * lies in the queue directory. It reads no configuration: paths and the socket come with its words.
 *
 *	archive backup FD DIR [copy]	FD: connected to the queue's socket for tools; copy: no hard links
 *	archive restore QUEUE DIR
 *	archive audit QUEUE LOG...
 */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>

#include "base/log.h"
#include "queue/archive/audit.h"
#include "queue/archive/backup.h"
#include "queue/archive/restore.h"

static const struct {
	const char	*name;
	int		 least;			/* words behind it */
	int		(*run)(int argc, char **argv);	/* exit status; it has said what is wrong */
} verbs[] = {
	{ "backup",  2, backup },
	{ "restore", 2, restore },
	{ "audit",   2, audit },
};

int
main(int argc, char **argv)
{
	log_open("posthorn");
	(void)umask(077);
	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
		if (argc > 1 && strcmp(argv[1], verbs[i].name) == 0 && argc - 2 >= verbs[i].least)
			return verbs[i].run(argc - 2, argv + 2);
	(void)fprintf(stderr, "posthorn: this program is for posthorn(1), say: posthorn queue backup\n");
	return EX_USAGE;
}
