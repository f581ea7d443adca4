/* logins — see logins.h. */
#include "smtpd/logins.h"

#include <stdio.h>

#include "base/log.h"
#include "base/mem.h"
#include "ipc/channel.h"

struct logins {
	struct loop	*loop;
	struct channel	*channel;
	uint64_t	 serial;
	struct hash	 all;		/* by serial */
	size_t		 mechanisms_len;
	char		 mechanisms[AUTH_MECHANISMS_MAX];
};

static int	on_mechanisms(void *, struct reader *, int);
static int	on_challenge(void *, struct reader *, int);
static int	on_ok(void *, struct reader *, int);
static int	on_failed(void *, struct reader *, int);
static int	on_later(void *, struct reader *, int);
static void	on_end(void *, const char *);

static const struct frame_handler handlers[AUTH_FRAME_COUNT] = {
	[AUTH_MECHANISMS]	= { "mechanisms",	on_mechanisms,	false },
	[AUTH_CHALLENGE]	= { "challenge",	on_challenge,	false },
	[AUTH_OK]		= { "ok",		on_ok,		false },
	[AUTH_FAILED]		= { "failed",		on_failed,	false },
	[AUTH_LATER]		= { "later",		on_later,	false },
};

static const struct channel_ops ops = {
	.wire = "auth",
	.version = AUTH_VERSION,
	.handlers = handlers,
	.handler_count = AUTH_FRAME_COUNT,
	.secret = true,
	.on_end = on_end,
};

struct logins *
logins_new(struct loop *loop, struct err *err)
{
	struct logins *ls = mem_zalloc(sizeof(*ls));

	if (ls == NULL) {
		(void)err_set(err, "no memory for the auth wire");
		return NULL;
	}
	ls->loop = loop;
	hash_init(&ls->all);
	return ls;
}

void
logins_free(struct logins **lsp)
{
	struct logins *ls = *lsp;

	*lsp = NULL;
	if (ls == NULL)
		return;
	channel_close(&ls->channel);
	hash_fini(&ls->all);
	mem_free(ls);
}

static void
unhook(struct logins *ls, struct login *login)
{
	hash_remove(&ls->all, &login->node);
	login->serial = 0;
	login->live = false;
	login->token = (struct auth_token){ 0 };
}

/* What is live stays, for the next wire. */
static void
fail(struct hash_node *node, void *arg)
{
	struct login *login = CONTAINER_OF(node, struct login, node);
	const struct login_news news = { .result = LOGIN_LATER,
	    .text = SLICE_LIT("Connection lost to authentication server: lookup is away") };

	if (login->live)
		return;
	unhook(arg, login);
	login->fn(login->arg, &news);
}

static void
resume(struct hash_node *node, void *arg)
{
	struct login *login = CONTAINER_OF(node, struct login, node);
	struct logins *ls = arg;

	if (ls->channel == NULL)
		return;
	auth_granted_put(channel_begin(ls->channel, AUTH_RESUME),
	    &(struct auth_granted){ login->serial, login->token, slice_str(login->name) });
	(void)channel_end(ls->channel);
}

static void
lose(struct logins *ls)
{
	channel_close(&ls->channel);		/* what was offered still is: it will be back */
	hash_each(&ls->all, fail, ls);
}

static void
on_end(void *arg, const char *why)
{
	log_warn("auth wire: %s", why);
	lose(arg);
}

void
logins_wire(struct logins *ls, int fd)
{
	struct err err;

	lose(ls);
	ls->channel = channel_open(ls->loop, fd, &ops, ls, &err);
	if (ls->channel == NULL)
		log_error("auth wire: %s", err.text);
	hash_each(&ls->all, resume, ls);	/* those that are left are live */
}

struct slice
logins_mechanisms(const struct logins *ls)
{
	return slice_of(ls->mechanisms, ls->mechanisms_len);
}

static struct login *
find(struct logins *ls, uint64_t serial)
{
	for (struct hash_node *n = hash_first(&ls->all, hash_u64(serial)); n != NULL; n = hash_next(n))
		if (CONTAINER_OF(n, struct login, node)->serial == serial)
			return CONTAINER_OF(n, struct login, node);
	return NULL;
}

