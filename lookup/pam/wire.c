/* wire — a number in front of a checker's frames. */
#include "lookup/pam/wire.h"

void
pam_question_put(struct buf *b, const struct pam_question *question)
{
	put_u32(b, question->id);
	check_ask_put(b, &question->said);
}

static uint32_t
get_id(struct reader *r)
{
	uint32_t id = get_u32(r);

	if (id == 0)
		reader_fail(r);
	return id;
}

int
pam_question_get(struct reader *r, struct pam_question *out)
{
	out->id = get_id(r);
	return check_ask_get(r, &out->said);
}

void
pam_verdict_put(struct buf *b, const struct pam_verdict *verdict)
{
	put_u32(b, verdict->id);
	check_answer_put(b, &verdict->answer);
}

int
pam_verdict_get(struct reader *r, struct pam_verdict *out)
{
	out->id = get_id(r);
	return check_answer_get(r, &out->answer);
}
