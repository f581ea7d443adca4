/*
 * free — the same orders, obeyed outside any sandbox: what is refused to the others has to work here, or it proves nothing.
 */
#include <signal.h>
#include <stdlib.h>

#include "base/log.h"
#include "proc/evil.h"

int
main(void)
{
	log_open("free");
	(void)signal(SIGPIPE, SIG_IGN);
	evil_open("free");
	evil_obey();
	return EXIT_SUCCESS;
}
