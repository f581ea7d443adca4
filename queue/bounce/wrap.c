/* wrap — breaks escaped text into lines. Pure. */
#include "queue/bounce/wrap.h"

#include <string.h>

#include "base/fmt.h"

#define ESCAPED_MAX	4096	/* a text is cut here at the latest */

/* The next word with the spaces in front of it left out; empty at the end. */
static struct slice
word_next(struct slice *rest)
{
	size_t len = 0;

	while (rest->len > 0 && rest->p[0] == ' ')
		slice_drop(rest, 1);
	while (len < rest->len && len < WRAP_WORD_MAX && rest->p[len] != ' ')
		len++;
	struct slice word = slice_of(rest->p, len);
	slice_drop(rest, len);
	return word;
}

static void
put_words(struct buf *b, size_t column, const char *indent, struct slice rest)
{
	size_t begin = strlen(indent);
	struct slice word;
	bool fresh = true;	/* nothing of the text stands in this line */

	while ((word = word_next(&rest)).len > 0) {
		if (column + 1 + word.len > WRAP_COLUMN && column > begin) {
			(void)buf_puts(b, "\r\n");
			(void)buf_puts(b, indent);
			column = begin;
			fresh = true;
		}
		if (!fresh) {
			(void)buf_putc(b, ' ');
			column++;
		}
		(void)buf_put_slice(b, word);
		column += word.len;
		fresh = false;
	}
	(void)buf_puts(b, "\r\n");
}

void
wrap_put(struct buf *b, size_t column, const char *indent, struct slice text, size_t most)
{
	struct buf escaped;

	buf_init(&escaped, ESCAPED_MAX + 3);
	fmt_escape(&escaped, text, most < ESCAPED_MAX ? most : ESCAPED_MAX);
	if (escaped.failed)
		b->failed = true;	/* no memory is no memory */
	put_words(b, column, indent, buf_slice(&escaped));
	buf_fini(&escaped);
}
