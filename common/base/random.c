/*
 * random — getrandom(2), 512 bytes at a time. A forked child starts with an empty store: both
 * halves of a fork must not draw the same numbers. For one thread of a process only (the loop's).
 */
#include "base/random.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/random.h>

#include "base/log.h"

static struct {
	unsigned char	bytes[512];
	size_t		left;
} store;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void
forget(void)
{
	store.left = 0;
}

static void
forget_after_fork(void)
{
	(void)pthread_atfork(NULL, NULL, forget);
}

static void
draw(void *p, size_t len)
{
	char *at = p;

	while (len > 0) {
		ssize_t n = getrandom(at, len, 0);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			fatal("the kernel gives no random bytes: %s", strerror(errno));
		at += n;
		len -= (size_t)n;
	}
}

void
random_bytes(void *p, size_t len)
{
	(void)pthread_once(&once, forget_after_fork);
	if (len > sizeof(store.bytes)) {
		draw(p, len);
		return;
	}
	if (store.left < len) {
		draw(store.bytes, sizeof(store.bytes));
		store.left = sizeof(store.bytes);
	}
	store.left -= len;
	memcpy(p, store.bytes + store.left, len);
	memset(store.bytes + store.left, 0, len);
}

uint64_t
random_u64(void)
{
	uint64_t n;

	random_bytes(&n, sizeof(n));
	return n;
}

uint32_t
random_below(uint32_t n)
{
	uint32_t limit = UINT32_MAX - UINT32_MAX % n, x;

	do {
		random_bytes(&x, sizeof(x));
	} while (x >= limit);	/* the uneven rest would favour small numbers */
	return x % n;
}
