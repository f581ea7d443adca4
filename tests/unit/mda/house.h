#ifndef UNIT_HOUSE_H
#define UNIT_HOUSE_H
/*
 * house — the whole mda on a loop with a queue, a lookup and a supervisor that the test plays, and real workers on
 * real Maildirs: each worker is a forked child that serves as the real program does.
 */
#include "tests/support/testing.h"

#include "base/fault.h"
#include "event/timer.h"
#include "ipc/channel.h"
#include "mda/mda.h"
#include "mda/worker/wire.h"
#include "tests/support/tempdir.h"
#include "wire/deliver.h"
#include "wire/lookup.h"

#ifndef POSTHORN_FAULTS
#define fault_plan(plan)	((void)(plan))	/* a release build: the tests that need faults are skipped */
#endif

#define WORKERS_MAX	64
#define RESULTS_MAX	512
#define OTHER_UID	12345	/* whom workers become when the test runs as root */

/* A worker that its user has taken over: what it sends after DELIVER has come. */
struct lie {
	const char	*name;
	uint16_t	 frames[3];
	uint64_t	 id;		/* 0: the id that it was given */
	bool		 no_directory;	/* OPENED brings a pipe */
};

struct result {
	uint64_t	lease;
	uint32_t	count;
	bool		damaged;
	enum action	action;		/* of the first recipient */
	struct status	status;
	char		text[256];
};

struct fixture {
	struct loop	*loop;
	struct mda	*mda;
	struct conf	 conf;
	struct channel	*queue, *lookup, *spawn;
	struct timer	 limit;
	struct arena	 arena;
	uid_t		 uid;
	char		 base[256];
	struct result	 results[RESULTS_MAX];
	unsigned	 result_count, hello_count, hello_leases, wanted;
	bool		 commit;		/* answer results at once */
	uint64_t	 workers[WORKERS_MAX];
	pid_t		 pids[WORKERS_MAX];
	unsigned	 spawned, ended, questions;
	bool		 no_spawn;		/* the supervisor refuses */
	const char	*worker_faults;		/* the plan of the next worker */
	const struct lie *lie;			/* workers say this instead of working */
	enum route_verdict verdict;
	uint32_t	 answer_uid;
	uint32_t	 crc_off;		/* xor'ed into the checksum of contents in files: they changed since */
	const char	*home;			/* NULL: BASE/USER */
};

extern struct fixture *the;
extern int flush_error;		/* what the next sync answers, once */

int	house_setup(void **state);
int	house_teardown(void **state);
void	new_queue(void);				/* another deliver wire, as after a restart of queue */
void	make_home(const char *user);
/* fd -1: content in the frame; else in the file, `size` bytes of it, with the checksum of what is there. */
void	send_job(uint64_t lease, const char *address, struct slice content, uint32_t flags, int fd, uint32_t size);
void	commit(uint64_t lease);
void	run_until(unsigned results);			/* that many have come in all */
void	run_a_while(int64_t ms);
const char *in_maildir(const char *user, const char *sub);	/* borrowed until the next call */
void	assert_only_file(const char *user, const char *want);	/* in new/; and nothing in tmp/ */

#endif
