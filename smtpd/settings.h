#ifndef SMTPD_SETTINGS_H
#define SMTPD_SETTINGS_H
/*
 * settings — what sessions need of the configuration, counted, so that a running session keeps what it began with
 * while new ones get the new.
 */
#include "base/err.h"
#include "conf/conf.h"
#include "proc/files.h"
#include "smtpd/client_limit.h"

struct tls_context;

/* What is not offered to some. */
struct withholding {
	struct conf_networks	 networks;
	uint32_t		 extensions;	/* EXTENSION_BITs */
};

/* What is served where: of one listener. */
struct served {
	uint32_t		 withheld;	/* EXTENSION_BITs: not offered there */
	struct conf_addresses	 at;
	enum listener_role	 role;
	struct tls_context	*tls;		/* NULL: no TLS */
	bool			 implicit;	/* TLS from the first byte */
	struct conf_networks	 proxy;		/* whose connections begin with a PROXY header */
};

struct settings {
	unsigned	 users;
	char		*hostname;
	uint64_t	 message_size;		/* 0: no limit */
	uint32_t	 recipients;
	int64_t		 command_timeout, data_timeout, transaction_timeout, greeting_delay;	/* ms */
	uint32_t	 max_sessions;
	int64_t		 stress_timeout;		/* ms; 0: none */
	struct client_rules client;
	struct network	*exempt;			/* whom they are not for */
	uint32_t	 exempt_count;
	bool		 logins;		/* users are configured: on submission listeners everybody logs in */
	enum sender_rights sender_rights;
	bool		 hide_client;		/* that has logged in: not in Received */
	uint32_t	 max_errors, max_junk, max_hops;
	size_t		 header_size;
	struct network	*networks;		/* those who may relay */
	uint32_t	 network_count;
	struct conf_networks xclient;		/* those who may say for whom they speak */
	struct conf_networks xforward;		/* those who may say from whom they got a message */
	bool		 etrn;			/* there are domains whose mail may be asked for */
	struct withholding *withholdings;
	uint32_t	 withholding_count;
	uint16_t	*mx_ports;		/* where mx workers accept connections */
	uint32_t	 mx_port_count;
	struct served	*served;		/* of all roles: connections are handed over between them */
	uint32_t	 served_count;
	bool		 has_own;	/* a listener offers or asks what others do not */
};

/* With one user. files: certificates (NULL: none are needed, since no listener has TLS). NULL: err. */
struct settings	*settings_new(const struct conf *, const struct files *, struct err *);
struct settings	*settings_use(struct settings *);
void		 settings_drop(struct settings **);
/* The listener that this connection came in by; NULL: there is none (any more), or none that
 * offers or asks anything of its own. */
const struct served *settings_served(const struct settings *, int fd);
bool		 settings_proxied(const struct settings *, int fd, const struct sockaddress *peer);	/* a PROXY header comes first */
bool		 settings_xclient(const struct settings *, const struct sockaddress *);
bool		 settings_xforward(const struct settings *, const struct sockaddress *);
/* EXTENSION_BITs of what this peer is not offered, there (NULL: at no listener in particular). */
uint32_t	 settings_withheld(const struct settings *, const struct served *, const struct sockaddress *peer);
bool		 settings_trust(const struct settings *, const struct sockaddress *);
bool		 settings_exempt(const struct settings *, const struct sockaddress *);

#endif
