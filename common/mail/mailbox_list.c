/*
 * mailbox_list — one pass from the left; each address itself is address.c's business.
 */
#include "mail/mailbox_list.h"

#define DEPTH_MAX	16	/* of comments in comments */

static bool
is_space(char c)
{
	return c == ' ' || c == '\t';
}

/* A quoted string or a comment off the front, whose first byte is there; -1: it has no end. */
static int
skip_quoted(struct slice *in)
{
	for (size_t i = 1; i < in->len; i++) {
		if (in->p[i] == '\\') {
			i++;
		} else if (in->p[i] == '"') {
			slice_drop(in, i + 1);
			return 0;
		}
	}
	return -1;
}

static int
skip_comment(struct slice *in)
{
	unsigned depth = 0;

	for (size_t i = 0; i < in->len; i++) {
		if (in->p[i] == '\\')
			i++;
		else if (in->p[i] == '(' && ++depth > DEPTH_MAX)
			return -1;
		else if (in->p[i] == ')' && --depth == 0) {
			slice_drop(in, i + 1);
			return 0;
		}
	}
	return -1;
}

/* Spaces and comments (RFC 5322 3.2.2, CFWS). */
static int
skip_nothing(struct slice *in, const char **why)
{
	while (in->len > 0 && (is_space(in->p[0]) || in->p[0] == '(')) {
		if (is_space(in->p[0])) {
			slice_drop(in, 1);
		} else if (skip_comment(in) == -1) {
			*why = "a comment without end";
			return -1;
		}
	}
	return 0;
}

/* The words in front of an address in brackets: atoms with dots (obs-phrase), quoted strings, comments. Bytes beyond ASCII pass, as
 * they do everywhere. Stops at the bracket; -1: it is no name. */
static int
skip_name(struct slice *in, const char **why)
{
	while (in->len > 0 && in->p[0] != '<') {
		if (is_space(in->p[0]) || in->p[0] == '(') {
			if (skip_nothing(in, why) == -1)
				return -1;
		} else if (in->p[0] == '"') {
			*why = "a quoted name without end";
			if (skip_quoted(in) == -1)
				return -1;
		} else if (strchr(")>[]:;@\\,", in->p[0]) != NULL) {
			*why = "a name that would have to be quoted";
			return -1;
		} else {
			slice_drop(in, 1);
		}
	}
	*why = "neither an address nor a name in front of one";
	return in->len > 0 ? 0 : -1;
}

/* How far an address goes: to what cannot be part of one outside of quotes and brackets. */
static struct slice
address_span(struct slice in, const char *stops)
{
	struct slice rest = in;
	bool literal = false;

	while (rest.len > 0 && (literal || strchr(stops, rest.p[0]) == NULL)) {
		if (rest.p[0] == '"' && !literal) {
			if (skip_quoted(&rest) == -1)
				break;
			continue;
		}
		literal = rest.p[0] == '[' || (literal && rest.p[0] != ']');
		slice_drop(&rest, 1);
	}
	return slice_of(in.p, in.len - rest.len);
}

static int
take_address(struct slice text, struct arena *arena, struct slice *out, const char **why)
{
	char canonical[ADDRESS_MAX];
	struct buf made = { .mem = canonical, .cap = sizeof(canonical), .max = sizeof(canonical) };
	struct address address;

	if (address_parse(text, false, arena, &address, why) == -1)
		return -1;
	*why = "an encoded word within an address";
	if (memmem(text.p, text.len, "=?", 2) != NULL)
		return -1;
	address_print(&address, &made);
	*why = address_no_memory;
	*out = made.failed ? slice_of(NULL, 0) : arena_slice(arena, buf_slice(&made));
	return out->p == NULL ? -1 : 0;
}

/* `<address>` off the front. */
static int
take_bracketed(struct slice *in, struct arena *arena, struct slice *out, const char **why)
{
	struct slice inside;

	slice_drop(in, 1);
	inside = address_span(*in, ">");
	slice_drop(in, inside.len);
	*why = "a bracket without end";
	if (in->len == 0)
		return -1;
	slice_drop(in, 1);
	return take_address(slice_trim(inside), arena, out, why);
}

/* A bare address ends where a space, comment or comma does; a name in front of brackets is told by the bracket behind it. */
static int
take_mailbox(struct slice *in, struct arena *arena, struct slice *out, const char **why)
{
	struct slice bare = address_span(*in, " \t(,<"), behind = *in;

	slice_drop(&behind, bare.len);
	if (skip_nothing(&behind, why) == -1)
		return -1;
	if (behind.len == 0 || behind.p[0] == ',') {
		*in = behind;
		*why = "no address";
		return bare.len == 0 ? -1 : take_address(bare, arena, out, why);
	}
	if (skip_name(in, why) == -1 || take_bracketed(in, arena, out, why) == -1)
		return -1;
	return skip_nothing(in, why);
}

static bool
has_controls(struct slice in)
{
	for (size_t i = 0; i < in.len; i++)
		if (((unsigned char)in.p[i] < ' ' && in.p[i] != '\t') || in.p[i] == 0x7f)
			return true;
	return false;
}

int
mailbox_list_parse(struct slice in, struct arena *arena, struct slice *out, uint32_t max, uint32_t *count, const char **why)
{
	uint32_t n = 0;

	*why = "a control character";
	if (has_controls(in))
		return -1;
	for (;;) {
		*why = "too many addresses";
		if (n == max || skip_nothing(&in, why) == -1 || take_mailbox(&in, arena, &out[n], why) == -1)
			return -1;
		n++;
		if (in.len == 0)
			break;
		*why = "something behind an address";
		if (in.p[0] != ',')
			return -1;
		slice_drop(&in, 1);
	}
	*count = n;
	return 0;
}
