/*
 * resolve — a short ladder: syntax, postmaster, whose domain, which user.
 */
#include "lookup/address/resolve.h"

#include "base/fmt.h"
#include "base/log.h"
#include "base/utf8.h"
#include "mail/idna.h"

enum parsed
resolve_address(struct slice text, bool bare_ok, struct arena *arena, struct address *out, const char **why)
{
	char ascii[DOMAIN_MAX + 1];

	if (address_parse(text, bare_ok, arena, out, why) == -1)
		return *why == address_no_memory ? PARSED_TROUBLE : PARSED_BAD;
	if (slice_is_ascii(out->domain))
		return PARSED_ADDRESS;
	if (domain_to_ascii(out->domain, ascii) == -1)
		return PARSED_TROUBLE;
	out->domain = arena_slice(arena, slice_str(ascii));
	return out->domain.p == NULL ? PARSED_TROUBLE : PARSED_ADDRESS;
}

static void
route_set(struct route *out, enum route_verdict verdict, struct status status, const char *text)
{
	*out = (struct route){ .verdict = verdict, .status = status, .text = slice_str(text) };
}

static void
route_to(struct route *out, enum route_verdict verdict, enum transport transport, struct slice nexthop)
{
	if (nexthop.p == NULL || nexthop.len == 0 || nexthop.len > NEXTHOP_MAX) {
		route_set(out, ROUTE_TRY_LATER, STATUS(4, 3, 0), "no memory, or a next hop that is too long");
		return;
	}
	*out = (struct route){ .verdict = verdict, .transport = transport, .nexthop = nexthop };
}

/* The canonical form; p is NULL without memory. */
static struct slice
address_text(struct slice local, struct slice domain, struct arena *arena)
{
	struct address address = { local, domain };
	struct slice text = { NULL, 0 };
	struct buf buf;

	buf_init(&buf, ADDRESS_MAX * 2 + 8);	/* quoting can double a local-part */
	address_print(&address, &buf);
	if (!buf.failed)
		text = arena_slice(arena, buf_slice(&buf));
	buf_fini(&buf);
	return text;
}

/*
 * The mailbox that the configuration names for postmaster: "user" of this host, or "user@domain".
 * Without one it is postmaster of this host: `queue` holds such mail and says so.
 */
static struct slice
postmaster_mailbox(const struct resolver *r, struct arena *arena)
{
	const char *mailbox = r->conf->postmaster;
	struct slice host = slice_str(r->conf->hostname);
	struct address address;
	const char *why;

	if (mailbox == NULL || mailbox[0] == '\0' ||
	    address_parse(slice_str(mailbox), true, arena, &address, &why) == -1)
		return address_text(SLICE_LIT("postmaster"), host, arena);
	return address_text(address.local, address.domain.len == 0 ? host : address.domain, arena);
}

/* <postmaster>, or postmaster of a domain of ours. */
static bool
is_our_postmaster(const struct resolver *r, const struct address *address)
{
	return address_is_postmaster(address) &&
	    (address->domain.len == 0 || domains_find(r->domains, address->domain) != NULL);
}

static struct slice
remote_nexthop(const struct resolver *r, struct slice domain)
{
	const char *smart_host = r->conf->relay.smart_host;

	return smart_host != NULL && smart_host[0] != '\0' ? slice_str(smart_host) : domain;
}

/* Does what can be done without users; the parsed address is for the step behind it. */
static enum route_verdict
resolve_first(const struct resolver *r, struct slice text, struct arena *arena, struct address *address, struct route *out)
{
	const char *why = "";
	enum parsed parsed = resolve_address(text, true, arena, address, &why);

	*out = (struct route){ 0 };
	if (parsed == PARSED_BAD)
		route_set(out, ROUTE_INVALID, STATUS(5, 1, 3), why);
	else if (parsed != PARSED_ADDRESS)
		route_set(out, ROUTE_TRY_LATER, STATUS(4, 3, 0), "no memory for the name of the domain");
	else if (is_our_postmaster(r, address))
		route_to(out, ROUTE_LOCAL, TRANSPORT_LOCAL, postmaster_mailbox(r, arena));
	else if (address->domain.len == 0)
		route_set(out, ROUTE_INVALID, STATUS(5, 1, 3), "an address without a domain");
	else if (domains_find(r->domains, address->domain) == NULL)
		route_to(out, ROUTE_REMOTE, TRANSPORT_RELAY, remote_nexthop(r, address->domain));
	return out->verdict;
}

