#ifndef IPC_WRITER_H
#define IPC_WRITER_H
/*
 * writer — typed fields, one after another, little-endian, into a buf. Failure is sticky (the buf's
 * flag). The same encoding serves frames between processes and records on disk.
 */
#include <stdint.h>

#include "base/buf.h"

void	put_u8(struct buf *, uint8_t);
void	put_u16(struct buf *, uint16_t);
void	put_u32(struct buf *, uint32_t);
void	put_u64(struct buf *, uint64_t);
void	put_i64(struct buf *, int64_t);
void	put_bool(struct buf *, bool);
void	put_slice(struct buf *, struct slice);		/* u32 length, bytes */
void	put_str(struct buf *, const char *);		/* NULL is the empty string */

#endif
