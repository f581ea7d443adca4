#ifndef MAIL_STATUS_H
#define MAIL_STATUS_H
/* status — an enhanced status code, RFC 3463: class (2, 4, 5), subject and detail (0-999). class 0: none. */
#include <stdint.h>

#include "base/slice.h"

#define STATUS_PRINT_SIZE	12	/* "5.999.999" and a NUL fit */

struct status {
	uint8_t		class;
	uint16_t	subject, detail;
};

#define STATUS(c, s, d)	((struct status){ (c), (s), (d) })

const char	*status_print(struct status, char out[STATUS_PRINT_SIZE]);	/* returns out */
/* Reads one at the front of `in` and drops it and one space behind it; -1: there is none (in unchanged). */
int		 status_take(struct slice *in, struct status *out);
bool		 status_valid(struct status);

#endif
