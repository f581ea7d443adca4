/*
 * account — the system's accounts by getpwnam_r, and a list of passwd-files by path.
 */
#include "lookup/user/account.h"

#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <bsd/sys/queue.h>

#include "base/fmt.h"
#include "base/log.h"
#include "base/mem.h"
#include "lookup/user/passwd_file.h"

#define PASSWD_BUFFER	16384
#define PASSWD_BUFFER_MAX (1024 * 1024)
#define LOGIN_NAME_MAX_LEN 255

struct file {
	SLIST_ENTRY(file)	 next;
	struct passwd_file	*file;
	char			 path[];
};

struct accounts {
	struct accounts_ops	 ops;
	SLIST_HEAD(, file)	 files;
};

struct accounts *
accounts_new(const struct accounts_ops *ops, struct err *err)
{
	struct accounts *accounts = mem_zalloc(sizeof(*accounts));

	if (accounts == NULL) {
		err_set(err, "no memory for accounts");
		return NULL;
	}
	if (ops != NULL)
		accounts->ops = *ops;
	SLIST_INIT(&accounts->files);
	return accounts;
}

void
accounts_free(struct accounts **accounts)
{
	struct file *file;

	if (*accounts == NULL)
		return;
	while ((file = SLIST_FIRST(&(*accounts)->files)) != NULL) {
		SLIST_REMOVE_HEAD(&(*accounts)->files, next);
		passwd_file_free(&file->file);
		mem_free(file);
	}
	mem_free(*accounts);
	*accounts = NULL;
}

/* What no account's name can hold is not asked for: some
 * directory modules read more into names than we mean. */
static bool
name_can_be_login(struct slice name)
{
	if (name.len == 0 || name.len > LOGIN_NAME_MAX_LEN || name.p[0] == '-')
		return false;
	for (size_t i = 0; i < name.len; i++)
		if ((unsigned char)name.p[i] <= ' ' || (unsigned char)name.p[i] == 0x7f || strchr(":/,\\@*", name.p[i]) != NULL)
			return false;
	return true;
}

static enum account_result
account_fill(const struct passwd *pw, struct arena *arena, struct account *out, struct err *err)
{
	struct account found = { .uid = pw->pw_uid, .gid = pw->pw_gid };

	found.name = arena_slice(arena, slice_str(pw->pw_name));
	found.home = arena_slice(arena, slice_str(pw->pw_dir == NULL ? "" : pw->pw_dir));
	if (found.name.p == NULL || found.home.p == NULL) {
		err_set(err, "no memory for an account");
		return ACCOUNT_TROUBLE;
	}
	*out = found;
	return ACCOUNT_FOUND;
}

/*
 * POSIX lets getpwnam_r say "not found" in one way only: success, and no entry. ENOENT and its like
 * come from a module whose database is missing, which is trouble.
 */
static enum account_result
account_system(struct slice local, struct arena *arena, struct account *out, struct err *err)
{
	char name[LOGIN_NAME_MAX_LEN + 1];
	enum account_result result;
	struct passwd pw, *found = NULL;
	size_t size = PASSWD_BUFFER;
	char *buffer;
	int error;

	if (!name_can_be_login(local))
		return ACCOUNT_UNKNOWN;
	memcpy(name, local.p, local.len);
	name[local.len] = '\0';
	if ((buffer = mem_alloc(size)) == NULL)
		goto no_memory;
	while ((error = getpwnam_r(name, &pw, buffer, size, &found)) == ERANGE && size < PASSWD_BUFFER_MAX) {
		mem_free(buffer);
		size *= 4;
		if ((buffer = mem_alloc(size)) == NULL)
			goto no_memory;
	}
	if (error != 0) {
		errno = error;
		err_sys(err, "asking for the system account");
		result = ACCOUNT_TROUBLE;
	} else {
		result = found == NULL ? ACCOUNT_UNKNOWN : account_fill(found, arena, out, err);
	}
	mem_free(buffer);
	return result;

no_memory:
	err_set(err, "no memory for an account");
	return ACCOUNT_TROUBLE;
}

static struct passwd_file *
accounts_file(struct accounts *accounts, const char *path, struct err *err)
{
	struct file *file;

	SLIST_FOREACH(file, &accounts->files, next)
		if (strcmp(file->path, path) == 0)
			return file->file;
	if ((file = mem_zalloc(sizeof(*file) + strlen(path) + 1)) == NULL ||
	    (file->file = passwd_file_new(path)) == NULL) {
		mem_free(file);
		err_set(err, "no memory for %s", path);
		return NULL;
	}
	(void)strlcpy(file->path, path, strlen(path) + 1);
	SLIST_INSERT_HEAD(&accounts->files, file, next);
	return file->file;
}

static struct passwd_file *
accounts_fresh(struct accounts *accounts, const char *path, struct err *err)
{
	struct passwd_file *file = accounts_file(accounts, path, err);
	int loaded;

	if (file == NULL || (loaded = passwd_file_refresh(file, err)) == -1)
		return NULL;
	if (loaded > 0 && accounts->ops.loaded != NULL)
		accounts->ops.loaded(accounts->ops.arg, path, passwd_file_stamp(file));
	return file;
}

static enum account_result
accounts_find(void *arg, const struct conf_domain *domain, struct slice local, struct arena *arena, struct account *out,
    struct err *err)
{
	struct accounts *accounts = arg;
	struct passwd_file *file;

	if (domain->users != USERS_FILE)
		return account_system(local, arena, out, err);
	if (domain->users_file == NULL) {
		err_set(err, "the domain has no file of users");
		return ACCOUNT_TROUBLE;
	}
	if ((file = accounts_fresh(accounts, domain->users_file, err)) == NULL)
		return ACCOUNT_TROUBLE;
	return passwd_file_find(file, local, slice_str(domain->name), out) ? ACCOUNT_FOUND : ACCOUNT_UNKNOWN;
}

struct user_source
accounts_source(struct accounts *accounts)
{
	return (struct user_source){ accounts_find, accounts };
}

void
accounts_check(struct accounts *accounts, const char *path)
{
	struct err err;

	if (accounts_fresh(accounts, path, &err) == NULL)
		log_warn("%s", err.text);
}

void
account_warm_up(void)
{
	struct arena arena;
	struct account account;
	struct err err;

	arena_init(&arena, 4 * PASSWD_BUFFER);
	/* One name that everybody has and one that nobody has:
	 * so every module of nsswitch.conf is asked, and loaded. */
	(void)account_system(SLICE_LIT("root"), &arena, &account, &err);
	(void)account_system(SLICE_LIT("posthorn.no.such.user"), &arena, &account, &err);
	arena_fini(&arena);
}
