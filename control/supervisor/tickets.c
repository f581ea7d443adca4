/* tickets — see tickets.h. */
#include "control/supervisor/tickets.h"

#include "base/random.h"

#define ROTATION_MS	INT64_C(3600000)

static const enum wire_role roles[] = { ROLE_MX, ROLE_TRUSTED, ROLE_SUBMISSION };

static void
draw(struct control_tickets *t)
{
	memmove(t->keys[1], t->keys[0], CONTROL_TICKET_KEY);
	random_bytes(t->keys[0], CONTROL_TICKET_KEY);
	if (t->count < CONTROL_TICKET_KEYS)
		t->count++;
}

static void
rotate(void *arg)
{
	struct tickets *t = arg;
	struct child *c;

	for (size_t i = 0; i < sizeof(roles) / sizeof(roles[0]); i++)
		draw(&t->keys[roles[i]]);
	TAILQ_FOREACH(c, t->children, entry)
		tickets_give(t, c);
	timer_set(&t->rotation, ROTATION_MS);
}

int
tickets_init(struct tickets *t, struct loop *loop, const struct child_list *children)
{
	*t = (struct tickets){ .children = children };
	if (timer_init(&t->rotation, loop, rotate, t) == -1)
		return -1;
	rotate(t);
	return 0;
}

void
tickets_fini(struct tickets *t)
{
	timer_fini(&t->rotation);
	explicit_bzero(t->keys, sizeof(t->keys));
}

void
tickets_give(const struct tickets *t, struct child *c)
{
	const struct control_tickets *keys = &t->keys[c->row->role];

	if (keys->count > 0 && c->stage->conf->tls_count > 0)
		child_send_tickets(c, keys);
}
