/* load_tls — see load_tls.h. */
#include "tests/bench/load_tls.h"

#include <errno.h>
#include <stdlib.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

#include "tests/bench/lean_tls.h"

struct load_tls {			/* one of the two */
	SSL		*ssl;
	struct lean_tls	*lean;
};

static SSL_CTX *
context(void)
{
	static SSL_CTX *made;

	if (made != NULL)
		return made;
	made = SSL_CTX_new(TLS_client_method());
	SSL_CTX_set_session_cache_mode(made, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_mode(made, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	return made;
}

struct load_tls *
load_tls_new(int fd, bool lean)
{
	struct load_tls *t = calloc(1, sizeof(*t));

	if (t == NULL)
		return NULL;
	if (lean)
		t->lean = lean_tls_new(fd);
	else if ((t->ssl = SSL_new(context())) != NULL && SSL_set_fd(t->ssl, fd) == 1)
		SSL_set_connect_state(t->ssl);
	if (t->lean == NULL && t->ssl == NULL) {
		free(t);
		return NULL;
	}
	return t;
}

int
load_tls_shake(struct load_tls *t, bool *write)
{
	int result, why;

	*write = false;
	if (t->lean != NULL)
		return lean_tls_shake(t->lean);
	ERR_clear_error();
	result = SSL_do_handshake(t->ssl);
	if (result == 1)
		return 1;
	why = SSL_get_error(t->ssl, result);
	*write = why == SSL_ERROR_WANT_WRITE;
	return why == SSL_ERROR_WANT_READ || *write ? 0 : -1;
}

static ssize_t
result_of(SSL *ssl, int result, size_t done)
{
	int why;

	if (result == 1)
		return (ssize_t)done;
	why = SSL_get_error(ssl, result);
	errno = why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE ? EAGAIN : EPROTO;
	return why == SSL_ERROR_ZERO_RETURN ? 0 : -1;
}

ssize_t
load_tls_recv(struct load_tls *t, void *to, size_t max)
{
	size_t done = 0;
	int result;

	if (t->lean != NULL)
		return lean_tls_recv(t->lean, to, max);
	ERR_clear_error();
	result = SSL_read_ex(t->ssl, to, max, &done);
	return result_of(t->ssl, result, done);
}

ssize_t
load_tls_send(struct load_tls *t, const void *from, size_t len)
{
	size_t done = 0;
	int result;

	if (t->lean != NULL)
		return lean_tls_send(t->lean, from, len);
	ERR_clear_error();
	result = SSL_write_ex(t->ssl, from, len, &done);
	return result_of(t->ssl, result, done);
}

void
load_tls_free(struct load_tls **tp)
{
	struct load_tls *t = *tp;

	*tp = NULL;
	if (t == NULL)
		return;
	SSL_free(t->ssl);
	if (t->lean != NULL)
		lean_tls_free(&t->lean);
	free(t);
}
