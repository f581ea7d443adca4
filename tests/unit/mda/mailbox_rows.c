/* mailbox_rows — see mailbox_rows.h. */
#include "tests/unit/mda/mailbox_rows.h"

#include "mda/worker/wire.h"

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

ROW_OF(mailbox_open)
ROW_OF(mailbox_deliver)
ROW_OF(mailbox_content)
ROW_OF(mailbox_ids)
ROW_OF(mailbox_refused)

const struct recode mailbox_rows[] = {
	{ "OPEN", mailbox_open }, { "DELIVER", mailbox_deliver }, { "CONTENT", mailbox_content }, { "IDS", mailbox_ids },
	{ "REFUSED", mailbox_refused },
};
const size_t mailbox_row_count = sizeof(mailbox_rows) / sizeof(mailbox_rows[0]);
