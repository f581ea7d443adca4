/*
 * route — MX first, then the addresses of all its hosts at once; every branch that ends without an address has its row in
 * `failures`, in the words that readers of Postfix logs know. Called by attempt.c.
 */
#include "relay/nexthop/route.h"

#include <stdio.h>

#include "base/random.h"

enum failure {
	FAILURE_NULL_MX, FAILURE_NO_DOMAIN, FAILURE_MX_TROUBLE, FAILURE_UNUSABLE, FAILURE_OURSELVES, FAILURE_PRIVATE, FAILURE_NO_HOST,
	FAILURE_NO_ADDRESS, FAILURE_HOST_TROUBLE, FAILURE_OVERLOAD
};

static const struct {
	enum action	action;
	struct status	status;
	const char	*before, *after;	/* the next hop's name stands between them */
} failures[] = {
	[FAILURE_NULL_MX] = { ACTION_FAILED, { 5, 1, 10 }, "Domain ", " does not accept mail (nullMX)" },
	[FAILURE_NO_DOMAIN] = { ACTION_FAILED, { 5, 1, 2 },
	    "Host or domain name not found. Name service error for name=", " type=MX: Host not found" },
	[FAILURE_MX_TROUBLE] = { ACTION_DELAYED, { 4, 4, 3 },
	    "Host or domain name not found. Name service error for name=", " type=MX: Host not found, try again" },
	[FAILURE_UNUSABLE] = { ACTION_FAILED, { 5, 4, 4 }, "the MX records of ", " name no valid host" },
	[FAILURE_OURSELVES] = { ACTION_FAILED, { 5, 4, 6 }, "mail for ", " loops back to myself" },
	[FAILURE_PRIVATE] = { ACTION_FAILED, { 5, 4, 4 },
	    "the mail hosts of ", " have only private addresses, which this server does not connect to" },
	[FAILURE_NO_HOST] = { ACTION_FAILED, { 5, 4, 4 },
	    "Host or domain name not found. Name service error for name=", " type=A: Host not found" },
	[FAILURE_NO_ADDRESS] = { ACTION_FAILED, { 5, 4, 4 }, "no mail host of ", " has an address" },
	[FAILURE_HOST_TROUBLE] = { ACTION_DELAYED, { 4, 4, 3 },
	    "Host or domain name not found. Name service error for name=", " type=A: Host not found, try again" },
	[FAILURE_OVERLOAD] = { ACTION_DELAYED, { 4, 4, 3 }, "too many DNS questions under way; ", " was not looked up" },
};

/* The end, in the next turn of the hooks: also an owner that has only just called route_start hears of it from the loop. */
static void
tell(void *arg)
{
	struct route *r = arg;

	r->done(r->arg);
}

static void
finish(struct route *r)
{
	loop_at_end(r->world.loop, &r->hook, tell, r);
}

/* A smart host that cannot be found is the administrator's mistake, and no reason to return mail. */
static void
fail(struct route *r, enum failure why)
{
	r->targets.count = 0;
	(void)snprintf(r->text, sizeof(r->text), "%s%s%s", failures[why].before, r->nexthop.name, failures[why].after);
	r->failure = (struct outcome){ .action = failures[why].action, .status = failures[why].status, .text = slice_str(r->text) };
	if (r->trusted) {
		r->failure.action = ACTION_DELAYED;
		r->failure.status.class = 4;
	}
	finish(r);
}

static bool
hosts_unanswered(const struct mx_hosts *hosts)
{
	for (uint16_t i = 0; i < hosts->count; i++)
		if (hosts->hosts[i].temporary)
			return true;
	return false;
}

static bool
hosts_cut(const struct mx_hosts *hosts)
{
	for (uint16_t i = 0; i < hosts->count; i++)
		if (hosts->hosts[i].more)
			return true;
	return false;
}

static enum failure
why_no_target(const struct route *r)
{
	if (hosts_unanswered(&r->hosts))
		return FAILURE_HOST_TROUBLE;
	if (r->targets.refused_private)
		return FAILURE_PRIVATE;
	return r->by_mx ? FAILURE_NO_ADDRESS : FAILURE_NO_HOST;
}

static void
choose(struct route *r)
{
	const struct target_rules rules = {
		.port = r->nexthop.port,
		.most = r->world.max_addresses,
		.private_ok = r->trusted || r->world.private_ok,
		.cut_at_own = !r->trusted,
		.health = r->world.health,
		.now = loop_now(r->world.loop),
		.is_own = r->world.is_own,
		.arg = r->world.arg,
	};
	bool ours = !targets_choose(&r->hosts, &rules, &r->targets);

	r->partial = r->targets.cut || hosts_cut(&r->hosts) || hosts_unanswered(&r->hosts);
	if (ours)
		fail(r, FAILURE_OURSELVES);
	else if (r->targets.count == 0)
		fail(r, why_no_target(r));
	else
		finish(r);
}

