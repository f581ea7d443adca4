/*
 * test_logger — the log wire from sender to file: many lines in one datagram, a full socket, a stuck target.
 */
#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "conf/fill.h"
#include "control/logger/logger.h"
#include "tests/support/tempdir.h"
#include "tests/support/testing.h"

static const struct line_source who = { .role = ROLE_MX, .number = 4, .pid = 99 };

static int
pair(int ends[2])
{
	return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends);
}

/* One datagram, decoded: how many records, and the header. */
static unsigned
read_datagram(int fd, uint32_t *process, uint64_t *dropped, struct log_record *last, char bytes[LOG_DATAGRAM_MAX])
{
	ssize_t n = recv(fd, bytes, LOG_DATAGRAM_MAX, 0);
	unsigned count = 0;
	struct reader r;

	if (n <= 0)
		return 0;
	r = reader_of(slice_of(bytes, (size_t)n));
	assert_int_equal(log_header_get(&r, process, dropped), 0);
	for (; r.in.len > 0; count++)
		assert_int_equal(log_record_get(&r, last), 0);
	return count;
}

static void
test_round_is_one_datagram(void **state)
{
	static char bytes[LOG_DATAGRAM_MAX];
	struct log_record last;
	uint32_t process;
	uint64_t dropped;
	int ends[2];

	(void)state;
	assert_int_equal(pair(ends), 0);
	log_wire_open(ends[1], 7);
	log_event(EVENT_CONNECT, LOG_LEVEL_INFO, 3, LOG_STR(KEY_CLIENT, "a[192.0.2.1]"));
	log_info("words %d", 5);
	log_event(EVENT_DELIVERY, LOG_LEVEL_INFO, 0, LOG_ID(KEY_ID, queue_id_of(9, 8)), LOG_STATUS(KEY_STATUS, STATUS(4, 7, 1)),
	    LOG_NUM(KEY_DELAY, -1));
	assert_int_equal(recv(ends[0], bytes, sizeof(bytes), 0), -1);		/* nothing before the round ends */
	log_wire_flush(NULL);
	assert_int_equal(read_datagram(ends[0], &process, &dropped, &last, bytes), 3);
	assert_int_equal(process, 7);
	assert_int_equal(dropped, 0);
	assert_int_equal(last.sequence, 3);
	assert_int_equal(last.event, EVENT_DELIVERY);
	assert_int_equal(last.count, 3);
	assert_true((queue_id)last.fields[0].number == queue_id_of(9, 8));
	assert_int_equal(last.fields[1].status.subject, 7);
	assert_int_equal(last.fields[2].number, -1);
	log_wire_flush(NULL);
	assert_int_equal(recv(ends[0], bytes, sizeof(bytes), 0), -1);		/* an empty round sends nothing */
	log_wire_close();
	fd_close(&ends[0]);
}

/* Nobody reads: 4 MiB wait, what is beyond is lost and counted, and lines and count arrive, in order, once somebody reads again. */
static void
test_full_socket(void **state)
{
	static char bytes[LOG_DATAGRAM_MAX];
	static char text[1000];
	struct log_record last;
	unsigned sent = 20000, got = 0, before, n;
	uint64_t dropped = 0, begun = 0, lost;
	uint32_t process;
	int ends[2];

	(void)state;
	memset(text, 'x', sizeof(text));
	assert_int_equal(pair(ends), 0);
	log_wire_open(ends[1], 7);
	for (unsigned i = 0; i < sent; i++)
		log_event(EVENT_CONNECT, LOG_LEVEL_INFO, i, LOG_SLICE(KEY_CLIENT, slice_of(text, sizeof(text))));
	log_info("again");
	for (before = 0; got != before || got == 0;) {
		before = got;
		log_wire_flush(NULL);
		while ((n = read_datagram(ends[0], &process, &lost, &last, bytes)) > 0) {
			if (got == 0)
				begun = last.sequence - n;
			got += n;
			dropped += lost;
			assert_int_equal(last.sequence - begun, got + dropped);
		}
	}
	assert_int_equal(last.event, EVENT_TEXT);
	assert_true(dropped > 0 && got > 3700);
	assert_int_equal(got + dropped, sent + 1);
	log_wire_close();
	fd_close(&ends[0]);
}

static struct conf *
conf_for(const char *target, enum log_format format)
{
	struct conf *conf = conf_new();

	assert_int_equal(conf_set_initial(conf), 0);
	conf->hostname = arena_str(&conf->arena, "mx.example.org");
	conf->log.target = arena_str(&conf->arena, target);
	conf->log.format = format;
	return conf;
}

