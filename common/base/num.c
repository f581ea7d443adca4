/*
 * num — strict decimal numbers. Pure.
 */
#include "base/num.h"

int
num_parse(struct slice s, uint64_t max, uint64_t *out)
{
	uint64_t n = 0;

	if (s.len == 0 || s.len > 20)
		return -1;
	for (size_t i = 0; i < s.len; i++) {
		uint64_t digit = (uint64_t)((unsigned char)s.p[i] - '0');

		if ((unsigned char)s.p[i] < '0' || digit > 9)
			return -1;
		if (n > (UINT64_MAX - digit) / 10)
			return -1;
		n = n * 10 + digit;
	}
	if (n > max)
		return -1;
	*out = n;
	return 0;
}
