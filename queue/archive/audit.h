#ifndef ARCHIVE_AUDIT_H
#define ARCHIVE_AUDIT_H
/* audit — the queue's disk against the log: is every accepted recipient somewhere? */

/* QUEUE LOG... Exit status: 0, 1 when somebody is missing or nobody knows whence a message came; others as in <sysexits.h>. */
int	audit(int argc, char **argv);

#endif