static int
on_mechanisms(void *arg, struct reader *r, int fd)
{
	struct logins *ls = arg;
	struct slice names;

	(void)fd;
	if (auth_mechanisms_get(r, &names) == -1)
		return -1;
	memcpy(ls->mechanisms, names.p, names.len);
	ls->mechanisms_len = names.len;
	return 0;
}

/* To one whose session has gone meanwhile: nothing. */
static int
tell(struct logins *ls, uint64_t serial, const struct login_news *news)
{
	struct login *login = find(ls, serial);

	if (login == NULL)
		return 0;
	if (login->live)
		return -1;
	if (news->result == LOGIN_FAILED || news->result == LOGIN_LATER)
		unhook(ls, login);
	login->fn(login->arg, news);
	return 0;
}

static int
on_challenge(void *arg, struct reader *r, int fd)
{
	struct auth_piece piece;

	(void)fd;
	if (auth_piece_get(r, &piece) == -1)
		return -1;
	return tell(arg, piece.serial, &(struct login_news){ .result = LOGIN_CHALLENGE, .bytes = piece.bytes });
}

static int
on_ok(void *arg, struct reader *r, int fd)
{
	struct logins *ls = arg;
	struct auth_granted granted;
	struct login *login;

	(void)fd;
	if (auth_granted_get(r, &granted) == -1)
		return -1;
	if ((login = find(ls, granted.serial)) == NULL)
		return 0;		/* its CANCEL is on the way */
	if (login->live)		/* resumed, and nothing has changed */
		return token_eq(&login->token, &granted.token) ? 0 : -1;
	login->live = true;
	login->token = granted.token;
	(void)snprintf(login->name, sizeof(login->name), "%.*s", SLICE_FMT(granted.login));
	login->fn(login->arg, &(struct login_news){ .result = LOGIN_OK, .login = granted.login });
	return 0;
}

static int
on_denied(struct logins *ls, struct reader *r, enum login_result result)
{
	struct auth_denied denied;
	struct login *login;

	if (auth_denied_get(r, &denied) == -1)
		return -1;
	/* A login may end by lookup's word: queue does not remember it, or has no room for it any more. */
	if ((login = find(ls, denied.serial)) != NULL && login->live) {
		unhook(ls, login);
		return 0;
	}
	return tell(ls, denied.serial, &(struct login_news){ .result = result, .login = denied.login, .text = denied.text });
}

static int
on_failed(void *arg, struct reader *r, int fd)
{
	(void)fd;
	return on_denied(arg, r, LOGIN_FAILED);
}

static int
on_later(void *arg, struct reader *r, int fd)
{
	(void)fd;
	return on_denied(arg, r, LOGIN_LATER);
}

int
logins_begin(struct logins *ls, struct login *login, struct auth_begin *begin, void (*fn)(void *, const struct login_news *), void *arg)
{
	if (ls->channel == NULL)
		return -1;
	begin->serial = ++ls->serial;
	auth_begin_put(channel_begin(ls->channel, AUTH_BEGIN), begin);
	if (channel_end(ls->channel) == -1)
		return -1;
	*login = (struct login){ .serial = begin->serial, .fn = fn, .arg = arg };
	hash_insert(&ls->all, &login->node, hash_u64(login->serial));
	return 0;
}

int
logins_continue(struct logins *ls, struct login *login, struct slice response)
{
	if (login->serial == 0 || login->live || ls->channel == NULL)
		return -1;
	auth_piece_put(channel_begin(ls->channel, AUTH_CONTINUE), &(struct auth_piece){ login->serial, response });
	return channel_end(ls->channel);
}

void
logins_end(struct logins *ls, struct login *login)
{
	uint64_t serial = login->serial;

	if (serial == 0)
		return;
	unhook(ls, login);
	if (ls->channel == NULL)
		return;
	auth_serial_put(channel_begin(ls->channel, AUTH_CANCEL), serial);
	(void)channel_end(ls->channel);
}
