/*
 * conf — making, filling with defaults, and dropping a configuration.
 */
#include "conf/conf.h"

#include <string.h>

#include "base/mem.h"
#include "conf/fill.h"
#include "conf/value.h"
#include "conf/value_type.h"

struct conf *
conf_new(void)
{
	struct conf *conf = mem_zalloc(sizeof(*conf));

	if (conf != NULL)
		arena_init(&conf->arena, CONF_MEMORY_MAX);
	return conf;
}

void
conf_free(struct conf **conf)
{
	if (*conf == NULL)
		return;
	arena_fini(&(*conf)->arena);
	mem_free(*conf);
	*conf = NULL;
}

void *
section_base(const struct section *section, struct conf *conf, uint32_t item)
{
	char *array;

	if (section->title_words == NULL)
		return (char *)conf + section->offset;
	memcpy(&array, (char *)conf + section->array_offset, sizeof(array));
	return array + item * section->item_size;
}

const void *
section_base_const(const struct section *section, const struct conf *conf, uint32_t item)
{
	/* Nothing is written through it: the cast only lets one function serve both. */
	return section_base(section, (struct conf *)(uintptr_t)conf, item);
}

uint32_t
section_items(const struct section *section, const struct conf *conf)
{
	uint32_t count;

	if (section->title_words == NULL)
		return 1;
	memcpy(&count, (const char *)conf + section->count_offset, sizeof(count));
	return count;
}

const char *
section_title(const struct section *section, const void *base)
{
	char *title;

	memcpy(&title, (const char *)base + section->title_offset, sizeof(title));
	return title;
}

int
section_resize(const struct section *section, struct conf *conf, uint32_t count)
{
	void *array = count == 0 ? NULL : arena_array(&conf->arena, count, section->item_size);

	if (count > section->item_max || (count > 0 && array == NULL))
		return -1;
	memcpy((char *)conf + section->array_offset, &array, sizeof(array));
	memcpy((char *)conf + section->count_offset, &count, sizeof(count));
	return 0;
}

int
section_set_title(
    const struct section *section, struct conf *conf, uint32_t item, struct slice title)
{
	char *base = section_base(section, conf, item);

	/* A title is a text like any other: bounded, no control characters. */
	return value_types[SETTING_STRING].parse(
	    NULL, base + section->title_offset, title, &conf->arena);
}

int
section_set_initial(const struct section *section, struct conf *conf, uint32_t item)
{
	void *base = section_base(section, conf, item);

	for (size_t i = 0; i < section->count; i++) {
		if (value_set_initial(&section->settings[i], base, &conf->arena) == -1)
			return -1;
	}
	return 0;
}

int
conf_set_initial(struct conf *conf)
{
	for (size_t i = 0; i < conf_section_count; i++) {
		const struct section *section = &conf_sections[i];

		if (section->title_words == NULL && section_set_initial(section, conf, 0) == -1)
			return -1;
	}
	return 0;
}

/* A titled section that nobody wrote: one, with this title and the defaults. */
static int
add_default(const char *name, struct conf *conf, const char *title)
{
	const struct section *section = section_find(name);

	if (section_items(section, conf) > 0)
		return 0;
	if (section_resize(section, conf, 1) == -1)
		return -1;
	if (section_set_title(section, conf, 0, slice_str(title)) == -1)
		return -1;
	return section_set_initial(section, conf, 0);
}

static void
lower(char *text)
{
	for (; *text != '\0'; text++)
		*text = ascii_lower(*text);
}

static void
fill_ports(struct conf_addresses *addresses, uint16_t port)
{
	for (uint32_t i = 0; i < addresses->count; i++) {
		if (sockaddress_port(&addresses->v[i]) == 0)
			sockaddress_set_port(&addresses->v[i], port);
	}
}

/* No server anywhere: one on this host, which is where it is when resolv.conf is missing. */
static int
fill_servers(struct conf *conf)
{
	if (conf->dns.servers.count > 0)
		return 0;
	conf->dns.servers.v = arena_array(&conf->arena, 1, sizeof(struct sockaddress));
	if (conf->dns.servers.v == NULL)
		return -1;
	conf->dns.servers.count = 1;
	return sockaddress_parse(SLICE_LIT("127.0.0.1"), 53, &conf->dns.servers.v[0]);
}

int
conf_settle(struct conf *conf)
{
	if (fill_servers(conf) == -1)
		return -1;
	if (add_default("listener", conf, "mx") == -1 ||
	    add_default("domain", conf, conf->hostname) == -1)
		return -1;
	lower(conf->hostname);
	for (uint32_t i = 0; i < conf->domain_count; i++)
		lower(conf->domains[i].name);
	for (uint32_t i = 0; i < conf->listener_count; i++)
		fill_ports(&conf->listeners[i].at, (uint16_t)conf->listeners[i].port);
	fill_ports(&conf->dns.servers, 53);
	return 0;
}

struct conf *
conf_new_default(const char *hostname)
{
	struct conf *conf = conf_new();

	if (conf == NULL)
		return NULL;
	if (conf_set_initial(conf) == -1 ||
	    (conf->hostname = arena_str(&conf->arena, hostname)) == NULL || conf_settle(conf) == -1)
		conf_free(&conf);
	return conf;
}

const char *
conf_pam_service(const struct conf *conf)
{
	static const char pam[] = "pam:";
	const char *users = conf->submission.users;

	return users != NULL && strncmp(users, pam, sizeof(pam) - 1) == 0 ? users + sizeof(pam) - 1 : NULL;
}

const struct conf_tls *
conf_tls_find(const struct conf *conf, const char *name)
{
	for (uint32_t i = 0; i < conf->tls_count; i++)
		if (strcmp(conf->tls[i].name, name) == 0)
			return &conf->tls[i];
	return NULL;
}

uint32_t
conf_tls_first(const struct conf *conf, uint32_t item)
{
	uint32_t before = 0;

	for (uint32_t i = 0; i < item; i++)
		before += conf->tls[i].certificate.count;
	return before;
}

bool
conf_serves_etrn(const struct conf *conf, struct slice domain)
{
	const struct conf_strings *domains = &conf->smtpd.etrn_domains;

	for (uint32_t i = 0; i < domains->count; i++)
		if (strcmp(domains->v[i], "*") == 0 || slice_caseeq(slice_str(domains->v[i]), domain))
			return true;
	return false;
}
