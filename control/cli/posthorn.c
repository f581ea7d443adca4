/*
 * posthorn — the postmaster's command. Called by the name mailq (a link), it is mailq.
 */
#include <signal.h>
#include <string.h>

#include "control/cli/cli.h"

int
main(int argc, char **argv)
{
	const char *slash = argc > 0 ? strrchr(argv[0], '/') : NULL;
	const char *name = slash != NULL ? slash + 1 : argc > 0 ? argv[0] : "posthorn";

	signal(SIGPIPE, SIG_IGN);	/* a reader that left is seen when writing */
	return strcmp(name, "mailq") == 0 ? cli_mailq(argc, argv) : cli_posthorn(argc, argv);
}