static struct buf
datagram(unsigned lines, uint64_t dropped)
{
	int ends[2];
	char bytes[LOG_DATAGRAM_MAX];
	ssize_t n;
	struct buf b;

	assert_int_equal(pair(ends), 0);
	log_wire_open(ends[1], 4);
	for (unsigned i = 0; i < lines; i++)
		log_info("line %u", i);
	log_wire_flush(NULL);
	n = recv(ends[0], bytes, sizeof(bytes), 0);
	log_wire_close();
	fd_close(&ends[0]);
	assert_true(n > 12);
	buf_init(&b, LOG_DATAGRAM_MAX);
	put_u32(&b, 4);
	put_u64(&b, dropped);
	assert_int_equal(buf_append(&b, bytes + 12, (size_t)n - 12), 0);
	return b;
}

static size_t
lines_in(const char *path, const char *containing)
{
	char line[1024];
	size_t count = 0;
	FILE *f = fopen(path, "r");

	while (f != NULL && fgets(line, sizeof(line), f) != NULL)
		count += strstr(line, containing) != NULL;
	if (f != NULL)
		(void)fclose(f);
	return count;
}

static void
test_file(void **state)
{
	char folder[256], path[512], target[600];
	struct logger l;
	struct loop *loop;
	struct conf *conf;
	struct err err;
	struct buf b = datagram(10, 3);

	(void)state;
	tempdir_make(folder);
	(void)snprintf(target, sizeof(target), "file:%s", tempdir_join(path, folder, "log"));
	conf = conf_for(target, LOG_FORMAT_TEXT);
	loop = loop_new(&err);
	assert_int_equal(logger_open(&l, conf, NULL, &err), 0);
	assert_int_equal(logger_start(&l, loop, &err), 0);
	logger_datagram(&l, &who, buf_slice(&b));
	logger_datagram(&l, &who, slice_of(buf_slice(&b).p, buf_len(&b) - 5));	/* cut: the good part counts */
	sink_flush(&l.sink);
	assert_int_equal(lines_in(path, "postfix/smtpd[99]: line "), 19);
	assert_int_equal(lines_in(path, "3 lines of this process were dropped"), 2);
	assert_int_equal(lines_in(path, "cannot be read"), 1);
	logger_close(&l);
	conf_free(&conf);
	loop_free(loop);
	buf_fini(&b);
	tempdir_remove(folder);
}

static void
stop_loop(void *loop)
{
	loop_stop(loop);
}

static void
run_for(struct loop *loop, int64_t ms)
{
	struct timer t;

	assert_int_equal(timer_init(&t, loop, stop_loop, loop), 0);
	timer_set(&t, ms);
	assert_int_equal(loop_run(loop), 0);
	timer_fini(&t);
}

/* A pipe that nobody reads: lines gather, then are dropped and counted; when it is read, they flow and the loss is told. */
static void
test_stuck(void **state)
{
	char folder[256], path[512], target[600];
	static char bytes[1 << 20];
	struct buf b = datagram(600, 0);
	struct logger l;
	struct loop *loop;
	struct conf *conf;
	struct err err;
	int reader;
	ssize_t n;
	bool told = false;

	(void)state;
	tempdir_make(folder);
	(void)snprintf(target, sizeof(target), "file:%s", tempdir_join(path, folder, "pipe"));
	assert_int_equal(mkfifo(path, 0600), 0);
	reader = open(path, O_RDONLY | O_NONBLOCK);
	conf = conf_for(target, LOG_FORMAT_TEXT);
	loop = loop_new(&err);
	assert_int_equal(logger_open(&l, conf, NULL, &err), 0);
	assert_int_equal(logger_start(&l, loop, &err), 0);
	for (int i = 0; i < 400 && l.sink.dropped == 0; i++) {
		logger_datagram(&l, &who, buf_slice(&b));
		sink_flush(&l.sink);
	}
	assert_true(l.sink.dropped > 0);
	assert_true(l.sink.stuck);
	assert_true(buf_len(&l.sink.lines) <= SINK_KEEP);
	for (int i = 0; i < 2000 && !told; i++) {
		while ((n = read(reader, bytes, sizeof(bytes) - 1)) > 0) {
			bytes[n] = '\0';
			told = told || strstr(bytes, "the log target was stuck: ") != NULL;
		}
		run_for(loop, 1);
	}
	assert_true(told);
	assert_false(l.sink.stuck);
	assert_int_equal(l.sink.dropped, 0);
	logger_close(&l);
	conf_free(&conf);
	loop_free(loop);
	buf_fini(&b);
	fd_close(&reader);
	tempdir_remove(folder);
}

