#ifndef CONF_INCLUDE_H
#define CONF_INCLUDE_H
/*
 * include — which files a configuration consists of, and their bytes. Private to conf.
 */
#include "conf/report.h"
#include "conf/source.h"

#define INCLUDE_FILES_MAX	256
#define INCLUDE_DEPTH_MAX	8
#define INCLUDE_FILE_SIZE	(1024 * 1024)

struct include_file {
	const char	*path;
	struct place	 from;		/* who named it; file NULL: the main one */
	uint32_t	 depth;
	uint64_t	 device, inode;	/* once read */
};

struct include_files {
	uint32_t		count;
	struct include_file	v[INCLUDE_FILES_MAX];
};

void	 include_init(struct include_files *, const char *main_file);	/* borrows the name */
/* Adds what the pattern names, in order of name. A relative one counts from the folder of file
 * `from`. A pattern with a wildcard may name nothing; a plain name must exist. */
void	 include_pattern(struct include_files *, uint32_t from, const char *pattern, struct place, struct arena *,
	     struct conf_report *);
/* The file's text (mem_free it), or NULL after a report: only regular files, not too large,
 * without NUL, each once. */
char	*include_read(struct include_files *, uint32_t index, struct conf_report *);

#endif
