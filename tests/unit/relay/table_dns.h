#ifndef UNIT_RELAY_TABLE_DNS_H
#define UNIT_RELAY_TABLE_DNS_H
/* table_dns — a DNS server on the test's own loop that knows a table and nothing else. */
#include "event/loop.h"
#include "net/answer.h"

struct dns_row {		/* the table ends with a NULL name */
	const char	*name;
	enum dns_type	 type;
	unsigned	 rcode;		/* not 0: that is the answer */
	const char	*data;		/* "192.0.2.1", "10 mx.example"; "0 ." is the null MX; NULL: no data */
};

struct table_dns {
	int			 fd;
	struct watch		 watch;
	const struct dns_row	*rows;		/* several rows of one name and type are one answer; no row: NXDOMAIN */
	unsigned		 questions;
	struct sockaddress	 address;
};

void	table_dns_start(struct table_dns *, struct loop *, const struct dns_row *);
void	table_dns_stop(struct table_dns *);

#endif
