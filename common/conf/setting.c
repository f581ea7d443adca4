/*
 * setting — the rows. Defaults are safe for a server of which only the hostname is known: it takes
 * mail for its own users and relays for nobody but itself.
 */
#include "conf/setting.h"

#include <string.h>

#include "conf/conf.h"

#define FIELD(type, field)	offsetof(struct type, field)
#define ROWS(table)		(table), sizeof(table) / sizeof((table)[0])

static const char *const role_names[] = { "mx", "trusted", "submission", NULL };
static const char *const format_names[] = { "text", "json", NULL };

static const struct setting root_rows[] = {
	{ "hostname", SETTING_STRING, FIELD(conf, hostname), NULL, "1", "253",
	  "the full name of this host, as its own DNS records spell it; said in greetings and trace headers", NULL },
	{ "postmaster", SETTING_STRING, FIELD(conf, postmaster), "", NULL, "320",
	  "the local mailbox that gets postmaster's mail; empty: such mail is held and an alarm is logged", NULL },
	{ "run-directory", SETTING_STRING, FIELD(conf, run_directory), POSTHORN_RUNDIR, "1", "90",
	  "where the sockets for posthorn(1) and mailq(1) are", NULL },
	{ "message-size", SETTING_SIZE, FIELD(conf, message_size), "50MB", "64KiB", "2GiB",
	  "the largest message that is taken", NULL },
	{ "message-recipients", SETTING_INT, FIELD(conf, message_recipients), "1000", "100", "10000",
	  "the most recipients of one message; more are asked to come in another transaction", NULL },
	{ "subaddress-delimiter", SETTING_STRING, FIELD(conf, subaddress_delimiter), "+", NULL, "1",
	  "user+anything reaches user: the character between them; empty: none", NULL },
	{ "trusted-networks", SETTING_NETWORKS, FIELD(conf, trusted_networks), "127.0.0.0/8 ::1", NULL, NULL,
	  "clients that may relay without a login", NULL },
};