enum route_verdict
resolve_known(const struct resolver *r, struct slice text, struct arena *arena, struct route *out)
{
	struct address address;

	return resolve_first(r, text, arena, &address, out);
}

/* The name as it is written, then in lower case: clients capitalise, account names are small. */
static enum account_result
ask_name(const struct resolver *r, const struct conf_domain *domain, struct slice name, struct arena *arena,
    struct account *out, struct err *err)
{
	char lower[LOCAL_PART_MAX];
	enum account_result result = r->users.find(r->users.arg, domain, name, arena, out, err);
	bool same = true;

	if (result != ACCOUNT_UNKNOWN || name.len > sizeof(lower))
		return result;
	for (size_t i = 0; i < name.len; i++) {
		lower[i] = ascii_lower(name.p[i]);
		same = same && lower[i] == name.p[i];
	}
	return same ? result : r->users.find(r->users.arg, domain, slice_of(lower, name.len), arena, out, err);
}

/* A delimiter may be part of a name. */
enum account_result
resolve_account(const struct resolver *r, const struct conf_domain *domain, struct slice local, struct arena *arena,
    struct account *out, struct err *err)
{
	const char *delimiter = r->conf->subaddress_delimiter;
	enum account_result result = ask_name(r, domain, local, arena, out, err);
	struct slice user, detail;

	if (result != ACCOUNT_UNKNOWN || delimiter == NULL || delimiter[0] == '\0')
		return result;
	address_split_detail(local, delimiter[0], &user, &detail);
	return detail.p == NULL ? result : ask_name(r, domain, user, arena, out, err);
}

/*
 * An account below the first uid belongs to the system and takes no mail, root's least of all; that
 * there is such an account is nobody's business.
 */
static enum account_result
ask_mailbox(const struct resolver *r, const struct conf_domain *domain, struct slice local, struct arena *arena,
    struct account *out, struct err *err)
{
	enum account_result result = resolve_account(r, domain, local, arena, out, err);

	if (result == ACCOUNT_FOUND && (out->uid == 0 || (int64_t)out->uid < r->conf->mda.first_uid))
		return ACCOUNT_UNKNOWN;
	return result;
}

static void
say_trouble(struct slice address, const struct err *err)
{
	char name[ADDRESS_MAX], words[sizeof(err->text)];

	log_warn("looking up <%s>: %s", fmt_escaped(name, sizeof(name), address),
	    fmt_escaped(words, sizeof(words), slice_str(err->text)));
}

void
resolve_route(const struct resolver *r, struct slice text, struct arena *arena, struct route *out)
{
	const struct conf_domain *domain;
	struct address address;
	struct account account;
	struct err err = { 0 };

	if (resolve_first(r, text, arena, &address, out) != ROUTE_NONE)
		return;
	domain = domains_find(r->domains, address.domain);
	switch (ask_mailbox(r, domain, address.local, arena, &account, &err)) {
	case ACCOUNT_FOUND:
		route_to(out, ROUTE_LOCAL, TRANSPORT_LOCAL, address_text(account.name, slice_str(domain->name), arena));
		return;
	case ACCOUNT_UNKNOWN:
		route_set(out, ROUTE_UNKNOWN, STATUS(5, 1, 1), "no such user here");
		return;
	default:
		say_trouble(text, &err);
		route_set(out, ROUTE_TRY_LATER, STATUS(4, 3, 0), "the user cannot be looked up at the moment");
	}
}

static void
mailbox_refuse(struct mailbox_answer *out, enum route_verdict verdict, struct status status, const char *text)
{
	uint64_t serial = out->serial;

	*out = (struct mailbox_answer){ .serial = serial, .verdict = verdict, .status = status, .text = slice_str(text) };
}

/* Nothing that a name brings may climb out of the place that the template means. */
static bool
is_path_part(struct slice s)
{
	if (s.len == 0 || memchr(s.p, '/', s.len) != NULL || memchr(s.p, '\0', s.len) != NULL)
		return false;
	return !slice_eq(s, SLICE_LIT(".")) && !slice_eq(s, SLICE_LIT(".."));
}

