/*
 * mailq — the name under which programs and people have asked for the queue since sendmail's days.
 */
#include <signal.h>

#include "control/cli/cli.h"

int
main(int argc, char **argv)
{
	signal(SIGPIPE, SIG_IGN);
	return cli_mailq(argc, argv);
}
