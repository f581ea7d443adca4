/*
 * value_type — the types of settings, one row each. Every text of the configuration is parsed here
 * and nowhere else.
 */
#include "conf/value_type.h"

#include <inttypes.h>
#include <string.h>

#include "conf/conf.h"
#include "conf/units.h"
#include "conf/value.h"

_Static_assert(sizeof(enum listener_role) == sizeof(unsigned), "enums travel as unsigned");

/* bool */

static int
bool_parse(const struct setting *s, void *item, struct slice text, struct arena *arena)
{
	(void)s;
	(void)arena;
	return units_bool(text, item);
}

static void
bool_print(const struct setting *s, const void *item, struct buf *out)
{
	(void)s;
	buf_puts(out, *(const bool *)item ? "yes" : "no");
}

static void
bool_put(const void *item, struct buf *out)
{
	put_bool(out, *(const bool *)item);
}

static void
bool_get(const struct setting *s, void *item, struct reader *r, struct arena *arena)
{
	(void)s;
	(void)arena;
	*(bool *)item = get_bool(r);
}

/* numbers, sizes, durations: int64_t */

static int
number_compare(int64_t value, int64_t bound)
{
	return value < bound ? -1 : value > bound;
}

static int
int_parse(const struct setting *s, void *item, struct slice text, struct arena *arena)
{
	(void)s;
	(void)arena;
	return units_number(text, item);
}

static void
int_print(const struct setting *s, const void *item, struct buf *out)
{
	(void)s;
	buf_printf(out, "%" PRId64, *(const int64_t *)item);
}

static int
int_compare(const void *item, const char *bound)
{
	int64_t limit = 0;

	(void)units_number(slice_str(bound), &limit);
	return number_compare(*(const int64_t *)item, limit);
}

static int
size_parse(const struct setting *s, void *item, struct slice text, struct arena *arena)
{
	(void)s;
	(void)arena;
	return units_size(text, item);
}

static void
size_print(const struct setting *s, const void *item, struct buf *out)
{
	(void)s;
	units_size_print(out, *(const int64_t *)item);
}

static int
size_compare(const void *item, const char *bound)
{
	int64_t limit = 0;

	(void)units_size(slice_str(bound), &limit);
	return number_compare(*(const int64_t *)item, limit);
}

static int
duration_parse(const struct setting *s, void *item, struct slice text, struct arena *arena)
{
	(void)s;
	(void)arena;
	return units_duration(text, item);
}

static void
duration_print(const struct setting *s, const void *item, struct buf *out)
{
	(void)s;
	units_duration_print(out, *(const int64_t *)item);
}

static int
duration_compare(const void *item, const char *bound)
{
	int64_t limit = 0;

	(void)units_duration(slice_str(bound), &limit);
	return number_compare(*(const int64_t *)item, limit);
}

static void
number_put(const void *item, struct buf *out)
{
	put_i64(out, *(const int64_t *)item);
}

static void
number_get(const struct setting *s, void *item, struct reader *r, struct arena *arena)
{
	int64_t value = get_i64(r);

	(void)s;
	(void)arena;
	if (value < 0 || value > UNITS_NUMBER_MAX)
		reader_fail(r);
	*(int64_t *)item = r->bad ? 0 : value;
}

void
value_print_string(struct buf *out, struct slice text)
{
	buf_putc(out, '"');
	for (size_t i = 0; i < text.len; i++) {
		/* "${" in double quotes would be replaced by an environment variable when it is
		 * read again. */
		if (text.p[i] == '"' || text.p[i] == '\\' || text.p[i] == '$')
			buf_putc(out, '\\');
		buf_putc(out, text.p[i]);
	}
	buf_putc(out, '"');
}

/* strings: char * in the arena, without control characters, so that no log line, header or file
 * name gets one from here */

static bool
is_printable(struct slice text)
{
	for (size_t i = 0; i < text.len; i++) {
		if ((unsigned char)text.p[i] < ' ' || text.p[i] == 0x7f)
			return false;
	}
	return true;
}

static int
string_parse(const struct setting *s, void *item, struct slice text, struct arena *arena)
{
	struct slice copy;

	(void)s;
	if (text.len > VALUE_TEXT_MAX || !is_printable(text))
		return -1;
	copy = arena_slice(arena, text);
	if (copy.p == NULL)
		return -1;
	*(char **)item = (char *)(uintptr_t)copy.p;
	return 0;
}

