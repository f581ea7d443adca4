#ifndef CLI_CLIENT_H
#define CLI_CLIENT_H
/*
 * client — one question to a running posthorn, and its answer piece by piece: nothing of it is
 * kept, however long it is.
 */
#include "control/cli/cli.h"
#include "wire/control.h"

#define CLIENT_PATIENCE_S	60	/* for each piece of an answer */

/* What to do with the pieces. Each returns 0, or -1 to stop (the reader of our output is gone).
 * NULL: ignored. */
struct client_sink {
	int	(*item)(void *arg, const struct queue_item *);
	int	(*bytes)(void *arg, struct slice);
	void	*arg;
	bool	 quiet;		/* the sentence of a good end is not printed */
	bool	 patient;	/* an answer may take as long as it takes: until the server answers or ends */
};

/* A connected descriptor, before anything was said. -1: *status, after telling why. */
int	client_connect(struct cli *, const char *socket, int *status);
/* `socket` is "queue" or "control". Returns the exit status after telling about any trouble. More
 * than OPERATOR_ARGS_MAX arguments are asked about in several questions; the first trouble ends
 * it. */
int	client_ask(struct cli *, const char *socket, const char *verb, int argc, char **argv, const struct client_sink *);

#endif
