#ifndef PROC_LANDLOCK_H
#define PROC_LANDLOCK_H
/* landlock — the kernel's file and TCP rules, asked for by number because C libraries have no names for them yet. */
#include "proc/sandbox.h"

int	landlock_version(void);			/* 0: this kernel has none */
/* no_new_privs must be set. Rules that the kernel is too old for are left out; without Landlock nothing is done. */
int	landlock_enter(const struct sandbox_grant *, struct err *);

#endif
