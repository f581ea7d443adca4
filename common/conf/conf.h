#ifndef CONF_CONF_H
#define CONF_CONF_H
/*
 * conf — the whole configuration as typed structs.
 *
 * Rows (setting.c) say each setting's name, type, default, bounds and meaning; the loader,
 * `posthorn check`, `posthorn config show` and the tables of posthorn.conf(5) read the same rows.
 * libconfuse stays inside load.c. Processes get a blob (blob.c) from the supervisor and never see
 * the file. Everything hangs in one arena; conf_free drops it whole.
 */
#include <netinet/in.h>

#include "base/arena.h"
#include "base/buf.h"
#include "net/sockaddr.h"

enum listener_role { LISTENER_NONE, LISTENER_MX, LISTENER_TRUSTED, LISTENER_SUBMISSION, LISTENER_ROLE_COUNT };
enum log_format { LOG_FORMAT_NONE, LOG_FORMAT_TEXT, LOG_FORMAT_JSON, LOG_FORMAT_COUNT };
enum users_source { USERS_NONE, USERS_SYSTEM, USERS_FILE, USERS_SOURCE_COUNT };

struct conf_strings {
	uint32_t	 count;
	char		**v;
};

struct conf_durations {			/* milliseconds */
	uint32_t	 count;
	int64_t		*v;
};

struct conf_networks {
	uint32_t	 count;
	struct network	*v;		/* net/sockaddr.h */
};

struct conf_addresses {			/* "127.0.0.1:53", "[::1]:53": literal, never a name */
	uint32_t	 count;
	struct sockaddress *v;
};

struct conf_listener {			/* listener "NAME" { } */
	char			*name;
	struct conf_addresses	 at;		/* addresses with the port filled in */
	int64_t			 port;		/* of those that named none themselves */
	enum listener_role	 role;
	struct conf_strings	 tls;		/* names of tls sections, the default first; none: no TLS */
	bool			 implicit_tls;	/* TLS from the first byte (RFC 8314), no STARTTLS */
	struct conf_networks	 proxy;		/* whose connections begin with a PROXY header */
	struct conf_strings	 withhold;	/* what EHLO does not offer there: keywords of mail/extension.h */
};

struct conf_clients {			/* clients "NAME" { } */
	char			*name;
	struct conf_networks	 networks;
	struct conf_strings	 withhold;	/* keywords of mail/extension.h */
};

/* The oldest version of TLS that is spoken. */
enum conf_tls_version { CONF_TLS_NONE, CONF_TLS_1_2, CONF_TLS_1_3, CONF_TLS_VERSION_COUNT };

#define CONF_TLS_IDENTITIES_MAX	4	/* of one tls section: one for each kind of key */

struct conf_tls {			/* tls "NAME" { } */
	char			*name;
	struct conf_strings	 certificate, key;	/* absolute paths; as many of the one as of the other */
	enum conf_tls_version	 min_version;
};

struct conf_domain {			/* domain "example.org" { } */
	char			*name;		/* lower case */
	enum users_source	 users;
	char			*users_file;	/* USERS_FILE: absolute path */
	char			*maildir;	/* "Maildir" below the home, or absolute with %u %d */
};

struct conf_smtpd {
	int64_t	workers;		/* processes of each role in use */
	int64_t	command_timeout, data_timeout, greeting_delay;	/* ms; greeting_delay 0: none */
	int64_t	transaction_timeout;	/* MAIL to end of data, whole */
	int64_t	max_sessions;		/* per worker */
	int64_t	client_sessions;	/* at once per client address; 0: no limit */
	int64_t	client_rate;		/* new sessions a minute per client; 0: no limit */
	int64_t	client_messages, client_recipients, client_errors;	/* a minute, likewise */
	int64_t	client_prefix_ipv4, client_prefix_ipv6;	/* bits: who shares them is one client */
	struct conf_networks client_exempt;	/* no limit for these */
	int64_t	stress_timeout;		/* ms for one command while sessions run out; 0: as ever */
	int64_t	max_errors, max_junk;	/* 4xx/5xx replies; commands that do nothing */
	int64_t	max_hops;
	int64_t	header_size;		/* most bytes of header */
	struct conf_networks xclient_networks;	/* who may say for whom it speaks */
	struct conf_strings etrn_domains;	/* whose mail may be asked for */
	struct conf_networks xforward_networks;	/* who may say from whom it got a message */
};

/* What becomes of a sender's address that is not the login's. */
enum sender_rights { SENDER_RIGHTS_NONE, SENDER_RIGHTS_REJECT, SENDER_RIGHTS_WARN, SENDER_RIGHTS_OFF, SENDER_RIGHTS_COUNT };

struct conf_submission {
	char	*users;			/* "file:/path", "dovecot:/path", "pam:service"; empty: nobody can log in */
	struct conf_strings mechanisms;	/* empty: what suits `users` */
	int64_t	workers;		/* processes that check passwords */
	int64_t	failures;		/* of one address within the window; 0: no limit */
	int64_t	failure_window, failure_delay;	/* ms */
	enum sender_rights sender_rights;
	char	*senders;		/* "file:/path"; empty: nobody may write as anybody but himself */
	bool	hide_client;		/* Received names no client */
	int64_t	login_messages, login_recipients;	/* an hour, of each login; 0: no limit */
};

