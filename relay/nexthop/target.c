/* target — from hosts with addresses to a short list. Pure. Called by route.c. */
#include "relay/nexthop/target.h"

/* All candidates: more than TARGETS_MAX, so that dead ones may give way to living ones behind them. */
#define CANDIDATES_MAX	(MX_HOSTS_MAX * HOST_ADDRESSES * 2)

struct candidates {
	uint16_t	count;
	struct target	v[CANDIDATES_MAX];
};

static bool
host_is_own(struct mx_host *host, const struct target_rules *rules)
{
	for (unsigned i = 0; i < host->v6_count; i++) {
		sockaddress_set_port(&host->v6[i], rules->port);
		if (rules->is_own(rules->arg, &host->v6[i]))
			return true;
	}
	for (unsigned i = 0; i < host->v4_count; i++) {
		sockaddress_set_port(&host->v4[i], rules->port);
		if (rules->is_own(rules->arg, &host->v4[i]))
			return true;
	}
	return false;
}

/* Hosts stand in order of preference, so the first that is ours has the best preference of all that are. */
static void
cut_at_own(struct mx_hosts *hosts, const struct target_rules *rules)
{
	for (uint16_t i = 0; i < hosts->count; i++) {
		if (host_is_own(&hosts->hosts[i], rules)) {
			mx_cut(hosts, hosts->hosts[i].preference);
			return;
		}
	}
}

static void
consider(struct candidates *all, struct targets *out, const struct sockaddress *a, uint16_t host,
    const struct target_rules *rules)
{
	struct target t = { .address = *a, .host = host };

	sockaddress_unmap(&t.address);
	sockaddress_set_port(&t.address, rules->port);
	if (!rules->private_ok && sockaddress_is_private(&t.address)) {
		out->refused_private = true;
		return;
	}
	for (uint16_t i = 0; i < all->count; i++) {
		if (sockaddress_same_host(&all->v[i].address, &t.address))
			return;
	}
	all->v[all->count++] = t;
}

static void
collect(struct candidates *all, struct targets *out, const struct mx_hosts *hosts, const struct target_rules *rules)
{
	for (uint16_t h = 0; h < hosts->count; h++) {
		const struct mx_host *host = &hosts->hosts[h];

		for (unsigned i = 0; i < HOST_ADDRESSES; i++) {
			if (i < host->v6_count)
				consider(all, out, &host->v6[i], h, rules);
			if (i < host->v4_count)
				consider(all, out, &host->v4[i], h, rules);
		}
	}
}

static void
take(struct targets *out, const struct candidates *all, const struct target_rules *rules, bool dead)
{
	uint16_t most = rules->most < TARGETS_MAX ? rules->most : TARGETS_MAX;

	for (uint16_t i = 0; i < all->count && out->count < most; i++) {
		if (health_is_dead(rules->health, &all->v[i].address, rules->now) == dead)
			out->v[out->count++] = all->v[i];
	}
}

bool
targets_choose(struct mx_hosts *hosts, const struct target_rules *rules, struct targets *out)
{
	struct candidates all = { .count = 0 };
	bool had_hosts = hosts->count > 0;

	out->count = 0;
	out->cut = out->refused_private = false;
	if (rules->cut_at_own)
		cut_at_own(hosts, rules);
	if (had_hosts && hosts->count == 0)
		return false;
	collect(&all, out, hosts, rules);
	take(out, &all, rules, false);
	take(out, &all, rules, true);
	out->cut = out->count < all.count;
	return true;
}
