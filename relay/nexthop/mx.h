#ifndef RELAY_MX_H
#define RELAY_MX_H
/*
 * mx — what an answer to an MX question means, and in which order its hosts are tried (RFC 5321 5.1, RFC 7505).
 */
#include "net/answer.h"

#define MX_HOSTS_MAX	10	/* looked at for one attempt; nobody with more than that tries the eleventh */
#define HOST_ADDRESSES	8	/* of each family of one host */

enum mx_verdict {
	MX_NONE,
	MX_HOSTS,	/* try these */
	MX_IMPLICIT,	/* no MX: the domain itself is the host */
	MX_NULL,	/* "." — the domain takes no mail (RFC 7505) */
	MX_NO_NAME,	/* no such domain */
	MX_UNUSABLE,	/* there are MX records, but none names a host */
	MX_OURSELVES,	/* we are the best host and do not take the mail: a loop */
	MX_TEMPORARY,
	MX_VERDICT_COUNT
};

struct mx_host {
	uint16_t		preference;
	uint8_t			v4_count, v6_count;
	bool			temporary;	/* the answer to one of its questions was trouble */
	bool			more;		/* it has more addresses than there is room for */
	struct sockaddress	v4[HOST_ADDRESSES], v6[HOST_ADDRESSES];	/* filled by whoever asks */
	char			name[DNS_NAME_SIZE];
};

struct mx_hosts {
	uint16_t	count;
	struct mx_host	hosts[MX_HOSTS_MAX];
};

/* Fills `out` (names and preferences) for MX_HOSTS and MX_IMPLICIT. Hosts of equal preference are shuffled by `below`, which returns
 * a number in [0, n). Hosts from the preference of `own_name` on are left out: mail must come nearer to its target. */
enum mx_verdict	mx_order(const struct dns_answer *, struct slice domain, struct slice own_name,
		    uint32_t (*below)(uint32_t n), struct mx_hosts *out);
/* Leaves out hosts of this preference and worse ones. */
void		mx_cut(struct mx_hosts *, uint16_t preference);

#endif
