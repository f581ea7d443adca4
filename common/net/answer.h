#ifndef NET_ANSWER_H
#define NET_ANSWER_H
/*
 * answer — a DNS message taken apart within limits (RFC 1035, 2308, 7505), and the question that it answers.
 *
 * Pure: bytes in, values out; no clock, no socket. Whatever the bytes are, the walk touches each record once, follows at most
 * DNS_CHAIN_MAX aliases, keeps at most DNS_RECORDS_MAX records and reads nothing behind the end.
 */
#include "net/sockaddr.h"

#define DNS_NAME_SIZE		256	/* 253 characters, a NUL, and room to spare */
#define DNS_RECORDS_MAX		64	/* kept; of more MX records the best preferences stay */
#define DNS_CHAIN_MAX		8	/* CNAMEs followed */
#define DNS_QUESTION_MAX	300	/* bytes of a question with EDNS */
#define DNS_TTL_MAX		86400u	/* a longer promise is not believed */

enum dns_type { DNS_A = 1, DNS_CNAME = 5, DNS_SOA = 6, DNS_MX = 15, DNS_AAAA = 28 };

enum dns_result {
	DNS_NONE,
	DNS_FOUND,		/* there are records of that type (for MX perhaps only unusable ones: `unusable`) */
	DNS_NO_DATA,		/* the name exists, the type does not */
	DNS_NO_NAME,		/* NXDOMAIN */
	DNS_TEMPORARY,		/* anything else: servers in trouble, silence, nonsense. Never "no" */
	DNS_RESULT_COUNT
};

struct dns_record {
	struct sockaddress	address;	/* A, AAAA; port 0 */
	uint16_t		preference;	/* MX */
	char			name[DNS_NAME_SIZE];	/* MX: the exchange, lower case, no final dot; "" is the root (null MX) */
};

struct dns_answer {
	enum dns_result		 result;
	uint8_t			 rcode;		/* as it came, for words; 0 also when nothing came */
	bool			 authentic;	/* the AD bit: worth something only from a server that is trusted */
	bool			 format_error;	/* FORMERR: a server that may not know EDNS */
	uint16_t		 unusable;	/* records of the type whose data is no host name or address */
	uint16_t		 count;
	uint32_t		 ttl;		/* seconds this may be kept; 0: do not */
	struct dns_record	*records;	/* whose, the holder says */
};

/* A host name as MX and A are asked for: labels of 1-63 letters, digits, '-' and '_' (seen in the wild), 253 in all. */
bool	dns_name_valid(struct slice);

/* A recursive question with the AD bit set (so that the answer may carry it), with EDNS 1232 unless `plain`. The length, or -1:
 * the name is not valid or `size` too small. */
int	dns_question(struct slice name, enum dns_type, uint16_t id, bool plain, uint8_t *out, size_t size);

/* Walks `bytes` as the answer to that question; records go to `room` (DNS_RECORDS_MAX of them), to which out->records then points.
 * Never fails: what is malformed or answers another question is DNS_TEMPORARY. */
void	dns_answer_parse(struct slice bytes, struct slice name, enum dns_type, struct dns_record *room,
	    struct dns_answer *out);

const char	*dns_type_name(enum dns_type);
const char	*dns_result_words(const struct dns_answer *);	/* "Host not found", for outcomes and logs */

#endif
