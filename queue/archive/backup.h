#ifndef ARCHIVE_BACKUP_H
#define ARCHIVE_BACKUP_H
/* backup — the queue as it is now, copied while it runs. */

/* FD DIR. The descriptor is a connection to the queue's socket for tools. Returns the exit status after saying what is wrong. */
int	backup(int argc, char **argv);

#endif
