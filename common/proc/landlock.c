/*
 * landlock — file rules from version 1, TCP from 4, no signals outside from 6.
 *
 * The numbers are the kernel's interface (Documentation/userspace-api/landlock.rst), spelled out here because the headers of
 * the systems we build on are older than the kernels we run on.
 */
#include "proc/landlock.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fd.h"

#ifndef SYS_landlock_create_ruleset
#define SYS_landlock_create_ruleset	444
#define SYS_landlock_add_rule		445
#define SYS_landlock_restrict_self	446
#endif

enum {
	FS_EXECUTE = 1 << 0, FS_WRITE_FILE = 1 << 1, FS_READ_FILE = 1 << 2, FS_READ_DIR = 1 << 3, FS_REMOVE_DIR = 1 << 4,
	FS_REMOVE_FILE = 1 << 5, FS_MAKE_CHAR = 1 << 6, FS_MAKE_DIR = 1 << 7, FS_MAKE_REG = 1 << 8, FS_MAKE_SOCK = 1 << 9,
	FS_MAKE_FIFO = 1 << 10, FS_MAKE_BLOCK = 1 << 11, FS_MAKE_SYM = 1 << 12, FS_REFER = 1 << 13, FS_TRUNCATE = 1 << 14,
	FS_IOCTL_DEV = 1 << 15,
	NET_BIND_TCP = 1 << 0, NET_CONNECT_TCP = 1 << 1,
	SCOPE_ABSTRACT_UNIX = 1 << 0, SCOPE_SIGNAL = 1 << 1,
	RULE_PATH_BENEATH = 1, RULE_NET_PORT = 2,
	CREATE_VERSION = 1 << 0,
};

#define READ_RIGHTS	(FS_READ_FILE | FS_READ_DIR)
#define WRITE_RIGHTS	(READ_RIGHTS | FS_WRITE_FILE | FS_REMOVE_DIR | FS_REMOVE_FILE | FS_MAKE_DIR | FS_MAKE_REG | \
	FS_REFER | FS_TRUNCATE)
#define FILE_RIGHTS	(FS_WRITE_FILE | FS_READ_FILE | FS_TRUNCATE | FS_EXECUTE | FS_IOCTL_DEV)	/* what a rule on a file may name */

struct ruleset_attr {
	uint64_t	fs, net, scoped;
};

struct path_attr {
	uint64_t	allowed;
	int32_t		parent;
} __attribute__((packed));

struct port_attr {
	uint64_t	allowed, port;
};

/* What each version can forbid, and how long its attribute is. */
static const struct {
	uint64_t	fs, net, scoped;
	size_t		size;
} versions[] = {
	{ 0, 0, 0, 0 },
	{ (1 << 13) - 1, 0, 0, 8 },
	{ (1 << 14) - 1, 0, 0, 8 },
	{ (1 << 15) - 1, 0, 0, 8 },
	{ (1 << 15) - 1, NET_BIND_TCP | NET_CONNECT_TCP, 0, 16 },
	{ (1 << 16) - 1, NET_BIND_TCP | NET_CONNECT_TCP, 0, 16 },
	{ (1 << 16) - 1, NET_BIND_TCP | NET_CONNECT_TCP, SCOPE_ABSTRACT_UNIX | SCOPE_SIGNAL, 24 },
};
#define VERSIONS	((int)(sizeof(versions) / sizeof(versions[0])))

int
landlock_version(void)
{
	static int known = -1;		/* asked once, outside: inside the sandbox the question itself is forbidden */
	long version;

	if (known == -1) {
		version = syscall(SYS_landlock_create_ruleset, NULL, 0, CREATE_VERSION);
		known = version < 0 ? 0 : (int)version;
	}
	return known;
}

static int
allow_path(int rules, const char *path, uint64_t rights, struct err *err)
{
	int fd = open(path, O_PATH | O_CLOEXEC);
	struct path_attr attr = { .allowed = rights, .parent = fd };
	struct stat st;
	long result;

	if (fd == -1)
		return errno == ENOENT ? 0 : err_sys(err, "%s", path);	/* what is not there needs no right */
	if (fstat(fd, &st) == 0 && !S_ISDIR(st.st_mode))
		attr.allowed &= FILE_RIGHTS;
	result = syscall(SYS_landlock_add_rule, rules, RULE_PATH_BENEATH, &attr, 0);
	fd_close(&fd);
	return result == -1 ? err_sys(err, "a Landlock rule for %s", path) : 0;
}

/* The folder and not the file: a file that is edited is usually another one afterwards. */
static int
allow_beside(int rules, const char *file, uint64_t rights, struct err *err)
{
	const char *slash = strrchr(file, '/');
	char folder[PATH_MAX];

	if (slash == NULL || slash == file || (size_t)(slash - file) >= sizeof(folder))
		return err_set(err, "%s lies in no folder that could be given to a process", file);
	(void)snprintf(folder, sizeof(folder), "%.*s", (int)(slash - file), file);
	return allow_path(rules, folder, rights, err);
}

static int
allow_port(int rules, uint16_t port, uint64_t rights, struct err *err)
{
	struct port_attr attr = { .allowed = rights, .port = port };

	if (syscall(SYS_landlock_add_rule, rules, RULE_NET_PORT, &attr, 0) == -1)
		return err_sys(err, "a Landlock rule for port %u", (unsigned)port);
	return 0;
}

static int
add_rules(int rules, int version, const struct sandbox_grant *grant, struct err *err)
{
	uint64_t fs = versions[version].fs;

	for (size_t i = 0; i < SANDBOX_PATHS; i++) {
		if (grant->read[i] != NULL && allow_path(rules, grant->read[i], READ_RIGHTS & fs, err) == -1)
			return -1;
		if (grant->write[i] != NULL && allow_path(rules, grant->write[i], WRITE_RIGHTS & fs, err) == -1)
			return -1;
	}
	if (grant->read_beside != NULL && allow_beside(rules, grant->read_beside, READ_RIGHTS & fs, err) == -1)
		return -1;
	if (versions[version].net == 0)
		return 0;
	for (size_t i = 0; i < SANDBOX_PORTS; i++)
		if (grant->connect[i] != 0 && allow_port(rules, grant->connect[i], NET_CONNECT_TCP, err) == -1)
			return -1;
	/* Port 0 is "any free one": a source address may be chosen, a service may not be posed as. */
	return grant->connect[0] != 0 || grant->connect_any ? allow_port(rules, 0, NET_BIND_TCP, err) : 0;
}

int
landlock_enter(const struct sandbox_grant *grant, struct err *err)
{
	int version = landlock_version(), rules, result = -1;
	struct ruleset_attr attr;

	if (version == 0)
		return 0;
	if (version >= VERSIONS)
		version = VERSIONS - 1;
	attr = (struct ruleset_attr){ versions[version].fs, versions[version].net, versions[version].scoped };
	if (grant->connect_any)
		attr.net &= ~(uint64_t)NET_CONNECT_TCP;
	rules = (int)syscall(SYS_landlock_create_ruleset, &attr, versions[version].size, 0);
	if (rules == -1)
		return err_sys(err, "Landlock rules");
	if (add_rules(rules, version, grant, err) == 0) {
		result = (int)syscall(SYS_landlock_restrict_self, rules, 0);
		if (result == -1)
			(void)err_sys(err, "entering Landlock");
	}
	fd_close(&rules);
	return result;
}
