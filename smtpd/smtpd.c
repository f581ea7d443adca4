/*
 * smtpd — the owner of the rooms below it.
 */
#include "smtpd/smtpd.h"

#include <sys/socket.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "smtpd/client_limit.h"
#include "smtpd/handoff.h"
#include "smtpd/key/provider.h"
#include "smtpd/listener.h"
#include "smtpd/logins.h"
#include "smtpd/proxied.h"
#include "smtpd/routes.h"
#include "smtpd/session/session.h"

#define LISTENERS_MAX	64
#define STOP_RESERVE	500	/* ms: what is left of the time to stop for saying 421 to those who would not end */
#define LOOK_MS		100
#define NUMBERS		1000000	/* session numbers a process; its own number stands in front of them */

struct smtpd {
	struct loop		*loop;
	struct home		 home;
	struct listener		*listeners[LISTENERS_MAX];
	size_t			 listener_count;
	struct handoff		*handoff;
	struct proxied		*proxied;
	struct client_limit	 clients;
	struct session		*first;
	uint32_t		 sessions;
	uint64_t		 total, turned_away, handed_off;
	bool			 resting;	/* listeners wait: too many sessions */
	struct timer		 look_timer;	/* resting: who waits? */
	struct timer		 stop_timer;
	struct hook		 stop_hook;
	void			(*stopped)(void *);
	void			*arg;
};

static void	session_closed(void *, struct session *);
static bool	charge(void *, struct session *, enum client_charge);
static bool	moved(void *, struct session *, const struct sockaddress *);
static void	look(void *);
static void	handed_over(void *, int);
static void	introduced(void *, int, const struct sockaddress *, bool);
static void	stop_now(void *);

static int
open_rooms(struct smtpd *d, struct settings *settings, struct err *err)
{
	d->home.settings = settings;
	d->home.intake = intake_new(d->loop, err);
	d->home.routes = routes_new(d->loop, err);
	d->home.logins = logins_new(d->loop, err);
	d->handoff = handoff_new(d->loop, d->home.role == ROLE_TRUSTED ? handed_over : NULL, d);
	if (d->home.intake == NULL || d->home.routes == NULL || d->home.logins == NULL)
		return -1;
	d->proxied = proxied_new(d->loop, introduced, d);
	if (d->handoff == NULL || d->proxied == NULL)
		return err_set(err, "no memory");
	if (timer_init(&d->stop_timer, d->loop, stop_now, d) == -1 || timer_init(&d->look_timer, d->loop, look, d) == -1)
		return err_set(err, "no memory");
	return 0;
}

struct smtpd *
smtpd_new(struct loop *loop, struct settings *settings, enum wire_role role, uint32_t number, void (*stopped)(void *), void *arg,
    struct err *err)
{
	struct smtpd *d = settings == NULL ? NULL : mem_zalloc(sizeof(*d));

	if (d == NULL) {
		if (settings != NULL)
			(void)err_set(err, "no memory");
		settings_drop(&settings);
		return NULL;
	}
	d->loop = d->home.loop = loop;
	d->home.role = role;
	d->home.number_base = number % 4000 * NUMBERS + 1;
	d->home.closed = session_closed;
	d->home.charge = charge;
	d->home.moved = moved;
	d->home.arg = d;
	d->stopped = stopped;
	d->arg = arg;
	client_limit_init(&d->clients, loop);
	if (open_rooms(d, settings, err) == -1)
		smtpd_free(&d);
	return d;
}

static void
close_listeners(struct smtpd *d)
{
	while (d->listener_count > 0)
		listener_free(&d->listeners[--d->listener_count]);
}

void
smtpd_free(struct smtpd **dp)
{
	struct smtpd *d = *dp;

	*dp = NULL;
	if (d == NULL)
		return;
	close_listeners(d);
	while (d->first != NULL)
		session_kill(d->first);
	loop_hook_cancel(d->loop, &d->stop_hook);
	timer_fini(&d->stop_timer);
	timer_fini(&d->look_timer);
	handoff_free(&d->handoff);
	proxied_free(&d->proxied);
	routes_free(&d->home.routes);
	logins_free(&d->home.logins);
	intake_free(&d->home.intake);
	transaction_pool_fini(&d->home.pool);
	settings_drop(&d->home.settings);
	client_limit_fini(&d->clients);
	mem_free(d);
}

