#ifndef BENCH_LEAN_TLS_H
#define BENCH_LEAN_TLS_H
/*
 * lean_tls — as little of a TLS 1.3 client (RFC 8446) as a real server talks to: one cipher suite, one group, a key share that all
 * sessions use, any certificate. The server's Finished is checked. OpenSSL's client costs more than any server under test (it reads the
 * certificate anew each time) and would take their cores; this one costs a fraction. Of no use against an enemy.
 *
 * Non-blocking; results as those of recv(2) and send(2).
 */
#include <stdbool.h>
#include <sys/types.h>

struct lean_tls;

struct lean_tls	*lean_tls_new(int fd);
/* 1: done; 0: wait to read; -1: failed. What it says itself is short and must fit the socket's buffer. */
int		 lean_tls_shake(struct lean_tls *);
ssize_t		 lean_tls_recv(struct lean_tls *, void *, size_t);
/* May keep the end of a record, which the next call sends before anything else; with no bytes it does only that. */
ssize_t		 lean_tls_send(struct lean_tls *, const void *, size_t);
bool		 lean_tls_unsent(const struct lean_tls *);	/* it keeps one */
void		 lean_tls_free(struct lean_tls **);

#endif