static void
add_addresses(struct mx_host *host, const struct dns_answer *answer)
{
	/* Records that are no addresses are somebody's trouble, not a "no". */
	if (answer->result == DNS_TEMPORARY || answer->unusable > 0)
		host->temporary = true;
	for (uint16_t i = 0; i < answer->count; i++) {
		const struct sockaddress *a = &answer->records[i].address;

		if (a->any.sa_family == AF_INET && host->v4_count < HOST_ADDRESSES)
			host->v4[host->v4_count++] = *a;
		else if (a->any.sa_family == AF_INET6 && host->v6_count < HOST_ADDRESSES)
			host->v6[host->v6_count++] = *a;
		else
			host->more = true;
	}
}

static void
on_address(void *arg, const struct dns_answer *answer)
{
	struct route_question *q = arg;
	struct route *r = q->route;

	add_addresses(&r->hosts.hosts[q->host], answer);
	if (--r->waiting == 0)
		choose(r);
}

static void
ask_address(struct route *r, uint16_t host, enum dns_type type)
{
	struct route_question *q = &r->questions[host * 2 + (type == DNS_A ? 1 : 0)];
	struct slice name = slice_str(r->hosts.hosts[host].name);

	q->route = r;
	q->host = host;
	if (resolver_ask(r->world.resolver, &q->question, name, type, on_address, q) == 0)
		r->waiting++;
	else
		r->hosts.hosts[host].temporary = true;
}

static void
ask_addresses(struct route *r)
{
	for (uint16_t i = 0; i < r->hosts.count; i++) {
		ask_address(r, i, DNS_AAAA);
		ask_address(r, i, DNS_A);
	}
	if (r->waiting == 0)
		choose(r);
}

static void
on_mx(void *arg, const struct dns_answer *answer)
{
	static const enum failure meaning[MX_VERDICT_COUNT] = {
		[MX_NULL] = FAILURE_NULL_MX, [MX_NO_NAME] = FAILURE_NO_DOMAIN, [MX_UNUSABLE] = FAILURE_UNUSABLE,
		[MX_OURSELVES] = FAILURE_OURSELVES, [MX_TEMPORARY] = FAILURE_MX_TROUBLE,
	};
	struct route *r = arg;
	enum mx_verdict verdict;

	verdict = mx_order(answer, slice_str(r->nexthop.name), slice_str(r->trusted ? "" : r->world.own_name), random_below, &r->hosts);
	r->by_mx = verdict == MX_HOSTS;
	if (verdict == MX_HOSTS || verdict == MX_IMPLICIT)
		ask_addresses(r);
	else
		fail(r, meaning[verdict]);
}

static void
one_host(struct route *r)
{
	struct mx_host *host = &r->hosts.hosts[0];

	r->hosts.count = 1;
	memcpy(host->name, r->nexthop.name, sizeof(host->name));
	if (r->nexthop.kind == NEXTHOP_HOST) {
		ask_addresses(r);
		return;
	}
	if (r->nexthop.address.any.sa_family == AF_INET)
		host->v4[host->v4_count++] = r->nexthop.address;
	else
		host->v6[host->v6_count++] = r->nexthop.address;
	choose(r);
}

void
route_start(struct route *r, const struct route_world *world, const struct nexthop *nexthop, bool trusted,
    void (*done)(void *), void *arg)
{
	memset(r, 0, sizeof(*r));
	r->world = *world;
	r->nexthop = *nexthop;
	(void)strlcpy(r->own_name, world->own_name, sizeof(r->own_name));
	r->world.own_name = r->own_name;
	r->trusted = trusted;
	r->done = done;
	r->arg = arg;
	if (nexthop->kind != NEXTHOP_DOMAIN)
		one_host(r);
	else if (resolver_ask(world->resolver, &r->mx, slice_str(r->nexthop.name), DNS_MX, on_mx, r) == -1)
		fail(r, FAILURE_OVERLOAD);
}

void
route_stop(struct route *r)
{
	resolver_cancel(&r->mx);
	for (size_t i = 0; i < MX_HOSTS_MAX * 2; i++)
		resolver_cancel(&r->questions[i].question);
	if (r->world.loop != NULL)
		loop_hook_cancel(r->world.loop, &r->hook);
}

const char *
route_host(const struct route *r, uint16_t target)
{
	return r->hosts.hosts[r->targets.v[target].host].name;
}

/* An address has no name. */
bool
route_names_host(const struct route *r)
{
	return r->nexthop.kind != NEXTHOP_ADDRESS && !r->by_mx;
}
