/*
 * space — for what there is room: in the ring, and on the disk. smtpd is told, and refuses with 452 at MAIL what would be refused later.
 *
 * Small mail lies in the preallocated ring and needs no new space; a large content does. Below 5 % or 1 GiB of free space, or 5 %
 * of the inodes, nobody begins one, nor where one of message-size would lead there: what is left belongs to mail that was promised
 * already (and to the rest of the machine).
 */
#include "queue/queue.h"

#include <sys/statvfs.h>

#include "base/fault.h"

#define SPACE_LEAST	(UINT64_C(1) << 30)
#define PART_LEAST	20		/* of the whole; 1/20 is 5 % */

/* Bytes that large contents may still take; 0: none, or nobody knows. */
static uint64_t
disk_spare(const struct queue *q)
{
	struct statvfs v;
	uint64_t free, least;

	if (fault_at("disk-space") != 0 || statvfs(q->process->conf->queue.directory, &v) == -1 ||
	    (v.f_files != 0 && v.f_favail < v.f_files / PART_LEAST))
		return 0;
	free = (uint64_t)v.f_bavail * v.f_frsize;
	least = (uint64_t)v.f_blocks * v.f_frsize / PART_LEAST;
	if (least < SPACE_LEAST)
		least = SPACE_LEAST;
	return free > least ? free - least : 0;
}

void
queue_tell_space(struct queue *q)
{
	enum submit_room room = q->disk_full ? ROOM_SMALL : ROOM_ALL;

	if (q->submits != NULL)
		submits_room(q->submits, store_has_room(q->store, STORE_CLIENT) ? room : ROOM_NONE);
}

/* Full: what may come does not fit. Not any more: twice as much does, or the word would change with each message. */
static uint64_t
look(struct queue *q)
{
	uint64_t spare = disk_spare(q), most = (uint64_t)q->process->conf->message_size;
	bool full = spare / (q->disk_full ? 2 : 1) < most;

	if (full != q->disk_full)
		log_warn(full ? "the queue's file system is nearly full: clients are told to come back (452) with large messages" :
		    "the queue's file system has room for large messages again");
	q->disk_full = full;
	queue_tell_space(q);
	queue_sweep_soon(q);		/* which looks again */
	return full ? 0 : spare / most;
}

void
queue_look_at_space(struct queue *q)
{
	if (!q->stopping)
		(void)look(q);
}

bool
queue_may_begin_large(struct queue *q)
{
	return !q->stopping && look(q) > submits_large(q->submits);
}
