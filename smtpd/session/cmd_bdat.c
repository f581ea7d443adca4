/*
 * cmd_bdat — BDAT (RFC 3030): so many bytes of content follow the command line. A chunk is counted and nothing else: no line, no dot
 * and no split of the input has a say in where it ends; what is done with its bytes is content.c's business, as for DATA.
 *
 * The bytes of a refused chunk are passed over before it is answered (RFC 3030 2), and the transaction is over, since what a client
 * has pipelined behind it would be a message with a hole. Where the size cannot be relied on, or is beyond what we pass over, the
 * session ends: no byte behind such a command is ever taken for a command.
 */
#include "smtpd/session/inside.h"

/* Refusals of a chunk that is allowed here. SAY_NONE: go on. */
static enum sentence
unwilling(const struct session *s, enum chunk_result parsed)
{
	if (!offers_has(s, EXTENSION_CHUNKING))
		return SAY_NO_CHUNKING;
	if (parsed != CHUNK_GOOD)
		return SAY_BDAT_SYNTAX;
	if (s->tx->count == 0)
		return SAY_NO_RCPT;
	if (!s->tx->chunked && !intake_knows(s->home->intake, &s->tx->ticket))
		return SAY_NO_QUEUE;
	return SAY_NONE;
}

/* All of a refused chunk has passed. */
static void
say_refusal(struct session *s)
{
	session_say(s, s->chunk.refusal);
	session_count(s, VERB_BDAT, false);
	session_go(s, PHASE_COMMAND);
}

/* Some bytes of the chunk have been used up, or there were none to begin with. */
static void
go_on(struct session *s)
{
	bool over = s->chunk.left == 0;

	if (!over)
		content_extend(s, s->chunk.began, s->chunk.taken);
	if (s->chunk.refusal == SAY_NONE)
		content_chunk(s);
	else if (over)
		say_refusal(s);
}

static enum done
begin(struct session *s, const struct chunk *chunk, enum sentence refusal)
{
	if (refusal != SAY_NONE)
		session_reset(s);
	if (!content_fits(s, chunk->size)) {
		session_count(s, VERB_BDAT, false);
		return session_end_sentence(s, refusal != SAY_NONE ? refusal : SAY_TOO_BIG);
	}
	if (chunk->size == 0 && !chunk->last)
		session_junk(s);	/* brings nothing any further */
	s->chunk = (struct chunk_state){ .left = chunk->size, .last = chunk->last, .refusal = refusal, .began = loop_now(s->home->loop) };
	if (refusal == SAY_NONE) {
		if (!s->tx->chunked)
			content_begin(s);
		s->tx->chunked = true;
		content_expect(s, chunk->size);
	}
	session_go(s, PHASE_CHUNK);
	if (s->chunk.left == 0)
		go_on(s);
	return DONE_LATER;
}

static enum done
lose(struct session *s)
{
	session_count(s, VERB_BDAT, false);
	return session_end_sentence(s, SAY_BDAT_SYNTAX);
}

enum done
cmd_bdat(struct session *s, struct slice argument)
{
	struct chunk chunk;
	enum chunk_result parsed = chunk_parse(argument, &chunk);

	return parsed == CHUNK_LOST ? lose(s) : begin(s, &chunk, unwilling(s, parsed));
}

enum done
bdat_refuse(struct session *s, struct slice argument, enum sentence refusal)
{
	struct chunk chunk;

	return chunk_parse(argument, &chunk) == CHUNK_LOST ? lose(s) : begin(s, &chunk, refusal);
}

void
bdat_input(struct session *s)
{
	struct slice piece = stream_input(s->stream);

	if (piece.len > s->chunk.left)
		piece.len = (size_t)s->chunk.left;
	if (s->chunk.refusal == SAY_NONE)
		content_add(s, piece);
	s->chunk.left -= piece.len;
	s->chunk.taken += piece.len;
	stream_consume(s->stream, piece.len);
	go_on(s);
}

void
bdat_taken(struct session *s)
{
	session_sayf(s, "250 2.0.0 Ok: %llu octets\r\n", (unsigned long long)s->chunk.taken);
	session_count(s, VERB_BDAT, true);
	session_go(s, PHASE_COMMAND);
}
