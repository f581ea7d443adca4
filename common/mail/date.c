/*
 * date — RFC 5322 3.3, printed.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "mail/date.h"

#define YEAR_1		(-62135596800)	/* 1 January of year 1 */
#define YEAR_9999	253402300799	/* the last second of year 9999 */
#define ZONE_MOST	(23 * 60 + 59)

static const char days[][4] = { "Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat" };
static const char months[][4] = {
	"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"
};

static int64_t
clamp(int64_t value, int64_t least, int64_t most)
{
	return value < least ? least : value > most ? most : value;
}

const char *
date_print_zone(int64_t seconds, int zone, char out[DATE_PRINT_SIZE])
{
	time_t shown;
	struct tm tm;

	zone = (int)clamp(zone, -ZONE_MOST, ZONE_MOST);
	shown = (time_t)clamp(clamp(seconds, YEAR_1, YEAR_9999) + zone * 60, YEAR_1, YEAR_9999);
	if (gmtime_r(&shown, &tm) == NULL)
		tm = (struct tm){ .tm_mday = 1, .tm_year = 70, .tm_wday = 4 };
	/* Precisions and remainders change nothing: they show the compiler that every field fits. */
	snprintf(out, DATE_PRINT_SIZE, "%.3s, %u %.3s %04u %02u:%02u:%02u %c%02u%02u",
	    days[(unsigned)tm.tm_wday % 7], (unsigned)tm.tm_mday % 32, months[(unsigned)tm.tm_mon % 12], (unsigned)(tm.tm_year + 1900) % 10000,
	    (unsigned)tm.tm_hour % 24, (unsigned)tm.tm_min % 60, (unsigned)tm.tm_sec % 61, zone < 0 ? '-' : '+',
	    (unsigned)abs(zone) / 60 % 100, (unsigned)abs(zone) % 60);
	return out;
}

const char *
date_print(int64_t seconds, char out[DATE_PRINT_SIZE])
{
	time_t t = (time_t)clamp(seconds, YEAR_1, YEAR_9999);
	struct tm tm;
	int zone = 0;

	if (localtime_r(&t, &tm) != NULL)
		zone = (int)(tm.tm_gmtoff / 60);
	return date_print_zone(seconds, zone, out);
}
