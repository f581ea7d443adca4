/*
 * passwd_file — the file whole in memory, and a hash of its lines by name.
 */
#include "lookup/user/passwd_file.h"

#include <sys/stat.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/fmt.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/num.h"
#include "mail/address.h"

#define FIELD_COUNT	6	/* up to the home; what follows is not ours */
#define READ_TRIES	3

struct identity {		/* what differs between two versions of a file */
	dev_t		dev;
	ino_t		ino;
	off_t		size;
	struct timespec	mtime, ctime;
};

struct user {
	struct hash_node	node;
	struct account		account;
};

struct passwd_file {
	struct identity	 identity;
	bool		 loaded;
	char		*text;
	struct user	*users;
	size_t		 count, skipped;
	struct hash	 table;
	char		 path[];
};

struct passwd_file *
passwd_file_new(const char *path)
{
	struct passwd_file *file = mem_zalloc(sizeof(*file) + strlen(path) + 1);

	if (file == NULL)
		return NULL;
	hash_init(&file->table);
	(void)strlcpy(file->path, path, strlen(path) + 1);
	return file;
}

static void
passwd_file_empty(struct passwd_file *file)
{
	hash_fini(&file->table);
	hash_init(&file->table);
	mem_free(file->users);
	mem_free(file->text);
	file->users = NULL;
	file->text = NULL;
	file->count = file->skipped = 0;
	file->loaded = false;
}

void
passwd_file_free(struct passwd_file **file)
{
	if (*file == NULL)
		return;
	passwd_file_empty(*file);
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

static struct identity
identity_of(const struct stat *st)
{
	return (struct identity){ st->st_dev, st->st_ino, st->st_size, st->st_mtim, st->st_ctim };
}

static bool
time_eq(struct timespec a, struct timespec b)
{
	return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

static bool
identity_eq(const struct identity *a, const struct identity *b)
{
	return a->dev == b->dev && a->ino == b->ino && a->size == b->size && time_eq(a->mtime, b->mtime) &&
	    time_eq(a->ctime, b->ctime);
}

static uint64_t
identity_stamp(const struct identity *id)
{
	uint64_t stamp = (uint64_t)id->ino ^ ((uint64_t)id->size << 40);

	/* Any mixing will do: all that matters is that two versions differ, in every worker alike. */
	stamp = stamp * 0x9e3779b97f4a7c15u + (uint64_t)id->mtime.tv_sec;
	stamp = stamp * 0x9e3779b97f4a7c15u + (uint64_t)id->mtime.tv_nsec;
	stamp = stamp * 0x9e3779b97f4a7c15u + (uint64_t)id->ctime.tv_nsec;
	return stamp;
}

uint64_t
passwd_file_stamp(const struct passwd_file *file)
{
	return identity_stamp(&file->identity);
}

size_t
passwd_file_skipped(const struct passwd_file *file)
{
	return file->skipped;
}

/* Reads what the descriptor has; NULL with err. The text has a newline at its end. */
static char *
file_read(int fd, const char *path, struct identity *id, struct err *err)
{
	struct stat before, after;
	ssize_t got;
	char *text;

	if (fstat(fd, &before) == -1) {
		err_sys(err, "%s", path);
		return NULL;
	}
	if (!S_ISREG(before.st_mode) || before.st_size <= 0 || before.st_size > PASSWD_FILE_MAX) {
		err_set(err, "%s: not a file of 1 byte to 16 MiB", path);
		return NULL;
	}
	if ((text = mem_alloc((size_t)before.st_size)) == NULL) {
		err_set(err, "no memory for %s", path);
		return NULL;
	}
	got = fd_pread_full(fd, text, (size_t)before.st_size, 0);
	if (got == -1 || fstat(fd, &after) == -1)
		err_sys(err, "reading %s", path);
	else if (got != before.st_size || after.st_size != before.st_size || !time_eq(after.st_mtim, before.st_mtim))
		err_set(err, "%s changes while it is read", path);
	else if (text[got - 1] != '\n')
		err_set(err, "%s: its last line has no end; is it still being written?", path);
	else {
		*id = identity_of(&after);
		return text;
	}
	mem_free(text);
	return NULL;
}

static char *
file_load(const char *path, struct identity *id, struct err *err)
{
	char *text = NULL;

	for (int try = 0; try < READ_TRIES && text == NULL; try++) {
		int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);	/* a FIFO must not hold us */

		if (fd == -1) {
			err_sys(err, "%s", path);
			return NULL;
		}
		text = file_read(fd, path, id, err);
		fd_close(&fd);
	}
	return text;
}

static size_t
count_lines(struct slice text)
{
	size_t lines = 0;

	for (size_t i = 0; i < text.len; i++)
		lines += text.p[i] == '\n';
	return lines;
}

static void
passwd_file_line(struct passwd_file *file, struct slice line, size_t number)
{
	struct user *user = &file->users[file->count];
	const char *why;

	if (line.len == 0 || line.p[0] == '#')
		return;
	if (passwd_line_parse(line, &user->account, &why) == -1) {
		if (file->skipped++ < 10)
			log_warn("%s:%zu: line skipped: %s", file->path, number, why);
		return;
	}
	/* The first line of a name counts, as in passwd(5). */
	for (struct hash_node *node = hash_first(&file->table, hash_slice(user->account.name)); node != NULL;
	    node = hash_next(node))
		if (slice_eq(CONTAINER_OF(node, struct user, node)->account.name, user->account.name))
			return;
	hash_insert(&file->table, &user->node, hash_slice(user->account.name));
	file->count++;
}

static int
passwd_file_index(struct passwd_file *file, struct slice text, struct err *err)
{
	size_t number = 0;

	if ((file->users = mem_array(count_lines(text) + 1, sizeof(struct user))) == NULL)
		return err_set(err, "no memory for %s", file->path);
	while (text.p != NULL) {
		struct slice line = slice_split(text, '\n', &text);

		passwd_file_line(file, line, ++number);
	}
	return 0;
}

int
passwd_file_refresh(struct passwd_file *file, struct err *err)
{
	struct identity id;
	struct stat st;
	char *text;

	if (stat(file->path, &st) == -1) {
		passwd_file_empty(file);
		return err_sys(err, "%s", file->path);
	}
	id = identity_of(&st);
	if (file->loaded && identity_eq(&id, &file->identity))
		return 0;
	passwd_file_empty(file);
	if ((text = file_load(file->path, &id, err)) == NULL)
		return -1;
	file->text = text;
	if (passwd_file_index(file, slice_of(text, (size_t)id.size), err) == -1) {
		passwd_file_empty(file);
		return -1;
	}
	file->identity = id;
	file->loaded = true;
	return 1;
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
