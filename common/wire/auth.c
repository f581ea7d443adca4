/* auth — the frames of a login as bytes. */
#include "wire/auth.h"

static bool
is_mechanism_char(char c)
{
	return (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

static struct slice
get_mechanism(struct reader *r)
{
	struct slice name = get_slice(r, AUTH_MECHANISM_MAX);

	if (name.len == 0)
		reader_fail(r);
	for (size_t i = 0; i < name.len; i++)
		if (!is_mechanism_char(name.p[i]))
			reader_fail(r);
	return name;
}

/* A name that is a C string in places. */
static struct slice
get_login(struct reader *r)
{
	struct slice login = get_text(r, AUTH_LOGIN_MAX);

	if (login.len == 0)
		reader_fail(r);
	return login;
}

void
auth_begin_put(struct buf *b, const struct auth_begin *begin)
{
	put_u64(b, begin->serial);
	put_slice(b, begin->mechanism);
	put_slice(b, begin->client);
	put_bool(b, begin->secure);
	put_bool(b, begin->has_response);
	put_slice(b, begin->response);
	put_u32(b, begin->channel_count);
	for (uint32_t i = 0; i < begin->channel_count; i++) {
		put_u8(b, (uint8_t)begin->channels[i].type);
		put_slice(b, begin->channels[i].data);
	}
}

int
auth_begin_get(struct reader *r, struct auth_begin *out)
{
	*out = (struct auth_begin){ 0 };
	out->serial = get_number(r);
	out->mechanism = get_mechanism(r);
	out->client = get_slice(r, 16);
	out->secure = get_bool(r);
	out->has_response = get_bool(r);
	out->response = get_slice(r, AUTH_RESPONSE_MAX);
	if ((out->client.len != 4 && out->client.len != 16) || (!out->has_response && out->response.len > 0))
		reader_fail(r);
	out->channel_count = get_count(r, AUTH_CHANNELS_MAX, 6);
	for (uint32_t i = 0; i < out->channel_count; i++) {
		out->channels[i].type = (enum auth_binding)get_enum(r, BINDING_COUNT);
		out->channels[i].data = get_slice(r, AUTH_CHANNEL_DATA_MAX);
		if (out->channels[i].data.len == 0)
			reader_fail(r);
	}
	return reader_end(r);
}

void
auth_piece_put(struct buf *b, const struct auth_piece *piece)
{
	put_u64(b, piece->serial);
	put_slice(b, piece->bytes);
}

int
auth_piece_get(struct reader *r, struct auth_piece *out)
{
	out->serial = get_number(r);
	out->bytes = get_slice(r, AUTH_RESPONSE_MAX);
	return reader_end(r);
}

void
auth_serial_put(struct buf *b, uint64_t serial)
{
	put_u64(b, serial);
}

int
auth_serial_get(struct reader *r, uint64_t *serial)
{
	*serial = get_number(r);
	return reader_end(r);
}

void
auth_mechanisms_put(struct buf *b, struct slice names)
{
	put_slice(b, names);
}

int
auth_mechanisms_get(struct reader *r, struct slice *names)
{
	*names = get_slice(r, AUTH_MECHANISMS_MAX);
	for (size_t i = 0; i < names->len; i++)
		if (!is_mechanism_char(names->p[i]) && names->p[i] != ' ')
			reader_fail(r);
	return reader_end(r);
}

void
auth_granted_put(struct buf *b, const struct auth_granted *granted)
{
	put_u64(b, granted->serial);
	put_token(b, &granted->token);
	put_slice(b, granted->login);
}

int
auth_granted_get(struct reader *r, struct auth_granted *out)
{
	out->serial = get_number(r);
	get_token(r, &out->token);
	out->login = get_login(r);
	if (!token_is_set(&out->token))
		reader_fail(r);
	return reader_end(r);
}

void
auth_denied_put(struct buf *b, const struct auth_denied *denied)
{
	put_u64(b, denied->serial);
	put_slice(b, denied->login);
	put_text(b, denied->text, AUTH_TEXT_MAX);
}

int
auth_denied_get(struct reader *r, struct auth_denied *out)
{
	out->serial = get_number(r);
	out->login = get_text(r, AUTH_LOGIN_MAX);
	out->text = get_slice(r, AUTH_TEXT_MAX);
	return reader_end(r);
}

void
auth_logout_put(struct buf *b, const struct auth_token *token)
{
	put_token(b, token);
}

int
auth_logout_get(struct reader *r, struct auth_token *out)
{
	get_token(r, out);
	if (!token_is_set(out))
		reader_fail(r);
	return reader_end(r);
}

void
auth_known_put(struct buf *b, const struct auth_known *known)
{
	put_u64(b, known->serial);
	put_bool(b, known->ok);
}

int
auth_known_get(struct reader *r, struct auth_known *out)
{
	out->serial = get_number(r);
	out->ok = get_bool(r);
	return reader_end(r);
}
