/* script_peer — plays as far as it can whenever something happens. */
#include "tests/unit/relay/script_peer.h"

#include <stdio.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/num.h"
#include "event/stream.h"
#include "net/tls_stream.h"

#define INPUT_MAX	(4 * 1024 * 1024)

struct script_peer {
	struct stream	*stream;
	struct slice	 rest;		/* of the script */
	struct buf	 content;
	bool		 ended, in_content;
	char		 trouble[300];
};

static struct tls_context *identity;

static void play(struct script_peer *);

static void
on_input(void *arg)
{
	play(arg);
}

static void
on_end(void *arg, enum stream_end end, int error)
{
	struct script_peer *p = arg;

	(void)end;
	(void)error;
	p->ended = true;
	play(p);
}

static const struct stream_ops ops = { .on_input = on_input, .on_end = on_end, .on_open = on_input };

void
peer_identity(struct tls_context *context)
{
	identity = context;
}

static void
complain(struct script_peer *p, struct slice wanted, struct slice got)
{
	if (p->trouble[0] == '\0')
		(void)snprintf(p->trouble, sizeof(p->trouble), "wanted \"%.*s\", got \"%.*s\"", SLICE_FMT(wanted), (int)(got.len < 150 ? got.len : 150),
		    got.p);
	stream_close(&p->stream);
}

static bool
matches(struct slice wanted, struct slice line)
{
	if (wanted.len > 0 && wanted.p[wanted.len - 1] == '*')
		return slice_starts(line, slice_of(wanted.p, wanted.len - 1));
	return slice_eq(wanted, line);
}

/* false: wait for more. */
static bool
expect_line(struct script_peer *p, struct slice wanted)
{
	struct slice in = stream_input(p->stream);
	const char *lf = in.len == 0 ? NULL : memchr(in.p, '\n', in.len);
	size_t len;

	if (lf == NULL) {
		if (p->ended)
			complain(p, wanted, SLICE_LIT("the end"));
		return false;
	}
	len = (size_t)(lf - in.p);
	if (len == 0 || lf[-1] != '\r' || !matches(wanted, slice_of(in.p, len - 1))) {
		complain(p, wanted, slice_of(in.p, len));
		return false;
	}
	stream_consume(p->stream, len + 1);
	return true;
}

static void
drop_input(struct script_peer *p)
{
	size_t len = stream_input(p->stream).len;

	if (len > 0)
		stream_consume(p->stream, len);
}

/* True: up to the final dot. */
static bool
gather_content(struct script_peer *p)
{
	struct slice in = stream_input(p->stream), all;

	if (!p->in_content)
		buf_reset(&p->content);
	(void)buf_put_slice(&p->content, in);
	all = buf_slice(&p->content);
	drop_input(p);
	p->in_content = !(all.len >= 3 && memcmp(all.p + all.len - 3, ".\r\n", 3) == 0 &&
	    (all.len == 3 || memcmp(all.p + all.len - 5, "\r\n", 2) == 0));
	return !p->in_content;
}

static bool
take_content(struct script_peer *p)
{
	bool whole = gather_content(p);

	if (p->ended)
		complain(p, SLICE_LIT("final dot"), SLICE_LIT("the end"));
	return whole;
}

static bool
take_broken_content(struct script_peer *p)
{
	if (gather_content(p))
		complain(p, SLICE_LIT("the end"), SLICE_LIT("final dot"));
	return p->ended;
}

static size_t
number(struct slice text)
{
	uint64_t n = 0;

	(void)num_parse(text, INPUT_MAX, &n);
	return (size_t)n;
}

/* True: so many bytes are there; no more of them are read. */
static bool
gather_counted(struct script_peer *p, size_t size)
{
	struct slice in = stream_input(p->stream);

	if (!p->in_content)
		buf_reset(&p->content);
	if (in.len > size - buf_len(&p->content))
		in.len = size - buf_len(&p->content);
	(void)buf_put_slice(&p->content, in);
	if (in.len > 0)
		stream_consume(p->stream, in.len);
	p->in_content = buf_len(&p->content) < size;
	return !p->in_content;
}

