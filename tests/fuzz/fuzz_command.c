/* fuzz_command: a whole command line with its path, parameters or chunk, as smtpd reads it. */
#include <stdlib.h>

#include "mail/path.h"
#include "smtp/chunk.h"
#include "smtp/command.h"
#include "smtp/params.h"
#include "smtp/xclient.h"

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct arena arena = { .max = 65536 };
	struct mail_params params;
	struct rcpt_params rcpt;
	struct command command;
	struct xclient xclient;
	struct chunk chunk = { .size = UINT64_MAX };
	struct slice which;
	struct path path;
	const char *why;

	command_parse(slice_of(data, len), &command);
	if (command.verb == VERB_NONE || command.verb >= VERB_COUNT || command.word.len > len)
		abort();
	if ((chunk_parse(command.argument, &chunk) == CHUNK_LOST) != (chunk.size > CHUNK_SIZE_MAX))
		abort();
	if (xclient_parse(command.argument, ~0u, &xclient, &which) == 0 && xclient.values[XCLIENT_NONE].given)
		abort();
	if (command_take_label(&command.argument, command.verb == VERB_MAIL ? "FROM:" : "TO:") == 0 &&
	    path_take(&command.argument, true, true, &arena, &path, &why) == 0) {
		(void)params_mail(command.argument, 0, &params, &which);
		(void)params_rcpt(command.argument, 0, &rcpt, &which);
	}
	arena_fini(&arena);
	return 0;
}
