/*
 * resolver_system — the servers that the machine's administrator wrote into /etc/resolv.conf, as c-ares reads it. Its own file
 * because it is the one part of DNS that opens files: called before the sandbox, never inside.
 */
#define CARES_NO_DEPRECATED	/* the calls that both releases have are deprecated in the newer one */
#include <ares.h>

#include "net/resolver.h"

static uint32_t
copy_servers(const struct ares_addr_port_node *node, struct sockaddress *out, uint32_t room)
{
	uint32_t count = 0;

	for (; node != NULL && count < room; node = node->next) {
		struct sockaddress *to = &out[count++];

		memset(to, 0, sizeof(*to));
		if (node->family == AF_INET) {
			to->v4.sin_family = AF_INET;
			to->v4.sin_addr = node->addr.addr4;
			to->len = sizeof(to->v4);
		} else {
			to->v6.sin6_family = AF_INET6;
			memcpy(&to->v6.sin6_addr, &node->addr.addr6, sizeof(to->v6.sin6_addr));
			to->len = sizeof(to->v6);
		}
		sockaddress_set_port(to, node->udp_port > 0 ? (uint16_t)node->udp_port : 53);
	}
	return count;
}

int
resolver_system_servers(struct sockaddress *out, uint32_t room, struct err *err)
{
	struct ares_addr_port_node *nodes = NULL;
	ares_channel ares;
	int status = ares_init(&ares);
	uint32_t count = 0;

	if (status != ARES_SUCCESS)
		return err_set(err, "DNS cannot be set up: %s", ares_strerror(status));
	status = ares_get_servers_ports(ares, &nodes);
	if (status == ARES_SUCCESS) {
		count = copy_servers(nodes, out, room);
		ares_free_data(nodes);
	}
	ares_destroy(ares);
	if (count == 0)
		return err_set(err, "the system names no DNS server");
	return (int)count;
}