static const struct setting smtpd_rows[] = {
	{ "workers", SETTING_INT, FIELD(conf_smtpd, workers), "2", "1", "64",
	  "processes for each listener role in use", NULL },
	{ "command-timeout", SETTING_DURATION, FIELD(conf_smtpd, command_timeout), "300s", "1s", "1h",
	  "how long a client may take for one whole command (RFC 5321 4.5.3.2.7: 5 minutes)", NULL },
	{ "data-timeout", SETTING_DURATION, FIELD(conf_smtpd, data_timeout), "180s", "1s", "1h",
	  "how long a client may be silent while it sends a message", NULL },
	{ "greeting-delay", SETTING_DURATION, FIELD(conf_smtpd, greeting_delay), "0", NULL, "30s",
	  "how long the greeting is held back to see who talks too early; 0: not at all", NULL },
	{ "transaction-timeout", SETTING_DURATION, FIELD(conf_smtpd, transaction_timeout), "1h", "10s", "1d",
	  "the longest time from MAIL to the end of the message, however busy the client is", NULL },
	{ "max-sessions", SETTING_INT, FIELD(conf_smtpd, max_sessions), "1000", "1", "100000",
	  "sessions at once in one worker", NULL },
	{ "client-sessions", SETTING_INT, FIELD(conf_smtpd, client_sessions), "50", NULL, "100000",
	  "sessions at once from one client address in one worker; 0: no limit", NULL },
	{ "client-rate", SETTING_INT, FIELD(conf_smtpd, client_rate), "100", NULL, "1000000",
	  "new sessions a minute from one client address in one worker; 0: no limit", NULL },
	{ "client-messages", SETTING_INT, FIELD(conf_smtpd, client_messages), "0", NULL, "1000000",
	  "messages a minute from one client in one worker; more are answered 450; 0: no limit", NULL },
	{ "client-recipients", SETTING_INT, FIELD(conf_smtpd, client_recipients), "0", NULL, "1000000",
	  "the same for recipients, refused ones included", NULL },
	{ "client-errors", SETTING_INT, FIELD(conf_smtpd, client_errors), "100", NULL, "1000000",
	  "replies of 4xx and 5xx to one client within a minute; with more it gets no further session for the rest of it; 0: no limit", NULL },
	{ "client-prefix-ipv4", SETTING_INT, FIELD(conf_smtpd, client_prefix_ipv4), "32", "8", "32",
	  "addresses that agree in so many bits are one client", NULL },
	{ "client-prefix-ipv6", SETTING_INT, FIELD(conf_smtpd, client_prefix_ipv6), "64", "16", "128",
	  "the same for IPv6: who has one address of a /64 has all of them", NULL },
	{ "client-exempt", SETTING_NETWORKS, FIELD(conf_smtpd, client_exempt), "", NULL, NULL,
	  "networks that no client-... limit is for; trusted-networks are not limited either", NULL },
	{ "stress-timeout", SETTING_DURATION, FIELD(conf_smtpd, stress_timeout), "10s", NULL, "5m",
	  "how long strangers may take for a command while four fifths of max-sessions are in use, until it is half; shorter than RFC 5321 wants; 0: as ever", NULL },
	{ "max-errors", SETTING_INT, FIELD(conf_smtpd, max_errors), "20", "1", "10000",
	  "replies of 4xx and 5xx in one session before it is closed", NULL },
	{ "max-junk", SETTING_INT, FIELD(conf_smtpd, max_junk), "100", "1", "10000",
	  "commands that do nothing (NOOP, RSET, VRFY and the like) in one session before each counts as an error", NULL },
	{ "max-hops", SETTING_INT, FIELD(conf_smtpd, max_hops), "100", "10", "1000",
	  "Received fields in a message before it is refused as looping", NULL },
	{ "header-size", SETTING_SIZE, FIELD(conf_smtpd, header_size), "1MiB", "64KiB", "16MiB",
	  "the longest header of a message; on submission listeners, where it is completed, 256KiB at most", NULL },
	{ "xclient-networks", SETTING_NETWORKS, FIELD(conf_smtpd, xclient_networks), "", NULL, NULL,
	  "clients that may say by XCLIENT for whom they speak: proxies and tests, which then have the rights of those", NULL },
	{ "etrn-domains", SETTING_STRINGS, FIELD(conf_smtpd, etrn_domains), "", "1", "253",
	  "domains whose waiting mail those who may relay may have tried at once by ETRN; \"*\": of any", NULL },
	{ "xforward-networks", SETTING_NETWORKS, FIELD(conf_smtpd, xforward_networks), "", NULL, NULL,
	  "clients that may say by XFORWARD from whom they got a message, for the log: content filters", NULL },
};

static const char *const sender_rights_names[] = { "reject", "warn", "off", NULL };

static const struct setting submission_rows[] = {
	{ "users", SETTING_STRING, FIELD(conf_submission, users), "", NULL, "1000",
	  "who may log in: \"file:/path\" for lines of login:hash, \"dovecot:/path\" for the auth-client socket of Dovecot, "
	  "\"pam:service\" for a service of /etc/pam.d or \"pam:/path\" for one elsewhere; empty: nobody", NULL },
	{ "mechanisms", SETTING_STRINGS, FIELD(conf_submission, mechanisms), "", "1", "20",
	  "what AUTH offers; empty: PLAIN and LOGIN for a file and for PAM, all that Dovecot offers for Dovecot. SCRAM-SHA-256 and "
	  "SCRAM-SHA-256-PLUS are for a file in which all users have SCRAM keys", NULL },
	{ "auth-workers", SETTING_INT, FIELD(conf_submission, workers), "2", "1", "64",
	  "processes that check passwords against the file or by PAM", NULL },
	{ "auth-failures", SETTING_INT, FIELD(conf_submission, failures), "20", NULL, "100000",
	  "failed logins of one client address within the window before more are put off (454); ten times as many for one "
	  "login, and for one that has succeeded from there before; 0: no limit", NULL },
	{ "auth-failure-window", SETTING_DURATION, FIELD(conf_submission, failure_window), "1h", "1s", "1d",
	  "how long a failed login counts", NULL },
	{ "auth-failure-delay", SETTING_DURATION, FIELD(conf_submission, failure_delay), "2s", NULL, "30s",
	  "how long the answer to a failed login is held back; twice, then three times as long for the next ones, up to five", NULL },
	{ "sender-rights", SETTING_ENUM, FIELD(conf_submission, sender_rights), "reject", NULL, NULL,
	  "what becomes of mail whose sender in MAIL or in From is not the login's: it is refused, only logged, or not looked at", sender_rights_names },
	{ "senders", SETTING_STRING, FIELD(conf_submission, senders), "", NULL, "1000",
	  "what logins may write as beside their own address: \"file:/path\" for lines of \"address login, login\"; \"@example.org\" is "
	  "a whole domain, \"*\" every login", NULL },
	{ "hide-client", SETTING_BOOL, FIELD(conf_submission, hide_client), "no", NULL, NULL,
	  "leave the name and address of a client that has logged in out of the trace header", NULL },
	{ "login-messages", SETTING_INT, FIELD(conf_submission, login_messages), "0", NULL, "1000000",
	  "messages an hour from one login before more are put off (450); 0: no limit", NULL },
	{ "login-recipients", SETTING_INT, FIELD(conf_submission, login_recipients), "0", NULL, "1000000",
	  "the same for recipients; one message with more of them is refused (554); 0: no limit", NULL },
};

