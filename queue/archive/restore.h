#ifndef ARCHIVE_RESTORE_H
#define ARCHIVE_RESTORE_H
/* restore — a backup becomes a queue again, while posthorn is stopped. */

/* QUEUE DIR. Returns the exit status after saying what is wrong. */
int	restore(int argc, char **argv);

#endif