static void
string_print(const struct setting *s, const void *item, struct buf *out)
{
	const char *text = *(char *const *)item;

	(void)s;
	value_print_string(out, slice_str(text));
}

static void
string_put(const void *item, struct buf *out)
{
	put_str(out, *(char *const *)item);
}

static void
string_get(const struct setting *s, void *item, struct reader *r, struct arena *arena)
{
	struct slice text = get_slice(r, VALUE_TEXT_MAX);

	if (!r->bad && string_parse(s, item, text, arena) == -1)
		reader_fail(r);
}

static int
string_compare(const void *item, const char *bound)
{
	int64_t limit = 0;

	(void)units_number(slice_str(bound), &limit);
	return number_compare((int64_t)strlen(*(char *const *)item), limit);
}

/* enums: names in the order of the enum, from 1 on */

static int
enum_parse(const struct setting *s, void *item, struct slice text, struct arena *arena)
{
	(void)arena;
	for (unsigned i = 0; s->choices[i] != NULL; i++) {
		if (slice_eq(text, slice_str(s->choices[i]))) {
			*(unsigned *)item = i + 1;
			return 0;
		}
	}
	return -1;
}

static void
enum_print(const struct setting *s, const void *item, struct buf *out)
{
	unsigned value = *(const unsigned *)item;

	if (value > 0)
		buf_printf(out, "\"%s\"", s->choices[value - 1]);
}

static void
enum_put(const void *item, struct buf *out)
{
	put_u8(out, (uint8_t)*(const unsigned *)item);
}

static void
enum_get(const struct setting *s, void *item, struct reader *r, struct arena *arena)
{
	unsigned count = 1;

	(void)arena;
	while (s->choices[count - 1] != NULL)
		count++;
	*(unsigned *)item = get_enum(r, count);
}

/* users: two fields of a domain that one text fills */

#define USERS_DOMAIN(item)	((struct conf_domain *)(void *)((char *)(item) - offsetof(struct conf_domain, users)))

static int
users_parse(const struct setting *s, void *item, struct slice text, struct arena *arena)
{
	struct conf_domain *domain = USERS_DOMAIN(item);

	if (slice_eq(text, SLICE_LIT("system"))) {
		domain->users = USERS_SYSTEM;
		return string_parse(s, &domain->users_file, SLICE_LIT(""), arena);
	}
	if (!slice_starts(text, SLICE_LIT("file:/")))
		return -1;
	slice_drop(&text, sizeof("file:") - 1);
	if (string_parse(s, &domain->users_file, text, arena) == -1)
		return -1;
	domain->users = USERS_FILE;
	return 0;
}

static void
users_print(const struct setting *s, const void *item, struct buf *out)
{
	const struct conf_domain *domain = USERS_DOMAIN((uintptr_t)item);
	char text[VALUE_TEXT_MAX + sizeof("file:")];

	(void)s;
	if (domain->users != USERS_FILE) {
		buf_puts(out, "\"system\"");
		return;
	}
	strlcpy(text, "file:", sizeof(text));
	strlcat(text, domain->users_file, sizeof(text));
	value_print_string(out, slice_str(text));
}

static void
users_put(const void *item, struct buf *out)
{
	const struct conf_domain *domain = USERS_DOMAIN((uintptr_t)item);

	put_u8(out, (uint8_t)domain->users);
	put_str(out, domain->users_file);
}

static void
users_get(const struct setting *s, void *item, struct reader *r, struct arena *arena)
{
	struct conf_domain *domain = USERS_DOMAIN(item);

	domain->users = (enum users_source)get_enum(r, USERS_SOURCE_COUNT);
	string_get(s, &domain->users_file, r, arena);
	if (!r->bad && (domain->users == USERS_FILE) != (domain->users_file[0] == '/'))
		reader_fail(r);
}

/* networks and addresses; on the wire in their printed form, which the same strict parser reads */

static int
network_item_parse(const struct setting *s, void *item, struct slice text, struct arena *arena)
{
	(void)s;
	(void)arena;
	return network_parse(text, item);
}

static void
network_text(const struct network *n, struct buf *out)
{
	char base[SOCKADDRESS_TEXT];

	buf_printf(out, "%s/%u", sockaddress_print(&n->base, base), (unsigned)n->bits);
}

