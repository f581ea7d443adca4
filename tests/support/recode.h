#ifndef SUPPORT_RECODE_H
#define SUPPORT_RECODE_H
/*
 * recode — every frame of the wires, read and written again; for unit tests and fuzz targets.
 *
 * One value has one encoding, so whatever a get accepts must come out of its put as the same bytes: that finds
 * fields that are forgotten, cut or changed on the way, for every input a fuzzer can think of.
 */
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "ipc/reader.h"

struct recode {
	const char	*name;
	int		(*fn)(struct reader *, struct arena *, struct buf *out);	/* -1: the get refused */
};

extern const struct recode recode_submit[], recode_lookup[], recode_deliver[], recode_spawn[], recode_control[],
    recode_key[], recode_fields[], recode_auth[];
extern const size_t recode_submit_count, recode_lookup_count, recode_deliver_count, recode_spawn_count,
    recode_control_count, recode_key_count, recode_fields_count, recode_auth_count;

/* 0: accepted, and the same bytes came out; -1: refused; 1: accepted, but other bytes came out. */
int	recode_run(const struct recode *, struct slice bytes);
/* A fuzz target's body: the first byte chooses the row. Ends the process when the same bytes do not come out. */
void	recode_fuzz(const struct recode *, size_t rows, const uint8_t *, size_t);

#endif
