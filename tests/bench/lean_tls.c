/* lean_tls — see lean_tls.h. Numbers of sections are those of RFC 8446. */
#include "tests/bench/lean_tls.h"

#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <openssl/evp.h>

#define HASH		32		/* SHA-256 */
#define TAG		16
#define RECORD_HEAD	5
#define RECORD_MAX	(16384 + 256)	/* 5.2 */
#define MESSAGES_MAX	16384		/* of the server's first flight, certificates included */
#define PLAIN_MAX	16384		/* 5.1 */

enum content_type { CHANGE_CIPHER_SPEC = 20, ALERT = 21, HANDSHAKE = 22, APPLICATION_DATA = 23 };
enum handshake_type { SERVER_HELLO = 2, NEW_SESSION_TICKET = 4, ENCRYPTED_EXTENSIONS = 8, CERTIFICATE = 11, CERTIFICATE_VERIFY = 15,
    FINISHED = 20 };

struct secret { uint8_t bytes[HASH]; };

struct direction {			/* 5.2, 5.3 */
	EVP_CIPHER_CTX	*cipher;	/* NULL: in clear */
	uint8_t		 iv[12];
	uint64_t	 records;
};

struct lean_tls {
	int			 fd;
	bool			 begun, done, ended;
	enum handshake_type	 next;		/* what must come */
	EVP_MD_CTX		*transcript;	/* 4.4.1 */
	struct secret		 shared, client, server;	/* of the handshake */
	struct direction	 in, out;
	size_t			 raw_len, messages_len, data_at, data_len, sealed_at, sealed_len;
	uint8_t			 raw[RECORD_HEAD + RECORD_MAX];		/* a record, as far as it has come */
	uint8_t			 messages[MESSAGES_MAX];		/* handshake messages, the last one in parts */
	uint8_t			 data[RECORD_MAX];			/* application data not taken yet, from data_at */
	uint8_t			 sealed[RECORD_HEAD + RECORD_MAX];	/* a record not sent yet, from sealed_at */
};

/* --- what all sessions share ------------------------------------------------------------------------ */

static struct {
	EVP_MD		*hash;
	EVP_CIPHER	*cipher;
	EVP_MD_CTX	*work;
	EVP_PKEY	*key;
	uint8_t		 share[32];
	struct secret	 nothing, early;	/* the hash of nothing; "derived" of a session without PSK (7.1) */
} the;

static void
need(bool fine, const char *what)
{
	if (!fine) {
		fprintf(stderr, "smtp_load: OpenSSL fails: %s\n", what);
		exit(1);
	}
}

/* Of two pieces. */
static struct secret
hash(const void *a, size_t a_len, const void *b, size_t b_len)
{
	struct secret out;

	need(EVP_DigestInit_ex2(the.work, the.hash, NULL) == 1 && EVP_DigestUpdate(the.work, a, a_len) == 1 &&
	    EVP_DigestUpdate(the.work, b, b_len) == 1 && EVP_DigestFinal_ex(the.work, out.bytes, NULL) == 1, "hash");
	return out;
}

static struct secret
hmac(const struct secret *key, const void *data, size_t len)
{
	uint8_t inner[64], outer[64];
	struct secret middle;

	memset(inner, 0x36, sizeof(inner));
	memset(outer, 0x5c, sizeof(outer));
	for (size_t i = 0; i < HASH; i++) {
		inner[i] ^= key->bytes[i];
		outer[i] ^= key->bytes[i];
	}
	middle = hash(inner, sizeof(inner), data, len);
	return hash(outer, sizeof(outer), middle.bytes, HASH);
}

/* 7.1: HKDF-Expand-Label; no more than one block is ever asked for. */
static struct secret
expand(const struct secret *secret, const char *label, const void *context, size_t context_len, size_t len)
{
	uint8_t info[128];
	size_t label_len = strlen(label), n = 0;

	info[n++] = 0;
	info[n++] = (uint8_t)len;
	info[n++] = (uint8_t)(6 + label_len);
	memcpy(info + n, "tls13 ", 6);
	memcpy(info + n + 6, label, label_len);
	n += 6 + label_len;
	info[n++] = (uint8_t)context_len;
	if (context_len > 0)
		memcpy(info + n, context, context_len);
	n += context_len;
	info[n++] = 1;
	return hmac(secret, info, n);
}

