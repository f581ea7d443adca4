/*
 * passwd_file — a hash of the lines of a text_file by name.
 */
#include "lookup/user/passwd_file.h"

#include "base/hash.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/num.h"
#include "lookup/user/text_file.h"
#include "mail/address.h"

#define FIELD_COUNT	6	/* up to the home; what follows is not ours */

struct user {
	struct hash_node	node;
	struct account		account;
};

struct passwd_file {
	struct text_file *file;
	struct user	*users;
	size_t		 count, skipped;
	struct hash	 table;
};

struct passwd_file *
passwd_file_new(const char *path)
{
	struct passwd_file *file = mem_zalloc(sizeof(*file));

	if (file == NULL)
		return NULL;
	hash_init(&file->table);
	if ((file->file = text_file_new(path)) == NULL)
		passwd_file_free(&file);
	return file;
}

static void
passwd_file_empty(void *arg)
{
	struct passwd_file *file = arg;

	hash_fini(&file->table);
	hash_init(&file->table);
	mem_free(file->users);
	file->users = NULL;
	file->count = file->skipped = 0;
}

void
passwd_file_free(struct passwd_file **file)
{
	if (*file == NULL)
		return;
	passwd_file_empty(*file);
	text_file_free(&(*file)->file);
	hash_fini(&(*file)->table);
	mem_free(*file);
	*file = NULL;
}

static int
field_number(struct slice field, uint32_t *out)
{
	uint64_t number;

	/* The greatest one means "leave it" to the calls that change users. */
	if (num_parse(field, UINT32_MAX - 1, &number) == -1)
		return -1;
	*out = (uint32_t)number;
	return 0;
}

int
passwd_line_parse(struct slice line, struct account *out, const char **why)
{
	struct slice fields[FIELD_COUNT], rest = line;
	struct account account = { 0 };

	for (size_t i = 0; i < FIELD_COUNT; i++) {
		if (rest.p == NULL) {
			*why = "less than six fields";
			return -1;
		}
		fields[i] = slice_split(rest, ':', &rest);
	}
	*why = "no name";
	if (fields[0].len == 0)
		return -1;
	*why = "a byte that is no text";
	if (memchr(line.p, '\0', line.len) != NULL || memchr(line.p, '\r', line.len) != NULL)
		return -1;
	*why = "the uid is no number";
	if (field_number(fields[2], &account.uid) == -1)
		return -1;
	*why = "the gid is no number";
	if (field_number(fields[3], &account.gid) == -1)
		return -1;
	*why = "the home is no absolute path";
	if (fields[5].len == 0 || fields[5].p[0] != '/')
		return -1;
	account.name = fields[0];
	account.home = fields[5];
	*out = account;
	return 0;
}

uint64_t
passwd_file_stamp(const struct passwd_file *file)
{
	return text_file_stamp(file->file);
}

size_t
passwd_file_skipped(const struct passwd_file *file)
{
	return file->skipped;
}

static int
passwd_file_line(void *arg, struct slice line, size_t number)
{
	struct passwd_file *file = arg;
	struct user *user = &file->users[file->count];
	const char *why;

	if (line.len == 0 || line.p[0] == '#')
		return 0;
	if (passwd_line_parse(line, &user->account, &why) == -1) {
		if (file->skipped++ < 10)
			log_warn("%s:%zu: line skipped: %s", text_file_path(file->file), number, why);
		return 0;
	}
	/* The first line of a name counts, as in passwd(5). */
	for (struct hash_node *node = hash_first(&file->table, hash_slice(user->account.name)); node != NULL;
	    node = hash_next(node))
		if (slice_eq(CONTAINER_OF(node, struct user, node)->account.name, user->account.name))
			return 0;
	hash_insert(&file->table, &user->node, hash_slice(user->account.name));
	file->count++;
	return 0;
}

static int
begin(void *arg, size_t lines)
{
	struct passwd_file *file = arg;

	file->users = mem_array(lines, sizeof(struct user));
	return file->users == NULL ? -1 : 0;
}

int
passwd_file_refresh(struct passwd_file *file, struct err *err)
{
	static const struct text_lines lines = { .clear = passwd_file_empty, .begin = begin, .line = passwd_file_line };

	return text_file_refresh(file->file, &lines, file, err);
}

static const struct account *
passwd_file_get(const struct passwd_file *file, struct slice name)
{
	struct hash_node *node;

	for (node = hash_first(&file->table, hash_slice(name)); node != NULL; node = hash_next(node)) {
		const struct user *user = CONTAINER_OF(node, struct user, node);

		if (slice_eq(user->account.name, name))
			return &user->account;
	}
	return NULL;
}

bool
passwd_file_find(const struct passwd_file *file, struct slice local, struct slice domain, struct account *out)
{
	const struct account *account = passwd_file_get(file, local);
	char whole[ADDRESS_MAX];

	/* A name with an @ in it is a whole address of some domain, not a local part. */
	if (memchr(local.p, '@', local.len) != NULL)
		return false;
	if (account == NULL && local.len + 1 + domain.len <= sizeof(whole)) {
		memcpy(whole, local.p, local.len);
		whole[local.len] = '@';
		memcpy(whole + local.len + 1, domain.p, domain.len);
		account = passwd_file_get(file, slice_of(whole, local.len + 1 + domain.len));
	}
	if (account == NULL)
		return false;
	*out = *account;
	out->name.len = local.len;	/* without @domain */
	return true;
}
