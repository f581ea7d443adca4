#ifndef PROC_EVIL_H
#define PROC_EVIL_H
/*
 * evil — a process as somebody who broke into it would use it: for tests of what that one then cannot do.
 *
 * Compiled in with --enable-evil and never in a release (tests/system/test_release.py looks); elsewhere each of these is nothing.
 * The environment POSTHORN_EVIL names a folder. A process for whose name a socket lies there connects to it while it may, hears which
 * of its wires to keep from the rest of the program, and once it is in its sandbox does what it is told, one order a datagram:
 * system calls (tests/evil/attacks.h), bytes on its wires, the wires themselves (tests/evil/evil.c).
 */
#include <stdbool.h>

#include "event/loop.h"
#include "wire/control.h"

#ifdef POSTHORN_EVIL
/* Before the sandbox. */
void	evil_open(const char *name);
/* From now on orders are obeyed. A mistake of the test's ends the process: better loud than untested. */
void	evil_serve(struct loop *);
/* The same without a loop, until the order "go on". */
void	evil_obey(void);
/* A descriptor has come; true: it is evil's, and the program never sees it. `fd` is borrowed otherwise. */
bool	evil_takes(const struct control_wire *, int fd);
void	evil_knows(const char *name, int fd);
#else
static inline void evil_open(const char *name) { (void)name; }
static inline void evil_serve(struct loop *loop) { (void)loop; }
static inline void evil_obey(void) { }
static inline bool evil_takes(const struct control_wire *wire, int fd) { (void)wire; (void)fd; return false; }
static inline void evil_knows(const char *name, int fd) { (void)name; (void)fd; }
#endif

#endif
