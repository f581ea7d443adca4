/* fuzz_reply: replies and capabilities out of any bytes; text stays printable and within its bound, and no split shows. */
#include <stdlib.h>

#include "smtp/capability.h"
#include "smtp/reply.h"

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static void
check(const struct reply *reply)
{
	if (reply->code < 200 || reply->code > 599 || reply->len > OUTCOME_TEXT_MAX || reply->text[reply->len] != '\0')
		abort();
	for (size_t i = 0; i < reply->len; i++)
		if (reply->text[i] < ' ' || reply->text[i] > '~')
			abort();
	if (!status_valid(reply_status(reply)))
		abort();
}

/* RFC 9422 4: a limit has six digits at most; what was not said limits nothing. */
static void
check_limits(const struct capabilities *caps)
{
	if (caps->mail_max > 999999 || caps->rcpt_max > 999999 || caps->rcpt_domain_max > 999999)
		abort();
	if (!(caps->has & CAP_LIMITS) && (caps->mail_max | caps->rcpt_max | caps->rcpt_domain_max) != 0)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct capabilities caps = { 0 };
	struct reply whole = { 0 }, cut = { 0 };
	struct slice in = slice_of(data, len), rest = in;
	enum reply_result one, two = REPLY_MORE;

	one = reply_take(&whole, &in, capability_line, &caps);
	check_limits(&caps);
	for (size_t shown = 1; shown <= rest.len && two == REPLY_MORE; shown++) {
		struct slice now = slice_of(rest.p, shown);

		two = reply_take(&cut, &now, NULL, NULL);
		slice_drop(&rest, shown - now.len);
		shown = now.len;
	}
	if (one != two && !(len == 0 && one == REPLY_MORE))
		abort();
	if (one == REPLY_READY) {
		check(&whole);
		if (whole.code != cut.code || !slice_eq(reply_text(&whole), reply_text(&cut)) || in.len != rest.len)
			abort();
	}
	return 0;
}
