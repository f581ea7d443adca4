/*
 * limits — what a server says that it takes at most (RFC 9422): recipients of one transaction, domains and transactions of one session.
 * Who does not fit waits for the next transaction, or for the next session.
 */
#include "base/hash.h"
#include "relay/client/conversation.h"

bool
limits_allow_more(const struct client *c)
{
	return c->caps.mail_max == 0 || c->transactions < c->caps.mail_max;
}

static uint64_t
domain_of(struct slice address)
{
	const char *at = address.len == 0 ? NULL : memrchr(address.p, '@', address.len);

	if (at != NULL)
		slice_drop(&address, (size_t)(at + 1 - address.p));
	return hash_slice_nocase(address);
}

/* Takes note of the domain; false: it is one too many. */
static bool
takes_domain(struct client *c, uint64_t domain)
{
	uint32_t most = c->caps.rcpt_domain_max < DOMAINS_KEPT ? c->caps.rcpt_domain_max : DOMAINS_KEPT;

	if (most == 0)
		return true;
	for (uint32_t i = 0; i < c->domain_count; i++)
		if (c->domains[i] == domain)
			return true;
	if (c->domain_count == most)
		return false;
	c->domains[c->domain_count++] = domain;
	return true;
}

static bool
takes_recipient(struct client *c, const struct tx_recipient *to)
{
	return (c->caps.rcpt_max == 0 || c->count < c->caps.rcpt_max) && takes_domain(c, domain_of(to->address));
}

void
limits_choose(struct client *c)
{
	struct transaction *tx = c->tx;

	for (uint32_t i = 0; i < tx->count; i++) {
		struct tx_recipient *to = tx->recipients[i];

		if (!takes_recipient(c, to)) {
			to->state = TX_LATER;
			continue;
		}
		tx->recipients[i] = tx->recipients[c->count];
		tx->recipients[c->count++] = to;
	}
	tx->more = c->count < tx->count;
	if (tx->more)
		tx->trouble = (struct outcome){ .action = ACTION_DELAYED, .status = STATUS(4, 5, 3),
		    .text = SLICE_LIT("the server takes no more recipients at once") };
	c->spent = c->count == 0;
}
