/*
 * resolv — reads "nameserver ADDRESS" lines and ignores every other; an address with a scope is
 * skipped, too.
 */
#include "conf/resolv.h"

#include <fcntl.h>

#include "base/fd.h"

#define RESOLV_SIZE	(64 * 1024)

static bool
server_of(struct slice line, struct sockaddress *out)
{
	const struct slice word = SLICE_LIT("nameserver");
	struct slice rest;

	line = slice_trim(line);
	if (!slice_starts(line, word) || line.len == word.len)
		return false;
	slice_drop(&line, word.len);
	if (line.p[0] != ' ' && line.p[0] != '\t')
		return false;
	line = slice_split(slice_trim(line), ' ', &rest);
	return sockaddress_parse(line, 53, out) == 0;
}

int
resolv_servers(const char *path, struct arena *arena, struct conf_addresses *out)
{
	char *text = arena_alloc(arena, RESOLV_SIZE);
	struct conf_addresses found = { 0,
		arena_array(arena, RESOLV_SERVERS_MAX, sizeof(struct sockaddress)) };
	struct slice rest;
	ssize_t n = -1;
	int fd;

	if (text == NULL || found.v == NULL)
		return -1;
	fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd != -1)
		n = fd_read_full(fd, text, RESOLV_SIZE);
	fd_close(&fd);
	rest = slice_of(text, n < 0 ? 0 : (size_t)n);
	while (rest.len > 0 && found.count < RESOLV_SERVERS_MAX) {
		struct slice line = slice_split(rest, '\n', &rest);

		if (server_of(line, &found.v[found.count]))
			found.count++;
	}
	if (found.count > 0)
		*out = found;
	return 0;
}
