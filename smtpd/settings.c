/*
 * settings — copied out of the configuration once per reload.
 */
#include "smtpd/settings.h"

#include <sys/socket.h>

#include "base/mem.h"
#include "mail/extension.h"
#include "smtpd/identity.h"

/* Settings are checked against their rows' bounds long before; this only keeps a wild number from wrapping. */
static uint32_t
to_u32(int64_t value)
{
	return value < 0 ? 0 : value > UINT32_MAX ? UINT32_MAX : (uint32_t)value;
}

static void
copy_numbers(struct settings *s, const struct conf *conf)
{
	const struct conf_smtpd *c = &conf->smtpd;

	s->message_size = conf->message_size > 0 ? (uint64_t)conf->message_size : 0;
	s->recipients = to_u32(conf->message_recipients);
	s->command_timeout = c->command_timeout;
	s->data_timeout = c->data_timeout;
	s->transaction_timeout = c->transaction_timeout;
	s->greeting_delay = c->greeting_delay;
	s->max_sessions = to_u32(c->max_sessions);
	s->stress_timeout = c->stress_timeout;
	s->client = (struct client_rules){ .sessions = to_u32(c->client_sessions),
	    .bits_ipv4 = (uint8_t)c->client_prefix_ipv4, .bits_ipv6 = (uint8_t)c->client_prefix_ipv6 };
	s->client.minute[CHARGE_SESSION] = to_u32(c->client_rate);
	s->client.minute[CHARGE_MESSAGE] = to_u32(c->client_messages);
	s->client.minute[CHARGE_RECIPIENT] = to_u32(c->client_recipients);
	s->client.minute[CHARGE_ERROR] = to_u32(c->client_errors);
	s->max_errors = to_u32(c->max_errors);
	s->max_junk = to_u32(c->max_junk);
	s->max_hops = to_u32(c->max_hops);
	s->logins = conf->submission.users != NULL && conf->submission.users[0] != '\0';
	s->sender_rights = conf->submission.sender_rights;
	s->etrn = c->etrn_domains.count > 0;
	s->hide_client = conf->submission.hide_client;
	s->header_size = to_u32(c->header_size);
}

static void
settings_free(struct settings *s)
{
	for (uint32_t i = 0; i < s->served_count; i++) {
		mem_free(s->served[i].at.v);
		mem_free(s->served[i].proxy.v);
		tls_context_drop(&s->served[i].tls);
	}
	mem_free(s->served);
	mem_free(s->hostname);
	mem_free(s->networks);
	mem_free(s->exempt);
	mem_free(s->xclient.v);
	mem_free(s->xforward.v);
	for (uint32_t i = 0; i < s->withholding_count; i++)
		mem_free(s->withholdings[i].networks.v);
	mem_free(s->withholdings);
	mem_free(s->mx_ports);
	mem_free(s);
}

/* -1: no memory. */
static int
copy_ports(struct settings *s, const struct conf *conf)
{
	size_t count = 0;

	for (uint32_t i = 0; i < conf->listener_count; i++)
		count += conf->listeners[i].at.count;
	if ((s->mx_ports = mem_array(count + 1, sizeof(s->mx_ports[0]))) == NULL)
		return -1;
	for (uint32_t i = 0; i < conf->listener_count; i++)
		for (uint32_t k = 0; conf->listeners[i].role == LISTENER_MX && k < conf->listeners[i].at.count; k++)
			s->mx_ports[s->mx_port_count++] = sockaddress_port(&conf->listeners[i].at.v[k]);
	return 0;
}

/* -1: no memory. */
static int
copy_networks(struct network **to, uint32_t *count, const struct conf_networks *from)
{
	if (from->count == 0)
		return 0;
	*to = mem_dup(from->v, from->count * sizeof((*to)[0]));
	if (*to == NULL)
		return -1;
	*count = from->count;
	return 0;
}

static uint32_t
bits_of(const struct conf_strings *extensions)
{
	uint32_t bits = 0;

	for (uint32_t i = 0; i < extensions->count; i++)
		bits |= EXTENSION_BIT(extension_named(slice_str(extensions->v[i])));
	return bits;
}

static int
copy_withholdings(struct settings *s, const struct conf *conf)
{
	s->withholdings = mem_array(conf->clients_count + 1, sizeof(s->withholdings[0]));
	if (s->withholdings == NULL)
		return -1;
	for (uint32_t i = 0; i < conf->clients_count; i++) {
		struct withholding *w = &s->withholdings[s->withholding_count++];

		*w = (struct withholding){ .extensions = bits_of(&conf->clients[i].withhold) };
		if (copy_networks(&w->networks.v, &w->networks.count, &conf->clients[i].networks) == -1)
			return -1;
	}
	return 0;
}

