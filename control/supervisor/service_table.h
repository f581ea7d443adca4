#ifndef SUPERVISOR_SERVICE_TABLE_H
#define SUPERVISOR_SERVICE_TABLE_H
/* service_table — who runs, how many, as whom, in which order, and which wires join them. */
#include <stdbool.h>
#include <stddef.h>

#include "conf/conf.h"
#include "wire/control.h"

struct service_row {
	const char	*name;		/* of its processes: this, and "-N" where there may be several */
	const char	*binary;	/* installed beside the others in the libexec folder */
	const char	*in_tree;	/* the same below a build tree */
	const char	*user;		/* when started as root; NULL: it stays root, without capabilities */
	enum wire_role	 role;
	bool		 several;
	unsigned	 rank;		/* started from 0 up, each rank when the one before serves; stopped from the top down */
	unsigned	 stop_share;	/* of the time for an orderly stop, in tenths */
	bool		 replaced;	/* at reload: a new process instead of PREPARE (its sandbox cannot widen) */
	uint32_t	(*count)(const struct conf *);
};

struct wire_row {
	enum wire_kind	kind;
	enum wire_role	asks, answers;
};

#define RANK_COUNT	5

extern const struct service_row	service_rows[];
extern const size_t		service_row_count;
extern const struct wire_row	wire_rows[];
extern const size_t		wire_row_count;

enum wire_role	listener_wire_role(enum listener_role);
bool		service_serves(const struct conf *, enum listener_role);	/* the configuration has such a listener */
/* "relay-1", or "queue". */
void		service_process_name(const struct service_row *, uint32_t instance, char out[PROCESS_NAME_MAX]);

#endif
