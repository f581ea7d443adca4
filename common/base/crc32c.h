#ifndef BASE_CRC32C_H
#define BASE_CRC32C_H
/*
 * crc32c — the Castagnoli checksum (RFC 3720 B.4), by the processor's instruction where it has one.
 *
 * Start with crc = 0 and feed the pieces in order.
 */
#include <stddef.h>
#include <stdint.h>

uint32_t	crc32c(uint32_t crc, const void *, size_t);

#endif
