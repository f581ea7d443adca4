/*
 * domains — a hash over the configured domains and the host's own name. Made once per
 * configuration, never changed.
 */
#include "lookup/address/domains.h"

#include "base/hash.h"
#include "base/mem.h"

struct entry {
	struct hash_node		 node;
	const struct conf_domain	*domain;
};

struct domains {
	struct hash		 table;
	struct conf_domain	 host;		/* used when the configuration does not name it */
	uint32_t		 count;
	struct entry		 entries[];
};

static char host_maildir[] = "Maildir";

static void
domains_add(struct domains *domains, const struct conf_domain *domain)
{
	struct entry *entry = &domains->entries[domains->count++];

	entry->domain = domain;
	hash_insert(&domains->table, &entry->node, hash_slice_nocase(slice_str(domain->name)));
}

struct domains *
domains_new(const struct conf *conf, struct err *err)
{
	struct domains *domains = mem_zalloc(sizeof(*domains) + (conf->domain_count + 1) * sizeof(struct entry));

	if (domains == NULL) {
		err_set(err, "no memory for the table of domains");
		return NULL;
	}
	hash_init(&domains->table);
	for (uint32_t i = 0; i < conf->domain_count; i++)
		if (domains_find(domains, slice_str(conf->domains[i].name)) == NULL)
			domains_add(domains, &conf->domains[i]);
	if (conf->hostname != NULL && domains_find(domains, slice_str(conf->hostname)) == NULL) {
		domains->host = (struct conf_domain){ .name = conf->hostname, .users = USERS_SYSTEM, .maildir = host_maildir };
		domains_add(domains, &domains->host);
	}
	return domains;
}

void
domains_free(struct domains **domains)
{
	if (*domains == NULL)
		return;
	hash_fini(&(*domains)->table);
	mem_free(*domains);
	*domains = NULL;
}

const struct conf_domain *
domains_find(const struct domains *domains, struct slice name)
{
	struct hash_node *node;

	for (node = hash_first(&domains->table, hash_slice_nocase(name)); node != NULL; node = hash_next(node)) {
		const struct entry *entry = CONTAINER_OF(node, struct entry, node);

		if (slice_caseeq(slice_str(entry->domain->name), name))
			return entry->domain;
	}
	return NULL;
}

const struct conf_domain *
domains_at(const struct domains *domains, uint32_t i)
{
	return i < domains->count ? domains->entries[i].domain : NULL;
}
