/* tls_files — see tls_files.h. */
#include "control/supervisor/tls_files.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/log.h"
#include "control/supervisor/child.h"

/* Never blocks on what is no file. -1: err. */
static int
open_one(const char *path, bool secret, struct err *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct stat st;

	if (fd == -1)
		return err_sys(err, "%s", path);
	if (fstat(fd, &st) == -1 || !S_ISREG(st.st_mode)) {
		fd_close(&fd);
		return err_set(err, "%s is no regular file", path);
	}
	if (secret && (st.st_mode & (S_IROTH | S_IWOTH)) != 0)
		log_warn("%s: everybody on this host can read this private key: mode 0600 would be right", path);
	return fd;
}

static int
open_pair(struct tls_files *files, const struct conf_tls *tls, uint32_t item, struct err *err)
{
	int *certificate = &files->certificates[files->count], *key = &files->keys[files->count];

	*certificate = open_one(tls->certificate.v[item], false, err);
	if (*certificate == -1)
		return -1;
	*key = open_one(tls->key.v[item], true, err);
	if (*key == -1) {
		fd_close(certificate);
		return -1;
	}
	files->count++;
	return 0;
}

/* The file may well not be there: it is Debian's, of a package that other mail does without. */
static void
open_authorities(struct tls_files *files, const char *path)
{
	struct err err;

	if (path[0] == '\0')
		return;
	files->authorities = open_one(path, false, &err);
	files->has_authorities = files->authorities != -1;
	if (!files->has_authorities)
		log_warn("relay: tls-authorities: %s; mail that requires TLS waits for them", err.text);
}

int
tls_files_open(struct tls_files *files, const struct conf *conf, struct err *err)
{
	*files = (struct tls_files){ 0 };
	for (uint32_t i = 0; i < conf->tls_count; i++)
		for (uint32_t k = 0; k < conf->tls[i].certificate.count; k++) {
			if (files->count == TLS_FILES_MAX)
				(void)err_set(err, "more than %d certificates", TLS_FILES_MAX);
			else if (open_pair(files, &conf->tls[i], k, err) == 0)
				continue;
			(void)err_wrap(err, "tls \"%s\"", conf->tls[i].name);
			tls_files_close(files);
			return -1;
		}
	open_authorities(files, conf->relay.tls_authorities);
	return 0;
}

void
tls_files_close(struct tls_files *files)
{
	while (files->count > 0) {
		files->count--;
		fd_close(&files->certificates[files->count]);
		fd_close(&files->keys[files->count]);
	}
	if (files->has_authorities)
		fd_close(&files->authorities);
	files->has_authorities = false;
}

void
tls_files_give(const struct tls_files *files, struct child *c)
{
	enum wire_role role = c->row->role;
	bool smtpd = role == ROLE_MX || role == ROLE_TRUSTED || role == ROLE_SUBMISSION;

	if (role == ROLE_RELAY && files->has_authorities)
		child_send_file(c, PASSED_AUTHORITIES, 0, files->authorities);
	for (uint32_t i = 0; i < files->count; i++) {
		if (smtpd || role == ROLE_KEY)
			child_send_file(c, PASSED_CERTIFICATE, i, files->certificates[i]);
		if (role == ROLE_KEY)
			child_send_file(c, PASSED_KEY, i, files->keys[i]);
	}
}
