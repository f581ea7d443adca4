#ifndef PROC_SANDBOX_PRIVATE_H
#define PROC_SANDBOX_PRIVATE_H
/* sandbox_private — between sandbox.c and its proof. */
#include "proc/calls.h"
#include "proc/sandbox.h"

unsigned	sandbox_groups(enum sandbox);
int		sandbox_enter_with(enum sandbox, const struct sandbox_grant *, enum calls_verdict, struct err *);

#endif
