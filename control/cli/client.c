/*
 * client — connects, sends OPERATOR, hands ITEM and BYTES to the sink until OUTCOME.
 */
#include "client.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/fmt.h"
#include "ipc/channel.h"

#define ITEM_MEMORY_MAX	(16u * 1024 * 1024)

struct client {
	struct cli			*cli;
	const struct client_sink	*sink;
	struct chan_sync		*chan;
	const char			*path;
	struct arena			 arena;		/* of one item */
};

/* Why nobody answers, and what would help. */
static int
unreachable(struct cli *cli, const char *path, int code)
{
	if (code == EACCES || code == EPERM)
		return cli_fail(cli, EX_NOPERM,
		    "may not talk to %s: root, or the user who runs posthorn, may", path);
	if (code == ENOENT || code == ECONNREFUSED)
		return cli_fail(cli, EX_UNAVAILABLE,
		    "nobody answers at %s: is posthorn running? (posthornd(8) starts it; -r names "
		    "another run directory)",
		    path);
	return cli_fail(cli, EX_UNAVAILABLE, "cannot reach %s: %s", path, strerror(code));
}

/* The connected descriptor, or -1 with *status set. */
static int
reach(struct cli *cli, const char *path, int *status)
{
	const struct timeval patience = { .tv_sec = CLIENT_PATIENCE_S };
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	int fd;

	if (strlcpy(at.sun_path, path, sizeof(at.sun_path)) >= sizeof(at.sun_path)) {
		*status = cli_fail(cli, EX_USAGE, "%s is too long a name for a socket", path);
		return -1;
	}
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd == -1 || connect(fd, (struct sockaddr *)&at, sizeof(at)) == -1) {
		*status = unreachable(cli, path, errno);
		fd_close(&fd);
		return -1;
	}
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	return fd;
}

static int
wire_trouble(const struct client *c, const struct err *err)
{
	if (err->code == EAGAIN || err->code == EWOULDBLOCK)
		return cli_fail(c->cli, EX_TEMPFAIL, "no answer from %s for %d seconds, try again",
		    c->path, CLIENT_PATIENCE_S);
	return cli_fail(c->cli, EX_PROTOCOL, "trouble with %s: %s", c->path, err->text);
}

static int
send_request(struct client *c, const char *verb, int argc, char **argv)
{
	struct operator_request request = { .verb = slice_str(verb), .count = (uint32_t)argc };
	struct err err = { 0 };

	request.flags = (c->cli->flags & CLI_JSON) != 0 ? OPERATOR_JSON : 0;
	for (int i = 0; i < argc; i++)
		request.args[i] = slice_str(argv[i]);
	operator_request_put(chan_sync_begin(c->chan, CONTROL_OPERATOR), &request);
	return chan_sync_send(c->chan, -1, &err) == 0 ? EX_OK : wire_trouble(c, &err);
}

static int
bad_frame(const struct client *c)
{
	return cli_fail(c->cli, EX_PROTOCOL,
	    "%s sent something that is not understood: same version of posthorn there?", c->path);
}

static int
on_item(struct client *c, struct reader *r)
{
	struct queue_item item;
	int status = -1;

	arena_reset(&c->arena);
	if (queue_item_get(r, &c->arena, &item) == -1)
		return bad_frame(c);
	if (c->sink->item != NULL && c->sink->item(c->sink->arg, &item) == -1)
		status = EX_IOERR;
	return status;
}

static int
on_bytes(struct client *c, struct reader *r)
{
	struct control_text text;

	if (control_text_get(r, &text) == -1)
		return bad_frame(c);
	if (c->sink->bytes != NULL && c->sink->bytes(c->sink->arg, text.text) == -1)
		return EX_IOERR;
	return -1;
}

static int
on_outcome(struct client *c, struct reader *r)
{
	char sentence[CONTROL_TEXT_MAX];
	struct control_text text;

	if (control_text_get(r, &text) == -1)
		return bad_frame(c);
	fmt_escaped(sentence, sizeof(sentence), text.text);
	if (!text.ok)
		return cli_fail(
		    c->cli, EX_DATAERR, "%s", text.text.len == 0 ? "refused" : sentence);
	if (!c->sink->quiet && text.text.len > 0)
		fprintf(c->cli->out, "%s\n", sentence);
	return EX_OK;
}

/* One frame of the answer. -1: go on; else the exit status. */
static int
next_piece(struct client *c)
{
	struct reader r = { 0 };
	struct err err = { 0 };
	int fd = -1, type = chan_sync_next(c->chan, &r, &fd, &err);

	fd_close(&fd);		/* none is expected */
	switch (type) {
	case -1:
		return wire_trouble(c, &err);
	case 0:
		return cli_fail(c->cli, EX_UNAVAILABLE,
		    "%s closed before the end of its answer: has posthorn been stopped?", c->path);
	case CONTROL_ITEM:
		return on_item(c, &r);
	case CONTROL_BYTES:
		return on_bytes(c, &r);
	case CONTROL_OUTCOME:
		return on_outcome(c, &r);
	default:
		return bad_frame(c);
	}
}

static int
ask_once(struct client *c, const char *verb, int argc, char **argv)
{
	struct err err = { 0 };
	static const struct timeval for_ever = { 0 };
	int status = EX_OK, fd = reach(c->cli, c->path, &status);

	if (fd == -1)
		return status;
	if (c->sink->patient)
		(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &for_ever, sizeof(for_ever));
	c->chan = chan_sync_open(fd, "control", CONTROL_VERSION, &err);
	if (c->chan == NULL)
		return wire_trouble(c, &err);
	status = send_request(c, verb, argc, argv);
	if (status == EX_OK) {
		do
			status = next_piece(c);
		while (status == -1);
	}
	chan_sync_close(&c->chan);
	return status;
}

/* Where the socket is. 0, or the exit status after telling. */
static int
find_socket(struct cli *cli, const char *socket, char *out, size_t size)
{
	char directory[CLI_PATH_MAX];
	int status = cli_run_directory(cli, directory);

	if (status == EX_OK)
		snprintf(out, size, "%s/%s", directory, socket);
	return status;
}

int
client_connect(struct cli *cli, const char *socket, int *status)
{
	char path[CLI_PATH_MAX + 16];

	*status = find_socket(cli, socket, path, sizeof(path));
	return *status == EX_OK ? reach(cli, path, status) : -1;
}

int
client_ask(struct cli *cli, const char *socket, const char *verb, int argc, char **argv,
    const struct client_sink *sink)
{
	char path[CLI_PATH_MAX + 16];
	struct client c = { .cli = cli, .sink = sink, .path = path };
	int status = find_socket(cli, socket, path, sizeof(path)), part;

	if (status != EX_OK)
		return status;
	arena_init(&c.arena, ITEM_MEMORY_MAX);
	do {
		part = argc < OPERATOR_ARGS_MAX ? argc : OPERATOR_ARGS_MAX;
		status = ask_once(&c, verb, part, argv);
		argc -= part;
		if (argc > 0)		/* without words argv is NULL */
			argv += part;
	} while (status == EX_OK && argc > 0);
	arena_fini(&c.arena);
	return status;
}