static struct secret
derive(const struct secret *secret, const char *label, const struct secret *so_far)
{
	return expand(secret, label, so_far->bytes, HASH, HASH);
}

static void
prepare(void)
{
	static const struct secret zero;
	struct secret early;
	size_t len = sizeof(the.share);

	if (the.hash != NULL)
		return;
	the.hash = EVP_MD_fetch(NULL, "SHA256", NULL);
	the.cipher = EVP_CIPHER_fetch(NULL, "AES-128-GCM", NULL);
	the.work = EVP_MD_CTX_new();
	the.key = EVP_PKEY_Q_keygen(NULL, NULL, "X25519");
	need(the.hash != NULL && the.cipher != NULL && the.work != NULL && the.key != NULL &&
	    EVP_PKEY_get_raw_public_key(the.key, the.share, &len) == 1, "start");
	the.nothing = hash("", 0, "", 0);
	early = hmac(&zero, zero.bytes, HASH);
	the.early = derive(&early, "derived", &the.nothing);
}

/* --- records ---------------------------------------------------------------------------------------- */

static void
use_keys(struct direction *d, const struct secret *secret, bool seal)
{
	struct secret key = expand(secret, "key", NULL, 0, 16), iv = expand(secret, "iv", NULL, 0, sizeof(d->iv));

	if (d->cipher == NULL)
		d->cipher = EVP_CIPHER_CTX_new();
	need(d->cipher != NULL && EVP_CipherInit_ex2(d->cipher, the.cipher, key.bytes, NULL, seal, NULL) == 1, "cipher");
	memcpy(d->iv, iv.bytes, sizeof(d->iv));
	d->records = 0;
}

static void
begin_record(struct direction *d, const uint8_t head[RECORD_HEAD])
{
	uint8_t nonce[sizeof(d->iv)];
	int len;

	memcpy(nonce, d->iv, sizeof(nonce));
	for (size_t i = 0; i < 8; i++)
		nonce[sizeof(nonce) - 1 - i] ^= (uint8_t)(d->records >> 8 * i);
	d->records++;
	need(EVP_CipherInit_ex2(d->cipher, NULL, NULL, nonce, -1, NULL) == 1 &&
	    EVP_CipherUpdate(d->cipher, NULL, &len, head, RECORD_HEAD) == 1, "nonce");
}

/* Up to PLAIN_MAX bytes, behind nothing. */
static void
seal_record(struct lean_tls *t, enum content_type type, const void *from, size_t len)
{
	EVP_CIPHER_CTX *cipher = t->out.cipher;
	uint8_t *text = t->sealed + RECORD_HEAD, inside = (uint8_t)type;
	size_t whole = cipher == NULL ? len : len + 1 + TAG;
	int some, end, last;

	memcpy(t->sealed, (uint8_t[]){ cipher == NULL ? inside : APPLICATION_DATA, 3, 3, (uint8_t)(whole >> 8), (uint8_t)whole }, RECORD_HEAD);
	t->sealed_at = 0;
	t->sealed_len = RECORD_HEAD + whole;
	if (cipher == NULL) {
		memcpy(text, from, len);
		return;
	}
	begin_record(&t->out, t->sealed);
	need(EVP_CipherUpdate(cipher, text, &some, from, (int)len) == 1 && EVP_CipherUpdate(cipher, text + some, &end, &inside, 1) == 1 &&
	    EVP_CipherFinal_ex(cipher, text + some + end, &last) == 1 &&
	    EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_AEAD_GET_TAG, TAG, text + len + 1) == 1, "seal");
}

/* 1: all is sent; 0: the socket is full; -1: it is broken. */
static int
send_sealed(struct lean_tls *t)
{
	while (t->sealed_at < t->sealed_len) {
		ssize_t n = send(t->fd, t->sealed + t->sealed_at, t->sealed_len - t->sealed_at, MSG_NOSIGNAL);

		if (n <= 0)
			return n == -1 && errno == EAGAIN ? 0 : -1;
		t->sealed_at += (size_t)n;
	}
	return 1;
}

/* -1: the socket did not take it at once. */
static int
say(struct lean_tls *t, const void *message, size_t len)
{
	seal_record(t, HANDSHAKE, message, len);
	return send_sealed(t) == 1 ? 0 : -1;
}

