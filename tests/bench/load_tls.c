/* load_tls — see load_tls.h. */
#include "tests/bench/load_tls.h"

#include <errno.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

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

SSL *
load_tls_new(int fd)
{
	SSL *ssl = SSL_new(context());

	if (ssl == NULL || SSL_set_fd(ssl, fd) != 1)
		return NULL;
	SSL_set_connect_state(ssl);
	return ssl;
}

int
load_tls_shake(SSL *ssl, bool *write)
{
	int result, why;

	ERR_clear_error();
	result = SSL_do_handshake(ssl);
	if (result == 1)
		return 1;
	why = SSL_get_error(ssl, result);
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
load_tls_recv(SSL *ssl, void *to, size_t max)
{
	size_t done = 0;
	int result;

	ERR_clear_error();
	result = SSL_read_ex(ssl, to, max, &done);
	return result_of(ssl, result, done);
}

ssize_t
load_tls_send(SSL *ssl, const void *from, size_t len)
{
	size_t done = 0;
	int result;

	ERR_clear_error();
	result = SSL_write_ex(ssl, from, len, &done);
	return result_of(ssl, result, done);
}

void
load_tls_free(SSL **ssl)
{
	SSL_free(*ssl);
	*ssl = NULL;
}
