/* pam_peer — see pam_peer.h. It is believed about who may come in, for that is what it is for, but not about what it was asked. */
#include "lookup/password/pam_peer.h"

#include <assert.h>

#include "base/log.h"
#include "base/mem.h"
#include "ipc/channel.h"
#include "lookup/pam/wire.h"

struct pam_peer {
	struct loop		*loop;
	struct pam_peer_ops	 ops;
	struct channel		*channel;	/* NULL: away */
	struct hook		 idle_hook;
	uint32_t		 count;
	uint32_t		 asked[PAM_QUESTIONS_MAX];	/* and not answered */
};

static void
tell_idle(void *arg)
{
	struct pam_peer *p = arg;

	p->ops.idle(p->ops.arg);
}

/* What it was asked will not be answered any more. */
static void
hang_up(struct pam_peer *p)
{
	const struct check_answer trouble = { .result = SASL_TROUBLE, .why = SLICE_LIT("the process pam is away") };

	channel_close(&p->channel);
	while (p->count > 0)
		p->ops.answer(p->ops.arg, p->asked[--p->count], &trouble);
	loop_at_end(p->loop, &p->idle_hook, tell_idle, p);
}

static int
on_stepped(void *arg, struct reader *in, int fd)
{
	struct pam_peer *p = arg;
	struct pam_verdict verdict;
	uint32_t i = 0;

	(void)fd;
	if (pam_verdict_get(in, &verdict) == -1)
		return -1;
	while (i < p->count && p->asked[i] != verdict.id)
		i++;
	if (i == p->count)
		return -1;
	p->asked[i] = p->asked[--p->count];
	p->ops.answer(p->ops.arg, verdict.id, &verdict.answer);
	loop_at_end(p->loop, &p->idle_hook, tell_idle, p);
	return 0;
}

static const struct frame_handler handlers[PAM_WIRE_FRAME_COUNT] = {
	[PAM_WIRE_STEPPED] = { "STEPPED", on_stepped, false },
};

static void
on_end(void *arg, const char *why)
{
	log_warn("the process pam: %s; nobody can log in until it is back", why);
	hang_up(arg);
}

static const struct channel_ops ops = {
	.wire = PAM_WIRE, .version = PAM_WIRE_VERSION, .handlers = handlers, .handler_count = PAM_WIRE_FRAME_COUNT, .secret = true,
	.on_end = on_end,
};

struct pam_peer *
pam_peer_new(struct loop *loop, const struct pam_peer_ops *peer_ops)
{
	struct pam_peer *p = mem_zalloc(sizeof(*p));

	if (p == NULL)
		return NULL;
	p->loop = loop;
	p->ops = *peer_ops;
	return p;
}

void
pam_peer_free(struct pam_peer **pp)
{
	struct pam_peer *p = *pp;

	*pp = NULL;
	if (p == NULL)
		return;
	channel_close(&p->channel);
	loop_hook_cancel(p->loop, &p->idle_hook);
	mem_free(p);
}

void
pam_peer_wire(struct pam_peer *p, int fd)
{
	struct err err;

	hang_up(p);
	if ((p->channel = channel_open(p->loop, fd, &ops, p, &err)) == NULL)
		log_error("%s", err.text);
}

bool
pam_peer_here(const struct pam_peer *p)
{
	return p->channel != NULL;
}

bool
pam_peer_ready(const struct pam_peer *p, uint32_t most)
{
	return p->channel != NULL && p->count < most && p->count < PAM_QUESTIONS_MAX;
}

void
pam_peer_ask(struct pam_peer *p, uint32_t id, const struct sasl_said *said)
{
	assert(p->channel != NULL && p->count < PAM_QUESTIONS_MAX);
	p->asked[p->count++] = id;
	pam_question_put(channel_begin(p->channel, PAM_WIRE_STEP), &(struct pam_question){ id, *said });
	/* On failure the channel tells its end. */
	(void)channel_end(p->channel);
}