static void
network_print(const struct setting *s, const void *item, struct buf *out)
{
	(void)s;
	buf_putc(out, '"');
	network_text(item, out);
	buf_putc(out, '"');
}

static int
address_item_parse(const struct setting *s, void *item, struct slice text, struct arena *arena)
{
	(void)s;
	(void)arena;
	return sockaddress_parse(text, 0, item) == 0 ? 0 : sockaddress_parse_port(text, 0, item);
}

static void
address_text(const struct sockaddress *a, struct buf *out)
{
	char text[SOCKADDRESS_TEXT];

	buf_puts(out, sockaddress_port(a) == 0 ? sockaddress_print(a, text) : sockaddress_print_port(a, text));
}

static void
address_item_print(const struct setting *s, const void *item, struct buf *out)
{
	(void)s;
	buf_putc(out, '"');
	address_text(item, out);
	buf_putc(out, '"');
}

static void
text_put(void (*text)(struct buf *, const void *), const void *item, struct buf *out)
{
	struct buf one;

	buf_init(&one, SOCKADDRESS_TEXT * 2);
	text(&one, item);
	if (one.failed)
		out->failed = true;
	put_slice(out, buf_slice(&one));
	buf_fini(&one);
}

static void
network_text_of(struct buf *out, const void *item)
{
	network_text(item, out);
}

static void
address_text_of(struct buf *out, const void *item)
{
	address_text(item, out);
}

static void
network_put(const void *item, struct buf *out)
{
	text_put(network_text_of, item, out);
}

static void
address_put(const void *item, struct buf *out)
{
	text_put(address_text_of, item, out);
}

static void
network_get(const struct setting *s, void *item, struct reader *r, struct arena *arena)
{
	if (network_item_parse(s, item, get_slice(r, SOCKADDRESS_TEXT * 2), arena) == -1)
		reader_fail(r);
}

static void
address_get(const struct setting *s, void *item, struct reader *r, struct arena *arena)
{
	if (address_item_parse(s, item, get_slice(r, SOCKADDRESS_TEXT * 2), arena) == -1)
		reader_fail(r);
}

#define DURATION_RIGHT	"a number and ms, s, m, h, d or w, such as 30s or 5d"
#define STRING_RIGHT	"at most 1024 bytes without control characters"

const struct value_type value_types[SETTING_TYPE_COUNT] = {
	[SETTING_BOOL]	    = { "a yes or no", "yes or no", sizeof(bool), false,
				bool_parse, bool_print, bool_put, bool_get, NULL },
	[SETTING_INT]	    = { "a number", "decimal digits without a leading zero", sizeof(int64_t), false,
				int_parse, int_print, number_put, number_get, int_compare },
	[SETTING_SIZE]	    = { "a size", "a number and kB, MB, GB, KiB, MiB or GiB, such as 50MB", sizeof(int64_t), false,
				size_parse, size_print, number_put, number_get, size_compare },
	[SETTING_DURATION]  = { "a duration", DURATION_RIGHT, sizeof(int64_t), false,
				duration_parse, duration_print, number_put, number_get, duration_compare },
	[SETTING_STRING]    = { "a text", STRING_RIGHT, sizeof(char *), false,
				string_parse, string_print, string_put, string_get, string_compare },
	[SETTING_ENUM]	    = { "a choice", NULL, sizeof(unsigned), false,
				enum_parse, enum_print, enum_put, enum_get, NULL },
	[SETTING_USERS]	    = { "a source of users", "\"system\" or \"file:/path\"", sizeof(enum users_source), false,
				users_parse, users_print, users_put, users_get, NULL },
	[SETTING_STRINGS]   = { "a text", STRING_RIGHT, sizeof(char *), true,
				string_parse, string_print, string_put, string_get, string_compare },
	[SETTING_DURATIONS] = { "a duration", DURATION_RIGHT, sizeof(int64_t), true,
				duration_parse, duration_print, number_put, number_get, duration_compare },
	[SETTING_NETWORKS]  = { "a network", "\"192.0.2.0/24\" or \"2001:db8::/32\" with no bit set behind the prefix",
				sizeof(struct network), true, network_item_parse, network_print, network_put, network_get, NULL },
	[SETTING_ADDRESSES] = { "an address", "\"192.0.2.1\", \"2001:db8::1\", or with a port \"[2001:db8::1]:53\"; no names",
				sizeof(struct sockaddress), true,
				address_item_parse, address_item_print, address_put, address_get, NULL },
};
