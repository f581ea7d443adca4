#ifndef MAIL_DATE_H
#define MAIL_DATE_H
/* date — a moment as RFC 5322 3.3 prints it: "Mon, 23 Nov 2026 05:46:05 +0100". English names, whatever the locale. */
#include <stdint.h>

#define DATE_PRINT_SIZE	40

/* Seconds since 1970 UTC, shown at `zone` minutes east of UTC. Years 1 to 9999; beyond, the nearest of those is shown. Returns out. */
const char	*date_print_zone(int64_t seconds, int zone, char out[DATE_PRINT_SIZE]);
/* The same in the machine's own zone. A process without files calls tzset() before its sandbox. */
const char	*date_print(int64_t seconds, char out[DATE_PRINT_SIZE]);

#endif
