/*
 * verb_service — posthorn status, reload, stop: asked of the supervisor.
 */
#include <string.h>

#include "client.h"

/* Text from the processes: lines and tabs pass, other control characters would steer the
 * reader's terminal. */
static int
print_text(void *arg, struct slice text)
{
	FILE *out = arg;

	for (size_t i = 0; i < text.len; i++) {
		unsigned char c = (unsigned char)text.p[i];

		fputc(c == '\n' || c == '\t' || (c >= ' ' && c != 0x7f) ? c : '?', out);
	}
	return ferror(out) ? -1 : 0;
}

static int
ask(struct cli *cli, const char *verb)
{
	struct client_sink sink = { .bytes = print_text, .arg = cli->out };

	return client_ask(cli, "control", verb, 0, NULL, &sink);
}

int
verb_status(struct cli *cli, int argc, char **argv)
{
	(void)argc;
	(void)argv;
	return ask(cli, "status");
}

int
verb_reload(struct cli *cli, int argc, char **argv)
{
	(void)argc;
	(void)argv;
	return ask(cli, "reload");
}

int
verb_stop(struct cli *cli, int argc, char **argv)
{
	(void)argc;
	(void)argv;
	return ask(cli, "stop");
}
