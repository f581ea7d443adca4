#ifndef BASE_FD_H
#define BASE_FD_H
/* fd — descriptors: closing, flags, whole reads and writes. */
#include <stddef.h>
#include <sys/types.h>

#include "base/err.h"

void	fd_close(int *);				/* closes if >= 0 and leaves -1; keeps errno */
int	fd_nonblock(int);				/* -1: errno */
int	fd_cloexec(int);
/* Blocking; EINTR and short counts are dealt with. -1: errno. */
int	fd_write_all(int, const void *, size_t);
int	fd_pwrite_all(int, const void *, size_t, off_t);
/* How many bytes came before the end of file; -1: errno. */
ssize_t	fd_read_full(int, void *, size_t);
ssize_t	fd_pread_full(int, void *, size_t, off_t);
/* A memfd with these bytes, sealed against every change; the reader may map or pread it. -1: err. */
int	fd_sealed(const char *name, const void *, size_t, struct err *);

#endif
