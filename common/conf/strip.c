/*
 * strip — knows only as much of the grammar as is needed to tell a comment from a # in quotes.
 */
#include "conf/strip.h"

#include <string.h>

/* The index behind the closing quote, or len. A backslash hides the next character; "${...}" may
 * hold anything. */
static size_t
skip_quoted(const char *text, size_t i, size_t len)
{
	char quote = text[i++];
	const char *close;

	while (i < len && text[i] != quote) {
		close = quote == '"' && text[i] == '$' && i + 1 < len && text[i + 1] == '{' ?
		    memchr(text + i, '}', len - i) : NULL;
		if (close != NULL)
			i = (size_t)(close - text);
		else if (text[i] == '\\')
			i++;
		i++;
	}
	return i < len ? i + 1 : len;
}

static size_t
blank_line(char *text, size_t i, size_t len)
{
	while (i < len && text[i] != '\n')
		text[i++] = ' ';
	return i;
}

/* The index behind the comment; i itself when it has no end. */
static size_t
blank_block(char *text, size_t i, size_t len)
{
	const char *close = memmem(text + i + 2, len - i - 2, "*/", 2);
	size_t end = close == NULL ? i : (size_t)(close - text) + 2;

	for (; i < end; i++) {
		if (text[i] != '\n')
			text[i] = ' ';
	}
	return end;
}

size_t
strip_comments(char *text, size_t len)
{
	size_t i = 0;

	while (i < len) {
		char next = i + 1 < len ? text[i + 1] : '\0';
		size_t before = i;

		if (text[i] == '"' || text[i] == '\'')
			i = skip_quoted(text, i, len);
		else if (text[i] == '#' || (text[i] == '/' && next == '/'))
			i = blank_line(text, i, len);
		else if (text[i] == '/' && next == '*')
			i = blank_block(text, i, len);	/* stays when there is no end */
		else
			i++;
		if (i == before)
			return i;
	}
	return len;
}

size_t
unclosed_brace(const char *text, size_t len)
{
	size_t depth = 0, outermost = len, i = 0;

	while (i < len) {
		if (text[i] == '"' || text[i] == '\'') {
			i = skip_quoted(text, i, len);
			continue;
		}
		if (text[i] == '{' && depth++ == 0)
			outermost = i;
		else if (text[i] == '}' && depth > 0)
			depth--;
		i++;
	}
	return depth > 0 ? outermost : len;
}
