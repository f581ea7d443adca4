#ifndef IPC_READER_H
#define IPC_READER_H
/*
 * reader — typed fields back out of bytes that may be hostile.
 *
 * Sticky: after the first bad field every get_ yields zero, and reader_end
 * says so. Slices are borrowed from the frame. Each length is checked
 * against the caller's maximum and against what is left before it is used.
 */
#include <stdint.h>

#include "base/arena.h"
#include "base/slice.h"

struct reader {
	struct slice	in;
	bool		bad;
};

struct reader	reader_of(struct slice);
uint8_t		get_u8(struct reader *);
uint16_t	get_u16(struct reader *);
uint32_t	get_u32(struct reader *);
uint64_t	get_u64(struct reader *);
int64_t		get_i64(struct reader *);
uint64_t	get_number(struct reader *);			/* u64 that names something: 0 is bad */
bool		get_bool(struct reader *);			/* 0 or 1; anything else is bad */
uint32_t	get_count(struct reader *, uint32_t max, size_t least);	/* u32; each item takes >= least bytes */
struct slice	get_slice(struct reader *, size_t max);
/* An enum written as u8: refuses 0 (every ..._NONE) and anything >= count. get_enum0 allows 0. */
unsigned	get_enum(struct reader *, unsigned count);
unsigned	get_enum0(struct reader *, unsigned count);
void		reader_fail(struct reader *);			/* the caller found a field's value bad */
/* 0 when every field was good and nothing is left over; else -1. */
int		reader_end(struct reader *);

#endif
