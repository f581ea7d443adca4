/* failures — a hash of entries, the oldest first out. A key is a letter and the bytes that it counts. */
#include "lookup/password/failures.h"

#include <bsd/sys/queue.h>

#include "base/hash.h"
#include "base/mem.h"
#include "wire/auth.h"

#define KNOWN_MS	(INT64_C(30) * 24 * 3600 * 1000)	/* how long a good login is remembered, if the table has room */
#define KEY_BYTES	(2 + 16 + AUTH_LOGIN_MAX)

enum kind {
	BY_ADDRESS = 'a',
	BY_LOGIN = 'l',
	GOOD_PAIR = 'p',	/* has logged in from there */
	BY_PAIR = 'f',		/* failures of a good pair */
	GOOD_ADDRESS = 'g'	/* somebody has */
};

struct entry {
	struct hash_node	node;
	TAILQ_ENTRY(entry)	age;
	int64_t			until;
	uint32_t		count;
	size_t			len;
	char			key[];
};

struct failures {
	struct hash		entries;
	TAILQ_HEAD(, entry)	ages;		/* oldest first */
	size_t			count;
};

struct key {
	size_t	len;
	char	bytes[KEY_BYTES];
};

struct failures *
failures_new(void)
{
	struct failures *f = mem_zalloc(sizeof(*f));

	if (f == NULL)
		return NULL;
	hash_init(&f->entries);
	TAILQ_INIT(&f->ages);
	return f;
}

static void
drop(struct failures *f, struct entry *e)
{
	hash_remove(&f->entries, &e->node);
	TAILQ_REMOVE(&f->ages, e, age);
	f->count--;
	mem_free(e);
}

void
failures_free(struct failures **fp)
{
	struct failures *f = *fp;

	*fp = NULL;
	if (f == NULL)
		return;
	while (!TAILQ_EMPTY(&f->ages))
		drop(f, TAILQ_FIRST(&f->ages));
	hash_fini(&f->entries);
	mem_free(f);
}

static void
key_add(struct key *key, struct slice bytes)
{
	size_t n = bytes.len < sizeof(key->bytes) - key->len ? bytes.len : sizeof(key->bytes) - key->len;

	if (n > 0)
		memcpy(key->bytes + key->len, bytes.p, n);
	key->len += n;
}

/* In small letters: users may be found by their names in any, and guesses at one of them count together. */
static void
key_add_login(struct key *key, struct slice login)
{
	for (size_t i = 0; i < login.len && key->len < sizeof(key->bytes); i++)
		key->bytes[key->len++] = ascii_lower(login.p[i]);
}

struct slice
failures_place(struct slice address)
{
	return slice_of(address.p, address.len > 8 ? 8 : address.len);
}

static struct key
key_of(enum kind kind, struct slice address, struct slice login)
{
	struct key key = { .len = 1, .bytes = { (char)kind } };

	if (kind != BY_LOGIN)
		key_add(&key, failures_place(address));
	if (kind == GOOD_PAIR || kind == BY_PAIR)
		key_add(&key, SLICE_LIT("="));
	if (kind != BY_ADDRESS && kind != GOOD_ADDRESS)
		key_add_login(&key, login);
	return key;
}

static struct entry *
find(struct failures *f, const struct key *key, int64_t now)
{
	struct slice bytes = slice_of(key->bytes, key->len);

	for (struct hash_node *n = hash_first(&f->entries, hash_slice(bytes)); n != NULL; n = hash_next(n)) {
		struct entry *e = CONTAINER_OF(n, struct entry, node);

		if (!slice_eq(slice_of(e->key, e->len), bytes))
			continue;
		if (e->until > now)
			return e;
		drop(f, e);
		return NULL;
	}
	return NULL;
}

static uint32_t
count_of(struct failures *f, enum kind kind, struct slice address, struct slice login, int64_t now)
{
	struct key key = key_of(kind, address, login);
	const struct entry *e = find(f, &key, now);

	return e == NULL ? 0 : e->count;
}

/* One more. Without memory nothing is counted, which is better than that nobody can log in. */
static uint32_t
count_up(struct failures *f, const struct key *key, int64_t now, int64_t keep)
{
	struct entry *e = find(f, key, now);

	if (e == NULL) {
		if (f->count >= FAILURES_MOST)
			drop(f, TAILQ_FIRST(&f->ages));
		if ((e = mem_zalloc(sizeof(*e) + key->len)) == NULL)
			return 1;
		e->len = key->len;
		memcpy(e->key, key->bytes, key->len);
		hash_insert(&f->entries, &e->node, hash_slice(slice_of(e->key, e->len)));
		f->count++;
	} else {
		TAILQ_REMOVE(&f->ages, e, age);
	}
	TAILQ_INSERT_TAIL(&f->ages, e, age);
	e->until = now + keep;
	return ++e->count;
}

bool
failures_refuse_address(struct failures *f, const struct failures_rules *rules, struct slice address, int64_t now)
{
	struct slice nobody = SLICE_LIT("");

	if (rules->limit == 0 || count_of(f, BY_ADDRESS, address, nobody, now) < rules->limit)
		return false;
	return count_of(f, GOOD_ADDRESS, address, nobody, now) == 0;
}

bool
failures_refuse(struct failures *f, const struct failures_rules *rules, struct slice address, struct slice login, int64_t now)
{
	bool full;

	if (rules->limit == 0)
		return false;
	if (count_of(f, GOOD_PAIR, address, login, now) > 0)
		return count_of(f, BY_PAIR, address, login, now) / LOGIN_FACTOR >= rules->limit;
	full = count_of(f, BY_ADDRESS, address, login, now) >= rules->limit;
	return full || (login.len > 0 && count_of(f, BY_LOGIN, address, login, now) / LOGIN_FACTOR >= rules->limit);
}

int64_t
failures_add(struct failures *f, const struct failures_rules *rules, struct slice address, struct slice login, int64_t now)
{
	bool good = count_of(f, GOOD_PAIR, address, login, now) > 0;
	struct key key = key_of(good ? BY_PAIR : BY_ADDRESS, address, login);
	uint32_t times = count_up(f, &key, now, rules->window);

	key = key_of(BY_LOGIN, address, login);
	if (!good && login.len > 0)
		(void)count_up(f, &key, now, rules->window);
	return rules->delay * (times > DELAY_FACTOR ? DELAY_FACTOR : times);
}

void
failures_succeeded(struct failures *f, struct slice address, struct slice login, int64_t now)
{
	struct key key = key_of(GOOD_PAIR, address, login);

	(void)count_up(f, &key, now, KNOWN_MS);
	key = key_of(GOOD_ADDRESS, address, login);
	(void)count_up(f, &key, now, KNOWN_MS);
}

size_t
failures_count(const struct failures *f)
{
	return f->count;
}
