#ifndef PROC_FILES_H
#define PROC_FILES_H
/*
 * files — what a configuration names and its process could not open itself: certificates, keys. The supervisor opens them and passes
 * descriptors (FILE of wire/control.h).
 */
#include "base/buf.h"
#include "base/err.h"
#include "wire/control.h"

#define FILES_MAX	256
#define FILE_BYTES_MAX	(256 * 1024)	/* of a certificate or key */
#define AUTHORITIES_MAX	(4 * 1024 * 1024)
#define FILE_BLOCK	4096		/* what a buffer needs beyond the size of what is read into it */

struct files {
	uint32_t	count;
	struct {
		enum passed	kind;
		uint32_t	number;
		int		fd;
	} v[FILES_MAX];
};

/* Takes fd. -1: too many. */
int	files_add(struct files *, const struct control_file *, int fd);
void	files_close(struct files *);
bool	files_have(const struct files *, enum passed, uint32_t number);
/* The whole file behind what `out` holds. -1: err (it was not given, or `out` takes no more, or it cannot be read). */
int	files_read(const struct files *, enum passed, uint32_t number, struct buf *out, struct err *);

#endif