/* %u and %d of the template; -1: a part that must not be in a path, or an unknown %. */
static int
expand_template(const char *template, struct slice user, struct slice domain, struct buf *out)
{
	for (const char *p = template; *p != '\0'; p++) {
		if (*p != '%') {
			(void)buf_putc(out, *p);
			continue;
		}
		p++;
		if (*p == '%')
			(void)buf_putc(out, '%');
		else if (*p == 'u' && is_path_part(user))
			(void)buf_put_slice(out, user);
		else if (*p == 'd' && is_path_part(domain))
			(void)buf_put_slice(out, domain);
		else
			return -1;
	}
	return 0;
}

static struct slice
maildir_path(const struct conf_domain *domain, const struct account *account, struct arena *arena)
{
	const char *template = domain->maildir != NULL && domain->maildir[0] != '\0' ? domain->maildir : "Maildir";
	struct slice path = { NULL, 0 };
	struct buf buf;

	buf_init(&buf, PATH_TEXT_MAX);
	if (template[0] != '/') {
		(void)buf_put_slice(&buf, account->home);
		(void)buf_putc(&buf, '/');
	}
	if (expand_template(template, account->name, slice_str(domain->name), &buf) == 0 && !buf.failed)
		path = arena_slice(arena, buf_slice(&buf));
	buf_fini(&buf);
	return path;
}

static void
mailbox_fill(const struct conf_domain *domain, const struct account *account, struct arena *arena,
    struct mailbox_answer *out)
{
	struct slice path;

	if (account->home.len == 0 || account->home.p[0] != '/' || account->home.len > PATH_TEXT_MAX ||
	    account->name.len > USER_NAME_MAX) {
		mailbox_refuse(out, ROUTE_TRY_LATER, STATUS(4, 3, 5), "the account has no home directory");
		return;
	}
	if ((path = maildir_path(domain, account, arena)).p == NULL) {
		mailbox_refuse(out, ROUTE_TRY_LATER, STATUS(4, 3, 5), "the path of the Maildir cannot be made of this name");
		return;
	}
	*out = (struct mailbox_answer){
		.serial = out->serial, .verdict = ROUTE_LOCAL, .uid = account->uid, .gid = account->gid,
		/* A virtual user has no groups but its own. */
		.user = domain->users == USERS_SYSTEM ? account->name : SLICE_LIT(""),
		.home = account->home, .maildir = path,
	};
}

/* Mail for postmaster waits until its mailbox is put right; all other mail for nobody goes back. */
static void
mailbox_missing(const struct resolver *r, struct slice address, struct arena *arena, struct mailbox_answer *out)
{
	if (slice_caseeq(address, postmaster_mailbox(r, arena)))
		mailbox_refuse(out, ROUTE_TRY_LATER, STATUS(4, 3, 5), "postmaster has no mailbox: see the setting postmaster");
	else
		mailbox_refuse(out, ROUTE_UNKNOWN, STATUS(5, 1, 1), "no such user here");
}

void
resolve_mailbox(const struct resolver *r, struct slice text, struct arena *arena, struct mailbox_answer *out)
{
	const struct conf_domain *domain = NULL;
	struct address address;
	struct account account;
	struct err err = { 0 };
	const char *why;
	enum parsed parsed = resolve_address(text, false, arena, &address, &why);

	if (parsed == PARSED_ADDRESS)
		domain = domains_find(r->domains, address.domain);
	if (parsed == PARSED_TROUBLE) {
		mailbox_refuse(out, ROUTE_TRY_LATER, STATUS(4, 3, 0), "no memory for the name of the domain");
		return;
	}
	if (domain == NULL) {
		mailbox_missing(r, text, arena, out);
		return;
	}
	switch (ask_mailbox(r, domain, address.local, arena, &account, &err)) {
	case ACCOUNT_FOUND:
		mailbox_fill(domain, &account, arena, out);
		return;
	case ACCOUNT_UNKNOWN:
		mailbox_missing(r, text, arena, out);
		return;
	default:
		say_trouble(text, &err);
		mailbox_refuse(out, ROUTE_TRY_LATER, STATUS(4, 3, 0), "the user cannot be looked up at the moment");
	}
}
