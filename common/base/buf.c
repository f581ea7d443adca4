/*
 * buf — growing bytes with a limit. Dropping from the front moves an index; the bytes move only
 * when room is needed at the end.
 */
#include "base/buf.h"

#include <assert.h>
#include <stdio.h>

#include "base/mem.h"

#define BUF_LEAST	256	/* the first allocation */

void
buf_init(struct buf *b, size_t max)
{
	*b = (struct buf){ .max = max };
}

/* What was in mem[from .. to) is not to be found there. */
static void
forget(struct buf *b, size_t from, size_t to)
{
	if (b->secret && to > from)
		explicit_bzero(b->mem + from, to - from);
}

void
buf_fini(struct buf *b)
{
	forget(b, b->start, b->end);
	mem_free(b->mem);
	*b = (struct buf){ .max = b->max };
}

void
buf_wipe(struct buf *b)
{
	if (b->mem != NULL)
		explicit_bzero(b->mem, b->cap);
	buf_fini(b);
}

void
buf_reset(struct buf *b)
{
	forget(b, b->start, b->end);
	b->start = b->end = 0;
	b->failed = false;
}

void
buf_shrink(struct buf *b)
{
	if (buf_len(b) == 0) {
		mem_free(b->mem);
		b->mem = NULL;
		b->start = b->end = b->cap = 0;
	}
}

static void
move_to_front(struct buf *b)
{
	size_t len = buf_len(b);

	if (b->start > 0 && len > 0) {
		memmove(b->mem, b->mem + b->start, len);
		forget(b, len, b->end);
	}
	b->start = 0;
	b->end = len;
}

/* mem_grow, without leaving a copy in what realloc frees. */
static char *
grow_secret(const struct buf *b, size_t cap)
{
	char *mem = mem_alloc(cap);

	if (mem == NULL || b->mem == NULL)
		return mem;
	memcpy(mem, b->mem, b->end);
	explicit_bzero(b->mem, b->cap);
	mem_free(b->mem);
	return mem;
}

static int
buf_grow(struct buf *b, size_t need)
{
	size_t cap = b->cap < BUF_LEAST ? BUF_LEAST : b->cap;
	char *mem;

	while (cap < need)
		cap *= 2;
	if (b->max < SIZE_MAX && cap > b->max + 1)	/* one more byte, for buf_cstr */
		cap = b->max + 1;
	mem = b->secret ? grow_secret(b, cap) : mem_grow(b->mem, cap, 1);
	if (mem == NULL)
		return -1;
	b->mem = mem;
	b->cap = cap;
	return 0;
}

char *
buf_room(struct buf *b, size_t n)
{
	size_t len = buf_len(b);

	if (b->failed || n > b->max || len > b->max - n) {
		b->failed = true;
		return NULL;
	}
	if (b->cap - b->end >= n && b->mem != NULL)
		return b->mem + b->end;
	move_to_front(b);
	if (b->cap - b->end < n || b->mem == NULL) {
		if (buf_grow(b, len + n) == -1) {
			b->failed = true;
			return NULL;
		}
	}
	return b->mem + b->end;
}

void
buf_added(struct buf *b, size_t n)
{
	assert(n <= b->cap - b->end);
	b->end += n;
}

int
buf_append(struct buf *b, const void *p, size_t n)
{
	char *room = buf_room(b, n);

	if (room == NULL)
		return -1;
	if (n > 0)
		memcpy(room, p, n);
	b->end += n;
	return 0;
}

int
buf_insert(struct buf *b, size_t at, struct slice s)
{
	char *place;

	assert(at <= buf_len(b));
	if (buf_room(b, s.len) == NULL)
		return -1;
	place = b->mem + b->start + at;
	memmove(place + s.len, place, buf_len(b) - at);
	if (s.len > 0)
		memcpy(place, s.p, s.len);
	b->end += s.len;
	return 0;
}

int
buf_puts(struct buf *b, const char *s)
{
	return buf_append(b, s, strlen(s));
}

int
buf_putc(struct buf *b, char c)
{
	return buf_append(b, &c, 1);
}

int
buf_put_slice(struct buf *b, struct slice s)
{
	return buf_append(b, s.p, s.len);
}

int
buf_vprintf(struct buf *b, const char *format, va_list ap)
{
	char small[512];
	va_list again;
	char *whole;
	int len;

	va_copy(again, ap);
	len = vsnprintf(small, sizeof(small), format, ap);
	if (len < 0) {
		b->failed = true;
	} else if ((size_t)len < sizeof(small)) {
		(void)buf_append(b, small, (size_t)len);
	} else if ((whole = mem_alloc((size_t)len + 1)) == NULL) {
		b->failed = true;
	} else {
		/* Not into the buf itself: the NUL behind the text
		 * may be one byte more than the limit allows. */
		(void)vsnprintf(whole, (size_t)len + 1, format, again);
		(void)buf_append(b, whole, (size_t)len);
		mem_free(whole);
	}
	va_end(again);
	return b->failed ? -1 : 0;
}

int
buf_printf(struct buf *b, const char *format, ...)
{
	va_list ap;
	int result;

	va_start(ap, format);
	result = buf_vprintf(b, format, ap);
	va_end(ap);
	return result;
}

void
buf_drop(struct buf *b, size_t n)
{
	assert(n <= buf_len(b));
	forget(b, b->start, b->start + n);
	b->start += n;
	if (b->start == b->end)
		b->start = b->end = 0;
}

void
buf_cut(struct buf *b, size_t len)
{
	if (len >= buf_len(b))
		return;
	forget(b, b->start + len, b->end);
	b->end = b->start + len;
}

const char *
buf_cstr(struct buf *b)
{
	if (b->mem == NULL || b->end == b->cap) {
		size_t len = buf_len(b);

		if (b->start > 0)
			move_to_front(b);
		else if (buf_grow(b, len + 1) == -1)
			return NULL;
	}
	b->mem[b->end] = '\0';
	return b->mem + b->start;
}
