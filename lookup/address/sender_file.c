/*
 * sender_file — a hash of the lines of a text_file by address. The logins stay where they stand in the text.
 */
#include "lookup/address/sender_file.h"

#include "base/hash.h"
#include "base/log.h"
#include "base/mem.h"
#include "lookup/address/resolve.h"

#define KEYS_MAX	(2 * TEXT_FILE_MAX)	/* bytes of keys: no more than the file has, each with its place in the arena */
#define COMPLAINTS_MAX	10			/* about one version of the file */

struct entry {
	struct hash_node	node;
	struct slice		key;		/* of the arena */
	struct slice		logins;		/* of the text, over all lines that go on */
};

struct sender_file {
	struct text_file *file;
	struct entry	*entries;
	struct entry	*last;			/* the line before; NULL: it was none */
	size_t		 count, skipped;
	struct hash	 table;
	struct arena	 keys;
};

struct sender_file *
sender_file_new(const char *path)
{
	struct sender_file *file = mem_zalloc(sizeof(*file));

	if (file == NULL)
		return NULL;
	hash_init(&file->table);
	arena_init(&file->keys, KEYS_MAX);
	if ((file->file = text_file_new(path)) == NULL)
		sender_file_free(&file);
	return file;
}

static void
clear(void *arg)
{
	struct sender_file *file = arg;

	hash_fini(&file->table);
	hash_init(&file->table);
	arena_fini(&file->keys);
	arena_init(&file->keys, KEYS_MAX);
	mem_free(file->entries);
	file->entries = file->last = NULL;
	file->count = file->skipped = 0;
}

void
sender_file_free(struct sender_file **file)
{
	if (*file == NULL)
		return;
	clear(*file);
	text_file_free(&(*file)->file);
	mem_free(*file);
	*file = NULL;
}

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

/* What stands before the first space in *word; the rest stays in *in, as far as it goes. */
static void
take_word(struct slice *in, struct slice *word)
{
	size_t n = 0;

	while (n < in->len && !is_blank(in->p[n]))
		n++;
	*word = slice_of(in->p, n);
	slice_drop(in, n);
}

/* The key of an address or of "@domain", its domain in A-labels; *parsed says what the word was. */
static struct slice
key_of(struct slice word, struct arena *keys, enum parsed *parsed, const char **why)
{
	char text[ADDRESS_MAX + 1] = "x";
	struct buf out = { .mem = text, .cap = ADDRESS_MAX, .max = ADDRESS_MAX };
	bool domain_only = word.len > 0 && word.p[0] == '@' && word.len < sizeof(text);
	struct arena parts = { .max = 8 * ADDRESS_MAX };
	struct address address;
	struct slice key = { NULL, 0 };

	if (domain_only) {
		memcpy(text + 1, word.p, word.len);
		word = slice_of(text, word.len + 1);
	}
	*parsed = resolve_address(word, false, &parts, &address, why);
	if (*parsed == PARSED_ADDRESS) {
		address_print(&address, &out);
		key = buf_slice(&out);
		if (domain_only)
			slice_drop(&key, 1);
		key = out.failed ? slice_of(NULL, 0) : arena_slice(keys, key);
	}
	arena_fini(&parts);
	return key;
}

struct slice
sender_file_find(const struct sender_file *file, struct slice key)
{
	for (struct hash_node *n = hash_first(&file->table, hash_slice_nocase(key)); n != NULL; n = hash_next(n))
		if (slice_caseeq(CONTAINER_OF(n, struct entry, node)->key, key))
			return CONTAINER_OF(n, struct entry, node)->logins;
	return slice_of(NULL, 0);
}

/* -1: no memory; the file as a whole is then no answer to anything. */
static int
take_line(void *arg, struct slice line, size_t number)
{
	struct sender_file *file = arg;
	struct entry *entry = &file->entries[file->count];
	const char *why = "";
	enum parsed parsed;
	struct slice word;

	if (line.len == 0 || line.p[0] == '#')
		return 0;
	if (is_blank(line.p[0])) {
		if (file->last != NULL)
			file->last->logins.len = (size_t)(line.p + line.len - file->last->logins.p);
		return 0;
	}
	take_word(&line, &word);
	entry->logins = line;
	entry->key = key_of(word, &file->keys, &parsed, &why);
	file->last = NULL;
	if (parsed != PARSED_BAD && entry->key.p == NULL)
		return -1;
	if (parsed == PARSED_BAD) {
		if (file->skipped++ < COMPLAINTS_MAX)
			log_warn("%s:%zu: line skipped: %s", text_file_path(file->file), number, why);
		return 0;
	}
	/* The line of a key that was there before still has to end the lines of the one in front of it. */
	file->last = entry;
	file->count++;
	if (sender_file_find(file, entry->key).p == NULL)
		hash_insert(&file->table, &entry->node, hash_slice_nocase(entry->key));
	return 0;
}

static int
begin(void *arg, size_t lines)
{
	struct sender_file *file = arg;

	file->entries = mem_array(lines, sizeof(struct entry));
	return file->entries == NULL ? -1 : 0;
}

int
sender_file_refresh(struct sender_file *file, struct err *err)
{
	static const struct text_lines lines = { .clear = clear, .begin = begin, .line = take_line };

	return text_file_refresh(file->file, &lines, file, err);
}

bool
sender_file_names(struct slice logins, struct slice login)
{
	while (logins.len > 0) {
		size_t n = 0;
		struct slice name;

		while (n < logins.len && !is_blank(logins.p[n]) && logins.p[n] != ',' && logins.p[n] != '\n')
			n++;
		name = slice_of(logins.p, n);
		if (slice_eq(name, login) || slice_eq(name, SLICE_LIT("*")))
			return true;
		slice_drop(&logins, n < logins.len ? n + 1 : n);
	}
	return false;
}
