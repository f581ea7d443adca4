/*
 * grant — ports for relay and smtpd, folders for queue, lookup and pam.
 */
#include "proc/grant.h"

#include "base/num.h"

#define DNS_PORT	53

static void
add_port(struct sandbox_grant *g, uint16_t port)
{
	for (size_t i = 0; i < SANDBOX_PORTS; i++) {
		if (g->connect[i] == port)
			return;
		if (g->connect[i] == 0) {
			g->connect[i] = port;
			return;
		}
	}
}

uint16_t
grant_port(const char *host, uint16_t fallback)
{
	const char *colon = strrchr(host, ':');
	uint64_t port;

	/* "2001:db8::1" without brackets is an address, not a name and a port. */
	if (colon == NULL || (host[0] == '[' ? colon[-1] != ']' : memchr(host, ':', (size_t)(colon - host)) != NULL))
		return fallback;
	return num_parse(slice_str(colon + 1), UINT16_MAX, &port) == 0 && port != 0 ? (uint16_t)port : fallback;
}

static void
dns_ports(struct sandbox_grant *g, const struct conf *conf)
{
	add_port(g, DNS_PORT);
	for (uint32_t i = 0; i < conf->dns.servers.count; i++)
		add_port(g, sockaddress_port(&conf->dns.servers.v[i]));
}

static void
relay_ports(struct sandbox_grant *g, const struct conf *conf)
{
	uint16_t mx = (uint16_t)conf->relay.mx_port;

	add_port(g, mx);
	if (conf->relay.smart_host != NULL && conf->relay.smart_host[0] != '\0')
		add_port(g, grant_port(conf->relay.smart_host, mx));
}

/*
 * Where modules, their configuration, the accounts and the sockets of directory servers are. Not /: a root without capabilities is
 * still the owner of the disks in /dev, and so could read all mail. A module finds the port of its server in a file of its own.
 */
static void
pam_paths(struct sandbox_grant *g, const struct conf *conf)
{
	static const char *const paths[] = { "/etc", "/usr", "/lib", "/lib64", "/var", "/run", "/opt" };
	const char *service = conf_pam_service(conf);

	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
		g->read[i] = paths[i];
	g->read_beside = service != NULL && service[0] == '/' ? service : NULL;
	g->connect_any = true;
}

void
grant_of(enum sandbox kind, const struct conf *conf, struct sandbox_grant *out)
{
	*out = (struct sandbox_grant){ 0 };
	switch (kind) {
	case SANDBOX_SESSION:
		dns_ports(out, conf);
		break;
	case SANDBOX_NETWORK:
		relay_ports(out, conf);
		dns_ports(out, conf);
		break;
	case SANDBOX_STORE:
		out->write[0] = conf->queue.directory;
		break;
	case SANDBOX_LOOKUP:
		/* Users and tables may lie anywhere that its uid can read, and NSS modules read what they like. */
		out->read[0] = "/";
		break;
	case SANDBOX_PAM:
		pam_paths(out, conf);
		break;
	default:
		break;
	}
}
