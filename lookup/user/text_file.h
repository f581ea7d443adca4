#ifndef LOOKUP_TEXT_FILE_H
#define LOOKUP_TEXT_FILE_H
/*
 * text_file — a file of lines, whole in memory and read again when it has changed.
 *
 * One that is missing, unreadable, empty, larger than TEXT_FILE_MAX or without a newline at its end (being written?) is an
 * error as a whole and never "nothing in it": write a new file and rename it over the old one. Blocks; workers only.
 */
#include <stdint.h>

#include "base/err.h"
#include "base/slice.h"

#define TEXT_FILE_MAX	(16 * 1024 * 1024)

struct text_file;

/* What a table of lines does with a new version of its file. Slices of a version live until the next `clear`. */
struct text_lines {
	void	(*clear)(void *arg);			/* of what the last version said nothing counts any more */
	int	(*begin)(void *arg, size_t lines);	/* at most so many will come; -1: no memory */
	int	(*line)(void *arg, struct slice line, size_t number);	/* -1: no memory */
};

struct text_file	*text_file_new(const char *path);	/* NULL: no memory; nothing is read yet */
void			 text_file_free(struct text_file **);
/* 1: it was read (first, or again), line by line; 0: as it was; -1: err, nothing counts, and the next refresh reads it again. */
int			 text_file_refresh(struct text_file *, const struct text_lines *, void *arg, struct err *);
uint64_t		 text_file_stamp(const struct text_file *);	/* of the version in memory; the same in every process */
const char		*text_file_path(const struct text_file *);

#endif
