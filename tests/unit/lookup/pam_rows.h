#ifndef UNIT_PAM_ROWS_H
#define UNIT_PAM_ROWS_H
/* pam_rows — the frames between lookup, the process pam and its checkers, for the round trip and for the fuzz target. */
#include "tests/support/recode.h"

extern const struct recode pam_rows[];
extern const size_t pam_row_count;

#endif
