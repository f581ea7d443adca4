/*
 * tls_stream — one SSL on the stream's own descriptor. OpenSSL reads ahead, so that a record costs one system call.
 */
#include "net/tls_stream.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "base/mem.h"
#include "net/sockaddr.h"

#define WHY_MAX	160

/*
 * Bytes of the socket that one call may read. OpenSSL reads on by itself past records that hold no data (KeyUpdates, of which TLS has no
 * limit): ten megabytes of them would keep the whole loop for seconds. What is left is announced again by the loop.
 */
#define READ_BUDGET	(32 * 1024)

struct tls {
	struct tls_context	*context;
	SSL			*ssl;
	int			 fd;
	bool			 eof;		/* the socket has ended */
	bool			 named;		/* by us: the peer's certificate is compared with that */
	size_t			 budget;
	char			 why[WHY_MAX];
};

/* ---- the socket, as OpenSSL sees it ---- */

static int
socket_read(BIO *bio, char *to, int max)
{
	struct tls *t = BIO_get_data(bio);
	ssize_t n;

	BIO_clear_retry_flags(bio);
	if (t->budget == 0) {
		BIO_set_retry_read(bio);
		errno = EAGAIN;
		return -1;
	}
	do
		n = recv(t->fd, to, (size_t)max < t->budget ? (size_t)max : t->budget, 0);
	while (n == -1 && errno == EINTR);
	if (n == -1 && (errno == EAGAIN || errno == EWOULDBLOCK))
		BIO_set_retry_read(bio);
	t->eof = n == 0;
	if (n > 0)
		t->budget -= (size_t)n;
	return (int)n;
}

static int
socket_write(BIO *bio, const char *from, int len)
{
	struct tls *t = BIO_get_data(bio);
	ssize_t n;

	BIO_clear_retry_flags(bio);
	do
		n = send(t->fd, from, (size_t)len, MSG_NOSIGNAL);
	while (n == -1 && errno == EINTR);
	if (n == -1 && (errno == EAGAIN || errno == EWOULDBLOCK))
		BIO_set_retry_write(bio);
	return (int)n;
}

static long
socket_control(BIO *bio, int command, long number, void *arg)
{
	const struct tls *t = BIO_get_data(bio);

	(void)number;
	(void)arg;
	/* SSL_OP_IGNORE_UNEXPECTED_EOF asks: who only ends the socket still hears what we have to say. */
	if (command == BIO_CTRL_EOF)
		return t->eof;
	return command == BIO_CTRL_FLUSH ? 1 : 0;
}

static BIO *
socket_new(struct tls *t)
{
	static BIO_METHOD *method;
	BIO *bio;

	if (method == NULL) {
		method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "stream");
		if (method == NULL || BIO_meth_set_read(method, socket_read) != 1 || BIO_meth_set_write(method, socket_write) != 1 ||
		    BIO_meth_set_ctrl(method, socket_control) != 1)
			return NULL;
	}
	bio = BIO_new(method);
	if (bio == NULL)
		return NULL;
	BIO_set_data(bio, t);
	BIO_set_init(bio, 1);
	return bio;
}

/* ---- the layer ---- */

/* What OpenSSL's result means for a stream: always -1, with errno. */
static int
not_done(struct tls *t, int result, int *wants)
{
	int code = SSL_get_error(t->ssl, result), system = errno;

	switch (code) {
	case SSL_ERROR_WANT_READ:
	case SSL_ERROR_WANT_WRITE:
		*wants = code == SSL_ERROR_WANT_READ ? WATCH_READ : WATCH_WRITE;
		errno = EAGAIN;
		return -1;
	case SSL_ERROR_SYSCALL:
		if (ERR_peek_error() == 0) {
			errno = system != 0 && system != EAGAIN ? system : ECONNRESET;
			return -1;
		}
		break;
	case SSL_ERROR_ZERO_RETURN:
		errno = ECONNRESET;
		return -1;
	default:
		break;
	}
	(void)tls_words(t->why, sizeof(t->why));
	errno = EPROTO;
	return -1;
}

static int
layer_open(void *arg, int *wants)
{
	struct tls *t = arg;
	int result;

	ERR_clear_error();
	t->budget = READ_BUDGET;
	result = SSL_do_handshake(t->ssl);
	return result == 1 ? 0 : not_done(t, result, wants);
}

static ssize_t
layer_read(void *arg, void *to, size_t max, int *wants)
{
	struct tls *t = arg;
	size_t got = 0;
	int result;

	ERR_clear_error();
	t->budget = READ_BUDGET;
	result = SSL_read_ex(t->ssl, to, max, &got);
	if (result == 1)
		return (ssize_t)got;
	if (SSL_get_error(t->ssl, result) == SSL_ERROR_ZERO_RETURN)
		return 0;
	return not_done(t, result, wants);
}

static ssize_t
layer_write(void *arg, const void *from, size_t len, int *wants)
{
	struct tls *t = arg;
	size_t put = 0;
	int result;

	ERR_clear_error();
	result = SSL_write_ex(t->ssl, from, len, &put);
	return result == 1 ? (ssize_t)put : not_done(t, result, wants);
}

static bool
layer_holds(const void *arg)
{
	const struct tls *t = arg;

	return SSL_has_pending(t->ssl) == 1;
}

static void
layer_close(void *arg)
{
	struct tls *t = arg;

	ERR_clear_error();
	if (SSL_is_init_finished(t->ssl))
		(void)SSL_shutdown(t->ssl);
	ERR_clear_error();
}