static int
copy_listener(struct served *out, const struct conf *conf, const struct conf_listener *from, const struct files *files, struct err *err)
{
	out->role = from->role;
	out->implicit = from->implicit_tls;
	out->withheld = bits_of(&from->withhold);
	out->at.v = mem_dup(from->at.v, from->at.count * sizeof(from->at.v[0]));
	if (out->at.v == NULL)
		return err_set(err, "no memory for settings");
	out->at.count = from->at.count;
	if (copy_networks(&out->proxy.v, &out->proxy.count, &from->proxy) == -1)
		return err_set(err, "no memory for settings");
	if (from->tls.count == 0)
		return 0;
	out->tls = identity_context(conf, from, files, err);
	return out->tls == NULL ? -1 : 0;
}

static int
copy_listeners(struct settings *s, const struct conf *conf, const struct files *files, struct err *err)
{
	s->served = mem_array(conf->listener_count + 1, sizeof(s->served[0]));
	if (s->served == NULL)
		return err_set(err, "no memory for settings");
	for (uint32_t i = 0; i < conf->listener_count; i++) {
		s->served[s->served_count++] = (struct served){ 0 };
		if (copy_listener(&s->served[i], conf, &conf->listeners[i], files, err) == -1)
			return -1;
		s->has_own |= s->served[i].tls != NULL || s->served[i].proxy.count > 0 || s->served[i].withheld != 0;
	}
	return 0;
}

struct settings *
settings_new(const struct conf *conf, const struct files *files, struct err *err)
{
	struct settings *s = mem_zalloc(sizeof(*s));

	if (s == NULL) {
		(void)err_set(err, "no memory for settings");
		return NULL;
	}
	s->users = 1;
	if (copy_listeners(s, conf, files, err) == -1) {
		settings_free(s);
		return NULL;
	}
	copy_numbers(s, conf);
	s->hostname = slice_dup(slice_str(conf->hostname));
	if (s->hostname == NULL || copy_networks(&s->networks, &s->network_count, &conf->trusted_networks) == -1 ||
	    copy_networks(&s->exempt, &s->exempt_count, &conf->smtpd.client_exempt) == -1 ||
	    copy_networks(&s->xclient.v, &s->xclient.count, &conf->smtpd.xclient_networks) == -1 ||
	    copy_networks(&s->xforward.v, &s->xforward.count, &conf->smtpd.xforward_networks) == -1 ||
	    copy_withholdings(s, conf) == -1 || copy_ports(s, conf) == -1) {
		(void)err_set(err, "no memory for settings");
		settings_free(s);
		return NULL;
	}
	return s;
}

struct settings *
settings_use(struct settings *s)
{
	s->users++;
	return s;
}

void
settings_drop(struct settings **sp)
{
	struct settings *s = *sp;

	*sp = NULL;
	if (s != NULL && --s->users == 0)
		settings_free(s);
}

/* A listener on the address itself counts more than one on all addresses. */
const struct served *
settings_served(const struct settings *s, int fd)
{
	struct sockaddress local = { .len = sizeof(local.v6) };
	const struct served *found = NULL;

	if (!s->has_own || getsockname(fd, &local.any, &local.len) == -1)
		return NULL;
	sockaddress_unmap(&local);
	for (uint32_t i = 0; i < s->served_count; i++)
		for (uint32_t k = 0; k < s->served[i].at.count; k++) {
			const struct sockaddress *at = &s->served[i].at.v[k];

			if (sockaddress_port(at) != sockaddress_port(&local))
				continue;
			if (sockaddress_same_host(at, &local))
				return &s->served[i];
			if (sockaddress_is_any(at))
				found = &s->served[i];
		}
	return found;
}

static bool
any_holds(const struct network *networks, uint32_t count, const struct sockaddress *peer)
{
	for (uint32_t i = 0; i < count; i++)
		if (network_holds(&networks[i], peer))
			return true;
	return false;
}

bool
settings_proxied(const struct settings *s, int fd, const struct sockaddress *peer)
{
	const struct served *served = settings_served(s, fd);

	return served != NULL && any_holds(served->proxy.v, served->proxy.count, peer);
}

bool
settings_xclient(const struct settings *s, const struct sockaddress *peer)
{
	return any_holds(s->xclient.v, s->xclient.count, peer);
}

bool
settings_xforward(const struct settings *s, const struct sockaddress *peer)
{
	return any_holds(s->xforward.v, s->xforward.count, peer);
}

uint32_t
settings_withheld(const struct settings *s, const struct served *served, const struct sockaddress *peer)
{
	uint32_t bits = served != NULL ? served->withheld : 0;

	for (uint32_t i = 0; i < s->withholding_count; i++)
		if (any_holds(s->withholdings[i].networks.v, s->withholdings[i].networks.count, peer))
			bits |= s->withholdings[i].extensions;
	return bits;
}

bool
settings_trust(const struct settings *s, const struct sockaddress *peer)
{
	return any_holds(s->networks, s->network_count, peer);
}

bool
settings_exempt(const struct settings *s, const struct sockaddress *peer)
{
	return any_holds(s->exempt, s->exempt_count, peer);
}
