/*
 * verbs — the table of posthorn(1) and the two programs that stand on it.
 */
#include <string.h>

#include "control/cli/cli.h"

static int	verb_help(struct cli *, int, char **);
static int	verb_version(struct cli *, int, char **);

#define MANY	CLI_ARGS_MAX
#define TARGETS	"id | @domain | all ..."

static const struct verb verbs[] = {
	{ NULL, "check", "", 0, 0, 0, "tell every mistake in the configuration", verb_check },
	{ "config", "show", "[--defaults]", 0, 0, CLI_DEFAULTS, "print the configuration in force, or every setting explained",
	  verb_config_show },
	{ "config", "manual", NULL, 0, 0, 0, "the settings as mdoc, for posthorn.conf(5)", verb_config_manual },
	{ "queue", "list", "[--json] [id | @domain ...]", 0, MANY, CLI_JSON, "list waiting mail, as mailq(1) does", verb_queue_list },
	{ "queue", "count", "", 0, 0, 0, "say how much mail waits, without walking through it", verb_queue_count },
	{ "queue", "show", "id", 1, 1, CLI_JSON, "tell all about one message", verb_queue_show },
	{ "queue", "cat", "id", 1, 1, 0, "print the message itself", verb_queue_cat },
	{ "queue", "hold", TARGETS, 1, MANY, 0, "keep mail until it is released", verb_queue_hold },
	{ "queue", "release", TARGETS, 1, MANY, 0, "let held mail go", verb_queue_release },
	{ "queue", "retry", TARGETS, 1, MANY, 0, "try again now instead of later", verb_queue_retry },
	{ "queue", "delete", TARGETS, 1, MANY, 0, "throw mail away without telling its sender", verb_queue_delete },
	{ "queue", "backup", "[--copy] directory", 1, 1, CLI_COPY, "copy the queue while it runs", verb_queue_backup },
	{ "queue", "restore", "directory", 1, 1, 0, "make a backup the queue, while posthorn is stopped", verb_queue_restore },
	{ "queue", "audit", "[log | - ...]", 0, MANY, 0, "is every accepted recipient somewhere? While posthorn is stopped", verb_queue_audit },
	{ NULL, "status", "[--json]", 0, 0, CLI_JSON, "tell how posthorn is doing", verb_status },
	{ NULL, "reload", "", 0, 0, 0, "take the changed configuration, or refuse it as a whole", verb_reload },
	{ NULL, "stop", "", 0, 0, 0, "finish what is running and stop", verb_stop },
	{ NULL, "version", "", 0, 0, 0, "print the version", verb_version },
	{ NULL, "help", "", 0, 0, 0, "print this", verb_help },
};
#define VERB_COUNT	(sizeof(verbs) / sizeof(verbs[0]))

static int
verb_help(struct cli *cli, int argc, char **argv)
{
	char line[128];

	(void)argc;
	(void)argv;
	fprintf(cli->out, "usage: %s [-c file] [-r run-directory] verb ...\n\n", cli->name);
	for (size_t i = 0; i < VERB_COUNT; i++) {
		const struct verb *v = &verbs[i];

		if (v->args == NULL)
			continue;
		snprintf(line, sizeof(line), "%s%s%s %s", v->noun == NULL ? "" : v->noun,
		    v->noun == NULL ? "" : " ", v->name, v->args);
		fprintf(cli->out, "  %-40s %s\n", line, v->words);
	}
	return EX_OK;
}

static int
verb_version(struct cli *cli, int argc, char **argv)
{
	(void)argc;
	(void)argv;
	fprintf(cli->out, "posthorn %s\n", PACKAGE_VERSION);
	return EX_OK;
}

/* The row that the words begin with; *used tells how many words it took. NULL: none. */
static const struct verb *
verb_find(const struct cli *cli, int *used)
{
	for (size_t i = 0; i < VERB_COUNT; i++) {
		int n = verbs[i].noun == NULL ? 1 : 2;

		if (cli->count < n || (n == 2 && strcmp(cli->words[0], verbs[i].noun) != 0) ||
		    strcmp(cli->words[n - 1], verbs[i].name) != 0)
			continue;
		*used = n;
		return &verbs[i];
	}
	return NULL;
}

static int
run(struct cli *cli)
{
	int used = 0, rest;
	const struct verb *v = verb_find(cli, &used);

	if (v == NULL)
		return cli_fail(cli, EX_USAGE, "%s%s, see \"%s help\"",
		    cli->count == 0 ? "no verb given" : "no such verb: ",
		    cli->count == 0 ? "" : cli->words[0], cli->name);
	rest = cli->count - used;
	if (rest < v->least || rest > v->most)
		return cli_fail(cli, EX_USAGE, "usage: %s %s%s%s %s", cli->name,
		    v->noun == NULL ? "" : v->noun, v->noun == NULL ? "" : " ", v->name,
		    v->args == NULL ? "" : v->args);
	if ((cli->flags & ~v->flags) != 0)
		return cli_fail(
		    cli, EX_USAGE, "%s takes no such option, see \"%s help\"", v->name, cli->name);
	return v->run(cli, rest, cli->words + used);
}

int
cli_posthorn(int argc, char **argv)
{
	static struct cli cli;
	int status;

	cli_init(&cli, argc > 0 ? argv[0] : "posthorn");
	status = cli_options(&cli, argc, argv);
	return cli_finish(&cli, status == 0 ? run(&cli) : status);
}

int
cli_mailq(int argc, char **argv)
{
	static struct cli cli;
	int status;

	cli_init(&cli, argc > 0 ? argv[0] : "mailq");
	status = cli_options(&cli, argc, argv);
	if (status == 0 && (cli.count > 0 || cli.flags != 0))
		status =
		    cli_fail(&cli, EX_USAGE, "usage: %s [-c file] [-r run-directory]", cli.name);
	return cli_finish(&cli, status == 0 ? verb_queue_list(&cli, 0, NULL) : status);
}