struct conf_queue {
	char	*directory;
	int64_t	segments, segment_size;	/* the ring */
	int64_t	content_memory;		/* most bytes of message content kept in memory for delivery */
	struct conf_durations retry;	/* the ladder; its last rung repeats */
	struct conf_durations retry_unknown;
	int64_t	expire, bounce_expire;	/* ms; bounce_expire: for the null reverse-path */
	int64_t	delay_warning;		/* ms; 0: none */
	int64_t	destination_jobs;	/* at once to one destination */
	int64_t	sender_notices;		/* DSNs an hour to one sender before they wait; 0: no limit */
};

struct conf_relay {
	char	*smart_host;		/* "[192.0.2.1]:25", "[relay.example.org]:587", "relay.example.org"
					 * (by its MX); empty: by the MX of each domain */
	int64_t	mx_port;
	bool	allow_private_targets;
	int64_t	workers;
	int64_t	connect_timeout, greeting_timeout, hello_timeout, mail_timeout, rcpt_timeout, data_timeout,
		block_timeout, dot_timeout, rset_timeout, quit_timeout;	/* ms */
	int64_t	idle_timeout;		/* how long a connection without work is kept */
	int64_t	chunking_from;		/* bytes from which content goes by BDAT where that is offered; 0: never */
	int64_t	connection_messages;	/* most messages on one connection */
	int64_t	max_addresses;		/* tried in one attempt */
	char	*source_ipv4, *source_ipv6;	/* empty: the kernel's choice */
	int64_t	tls_timeout;		/* ms */
	bool	opportunistic_tls;	/* STARTTLS wherever it is offered, with any certificate */
	char	*tls_authorities;	/* absolute path; empty: no certificate is believed */
};

struct conf_dns {
	struct conf_addresses servers;	/* empty: from /etc/resolv.conf */
	int64_t	timeout, tries;
};

struct conf_mda {
	int64_t	max_workers;		/* users served at the same moment */
	int64_t	worker_idle;		/* how long a worker without work stays */
	int64_t	worker_jobs;		/* deliveries in flight in one worker */
	int64_t	first_uid;		/* never deliver as a lower one */
};

struct conf_lookup {
	int64_t	workers, answer_timeout, cache_ttl;
};

struct conf_log {
	char	*target;		/* "syslog", "stderr", "file:/path" */
	enum log_format format;
	char	*name;			/* syslog name in front of lines; "postfix" keeps log readers working */
	bool	event_ids;		/* add event=N.M to text lines, too */
};

struct conf {
	struct arena		 arena;
	uint64_t		 generation;
	char			*hostname;
	char			*postmaster;		/* mailbox of postmaster; empty: held with an alarm */
	char			*run_directory;		/* control sockets, empty chroot */
	int64_t			 message_size, message_recipients;
	char			*subaddress_delimiter;	/* one character, or empty */
	struct conf_networks	 trusted_networks;
	struct conf_smtpd	 smtpd;
	struct conf_submission	 submission;
	struct conf_queue	 queue;
	struct conf_relay	 relay;
	struct conf_dns		 dns;
	struct conf_mda		 mda;
	struct conf_lookup	 lookup;
	struct conf_log		 log;
	uint32_t		 listener_count, domain_count, tls_count, clients_count;
	struct conf_listener	*listeners;
	struct conf_domain	*domains;
	struct conf_tls		*tls;
	struct conf_clients	*clients;
};

#define CONF_MEMORY_MAX	(4u * 1024 * 1024)	/* most that one configuration may take */
#define CONF_BYTES_MAX	(256 * 1024)		/* and on the wire: fits CONF_BLOB_MAX of wire/control.h */

struct conf	*conf_new(void);			/* empty; NULL: no memory */
/* What a file with only this hostname says (the DNS server is 127.0.0.1:53); for tests. NULL: no
 * memory. */
struct conf	*conf_new_default(const char *hostname);
void		 conf_free(struct conf **);

/* What stands behind "pam:" in submission.users; NULL: they come from elsewhere. */
const char		*conf_pam_service(const struct conf *);
bool		 conf_serves_etrn(const struct conf *, struct slice domain);	/* its mail may be asked for */
/* NULL: there is no such section. */
const struct conf_tls	*conf_tls_find(const struct conf *, const char *name);
/* Certificates and keys are numbered through all tls sections: of this section's first one (item tls_count: how many there are). */
uint32_t		 conf_tls_first(const struct conf *, uint32_t item);

/* blob.c — the configuration on the control wire; driven by the rows, so a new row travels by
 * itself. */
void		 conf_put(struct buf *, const struct conf *);
struct conf	*conf_get(struct slice blob);		/* NULL: bad blob or no memory */

#endif
