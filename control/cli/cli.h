#ifndef CLI_CLI_H
#define CLI_CLI_H
/*
 * cli — what all commands of posthorn(1) share: options, the table of verbs, exit statuses of
 * <sysexits.h>.
 */
#include <stdbool.h>
#include <stdio.h>
#include <sysexits.h>

#include "base/err.h"

#define CLI_ARGS_MAX	1024
#define CLI_PATH_MAX	128

enum { CLI_JSON = 1 << 0, CLI_DEFAULTS = 1 << 1, CLI_COPY = 1 << 2 };	/* options that only some verbs take */

struct conf;

struct cli {
	const char	*name;			/* as called: "posthorn", "mailq" */
	const char	*config;
	bool		 config_given;		/* by -c: then it must be good */
	const char	*run_directory;		/* by -r; NULL: the configuration says */
	unsigned	 flags;
	FILE		*out, *err;
	int		 count;			/* words that are no options */
	char		*words[CLI_ARGS_MAX];
};

struct verb {
	const char	*noun, *name;		/* "queue", "list"; noun NULL: the name alone */
	const char	*args;			/* for people; NULL: not shown */
	int		 least, most;		/* words behind the verb */
	unsigned	 flags;			/* that it takes */
	const char	*words;
	int		(*run)(struct cli *, int argc, char **argv);	/* exit status; -1 is not one */
};

void	cli_init(struct cli *, const char *name);
/* Sorts arguments into options and words. 0, or the exit status after telling what is wrong. */
int	cli_options(struct cli *, int argc, char **argv);
/* Says what is wrong and returns status. */
int	cli_fail(const struct cli *, int status, const char *, ...) __attribute__((format(printf, 3, 4)));
/* Flushes out; trouble with it (disk full, reader gone) becomes the exit status. */
int	cli_finish(const struct cli *, int status);
/* Where the sockets are: -r, else the configuration, else the built-in place. 0, or the exit
 * status after telling. */
int	cli_run_directory(const struct cli *, char out[CLI_PATH_MAX]);

struct conf	*cli_conf(const struct cli *);	/* the configuration; NULL after every mistake was told */

int	cli_mailq(int argc, char **argv);			/* the whole of mailq(1) */
int	cli_posthorn(int argc, char **argv);			/* the whole of posthorn(1) */

/* The verbs' functions. */
int	verb_check(struct cli *, int, char **);
int	verb_config_show(struct cli *, int, char **);
int	verb_config_manual(struct cli *, int, char **);
int	verb_queue_list(struct cli *, int, char **);
int	verb_queue_count(struct cli *, int, char **);
int	verb_queue_show(struct cli *, int, char **);
int	verb_queue_cat(struct cli *, int, char **);
int	verb_queue_hold(struct cli *, int, char **);
int	verb_queue_release(struct cli *, int, char **);
int	verb_queue_retry(struct cli *, int, char **);
int	verb_queue_delete(struct cli *, int, char **);
int	verb_queue_backup(struct cli *, int, char **);
int	verb_queue_restore(struct cli *, int, char **);
int	verb_queue_audit(struct cli *, int, char **);
int	verb_status(struct cli *, int, char **);
int	verb_reload(struct cli *, int, char **);
int	verb_stop(struct cli *, int, char **);

#endif
