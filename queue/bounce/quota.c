/* quota — a table of the senders that were told something within the hour, oldest first. */
#include "queue/bounce/quota.h"

#include <bsd/sys/queue.h>

#include "base/hash.h"
#include "base/mem.h"

struct quota {
	TAILQ_ENTRY(quota)	 age;
	struct hash_node	 by_sender;
	int64_t			 since_ms;
	uint32_t		 count;
	struct slice		 sender;	/* behind the struct */
};

struct quotas {
	struct hash		 by_sender;
	TAILQ_HEAD(, quota)	 ages;
};

struct quotas *
quotas_new(void)
{
	struct quotas *all = mem_zalloc(sizeof(*all));

	if (all == NULL)
		return NULL;
	hash_init(&all->by_sender);
	TAILQ_INIT(&all->ages);
	return all;
}

static void
drop(struct quotas *all, struct quota *quota)
{
	hash_remove(&all->by_sender, &quota->by_sender);
	TAILQ_REMOVE(&all->ages, quota, age);
	mem_free(quota);
}

void
quotas_free(struct quotas **allp)
{
	struct quotas *all = *allp;

	*allp = NULL;
	if (all == NULL)
		return;
	while (!TAILQ_EMPTY(&all->ages))
		drop(all, TAILQ_FIRST(&all->ages));
	hash_fini(&all->by_sender);
	mem_free(all);
}

static struct quota *
find(struct quotas *all, struct slice sender)
{
	struct hash_node *n;

	for (n = hash_first(&all->by_sender, hash_slice(sender)); n != NULL; n = hash_next(n))
		if (slice_eq(CONTAINER_OF(n, struct quota, by_sender)->sender, sender))
			return CONTAINER_OF(n, struct quota, by_sender);
	return NULL;
}

static void
drop_old(struct quotas *all, int64_t now_ms)
{
	struct quota *quota;

	while ((quota = TAILQ_FIRST(&all->ages)) != NULL && quota->since_ms + QUOTA_PERIOD <= now_ms)
		drop(all, quota);
}

int64_t
quota_wait_ms(struct quotas *all, struct slice sender, uint32_t an_hour, int64_t now_ms)
{
	struct quota *quota;

	drop_old(all, now_ms);
	quota = find(all, sender);
	if (an_hour == 0 || quota == NULL || quota->count < an_hour)
		return 0;
	return quota->since_ms + QUOTA_PERIOD - now_ms;
}

void
quota_take(struct quotas *all, struct slice sender, int64_t now_ms)
{
	struct quota *quota = find(all, sender);

	if (quota == NULL) {
		quota = mem_zalloc(sizeof(*quota) + sender.len);
		if (quota == NULL)
			return;
		if (all->by_sender.count >= QUOTA_SENDERS)
			drop(all, TAILQ_FIRST(&all->ages));
		if (sender.len > 0)
			memcpy(quota + 1, sender.p, sender.len);
		quota->sender = slice_of(quota + 1, sender.len);
		quota->since_ms = now_ms;
		hash_insert(&all->by_sender, &quota->by_sender, hash_slice(sender));
		TAILQ_INSERT_TAIL(&all->ages, quota, age);
	}
	quota->count++;
}

void
quota_give_back(struct quotas *all, struct slice sender)
{
	struct quota *quota = find(all, sender);

	if (quota != NULL && quota->count > 0)
		quota->count--;
}
