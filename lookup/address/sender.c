/*
 * sender — see sender.h.
 */
#include "lookup/address/sender.h"

#include "base/fmt.h"
#include "base/log.h"

static struct slice
without_detail(const struct resolver *r, struct slice local)
{
	const char *delimiter = r->conf->subaddress_delimiter;
	struct slice user, detail;

	address_split_detail(local, delimiter != NULL ? delimiter[0] : '\0', &user, &detail);
	return user;
}

static bool
is_login(const struct resolver *r, const struct address *address, struct slice name)
{
	return slice_caseeq(address->local, name) || slice_caseeq(without_detail(r, address->local), name);
}

static bool
same_users(const struct conf_domain *a, const struct conf_domain *b)
{
	return a->users == b->users && (a->users == USERS_SYSTEM || strcmp(a->users_file, b->users_file) == 0);
}

/* Whose login is it that names no domain? One of the accounts of this host, where a domain has those; else one of the only file of users.
 * NULL: there are several files, and in each may be somebody of that name. */
static const struct conf_domain *
plain_logins(const struct conf *conf)
{
	for (uint32_t i = 0; i < conf->domain_count; i++)
		if (conf->domains[i].users == USERS_SYSTEM)
			return &conf->domains[i];
	for (uint32_t i = 1; i < conf->domain_count; i++)
		if (!same_users(&conf->domains[0], &conf->domains[i]))
			return NULL;
	return conf->domain_count > 0 ? &conf->domains[0] : NULL;
}

/* A login without a domain, and an address in this one. */
static bool
is_home(const struct resolver *r, const struct conf_domain *domain)
{
	const struct conf_domain *home = plain_logins(r->conf);

	if (domain == NULL)
		return false;
	return home != NULL ? same_users(home, domain) : r->conf->domain_count == 0;
}

bool
sender_is_own(const struct resolver *r, struct slice login, struct slice text, struct arena *arena)
{
	struct address address, whole;
	const char *why;

	if (resolve_address(text, false, arena, &address, &why) != PARSED_ADDRESS)
		return false;
	if (memchr(login.p, '@', login.len) == NULL)
		return is_home(r, domains_find(r->domains, address.domain)) && is_login(r, &address, login);
	return resolve_address(login, false, arena, &whole, &why) == PARSED_ADDRESS && slice_caseeq(whole.domain, address.domain) &&
	    is_login(r, &address, whole.local);
}

/* The line for this local part in the domain; local empty: for the domain. */
static struct slice
line_of(const struct sender_file *file, struct slice local, struct slice domain)
{
	char text[ADDRESS_MAX];
	struct buf key = { .mem = text, .cap = sizeof(text), .max = sizeof(text) };
	struct address address = { local, domain };

	if (local.len > 0) {
		address_print(&address, &key);
	} else {
		(void)buf_putc(&key, '@');
		(void)buf_put_slice(&key, domain);
	}
	return key.failed ? slice_of(NULL, 0) : sender_file_find(file, buf_slice(&key));
}

static bool
file_allows(const struct resolver *r, const struct sender_file *file, struct slice login, const struct address *address)
{
	struct slice logins = line_of(file, address->local, address->domain);

	if (logins.p == NULL)
		logins = line_of(file, without_detail(r, address->local), address->domain);
	if (logins.p == NULL)
		logins = line_of(file, slice_of("", 0), address->domain);
	return logins.p != NULL && sender_file_names(logins, login);
}

enum sender_verdict
sender_judge(const struct resolver *r, struct sender_file *file, struct slice login, struct slice text, struct arena *arena)
{
	char words[sizeof(((struct err *)0)->text)];
	struct address address;
	enum parsed parsed;
	const char *why;
	struct err err;

	if (sender_is_own(r, login, text, arena))
		return SENDER_OWN;
	if (file != NULL && sender_file_refresh(file, &err) == -1) {
		log_warn("who may write as <%.*s>: %s", SLICE_FMT(text),
		    fmt_escaped(words, sizeof(words), slice_str(err.text)));
		return SENDER_TRY_LATER;
	}
	parsed = resolve_address(text, false, arena, &address, &why);
	if (parsed == PARSED_TROUBLE)
		return SENDER_TRY_LATER;
	return parsed == PARSED_ADDRESS && file != NULL && file_allows(r, file, login, &address) ? SENDER_OWN : SENDER_FOREIGN;
}