void
smtpd_wire(struct smtpd *d, const struct control_wire *wire, int fd)
{
	switch (wire->kind) {
	case WIRE_SUBMIT:
		intake_wire(d->home.intake, fd);
		break;
	case WIRE_LOOKUP:
		routes_wire(d->home.routes, fd);
		break;
	case WIRE_KEY:
		key_provider_wire(fd);
		break;
	case WIRE_AUTH:
		logins_wire(d->home.logins, fd);
		break;
	case WIRE_HANDOFF:
		handoff_wire(d->handoff, wire->number, fd);
		break;
	default:
		log_error("a wire of kind %d is none of ours", (int)wire->kind);
		fd_close(&fd);
		break;
	}
}

static bool
is_full(const struct smtpd *d)
{
	return d->home.settings->max_sessions > 0 && d->sessions >= d->home.settings->max_sessions;
}

/* Into stress at four fifths of all sessions, and out of it at half of them. */
static void
set_stress(struct smtpd *d)
{
	const struct settings *settings = d->home.settings;
	uint64_t now = d->sessions, most = settings->max_sessions;
	bool stressed = most > 0 && settings->stress_timeout > 0 && (d->home.stressed ? 2 * now > most : 5 * now >= 4 * most);

	if (stressed == d->home.stressed)
		return;
	d->home.stressed = stressed;
	if (!stressed) {
		log_info("%u sessions: clients have their usual time again", d->sessions);
		return;
	}
	log_warn("%u of %u sessions are in use: strangers have %lld ms for a command now", d->sessions, settings->max_sessions,
	    (long long)settings->stress_timeout);
	for (struct session *s = d->first; s != NULL; s = session_owned(s)->next)
		session_hurry(s);
}

/*
 * Listeners rest while there are as many sessions as may be: siblings take over, or clients wait in the kernel's queue. Among those may be
 * clients of trusted networks, whom other workers serve: an mx worker looks at the queue now and then, hands them over, and sends the
 * others away.
 */
static void
balance(struct smtpd *d)
{
	bool rest = is_full(d);

	set_stress(d);
	if (rest == d->resting)
		return;
	d->resting = rest;
	for (size_t i = 0; i < d->listener_count; i++)
		listener_rest(d->listeners[i], rest);
	if (rest && d->home.role == ROLE_MX && d->home.settings->network_count > 0)
		timer_set(&d->look_timer, LOOK_MS);
	else
		timer_stop(&d->look_timer);
}

static void
look(void *arg)
{
	struct smtpd *d = arg;

	if (!d->resting || d->home.stopping)
		return;
	for (size_t i = d->listener_count; i > 0; i--)
		listener_look(d->listeners[i - 1]);
	timer_set(&d->look_timer, LOOK_MS);
}

static void
enlist(struct smtpd *d, struct session *s)
{
	struct session_owned *own = session_owned(s);

	own->next = d->first;
	if (d->first != NULL)
		session_owned(d->first)->prev = s;
	d->first = s;
	d->sessions++;
	d->total++;
}

static void
session_closed(void *arg, struct session *s)
{
	struct smtpd *d = arg;
	struct session_owned *own = session_owned(s);

	*(own->prev != NULL ? &session_owned(own->prev)->next : &d->first) = own->next;
	if (own->next != NULL)
		session_owned(own->next)->prev = own->prev;
	own->prev = own->next = NULL;
	(void)client_charge(&d->clients, own->client, CHARGE_ERROR, session_errors(s), &d->home.settings->client, &(uint32_t){ 0 });
	client_leave(&d->clients, &own->client);
	d->sessions--;
	balance(d);
	if (d->home.stopping && d->sessions == 0)
		loop_at_end(d->loop, &d->stop_hook, stop_now, d);
}

/* Postfix's words, which log watchers know. */
static void
log_refusal(const struct sockaddress *peer, enum client_verdict verdict, uint32_t count)
{
	static const char *const limits[] = {
		[CLIENT_TOO_MANY] = "Connection concurrency", [CLIENT_TOO_OFTEN] = "Connection rate", [CLIENT_TOO_WRONG] = "Error rate",
	};
	char text[SOCKADDRESS_TEXT];

	log_warn("%s limit exceeded: %u from unknown[%s] for service smtp", limits[verdict], count, sockaddress_print(peer, text));
}

