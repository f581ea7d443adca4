#ifndef SMTP_PARAMS_H
#define SMTP_PARAMS_H
/*
 * params — what follows the path in MAIL and RCPT (RFC 5321 4.1.2, esmtp-param): SIZE (RFC 1870), BODY (RFC 6152), SMTPUTF8 (RFC 6531),
 * REQUIRETLS (RFC 8689), AUTH (RFC 4954 5), and what the sender wants to be told (RFC 3461): RET and ENVID, NOTIFY and ORCPT.
 *
 * A parameter that was not offered is PARAM_UNKNOWN (555); one that is offered but wrong, or said twice, is PARAM_BAD (501).
 */
#include "mail/envelope.h"
#include "mail/extension.h"

enum param_result { PARAM_NONE, PARAM_OK, PARAM_UNKNOWN, PARAM_BAD };

struct mail_params {
	bool		has_size;
	uint64_t	size;		/* saturates at UINT64_MAX: 20 digits are legal, their value need not fit */
	bool		has_auth;	/* what it claims is not kept: nobody here is trusted to say who sent it, as with AUTH=<> */
	enum body_type	body;		/* BODY_NONE: not said */
	bool		smtputf8;
	bool		requiretls;
	enum ret	ret;		/* RET_NONE: not said */
	char		envid[ENVID_MAX];	/* decoded */
	size_t		envid_len;	/* 0: not said */
};

struct rcpt_params {
	uint32_t	notify;		/* NOTIFY_; 0: not said */
	char		orcpt[ORCPT_MAX];	/* "type;address", decoded */
	size_t		orcpt_len;	/* 0: not said */
};

/* Read all of `in`. withheld: EXTENSION_BITs of what was not offered. On trouble *which is the parameter, borrowed from `in`. */
enum param_result	params_mail(struct slice in, uint32_t withheld, struct mail_params *out, struct slice *which);
enum param_result	params_rcpt(struct slice in, uint32_t withheld, struct rcpt_params *out, struct slice *which);

#endif
