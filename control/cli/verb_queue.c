/*
 * verb_queue — posthorn queue ...: questions and orders to the queue.
 */
#include <string.h>

#include "base/clock.h"
#include "client.h"
#include "item.h"
#include "mail/address.h"
#include "mail/queue_id.h"

/* A queue id, "@domain", or "all": what an order can be about. */
static bool
is_target(const char *word)
{
	queue_id id;

	if (strcmp(word, "all") == 0)
		return true;
	if (word[0] == '@')
		return domain_valid(slice_str(word + 1));
	return queue_id_parse(slice_str(word), &id) == 0;
}

static int
check_targets(const struct cli *cli, int argc, char **argv)
{
	for (int i = 0; i < argc; i++) {
		if (!is_target(argv[i]))
			return cli_fail(cli, EX_USAGE,
			    "\"%s\" is no queue id (13 letters and digits), no @domain and not "
			    "\"all\"",
			    argv[i]);
	}
	return EX_OK;
}

static int
check_id(const struct cli *cli, const char *word)
{
	queue_id id;

	if (queue_id_parse(slice_str(word), &id) == 0)
		return EX_OK;
	return cli_fail(cli, EX_USAGE, "\"%s\" is no queue id (13 letters and digits)", word);
}

static int
list_item(void *arg, const struct queue_item *item)
{
	return listing_item(arg, item);
}

static int
json_item(void *arg, const struct queue_item *item)
{
	return json_lines_item(arg, item);
}

static int
page_item(void *arg, const struct queue_item *item)
{
	return pages_item(arg, item);
}

static int
raw_bytes(void *arg, struct slice bytes)
{
	return fwrite(bytes.p, 1, bytes.len, arg) == bytes.len ? 0 : -1;
}

/* One object a line, also of `show`. */
static int
ask_json(struct cli *cli, const char *verb, int argc, char **argv)
{
	struct json_lines lines = { .out = cli->out };
	struct client_sink sink = { .item = json_item, .arg = &lines, .quiet = true };
	int status = client_ask(cli, "queue", verb, argc, argv, &sink);

	/* Also after trouble: what is complete is printed, and the memory goes. */
	if (json_lines_end(&lines) == -1 && status == EX_OK)
		status = cli_fail(cli, EX_IOERR, "cannot write the output");
	return status;
}

int
verb_queue_list(struct cli *cli, int argc, char **argv)
{
	struct listing listing = { .out = cli->out };
	struct client_sink sink = { .item = list_item, .arg = &listing, .quiet = true };
	int status = check_targets(cli, argc, argv);

	if (status != EX_OK)
		return status;
	if ((cli->flags & CLI_JSON) != 0)
		return ask_json(cli, "list", argc, argv);
	status = client_ask(cli, "queue", "list", argc, argv, &sink);
	if (status == EX_OK)
		listing_end(&listing);
	return status;
}

int
verb_queue_count(struct cli *cli, int argc, char **argv)
{
	struct client_sink sink = { .arg = cli->out };

	return client_ask(cli, "queue", "count", argc, argv, &sink);
}

int
verb_queue_show(struct cli *cli, int argc, char **argv)
{
	struct pages pages = { .out = cli->out, .now_ms = clock_wall_ms() };
	struct client_sink sink = { .item = page_item, .arg = &pages, .quiet = true };
	int status = check_id(cli, argv[0]);

	if (status != EX_OK)
		return status;
	if ((cli->flags & CLI_JSON) != 0)
		return ask_json(cli, "show", argc, argv);
	return client_ask(cli, "queue", "show", argc, argv, &sink);
}

int
verb_queue_cat(struct cli *cli, int argc, char **argv)
{
	struct client_sink sink = { .bytes = raw_bytes, .arg = cli->out, .quiet = true };
	int status = check_id(cli, argv[0]);

	return status == EX_OK ? client_ask(cli, "queue", "cat", argc, argv, &sink) : status;
}

static int
order(struct cli *cli, const char *verb, int argc, char **argv)
{
	struct client_sink sink = { .arg = cli->out, .patient = true };		/* "all" may be a million */
	int status = check_targets(cli, argc, argv);

	return status == EX_OK ? client_ask(cli, "queue", verb, argc, argv, &sink) : status;
}

int
verb_queue_hold(struct cli *cli, int argc, char **argv)
{
	return order(cli, "hold", argc, argv);
}

int
verb_queue_release(struct cli *cli, int argc, char **argv)
{
	return order(cli, "release", argc, argv);
}

int
verb_queue_retry(struct cli *cli, int argc, char **argv)
{
	return order(cli, "retry", argc, argv);
}

int
verb_queue_delete(struct cli *cli, int argc, char **argv)
{
	return order(cli, "delete", argc, argv);
}