/* Through the socket: the kernel's word on the process id goes into the line, and the end of the other side ends the source. */
static void
test_source(void **state)
{
	char folder[256], path[512], target[600], want[64];
	struct logger l;
	struct loop *loop;
	struct conf *conf;
	struct err err;
	int ends[2], on = 1;

	(void)state;
	tempdir_make(folder);
	(void)snprintf(target, sizeof(target), "file:%s", tempdir_join(path, folder, "log"));
	conf = conf_for(target, LOG_FORMAT_TEXT);
	loop = loop_new(&err);
	assert_int_equal(logger_open(&l, conf, NULL, &err), 0);
	assert_int_equal(logger_start(&l, loop, &err), 0);
	assert_int_equal(pair(ends), 0);
	assert_int_equal(setsockopt(ends[0], SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)), 0);
	logger_add(&l, ROLE_RELAY, 5, ends[0]);
	log_wire_open(ends[1], 12345);		/* a false number: nobody asks */
	log_info("hello");
	log_wire_close();
	run_for(loop, 20);
	(void)snprintf(want, sizeof(want), "postfix/relay[%ld]: hello", (long)getpid());
	assert_int_equal(lines_in(path, want), 1);
	assert_true(LIST_EMPTY(&l.sources));
	logger_close(&l);
	conf_free(&conf);
	loop_free(loop);
	tempdir_remove(folder);
}

#define SOMEBODY	54321

enum { FOLDER_ROOTS, FOLDER_OPEN, FOLDER_THEIRS };
enum { NAME_FREE, NAME_LINK, NAME_ROOTS_FILE, NAME_HARD_LINK };

/* As root: a log file is never opened through what the logger's user may have put in its place. */
static const struct {
	int	folder, name, result;
} places[] = {
	{ FOLDER_ROOTS,  NAME_FREE,	  0 },
	{ FOLDER_ROOTS,  NAME_ROOTS_FILE, 0 },
	{ FOLDER_ROOTS,  NAME_LINK,	  -1 },
	{ FOLDER_ROOTS,  NAME_HARD_LINK,  -1 },
	{ FOLDER_OPEN,	 NAME_LINK,	  -1 },
	{ FOLDER_OPEN,	 NAME_ROOTS_FILE, -1 },
	{ FOLDER_THEIRS, NAME_FREE,	  0 },
	{ FOLDER_THEIRS, NAME_LINK,	  -1 },
	{ FOLDER_THEIRS, NAME_ROOTS_FILE, -1 },
	{ FOLDER_THEIRS, NAME_HARD_LINK,  -1 },
};

static void
prepare_place(size_t i, const char *folder, const char *victim, const char *path)
{
	int fd = open(victim, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	assert_int_not_equal(fd, -1);
	fd_close(&fd);
	if (places[i].name == NAME_LINK)
		assert_int_equal(symlink(victim, path), 0);
	else if (places[i].name == NAME_HARD_LINK)
		assert_int_equal(link(victim, path), 0);
	else if (places[i].name == NAME_ROOTS_FILE)
		assert_int_equal(rename(victim, path), 0);
	assert_int_equal(chmod(folder, places[i].folder == FOLDER_OPEN ? 01777 : 0755), 0);
	if (places[i].folder == FOLDER_THEIRS)
		assert_int_equal(chown(folder, SOMEBODY, SOMEBODY), 0);
}

static void
test_file_as_root(void **state)
{
	const struct account as = { SOMEBODY, SOMEBODY };
	char outer[256], folder[512], victim[512], path[600], target[700];
	struct conf *conf;
	struct logger l;
	struct stat st;
	struct err err;
	int result;

	(void)state;
	if (geteuid() != 0)
		skip();
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		ROW(i, "a place for the log");
		tempdir_make(outer);
		assert_int_equal(chmod(outer, 0755), 0);
		assert_int_equal(mkdir(tempdir_join(folder, outer, "logs"), 0755), 0);
		(void)snprintf(path, sizeof(path), "%s/log", folder);
		(void)snprintf(target, sizeof(target), "file:%s", path);
		prepare_place(i, folder, tempdir_join(victim, outer, "victim"), path);
		conf = conf_for(target, LOG_FORMAT_TEXT);
		result = logger_open(&l, conf, &as, &err);
		if (result != places[i].result)
			fail_msg("row %zu: %d", i, result);
		assert_int_equal(geteuid(), 0);
		if (result == 0 && places[i].name == NAME_FREE) {
			assert_int_equal(stat(path, &st), 0);
			assert_int_equal(st.st_uid, SOMEBODY);
			assert_int_equal(st.st_mode & 0777, 0640);
		}
		logger_close(&l);
		conf_free(&conf);
		tempdir_remove(outer);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_is_one_datagram), cmocka_unit_test(test_full_socket), cmocka_unit_test(test_file),
		cmocka_unit_test(test_stuck), cmocka_unit_test(test_source),
		cmocka_unit_test(test_file_as_root),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
