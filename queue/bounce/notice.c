/*
 * notice — the words of a notification.
 *
 * People read these who know nothing about mail servers: what happened, to whom, what the other side said, what can
 * be done, whom to ask. Called by dsn.c.
 */
#include "queue/bounce/notice.h"

#include <inttypes.h>

#include "base/fmt.h"
#include "queue/bounce/wrap.h"
#include "mail/date.h"
#include "wire/fields.h"

#define SAID_MAX	600	/* characters of a reply that people get to see */

static const char failure_words[] =
    "Your message could not be delivered to the recipient(s) listed below.\r\n"
    "It is no longer kept here, and no further attempt will be made. If the\r\n"
    "address is mistyped, please send the message again to the right one.\r\n";
static const char postmaster_words[] =
    "A notification could not be delivered to the recipient(s) listed below.\r\n"
    "Nobody else is told of this. Many of these in a short time often mean\r\n"
    "that mail with forged senders is accepted and returned.\r\n";
static const char delay_words[] =
    "THIS IS A WARNING ONLY. YOU DO NOT NEED TO SEND YOUR MESSAGE AGAIN.\r\n"
    "\r\n"
    "Your message could not yet be delivered to the recipient(s) listed below.\r\n";

static const char success_words[] =
    "This is the report that you asked for: your message has come to the\r\n"
    "recipient(s) listed below. Where it was passed on to another mail system\r\n"
    "that sends no such reports, you will only hear of trouble from now on.\r\n";

/* The first words, by kind; about a notification itself, postmaster_words. */
static const char *const words[] = { [DSN_FAILURE] = failure_words, [DSN_DELAY] = delay_words, [DSN_SUCCESS] = success_words };

static void
put_until(struct buf *b, const struct dsn *dsn)
{
	char date[DATE_PRINT_SIZE];

	(void)buf_printf(b, "Delivery will be tried again until %s.\r\n", date_print(dsn->expiry_ms / 1000, date));
}

/* Who said it, and what. A temporary answer in a report of failure, or X.4.7, means that patience has ended: say so. */
static void
put_reason(struct buf *b, const struct dsn *dsn, const struct dsn_recipient *rcpt)
{
	const struct outcome *outcome = &rcpt->outcome;
	struct status status = outcome->status;
	bool expired = dsn->kind == DSN_FAILURE && (status.class == 4 || (status.subject == 4 && status.detail == 7));

	if (dsn->kind == DSN_SUCCESS)
		(void)buf_printf(b, "    %s\r\n", outcome->action == ACTION_DELIVERED ? "delivered to the mailbox" : "passed on");
	if (dsn->kind == DSN_SUCCESS && outcome->text.len == 0)
		return;
	if (expired)
		(void)buf_puts(b, "    delivery was tried for too long; the last attempt met this:\r\n");
	if (outcome->mta.len > 0) {
		(void)buf_puts(b, "    ");
		fmt_escape(b, outcome->mta, MTA_NAME_MAX);
		(void)buf_puts(b, " said:\r\n");
	}
	(void)buf_puts(b, "    ");
	wrap_put(b, 4, "    ", outcome->text.len > 0 ? outcome->text : SLICE_LIT("(no reason is known)"), SAID_MAX);
}

static void
put_recipient(struct buf *b, const struct dsn *dsn, const struct dsn_recipient *rcpt)
{
	(void)buf_puts(b, "\r\n<");
	dsn_put_name(b, dsn, rcpt->address);
	(void)buf_putc(b, '>');
	if (rcpt->original.len > 0 && !slice_eq(rcpt->original, rcpt->address)) {
		(void)buf_puts(b, "\r\n    (you wrote to <");
		dsn_put_name(b, dsn, rcpt->original);
		(void)buf_puts(b, ">)");
	}
	(void)buf_puts(b, ":\r\n");
	put_reason(b, dsn, rcpt);
}

void
notice_put(struct buf *b, const struct dsn *dsn)
{
	char id[QUEUE_ID_LEN + 1], date[DATE_PRINT_SIZE];

	(void)buf_puts(b, "This is the mail system at host ");
	fmt_escape(b, dsn->hostname, 255);
	(void)buf_puts(b, ".\r\n\r\n");
	(void)buf_puts(b, dsn->to_postmaster ? postmaster_words : words[dsn->kind]);
	if (dsn->kind == DSN_DELAY)
		put_until(b, dsn);
	(void)buf_puts(b, "\r\nFor help, please write to <");
	fmt_escape(b, dsn->postmaster, ADDRESS_FIELD_MAX);
	(void)buf_puts(b, ">\r\nand include this report.\r\n");
	(void)buf_printf(b, "\r\nThe message arrived here on %s\r\nand was named %s in our log.\r\n",
	    date_print(dsn->arrival_ms / 1000, date), queue_id_print(dsn->id, id));
	for (uint32_t i = 0; i < dsn->count; i++)
		put_recipient(b, dsn, &dsn->recipients[i]);
}