static void
turn_away(struct smtpd *d, int fd, const struct sockaddress *peer, enum client_verdict verdict, uint32_t count)
{
	d->turned_away++;
	log_refusal(peer, verdict, count);
	session_refuse(fd, d->home.settings, verdict == CLIENT_TOO_WRONG ? "too many errors" : "too many connections");
}

static bool
charge(void *arg, struct session *s, enum client_charge what)
{
	struct smtpd *d = arg;
	uint32_t count;

	if (client_charge(&d->clients, session_owned(s)->client, what, 1, &d->home.settings->client, &count))
		return true;
	log_warn("%s limit exceeded: %u from %s for service smtp",
	    what == CHARGE_MESSAGE ? "Message delivery request rate" : "Recipient address rate", count, session_client(s));
	return false;
}

/* Limits are for strangers: who may relay is known. */
static enum client_verdict
enter(struct smtpd *d, const struct sockaddress *peer, bool trusted, struct client **client, uint32_t *count)
{
	const struct settings *settings = d->home.settings;

	*client = NULL;
	if (trusted || settings_exempt(settings, peer))
		return CLIENT_OK;
	return client_enter(&d->clients, peer, &settings->client, client, count);
}

static bool
moved(void *arg, struct session *s, const struct sockaddress *address)
{
	struct smtpd *d = arg;
	struct client *client;
	uint32_t count = 0;
	enum client_verdict verdict = enter(d, address, settings_trust(d->home.settings, address), &client, &count);

	if (verdict != CLIENT_OK) {
		log_refusal(address, verdict, count);
		return false;
	}
	client_leave(&d->clients, &session_owned(s)->client);
	session_owned(s)->client = client;
	return true;
}

static void
open_session(struct smtpd *d, int fd, const struct sockaddress *peer, bool trusted)
{
	struct client *client;
	struct session *s;
	uint32_t count = 0;
	struct err err;
	enum client_verdict verdict = enter(d, peer, trusted, &client, &count);

	if (verdict != CLIENT_OK) {
		turn_away(d, fd, peer, verdict, count);
		return;
	}
	s = session_open(&d->home, fd, peer, trusted, &err);
	if (s == NULL) {
		log_error("no session for a client: %s", err.text);
		client_leave(&d->clients, &client);
		return;
	}
	session_owned(s)->client = client;
	enlist(d, s);
	session_begin(s);
	balance(d);
}

/*
 * What comes over an mx worker's submit wire is a stranger's to queue, whoever it is: served here, a client that may relay would
 * be told "never" while the trusted workers are being replaced.
 */
static void
give_away(struct smtpd *d, int fd)
{
	if (handoff_give(d->handoff, fd)) {
		d->handed_off++;
		return;
	}
	d->turned_away++;
	session_refuse(fd, d->home.settings, "not ready for this network, try again later");
}

/*
 * A proxy has said whose connection it is, or that it speaks for itself: then it may not relay, for nobody knows who is behind it. Nor
 * may anybody at an mx worker: that cannot give the connection away, for a trusted worker would have only its word for the header.
 */
static void
introduced(void *arg, int fd, const struct sockaddress *client, bool itself)
{
	struct smtpd *d = arg;
	struct sockaddress plain = *client;

	sockaddress_unmap(&plain);
	if (is_full(d)) {
		d->turned_away++;
		session_refuse(fd, d->home.settings, "too many connections");
		return;
	}
	open_session(d, fd, &plain, !itself && d->home.role != ROLE_MX && settings_trust(d->home.settings, &plain));
}

void
smtpd_connection(struct smtpd *d, int fd, const struct sockaddress *peer)
{
	struct sockaddress plain = *peer;
	bool known;

	sockaddress_unmap(&plain);
	if (d->home.stopping || (plain.any.sa_family != AF_INET && plain.any.sa_family != AF_INET6)) {
		fd_close(&fd);
		return;
	}
	if (settings_proxied(d->home.settings, fd, &plain)) {
		proxied_wait(d->proxied, fd, &plain);
		return;
	}
	known = settings_trust(d->home.settings, &plain);
	if (known && d->home.role == ROLE_MX) {
		give_away(d, fd);
		return;
	}
	if (is_full(d)) {		/* looked at while the listener rests */
		d->turned_away++;
		session_refuse(fd, d->home.settings, "too many connections");
		return;
	}
	open_session(d, fd, &plain, known);
}

