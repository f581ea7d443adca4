#ifndef INTAKE_SUBMIT_H
#define INTAKE_SUBMIT_H
/*
 * submit — the wires on which smtpd hands us messages, and what each of them may claim.
 *
 * The wire's role comes from the supervisor. Ids are leased in blocks; an id that was never leased to this wire, or was used
 * already, costs the wire; one of an earlier life of queue is answered "try later".
 */
#include "event/loop.h"
#include "queue/message.h"
#include "wire/control.h"
#include "wire/submit.h"

struct submits;
struct submit_reply;		/* whom to answer, once */

struct submits_ops {
	/* A well-formed message with a good id; the owner checks the claim, commits, and answers. Takes the message. The token
	 * is what smtpd says who has sent it. */
	void	(*message)(void *arg, enum wire_role, const struct auth_token *, struct message *, uint32_t large_crc, struct submit_reply *);
	/* A client asks for the mail of its domain: VERDICT_STARTED, or why not. */
	enum submit_verdict (*flush)(void *arg, enum wire_role, const struct auth_token *, struct slice domain);
	/* Ids that nobody had before. -1: none to be had now. */
	int	(*ids)(void *arg, uint32_t count, uint64_t *first);
	/* A write-only descriptor for a large content, or -1 (no space, disk trouble). */
	int	(*large_file)(void *arg, uint64_t id);
	void	(*large_drop)(void *arg, uint64_t id);
};

struct submits	*submits_new(struct loop *, const struct submits_ops *, void *arg, struct err *);
void		 submits_free(struct submits **);
int		 submits_attach(struct submits *, enum wire_role, uint32_t number, int fd, struct err *);	/* takes the fd */
/* Tells every smtpd what mail is welcome; where nothing large is, none asks for a file in vain. */
void		 submits_room(struct submits *, enum submit_room);
size_t		 submits_large(const struct submits *);		/* contents that are being written to files */
/* Answers and frees; the wire may be gone by now: then nothing is said. */
void		 submit_answer(struct submit_reply **, enum submit_verdict, struct slice text);
/* The same, and when it would be taken. */
void		 submit_answer_wait(struct submit_reply **, enum submit_verdict, uint32_t wait_s, struct slice text);

#endif
