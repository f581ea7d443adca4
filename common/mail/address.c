/*
 * address — RFC 5321 4.1.2 mailboxes, parsed strictly and printed canonically.
 *
 * Strict, because every loose reading of an address has been somebody's open relay: percent and bang signs are plain
 * characters of the local-part, a bare [::1] is nothing, and whatever is not in the grammar gives no address at all.
 */
#include <arpa/inet.h>
#include <stdio.h>

#include "base/utf8.h"
#include "mail/address.h"
#include "mail/idna.h"

const char address_no_memory[] = "no memory";

#define LABEL_MAX	63

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool
is_alnum(char c)
{
	char low = ascii_lower(c);

	return is_digit(c) || (low >= 'a' && low <= 'z');
}

/* RFC 6531 3.3: everything outside ASCII; address_parse has looked at it. */
static bool
is_utf8_byte(char c)
{
	return (unsigned char)c > 0x7f;
}

static bool
is_atext(char c)
{
	return is_alnum(c) || is_utf8_byte(c) || (c != '\0' && strchr("!#$%&'*+-/=?^_`{|}~", c) != NULL);
}

/* What a quoted string may mean: printable ASCII, the space, and what RFC 6531 3.3 adds. */
static bool
is_quotable(char c)
{
	return (c >= ' ' && c <= '~') || is_utf8_byte(c);
}

/* Is this a Dot-string, so that it needs no quotes? */
static bool
is_dot_string(struct slice s)
{
	bool after_dot = true;

	for (size_t i = 0; i < s.len; i++) {
		if (s.p[i] == '.') {
			if (after_dot)
				return false;
			after_dot = true;
		} else if (is_atext(s.p[i])) {
			after_dot = false;
		} else {
			return false;
		}
	}
	return !after_dot;
}

/* How long the local-part is once printed. */
static size_t
printed_len(struct slice local)
{
	size_t n = local.len;

	if (is_dot_string(local))
		return n;
	for (size_t i = 0; i < local.len; i++)
		n += local.p[i] == '"' || local.p[i] == '\\';
	return n + 2;
}

/* A quoted-string off the front, its meaning into `raw` (room for LOCAL_PART_MAX). */
static int
take_quoted(struct slice *in, char *raw, size_t *len, const char **why)
{
	*len = 0;
	slice_drop(in, 1);
	while (in->len > 0 && in->p[0] != '"') {
		if (in->p[0] == '\\' && in->len > 1)
			slice_drop(in, 1);
		if (!is_quotable(in->p[0])) {
			*why = "a character that may not be in an address";
			return -1;
		}
		if (*len == LOCAL_PART_MAX) {
			*why = "local-part too long";
			return -1;
		}
		raw[(*len)++] = in->p[0];
		slice_drop(in, 1);
	}
	if (in->len == 0) {
		*why = "quotation mark missing";
		return -1;
	}
	slice_drop(in, 1);
	return 0;
}

/* Everything up to an @ or the end, as a Dot-string. */
static int
take_dotted(struct slice *in, char *raw, size_t *len, const char **why)
{
	const char *at = memchr(in->p, '@', in->len);
	struct slice local = slice_of(in->p, at == NULL ? in->len : (size_t)(at - in->p));

	if (local.len > LOCAL_PART_MAX) {
		*why = "local-part too long";
		return -1;
	}
	if (!is_dot_string(local)) {
		*why = "bad local-part";
		return -1;
	}
	memcpy(raw, local.p, local.len);
	*len = local.len;
	slice_drop(in, local.len);
	return 0;
}

static int
take_local(struct slice *in, struct arena *arena, struct slice *out, const char **why)
{
	char raw[LOCAL_PART_MAX];
	size_t len;

	if (in->len == 0 || in->p[0] == '@') {
		*why = "empty local-part";
		return -1;
	}
	if ((in->p[0] == '"' ? take_quoted : take_dotted)(in, raw, &len, why) == -1)
		return -1;
	if (len == 0) {
		*why = "empty local-part";
		return -1;
	}
	if (printed_len(slice_of(raw, len)) > LOCAL_PART_MAX) {
		*why = "local-part too long";
		return -1;
	}
	*out = arena_slice(arena, slice_of(raw, len));
	if (out->p == NULL) {
		*why = address_no_memory;
		return -1;
	}
	return 0;
}

static bool
label_valid(struct slice label)
{
	if (label.len == 0 || label.len > LABEL_MAX || label.p[0] == '-' || label.p[label.len - 1] == '-')
		return false;
	for (size_t i = 0; i < label.len; i++)
		if (!is_alnum(label.p[i]) && label.p[i] != '-')
			return false;
	return true;
}

static bool
all_digits(struct slice s)
{
	for (size_t i = 0; i < s.len; i++)
		if (!is_digit(s.p[i]))
			return false;
	return true;
}

