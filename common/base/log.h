#ifndef BASE_LOG_H
#define BASE_LOG_H
/*
 * log — words for the postmaster about ourselves; the one mutable global of the house.
 *
 * Lines go to a sink: stderr until the process has its log wire (wire/log.h installs itself).
 * Lines about mail (client=, status=sent) are events with fields and are made in wire/log.h.
 * Text that strangers sent passes through fmt_escape first.
 */
#include <stdbool.h>

#include "base/slice.h"

enum log_level { LOG_LEVEL_NONE, LOG_LEVEL_ERROR, LOG_LEVEL_WARN, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG, LOG_LEVEL_COUNT };

typedef void log_sink(enum log_level, struct slice text, void *arg);

void	log_open(const char *ident);		/* "smtpd"; shown by the stderr sink */
void	log_sink_set(log_sink *, void *arg);	/* NULL: back to stderr */
void	log_level_set(enum log_level most);	/* what is above is not even formatted */
bool	log_wants(enum log_level);

void	log_error(const char *, ...) __attribute__((format(printf, 1, 2)));
void	log_warn(const char *, ...) __attribute__((format(printf, 1, 2)));
void	log_info(const char *, ...) __attribute__((format(printf, 1, 2)));
void	log_debug(const char *, ...) __attribute__((format(printf, 1, 2)));

/* Ends the process with status 78 (EX_CONFIG) after one
 * line. For start-up only, before anything is promised. */
_Noreturn void fatal(const char *, ...) __attribute__((format(printf, 1, 2)));

#endif
