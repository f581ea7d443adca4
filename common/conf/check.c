/*
 * check — one small function per question, listed in a table; none depends on another's answer.
 */
#include "conf/check.h"

#include <stdio.h>
#include <string.h>

#include "base/fmt.h"
#include "mail/address.h"
#include "mail/extension.h"

struct checker {
	const struct conf	*conf;
	const struct source	*source;
	struct conf_report	*report;
};

/* Tells a mistake at the setting's place. The sentence says what is wrong and what would be
 * right. */
static void
mistake(const struct checker *ck, const char *section, uint32_t item, const char *setting,
    const char *sentence)
{
	const struct section *s = section_find(section);
	struct place place = source_place(ck->source, s, item, setting);

	if (source_wrong(ck->source, s, item, setting))
		return;
	conf_report_add(ck->report, place.file, place.line, setting != NULL ? setting : section,
	    "%s", sentence);
}

/* The same about a text: "text": sentence. */
static void
mistake_text(const struct checker *ck, const char *section, uint32_t item, const char *setting,
    const char *text, const char *sentence)
{
	char escaped[400], line[800];

	snprintf(line, sizeof(line), "\"%s\" %s",
	    fmt_escaped(escaped, sizeof(escaped), slice_str(text)), sentence);
	mistake(ck, section, item, setting, line);
}

static bool
all_digits(struct slice s)
{
	for (size_t i = 0; i < s.len; i++) {
		if (s.p[i] < '0' || s.p[i] > '9')
			return false;
	}
	return s.len > 0;
}

/* A name with a dot whose last label is no number (RFC 3696 2): not an address, not a bare
 * nickname. */
static bool
is_full_name(struct slice name)
{
	const char *dot = memrchr(name.p, '.', name.len);

	if (!domain_valid(name) || dot == NULL)
		return false;
	return !all_digits(slice_of(dot + 1, (size_t)(name.p + name.len - dot - 1)));
}

static void
check_hostname(const struct checker *ck)
{
	const char *name = ck->conf->hostname;

	if (name[0] == '\0')
		mistake(ck, "", 0, "hostname",
		    "is not set, hostname = \"mx1.example.org\" would be right");
	else if (!is_full_name(slice_str(name)))
		mistake_text(ck, "", 0, "hostname", name,
		    "is no full host name: one such as mx1.example.org would be right");
}

static bool
is_local_domain(const struct conf *conf, struct slice name)
{
	for (uint32_t i = 0; i < conf->domain_count; i++) {
		if (slice_caseeq(name, slice_str(conf->domains[i].name)))
			return true;
	}
	return false;
}

static void
check_postmaster(const struct checker *ck)
{
	const char *text = ck->conf->postmaster, *why = NULL;
	struct address address;
	struct arena arena;

	if (text[0] == '\0')
		return;
	arena_init(&arena, 4096);
	if (address_parse(slice_str(text), false, &arena, &address, &why) == -1)
		mistake_text(
		    ck, "", 0, "postmaster", text, "is no address: user@domain would be right");
	else if (!address_is_ascii(&address))
		mistake_text(ck, "", 0, "postmaster", text, "is not ASCII: an address that every server takes would be right");
	else if (!is_local_domain(ck->conf, address.domain))
		mistake_text(ck, "", 0, "postmaster", text,
		    "is not in a domain of this server: an address of one that has a domain "
		    "section would be right");
	arena_fini(&arena);
}

static void
check_delimiter(const struct checker *ck)
{
	const char *text = ck->conf->subaddress_delimiter;

	if (text[0] != '\0' && strchr("+-=_#%&!~^", text[0]) == NULL)
		mistake_text(ck, "", 0, "subaddress-delimiter", text,
		    "cannot part an address: \"+\" or \"-\" would be right");
}

static void
check_absolute(const struct checker *ck, const char *section, const char *setting, const char *path)
{
	if (path[0] != '/')
		mistake_text(ck, section, 0, setting, path,
		    "is no absolute path: one that begins with / would be right");
}

static void
check_directories(const struct checker *ck)
{
	check_absolute(ck, "", "run-directory", ck->conf->run_directory);
	check_absolute(ck, "queue", "directory", ck->conf->queue.directory);
}

static void
check_one_ladder(const struct checker *ck, const char *setting, const struct conf_durations *ladder)
{
	if (ladder->count == 0)
		mistake(ck, "queue", 0, setting,
		    "is empty, at least one wait would be right, such as { 5m, 20m, 1h }");
	for (uint32_t i = 1; i < ladder->count; i++) {
		if (ladder->v[i] < ladder->v[i - 1]) {
			mistake(ck, "queue", 0, setting,
			    "a later wait is shorter than one before it, rising waits such as "
			    "{ 5m, 20m, 1h } would be right");
			return;
		}
	}
}

