/*
 * service_table — the whole cast on one page.
 */
#include "control/supervisor/service_table.h"

#include <stdio.h>

static uint32_t
one(const struct conf *conf)
{
	(void)conf;
	return 1;
}

bool
service_serves(const struct conf *conf, enum listener_role role)
{
	for (uint32_t i = 0; i < conf->listener_count; i++)
		if (conf->listeners[i].role == role)
			return true;
	return false;
}

static uint32_t
mx_workers(const struct conf *conf)
{
	return service_serves(conf, LISTENER_MX) ? (uint32_t)conf->smtpd.workers : 0;
}

/* An mx worker hands connections from trusted networks over, so they are needed without a listener of their own, too. */
static uint32_t
trusted_workers(const struct conf *conf)
{
	bool handed_over = service_serves(conf, LISTENER_MX) && conf->trusted_networks.count > 0;

	return handed_over || service_serves(conf, LISTENER_TRUSTED) ? (uint32_t)conf->smtpd.workers : 0;
}

static uint32_t
submission_workers(const struct conf *conf)
{
	return service_serves(conf, LISTENER_SUBMISSION) ? (uint32_t)conf->smtpd.workers : 0;
}

static uint32_t
by_pam(const struct conf *conf)
{
	return conf_pam_service(conf) != NULL ? 1 : 0;
}

static uint32_t
relay_workers(const struct conf *conf)
{
	return (uint32_t)conf->relay.workers;
}

/* Mail is taken in last and refused first: smtpd never runs without somewhere to put it. */
const struct service_row service_rows[] = {
	/* name, binary, in tree, user, role, several, rank, stop share, replaced, how many */
	{ "logger", "logger", "control/logger/logger", "posthorn-log", ROLE_LOGGER, false, 0, 1, true, one },
	{ "lookup", "lookup", "lookup/lookup", "posthorn-lookup", ROLE_LOOKUP, false, 1, 1, true, one },
	{ "pam", "pam", "lookup/pam/pam", NULL, ROLE_PAM, false, 1, 1, true, by_pam },
	{ "key", "key", "smtpd/key/key", "posthorn-key", ROLE_KEY, false, 1, 1, false, one },
	{ "queue", "queue", "queue/queue", "posthorn-queue", ROLE_QUEUE, false, 2, 2, false, one },
	{ "relay", "relay", "relay/relay", "posthorn-relay", ROLE_RELAY, true, 3, 3, false, relay_workers },
	{ "mda", "mda", "mda/mda", "posthorn-mda", ROLE_MDA, false, 3, 3, false, one },
	{ "smtpd-mx", "smtpd", "smtpd/smtpd", "posthorn-smtpd", ROLE_MX, true, 4, 3, false, mx_workers },
	{ "smtpd-trusted", "smtpd", "smtpd/smtpd", "posthorn-smtpd", ROLE_TRUSTED, true, 4, 3, false, trusted_workers },
	{ "smtpd-submission", "smtpd", "smtpd/smtpd", "posthorn-smtpd", ROLE_SUBMISSION, true, 4, 3, false, submission_workers },
};
const size_t service_row_count = sizeof(service_rows) / sizeof(service_rows[0]);

/* Every process of the one role is joined with every process of the other. mda → supervisor (spawn) is made by spawn.c. */
const struct wire_row wire_rows[] = {
	{ WIRE_SUBMIT,	ROLE_MX,		ROLE_QUEUE },
	{ WIRE_SUBMIT,	ROLE_TRUSTED,		ROLE_QUEUE },
	{ WIRE_SUBMIT,	ROLE_SUBMISSION,	ROLE_QUEUE },
	{ WIRE_LOOKUP,	ROLE_MX,		ROLE_LOOKUP },
	{ WIRE_LOOKUP,	ROLE_TRUSTED,		ROLE_LOOKUP },
	{ WIRE_LOOKUP,	ROLE_SUBMISSION,	ROLE_LOOKUP },
	{ WIRE_LOOKUP,	ROLE_QUEUE,		ROLE_LOOKUP },
	{ WIRE_LOOKUP,	ROLE_MDA,		ROLE_LOOKUP },
	{ WIRE_AUTH,	ROLE_SUBMISSION,	ROLE_LOOKUP },
	{ WIRE_AUTH,	ROLE_QUEUE,		ROLE_LOOKUP },
	{ WIRE_PAM,	ROLE_LOOKUP,		ROLE_PAM },
	{ WIRE_DELIVER,	ROLE_QUEUE,		ROLE_RELAY },
	{ WIRE_DELIVER,	ROLE_QUEUE,		ROLE_MDA },
	{ WIRE_KEY,	ROLE_MX,		ROLE_KEY },
	{ WIRE_KEY,	ROLE_TRUSTED,		ROLE_KEY },
	{ WIRE_KEY,	ROLE_SUBMISSION,	ROLE_KEY },
	{ WIRE_HANDOFF,	ROLE_MX,		ROLE_TRUSTED },
};
const size_t wire_row_count = sizeof(wire_rows) / sizeof(wire_rows[0]);

enum wire_role
listener_wire_role(enum listener_role role)
{
	static const enum wire_role roles[LISTENER_ROLE_COUNT] = {
		[LISTENER_MX]		= ROLE_MX,
		[LISTENER_TRUSTED]	= ROLE_TRUSTED,
		[LISTENER_SUBMISSION]	= ROLE_SUBMISSION,
	};

	return roles[role];
}

void
service_process_name(const struct service_row *row, uint32_t instance, char out[PROCESS_NAME_MAX])
{
	if (row->several)
		(void)snprintf(out, PROCESS_NAME_MAX, "%s-%u", row->name, (unsigned)instance);
	else
		(void)snprintf(out, PROCESS_NAME_MAX, "%s", row->name);
}
