/* health — one slot per hash of an address; a newcomer takes the place of whoever was there. Called by attempt.c and target.c. */
#include "relay/nexthop/health.h"

#include "base/hash.h"

static size_t
slot_of(const struct sockaddress *a)
{
	char text[SOCKADDRESS_TEXT];

	return hash_slice(slice_str(sockaddress_print_port(a, text))) % HEALTH_SLOTS;
}

static bool
same(const struct sockaddress *a, const struct sockaddress *b)
{
	return sockaddress_same_host(a, b) && sockaddress_port(a) == sockaddress_port(b);
}

void
health_failed(struct health *h, const struct sockaddress *a, int64_t now)
{
	h->slots[slot_of(a)] = (struct health_slot){ .address = *a, .until = now + HEALTH_MS };
}

void
health_worked(struct health *h, const struct sockaddress *a)
{
	struct health_slot *slot = &h->slots[slot_of(a)];

	if (slot->until != 0 && same(&slot->address, a))
		slot->until = 0;
}

bool
health_is_dead(const struct health *h, const struct sockaddress *a, int64_t now)
{
	const struct health_slot *slot = &h->slots[slot_of(a)];

	return slot->until > now && same(&slot->address, a);
}