static void
check_queue(const struct checker *ck)
{
	const struct conf_queue *queue = &ck->conf->queue;

	check_one_ladder(ck, "retry", &queue->retry);
	check_one_ladder(ck, "retry-unknown", &queue->retry_unknown);
	if (queue->segment_size % 4096 != 0)
		mistake(ck, "queue", 0, "segment-size",
		    "is no multiple of 4 KiB, such as 16MiB, which would be right");
	if (queue->bounce_expire > queue->expire)
		mistake(ck, "queue", 0, "bounce-expire",
		    "is longer than expire, at most that would be right");
	if (queue->delay_warning >= queue->expire)
		mistake(ck, "queue", 0, "delay-warning",
		    "is not before expire, a shorter time or 0 would be right");
}

/* "[host]" or "[address]", each with or without ":port"; "domain" or "domain:port" by its MX. */
static bool
smart_host_valid(struct slice text)
{
	const char *colon =
	    text.p[0] == '[' ? memchr(text.p, ']', text.len) : memchr(text.p, ':', text.len);
	struct slice host = text, port;
	struct sockaddress address;

	if (text.p[0] == '[') {
		if (colon == NULL)
			return false;
		host = slice_of(text.p + 1, (size_t)(colon - text.p) - 1);
		colon = colon + 1 == text.p + text.len ? NULL : colon + 1;
	} else if (colon != NULL) {
		host.len = (size_t)(colon - text.p);
	}
	if (colon != NULL) {
		char literal[32];

		port = slice_of(colon, (size_t)(text.p + text.len - colon));
		snprintf(literal, sizeof(literal), "127.0.0.1%.*s",
		    (int)(port.len < 8 ? port.len : 8), port.p);
		if (sockaddress_parse_port(slice_str(literal), 0, &address) == -1)
			return false;
	}
	return domain_valid(host) ||
	    (text.p[0] == '[' && sockaddress_parse(host, 25, &address) == 0);
}

static void
check_source(const struct checker *ck, const char *setting, const char *text, sa_family_t family)
{
	struct sockaddress address;

	if (text[0] == '\0')
		return;
	if (sockaddress_parse(slice_str(text), 0, &address) == -1 ||
	    address.any.sa_family != family)
		mistake_text(ck, "relay", 0, setting, text, family == AF_INET ?
		    "is no IPv4 address: one such as 192.0.2.25 would be right" :
		    "is no IPv6 address: one such as 2001:db8::25 would be right");
}

static void
check_relay(const struct checker *ck)
{
	const struct conf_relay *relay = &ck->conf->relay;

	if (relay->smart_host[0] != '\0' && !smart_host_valid(slice_str(relay->smart_host)))
		mistake_text(ck, "relay", 0, "smart-host", relay->smart_host,
		    "names no host: \"relay.example.org\", \"[relay.example.org]:587\" or "
		    "\"[192.0.2.1]:25\" would be right");
	check_source(ck, "source-ipv4", relay->source_ipv4, AF_INET);
	check_source(ck, "source-ipv6", relay->source_ipv6, AF_INET6);
	if (relay->tls_authorities[0] != '\0')
		check_absolute(ck, "relay", "tls-authorities", relay->tls_authorities);
}

