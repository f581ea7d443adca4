/*
 * dot — DATA's transparency as two small automata over whole lines at a time.
 *
 * The common case is a piece of many well-formed lines without a dot in front: one run, found with two memchr a line.
 */
#include "smtp/dot.h"

enum {			/* both directions; where the next byte stands */
	AT_BOL,		/* at the beginning of a line */
	AT_TEXT,	/* within one */
	AT_CR,		/* behind a CR: only LF may follow */
	AT_DOT,		/* reader: behind a dot that began a line */
	AT_DOT_CR,	/* reader: behind CRLF, dot, CR */
	AT_STUFFED,	/* writer: the extra dot has been given, the line's own is next */
	AT_DEAD		/* a bare CR or LF was seen */
};

/* The first CR or LF in s, or its end. */
static size_t
find_end(struct slice s)
{
	const char *lf = memchr(s.p, '\n', s.len);
	size_t len = lf != NULL ? (size_t)(lf - s.p) : s.len;
	const char *cr = memchr(s.p, '\r', len);

	return cr != NULL ? (size_t)(cr - s.p) : len;
}

/*
 * How many bytes at the front of s pass unchanged: whole lines and parts of lines, up to a dot at the beginning of a line
 * where dots mean something. *state is where that leaves us; AT_DEAD when a CR or LF stands alone.
 */
static size_t
pass(struct slice s, bool dots, int *state)
{
	size_t n = 0;

	while (n < s.len && !(dots && *state == AT_BOL && s.p[n] == '.')) {
		if (*state == AT_CR) {
			*state = s.p[n] == '\n' ? AT_BOL : AT_DEAD;
			if (*state == AT_DEAD)
				return n;
			n++;
			continue;
		}
		*state = AT_TEXT;
		n += find_end(slice_of(s.p + n, s.len - n));
		if (n == s.len)
			break;
		if (s.p[n] == '\n') {
			*state = AT_DEAD;
			return n;
		}
		*state = AT_CR;
		n++;
	}
	return n;
}

/* Behind a dot that began a line: it was the end, or stuffing that is now gone. */
static enum dot_result
read_dot(struct dot_reader *r, struct slice *in)
{
	char c = in->p[0];

	if (r->state == AT_DOT && c != '\r' && c != '\n') {
		r->state = AT_TEXT;
		return DOT_RUN;
	}
	slice_drop(in, 1);
	if (r->state == AT_DOT && c == '\r') {
		r->state = AT_DOT_CR;
		return DOT_MORE;
	}
	if (r->state == AT_DOT_CR && c == '\n') {
		r->state = AT_BOL;
		return DOT_END;
	}
	r->state = AT_DEAD;
	return DOT_BARE;
}

enum dot_result
dot_read(struct dot_reader *r, struct slice *in, struct slice *run)
{
	enum dot_result result;

	*run = slice_of("", 0);
	while (r->state != AT_DEAD && in->len > 0) {
		if (r->state == AT_DOT || r->state == AT_DOT_CR) {
			result = read_dot(r, in);
			if (result == DOT_END || result == DOT_BARE)
				return result;
			continue;
		}
		if (r->state == AT_BOL && in->p[0] == '.') {
			r->state = AT_DOT;
			slice_drop(in, 1);
			continue;
		}
		*run = slice_of(in->p, pass(*in, true, &r->state));
		slice_drop(in, run->len);
		if (run->len > 0)
			return DOT_RUN;
	}
	return r->state == AT_DEAD ? DOT_BARE : DOT_MORE;
}

enum dot_result
dot_write(struct dot_writer *w, struct slice *in, struct slice *run)
{
	*run = slice_of("", 0);
	if (w->state == AT_DEAD)
		return DOT_BARE;
	if (in->len == 0)
		return DOT_MORE;
	if (w->state == AT_BOL && in->p[0] == '.') {
		w->state = AT_STUFFED;
		*run = SLICE_LIT(".");
		return DOT_RUN;
	}
	*run = slice_of(in->p, pass(*in, true, &w->state));
	slice_drop(in, run->len);
	return run->len > 0 ? DOT_RUN : DOT_BARE;
}

struct slice
dot_write_end(const struct dot_writer *w)
{
	switch (w->state) {
	case AT_BOL:
		return SLICE_LIT(".\r\n");
	case AT_TEXT:
		return SLICE_LIT("\r\n.\r\n");
	default:
		return slice_of(NULL, 0);
	}
}

enum dot_result
dot_pass(struct dot_reader *r, struct slice in)
{
	if (r->state != AT_DEAD)
		(void)pass(in, false, &r->state);
	return r->state == AT_DEAD ? DOT_BARE : DOT_MORE;
}

enum dot_result
dot_pass_end(const struct dot_reader *r)
{
	switch (r->state) {
	case AT_BOL:
		return DOT_END;
	case AT_TEXT:
		return DOT_MORE;
	default:
		return DOT_BARE;
	}
}
