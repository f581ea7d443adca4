#ifndef CRASH_SCRATCH_H
#define CRASH_SCRATCH_H
/* scratch — directories of a crash program's own, and the children that die in them. */

void	scratch_make(char path[64]);
void	scratch_remove(const char *path);
int	child_run(void (*fn)(void *), void *arg);	/* wait status */
void	quiet(void);					/* no log lines */

#endif
