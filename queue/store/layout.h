#ifndef STORE_LAYOUT_H
#define STORE_LAYOUT_H
/* layout — the queue directory itself: is it ours, is it a store, may one be made here. */
#include <stdbool.h>

#include "base/err.h"

/* Opens and locks it. *dir, *lock: descriptors. -1: err says what is wrong and what would help. */
int	layout_open(const char *path, int *dir, int *lock, struct err *);
/* Only the lock of a directory that is open; `create`: where there is none yet. Gives a descriptor; the lock lives as long. */
int	layout_lock(int dir, const char *path, bool create, struct err *);
/* No STORE was found: may a store be made? Only if nothing but the beginnings of one is there. */
int	layout_check_new(int dir, struct err *);
/* The directories of a store; those that are there are fine. */
int	layout_make(int dir, struct err *);

#endif
