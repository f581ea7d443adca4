#ifndef LOGGER_LOGGER_H
#define LOGGER_LOGGER_H
/*
 * logger — owns the sources and the sink: datagrams in, lines out.
 *
 * It works at most once in LOGGER_REST_MS: lines of that while leave
 * together, and a busy posthorn pays little for its log. Whoever logs never
 * waits for it: its socket fills, and what does not fit is counted there.
 */
#include "control/logger/sink.h"
#include "control/logger/source.h"
#include "proc/service.h"

#define LOGGER_REST_MS	4

struct logger {
	struct loop		*loop;
	struct line_style	 style;
	bool			 json;
	struct sink		 sink;
	struct inbox		*inbox;
	struct source_list	 sources;
	struct hook		 round;
	uint64_t		 lines;		/* written or dropped so far */
};

/* Before the sandbox: opens the target, with the rights of `as` (sink.h). */
int	logger_open(struct logger *, const struct conf *, const struct account *as, struct err *);
int	logger_start(struct logger *, struct loop *, struct err *);
void	logger_add(struct logger *, enum wire_role, uint32_t number, int fd);	/* takes fd */
void	logger_datagram(struct logger *, const struct line_source *, struct slice);
void	logger_close(struct logger *);		/* reads what still waits, writes it */
void	logger_status(const struct logger *, struct buf *out);

#endif
