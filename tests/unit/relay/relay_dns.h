#ifndef UNIT_RELAY_RELAY_DNS_H
#define UNIT_RELAY_RELAY_DNS_H
/* relay_dns — the names that test_relay.c sends mail to: one for each kind of answer that decides a message's way. */
#include "tests/unit/relay/table_dns.h"

static const struct dns_row dns_rows[] = {
	{ "two.test", DNS_MX, 0, "20 mx2.test" }, { "two.test", DNS_MX, 0, "10 mx1.test" },
	{ "dead.test", DNS_MX, 0, "10 mx3.test" }, { "dead.test", DNS_MX, 0, "20 mx2.test" },
	{ "implicit.test", DNS_A, 0, "127.0.0.1" },
	{ "null.test", DNS_MX, 0, "0 ." },
	{ "trouble.test", DNS_MX, 2, NULL },
	{ "mxtrouble.test", DNS_MX, 0, "10 broken.test" }, { "broken.test", DNS_A, 2, NULL }, { "broken.test", DNS_AAAA, 2, NULL },
	{ "halftrouble.test", DNS_MX, 0, "10 broken.test" }, { "halftrouble.test", DNS_MX, 0, "20 mx1.test" },
	{ "nohost.test", DNS_MX, 0, "10 nowhere.test" },
	{ "oddhost.test", DNS_MX, 0, "10 odd.test" }, { "odd.test", DNS_A, 0, "no address" },
	{ "me.test", DNS_MX, 0, "10 me.test" },
	{ "mine.test", DNS_MX, 0, "10 mx4.test" }, { "mine.test", DNS_MX, 0, "20 mx1.test" },
	{ "mx1.test", DNS_A, 0, "127.0.0.1" }, { "mx2.test", DNS_A, 0, "127.0.0.2" }, { "mx3.test", DNS_A, 0, "127.0.0.3" },
	{ "mx4.test", DNS_A, 0, "127.0.0.4" },
	{ "twins.test", DNS_A, 0, "127.0.0.1" }, { "twins.test", DNS_A, 0, "127.0.0.2" },
	{ "unsure.test", DNS_A, 0, "127.0.0.1" }, { "unsure.test", DNS_AAAA, 2, NULL },
	/* more than a host has room for: the last one is not seen */
	{ "nine.test", DNS_A, 0, "127.0.0.1" }, { "nine.test", DNS_A, 0, "127.0.0.1" }, { "nine.test", DNS_A, 0, "127.0.0.1" }, { "nine.test", DNS_A, 0, "127.0.0.1" },
	{ "nine.test", DNS_A, 0, "127.0.0.1" }, { "nine.test", DNS_A, 0, "127.0.0.1" }, { "nine.test", DNS_A, 0, "127.0.0.1" }, { "nine.test", DNS_A, 0, "127.0.0.1" },
	{ "nine.test", DNS_A, 0, "127.0.0.2" },
	{ "half.test", DNS_A, 0, "127.0.0.3" }, { "half.test", DNS_A, 0, "127.0.0.1" },
	{ .name = NULL },
};

#endif
