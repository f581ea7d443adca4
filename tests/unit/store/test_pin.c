/* pin: what stands still for a backup, what goes on, and what ends it. */
#include "tests/unit/store/fixture.h"

#include <stdio.h>
#include <unistd.h>

#include "base/crc32c.h"
#include "mail/queue_id.h"
#include "queue/store/disk.h"
#include "queue/store/segment.h"

#define SEGMENTS	16u		/* with fewer, a pin begins by emptying the ring */

static char content[100000];
static uint32_t pins_told, refusals;
static struct store_segment segments[SEGMENTS];
static uint32_t nsegments;

static void
on_pinned(void *arg, const struct store_pinned *pinned, const char *why)
{
	(void)arg;
	pins_told++;
	if (pinned == NULL) {
		assert_true(strlen(why) > 0);
		refusals++;
		return;
	}
	assert_string_equal(pinned->directory, directory);
	assert_true(pinned->count <= SEGMENTS);
	nsegments = pinned->count;
	memcpy(segments, pinned->segments, nsegments * sizeof(segments[0]));
}

static bool
is_told(void *before)
{
	return pins_told != *(uint32_t *)before;
}

/* True: it stands still. */
static bool
pin(void)
{
	uint32_t before = pins_told, no = refusals;

	assert_int_equal(store_pin(store, on_pinned, NULL), 0);
	wait_until(is_told, &before);
	return refusals == no;
}

static int
setup_pin(void **state)
{
	if (setup(state) == -1)
		return -1;
	pins_told = refusals = nsegments = 0;
	close_store();
	plans = true;
	conf.segments = SEGMENTS;
	open_store();
	return 0;
}

static uint32_t
free_segments(void)
{
	struct store_figures f;

	store_figures(store, &f);
	return f.free_segments;
}

static bool
more_are_free(void *before)
{
	return free_segments() > *(uint32_t *)before;
}

static bool
is_there(const char *name)
{
	char path[200];

	path_of(path, name);
	return access(path, F_OK) == 0;
}

static bool
is_gone(void *name)
{
	return !is_there(name);
}

/* Until the next segment has been opened: the one before holds mail and nothing else is written to it. */
static void
fill_a_segment(void)
{
	uint32_t before;

	put(STORE_CLIENT, "a", content, sizeof(content));	/* may open the first one */
	wait_answers(1);
	before = free_segments();
	while (free_segments() == before) {
		put(STORE_CLIENT, "a", content, sizeof(content));
		wait_answers(1);
	}
}

/* The segment that nothing lives in any more stays, and goes when the pin ends. */
static void
test_no_wipe(void **state)
{
	uint32_t before, n;

	(void)state;
	fill_a_segment();
	n = nmails;
	assert_true(pin());
	for (uint32_t i = 0; i < n; i++)
		done(&mails[i]);
	wait_answers(n);
	before = free_segments();
	run_minutes(10);		/* also age makes nothing leave */
	assert_int_equal(free_segments(), before);
	assert_true(store_unpin(store));
	wait_until(more_are_free, &before);
}

/* What is told is what is durable: whole batches, and behind them nothing yet. */
static void
test_marks(void **state)
{
	struct store_segment *last;
	unsigned char block[DISK_BLOCK];
	char path[200], name[32];
	FILE *f;

	(void)state;
	fill_a_segment();
	assert_true(pin());
	assert_int_equal(nsegments, 2);
	assert_int_equal(segments[0].length, segments[0].size);
	last = &segments[1];
	assert_true(last->length > SEGMENT_HEAD && last->length < last->size && last->length % DISK_BLOCK == 0);
	snprintf(name, sizeof(name), "journal/%03u.seg", last->number);
	path_of(path, name);
	assert_non_null(f = fopen(path, "r"));
	assert_int_equal(fseek(f, last->length, SEEK_SET), 0);
	assert_int_equal(fread(block, 1, sizeof(block), f), sizeof(block));
	for (size_t i = 0; i < sizeof(block); i++)
		assert_int_equal(block[i], 0);
	assert_int_equal(fseek(f, last->length - DISK_BLOCK, SEEK_SET), 0);
	assert_int_equal(fclose(f), 0);
	assert_true(store_unpin(store));
}

/* Mail of the spool that is finished, and one that should leave for it: neither file is made or removed. */
static void
test_spool_stands_still(void **state)
{
	struct mail *asleep, *fresh;
	char file[200];
	uint64_t id;

	(void)state;
	put(STORE_CLIENT, "a", "content", 7);
	wait_answers(1);
	leave_ring();
	/* The start has forgotten the old mails; what sleeps is woken. */
	page("", 0, 10);
	assert_int_equal(npaged, 1);
	id = paged[0].id;
	asleep = mail_of(id);
	if (asleep == NULL) {
		wake_id(id);
		asleep = mail_of(id);
	}
	assert_non_null(asleep);
	assert_true(spool_file_of(id, file));
	assert_true(pin());
	done(asleep);
	fresh = put(STORE_CLIENT, "a", "fresh", 5);
	wait_answers(2);
	fill_a_segment();
	run_minutes(10);		/* the fresh one is old enough to leave, five times over */
	assert_true(spool_file_of(id, file));
	assert_false(fresh->spooled);
	assert_int_equal(spool_files(), 1);
	page("", 0, 10);		/* questions are answered, and bring no order along */
	assert_int_equal(npaged, 1);
	assert_int_equal(spool_files(), 1);
	assert_true(store_unpin(store));
	turn_until(is_gone, file + strlen(directory) + 1);
	turn_until(is_spooled, fresh);
}