static void
check_log(const struct checker *ck)
{
	const struct conf_log *log = &ck->conf->log;

	if (strcmp(log->target, "syslog") != 0 && strcmp(log->target, "stderr") != 0 &&
	    !slice_starts(slice_str(log->target), SLICE_LIT("file:/")))
		mistake_text(ck, "log", 0, "target", log->target,
		    "is no target: \"syslog\", \"stderr\" or \"file:/path\" would be right");
	if (log->name[strspn(log->name,
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./")] != '\0')
		mistake_text(ck, "log", 0, "name", log->name,
		    "has characters that log readers stumble over: letters, digits and -_./ would "
		    "be right");
}

/* Would the kernel refuse to bind both? */
static bool
collide(const struct sockaddress *a, const struct sockaddress *b)
{
	if (a->any.sa_family != b->any.sa_family || sockaddress_port(a) != sockaddress_port(b))
		return false;
	return sockaddress_is_any(a) || sockaddress_is_any(b) || sockaddress_same_host(a, b);
}

/* The address number n of all listeners together. */
static const struct sockaddress *
listener_address(const struct conf *conf, uint32_t n, uint32_t *item)
{
	for (*item = 0; *item < conf->listener_count; (*item)++) {
		const struct conf_listener *listener = &conf->listeners[*item];

		if (n < listener->at.count)
			return &listener->at.v[n];
		n -= listener->at.count;
	}
	return NULL;
}

/* An address or port that was refused is not the one we would compare. */
static bool
listener_unknown(const struct checker *ck, uint32_t item)
{
	const struct section *section = section_find("listener");

	return source_wrong(ck->source, section, item, "address") ||
	    source_wrong(ck->source, section, item, "port");
}

static void
check_listener_pair(
    const struct checker *ck, uint32_t n, const struct sockaddress *address, uint32_t item)
{
	const struct sockaddress *earlier;
	char text[SOCKADDRESS_TEXT];
	uint32_t other;

	for (uint32_t i = 0; i < n; i++) {
		earlier = listener_address(ck->conf, i, &other);
		if (!collide(address, earlier) || listener_unknown(ck, item) ||
		    listener_unknown(ck, other))
			continue;
		mistake_text(ck, "listener", item, "address", sockaddress_print_port(address, text),
		    "is taken by another listener already: another address or port would be right");
		return;
	}
}

static void
check_listeners(const struct checker *ck)
{
	const struct sockaddress *address;
	uint32_t item;

	for (uint32_t i = 0; i < ck->conf->listener_count; i++) {
		if (ck->conf->listeners[i].at.count == 0)
			mistake(ck, "listener", i, "address",
			    "is empty, at least one address would be right");
	}
	/* The rows' maxima (64 listeners of 256 addresses) keep this square small enough for a
	 * start-up; 600 are plenty. */
	for (uint32_t n = 0; n < 600 && (address = listener_address(ck->conf, n, &item)) != NULL;
	     n++)
		check_listener_pair(ck, n, address, item);
}

static bool
all_absolute(const struct conf_strings *paths)
{
	for (uint32_t i = 0; i < paths->count; i++)
		if (paths->v[i][0] != '/')
			return false;
	return true;
}

static void
check_one_tls(const struct checker *ck, uint32_t item)
{
	const struct conf_tls *tls = &ck->conf->tls[item];

	if (tls->certificate.count == 0 || tls->certificate.count > CONF_TLS_IDENTITIES_MAX)
		mistake(ck, "tls", item, "certificate", "one file, or one for each kind of key (4 at most), would be right");
	else if (tls->key.count != tls->certificate.count)
		mistake(ck, "tls", item, "key", "is not as long as certificate: a key for each certificate would be right");
	if (!all_absolute(&tls->certificate))
		mistake(ck, "tls", item, "certificate", "is no absolute path: one that begins with / would be right");
	if (!all_absolute(&tls->key))
		mistake(ck, "tls", item, "key", "is no absolute path: one that begins with / would be right");
}

static void
check_listener_tls(const struct checker *ck, uint32_t item)
{
	const struct conf_listener *l = &ck->conf->listeners[item];

	if (l->implicit_tls && l->tls.count == 0)
		mistake(ck, "listener", item, "implicit-tls", "needs a certificate: tls = { \"name of a tls section\" } would be right");
	for (uint32_t i = 0; i < l->tls.count; i++)
		if (conf_tls_find(ck->conf, l->tls.v[i]) == NULL)
			mistake_text(ck, "listener", item, "tls", l->tls.v[i], "is no tls section of this configuration");
}

static void
check_withheld(const struct checker *ck, const char *section, uint32_t item, const struct conf_strings *withhold)
{
	for (uint32_t i = 0; i < withhold->count; i++)
		if (extension_named(slice_str(withhold->v[i])) == EXTENSION_NONE)
			mistake_text(ck, section, item, "withhold", withhold->v[i], "is no extension that is offered: one that EHLO's answer names would be right");
}

static void
check_offers(const struct checker *ck)
{
	for (uint32_t i = 0; i < ck->conf->listener_count; i++)
		check_withheld(ck, "listener", i, &ck->conf->listeners[i].withhold);
	for (uint32_t i = 0; i < ck->conf->clients_count; i++)
		check_withheld(ck, "clients", i, &ck->conf->clients[i].withhold);
}

static void
check_tls(const struct checker *ck)
{
	for (uint32_t i = 0; i < ck->conf->tls_count; i++)
		check_one_tls(ck, i);
	for (uint32_t i = 0; i < ck->conf->listener_count; i++)
		check_listener_tls(ck, i);
}

/* Below the home, without a way out of it; or absolute, and different for each user. */
static const char *
maildir_wrong(const char *path)
{
	const char *p = path;

	if (strcmp(path, "..") == 0 || strncmp(path, "../", 3) == 0 ||
	    strstr(path, "/../") != NULL ||
	    (strlen(path) > 3 && strcmp(path + strlen(path) - 3, "/..") == 0))
		return "has \"..\" in it: a path without would be right";
	while ((p = strchr(p, '%')) != NULL) {
		if (path[0] != '/')
			return "has % in a path below the home: \"Maildir\" would be right";
		if (p[1] != 'u' && p[1] != 'd' && p[1] != '%')
			return "has an unknown %: %u for the user, %d for the domain or %% would "
			       "be right";
		p += 2;
	}
	if (path[0] == '/' && strstr(path, "%u") == NULL)
		return "is one place for all users: %u in it would be right";
	return NULL;
}

static void
check_domain(const struct checker *ck, uint32_t item)
{
	const struct conf_domain *domain = &ck->conf->domains[item];
	const char *wrong = maildir_wrong(domain->maildir);

	/* The hostname has been judged; it is also the domain when no other is given. */
	if (strcmp(domain->name, ck->conf->hostname) != 0 && !domain_valid(slice_str(domain->name)))
		mistake_text(ck, "domain", item, NULL, domain->name,
		    "is no domain: one such as \"example.org\" would be right");
	for (uint32_t i = 0; i < item; i++) {
		if (strcmp(ck->conf->domains[i].name, domain->name) == 0)
			mistake_text(ck, "domain", item, NULL, domain->name,
			    "is here twice (capitals do not count): each domain once would be "
			    "right");
	}
	if (wrong != NULL)
		mistake_text(ck, "domain", item, "maildir", domain->maildir, wrong);
}

static void
check_domains(const struct checker *ck)
{
	for (uint32_t i = 0; i < ck->conf->domain_count; i++)
		check_domain(ck, i);
}

static bool
starts(const char *text, const char *prefix)
{
	return strncmp(text, prefix, strlen(prefix)) == 0;
}

/* The last part of an absolute path, or a name of /etc/pam.d. PAM makes small letters of capitals before it looks for the file. */
static bool
pam_service_valid(const char *service)
{
	const char *slash = strrchr(service, '/'), *name = slash == NULL ? service : slash + 1;

	if (slash == service || (slash != NULL && service[0] != '/'))	/* / would be all that pam's sandbox lets it read */
		return false;
	return name[0] != '\0' && name[0] != '.' && strlen(name) <= 64 && name[strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-_.")] == '\0';
}

static const char *
users_wrong(const char *users)
{
	if (users[0] == '\0' || starts(users, "file:/") || starts(users, "dovecot:/"))
		return NULL;
	if (!starts(users, "pam:"))
		return "is neither \"file:/path\" nor \"dovecot:/path\" nor \"pam:service\"";
	return pam_service_valid(users + strlen("pam:")) ? NULL :
	    "names no PAM service: a file of /etc/pam.d or an absolute path, its name of at most 64 small letters, digits, - _ and ., "
	    "would be right";
}

/* For a file they are ours, and SCRAM with a binding is nothing without SCRAM: clients fall back to it (RFC 5802 6). */
static const char *
mechanism_wrong(const struct conf_submission *submission, const char *name)
{
	/* PAM is told passwords and tells none; it takes the first two. */
	static const char *const ours[] = { "PLAIN", "LOGIN", "SCRAM-SHA-256", "SCRAM-SHA-256-PLUS" };
	bool file = starts(submission->users, "file:"), pam = starts(submission->users, "pam:");

	for (const char *p = name; *p != '\0'; p++)
		if (!(*p >= 'A' && *p <= 'Z') && !(*p >= '0' && *p <= '9') && *p != '-' && *p != '_')
			return "is no name of a mechanism: capitals, digits, - and _ would be right";
	if (!file && !pam)
		return NULL;
	for (size_t i = 0; i < (pam ? 2 : 4); i++)
		if (strcmp(ours[i], name) == 0)
			return NULL;
	return pam ? "does not work with PAM: PLAIN or LOGIN would be right" :
	    "does not work with a file: PLAIN, LOGIN, SCRAM-SHA-256 or SCRAM-SHA-256-PLUS would be right";
}

static void
check_submission(const struct checker *ck)
{
	const struct conf_submission *submission = &ck->conf->submission;
	const char *wrong = users_wrong(submission->users);

	if (wrong != NULL)
		mistake_text(ck, "submission", 0, "users", submission->users, wrong);
	if (submission->senders[0] != '\0' && strncmp(submission->senders, "file:/", 6) != 0)
		mistake_text(ck, "submission", 0, "senders", submission->senders, "is not \"file:/path\"");
	for (uint32_t i = 0; i < submission->mechanisms.count; i++)
		if ((wrong = mechanism_wrong(submission, submission->mechanisms.v[i])) != NULL)
			mistake_text(ck, "submission", 0, "mechanisms", submission->mechanisms.v[i], wrong);
}

static void (*const checks[])(const struct checker *) = {
	check_hostname,
	check_postmaster,
	check_delimiter,
	check_directories,
	check_listeners,
	check_tls,
	check_offers,
	check_domains,
	check_submission,
	check_queue,
	check_relay,
	check_log,
};

void
conf_check(const struct conf *conf, const struct source *source, struct conf_report *report)
{
	struct checker ck = { conf, source, report };

	for (size_t i = 0; i < sizeof(checks) / sizeof(checks[0]); i++)
		checks[i](&ck);
}
