/* fuzz_dns_answer — the first byte chooses the type that was asked; the rest is the message. */
#include <stdlib.h>

#include "net/answer.h"

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	static const enum dns_type types[] = { DNS_A, DNS_AAAA, DNS_MX, DNS_CNAME };
	struct dns_record room[DNS_RECORDS_MAX];
	struct dns_answer answer;

	if (len == 0)
		return 0;
	dns_answer_parse(slice_of(bytes + 1, len - 1), SLICE_LIT("example.org"), types[bytes[0] % 4], room, &answer);
	if (answer.result <= DNS_NONE || answer.result >= DNS_RESULT_COUNT || answer.count > DNS_RECORDS_MAX)
		abort();
	if (answer.result != DNS_FOUND && answer.count > 0)
		abort();
	for (unsigned i = 0; i < answer.count; i++) {
		if (answer.records[i].name[0] != '\0' && !dns_name_valid(slice_str(answer.records[i].name)))
			abort();
	}
	return 0;
}
