/*
 * verb_archive — posthorn queue backup, restore, audit: this program becomes one that knows the queue directory.
 *
 * What lies there is the queue's alone, and its code is linked by the programs of queue/. The connection to a running queue goes
 * along, so the one who ends this command ends the backup.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client.h"
#include "conf/conf.h"

#define WORDS_MAX	(CLI_ARGS_MAX + 8)

/* As for posthornd: in a build tree POSTHORN_LIBEXEC names the tree. */
static void
program_path(char *out, size_t size)
{
	const char *tree = getenv("POSTHORN_LIBEXEC");

	if (tree != NULL)
		snprintf(out, size, "%s/queue/archive/archive", tree);
	else
		snprintf(out, size, "%s/archive", POSTHORN_LIBEXECDIR);
}

/* Comes back only when it fails. */
static int
become(const struct cli *cli, const char *verb, const char *first, int argc, char **argv)
{
	static char *words[WORDS_MAX];
	char path[4096];
	int n = 0;

	program_path(path, sizeof(path));
	words[n++] = path;
	words[n++] = (char *)(uintptr_t)verb;
	words[n++] = (char *)(uintptr_t)first;
	for (int i = 0; i < argc; i++)
		words[n++] = argv[i];
	(void)fflush(cli->out);
	execv(path, words);
	return cli_fail(cli, EX_UNAVAILABLE, "cannot run %s: %s", path, strerror(errno));
}

int
verb_queue_backup(struct cli *cli, int argc, char **argv)
{
	int status, fd = client_connect(cli, "queue", &status);
	char number[16], copy[] = "copy", *words[] = { argv[0], copy };

	(void)argc;
	if (fd == -1)
		return status;
	snprintf(number, sizeof(number), "%d", fd);
	if (fcntl(fd, F_SETFD, 0) == -1)
		status = cli_fail(cli, EX_OSERR, "the connection cannot be passed on: %s", strerror(errno));
	else
		status = become(cli, "backup", number, (cli->flags & CLI_COPY) != 0 ? 2 : 1, words);
	(void)close(fd);
	return status;
}

int
verb_queue_restore(struct cli *cli, int argc, char **argv)
{
	struct conf *conf = cli_conf(cli);
	int status;

	if (conf == NULL)
		return EX_CONFIG;
	status = become(cli, "restore", conf->queue.directory, argc, argv);
	conf_free(&conf);
	return status;
}

/* Without words: the file that the configuration names. */
int
verb_queue_audit(struct cli *cli, int argc, char **argv)
{
	static const char file[] = "file:";
	struct conf *conf = cli_conf(cli);
	char *own;
	int status;

	if (conf == NULL)
		return EX_CONFIG;
	own = conf->log.target + sizeof(file) - 1;
	if (argc > 0)
		status = become(cli, "audit", conf->queue.directory, argc, argv);
	else if (strncmp(conf->log.target, file, sizeof(file) - 1) == 0)
		status = become(cli, "audit", conf->queue.directory, 1, &own);
	else
		status = cli_fail(cli, EX_USAGE, "the log goes to %s: name its files, for example /var/log/mail.log", conf->log.target);
	conf_free(&conf);
	return status;
}