/* What stands in a whole record, in place; the type, or 0: it is not the server's. */
static enum content_type
open_record(struct lean_tls *t, uint8_t **text, size_t *len)
{
	size_t body = t->raw_len - RECORD_HEAD;
	uint8_t *p = t->raw + RECORD_HEAD;
	int n, last;

	*text = p;
	*len = body;
	if (t->in.cipher == NULL || t->raw[0] == CHANGE_CIPHER_SPEC)
		return (enum content_type)t->raw[0];
	if (body < TAG + 1 || t->raw[0] != APPLICATION_DATA)
		return 0;
	body -= TAG;
	begin_record(&t->in, t->raw);
	if (EVP_CIPHER_CTX_ctrl(t->in.cipher, EVP_CTRL_AEAD_SET_TAG, TAG, p + body) != 1 ||
	    EVP_CipherUpdate(t->in.cipher, p, &n, p, (int)body) != 1 || EVP_CipherFinal_ex(t->in.cipher, p + n, &last) != 1)
		return 0;
	while (body > 0 && p[body - 1] == 0)
		body--;
	*len = body == 0 ? 0 : body - 1;
	return body == 0 ? 0 : (enum content_type)p[body - 1];
}

/* 1: a record is whole; 0: wait; -1: no more comes. */
static int
read_record(struct lean_tls *t)
{
	for (;;) {
		size_t want = RECORD_HEAD;
		ssize_t n;

		if (t->raw_len >= RECORD_HEAD)
			want += (size_t)t->raw[3] << 8 | t->raw[4];
		if (want > sizeof(t->raw))
			return -1;
		if (t->raw_len == want && want > RECORD_HEAD)
			return 1;
		n = recv(t->fd, t->raw + t->raw_len, want - t->raw_len, 0);
		if (n <= 0)
			return n == -1 && errno == EAGAIN ? 0 : -1;
		t->raw_len += (size_t)n;
	}
}

/* --- the handshake ---------------------------------------------------------------------------------- */

static struct secret
transcript(const struct lean_tls *t)
{
	EVP_MD_CTX *copy = EVP_MD_CTX_new();
	struct secret out;

	need(copy != NULL && EVP_MD_CTX_copy_ex(copy, t->transcript) == 1 && EVP_DigestFinal_ex(copy, out.bytes, NULL) == 1, "transcript");
	EVP_MD_CTX_free(copy);
	return out;
}

static void
note(struct lean_tls *t, const void *message, size_t len)
{
	need(EVP_DigestUpdate(t->transcript, message, len) == 1, "transcript");
}

/* 4.1.2. */
static int
say_hello(struct lean_tls *t)
{
	static const uint8_t before[] = { 3, 3 };
	static const uint8_t behind[] = {
		0,					/* no session id */
		0, 2, 0x13, 0x01,			/* TLS_AES_128_GCM_SHA256 */
		1, 0,					/* no compression */
		0, 0,					/* the extensions' length */
		0, 43, 0, 3, 2, 3, 4,			/* supported_versions: 1.3 */
		0, 10, 0, 4, 0, 2, 0, 0x1d,		/* supported_groups: x25519 */
		0, 13, 0, 8, 0, 6, 4, 3, 8, 4, 8, 9,	/* signature_algorithms: ECDSA P-256, RSA-PSS; with SHA-256 */
		0, 45, 0, 2, 1, 1,			/* psk_key_exchange_modes: tickets are welcome */
		0, 51, 0, 38, 0, 36, 0, 0x1d, 0, 32,	/* key_share, and the share behind it */
	};
	static uint64_t hellos;
	uint8_t m[256] = { 1, 0 };
	size_t n = 4, extensions;

	memcpy(m + n, before, sizeof(before));
	n += sizeof(before);
	hellos++;
	memset(m + n, 0x5a, 32);			/* random enough for a server that does not care */
	memcpy(m + n, &hellos, sizeof(hellos));
	n += 32;
	memcpy(m + n, behind, sizeof(behind));
	extensions = n + 9;
	n += sizeof(behind);
	memcpy(m + n, the.share, sizeof(the.share));
	n += sizeof(the.share);
	m[3] = (uint8_t)(n - 4);
	m[extensions - 1] = (uint8_t)(n - extensions);
	note(t, m, n);
	return say(t, m, n);
}

