/*
 * dns_channel — c-ares' descriptors and clock on the loop, and its options. Besides resolver_system.c the only file that
 * includes c-ares.
 */
#include "net/dns_channel.h"

#define CARES_NO_DEPRECATED	/* the calls that both releases have are deprecated in the newer one */
#include <ares.h>
#include <bsd/sys/queue.h>
#include <sys/time.h>

#include "base/mem.h"
#include "event/timer.h"

#define TRIES_LEAST	3
#define CSV_SIZE	(RESOLVER_SERVERS_MAX * (SOCKADDRESS_TEXT + 1))
#define EDNS_SIZE	1232		/* as in our questions: a longer UDP answer is asked for again by TCP */

struct dns_channel {
	struct dns_channels	*all;
	ares_channel		 ares;
};

struct dns_watch {			/* one descriptor of c-ares */
	LIST_ENTRY(dns_watch)	 link;
	struct watch		 watch;
	struct dns_channel	*channel;
	struct discard		 discard;
};

struct dns_channels {
	struct loop		*loop;
	struct timer		 timer;
	LIST_HEAD(, dns_watch)	 watches;
	uint32_t		 count;
	struct dns_channel	*v[RESOLVER_SERVERS_MAX];
};

static void
arm_timer(struct dns_channels *all)
{
	int64_t least = -1;

	for (uint32_t i = 0; i < all->count; i++) {
		struct timeval tv, *next = ares_timeout(all->v[i]->ares, NULL, &tv);
		int64_t ms = next == NULL ? -1 : (int64_t)next->tv_sec * 1000 + next->tv_usec / 1000 + 1;

		if (ms >= 0 && (least < 0 || ms < least))
			least = ms;
	}
	if (least < 0)
		timer_stop(&all->timer);
	else
		timer_set(&all->timer, least);
}

