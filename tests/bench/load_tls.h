#ifndef BENCH_LOAD_TLS_H
#define BENCH_LOAD_TLS_H
/*
 * load_tls — the TLS of a load generator's client: a full handshake each time, any certificate. By OpenSSL, or, where sessions and not
 * messages are counted, by a client that costs a tenth (lean_tls.h). Non-blocking; results as those of recv(2).
 */
#include <stdbool.h>
#include <sys/types.h>

struct load_tls;

struct load_tls	*load_tls_new(int fd, bool lean);
/* 1: done; 0: wait for the socket (*write: to be writable); -1: failed. */
int		 load_tls_shake(struct load_tls *, bool *write);
ssize_t		 load_tls_recv(struct load_tls *, void *, size_t);
ssize_t		 load_tls_send(struct load_tls *, const void *, size_t);
void		 load_tls_free(struct load_tls **);

#endif
