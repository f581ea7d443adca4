/*
 * status — RFC 3463 codes, printed and read.
 */
#include <stdio.h>

#include "mail/status.h"

#define PART_MAX	999

bool
status_valid(struct status s)
{
	return (s.class == 2 || s.class == 4 || s.class == 5) && s.subject <= PART_MAX && s.detail <= PART_MAX;
}

const char *
status_print(struct status s, char out[STATUS_PRINT_SIZE])
{
	snprintf(out, STATUS_PRINT_SIZE, "%u.%u.%u", s.class % 10u, s.subject % 1000u, s.detail % 1000u);
	return out;
}

/* One to three digits off the front; -1: none, or a fourth. */
static int
take_part(struct slice *in, uint16_t *out)
{
	size_t n = 0;
	unsigned value = 0;

	while (n < in->len && in->p[n] >= '0' && in->p[n] <= '9') {
		if (n == 3)
			return -1;
		value = value * 10 + (unsigned)(in->p[n++] - '0');
	}
	if (n == 0)
		return -1;
	slice_drop(in, n);
	*out = (uint16_t)value;
	return 0;
}

static int
take_dot(struct slice *in)
{
	if (in->len == 0 || in->p[0] != '.')
		return -1;
	slice_drop(in, 1);
	return 0;
}

int
status_take(struct slice *in, struct status *out)
{
	struct slice rest = *in;
	struct status s = { 0 };
	uint16_t class;

	if (take_part(&rest, &class) == -1 || (class != 2 && class != 4 && class != 5) || in->p[0] == '0')
		return -1;
	s.class = (uint8_t)class;
	if (take_dot(&rest) == -1 || take_part(&rest, &s.subject) == -1 ||
	    take_dot(&rest) == -1 || take_part(&rest, &s.detail) == -1)
		return -1;
	if (rest.len > 0) {
		if (rest.p[0] != ' ')
			return -1;
		slice_drop(&rest, 1);
	}
	*in = rest;
	*out = s;
	return 0;
}