/* The share in a ServerHello (4.1.3, 4.2.8). NULL: it is none that this client understands. */
static const uint8_t *
share_of(const uint8_t *p, size_t len)
{
	size_t at = 2 + 32;

	if (len < at + 1 || len < at + 1 + p[at] + 5)
		return NULL;
	at += 1 + (size_t)p[at];
	if (p[at] != 0x13 || p[at + 1] != 0x01)
		return NULL;
	for (at += 5; at + 4 <= len; ) {
		size_t type = (size_t)p[at] << 8 | p[at + 1], size = (size_t)p[at + 2] << 8 | p[at + 3];

		at += 4;
		if (size > len - at)
			return NULL;
		if (type == 51)
			return size == 36 && p[at + 1] == 0x1d ? p + at + 4 : NULL;
		at += size;
	}
	return NULL;
}

/* 7.1: from the shares to the keys of the handshake. */
static int
on_server_hello(struct lean_tls *t, const uint8_t *p, size_t len)
{
	const uint8_t *share = share_of(p, len);
	EVP_PKEY *peer = share == NULL ? NULL : EVP_PKEY_new_raw_public_key_ex(NULL, "X25519", NULL, share, 32);
	EVP_PKEY_CTX *exchange = EVP_PKEY_CTX_new_from_pkey(NULL, the.key, NULL);
	uint8_t both[HASH];
	size_t n = sizeof(both);
	int result = -1;

	if (peer != NULL && exchange != NULL && EVP_PKEY_derive_init(exchange) == 1 && EVP_PKEY_derive_set_peer_ex(exchange, peer, 0) == 1 &&
	    EVP_PKEY_derive(exchange, both, &n) == 1 && n == sizeof(both)) {
		struct secret so_far = transcript(t);

		t->shared = hmac(&the.early, both, sizeof(both));
		t->client = derive(&t->shared, "c hs traffic", &so_far);
		t->server = derive(&t->shared, "s hs traffic", &so_far);
		use_keys(&t->in, &t->server, false);
		result = 0;
	}
	EVP_PKEY_CTX_free(exchange);
	EVP_PKEY_free(peer);
	return result;
}

/* 4.4.4. */
static struct secret
finished(const struct lean_tls *t, const struct secret *whose)
{
	struct secret key = expand(whose, "finished", NULL, 0, HASH), so_far = transcript(t);

	return hmac(&key, so_far.bytes, HASH);
}

static int
say_finished(struct lean_tls *t)
{
	static const struct secret zero;
	struct secret next = derive(&t->shared, "derived", &the.nothing), master = hmac(&next, zero.bytes, HASH), so_far = transcript(t);
	struct secret client = derive(&master, "c ap traffic", &so_far), server = derive(&master, "s ap traffic", &so_far);
	struct secret mine = finished(t, &t->client);
	uint8_t m[4 + HASH] = { FINISHED, 0, 0, HASH };

	memcpy(m + 4, mine.bytes, HASH);
	use_keys(&t->out, &t->client, true);
	if (say(t, m, sizeof(m)) == -1)
		return -1;
	use_keys(&t->in, &server, false);
	use_keys(&t->out, &client, true);
	return 0;
}

/* One whole message: its head of four bytes, and the rest. */
static int
on_message(struct lean_tls *t, const uint8_t *m, size_t len)
{
	static const enum handshake_type after[] = { [SERVER_HELLO] = ENCRYPTED_EXTENSIONS, [ENCRYPTED_EXTENSIONS] = CERTIFICATE,
		[CERTIFICATE] = CERTIFICATE_VERIFY, [CERTIFICATE_VERIFY] = FINISHED, [FINISHED] = NEW_SESSION_TICKET,
		[NEW_SESSION_TICKET] = NEW_SESSION_TICKET };
	enum handshake_type type = (enum handshake_type)m[0];
	struct secret theirs;

	if (type != t->next)
		return -1;
	t->next = after[type];
	if (type == NEW_SESSION_TICKET)
		return 0;
	if (type == FINISHED) {
		theirs = finished(t, &t->server);
		if (len != 4 + HASH || memcmp(m + 4, theirs.bytes, HASH) != 0)
			return -1;
	}
	note(t, m, len);
	if (type == SERVER_HELLO)
		return on_server_hello(t, m + 4, len - 4);
	t->done = type == FINISHED;
	return t->done ? say_finished(t) : 0;
}

