/*
 * sender — see sender.h.
 */
#include "lookup/address/sender.h"

#include "base/fmt.h"
#include "base/log.h"

/* --- one's own ---------------------------------------------------------------------------------- */

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

/* The name that the login is in the domain of the address; p NULL: it is nobody there. */
static struct slice
name_in(const struct resolver *r, struct slice login, const struct address *address, struct arena *arena)
{
	struct address whole;
	const char *why;

	if (memchr(login.p, '@', login.len) == NULL)
		return is_home(r, domains_find(r->domains, address->domain)) ? login : slice_of(NULL, 0);
	if (resolve_address(login, false, arena, &whole, &why) != PARSED_ADDRESS || !slice_caseeq(whole.domain, address->domain))
		return slice_of(NULL, 0);
	return whole.local;
}

bool
sender_is_own(const struct resolver *r, struct slice login, struct slice text, struct arena *arena)
{
	struct address address;
	const char *why;
	struct slice name;

	if (resolve_address(text, false, arena, &address, &why) != PARSED_ADDRESS)
		return false;
	name = name_in(r, login, &address, arena);
	return name.p != NULL && slice_eq(name, address.local);
}

static struct slice
without_detail(const struct resolver *r, struct slice local)
{
	const char *delimiter = r->conf->subaddress_delimiter;
	struct slice user, detail;

	address_split_detail(local, delimiter != NULL ? delimiter[0] : '\0', &user, &detail);
	return user;
}

/* Written otherwise than the login: own when it is the same mailbox for delivery, or none at all. Somebody else may be called
 * "ann+boss", or "Ann". */
static enum sender_verdict
is_nearly_own(const struct resolver *r, struct slice login, const struct address *address, struct arena *arena)
{
	const struct conf_domain *domain = domains_find(r->domains, address->domain);
	struct slice name = name_in(r, login, address, arena);
	struct account account, own;
	struct err err = { 0, "" };

	if (name.p == NULL || (!slice_caseeq(address->local, name) && !slice_caseeq(without_detail(r, address->local), name)))
		return SENDER_FOREIGN;
	if (domain == NULL)
		return SENDER_OWN;
	switch (resolve_account(r, domain, address->local, arena, &account, &err)) {
	case ACCOUNT_UNKNOWN:
		return SENDER_OWN;
	case ACCOUNT_FOUND:
		break;
	default:
		return SENDER_TRY_LATER;
	}
	if (slice_eq(account.name, name))
		return SENDER_OWN;
	switch (resolve_account(r, domain, name, arena, &own, &err)) {
	case ACCOUNT_FOUND:
		return slice_eq(account.name, own.name) ? SENDER_OWN : SENDER_FOREIGN;
	case ACCOUNT_UNKNOWN:
		return SENDER_FOREIGN;
	default:
		return SENDER_TRY_LATER;
	}
}

/* --- the file ----------------------------------------------------------------------------------- */

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

/* -1: it cannot be read, and the log says why. */
static int
refresh(struct sender_file *file, struct slice address)
{
	char words[sizeof(((struct err *)0)->text)];
	struct err err;

	if (file == NULL || sender_file_refresh(file, &err) != -1)
		return 0;
	log_warn("who may write as <%.*s>: %s", SLICE_FMT(address), fmt_escaped(words, sizeof(words), slice_str(err.text)));
	return -1;
}

enum sender_verdict
sender_judge(const struct resolver *r, struct sender_file *file, struct slice login, struct slice text, struct arena *arena)
{
	enum sender_verdict verdict;
	struct address address;
	enum parsed parsed;
	const char *why;

	if (sender_is_own(r, login, text, arena))
		return SENDER_OWN;
	parsed = resolve_address(text, false, arena, &address, &why);
	if (parsed != PARSED_ADDRESS)
		return parsed == PARSED_TROUBLE ? SENDER_TRY_LATER : SENDER_FOREIGN;
	verdict = is_nearly_own(r, login, &address, arena);
	if (verdict != SENDER_FOREIGN)
		return verdict;
	if (refresh(file, text) == -1)
		return SENDER_TRY_LATER;
	return file != NULL && file_allows(r, file, login, &address) ? SENDER_OWN : SENDER_FOREIGN;
}