static void
on_timer(void *arg)
{
	struct dns_channels *all = arg;

	for (uint32_t i = 0; i < all->count; i++)
		ares_process_fd(all->v[i]->ares, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
	arm_timer(all);
}

static void
on_socket(void *arg, int what)
{
	struct dns_watch *w = arg;
	struct dns_channels *all = w->channel->all;	/* w may go while c-ares works */
	int fd = w->watch.fd;

	ares_process_fd(w->channel->ares, what & WATCH_READ ? fd : ARES_SOCKET_BAD, what & WATCH_WRITE ? fd : ARES_SOCKET_BAD);
	arm_timer(all);
}

static struct dns_watch *
watch_of(struct dns_channels *all, int fd)
{
	struct dns_watch *w;

	LIST_FOREACH(w, &all->watches, link) {
		if (w->watch.fd == fd)
			return w;
	}
	return NULL;
}

static void
watch_drop(struct dns_watch *w)
{
	LIST_REMOVE(w, link);
	watch_stop(&w->watch);
	loop_discard(w->channel->all->loop, &w->discard, mem_free, w);
}

/* Without memory the descriptor is not watched and its questions time out: trouble, never a wrong answer. */
static void
watch_add(struct dns_channel *channel, int fd, int wants)
{
	struct dns_watch *w = mem_zalloc(sizeof(*w));

	if (w == NULL)
		return;
	w->channel = channel;
	if (watch_start(&w->watch, channel->all->loop, fd, wants, on_socket, w) == -1) {
		mem_free(w);
		return;
	}
	LIST_INSERT_HEAD(&channel->all->watches, w, link);
}

static void
on_socket_state(void *arg, ares_socket_t fd, int readable, int writable)
{
	struct dns_channel *channel = arg;
	struct dns_watch *w = watch_of(channel->all, fd);
	int wants = (readable ? WATCH_READ : 0) | (writable ? WATCH_WRITE : 0);

	if (w == NULL && wants != 0)
		watch_add(channel, fd, wants);
	else if (w != NULL && wants != 0)
		watch_want(&w->watch, wants);
	else if (w != NULL)
		watch_drop(w);
}

/* Every option that would otherwise send the library to /etc/resolv.conf is given: inside the sandbox there are no files. STAYOPEN
 * is not: a socket that serves forever has a port that can be learned (RFC 5452 9.2). */
static int
channel_options(struct dns_channel *channel, const struct resolver_conf *conf)
{
	static char lookups[] = "b";
	struct ares_options options = {
		.flags = ARES_FLAG_NOSEARCH | ARES_FLAG_NOALIASES | ARES_FLAG_NOCHECKRESP | ARES_FLAG_EDNS,
		.timeout = conf->timeout_ms > 0 && conf->timeout_ms < 60000 ? (int)conf->timeout_ms : 5000,
		.tries = conf->tries > TRIES_LEAST && conf->tries < 100 ? (int)conf->tries : TRIES_LEAST,
		.ndots = 1,
		.lookups = lookups,
		.sock_state_cb = on_socket_state,
		.sock_state_cb_data = channel,
		.ednspsz = EDNS_SIZE,
	};
	int mask = ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_NDOTS | ARES_OPT_LOOKUPS | ARES_OPT_SERVERS |
	    ARES_OPT_DOMAINS | ARES_OPT_SORTLIST | ARES_OPT_SOCK_STATE_CB | ARES_OPT_EDNSPSZ | ARES_OPT_NOROTATE;

#ifdef ARES_OPT_QUERY_CACHE
	mask |= ARES_OPT_QUERY_CACHE;		/* newer releases cache by themselves: 0 seconds; we do that */
#endif
	return ares_init_options(&channel->ares, &options, mask);
}

/* The servers from `first` on, then those before it. Our own checked addresses, printed by us: the library's parser of such
 * lists takes ports above 65535 and worse. */
static int
channel_servers(struct dns_channel *channel, const struct resolver_conf *conf, uint32_t count, uint32_t first)
{
	char csv[CSV_SIZE], text[SOCKADDRESS_TEXT];

	csv[0] = '\0';
	for (uint32_t i = 0; i < count; i++) {
		if (i > 0)
			strlcat(csv, ",", sizeof(csv));
		strlcat(csv, sockaddress_print_port(&conf->servers[(first + i) % count], text), sizeof(csv));
	}
	return ares_set_servers_ports_csv(channel->ares, csv);
}

static void
channel_free(struct dns_channel **cp)
{
	struct dns_channel *c = *cp;

	*cp = NULL;
	if (c == NULL)
		return;
	if (c->ares != NULL)
		ares_destroy(c->ares);
	mem_free(c);
}

static struct dns_channel *
channel_new(struct dns_channels *all, const struct resolver_conf *conf, uint32_t count, uint32_t first, struct err *err)
{
	struct dns_channel *channel = mem_zalloc(sizeof(*channel));
	int status;

	if (channel == NULL) {
		(void)err_set(err, "no memory for DNS");
		return NULL;
	}
	channel->all = all;
	status = channel_options(channel, conf);
	if (status != ARES_SUCCESS)
		channel->ares = NULL;
	else
		status = channel_servers(channel, conf, count, first);
	if (status != ARES_SUCCESS) {
		(void)err_set(err, "DNS cannot be set up: %s", ares_strerror(status));
		channel_free(&channel);
	}
	return channel;
}

void
dns_channels_free(struct dns_channels **ap)
{
	struct dns_channels *all = *ap;

	*ap = NULL;
	if (all == NULL)
		return;
	for (uint32_t i = 0; i < all->count; i++)
		channel_free(&all->v[i]);
	timer_fini(&all->timer);
	mem_free(all);
}

struct dns_channels *
dns_channels_new(struct loop *loop, const struct resolver_conf *conf, struct err *err)
{
	uint32_t count = conf->count < RESOLVER_SERVERS_MAX ? conf->count : RESOLVER_SERVERS_MAX;
	struct dns_channels *all = mem_zalloc(sizeof(*all));

	if (all == NULL || timer_init(&all->timer, loop, on_timer, all) == -1) {
		(void)err_set(err, "no memory for DNS");
		mem_free(all);
		return NULL;
	}
	all->loop = loop;
	LIST_INIT(&all->watches);
	if (count == 0)
		(void)err_set(err, "no DNS server is named");
	while (all->count < count) {
		struct dns_channel *channel = channel_new(all, conf, count, all->count, err);

		if (channel == NULL)
			break;
		all->v[all->count++] = channel;
	}
	if (count == 0 || all->count < count)
		dns_channels_free(&all);
	return all;
}

uint32_t
dns_channels_count(const struct dns_channels *all)
{
	return all->count;
}

static void
on_ares(void *arg, int status, int timeouts, unsigned char *bytes, int len)
{
	struct dns_flight *flight = arg;
	bool came = bytes != NULL && len > 0;

	(void)timeouts;
	flight->landed(flight, came ? slice_of(bytes, (size_t)len) : slice_of(NULL, 0), status == ARES_EDESTRUCTION);
}

void
dns_channel_send(struct dns_channels *all, uint32_t which, struct slice question, struct dns_flight *flight)
{
	ares_send(all->v[which]->ares, (const unsigned char *)question.p, (int)question.len, on_ares, flight);
	arm_timer(all);
}
