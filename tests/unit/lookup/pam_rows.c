/* pam_rows — see pam_rows.h. */
#include "tests/unit/lookup/pam_rows.h"

#include "lookup/pam/wire.h"

#define ROW_OF(name)							\
	static int							\
	name(struct reader *r, struct arena *arena, struct buf *out)	\
	{								\
		struct name value = { 0 };				\
									\
		(void)arena;						\
		if (name##_get(r, &value) == -1)			\
			return -1;					\
		name##_put(out, &value);				\
		return 0;						\
	}

ROW_OF(pam_question)
ROW_OF(pam_verdict)

const struct recode pam_rows[] = { { "STEP", pam_question }, { "STEPPED", pam_verdict } };
const size_t pam_row_count = sizeof(pam_rows) / sizeof(pam_rows[0]);
