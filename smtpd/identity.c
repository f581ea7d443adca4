/*
 * identity — see identity.h.
 */
#include "smtpd/identity.h"

#include <openssl/evp.h>

#include "smtpd/key/provider.h"

#define IDENTITIES_MAX	(64 * CONF_TLS_IDENTITIES_MAX)

struct gathering {
	const struct files	*files;
	struct buf		 pem[IDENTITIES_MAX];
	struct tls_identity	 ids[IDENTITIES_MAX];
	size_t			 count;
};

static const enum tls_floor floors[CONF_TLS_VERSION_COUNT] = {
	[CONF_TLS_1_2] = TLS_FLOOR_1_2, [CONF_TLS_1_3] = TLS_FLOOR_1_3,
};

static const char *const realms[LISTENER_ROLE_COUNT] = {
	[LISTENER_MX] = "mx", [LISTENER_TRUSTED] = "trusted", [LISTENER_SUBMISSION] = "submission",
};

static int
gather_one(struct gathering *g, unsigned set, uint32_t number, struct err *err)
{
	struct buf *pem = &g->pem[g->count];
	struct tls_identity *id = &g->ids[g->count++];

	buf_init(pem, FILE_BYTES_MAX + FILE_BLOCK);
	if (files_read(g->files, PASSED_CERTIFICATE, number, pem, err) == -1)
		return -1;
	*id = (struct tls_identity){ .set = set, .chain = buf_slice(pem) };
	id->key = key_provider_key(id->chain, err);
	return id->key == NULL ? -1 : 0;
}

/* All certificates of a tls section. */
static int
gather(struct gathering *g, const struct conf *conf, unsigned set, const char *name, struct err *err)
{
	const struct conf_tls *tls = conf_tls_find(conf, name);
	uint32_t first;

	if (tls == NULL)
		return err_set(err, "there is no tls section \"%s\"", name);
	first = conf_tls_first(conf, (uint32_t)(tls - conf->tls));
	for (uint32_t k = 0; k < tls->certificate.count; k++) {
		if (g->count == IDENTITIES_MAX)
			return err_set(err, "more than %d certificates for one listener", IDENTITIES_MAX);
		if (gather_one(g, set, first + k, err) == -1)
			return err_wrap(err, "certificate %s", tls->certificate.v[k]);
	}
	return 0;
}

static void
gathering_end(struct gathering *g)
{
	for (size_t i = 0; i < g->count; i++) {
		EVP_PKEY_free(g->ids[i].key);
		buf_fini(&g->pem[i]);
	}
}

/* The oldest of what its sections speak: one handshake begins before the client has said which name it means. */
static enum tls_floor
floor_of(const struct conf *conf, const struct conf_listener *l)
{
	enum conf_tls_version least = CONF_TLS_1_3;

	for (uint32_t i = 0; i < l->tls.count; i++) {
		const struct conf_tls *tls = conf_tls_find(conf, l->tls.v[i]);

		if (tls != NULL && tls->min_version < least)
			least = tls->min_version;
	}
	return floors[least];
}

struct tls_context *
identity_context(const struct conf *conf, const struct conf_listener *l, const struct files *files, struct err *err)
{
	struct gathering g = { .files = files };
	struct tls_server_options options = { floor_of(conf, l), realms[l->role] };
	struct tls_context *context = NULL;
	int result = files == NULL ? err_set(err, "there are no certificates") : 0;

	for (uint32_t i = 0; result == 0 && i < l->tls.count; i++)
		result = gather(&g, conf, i, l->tls.v[i], err);
	if (result == 0) {
		context = tls_server_new(g.ids, g.count, &options, err);
		if (context == NULL)
			(void)err_wrap(err, "listener \"%s\"", l->name);
	}
	gathering_end(&g);
	return context;
}
