/*
 * hash — SipHash-1-3 (Aumasson and Bernstein, with one compression and three final rounds) under a
 * random key, and a chained table of embedded nodes.
 */
#include "base/hash.h"

#include "base/mem.h"
#include "base/random.h"

#define NOCASE_MOST	1024

static uint64_t key[2];		/* drawn at first use; the same for the whole process */

static void
key_draw(void)
{
	while (key[0] == 0) {
		key[1] = random_u64();
		key[0] = random_u64();
	}
}

static inline uint64_t
rotate(uint64_t x, int by)
{
	return x << by | x >> (64 - by);
}

static inline void
sip_round(uint64_t v[4])
{
	v[0] += v[1];
	v[1] = rotate(v[1], 13) ^ v[0];
	v[0] = rotate(v[0], 32);
	v[2] += v[3];
	v[3] = rotate(v[3], 16) ^ v[2];
	v[0] += v[3];
	v[3] = rotate(v[3], 21) ^ v[0];
	v[2] += v[1];
	v[1] = rotate(v[1], 17) ^ v[2];
	v[2] = rotate(v[2], 32);
}

static uint64_t
sip_hash(const char *p, size_t len)
{
	uint64_t v[4], word;
	size_t left = len;

	if (key[0] == 0)
		key_draw();
	v[0] = key[0] ^ UINT64_C(0x736f6d6570736575);
	v[1] = key[1] ^ UINT64_C(0x646f72616e646f6d);
	v[2] = key[0] ^ UINT64_C(0x6c7967656e657261);
	v[3] = key[1] ^ UINT64_C(0x7465646279746573);
	for (; left >= 8; p += 8, left -= 8) {
		memcpy(&word, p, 8);
		v[3] ^= word;
		sip_round(v);
		v[0] ^= word;
	}
	word = 0;
	if (left > 0)
		memcpy(&word, p, left);
	word |= (uint64_t)len << 56;
	v[3] ^= word;
	sip_round(v);
	v[0] ^= word;
	v[2] ^= 0xff;
	sip_round(v);
	sip_round(v);
	sip_round(v);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

uint64_t
hash_slice(struct slice s)
{
	return sip_hash(s.p, s.len);
}

uint64_t
hash_slice_nocase(struct slice s)
{
	char folded[NOCASE_MOST];
	size_t len = s.len < sizeof(folded) ? s.len : sizeof(folded);

	for (size_t i = 0; i < len; i++)
		folded[i] = ascii_lower(s.p[i]);
	return sip_hash(folded, len);
}

uint64_t
hash_u64(uint64_t n)
{
	return sip_hash((const char *)&n, sizeof(n));
}

void
hash_init(struct hash *h)
{
	*h = (struct hash){ 0 };
}

void
hash_fini(struct hash *h)
{
	mem_free(h->slots);
	hash_init(h);
}

static struct hash_node **
slot_of(const struct hash *h, uint64_t hash)
{
	/* The single slot serves a table that never had memory for more. */
	if (h->nslots == 0)
		return (struct hash_node **)(uintptr_t)&h->one;
	return &h->slots[hash & (h->nslots - 1)];
}

static void
move_chain(struct hash_node *node, struct hash_node **slots, size_t nslots)
{
	struct hash_node *next;

	for (; node != NULL; node = next) {
		struct hash_node **slot = &slots[node->hash & (nslots - 1)];

		next = node->next;
		node->next = *slot;
		*slot = node;
	}
}

static void
hash_grow(struct hash *h)
{
	size_t nslots = h->nslots == 0 ? 16 : h->nslots * 2;
	struct hash_node **slots = mem_array(nslots, sizeof(*slots));

	if (slots == NULL)
		return;
	move_chain(h->one, slots, nslots);
	h->one = NULL;
	for (size_t i = 0; i < h->nslots; i++)
		move_chain(h->slots[i], slots, nslots);
	mem_free(h->slots);
	h->slots = slots;
	h->nslots = nslots;
}

void
hash_insert(struct hash *h, struct hash_node *node, uint64_t hash)
{
	struct hash_node **slot;

	if (h->count >= h->nslots)
		hash_grow(h);
	node->hash = hash;
	slot = slot_of(h, hash);
	node->next = *slot;
	*slot = node;
	h->count++;
}

void
hash_remove(struct hash *h, struct hash_node *node)
{
	struct hash_node **at = slot_of(h, node->hash);

	while (*at != NULL && *at != node)
		at = &(*at)->next;
	if (*at == NULL)
		return;
	*at = node->next;
	node->next = NULL;
	h->count--;
}

static struct hash_node *
same_hash(struct hash_node *node, uint64_t hash)
{
	while (node != NULL && node->hash != hash)
		node = node->next;
	return node;
}

struct hash_node *
hash_first(const struct hash *h, uint64_t hash)
{
	return same_hash(*slot_of(h, hash), hash);
}

struct hash_node *
hash_next(const struct hash_node *node)
{
	return same_hash(node->next, node->hash);
}

static void
each_in_chain(struct hash_node *node, void (*each)(struct hash_node *, void *), void *arg)
{
	struct hash_node *next;

	for (; node != NULL; node = next) {
		next = node->next;
		each(node, arg);
	}
}

void
hash_each(struct hash *h, void (*each)(struct hash_node *, void *), void *arg)
{
	each_in_chain(h->one, each, arg);
	for (size_t i = 0; i < h->nslots; i++)
		each_in_chain(h->slots[i], each, arg);
}