static int
take_messages(struct lean_tls *t, const uint8_t *text, size_t len)
{
	size_t at = 0;

	if (len > sizeof(t->messages) - t->messages_len)
		return -1;
	memcpy(t->messages + t->messages_len, text, len);
	t->messages_len += len;
	while (t->messages_len - at >= 4) {
		const uint8_t *m = t->messages + at;
		size_t size = 4 + ((size_t)m[1] << 16 | (size_t)m[2] << 8 | m[3]);

		if (t->messages_len - at < size)
			break;
		if (on_message(t, m, size) == -1)
			return -1;
		at += size;
	}
	t->messages_len -= at;
	memmove(t->messages, t->messages + at, t->messages_len);
	return 0;
}

/* 1: a record was taken; 0: wait; -1: the end. */
static int
step(struct lean_tls *t)
{
	enum content_type type;
	int result = read_record(t);
	uint8_t *text;
	size_t len;

	if (result != 1)
		return result;
	type = open_record(t, &text, &len);
	t->raw_len = 0;
	switch (type) {
	case CHANGE_CIPHER_SPEC:
		return 1;
	case HANDSHAKE:
		return take_messages(t, text, len) == -1 ? -1 : 1;
	case APPLICATION_DATA:
		if (!t->done)
			return -1;
		memcpy(t->data, text, len);
		t->data_at = 0;
		t->data_len = len;
		return 1;
	case ALERT:
		t->ended = len == 2 && text[1] == 0;	/* close_notify */
		return -1;
	default:
		return -1;
	}
}

/* --- from outside ----------------------------------------------------------------------------------- */

struct lean_tls *
lean_tls_new(int fd)
{
	struct lean_tls *t = malloc(sizeof(*t));

	prepare();
	if (t == NULL)
		return NULL;
	memset(t, 0, offsetof(struct lean_tls, raw));
	t->fd = fd;
	t->next = SERVER_HELLO;
	t->transcript = EVP_MD_CTX_new();
	need(t->transcript != NULL && EVP_DigestInit_ex2(t->transcript, the.hash, NULL) == 1, "transcript");
	return t;
}

int
lean_tls_shake(struct lean_tls *t)
{
	int result = 1;

	if (!t->begun && say_hello(t) == -1)
		return -1;
	t->begun = true;
	while (!t->done && result == 1)
		result = step(t);
	return t->done ? 1 : result;
}

ssize_t
lean_tls_recv(struct lean_tls *t, void *to, size_t max)
{
	int result = 1;

	while (t->data_len == 0 && result == 1)
		result = step(t);
	if (t->data_len == 0) {
		errno = result == 0 ? EAGAIN : EPROTO;
		return t->ended ? 0 : -1;
	}
	if (max > t->data_len)
		max = t->data_len;
	memcpy(to, t->data + t->data_at, max);
	t->data_at += max;
	t->data_len -= max;
	return (ssize_t)max;
}

bool
lean_tls_unsent(const struct lean_tls *t)
{
	return t->sealed_at < t->sealed_len;
}

ssize_t
lean_tls_send(struct lean_tls *t, const void *from, size_t len)
{
	int result = send_sealed(t);

	if (len > PLAIN_MAX)
		len = PLAIN_MAX;
	if (result == 1 && len > 0) {
		seal_record(t, APPLICATION_DATA, from, len);
		result = send_sealed(t) == -1 ? -1 : 1;		/* it is ours now, sent or not */
	}
	if (result == 1)
		return (ssize_t)len;
	errno = result == 0 ? EAGAIN : EPROTO;
	return -1;
}

void
lean_tls_free(struct lean_tls **tp)
{
	struct lean_tls *t = *tp;

	*tp = NULL;
	if (t == NULL)
		return;
	EVP_MD_CTX_free(t->transcript);
	EVP_CIPHER_CTX_free(t->in.cipher);
	EVP_CIPHER_CTX_free(t->out.cipher);
	free(t);
}
