/* login — lookup's auth wire from queue's side, and a bounded table of tokens. */
#include "queue/intake/login.h"

#include "base/hash.h"
#include "base/log.h"
#include "base/mem.h"
#include "event/timer.h"
#include "ipc/channel.h"

struct login {
	struct hash_node	node;
	struct auth_token	token;
	bool			orphan;		/* the lookup that gave it is gone */
	size_t			len;
	char			name[];
};

struct logins {
	struct loop	*loop;
	struct channel	*channel;
	struct hash	 table;		/* by token */
	struct timer	 grace;		/* the end of orphans */
};

static void	grace_over(void *);

struct logins *
logins_new(struct loop *loop, struct err *err)
{
	struct logins *ls = mem_zalloc(sizeof(*ls));

	if (ls == NULL || timer_init(&ls->grace, loop, grace_over, ls) == -1) {
		(void)err_set(err, "no memory for logins");
		mem_free(ls);
		return NULL;
	}
	ls->loop = loop;
	hash_init(&ls->table);
	return ls;
}

static void
forget(struct hash_node *node, void *arg)
{
	struct logins *ls = arg;

	hash_remove(&ls->table, node);
	mem_free(CONTAINER_OF(node, struct login, node));
}

static void
forget_orphan(struct hash_node *node, void *arg)
{
	if (CONTAINER_OF(node, struct login, node)->orphan)
		forget(node, arg);
}

static void
grace_over(void *arg)
{
	struct logins *ls = arg;

	hash_each(&ls->table, forget_orphan, ls);
}

static void
make_orphan(struct hash_node *node, void *arg)
{
	(void)arg;
	CONTAINER_OF(node, struct login, node)->orphan = true;
}

static void
lose(struct logins *ls)
{
	if (ls->channel == NULL)
		return;
	channel_close(&ls->channel);
	hash_each(&ls->table, make_orphan, NULL);
	timer_set(&ls->grace, LOGIN_GRACE);
}

void
logins_free(struct logins **lsp)
{
	struct logins *ls = *lsp;

	*lsp = NULL;
	if (ls == NULL)
		return;
	channel_close(&ls->channel);
	timer_fini(&ls->grace);
	hash_each(&ls->table, forget, ls);
	hash_fini(&ls->table);
	mem_free(ls);
}

static uint64_t
hash_token(const struct auth_token *token)
{
	return hash_slice(slice_of(token, sizeof(*token)));
}

static struct login *
find(const struct logins *ls, const struct auth_token *token)
{
	for (struct hash_node *n = hash_first(&ls->table, hash_token(token)); n != NULL; n = hash_next(n))
		if (token_eq(&CONTAINER_OF(n, struct login, node)->token, token))
			return CONTAINER_OF(n, struct login, node);
	return NULL;
}

bool
logins_know(const struct logins *ls, const struct auth_token *token, struct slice *out)
{
	const struct login *login = token_is_set(token) ? find(ls, token) : NULL;

	if (login != NULL)
		*out = slice_of(login->name, login->len);
	return login != NULL;
}

size_t
logins_count(const struct logins *ls)
{
	return ls->table.count;
}

/* It is there, and that user's: it has a lookup again. */
static bool
claim(struct logins *ls, const struct auth_granted *granted)
{
	struct login *login = find(ls, &granted->token);

	if (login == NULL || !slice_eq(slice_of(login->name, login->len), granted->login))
		return false;
	login->orphan = false;
	return true;
}

static bool
add(struct logins *ls, const struct auth_granted *granted)
{
	struct login *login;

	if (find(ls, &granted->token) != NULL)
		return claim(ls, granted);
	if (ls->table.count >= LOGINS_MOST || (login = mem_zalloc(sizeof(*login) + granted->login.len)) == NULL)
		return false;
	login->token = granted->token;
	login->len = granted->login.len;
	memcpy(login->name, granted->login.p, login->len);
	hash_insert(&ls->table, &login->node, hash_token(&login->token));
	return true;
}

static int
answer(struct logins *ls, struct reader *r, bool (*judge)(struct logins *, const struct auth_granted *))
{
	struct auth_granted login;
	struct auth_known known;

	if (auth_granted_get(r, &login) == -1)
		return -1;
	known = (struct auth_known){ .serial = login.serial, .ok = judge(ls, &login) };
	auth_known_put(channel_begin(ls->channel, AUTH_KNOWN), &known);
	(void)channel_end(ls->channel);
	return 0;
}

static int
on_login(void *arg, struct reader *r, int fd)
{
	(void)fd;
	return answer(arg, r, add);
}

static int
on_claim(void *arg, struct reader *r, int fd)
{
	(void)fd;
	return answer(arg, r, claim);
}

static int
on_logout(void *arg, struct reader *r, int fd)
{
	struct logins *ls = arg;
	struct auth_token token;
	struct login *login;

	(void)fd;
	if (auth_logout_get(r, &token) == -1)
		return -1;
	if ((login = find(ls, &token)) != NULL)
		forget(&login->node, ls);
	return 0;
}

static int
on_told(void *arg, struct reader *r, int fd)
{
	(void)fd;
	log_debug("lookup has told of %zu logins", ((struct logins *)arg)->table.count);
	return reader_end(r);
}

static const struct frame_handler handlers[AUTH_FRAME_COUNT] = {
	[AUTH_LOGIN]	= { "login", on_login, false },
	[AUTH_CLAIM]	= { "claim", on_claim, false },
	[AUTH_LOGOUT]	= { "logout", on_logout, false },
	[AUTH_TOLD]	= { "told", on_told, false },
};

static void
on_end(void *arg, const char *why)
{
	log_debug("lookup's auth wire ended: %s", why);
	lose(arg);
}

static const struct channel_ops ops = {
	.wire = "auth", .version = AUTH_VERSION, .handlers = handlers, .handler_count = AUTH_FRAME_COUNT, .on_end = on_end,
};

int
logins_attach(struct logins *ls, int fd, struct err *err)
{
	lose(ls);
	ls->channel = channel_open(ls->loop, fd, &ops, ls, err);
	return ls->channel == NULL ? -1 : 0;
}
