#ifndef BENCH_LOAD_TLS_H
#define BENCH_LOAD_TLS_H
/* load_tls — the TLS of a load generator's client: a full handshake each time, any certificate. Non-blocking; results as those of recv(2). */
#include <stdbool.h>
#include <sys/types.h>

struct ssl_st;

struct ssl_st	*load_tls_new(int fd);
/* 1: done; 0: wait for the socket (*write: to be writable); -1: failed. */
int		 load_tls_shake(struct ssl_st *, bool *write);
ssize_t		 load_tls_recv(struct ssl_st *, void *, size_t);
ssize_t		 load_tls_send(struct ssl_st *, const void *, size_t);
void		 load_tls_free(struct ssl_st **);

#endif
