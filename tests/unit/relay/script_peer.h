#ifndef UNIT_RELAY_SCRIPT_PEER_H
#define UNIT_RELAY_SCRIPT_PEER_H
/*
 * script_peer — a mail server that plays a script on the test's own loop. Lines of the script:
 *
 *	S text		sends text and CRLF
 *	W text		sends text as it is; "\n" and "\r" may be written
 *	C text		the next line must be text (a * at the end stands for anything)
 *	Q		nothing more may have come: the client waits for an answer
 *	B		reads content up to its final dot
 *	N		reads content that ends with the connection, and has no final dot
 *	D n		reads n bytes of content
 *	L n		reads content that ends with the connection, and has less than n bytes
 *	T		begins TLS (peer_identity)
 *	X		closes
 *	E		waits for the client's end, whatever comes before it
 */
#include "base/slice.h"
#include "event/loop.h"

struct script_peer;
struct tls_context;

struct script_peer	*peer_new(struct loop *, int fd, const char *script);	/* takes fd; the script is borrowed */
bool			 peer_done(const struct script_peer *);		/* played to its end */
bool			 peer_at_end(const struct script_peer *);	/* everything before its E has happened */
struct slice		 peer_rest(const struct script_peer *);	/* what of its script is still to be played; borrowed */
const char		*peer_trouble(const struct script_peer *);	/* what went wrong, or NULL */
struct slice		 peer_content(const struct script_peer *);	/* the last one, as it came over the wire, final dot included */
void			 peer_say(struct script_peer *, const char *);	/* besides the script, at once */
void			 peer_identity(struct tls_context *);		/* who all of them are in TLS; borrowed */
void			 peer_free(struct script_peer **);

#endif