static void
accepted(void *arg, int fd, const struct sockaddress *peer)
{
	smtpd_connection(arg, fd, peer);
}

static void
listener_ended(void *arg, struct listener *l)
{
	struct smtpd *d = arg;

	for (size_t i = 0; i < d->listener_count; i++)
		if (d->listeners[i] == l)
			d->listeners[i] = d->listeners[--d->listener_count];
	listener_free(&l);
}

/* From an mx worker. Who the peer is says the kernel; whether it is trusted say we. */
static void
handed_over(void *arg, int fd)
{
	struct smtpd *d = arg;
	struct sockaddress peer = { .len = sizeof(peer.v6) };

	if (!handoff_is_accepted(fd, d->home.settings->mx_ports, d->home.settings->mx_port_count) ||
	    getpeername(fd, &peer.any, &peer.len) == -1 || fd_nonblock(fd) == -1) {
		fd_close(&fd);		/* gone already, or not what it should be */
		return;
	}
	/* An mx worker gives none of these away, and could have swallowed the header that names a stranger. */
	sockaddress_unmap(&peer);
	if (settings_proxied(d->home.settings, fd, &peer)) {
		fd_close(&fd);
		return;
	}
	smtpd_connection(d, fd, &peer);		/* our listeners may rest, but nobody holds the giver back: it may be refused */
}

static const struct listener_ops listener_ops = { accepted, listener_ended };

void
smtpd_listener(struct smtpd *d, int fd)
{
	struct listener *l;
	struct err err;

	if (d->listener_count == LISTENERS_MAX || d->home.stopping) {
		log_error("a listener too many");
		fd_close(&fd);
		return;
	}
	l = listener_new(d->loop, fd, &listener_ops, d, &err);
	if (l == NULL) {
		log_error("%s", err.text);
		return;
	}
	if (d->resting)
		listener_rest(l, true);
	d->listeners[d->listener_count++] = l;
}

void
smtpd_reload(struct smtpd *d, struct settings *next)
{
	settings_drop(&d->home.settings);
	d->home.settings = next;
	balance(d);
}

static void
stop_now(void *arg)
{
	struct smtpd *d = arg;
	void (*stopped)(void *) = d->stopped;

	timer_stop(&d->stop_timer);
	d->stopped = NULL;
	while (d->first != NULL)
		session_kill(d->first);
	if (stopped != NULL)
		stopped(d->arg);
}

void
smtpd_stop(struct smtpd *d, int64_t within_ms)
{
	struct session *s, *next;

	if (d->home.stopping)
		return;
	d->home.stopping = true;
	close_listeners(d);
	proxied_free(&d->proxied);
	for (s = d->first; s != NULL; s = next) {
		next = session_owned(s)->next;
		session_stop(s);
	}
	if (d->sessions == 0)
		loop_at_end(d->loop, &d->stop_hook, stop_now, d);
	else
		timer_set(&d->stop_timer, within_ms > STOP_RESERVE ? within_ms - STOP_RESERVE : 0);
}

void
smtpd_status(const struct smtpd *d, struct buf *out)
{
	buf_printf(out, "sessions %u\nsessions_total %llu\nsessions_refused %llu\nsessions_handed_off %llu\n", d->sessions,
	    (unsigned long long)d->total, (unsigned long long)d->turned_away, (unsigned long long)d->handed_off);
	buf_printf(out, "messages_accepted %llu\nrecipients_refused %llu\ncontent_bytes %zu\nroutes_cached %zu\n",
	    (unsigned long long)d->home.messages, (unsigned long long)d->home.refusals, d->home.content_bytes,
	    routes_count(d->home.routes));
}

bool
smtpd_is_whole(const struct smtpd *d)
{
	return intake_wired(d->home.intake) && routes_wired(d->home.routes);
}
