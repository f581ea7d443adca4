/* verifier — crypt(3) and RFC 5802 3. Every copy of a password is wiped before its memory is given back. */
#include "lookup/password/verifier.h"

#include <crypt.h>
#include <errno.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/num.h"
#include "smtp/base64.h"

static int	parse_crypt(struct slice, struct verifier *, const char **);
static int	parse_scram(struct slice, struct verifier *, const char **);

static const struct {
	struct slice	name;
	int		(*parse)(struct slice, struct verifier *, const char **why);
} schemes[] = {
	{ SLICE_LIT("CRYPT"), parse_crypt },
	{ SLICE_LIT("BLF-CRYPT"), parse_crypt },
	{ SLICE_LIT("SHA256-CRYPT"), parse_crypt },
	{ SLICE_LIT("SHA512-CRYPT"), parse_crypt },
	{ SLICE_LIT("SCRAM-SHA-256"), parse_scram },
};

static int
parse_crypt(struct slice text, struct verifier *out, const char **why)
{
	int sound;

	*why = "no hash of crypt(3), or an old and weak one";
	if (text.len < 3 || text.len > CRYPT_HASH_MAX || text.p[0] != '$' || memchr(text.p, '\0', text.len) != NULL)
		return -1;
	memcpy(out->hash, text.p, text.len);
	out->hash[text.len] = '\0';
	sound = crypt_checksalt(out->hash);
	if (sound == CRYPT_SALT_INVALID || sound == CRYPT_SALT_METHOD_DISABLED)
		return -1;
	/* SHA-256 with 5,000 rounds is old to libcrypt, and what many have. */
	*why = "a hash by MD5, or another that is as weak";
	if (sound == CRYPT_SALT_METHOD_LEGACY && !slice_starts(text, SLICE_LIT("$5$")))
		return -1;
	out->kind = VERIFIER_CRYPT;
	return 0;
}

static int
parse_key(struct slice text, unsigned char out[SCRAM_KEY])
{
	char key[BASE64_DECODED(BASE64_ENCODED(SCRAM_KEY))];
	size_t len;

	if (text.len != BASE64_ENCODED(SCRAM_KEY) || base64_decode(text, key, &len) == -1 || len != SCRAM_KEY)
		return -1;
	memcpy(out, key, SCRAM_KEY);
	OPENSSL_cleanse(key, sizeof(key));
	return 0;
}

static int
parse_scram(struct slice text, struct verifier *out, const char **why)
{
	struct slice iterations, salt, stored, rest;
	char bytes[BASE64_DECODED(BASE64_ENCODED(SCRAM_SALT_MAX))];
	uint64_t count;

	iterations = slice_split(text, ',', &rest);
	salt = slice_split(rest, ',', &rest);
	stored = slice_split(rest, ',', &rest);
	*why = "iterations are not a number of 4096 to 1000000";
	if (num_parse(iterations, SCRAM_ITERATIONS_MAX, &count) == -1 || count < SCRAM_ITERATIONS_LEAST)
		return -1;
	*why = "the salt is not the base64 of 1 to 64 bytes";
	if (salt.len > BASE64_ENCODED(SCRAM_SALT_MAX) || base64_decode(salt, bytes, &out->salt_len) == -1 ||
	    out->salt_len == 0 || out->salt_len > SCRAM_SALT_MAX)
		return -1;
	memcpy(out->salt, bytes, out->salt_len);
	*why = "a key is not the base64 of 32 bytes";
	if (parse_key(stored, out->stored) == -1 || parse_key(rest, out->server) == -1)
		return -1;
	out->iterations = (unsigned)count;
	out->kind = VERIFIER_SCRAM;
	return 0;
}

int
verifier_parse(struct slice text, struct verifier *out, const char **why)
{
	struct slice name, rest;

	*out = (struct verifier){ 0 };
	if (text.len == 0 || text.p[0] != '{')
		return parse_crypt(text, out, why);
	slice_drop(&text, 1);
	name = slice_split(text, '}', &rest);
	*why = "a scheme that is not accepted here";
	for (size_t i = 0; rest.p != NULL && i < sizeof(schemes) / sizeof(schemes[0]); i++)
		if (slice_caseeq(name, schemes[i].name))
			return schemes[i].parse(rest, out, why);
	return -1;
}

static bool
check_crypt(const struct verifier *v, const char *phrase)
{
	struct crypt_data *data = mem_zalloc(sizeof(*data));	/* 32 KiB */
	char *hash;
	bool same;

	/* Our want of memory is nobody's wrong password: whoever checks ends here, and the attempt is "try later". */
	if (data == NULL)
		fatal("no memory to check a password");
	errno = 0;
	hash = crypt_r(phrase, v->hash, data);
	if ((hash == NULL || hash[0] == '*') && errno == ENOMEM)
		fatal("no memory to check a password");
	/* On failure the hash begins with `*', which no verifier does. */
	same = hash != NULL && strlen(hash) == strlen(v->hash) && CRYPTO_memcmp(hash, v->hash, strlen(hash)) == 0;
	OPENSSL_cleanse(data, sizeof(*data));
	mem_free(data);
	return same;
}

/* RFC 5802 3: SaltedPassword, ClientKey, StoredKey. The password is taken as it comes: what SASLprep would change is left. */
static bool
check_scram(const struct verifier *v, struct slice password)
{
	unsigned char salted[SCRAM_KEY], client[SCRAM_KEY], stored[SCRAM_KEY];
	bool same;

	same = PKCS5_PBKDF2_HMAC(password.p, (int)password.len, v->salt, (int)v->salt_len, (int)v->iterations, EVP_sha256(),
	    SCRAM_KEY, salted) == 1 &&
	    HMAC(EVP_sha256(), salted, SCRAM_KEY, (const unsigned char *)"Client Key", 10, client, NULL) != NULL &&
	    EVP_Digest(client, SCRAM_KEY, stored, NULL, EVP_sha256(), NULL) == 1 &&
	    CRYPTO_memcmp(stored, v->stored, SCRAM_KEY) == 0;
	OPENSSL_cleanse(salted, sizeof(salted));
	OPENSSL_cleanse(client, sizeof(client));
	OPENSSL_cleanse(stored, sizeof(stored));
	return same;
}

bool
verifier_check(const struct verifier *v, struct slice password)
{
	char phrase[PASSWORD_MAX + 1];
	bool same;

	if (password.len > PASSWORD_MAX || memchr(password.p, '\0', password.len) != NULL)
		return false;
	if (v->kind == VERIFIER_SCRAM)
		return check_scram(v, password);
	memcpy(phrase, password.p, password.len);
	phrase[password.len] = '\0';
	same = v->kind == VERIFIER_CRYPT && check_crypt(v, phrase);
	OPENSSL_cleanse(phrase, sizeof(phrase));
	return same;
}

static const struct verifier stranger = { .kind = VERIFIER_CRYPT, .hash = "$y$j9T$Tg5sP1m8vWbW0nS5i4Xr0/$" };

const char *
verifier_stranger(void)
{
	return stranger.hash;
}

void
verifier_pretend(const struct verifier *like, struct slice password)
{
	(void)verifier_check(like != NULL ? like : &stranger, password);
}

void
verifier_warm_up(void)
{
	unsigned char out[SCRAM_KEY];

	(void)OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG, NULL);
	(void)HMAC(EVP_sha256(), out, 0, out, 0, out, NULL);
}
