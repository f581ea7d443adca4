/* certificate — see certificate.h. */
#include "tests/support/certificate.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>

EVP_PKEY *
certificate_key(enum key_kind kind)
{
	return kind == KEY_RSA_2048 ? EVP_RSA_gen(2048) : EVP_EC_gen("P-256");
}

static char *
pem_text(BIO *out)
{
	char *text = NULL, *at;
	long len = BIO_get_mem_data(out, &at);

	if (len > 0 && (text = malloc((size_t)len + 1)) != NULL) {
		memcpy(text, at, (size_t)len);
		text[len] = '\0';
	}
	BIO_free(out);
	return text;
}

static void
add_names(X509 *cert, const char *const *names)
{
	GENERAL_NAMES *all = GENERAL_NAMES_new();

	for (size_t i = 0; names[i] != NULL; i++) {
		ASN1_IA5STRING *text = ASN1_IA5STRING_new();
		GENERAL_NAME *name = GENERAL_NAME_new();

		ASN1_STRING_set(text, names[i], -1);
		GENERAL_NAME_set0_value(name, GEN_DNS, text);
		sk_GENERAL_NAME_push(all, name);
	}
	X509_add1_ext_i2d(cert, NID_subject_alt_name, all, 0, 0);
	GENERAL_NAMES_free(all);
}

char *
certificate_pem(EVP_PKEY *key, const char *const *names)
{
	X509 *cert = X509_new();
	X509_NAME *subject = X509_get_subject_name(cert);
	BIO *out = BIO_new(BIO_s_mem());

	X509_set_version(cert, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(cert), 1);
	X509_gmtime_adj(X509_getm_notBefore(cert), -3600);
	X509_gmtime_adj(X509_getm_notAfter(cert), 86400);
	X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, (const unsigned char *)names[0], -1, -1, 0);
	X509_set_issuer_name(cert, subject);
	X509_set_pubkey(cert, key);
	add_names(cert, names);
	X509_sign(cert, key, EVP_sha256());
	PEM_write_bio_X509(out, cert);
	X509_free(cert);
	return pem_text(out);
}

char *
certificate_key_pem(EVP_PKEY *key)
{
	BIO *out = BIO_new(BIO_s_mem());

	PEM_write_bio_PrivateKey(out, key, NULL, NULL, 0, NULL, NULL);
	return pem_text(out);
}
