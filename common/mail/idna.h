#ifndef MAIL_IDNA_H
#define MAIL_IDNA_H
/*
 * idna — the two forms of a domain outside ASCII (RFC 5890): U-labels, which people read, and A-labels, which DNS and configuration know.
 */
#include "mail/address.h"

/* The form by which a domain is looked up and compared, NUL-terminated; ASCII stays as it is. -1: no domain, or no memory. */
int	domain_to_ascii(struct slice domain, char out[DOMAIN_MAX + 1]);
/* The one way to write a domain of U-labels: small letters, NFC. -1: likewise, or it would not fit. */
int	domain_to_unicode(struct slice domain, char out[DOMAIN_MAX + 1]);
/* The domain of a canonical address as domain_to_ascii gives it, for looking up; empty when there is none. */
struct slice	address_domain_ascii(struct slice address, char out[DOMAIN_MAX + 1]);

#endif
