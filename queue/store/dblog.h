#ifndef STORE_DBLOG_H
#define STORE_DBLOG_H
/*
 * dblog — the log files of Berkeley DB, looked through before libdb reads them.
 *
 * libdb 5.3 takes the first record that fails its checksum for the log's end, and undoes what it
 * finds no commit for: a flipped bit takes confirmed changes back without a word. And it believes
 * the length in a log's head, and dies of a wrong one. Here a bad record with a valid one behind it
 * is damage; one with nothing behind it is the end that a power cut left. Sectors of one flush reach
 * the disk in any order, though: a record of which a whole sector is still zero, as the file was
 * made, was never synced, whatever lies behind it. Records with an empty sector by nature (images of
 * pages) are damaged if one changed byte explains it.
 *
 * A record: offset of the one before (4), its own length (4), checksum (4), body; numbers in the
 * machine's order. The checksum is the 33-fold hash of the body, xor'ed with the two numbers before it. A file
 * log.NNNNNNNNNN begins with a record of 28 bytes and is filled up with zeros.
 */
#include "base/err.h"
#include "base/slice.h"

/* All logs in this directory. -1: damaged, unreadable, or no memory; err says which. */
int	dblog_check(const char *path, struct err *);

/* One file, whole; `last`: no log comes behind it, so it may end with a torn record. -1: damaged. */
int	dblog_check_file(struct slice file, bool last);

#endif
