/* own — are we talking to ourselves? Called by main.c before the sandbox, then by nexthop/target.c through relay.c. */
#include "relay/own.h"

#include <ifaddrs.h>

static void
add_interface(struct own *own, const struct sockaddr *from)
{
	struct sockaddress *to = &own->interfaces[own->count];

	memset(to, 0, sizeof(*to));
	if (from->sa_family == AF_INET)
		to->len = sizeof(to->v4);
	else if (from->sa_family == AF_INET6)
		to->len = sizeof(to->v6);
	else
		return;
	memcpy(&to->any, from, to->len);
	own->count++;
}

void
own_find_interfaces(struct own *own)
{
	struct ifaddrs *list, *at;

	own->count = 0;
	if (getifaddrs(&list) == -1)
		return;
	for (at = list; at != NULL && own->count < OWN_INTERFACES_MAX; at = at->ifa_next) {
		if (at->ifa_addr != NULL)
			add_interface(own, at->ifa_addr);
	}
	freeifaddrs(list);
}

static bool
is_wildcard(const struct sockaddress *a)
{
	if (a->any.sa_family == AF_INET)
		return a->v4.sin_addr.s_addr == INADDR_ANY;
	return a->any.sa_family == AF_INET6 && IN6_IS_ADDR_UNSPECIFIED(&a->v6.sin6_addr);
}

/* The unspecified address reaches this machine, too. */
static bool
is_interface(const struct own *own, const struct sockaddress *a)
{
	if (is_wildcard(a))
		return true;
	for (uint32_t i = 0; i < own->count; i++) {
		if (sockaddress_same_host(&own->interfaces[i], a))
			return true;
	}
	return false;
}

static bool
listener_holds(const struct own *own, const struct conf_addresses *at, const struct sockaddress *a)
{
	for (uint32_t i = 0; i < at->count; i++) {
		if (sockaddress_port(&at->v[i]) != sockaddress_port(a))
			continue;
		if (is_wildcard(&at->v[i]) ? is_interface(own, a) : sockaddress_same_host(&at->v[i], a))
			return true;
	}
	return false;
}

bool
own_holds(const struct own *own, const struct sockaddress *a)
{
	for (uint32_t i = 0; i < own->conf->listener_count; i++) {
		if (listener_holds(own, &own->conf->listeners[i].at, a))
			return true;
	}
	return false;
}
