/*
 * database — see database.h.
 */
#include "queue/store/database.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"
#include "queue/store/dblog.h"
#include "queue/store/disk.h"

#define KEY_MAX		1024u
#define LOG_FILE	(8u * 1024 * 1024)
#define LOG_BUFFER	(1024u * 1024)
#define CHECKPOINT_KIB	8192u
#define WARM_MOST	(UINT64_C(2) << 30)
#define WARM_PIECE	(256u * 1024)

static const char *const table_names[TABLE_COUNT] = {
	[TABLE_RECORDS] = "records", [TABLE_INDEX] = "index", [TABLE_DESTINATIONS] = "destinations", [TABLE_META] = "meta",
};

/* --- the calls that libdb makes ----------------------------------------------------------------- */

static _Atomic bool sync_failed;

/* Not a second time: what the first call saw is not seen again. */
static int
sync_once(int fd)
{
	struct err err;

	if (!sync_failed && disk_sync_data(fd, &err) == 0)
		return 0;
	sync_failed = true;
	errno = EIO;
	return -1;
}

/* Writes of pages and of the log, so that a full disk can be tried on them. */
static ssize_t
write_at(int fd, const void *p, size_t len, off_t at)
{
	return fault_at("catalog-write") != 0 ? -1 : pwrite(fd, p, len, at);
}

static ssize_t
write_on(int fd, const void *p, size_t len)
{
	return fault_at("catalog-write") != 0 ? -1 : write(fd, p, len);
}

/* libdb puts the answer where it had the old address: after a failure nobody has that any more. */
static void *
grow(void *p, size_t n)
{
	void *more = mem_grow(p, n, 1);

	if (more == NULL)
		mem_free(p);
	return more;
}

static void
note_words(const DB_ENV *env, const char *prefix, const char *words)
{
	struct database *d = env->app_private;

	(void)prefix;
	snprintf(d->words, sizeof(d->words), "%s", words);
}

static int
failed(struct database *d, int rc, const char *what, struct err *err)
{
	err_set(err, "the catalog: %s: %s%s%s", what, db_strerror(rc), d->words[0] != '\0' ? ": " : "", d->words);
	if (err != NULL)
		err->code = rc > 0 ? rc : 0;
	d->words[0] = '\0';
	return -1;
}

/* --- opening and closing ------------------------------------------------------------------------ */

static int
configure(struct database *d, uint32_t cache)
{
	DB_ENV *env = d->env;
	int rc;

	env->app_private = d;
	env->set_errcall(env, note_words);
	if ((rc = env->set_alloc(env, mem_alloc, grow, mem_free)) != 0 || (rc = env->set_cachesize(env, 0, cache, 1)) != 0 ||
	    (rc = env->set_lg_bsize(env, LOG_BUFFER)) != 0 || (rc = env->set_lg_max(env, LOG_FILE)) != 0)
		return rc;
	return env->log_set_config(env, DB_LOG_AUTO_REMOVE, 1);
}

static int
open_table(struct database *d, enum database_table t)
{
	DB *db;
	int rc;

	if ((rc = db_create(&d->tables[t], d->env, 0)) != 0)
		return rc;
	db = d->tables[t];
	if ((rc = db->set_pagesize(db, DISK_BLOCK)) != 0 || (rc = db->set_flags(db, DB_CHKSUM)) != 0)
		return rc;
	return db->open(db, NULL, "catalog.db", table_names[t], DB_BTREE, DB_CREATE | DB_AUTO_COMMIT, 0600);
}

/* Recovery touches pages all over the file, one read after another. From the page cache a million records take a second or two,
 * from a disk that was not asked in order a quarter of a minute. */
