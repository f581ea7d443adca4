/* The wire's form: whole again at the other end, or refused; and what `config show` prints is a
 * file for the same. */
#include "tests/support/testing.h"

#include <stdio.h>
#include <unistd.h>

#include "base/fault.h"
#include "conf/child.h"
#include "conf/show.h"

#define BLOB_ROOM	(1024 * 1024)

static void
blob_of(const struct conf *conf, struct buf *out)
{
	buf_init(out, BLOB_ROOM);
	conf_put(out, conf);
	assert_false(out->failed);
}

static void
assert_same(const struct conf *a, const struct conf *b)
{
	struct buf x, y;

	blob_of(a, &x);
	blob_of(b, &y);
	assert_int_equal(buf_len(&x), buf_len(&y));
	assert_memory_equal(buf_slice(&x).p, buf_slice(&y).p, buf_len(&x));
	buf_fini(&x);
	buf_fini(&y);
}

static void
round_trip(void **state)
{
	struct conf *conf = conf_new_default("mx1.example.org"), *back;
	struct buf blob;

	(void)state;
	conf->generation = 77;
	blob_of(conf, &blob);
	back = conf_get(buf_slice(&blob));
	assert_non_null(back);
	assert_true(back->generation == 77);
	assert_string_equal(back->hostname, "mx1.example.org");
	assert_same(conf, back);
	conf_free(&back);
	conf_free(&conf);
	buf_fini(&blob);
}

/* Cut anywhere, or with a byte behind it: refused. */
static void
cut(void **state)
{
	struct conf *conf = conf_new_default("mx1.example.org"), *back;
	struct buf blob;

	(void)state;
	blob_of(conf, &blob);
	for (size_t len = 0; len < buf_len(&blob); len++) {
		back = conf_get(slice_of(buf_slice(&blob).p, len));
		assert_null(back);
	}
	buf_putc(&blob, '\0');
	assert_null(conf_get(buf_slice(&blob)));
	conf_free(&conf);
	buf_fini(&blob);
}

/* Each byte changed: refused, or a configuration within every bound; never a crash. */
static void
bent(void **state)
{
	struct conf *conf = conf_new_default("mx1.example.org"), *back;
	struct buf blob;

	(void)state;
	blob_of(conf, &blob);
	for (size_t i = 0; i < buf_len(&blob); i++) {
		blob.mem[blob.start + i] ^= 0x41;
		back = conf_get(buf_slice(&blob));
		if (back != NULL) {
			assert_true(back->smtpd.workers >= 1 && back->smtpd.workers <= 64);
			assert_true(back->queue.segments >= 8 && back->queue.segments <= 1000);
			assert_true(back->listeners[0].role > LISTENER_NONE && back->listeners[0].role < LISTENER_ROLE_COUNT);
		}
		conf_free(&back);
		blob.mem[blob.start + i] ^= 0x41;
	}
	conf_free(&conf);
	buf_fini(&blob);
}

/* Show, load, show: nothing changes, whatever the texts are made of. */
static void
shown_and_read(void **state)
{
	char directory[] = "/tmp/posthorn-test-XXXXXX", path[64];
	struct conf *conf = conf_new_default("mx1.example.org"), *back;
	struct conf_report report;
	struct buf text;
	FILE *f;

	(void)state;
	conf->queue.directory = arena_str(&conf->arena, "/var/${HOME}/a \"b\" \\c # 'd'");
	conf->domains[0].users = USERS_FILE;
	conf->domains[0].users_file = arena_str(&conf->arena, "/etc/\\\"users");
	conf->trusted_networks.count = 0;
	conf->queue.expire += 1;
	buf_init(&text, BLOB_ROOM);
	conf_show(conf, &text);
	assert_non_null(mkdtemp(directory));
	snprintf(path, sizeof(path), "%s/p.conf", directory);
	f = fopen(path, "w");
	assert_non_null(f);
	assert_int_equal(fwrite(buf_slice(&text).p, 1, buf_len(&text), f), buf_len(&text));
	assert_int_equal(fclose(f), 0);
	conf_report_init(&report);
	assert_int_equal(conf_load_in_child(path, &back, &report), 0);
	assert_same(conf, back);
	conf_report_fini(&report);
	conf_free(&back);
	conf_free(&conf);
	buf_fini(&text);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(rmdir(directory), 0);
}

/* The n-th allocation fails, for every n: NULL or whole. */
static void
no_memory(void **state)
{
#ifdef POSTHORN_FAULTS
	struct conf *conf = conf_new_default("mx1.example.org"), *back = NULL;
	struct buf blob;
	char plan[32];
	int failures = 0;

	blob_of(conf, &blob);
	for (int n = 1; back == NULL && n < 1000; n++) {
		snprintf(plan, sizeof(plan), "alloc:%d", n);
		fault_plan(plan);
		back = conf_get(buf_slice(&blob));
		fault_plan(NULL);
		failures += back == NULL;
	}
	assert_non_null(back);
	assert_true(failures >= 2);
	assert_same(conf, back);
	conf_free(&back);
	for (int n = 1; back == NULL && n < 1000; n++) {
		snprintf(plan, sizeof(plan), "alloc:%d", n);
		fault_plan(plan);
		back = conf_new_default("mx1.example.org");
		fault_plan(NULL);
	}
	assert_same(conf, back);
	conf_free(&back);
	conf_free(&conf);
	buf_fini(&blob);
#endif
	(void)state;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(round_trip), cmocka_unit_test(cut), cmocka_unit_test(bent), cmocka_unit_test(shown_and_read),
		cmocka_unit_test(no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
