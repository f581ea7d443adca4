#ifndef UNIT_MAILBOX_ROWS_H
#define UNIT_MAILBOX_ROWS_H
/* mailbox_rows — the frames between mda and its workers, for the round trip and for the fuzz target. */
#include "tests/support/recode.h"

extern const struct recode mailbox_rows[];
extern const size_t mailbox_row_count;

#endif