static void
test_large_content_stays(void **state)
{
	char name[64], id[QUEUE_ID_LEN + 1];
	struct mail *m;

	(void)state;
	m = put_large("large", 5, crc32c(0, "large", 5));
	snprintf(name, sizeof(name), "spool/large/%s", queue_id_print(m->id, id));
	assert_true(pin());
	done(m);
	wait_answers(1);
	run_minutes(2);
	assert_true(is_there(name));
	m = put_large("second", 6, crc32c(0, "second", 6));	/* the thread goes on with what makes files durable */
	assert_true(store_unpin(store));
	wait_until(is_gone, name);
}

/* Clients are never refused for a backup: the pin goes first. */
static void
test_broken_when_short(void **state)
{
	(void)state;
	assert_true(pin());
	for (int i = 0; i < 160; i++) {
		put(STORE_CLIENT, "a", content, sizeof(content));
		wait_answers(1);
	}
	assert_int_equal(full, 0);
	assert_false(store_unpin(store));
	run_minutes(10);
	assert_true(pin());		/* and when the ring has emptied, it can be made again */
	assert_true(store_unpin(store));
}

/* A tool that hangs does not keep mail from its rest for ever. */
static void
test_broken_when_long(void **state)
{
	(void)state;
	assert_true(pin());
	run_minutes(14);
	assert_true(store_unpin(store));
	assert_true(pin());
	run_minutes(16);
	assert_false(store_unpin(store));
	assert_true(pin());
	assert_true(store_unpin(store));
}

static void
test_one_at_a_time(void **state)
{
	(void)state;
	assert_int_equal(store_pin(store, on_pinned, NULL), 0);
	assert_int_equal(store_pin(store, on_pinned, NULL), -1);
	assert_false(store_unpin(store));	/* it did not stand yet; nobody is told */
	assert_int_equal(pins_told, 0);
	assert_true(pin());
	assert_int_equal(store_pin(store, on_pinned, NULL), -1);
	assert_true(store_unpin(store));
	assert_false(store_unpin(store));
	assert_true(pin());
}

/* Let go between any two of its steps, then asked for again. */
static void
test_let_go_early(void **state)
{
	uint32_t before;

	(void)state;
	fill_a_segment();
	for (int rounds = 0; rounds < 8; rounds++) {
		before = pins_told;
		while (store_pin(store, on_pinned, NULL) == -1)
			run_minutes(1);
		for (int i = 0; i < rounds; i++) {
			uint32_t n = nmails;

			put(STORE_CLIENT, "a", "c", 1);
			wait_answers(1);
			assert_int_equal(nmails, n + 1);
		}
		assert_true(store_unpin(store) == (pins_told != before));
	}
	run_minutes(2);
	assert_true(pin());
}

static void
test_closing(void **state)
{
	(void)state;
	assert_true(pin());
	reopen();
	assert_int_equal(store_pin(store, on_pinned, NULL), 0);
	reopen();			/* whoever waits is told no */
	assert_int_equal(pins_told, 2);
	assert_int_equal(refusals, 1);
	assert_true(pin());
}

/* The hunt of a start is stopped by a pin, and ends later: until then no segment of that start may be wiped. */
static void
test_hunt_goes_on(void **state)
{
	uint32_t before;

	(void)state;
	for (int i = 0; i < 300; i++)
		put(STORE_CLIENT, "a", "content", 7);
	wait_answers(300);
	leave_ring();
	fill_a_segment();
	reopen();
	assert_true(pin());
	assert_int_equal(nsegments, 2);
	assert_true(store_unpin(store));
	before = free_segments();
	turn_until(more_are_free, &before);
}

/* An owner without plans has no spool; the ring alone is held. */
static void
test_without_a_spool(void **state)
{
	(void)state;
	close_store();
	empty_folder("");
	plans = false;
	open_store();
	put(STORE_CLIENT, "a", "content", 7);
	wait_answers(1);
	assert_true(pin());
	assert_int_equal(nsegments, 1);
	assert_true(store_unpin(store));
}

int
main(void)
{
#define T(f)	cmocka_unit_test_setup_teardown(f, setup_pin, teardown)
	const struct CMUnitTest tests[] = {
		T(test_no_wipe), T(test_marks), T(test_spool_stands_still), T(test_large_content_stays), T(test_broken_when_short), T(test_broken_when_long),
		T(test_one_at_a_time), T(test_let_go_early), T(test_closing), T(test_hunt_goes_on), T(test_without_a_spool),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
