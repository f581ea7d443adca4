/*
 * cli — options anywhere among the words, as people type them.
 */
#include "control/cli/cli.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>

#include "conf/child.h"

#define DEFAULT_CONFIG	POSTHORN_SYSCONFDIR "/posthorn/posthorn.conf"

void
cli_init(struct cli *cli, const char *name)
{
	const char *slash = strrchr(name, '/');

	memset(cli, 0, sizeof(*cli));
	cli->name = slash == NULL ? name : slash + 1;
	cli->config = DEFAULT_CONFIG;
	cli->out = stdout;
	cli->err = stderr;
}

int
cli_fail(const struct cli *cli, int status, const char *format, ...)
{
	va_list args;

	fprintf(cli->err, "%s: ", cli->name);
	va_start(args, format);
	vfprintf(cli->err, format, args);
	va_end(args);
	fputc('\n', cli->err);
	return status;
}

/* An option with a value: -c FILE. Moves *i past the value. */
static int
value_option(struct cli *cli, int argc, char **argv, int *i)
{
	char letter = argv[*i][1];
	const char *value = argv[*i] + 2;

	if (*value == '\0' && *i + 1 >= argc)
		return cli_fail(
		    cli, EX_USAGE, "-%c needs a value, see \"%s help\"", letter, cli->name);
	if (*value == '\0')
		value = argv[++*i];
	if (letter == 'c') {
		cli->config = value;
		cli->config_given = true;
	} else {
		cli->run_directory = value;
	}
	return 0;
}

static int
option(struct cli *cli, int argc, char **argv, int *i)
{
	static const struct { const char *word; unsigned flag; } flags[] = {
		{ "--json", CLI_JSON }, { "--defaults", CLI_DEFAULTS }, { "--copy", CLI_COPY },
	};
	const char *arg = argv[*i];

	for (size_t k = 0; k < sizeof(flags) / sizeof(flags[0]); k++)
		if (strcmp(arg, flags[k].word) == 0) {
			cli->flags |= flags[k].flag;
			return 0;
		}
	if (arg[1] == 'c' || arg[1] == 'r')
		return value_option(cli, argc, argv, i);
	return cli_fail(cli, EX_USAGE, "unknown option %s, see \"%s help\"", arg, cli->name);
}

int
cli_options(struct cli *cli, int argc, char **argv)
{
	bool words_only = false;
	int status;

	for (int i = 1; i < argc; i++) {
		if (!words_only && strcmp(argv[i], "--") == 0) {
			words_only = true;
		} else if (!words_only && argv[i][0] == '-' && argv[i][1] != '\0') {
			status = option(cli, argc, argv, &i);
			if (status != 0)
				return status;
		} else if (cli->count == CLI_ARGS_MAX) {
			return cli_fail(
			    cli, EX_USAGE, "more than %d words, use several calls", CLI_ARGS_MAX);
		} else {
			cli->words[cli->count++] = argv[i];
		}
	}
	return 0;
}

int
cli_finish(const struct cli *cli, int status)
{
	if (fflush(cli->out) == 0 && !ferror(cli->out))
		return status;
	/* `mailq | head` is no trouble of ours. */
	if (errno == EPIPE)
		return status;
	return cli_fail(cli, EX_IOERR, "cannot write the output: %s", strerror(errno));
}

static int
copy_directory(const struct cli *cli, const char *directory, char out[CLI_PATH_MAX])
{
	if (strlcpy(out, directory, CLI_PATH_MAX) >= CLI_PATH_MAX)
		return cli_fail(cli, EX_USAGE,
		    "the run directory %s is too long a name for sockets", directory);
	return 0;
}

/* An ordinary user may be unable to read the configuration: without -c the built-in place is then tried,
 * and the sentence about a socket that does not answer names it. */
int
cli_run_directory(const struct cli *cli, char out[CLI_PATH_MAX])
{
	if (cli->run_directory != NULL)
		return copy_directory(cli, cli->run_directory, out);
	if (conf_find_run_directory(cli->config, out, CLI_PATH_MAX) == 0)
		return EX_OK;
	if (cli->config_given)
		return cli_fail(cli, EX_CONFIG,
		    "%s cannot be read; -r names the run directory without it", cli->config);
	return copy_directory(cli, POSTHORN_RUNDIR, out);
}
