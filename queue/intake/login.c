/* login — lookup's auth wire from queue's side, and a bounded table of tokens. */
#include "queue/intake/login.h"

#include "base/hash.h"
#include "base/log.h"
#include "base/mem.h"
#include "ipc/channel.h"

struct login {
	struct hash_node	node;
	struct auth_token	token;
};

struct logins {
	struct loop	*loop;
	struct channel	*channel;
	struct hash	 table;		/* by token */
};

struct logins *
logins_new(struct loop *loop, struct err *err)
{
	struct logins *ls = mem_zalloc(sizeof(*ls));

	if (ls == NULL) {
		(void)err_set(err, "no memory for logins");
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
lose(struct logins *ls)
{
	channel_close(&ls->channel);
	hash_each(&ls->table, forget, ls);
}

void
logins_free(struct logins **lsp)
{
	struct logins *ls = *lsp;

	*lsp = NULL;
	if (ls == NULL)
		return;
	lose(ls);
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
logins_know(const struct logins *ls, const struct auth_token *token)
{
	return token_is_set(token) && find(ls, token) != NULL;
}

size_t
logins_count(const struct logins *ls)
{
	return ls->table.count;
}

static bool
add(struct logins *ls, const struct auth_token *token)
{
	struct login *login;

	if (find(ls, token) != NULL)
		return true;
	if (ls->table.count >= LOGINS_MOST || (login = mem_zalloc(sizeof(*login))) == NULL)
		return false;
	login->token = *token;
	hash_insert(&ls->table, &login->node, hash_token(token));
	return true;
}

static int
on_login(void *arg, struct reader *r, int fd)
{
	struct logins *ls = arg;
	struct auth_granted login;
	struct auth_known known;

	(void)fd;
	if (auth_granted_get(r, &login) == -1)
		return -1;
	known = (struct auth_known){ .serial = login.serial, .ok = add(ls, &login.token) };
	if (!known.ok)
		log_warn("%zu users are logged in, and there is no room for one more", ls->table.count);
	auth_known_put(channel_begin(ls->channel, AUTH_KNOWN), &known);
	(void)channel_end(ls->channel);
	return 0;
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