static void
layer_drop(void *arg)
{
	struct tls *t = arg;

	SSL_free(t->ssl);
	tls_context_drop(&t->context);
	mem_free(t);
}

static const struct stream_layer layer = {
	.open = layer_open,
	.read = layer_read,
	.write = layer_write,
	.holds = layer_holds,
	.close = layer_close,
	.drop = layer_drop,
};

static struct tls *
tls_new(const struct stream *s, struct tls_context *context, struct err *err)
{
	struct tls *t = mem_zalloc(sizeof(*t));
	BIO *bio;

	if (t == NULL) {
		(void)err_memory(err, "no memory for TLS");
		return NULL;
	}
	t->fd = stream_fd(s);
	t->ssl = SSL_new(tls_context_ssl(context));
	t->context = tls_context_use(context);
	bio = t->ssl == NULL ? NULL : socket_new(t);
	if (bio == NULL) {
		(void)err_memory(err, "no memory for TLS");
		layer_drop(t);
		return NULL;
	}
	SSL_set_bio(t->ssl, bio, bio);
	return t;
}

static int
put_layer(struct stream *s, struct tls *t, int first_wants, struct err *err)
{
	if (stream_put_layer(s, &layer, t, first_wants) == -1)
		return err_set(err, "the peer did not wait for TLS to begin");
	return 0;
}

int
tls_accept(struct stream *s, struct tls_context *context, struct err *err)
{
	struct tls *t = tls_new(s, context, err);

	if (t == NULL)
		return -1;
	SSL_set_accept_state(t->ssl);
	if (!tls_has_ticket_keys()) {
		SSL_set_options(t->ssl, SSL_OP_NO_TICKET);
		(void)SSL_set_num_tickets(t->ssl, 0);
	}
	return put_layer(s, t, WATCH_READ, err);
}

/* RFC 6066 3: an address is no name of a host. */
static bool
is_host_name(const char *name)
{
	struct sockaddress address;

	return name != NULL && name[0] != '\0' && name[0] != '[' && sockaddress_parse(slice_str(name), 0, &address) == -1;
}

int
tls_connect(struct stream *s, struct tls_context *context, const char *name, struct err *err)
{
	struct tls *t = tls_new(s, context, err);

	if (t == NULL)
		return -1;
	SSL_set_connect_state(t->ssl);
	SSL_set_verify_result(t->ssl, X509_V_ERR_UNSPECIFIED);	/* a new SSL says that all is well: until it is looked at, nothing is */
	if (is_host_name(name)) {
		SSL_set_hostflags(t->ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);	/* RFC 6125 6.4.3 */
		t->named = SSL_set_tlsext_host_name(t->ssl, name) == 1 && SSL_set1_host(t->ssl, name) == 1;
	}
	return put_layer(s, t, WATCH_WRITE, err);
}

const char *
tls_distrust(const struct stream *s)
{
	const struct tls *t = stream_layer_arg(s);
	long result = SSL_get_verify_result(t->ssl);

	if (!t->named)
		return "it has no name that a certificate could prove";
	if (SSL_get0_peer_certificate(t->ssl) == NULL)
		return "there is none";
	return result == X509_V_OK ? NULL : X509_verify_cert_error_string(result);
}

bool
tls_active(const struct stream *s)
{
	return stream_layer_arg(s) != NULL;
}

/* As Postfix names them; NULL: it signed with something else. */
static const char *
signature_name(int nid)
{
	switch (nid) {
	case EVP_PKEY_EC:
		return "ECDSA";
	case EVP_PKEY_RSA_PSS:
		return "RSA-PSS";
	case EVP_PKEY_RSA:
		return "RSA-PKCS1";
	default:
		return NULL;
	}
}

void
tls_facts(const struct stream *s, struct tls_facts *out)
{
	const struct tls *t = stream_layer_arg(s);
	const SSL_CIPHER *cipher = SSL_get_current_cipher(t->ssl);
	int group = (int)SSL_get_negotiated_group(t->ssl), nid = NID_undef;

	*out = (struct tls_facts){ .protocol = SSL_get_version(t->ssl), .cipher = SSL_CIPHER_get_name(cipher),
	    .server_name = SSL_get_servername(t->ssl, TLSEXT_NAMETYPE_host_name), .resumed = SSL_session_reused(t->ssl) == 1 };
	out->bits = SSL_CIPHER_get_bits(cipher, &out->of_bits);
	if (group != NID_undef && (group & TLSEXT_nid_unknown) == 0)
		out->exchange = OBJ_nid2sn(group);
	if (out->resumed)
		return;
	if ((SSL_is_server(t->ssl) ? SSL_get_signature_type_nid(t->ssl, &nid) : SSL_get_peer_signature_type_nid(t->ssl, &nid)) == 1)
		out->signature = signature_name(nid);
}

void
tls_facts_print(const struct stream *s, struct buf *out)
{
	struct tls_facts facts;

	tls_facts(s, &facts);
	buf_printf(out, "%s with cipher %s (%d/%d bits)", facts.protocol, facts.cipher, facts.bits, facts.of_bits);
	if (facts.exchange != NULL)
		buf_printf(out, " key-exchange %s", facts.exchange);
	if (facts.signature != NULL)
		buf_printf(out, " server-signature %s", facts.signature);
}

const char *
tls_why(const struct stream *s)
{
	const struct tls *t = stream_layer_arg(s);

	return t == NULL ? "" : t->why;
}

SSL *
tls_ssl(const struct stream *s)
{
	const struct tls *t = stream_layer_arg(s);

	return t == NULL ? NULL : t->ssl;
}
