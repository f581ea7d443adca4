/* tls_binding — see tls_binding.h. */
#include "net/tls_binding.h"

#include <openssl/ssl.h>
#include <openssl/x509.h>

#include "net/tls_stream.h"

static const char label[] = "EXPORTER-Channel-Binding";		/* RFC 9266 2, with an empty context */

size_t
tls_exporter(const struct stream *s, char out[TLS_EXPORTER_BYTES])
{
	SSL *ssl = tls_ssl(s);

	if (ssl == NULL || !SSL_is_init_finished(ssl) || SSL_version(ssl) < TLS1_3_VERSION)
		return 0;
	if (SSL_export_keying_material(ssl, (unsigned char *)out, TLS_EXPORTER_BYTES, label, sizeof(label) - 1, NULL, 0, 1) != 1)
		return 0;
	return TLS_EXPORTER_BYTES;
}

/* RFC 5929 4.1: by the hash of the certificate's own signature; SHA-256 where that is weaker, or where it has none. */
static const EVP_MD *
hash_of(X509 *certificate)
{
	const EVP_MD *md;
	int nid;

	if (X509_get_signature_info(certificate, &nid, NULL, NULL, NULL) != 1 || nid == NID_md5 || nid == NID_sha1 || nid == NID_undef)
		return EVP_sha256();
	md = EVP_get_digestbynid(nid);
	return md == NULL ? EVP_sha256() : md;
}

size_t
tls_end_point(const struct stream *s, char out[TLS_END_POINT_MAX])
{
	SSL *ssl = tls_ssl(s);
	X509 *certificate;
	unsigned len = 0;

	/* A resumed session has its certificate from another connection, and the server does not know which of its own that was. */
	if (ssl == NULL || !SSL_is_init_finished(ssl) || SSL_session_reused(ssl))
		return 0;
	certificate = SSL_is_server(ssl) ? SSL_get_certificate(ssl) : SSL_get0_peer_certificate(ssl);
	if (certificate == NULL || X509_digest(certificate, hash_of(certificate), (unsigned char *)out, &len) != 1)
		return 0;
	return len;
}