static const struct setting queue_rows[] = {
	{ "directory", SETTING_STRING, FIELD(conf_queue, directory), "/var/spool/posthorn", "1", "1000",
	  "where mail lies until it is delivered", NULL },
	{ "ring-segments", SETTING_INT, FIELD(conf_queue, segments), "16", "8", "1000",
	  "files of the ring that new mail is written to; each is allocated in full", NULL },
	{ "segment-size", SETTING_SIZE, FIELD(conf_queue, segment_size), "16MiB", "1MiB", "1GiB",
	  "the size of one of them; a multiple of 4 KiB", NULL },
	{ "content-memory", SETTING_SIZE, FIELD(conf_queue, content_memory), "48MiB", "1MiB", "16GiB",
	  "the most message content kept in memory, so that fresh mail goes out without a read of the disk", NULL },
	{ "retry", SETTING_DURATIONS, FIELD(conf_queue, retry), "5m 10m 20m 40m 60m", "100ms", "1w",
	  "waits between attempts; the last one repeats", NULL },
	{ "retry-unknown", SETTING_DURATIONS, FIELD(conf_queue, retry_unknown), "30m 2h 8h 24h", "100ms", "1w",
	  "the same after the reply to a whole message was lost, when another attempt may deliver it twice", NULL },
	{ "expire", SETTING_DURATION, FIELD(conf_queue, expire), "5d", "1s", "60d",
	  "the age at which undelivered mail goes back to its sender", NULL },
	{ "bounce-expire", SETTING_DURATION, FIELD(conf_queue, bounce_expire), "2d", "1s", "60d",
	  "the age at which an undelivered notification is given up", NULL },
	{ "delay-warning", SETTING_DURATION, FIELD(conf_queue, delay_warning), "0", NULL, "60d",
	  "the age at which the sender is told that mail is late, unless NOTIFY of RFC 3461 says otherwise; 0: never", NULL },
	{ "destination-jobs", SETTING_INT, FIELD(conf_queue, destination_jobs), "20", "1", "10000",
	  "attempts at once for one next hop", NULL },
	{ "sender-notices", SETTING_INT, FIELD(conf_queue, sender_notices), "100", NULL, "1000000",
	  "notifications an hour to one sender before they wait; 0: no limit", NULL },
};

