/*
 * evil — orders from a test, obeyed by a process of the house from inside its sandbox.
 *
 * An order is one datagram of text, "VERB ARGUMENT"; its answer is another: "worked", "refused EPERM", or what an order about wires
 * has to say. "give NAME" hands the wire itself over, so that the test can say on it whatever it likes, as this process.
 */
#include "proc/evil.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/fd.h"
#include "tests/evil/attacks.h"

#define ORDER_MAX	(512 * 1024)
#define HANDS_MAX	64
#define SLIPPED		3
#define NAME_MAX_LEN	40

static struct hand {			/* a descriptor that it can be told to use, by name */
	char	name[NAME_MAX_LEN];
	int	fd;
	bool	own;			/* the program has never seen it */
} hands[HANDS_MAX];
static size_t hand_count;

static int test = -1;			/* the socket to the test; -1: this process is an honest one */
static char keeps[1024];		/* names of wires, a space around each */
static char order[ORDER_MAX + 1], bytes[ORDER_MAX / 2];
static struct watch watch;

static _Noreturn void
mistake(const char *what)
{
	(void)fprintf(stderr, "evil: %s: %s\n", what, strerror(errno));
	_exit(70);
}

/* These bytes in one call, and copies of `count` descriptors with them. */
static ssize_t
send_with(int to, const char *data, size_t len, const int *fds, size_t count)
{
	union {
		struct cmsghdr	align;
		char		bytes[CMSG_SPACE(SLIPPED * sizeof(int))];
	} control = { 0 };
	struct iovec iov = { (void *)(uintptr_t)data, len };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	struct cmsghdr *h;

	if (count > 0) {
		msg.msg_control = &control;
		msg.msg_controllen = CMSG_SPACE(count * sizeof(int));
		h = CMSG_FIRSTHDR(&msg);
		h->cmsg_level = SOL_SOCKET;
		h->cmsg_type = SCM_RIGHTS;
		h->cmsg_len = CMSG_LEN(count * sizeof(int));
		memcpy(CMSG_DATA(h), fds, count * sizeof(int));
	}
	return sendmsg(to, &msg, MSG_NOSIGNAL);
}

static void
say(const char *words, int fd)
{
	if (send_with(test, words, strlen(words), &fd, fd == -1 ? 0 : 1) == -1)
		mistake("the test does not listen");
}

/* The next order. False: the test has gone. */
static bool
hear(void)
{
	ssize_t n;

	do
		n = recv(test, order, ORDER_MAX, 0);
	while (n == -1 && errno == EINTR);
	if (n <= 0)
		return false;
	order[n] = '\0';
	return true;
}

void
evil_open(const char *name)
{
	const char *folder = getenv("POSTHORN_EVIL");
	struct sockaddr_un at = { .sun_family = AF_UNIX };

	if (folder == NULL)
		return;
	(void)snprintf(at.sun_path, sizeof(at.sun_path), "%s/%s", folder, name);
	if (access(at.sun_path, F_OK) == -1)
		return;
	test = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (test == -1 || connect(test, (const struct sockaddr *)&at, sizeof(at)) == -1 || !hear())
		mistake(at.sun_path);
	(void)snprintf(keeps, sizeof(keeps), " %.1000s ", order);
}

/* ---- wires ---- */

static struct hand *
hand_of(const char *name)
{
	for (size_t i = 0; i < hand_count; i++)
		if (strcmp(hands[i].name, name) == 0)
			return &hands[i];
	return NULL;
}

static struct hand *
hold(const char *name, int fd, bool own)
{
	struct hand *hand = hand_of(name);

	if (hand == NULL) {
		if (hand_count == HANDS_MAX)
			mistake("too many wires");
		hand = &hands[hand_count++];
		(void)snprintf(hand->name, sizeof(hand->name), "%s", name);
	} else if (hand->own)
		fd_close(&hand->fd);
	hand->fd = fd;
	hand->own = own;
	return hand;
}

void
evil_knows(const char *name, int fd)
{
	if (test != -1)
		(void)hold(name, fd, false);
}

