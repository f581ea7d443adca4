#ifndef PROC_GRANT_H
#define PROC_GRANT_H
/* grant — what one process may reach, read off the configuration. Paths are borrowed from it. */
#include "conf/conf.h"
#include "proc/sandbox.h"

void	grant_of(enum sandbox, const struct conf *, struct sandbox_grant *);
/* The port a smart host names ("[192.0.2.1]:587", "relay.example.org"), or `fallback`. */
uint16_t grant_port(const char *host, uint16_t fallback);

#endif