static const struct setting relay_rows[] = {
	{ "smart-host", SETTING_STRING, FIELD(conf_relay, smart_host), "", NULL, "320",
	  "send all mail for others there: \"relay.example.org\" by its MX, \"[relay.example.org]:587\" or "
	  "\"[192.0.2.1]:25\" as named; empty: by the MX of each domain", NULL },
	{ "mx-port", SETTING_INT, FIELD(conf_relay, mx_port), "25", "1", "65535",
	  "the port of every MX; another than 25 is for tests", NULL },
	{ "allow-private-targets", SETTING_BOOL, FIELD(conf_relay, allow_private_targets), "no", NULL, NULL,
	  "connect also when an MX has a loopback or private address", NULL },
	{ "workers", SETTING_INT, FIELD(conf_relay, workers), "1", "1", "64", "processes that send mail", NULL },
	{ "connect-timeout", SETTING_DURATION, FIELD(conf_relay, connect_timeout), "30s", "100ms", "10m",
	  "how long to wait for a target to accept a connection", NULL },
	{ "greeting-timeout", SETTING_DURATION, FIELD(conf_relay, greeting_timeout), "300s", "100ms", "1h",
	  "how long to wait for its greeting", NULL },
	{ "hello-timeout", SETTING_DURATION, FIELD(conf_relay, hello_timeout), "300s", "100ms", "1h",
	  "the same for the reply to EHLO or HELO", NULL },
	{ "tls-timeout", SETTING_DURATION, FIELD(conf_relay, tls_timeout), "60s", "100ms", "1h",
	  "how long a TLS handshake may take", NULL },
	{ "mail-timeout", SETTING_DURATION, FIELD(conf_relay, mail_timeout), "300s", "100ms", "1h",
	  "the same for MAIL", NULL },
	{ "rcpt-timeout", SETTING_DURATION, FIELD(conf_relay, rcpt_timeout), "300s", "100ms", "1h",
	  "the same for each RCPT", NULL },
	{ "data-timeout", SETTING_DURATION, FIELD(conf_relay, data_timeout), "120s", "100ms", "1h",
	  "the same for DATA", NULL },
	{ "block-timeout", SETTING_DURATION, FIELD(conf_relay, block_timeout), "180s", "100ms", "1h",
	  "how long a target may take no byte of the message", NULL },
	{ "dot-timeout", SETTING_DURATION, FIELD(conf_relay, dot_timeout), "600s", "100ms", "2h",
	  "how long to wait for the reply to the whole message; giving up too early sends it twice", NULL },
	{ "rset-timeout", SETTING_DURATION, FIELD(conf_relay, rset_timeout), "20s", "100ms", "1h",
	  "the same for RSET", NULL },
	{ "quit-timeout", SETTING_DURATION, FIELD(conf_relay, quit_timeout), "10s", "100ms", "1h",
	  "the same for QUIT; no mail waits for it", NULL },
	{ "idle-timeout", SETTING_DURATION, FIELD(conf_relay, idle_timeout), "5s", NULL, "5m",
	  "how long a connection without work is kept for the next message; 0: not at all", NULL },
	{ "chunking-from", SETTING_SIZE, FIELD(conf_relay, chunking_from), "64KiB", NULL, "2GiB",
	  "content of at least this size goes by BDAT to a server that offers CHUNKING; 0: never", NULL },
	{ "connection-messages", SETTING_INT, FIELD(conf_relay, connection_messages), "100", "1", "100000",
	  "messages on one connection", NULL },
	{ "max-addresses", SETTING_INT, FIELD(conf_relay, max_addresses), "5", "1", "50",
	  "addresses of a destination that one attempt tries", NULL },
	{ "opportunistic-tls", SETTING_BOOL, FIELD(conf_relay, opportunistic_tls), "yes", NULL, NULL,
	  "TLS with every target that offers STARTTLS, whatever its certificate; where it fails, without", NULL },
	{ "tls-authorities", SETTING_STRING, FIELD(conf_relay, tls_authorities), "/etc/ssl/certs/ca-certificates.crt", NULL, "1000",
	  "the certificates of those who may say whom a certificate belongs to, for mail that requires TLS (RFC 8689); without them such mail waits", NULL },
	{ "source-ipv4", SETTING_STRING, FIELD(conf_relay, source_ipv4), "", NULL, "64",
	  "the own IPv4 address to send from; empty: the kernel's choice", NULL },
	{ "source-ipv6", SETTING_STRING, FIELD(conf_relay, source_ipv6), "", NULL, "64",
	  "the own IPv6 address to send from; empty: the kernel's choice", NULL },
};