bool
evil_takes(const struct control_wire *wire, int fd)
{
	static const char *const kinds[WIRE_KIND_COUNT] = { [WIRE_NONE] = "listener", [WIRE_SUBMIT] = "submit", [WIRE_DELIVER] = "deliver",
	    [WIRE_LOOKUP] = "lookup", [WIRE_SPAWN] = "spawn", [WIRE_HANDOFF] = "handoff", [WIRE_KEY] = "key", [WIRE_AUTH] = "auth",
	    [WIRE_CONTROL] = "control", [WIRE_LOG] = "log" };
	static const char *const roles[ROLE_COUNT] = { [ROLE_NONE] = "none", [ROLE_MX] = "mx", [ROLE_TRUSTED] = "trusted",
	    [ROLE_SUBMISSION] = "submission", [ROLE_RELAY] = "relay", [ROLE_MDA] = "mda", [ROLE_LOOKUP] = "lookup", [ROLE_QUEUE] = "queue",
	    [ROLE_SUPERVISOR] = "supervisor", [ROLE_OPERATOR] = "operator", [ROLE_LOGGER] = "logger", [ROLE_KEY] = "key" };
	char name[NAME_MAX_LEN], word[NAME_MAX_LEN + 2];
	bool own;

	if (test == -1)
		return false;
	(void)snprintf(name, sizeof(name), "%s-%s", kinds[wire->kind], roles[wire->role]);
	(void)snprintf(word, sizeof(word), " %s ", name);
	own = strstr(keeps, word) != NULL;
	(void)hold(name, fd, own);
	return own;
}

static int
digit(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static size_t
from_hex(const char *text)
{
	size_t n = 0;

	for (; text[0] != '\0' && text[1] != '\0'; text += 2)
		bytes[n++] = (char)(digit(text[0]) << 4 | digit(text[1]));
	return n;
}

static void
answer(int result)
{
	char words[80];

	(void)snprintf(words, sizeof(words), "refused %s", result == -1 ? strerrorname_np(errno) : "");
	say(result == -1 ? words : "worked", -1);
}

static struct hand *
named_hand(const char *name)
{
	struct hand *hand = hand_of(name);

	if (hand == NULL || hand->fd == -1)
		say("none", -1);
	return hand != NULL && hand->fd != -1 ? hand : NULL;
}

static void
send_bytes(char *argument, size_t descriptors)
{
	static const int standard[SLIPPED] = { 0, 1, 2 };
	char *hex = strchr(argument, ' ');
	const struct hand *hand;
	size_t len;

	if (hex == NULL)
		mistake("what is there to be said?");
	*hex++ = '\0';
	hand = named_hand(argument);
	if (hand == NULL)
		return;
	len = from_hex(hex);
	answer(send_with(hand->fd, bytes, len, standard, descriptors) == (ssize_t)len ? 0 : -1);
}

/* "say NAME HEX": these bytes, as they are, on a wire or a log socket, from here. */
static void
order_say(char *argument)
{
	send_bytes(argument, 0);
}

/* "slip NAME HEX": the same, and three descriptors with them. */
static void
order_slip(char *argument)
{
	send_bytes(argument, SLIPPED);
}

static void
order_give(char *argument)
{
	const struct hand *hand = named_hand(argument);

	if (hand != NULL)
		say("here", hand->fd);
}

static void
order_names(char *unused)
{
	char words[HANDS_MAX * (NAME_MAX_LEN + 1)] = "names";

	(void)unused;
	for (size_t i = 0; i < hand_count; i++) {
		(void)strlcat(words, " ", sizeof(words));
		(void)strlcat(words, hands[i].name, sizeof(words));
	}
	say(words, -1);
}

/* ---- orders ---- */

static const struct {
	const char	*verb;
	void		(*fn)(char *);
} orders[] = {
	{ "say", order_say }, { "slip", order_slip }, { "give", order_give }, { "names", order_names },
};

static const struct attack *
find_attack(const char *verb)
{
	const struct attack *const all[] = { file_attacks, peer_attacks, self_attacks };

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		for (const struct attack *a = all[i]; a->verb != NULL; a++)
			if (strcmp(a->verb, verb) == 0)
				return a;
	return NULL;
}

static void
obey(void)
{
	char *argument = strchr(order, ' ');
	const struct attack *attack;

	if (argument != NULL)
		*argument++ = '\0';
	else
		argument = order + strlen(order);
	for (size_t i = 0; i < sizeof(orders) / sizeof(orders[0]); i++)
		if (strcmp(orders[i].verb, order) == 0) {
			orders[i].fn(argument);
			return;
		}
	attack = find_attack(order);
	if (attack == NULL)
		mistake(order);
	answer(attack->fn(argument));
}

static void
on_order(void *unused, int what)
{
	(void)unused;
	(void)what;
	if (hear()) {
		obey();
		return;
	}
	watch_stop(&watch);		/* the test has lost interest: an honest process again */
	fd_close(&test);
}

void
evil_serve(struct loop *loop)
{
	if (test == -1)
		return;
	if (watch_start(&watch, loop, test, WATCH_READ, on_order, NULL) == -1)
		mistake("no event");
	say("serving", -1);
}

void
evil_obey(void)
{
	if (test == -1)
		return;
	say("serving", -1);
	while (hear()) {
		if (strcmp(order, "go on") == 0)
			break;
		obey();
	}
}
