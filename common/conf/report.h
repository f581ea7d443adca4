#ifndef CONF_REPORT_H
#define CONF_REPORT_H
/*
 * report — what is wrong with a configuration, all of it: lines of `file:line: setting: what is
 * wrong, what would be right`.
 */
#include "base/buf.h"

#define REPORT_MAX		(64 * 1024)	/* bytes of lines kept */
#define REPORT_MISTAKES_MAX	200		/* lines kept */

struct conf_report {
	struct buf	lines;		/* each ends with LF */
	uint32_t	mistakes;	/* also those for which there was no room */
};

void	conf_report_init(struct conf_report *);
void	conf_report_fini(struct conf_report *);
/* file NULL: none; line 0: none; setting NULL: none. The same line twice is told once. */
void	conf_report_add(struct conf_report *, const char *file, uint32_t line, const char *setting, const char *, ...)
	    __attribute__((format(printf, 5, 6)));

#endif
