#ifndef NET_DNS_CHANNEL_H
#define NET_DNS_CHANNEL_H
/*
 * dns_channel — c-ares on the loop: one channel for each server, whose list begins with that server and goes on with the
 * others, so that silence is answered by the next one. Used by resolver.c only.
 */
#include "net/resolver.h"

struct dns_channels;

/* NULL: err. Opens no file but, in vain inside a sandbox, the kernel's random device. */
struct dns_channels	*dns_channels_new(struct loop *, const struct resolver_conf *, struct err *);
/* What is under way lands as `closed`. */
void			 dns_channels_free(struct dns_channels **);
uint32_t		 dns_channels_count(const struct dns_channels *);

/* A question under way; lives in the asker until it is answered. */
struct dns_flight {
	/* Once, perhaps before dns_channel_send returns, and from deep inside the library: only take notes. `bytes`: what a
	 * server sent, living for the call; p NULL when nothing came. `closed`: the channels are being freed. */
	void	(*landed)(struct dns_flight *, struct slice bytes, bool closed);
};

/* `which` counts from 0. */
void			 dns_channel_send(struct dns_channels *, uint32_t which, struct slice question, struct dns_flight *);

#endif
