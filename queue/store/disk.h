#ifndef STORE_DISK_H
#define STORE_DISK_H
/*
 * disk — the calls that make or unmake something on disk, each with its fault point.
 *
 * Whole or failed: short counts and EINTR end here. Nothing else in the store writes, syncs,
 * renames or unlinks.
 */
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

#include "base/err.h"
#include "base/fault.h"

#define DISK_BLOCK	4096u		/* no two batches share one */

/* A numbered step of docs/SPOOL.md: a test may end the process here. */
#define STEP(name)	((void)fault_at("step-" name))

static inline uint64_t
disk_round(uint64_t n)
{
	return (n + DISK_BLOCK - 1) / DISK_BLOCK * DISK_BLOCK;
}

int	disk_open(int dir, const char *name, int flags, struct err *);	/* 0600, close-on-exec */
int	disk_mkdir(int dir, const char *name, struct err *);		/* 0700; one that is there is fine */
int	disk_write(int fd, const void *, size_t, uint64_t at, struct err *);
int	disk_writev(int fd, const struct iovec *, size_t n, uint64_t at, struct err *);	/* any n */
int	disk_read(int fd, void *, size_t, uint64_t at, struct err *);	/* a short file is an error */
int	disk_zero(int fd, uint64_t from, uint64_t to, struct err *);
int	disk_sync_data(int fd, struct err *);				/* fdatasync: no metadata changed */
int	disk_sync(int fd, struct err *);				/* fsync: files that grew, directories */
int	disk_sync_system(int fd, struct err *);				/* syncfs: the file system that fd is on */
void	disk_start_writing(int fd);					/* a hint: its data will be synced soon */
int	disk_rename(int dir, const char *from, const char *to, struct err *);
int	disk_unlink(int dir, const char *name, struct err *);
int	disk_link(int from_dir, const char *from, int dir, const char *name, struct err *);	/* code EEXIST: it is there */

#endif
