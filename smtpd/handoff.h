#ifndef SMTPD_HANDOFF_H
#define SMTPD_HANDOFF_H
/*
 * handoff — an mx worker passes a connection from a trusted network to a trusted worker, before a word was said.
 *
 * The frame says nothing but "here is a socket": the receiver asks the kernel who the peer is (getpeername) and decides itself.
 * An mx worker that was broken into can make sockets of its own, so the receiver also asks whether this is one that a listener
 * of ours accepted: what mx workers make (UDP of any address, TCP to a resolver) has another type or another port.
 */
#include "event/loop.h"
#include "ipc/channel.h"

#define HANDOFF_VERSION	1

enum handoff_frame { HANDOFF_NONE, HANDOFF_CONNECTION, HANDOFF_FRAME_COUNT };

struct handoff;

/* The fd is the callee's. */
typedef void handoff_fn(void *arg, int fd);

/* `fn` hears of connections that come; NULL on the side that only gives. */
struct handoff	*handoff_new(struct loop *, handoff_fn *, void *arg);
void		 handoff_free(struct handoff **);
void		 handoff_wire(struct handoff *, uint32_t number, int fd);	/* takes it; replaces the wire of that number */
/* A TCP connection at one of these local ports. */
bool		 handoff_is_accepted(int fd, const uint16_t *ports, size_t count);
/* Takes the fd and answers true; false: there is nobody to take it, and it is still the caller's. */
bool		 handoff_give(struct handoff *, int fd);

#endif
