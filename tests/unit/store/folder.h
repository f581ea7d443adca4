#ifndef UNIT_STORE_FOLDER_H
#define UNIT_STORE_FOLDER_H
/* folder — the files of the fixture's store, looked at and damaged from outside; names are relative to its directory. */
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

uint32_t files_in(const char *name);
void	empty_folder(const char *name);
void	flip(uint32_t segment, off_t offset);	/* one bit of the ring */
void	path_of(char out[200], const char *name);
bool	spool_file_of(uint64_t id, char out[200]);	/* the message's file; false: there is none */
uint32_t spool_files(void);		/* of small messages, all folders */
void	change_bytes(const char *name, off_t at, const void *, size_t len);
void	make_file(const char *name, const char *text);	/* anew */

#endif
