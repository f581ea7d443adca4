/*
 * verb_config — posthorn check, config show: about files only, so they work without a running
 * posthorn.
 */
#include "control/cli/cli.h"

#include "conf/child.h"
#include "conf/show.h"

#define SHOWN_MAX	(8u * 1024 * 1024)

struct conf *
cli_conf(const struct cli *cli)
{
	struct conf_report report;
	struct conf *conf = NULL;

	conf_report_init(&report);
	if (conf_load_in_child(cli->config, &conf, &report) == -1) {
		fwrite(buf_slice(&report.lines).p, 1, buf_len(&report.lines), cli->err);
		cli_fail(cli, EX_CONFIG, "%u mistake%s in %s", report.mistakes,
		    report.mistakes == 1 ? "" : "s", cli->config);
	}
	conf_report_fini(&report);
	return conf;
}

int
verb_check(struct cli *cli, int argc, char **argv)
{
	struct conf *conf = cli_conf(cli);
	int status = conf == NULL ? EX_CONFIG : EX_OK;

	(void)argc;
	(void)argv;
	if (conf != NULL)
		fprintf(cli->out, "%s is good: %s, %u listener%s, %u domain%s\n", cli->config,
		    conf->hostname, conf->listener_count, conf->listener_count == 1 ? "" : "s",
		    conf->domain_count, conf->domain_count == 1 ? "" : "s");
	conf_free(&conf);
	return status;
}

static int
print(struct cli *cli, struct buf *text)
{
	bool failed = text->failed;

	if (!failed)
		fwrite(buf_slice(text).p, 1, buf_len(text), cli->out);
	buf_fini(text);
	return failed ? cli_fail(cli, EX_OSERR, "no memory to show it") : EX_OK;
}

int
verb_config_show(struct cli *cli, int argc, char **argv)
{
	struct conf *conf = NULL;
	struct buf text;

	(void)argc;
	(void)argv;
	buf_init(&text, SHOWN_MAX);
	if ((cli->flags & CLI_DEFAULTS) != 0) {
		conf_show_defaults(&text);
		return print(cli, &text);
	}
	conf = cli_conf(cli);
	if (conf == NULL)
		return EX_CONFIG;
	conf_show(conf, &text);
	conf_free(&conf);
	return print(cli, &text);
}

int
verb_config_manual(struct cli *cli, int argc, char **argv)
{
	struct buf text;

	(void)argc;
	(void)argv;
	buf_init(&text, SHOWN_MAX);
	conf_show_manual(&text);
	return print(cli, &text);
}
