#ifndef UNIT_RELAY_ROOM_H
#define UNIT_RELAY_ROOM_H
/*
 * room — a whole relay on one loop: the queue on its deliver wire, DNS from a table (relay_dns.h), and scripted mail servers
 * on loopback, where the n-th connection gets the n-th script.
 */
#include "tests/support/testing.h"

#include "ipc/channel.h"
#include "relay/relay.h"
#include "tests/unit/relay/script_peer.h"
#include "tests/unit/relay/table_dns.h"
#include "wire/deliver.h"

#define PEERS_MAX	8
#define CONTENT		"Subject: x\r\n\r\n.hello\r\n"

extern struct conf conf;
extern struct loop *loop;
extern struct relay *relay;
extern struct channel *queue;		/* NULL once relay has ended it */
extern struct table_dns dns;
extern struct script_peer *peers[PEERS_MAX];
extern unsigned peer_count;
extern const char *scripts[PEERS_MAX];
extern const char *authorities;		/* PEM of those whose certificates relay believes, from the next setup on */
extern uint32_t credit, lease_count, result_count;
extern char leases[200], said[2000];	/* what HELLO and RESULTS told: "lease/id/recipients ", "lease: <index><action><status>; ..." */

int	setup(void **state);
int	teardown(void **state);		/* fails when a script was not kept to */
void	connect_queue(void);		/* a new queue; the old one is gone */
void	give(uint64_t lease, const char *nexthop, int fd);	/* a job for one recipient, its content inline when fd is -1 */

#define TO_MAX	4

struct asked {
	enum tls_tag	 tls;
	bool		 null_path;
	const char	*to[TO_MAX];	/* {}: a@x.test */
};

void	give_as(uint64_t lease, const char *nexthop, const struct asked *, int fd);
void	say(enum deliver_frame, uint64_t lease);
void	rounds(int n);
void	run_until(const char *wanted);	/* `said` holds it (a result, or "END"); at most three seconds */
void	run_until_peers(unsigned n);	/* so many connections have come; at most three seconds */

#endif
