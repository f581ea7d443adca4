/* password_file — a hash of the lines of a text_file by login. */
#include "lookup/password/password_file.h"

#include "base/hash.h"
#include "base/log.h"
#include "base/mem.h"

#define COMPLAINTS_MAX	10	/* about one version of the file */

struct entry {
	struct hash_node	node;
	struct slice		login, verifier;	/* of the text; no verifier: nobody can log in by this line */
};

struct password_file {
	struct text_file *file;
	struct entry	*entries;
	size_t		 count, skipped;
	const struct entry *model;	/* the first that somebody can log in by; NULL: none */
	struct hash	 table;
};

struct password_file *
password_file_new(const char *path)
{
	struct password_file *file = mem_zalloc(sizeof(*file));

	if (file == NULL)
		return NULL;
	hash_init(&file->table);
	if ((file->file = text_file_new(path)) == NULL)
		password_file_free(&file);
	return file;
}

static void
clear(void *arg)
{
	struct password_file *file = arg;

	hash_fini(&file->table);
	hash_init(&file->table);
	mem_free(file->entries);
	file->entries = NULL;
	file->model = NULL;
	file->count = file->skipped = 0;
}

void
password_file_free(struct password_file **file)
{
	if (*file == NULL)
		return;
	clear(*file);
	hash_fini(&(*file)->table);
	text_file_free(&(*file)->file);
	mem_free(*file);
	*file = NULL;
}

static const struct entry *
get(const struct password_file *file, struct slice login)
{
	for (struct hash_node *n = hash_first(&file->table, hash_slice(login)); n != NULL; n = hash_next(n))
		if (slice_eq(CONTAINER_OF(n, struct entry, node)->login, login))
			return CONTAINER_OF(n, struct entry, node);
	return NULL;
}

static int
take_line(void *arg, struct slice line, size_t number)
{
	struct password_file *file = arg;
	struct entry *entry = &file->entries[file->count];
	const char *why = "no login, or no colon behind it";
	struct verifier v;
	struct slice rest;
	bool whole;

	if (line.len == 0 || line.p[0] == '#')
		return 0;
	entry->login = slice_split(line, ':', &rest);
	whole = entry->login.len > 0 && rest.p != NULL;
	entry->verifier = slice_split(rest, ':', &rest);
	if (!whole || verifier_parse(entry->verifier, &v, &why) == -1) {
		if (file->skipped++ < COMPLAINTS_MAX)
			log_warn("%s:%zu: nobody can log in by this line: %s", text_file_path(file->file), number, why);
		entry->verifier = slice_of(NULL, 0);
	}
	explicit_bzero(&v, sizeof(v));
	/* The first line of a login counts, as in passwd(5), and one that is locked by what stands before the hash stays so. */
	if (!whole || get(file, entry->login) != NULL)
		return 0;
	if (file->model == NULL && entry->verifier.p != NULL)
		file->model = entry;
	hash_insert(&file->table, &entry->node, hash_slice(entry->login));
	file->count++;
	return 0;
}

static int
begin(void *arg, size_t lines)
{
	struct password_file *file = arg;

	file->entries = mem_array(lines, sizeof(struct entry));
	return file->entries == NULL ? -1 : 0;
}

int
password_file_refresh(struct password_file *file, struct err *err)
{
	static const struct text_lines lines = { .clear = clear, .begin = begin, .line = take_line };

	return text_file_refresh(file->file, &lines, file, err);
}

enum sasl_found
password_file_find(const struct password_file *file, struct slice login, struct verifier *out)
{
	const struct entry *entry = get(file, login);
	const char *why;

	*out = (struct verifier){ 0 };
	if (entry != NULL && entry->verifier.p == NULL)
		entry = NULL;
	if (entry == NULL && file->model != NULL)
		(void)verifier_parse(file->model->verifier, out, &why);
	if (entry == NULL)
		return FOUND_NOBODY;
	return verifier_parse(entry->verifier, out, &why) == 0 ? FOUND_USER : FOUND_TROUBLE;
}