/* RFC 1123 2.1: the last label is never a number, so that a host name cannot be mistaken for an IPv4 address. */
bool
domain_valid(struct slice domain)
{
	struct slice label, rest = domain;

	if (domain.len == 0 || domain.len > DOMAIN_MAX)
		return false;
	do {
		label = slice_split(rest, '.', &rest);
		if (!label_valid(label))
			return false;
	} while (rest.p != NULL);
	return !all_digits(label);
}

/* [192.0.2.1] or [IPv6:2001:db8::1]; other tags name networks that we do not speak. */
static int
parse_literal(struct slice in, char *out, size_t size)
{
	static const struct slice tag = SLICE_LIT("IPv6:");
	char text[INET6_ADDRSTRLEN], shown[INET6_ADDRSTRLEN];
	unsigned char binary[16];
	bool six;

	if (in.len < 2 || in.p[in.len - 1] != ']')
		return -1;
	in = slice_of(in.p + 1, in.len - 2);
	six = slice_casestarts(in, tag);
	if (six)
		slice_drop(&in, tag.len);
	if (in.len == 0 || in.len >= sizeof(text) || memchr(in.p, '\0', in.len) != NULL)
		return -1;
	memcpy(text, in.p, in.len);
	text[in.len] = '\0';
	if (inet_pton(six ? AF_INET6 : AF_INET, text, binary) != 1 ||
	    inet_ntop(six ? AF_INET6 : AF_INET, binary, shown, sizeof(shown)) == NULL)
		return -1;
	snprintf(out, size, "[%s%s]", six ? tag.p : "", shown);
	return 0;
}

/* A host name in small letters, or U-labels in their one form. */
static int
canonical_domain(struct slice in, char out[DOMAIN_MAX + 1])
{
	if (!slice_is_ascii(in))
		return domain_to_unicode(in, out);
	if (!domain_valid(in))
		return -1;
	for (size_t i = 0; i < in.len; i++)
		out[i] = ascii_lower(in.p[i]);
	out[in.len] = '\0';
	return 0;
}

static int
parse_domain(struct slice in, struct arena *arena, struct slice *out, const char **why)
{
	char text[DOMAIN_MAX + 1];
	size_t len;

	if (in.len > 0 && in.p[0] == '[') {
		if (parse_literal(in, text, sizeof(text)) == -1) {
			*why = "bad address literal";
			return -1;
		}
		len = strlen(text);
	} else {
		if (in.len > 0 && in.p[in.len - 1] == '.')
			in.len--;
		if (canonical_domain(in, text) == -1) {
			*why = in.len > DOMAIN_MAX ? "domain too long" : "bad domain";
			return -1;
		}
		len = strlen(text);
	}
	*out = arena_slice(arena, slice_of(text, len));
	if (out->p == NULL) {
		*why = address_no_memory;
		return -1;
	}
	return 0;
}

int
address_parse(struct slice in, bool bare_ok, struct arena *arena, struct address *out, const char **why)
{
	struct address a = { .domain = SLICE_LIT("") };

	if (!utf8_is_name(in)) {
		*why = "a character that may not be in an address";
		return -1;
	}
	if (take_local(&in, arena, &a.local, why) == -1)
		return -1;
	if (in.len == 0 && !bare_ok) {
		*why = "domain missing";
		return -1;
	}
	if (in.len > 0) {
		if (in.p[0] != '@') {
			*why = "bad local-part";
			return -1;
		}
		slice_drop(&in, 1);
		if (parse_domain(in, arena, &a.domain, why) == -1)
			return -1;
	}
	*out = a;
	return 0;
}

static void
print_quoted(struct slice local, struct buf *out)
{
	buf_putc(out, '"');
	for (size_t i = 0; i < local.len; i++) {
		if (local.p[i] == '"' || local.p[i] == '\\')
			buf_putc(out, '\\');
		buf_putc(out, local.p[i]);
	}
	buf_putc(out, '"');
}

void
address_print(const struct address *a, struct buf *out)
{
	if (is_dot_string(a->local))
		buf_put_slice(out, a->local);
	else
		print_quoted(a->local, out);
	if (a->domain.len > 0) {
		buf_putc(out, '@');
		buf_put_slice(out, a->domain);
	}
}

bool
address_is_ascii(const struct address *a)
{
	return slice_is_ascii(a->local) && slice_is_ascii(a->domain);
}

bool
address_is_postmaster(const struct address *a)
{
	return slice_caseeq(a->local, SLICE_LIT("postmaster"));
}

void
address_split_detail(struct slice local, char delimiter, struct slice *user, struct slice *detail)
{
	*user = local;
	*detail = slice_of(NULL, 0);
	if (delimiter == '\0')
		return;
	for (size_t i = 1; i < local.len; i++)
		if (local.p[i] == delimiter) {
			*user = slice_of(local.p, i);
			*detail = slice_of(local.p + i + 1, local.len - i - 1);
			return;
		}
}
