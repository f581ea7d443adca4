/* password_file — a hash of the lines of a text_file by login. */
#include "lookup/password/password_file.h"

#include "base/hash.h"
#include "base/log.h"
#include "base/mem.h"

#define COMPLAINTS_MAX	10	/* about one version of the file */

struct entry {
	struct hash_node	node;
	struct slice		login, verifier;	/* of the text; the verifier is one that is accepted */
};

struct password_file {
	struct text_file *file;
	struct entry	*entries;
	size_t		 count, skipped;
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
clear(struct password_file *file)
{
	hash_fini(&file->table);
	hash_init(&file->table);
	mem_free(file->entries);
	file->entries = NULL;
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

static void
take_line(struct password_file *file, struct slice line, size_t number)
{
	struct entry *entry = &file->entries[file->count];
	const char *why = "no login, or no colon behind it";
	struct verifier v;
	struct slice rest;

	if (line.len == 0 || line.p[0] == '#')
		return;
	entry->login = slice_split(line, ':', &rest);
	entry->verifier = slice_split(rest, ':', &rest);
	if (entry->login.len == 0 || entry->verifier.p == NULL || verifier_parse(entry->verifier, &v, &why) == -1) {
		if (file->skipped++ < COMPLAINTS_MAX)
			log_warn("%s:%zu: nobody can log in by this line: %s", text_file_path(file->file), number, why);
		return;
	}
	explicit_bzero(&v, sizeof(v));
	if (get(file, entry->login) != NULL)
		return;		/* the first line of a login counts, as in passwd(5) */
	hash_insert(&file->table, &entry->node, hash_slice(entry->login));
	file->count++;
}

static int
take_lines(struct password_file *file, struct err *err)
{
	struct slice text = text_file_text(file->file);
	size_t number = 0;

	if ((file->entries = mem_array(text_file_lines(file->file) + 1, sizeof(struct entry))) == NULL)
		return err_set(err, "no memory for %s", text_file_path(file->file));
	while (text.p != NULL) {
		struct slice line = slice_split(text, '\n', &text);

		take_line(file, line, ++number);
	}
	return 0;
}

int
password_file_refresh(struct password_file *file, struct err *err)
{
	int result = text_file_refresh(file->file, err);

	if (result == 0)
		return 0;
	clear(file);
	if (result == 1 && take_lines(file, err) == -1) {
		clear(file);
		text_file_forget(file->file);
		return -1;
	}
	return result;
}

enum sasl_found
password_file_find(const struct password_file *file, struct slice login, struct verifier *out)
{
	const struct entry *entry = get(file, login);
	const char *why;

	*out = (struct verifier){ 0 };
	if (entry == NULL && file->count > 0)
		(void)verifier_parse(file->entries[0].verifier, out, &why);
	if (entry == NULL)
		return FOUND_NOBODY;
	return verifier_parse(entry->verifier, out, &why) == 0 ? FOUND_USER : FOUND_TROUBLE;
}