static bool
take_counted(struct script_peer *p, size_t size)
{
	bool whole = gather_counted(p, size);

	if (!whole && p->ended)
		complain(p, SLICE_LIT("more content"), SLICE_LIT("the end"));
	return whole;
}

static bool
take_less(struct script_peer *p, size_t size)
{
	if (gather_counted(p, size))
		complain(p, SLICE_LIT("the end"), SLICE_LIT("all of the content"));
	return p->ended;
}

static void
send_raw(struct script_peer *p, struct slice text)
{
	for (size_t i = 0; i < text.len; i++) {
		char c = text.p[i];

		if (c == '\\' && i + 1 < text.len)
			c = text.p[++i] == 'n' ? '\n' : '\r';
		(void)stream_write(p->stream, slice_of(&c, 1));
	}
}

static bool
begin_tls(struct script_peer *p)
{
	struct err err;

	if (tls_accept(p->stream, identity, &err) == 0)
		return true;
	complain(p, SLICE_LIT("TLS"), slice_str(err.text));
	return false;
}

/* One line of the script; false: it waits. */
static bool
step(struct script_peer *p, char kind, struct slice text)
{
	switch (kind) {
	case 'S':
		(void)stream_printf(p->stream, "%.*s\r\n", SLICE_FMT(text));
		return true;
	case 'W':
		send_raw(p, text);
		return true;
	case 'C':
		return expect_line(p, text);
	case 'Q':
		if (stream_input(p->stream).len > 0)
			complain(p, SLICE_LIT("silence"), stream_input(p->stream));
		return true;
	case 'B':
		return take_content(p);
	case 'N':
		return take_broken_content(p);
	case 'D':
		return take_counted(p, number(text));
	case 'L':
		return take_less(p, number(text));
	case 'T':
		return begin_tls(p);
	case 'X':
		stream_close_after_flush(&p->stream, 1000);
		return true;
	case 'E':
		drop_input(p);
		return p->ended;
	default:
		complain(p, SLICE_LIT("a script"), text);
		return false;
	}
}

static void
play(struct script_peer *p)
{
	while (p->stream != NULL && p->rest.len > 0) {
		struct slice rest, line = slice_split(p->rest, '\n', &rest);
		struct slice text = line.len > 2 ? slice_of(line.p + 2, line.len - 2) : SLICE_LIT("");

		if (line.len > 0 && !step(p, line.p[0], text))
			return;
		p->rest = rest.p == NULL ? SLICE_LIT("") : rest;
	}
	if (p->stream != NULL && stream_input(p->stream).len > 0)
		complain(p, SLICE_LIT("the end of the script"), stream_input(p->stream));
}

struct script_peer *
peer_new(struct loop *loop, int fd, const char *script)
{
	struct script_peer *p = mem_zalloc(sizeof(*p));
	struct err err;

	p->rest = slice_str(script);
	buf_init(&p->content, INPUT_MAX);
	p->stream = stream_open(loop, fd, INPUT_MAX, INPUT_MAX, INPUT_MAX, &ops, p, &err);
	play(p);
	return p;
}

bool
peer_done(const struct script_peer *p)
{
	return p->rest.len == 0;
}

bool
peer_at_end(const struct script_peer *p)
{
	return p->rest.len > 0 && p->rest.p[0] == 'E';
}

struct slice
peer_rest(const struct script_peer *p)
{
	return p->rest;
}

const char *
peer_trouble(const struct script_peer *p)
{
	return p->trouble[0] != '\0' ? p->trouble : NULL;
}

struct slice
peer_content(const struct script_peer *p)
{
	return buf_slice(&p->content);
}

void
peer_say(struct script_peer *p, const char *text)
{
	(void)stream_puts(p->stream, text);
	stream_flush(p->stream);
}

void
peer_free(struct script_peer **pp)
{
	struct script_peer *p = *pp;

	*pp = NULL;
	if (p == NULL)
		return;
	stream_close(&p->stream);
	buf_fini(&p->content);
	mem_free(p);
}