static void
warm(const char *path)
{
	static char piece[WARM_PIECE];
	int dir = disk_open(AT_FDCWD, path, O_RDONLY | O_DIRECTORY, NULL);
	int fd = dir == -1 ? -1 : openat(dir, "catalog.db", O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	ssize_t n = 1;

	for (uint64_t at = 0; fd != -1 && n > 0 && at < WARM_MOST; at += (uint64_t)n)
		n = pread(fd, piece, sizeof(piece), (off_t)at);
	fd_close(&fd);
	fd_close(&dir);
}

int
database_open(struct database *d, const char *path, uint32_t cache, struct err *err)
{
	static const uint32_t flags = DB_CREATE | DB_PRIVATE | DB_INIT_MPOOL | DB_INIT_LOG | DB_INIT_TXN | DB_RECOVER;
	int rc;

	*d = (struct database){ 0 };
	if (dblog_check(path, err) == -1)
		return -1;
	warm(path);
	(void)db_env_set_func_fsync(sync_once);
	(void)db_env_set_func_pwrite(write_at);
	(void)db_env_set_func_write(write_on);
	if ((rc = db_env_create(&d->env, 0)) != 0) {
		d->env = NULL;
		return failed(d, rc, "no environment", err);
	}
	if ((rc = configure(d, cache)) != 0 || (rc = d->env->open(d->env, path, flags, 0600)) != 0) {
		(void)failed(d, rc, "cannot be opened", err);
		database_close(d);
		return -1;
	}
	for (enum database_table t = 0; t < TABLE_COUNT; t++)
		if ((rc = open_table(d, t)) != 0) {
			(void)failed(d, rc, table_names[t], err);
			database_close(d);
			return -1;
		}
	d->is_open = true;
	return 0;
}


/* What was committed is flushed; a close that fails loses nothing. The checkpoint leaves no commit at the end of the log. */
void
database_close(struct database *d)
{
	database_abort(d);
	for (enum database_table t = 0; t < TABLE_COUNT; t++)
		if (d->tables[t] != NULL)
			(void)d->tables[t]->close(d->tables[t], 0);
	if (d->env != NULL && d->is_open && !sync_failed)
		(void)d->env->txn_checkpoint(d->env, 0, 0, DB_FORCE);
	if (d->env != NULL)
		(void)d->env->close(d->env, 0);
	*d = (struct database){ 0 };
}

bool
database_is_distrusted(void)
{
	return sync_failed;
}

void
database_forgive(void)
{
	sync_failed = false;
}

/* --- transactions ------------------------------------------------------------------------------- */

int
database_begin(struct database *d, struct err *err)
{
	int rc = fault_at("catalog-begin");

	if (rc == 0)
		rc = d->env->txn_begin(d->env, NULL, &d->txn, 0);
	if (rc != 0)
		d->txn = NULL;
	return rc == 0 ? 0 : failed(d, rc, "begin", err);
}

int
database_commit(struct database *d, struct err *err)
{
	DB_TXN *txn = d->txn;
	int rc = fault_at("catalog-commit");

	if (rc != 0) {
		database_abort(d);
		return failed(d, rc, "commit", err);
	}
	d->txn = NULL;
	if ((rc = txn->commit(txn, 0)) != 0)
		return failed(d, rc, "commit", err);
	/* Only bounds the time of the next recovery. */
	if ((rc = d->env->txn_checkpoint(d->env, CHECKPOINT_KIB, 0, 0)) != 0 && sync_failed)
		return failed(d, rc, "checkpoint", err);
	return 0;
}

int
database_checkpoint(struct database *d, struct err *err)
{
	int rc = d->env->txn_checkpoint(d->env, 0, 0, DB_FORCE);

	return rc == 0 ? 0 : failed(d, rc, "checkpoint", err);
}

void
database_abort(struct database *d)
{
	DB_TXN *txn = d->txn;

	d->txn = NULL;
	if (txn != NULL)
		(void)txn->abort(txn);
}

/* --- one key ------------------------------------------------------------------------------------ */

static DBT
dbt_of(struct slice s)
{
	return (DBT){ .data = (void *)(uintptr_t)s.p, .size = (u_int32_t)s.len };
}

int
database_get(struct database *d, enum database_table t, struct slice key, DBT *buffer, struct err *err)
{
	DBT k = dbt_of(key);
	int rc = fault_at("catalog-read");

	buffer->flags = DB_DBT_REALLOC;
	if (rc == 0)
		rc = d->tables[t]->get(d->tables[t], d->txn, &k, buffer, 0);
	if (rc == DB_NOTFOUND)
		return 1;
	return rc == 0 ? 0 : failed(d, rc, "read", err);
}

int
database_put(struct database *d, enum database_table t, struct slice key, struct slice value, struct err *err)
{
	DBT k = dbt_of(key), v = dbt_of(value);
	int rc = fault_at("catalog-change");

	if (rc == 0)
		rc = d->tables[t]->put(d->tables[t], d->txn, &k, &v, 0);
	return rc == 0 ? 0 : failed(d, rc, "write", err);
}

int
database_add(struct database *d, enum database_table t, struct slice key, struct err *err)
{
	DBT k = dbt_of(key), v = dbt_of(slice_of("", 0));
	int rc = fault_at("catalog-change");

	if (rc == 0)
		rc = d->tables[t]->put(d->tables[t], d->txn, &k, &v, DB_NOOVERWRITE);
	if (rc == DB_KEYEXIST)
		return 1;
	return rc == 0 ? 0 : failed(d, rc, "write", err);
}

int
database_del(struct database *d, enum database_table t, struct slice key, struct err *err)
{
	DBT k = dbt_of(key);
	int rc = fault_at("catalog-change");

	if (rc == 0)
		rc = d->tables[t]->del(d->tables[t], d->txn, &k, 0);
	if (rc == DB_NOTFOUND)
		return 1;
	return rc == 0 ? 0 : failed(d, rc, "delete", err);
}

void
database_free(DBT *buffer)
{
	mem_free(buffer->data);
	*buffer = (DBT){ 0 };
}

/* --- many keys ---------------------------------------------------------------------------------- */

int
database_walk(struct database *d, enum database_table t, struct slice from, bool values, database_each *each, void *arg,
    struct err *err)
{
	char key[KEY_MAX];
	DBT k = { .data = key, .ulen = sizeof(key), .flags = DB_DBT_USERMEM };
	DBT v = { .flags = DB_DBT_REALLOC | (values ? 0 : DB_DBT_PARTIAL) };
	DBC *cursor;
	int rc = d->tables[t]->cursor(d->tables[t], d->txn, &cursor, 0);

	if (rc != 0)
		return failed(d, rc, "cursor", err);
	if (from.len > 0 && from.len <= sizeof(key))
		memcpy(key, from.p, from.len);
	k.size = (u_int32_t)from.len;
	rc = cursor->get(cursor, &k, &v, DB_SET_RANGE);
	while (rc == 0 && each(arg, slice_of(k.data, k.size), slice_of(v.data, v.size)))
		rc = cursor->get(cursor, &k, &v, DB_NEXT);
	(void)cursor->close(cursor);
	database_free(&v);
	return rc == 0 || rc == DB_NOTFOUND ? 0 : failed(d, rc, "walk", err);
}

int
database_compact(struct database *d, enum database_table t, uint32_t pages, struct err *err)
{
	DB_COMPACT c = { .compact_pages = pages };
	int rc = d->tables[t]->compact(d->tables[t], NULL, NULL, NULL, &c, DB_FREE_SPACE, NULL);

	return rc == 0 ? 0 : failed(d, rc, "compact", err);
}