static const struct setting dns_rows[] = {
	{ "servers", SETTING_ADDRESSES, FIELD(conf_dns, servers), "", NULL, NULL,
	  "DNS servers, \"127.0.0.1\" or \"[::1]:5353\"; empty: those of /etc/resolv.conf", NULL },
	{ "timeout", SETTING_DURATION, FIELD(conf_dns, timeout), "5s", "100ms", "1m",
	  "how long to wait for one answer", NULL },
	{ "tries", SETTING_INT, FIELD(conf_dns, tries), "3", "1", "10", "questions before giving up", NULL },
};

static const struct setting mda_rows[] = {
	{ "max-workers", SETTING_INT, FIELD(conf_mda, max_workers), "100", "1", "1000",
	  "users who are served at the same moment", NULL },
	{ "worker-idle", SETTING_DURATION, FIELD(conf_mda, worker_idle), "5s", NULL, "10m",
	  "how long a user's worker without work stays", NULL },
	{ "worker-jobs", SETTING_INT, FIELD(conf_mda, worker_jobs), "16", "1", "1000",
	  "deliveries in flight in one worker", NULL },
	{ "first-uid", SETTING_INT, FIELD(conf_mda, first_uid), "500", "1", "4294967294",
	  "the lowest uid that mail is delivered to; never 0, which is root", NULL },
};

static const struct setting lookup_rows[] = {
	{ "workers", SETTING_INT, FIELD(conf_lookup, workers), "4", "1", "64",
	  "processes that answer questions about addresses and users", NULL },
	{ "answer-timeout", SETTING_DURATION, FIELD(conf_lookup, answer_timeout), "5s", "100ms", "1m",
	  "an answer that takes longer is \"try later\"", NULL },
	{ "cache-ttl", SETTING_DURATION, FIELD(conf_lookup, cache_ttl), "60s", NULL, "1h",
	  "how long a good answer is believed; 0: not at all", NULL },
};

static const struct setting log_rows[] = {
	{ "target", SETTING_STRING, FIELD(conf_log, target), "syslog", "1", "1000",
	  "where the log goes: \"syslog\", \"stderr\" or \"file:/path\"", NULL },
	{ "format", SETTING_ENUM, FIELD(conf_log, format), "text", NULL, NULL,
	  "lines as Postfix writes them, or JSON", format_names },
	{ "name", SETTING_STRING, FIELD(conf_log, name), "postfix", "1", "32",
	  "the name in front of each line; \"postfix\" keeps programs that read logs working", NULL },
	{ "event-ids", SETTING_BOOL, FIELD(conf_log, event_ids), "no", NULL, NULL,
	  "show each event's number in text lines, too", NULL },
};

static const char *const version_names[] = { "1.2", "1.3", NULL };

static const struct setting tls_rows[] = {
	{ "certificate", SETTING_STRINGS, FIELD(conf_tls, certificate), "", "1", "1000",
	  "files in PEM form, each a certificate and what leads from it to a known authority; several differ in the kind of key", NULL },
	{ "key", SETTING_STRINGS, FIELD(conf_tls, key), "", "1", "1000",
	  "their private keys (RSA or EC, in PEM form, not encrypted), in the same order", NULL },
	{ "min-version", SETTING_ENUM, FIELD(conf_tls, min_version), "1.2", NULL, NULL,
	  "the oldest version of TLS that is spoken", version_names },
};

static const struct setting listener_rows[] = {
	{ "address", SETTING_ADDRESSES, FIELD(conf_listener, at), "0.0.0.0 ::", NULL, NULL,
	  "own addresses to listen on; one may carry a port of its own, \"[::1]:2525\"", NULL },
	{ "port", SETTING_INT, FIELD(conf_listener, port), "25", "1", "65535", "the port of the others", NULL },
	{ "role", SETTING_ENUM, FIELD(conf_listener, role), "mx", NULL, NULL,
	  "who is expected there: everybody (mx), networks that may relay, or users", role_names },
	{ "tls", SETTING_STRINGS, FIELD(conf_listener, tls), "", "1", "100",
	  "tls sections, by name; a client that asks for a host of another than the first one gets that one; none: no TLS", NULL },
	{ "implicit-tls", SETTING_BOOL, FIELD(conf_listener, implicit_tls), "no", NULL, NULL,
	  "TLS from the first byte, as on port 465 (RFC 8314), instead of STARTTLS", NULL },
	{ "proxy", SETTING_NETWORKS, FIELD(conf_listener, proxy), "", NULL, NULL,
	  "proxies whose connections begin with a PROXY header (version 1 or 2), which names the client; nobody relays through "
	  "one at a listener whose role is mx", NULL },
	{ "withhold", SETTING_STRINGS, FIELD(conf_listener, withhold), "", "1", "20",
	  "extensions that are neither offered nor taken there, by the keywords of EHLO's answer, such as \"CHUNKING\"", NULL },
};

