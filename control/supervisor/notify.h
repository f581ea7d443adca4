#ifndef SUPERVISOR_NOTIFY_H
#define SUPERVISOR_NOTIFY_H
/* notify — tells systemd how we are (sd_notify(3)'s datagram, in our own few lines). Without NOTIFY_SOCKET nothing happens. */

void	notify(const char *state);	/* "READY=1", "RELOADING=1", "STOPPING=1" */
void	notify_reloading(void);		/* with the time that systemd wants to see */

#endif
