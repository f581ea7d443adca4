/*
 * blob — the configuration on the control wire, walked along the rows.
 *
 * Both ends are built from the same rows; after an upgrade under a running supervisor they might
 * not be, so a fingerprint of the rows comes first and a stranger's blob is refused instead of
 * misread.
 */
#include "conf/conf.h"

#include "base/crc32c.h"
#include "conf/fill.h"
#include "conf/value.h"

#define BLOB_MAGIC	UINT32_C(0x70686366)

static uint32_t
fingerprint(void)
{
	uint32_t sum = 0;

	for (size_t i = 0; i < conf_section_count; i++) {
		const struct section *section = &conf_sections[i];

		sum = crc32c(sum, section->name, strlen(section->name) + 1);
		for (size_t j = 0; j < section->count; j++) {
			uint8_t type = (uint8_t)section->settings[j].type;

			sum = crc32c(
			    sum, section->settings[j].name, strlen(section->settings[j].name) + 1);
			sum = crc32c(sum, &type, sizeof(type));
		}
	}
	return sum;
}

static void
section_put(const struct section *section, const struct conf *conf, struct buf *out)
{
	uint32_t items = section_items(section, conf);

	if (section->title_words != NULL)
		put_u32(out, items);
	for (uint32_t item = 0; item < items; item++) {
		const void *base = section_base_const(section, conf, item);

		if (section->title_words != NULL)
			put_str(out, section_title(section, base));
		for (size_t i = 0; i < section->count; i++)
			value_put(&section->settings[i], base, out);
	}
}

void
conf_put(struct buf *out, const struct conf *conf)
{
	put_u32(out, BLOB_MAGIC);
	put_u32(out, fingerprint());
	put_u64(out, conf->generation);
	for (size_t i = 0; i < conf_section_count; i++)
		section_put(&conf_sections[i], conf, out);
}

static void
section_get(const struct section *section, struct conf *conf, struct reader *r)
{
	uint32_t items = 1;

	if (section->title_words != NULL) {
		items = get_count(r, section->item_max, 4);
		if (!r->bad && section_resize(section, conf, items) == -1)
			reader_fail(r);
	}
	for (uint32_t item = 0; item < items && !r->bad; item++) {
		if (section->title_words != NULL) {
			struct slice title = get_slice(r, VALUE_TEXT_MAX);

			if (section_set_title(section, conf, item, title) == -1)
				reader_fail(r);
		}
		for (size_t i = 0; i < section->count && !r->bad; i++)
			value_get(&section->settings[i], section_base(section, conf, item), r,
			    &conf->arena);
	}
}

/* What the rows cannot say and the processes rely on. */
static bool
is_usable(const struct conf *conf)
{
	for (uint32_t i = 0; i < conf->tls_count; i++)
		if (conf->tls[i].certificate.count != conf->tls[i].key.count || conf->tls[i].key.count > CONF_TLS_IDENTITIES_MAX)
			return false;
	return conf->queue.retry.count > 0 && conf->queue.retry_unknown.count > 0 &&
	    conf->dns.servers.count > 0 && conf->listener_count > 0 && conf->domain_count > 0;
}

struct conf *
conf_get(struct slice blob)
{
	struct reader r = reader_of(blob);
	struct conf *conf = conf_new();

	if (conf == NULL)
		return NULL;
	if (get_u32(&r) != BLOB_MAGIC || get_u32(&r) != fingerprint())
		reader_fail(&r);
	conf->generation = get_u64(&r);
	for (size_t i = 0; i < conf_section_count && !r.bad; i++)
		section_get(&conf_sections[i], conf, &r);
	if (reader_end(&r) == -1 || !is_usable(conf))
		conf_free(&conf);
	return conf;
}