static const struct setting clients_rows[] = {
	{ "networks", SETTING_NETWORKS, FIELD(conf_clients, networks), "", NULL, NULL, "which clients they are", NULL },
	{ "withhold", SETTING_STRINGS, FIELD(conf_clients, withhold), "", "1", "20",
	  "extensions that are neither offered to them nor taken from them, beside those of the listener", NULL },
};

static const struct setting domain_rows[] = {
	{ "users", SETTING_USERS, FIELD(conf_domain, users), "system", NULL, NULL,
	  "whose mailboxes these are: \"system\" for the accounts of this host, or \"file:/path\" for a passwd-file", NULL },
	{ "maildir", SETTING_STRING, FIELD(conf_domain, maildir), "Maildir", "1", "1000",
	  "the Maildir: below the user's home, or absolute with %u for the user and %d for the domain", NULL },
};

#define PLAIN(name, words, table, field)	{ (name), (words), ROWS(table), FIELD(conf, field), NULL, 0, 0, 0, 0, 0 }
#define TITLED(name, words, table, title, array, items, type, title_field, max) \
	{ (name), (words), ROWS(table), 0, (title), FIELD(conf, array), FIELD(conf, items), sizeof(struct type), \
	  FIELD(type, title_field), (max) }

const struct section conf_sections[] = {
	{ "", "What stands outside of every section.", ROWS(root_rows), 0, NULL, 0, 0, 0, 0, 0 },
	TITLED("listener", "Where clients come in. Without any: one named \"mx\" with the defaults.", listener_rows,
	    "a name of your choice", listeners, listener_count, conf_listener, name, 64),
	TITLED("clients", "Clients that cannot do with something.", clients_rows,
	    "a name of your choice", clients, clients_count, conf_clients, name, 64),
	TITLED("tls", "Who this host is in TLS; listeners name it.", tls_rows,
	    "a name of your choice", tls, tls_count, conf_tls, name, 64),
	TITLED("domain", "A domain whose mail is delivered here; one outside ASCII by its A-labels (xn--). Without any: the hostname, with system users.", domain_rows,
	    "the domain", domains, domain_count, conf_domain, name, 1000),
	PLAIN("smtpd", "Receiving mail.", smtpd_rows, smtpd),
	PLAIN("submission", "Logging in, on listeners of the role submission. It takes TLS. When users are set, nobody submits there "
	    "without a login, from trusted networks neither.", submission_rows, submission),
	PLAIN("queue", "Keeping mail, and trying again.", queue_rows, queue),
	PLAIN("relay", "Sending mail to other hosts. The timeouts are those of RFC 5321 4.5.3.2.", relay_rows, relay),
	PLAIN("dns", "Asking the DNS.", dns_rows, dns),
	PLAIN("mda", "Delivering into mailboxes.", mda_rows, mda),
	PLAIN("lookup", "Finding out about addresses and users.", lookup_rows, lookup),
	PLAIN("log", "Telling the postmaster.", log_rows, log),
};
const size_t conf_section_count = sizeof(conf_sections) / sizeof(conf_sections[0]);

const struct section *
section_find(const char *name)
{
	for (size_t i = 0; i < conf_section_count; i++) {
		if (strcmp(conf_sections[i].name, name) == 0)
			return &conf_sections[i];
	}
	return NULL;
}

const struct setting *
section_setting(const struct section *section, const char *name)
{
	for (size_t i = 0; i < section->count; i++) {
		if (strcmp(section->settings[i].name, name) == 0)
			return &section->settings[i];
	}
	return NULL;
}
