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

struct text_file	*text_file_new(const char *path);	/* NULL: no memory; nothing is read yet */
void			 text_file_free(struct text_file **);
/* 1: it was read (first, or again), and older slices of it are void; 0: as it was; -1: err, and there is no text. */
int			 text_file_refresh(struct text_file *, struct err *);
void			 text_file_forget(struct text_file *);	/* the next refresh reads it again */
struct slice		 text_file_text(const struct text_file *);	/* ends with a newline; empty before a good refresh */
uint64_t		 text_file_stamp(const struct text_file *);	/* of the version in memory; the same in every process */
const char		*text_file_path(const struct text_file *);
size_t			 text_file_lines(const struct text_file *);	/* newlines in it */

#endif
