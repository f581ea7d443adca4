/*
 * worker — copies by id from DELIVER to RENAMED; at most one of them is being written.
 */
#include "mda/worker/worker.h"

#include <bsd/sys/queue.h>
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/mem.h"
#include "ipc/channel.h"
#include "mda/worker/maildir.h"
#include "mda/worker/wire.h"

#define COPIES_MAX	4096	/* written and not yet renamed; mda's own limit is far smaller */
#define IN_PLACE_MS	5000	/* how long the Maildir is believed to be where it was */

struct item {
	struct hash_node	node;
	TAILQ_ENTRY(item)	all;
	uint64_t		id;
	uint32_t		flags;
	uint32_t		left;		/* content bytes still to come */
	struct copy		copy;
};

struct told {				/* answers of one kind, gathered */
	uint16_t		type;
	struct mailbox_ids	ids;
};

enum { TOLD_WRITTEN, TOLD_RENAMED, TOLD_STORED, TOLD_COUNT };

struct worker {
	struct chan_sync	*wire;
	worker_confine_fn	*confine;
	struct maildir		*maildir;
	struct hash		 items;
	TAILQ_HEAD(, item)	 all;
	struct item		*writing;	/* its content is still coming */
	uint64_t		 skipping;	/* refused while its content was coming: the rest is thrown away */
	int64_t			 seen_in_place;
	char			 host[MAILBOX_HOST_MAX + 1];
	struct told		 told[TOLD_COUNT];
	bool			 broken;
};

/* --- answers ------------------------------------------------------------------------------------------------ */

static void
send_frame(struct worker *w, int fd)
{
	struct err err;

	if (!w->broken && chan_sync_send(w->wire, fd, &err) == -1) {
		log_debug("%s", err.text);
		w->broken = true;
	}
}

static void
told_flush(struct worker *w)
{
	for (int i = 0; i < TOLD_COUNT; i++) {
		struct told *told = &w->told[i];

		if (told->ids.count == 0)
			continue;
		mailbox_ids_put(chan_sync_begin(w->wire, told->type), &told->ids);
		told->ids.count = 0;
		send_frame(w, -1);
	}
}

static void
tell(struct worker *w, int which, uint64_t id)
{
	struct told *told = &w->told[which];

	told->ids.ids[told->ids.count++] = id;
	if (told->ids.count == MAILBOX_IDS_MAX)
		told_flush(w);
}

static void
tell_refused(struct worker *w, uint64_t id, const struct refusal *refusal)
{
	struct mailbox_refused refused = { .id = id, .again = refusal->again, .status = refusal->status,
	    .text = slice_str(refusal->text) };

	mailbox_refused_put(chan_sync_begin(w->wire, MAILBOX_REFUSED), &refused);
	send_frame(w, -1);
}

/* --- copies ------------------------------------------------------------------------------------------------- */

static struct item *
item_find(const struct worker *w, uint64_t id)
{
	struct hash_node *node;

	for (node = hash_first(&w->items, hash_u64(id)); node != NULL; node = hash_next(node)) {
		struct item *item = CONTAINER_OF(node, struct item, node);

		if (item->id == id)
			return item;
	}
	return NULL;
}

static void
item_free(struct worker *w, struct item *item)
{
	if (w->writing == item)
		w->writing = NULL;
	hash_remove(&w->items, &item->node);
	TAILQ_REMOVE(&w->all, item, all);
	mem_free(item);
}

/* The copy is gone already; its content may still be on its way. */
static void
item_refuse(struct worker *w, struct item *item, const struct refusal *refusal)
{
	if (item->left > 0)
		w->skipping = item->id;
	tell_refused(w, item->id, refusal);
	item_free(w, item);
}

/* Everything is in tmp/. Without a shared sync the worker goes on by itself. */
static void
item_written(struct worker *w, struct item *item)
{
	bool own_sync = (item->flags & DELIVER_OWN_SYNC) != 0;
	struct refusal refusal;
	int found = 0;

	w->writing = NULL;
	if (copy_end(w->maildir, &item->copy, own_sync, &refusal) == -1 ||
	    ((item->flags & DELIVER_MAYBE) != 0 && (found = copy_found(w->maildir, &item->copy, &refusal)) == -1) ||
	    (found == 0 && own_sync && copy_publish(w->maildir, &item->copy, true, &refusal) == -1)) {
		item_refuse(w, item, &refusal);
	} else if (found == 1 || own_sync) {
		tell(w, TOLD_STORED, item->id);
		item_free(w, item);
	} else {
		tell(w, TOLD_WRITTEN, item->id);
	}
}

static void
item_feed(struct worker *w, struct item *item, struct slice content)
{
	struct refusal refusal;

	item->left -= (uint32_t)content.len;
	if (copy_write(w->maildir, &item->copy, content, &refusal) == -1)
		item_refuse(w, item, &refusal);
	else if (item->left == 0)
		item_written(w, item);
}

/* What is written in front of the content: RFC 5321 4.4 asks for Return-Path, the loop check for Delivered-To. */
static int
write_head(struct worker *w, struct item *item, const struct mailbox_deliver *deliver, struct refusal *refusal)
{
	char head[2 * MAILBOX_ADDRESS_MAX + 64];
	int len = snprintf(head, sizeof(head), "Return-Path: <%.*s>\nDelivered-To: %.*s\n",
	    SLICE_FMT(deliver->reverse_path), SLICE_FMT(deliver->recipient));

	return copy_write(w->maildir, &item->copy, slice_of(head, (size_t)len), refusal);
}

static int
item_begin(struct worker *w, struct item *item, const struct mailbox_deliver *deliver, struct refusal *refusal)
{
	char name[NAME_SIZE];

	if (name_make(name, deliver->seconds, deliver->nonce, deliver->index, slice_str(w->host)) == -1)
		return refuse(refusal, STATUS(4, 3, 5), "the host's name is too long for the name of a file");
	if (clock_mono_ms() - w->seen_in_place > IN_PLACE_MS) {
		if (!maildir_in_place(w->maildir)) {
			(void)refuse(refusal, STATUS(4, 2, 0), "the Maildir was moved");
			refusal->again = true;
			return -1;
		}
		w->seen_in_place = clock_mono_ms();
	}
	if (copy_begin(w->maildir, &item->copy, name, refusal) == -1)
		return -1;
	return write_head(w, item, deliver, refusal);
}

static struct item *
item_new(struct worker *w, const struct mailbox_deliver *deliver)
{
	struct item *item = w->items.count < COPIES_MAX ? mem_zalloc(sizeof(*item)) : NULL;

	if (item == NULL)
		return NULL;
	item->id = deliver->id;
	item->flags = deliver->flags;
	item->left = deliver->size;
	item->copy.fd = -1;
	hash_insert(&w->items, &item->node, hash_u64(item->id));
	TAILQ_INSERT_TAIL(&w->all, item, all);
	return item;
}

/* --- frames ------------------------------------------------------------------------------------------------- */

static int
open_mailbox(struct worker *w, const struct mailbox_open *open, struct refusal *refusal)
{
	char home[MAILBOX_PATH_MAX + 1], path[MAILBOX_PATH_MAX + 1];
	struct err err = { 0 };

	(void)snprintf(home, sizeof(home), "%.*s", SLICE_FMT(open->home));
	(void)snprintf(path, sizeof(path), "%.*s", SLICE_FMT(open->maildir));
	(void)snprintf(w->host, sizeof(w->host), "%.*s", SLICE_FMT(open->host));
	if ((w->maildir = maildir_open(home, path, geteuid(), refusal)) == NULL)
		return -1;
	if (w->confine != NULL && w->confine(path, &err) == -1)
		return refuse(refusal, STATUS(4, 3, 0), "%.200s", err.text);
	w->seen_in_place = clock_mono_ms();
	return 0;
}

static int
on_open(struct worker *w, struct reader *in)
{
	struct mailbox_open open;
	struct refusal refusal;

	if (w->maildir != NULL || mailbox_open_get(in, &open) == -1)
		return -1;
	if (open_mailbox(w, &open, &refusal) == -1) {
		maildir_free(&w->maildir);
		tell_refused(w, 0, &refusal);	/* mda reads it and closes; whoever left at once would be taken for dead */
		return 0;
	}
	(void)chan_sync_begin(w->wire, MAILBOX_OPENED);
	send_frame(w, maildir_fd(w->maildir));
	return 0;
}

static int
on_deliver(struct worker *w, struct reader *in)
{
	struct mailbox_deliver deliver;
	struct refusal refusal;
	struct item *item;

	if (mailbox_deliver_get(in, &deliver) == -1 || w->maildir == NULL || w->writing != NULL ||
	    item_find(w, deliver.id) != NULL)
		return -1;
	w->skipping = 0;
	if ((item = item_new(w, &deliver)) == NULL) {
		(void)refuse(&refusal, STATUS(4, 3, 0), "no memory for a delivery, or too many at once");
		w->skipping = deliver.id;
		tell_refused(w, deliver.id, &refusal);
		return 0;
	}
	w->writing = item;
	if (item_begin(w, item, &deliver, &refusal) == -1) {
		item->left -= (uint32_t)deliver.content.len;
		item_refuse(w, item, &refusal);
		return 0;
	}
	item_feed(w, item, deliver.content);
	return 0;
}

static int
on_content(struct worker *w, struct reader *in)
{
	struct mailbox_content content;

	if (mailbox_content_get(in, &content) == -1)
		return -1;
	if (w->writing == NULL)
		return content.id == w->skipping ? 0 : -1;
	if (content.id != w->writing->id || content.content.len > w->writing->left)
		return -1;
	item_feed(w, w->writing, content.content);
	return 0;
}

static int
on_abandon(struct worker *w, struct reader *in)
{
	struct mailbox_ids ids;
	struct item *item;

	if (mailbox_ids_get(in, &ids) == -1 || ids.count != 1)
		return -1;
	if ((item = item_find(w, ids.ids[0])) == NULL)
		return 0;	/* it was refused meanwhile */
	copy_drop(w->maildir, &item->copy);
	item_free(w, item);
	return 0;
}

static int
on_synced(struct worker *w, struct reader *in)
{
	struct refusal refusal;
	struct mailbox_ids ids;

	if (mailbox_ids_get(in, &ids) == -1)
		return -1;
	for (uint32_t i = 0; i < ids.count; i++) {
		struct item *item = item_find(w, ids.ids[i]);

		if (item == NULL || item->left > 0 || item == w->writing)
			return -1;
		if (copy_publish(w->maildir, &item->copy, false, &refusal) == -1) {
			item_refuse(w, item, &refusal);
			continue;
		}
		tell(w, TOLD_RENAMED, item->id);
		item_free(w, item);
	}
	return 0;
}

static int (*const handlers[MAILBOX_FRAME_COUNT])(struct worker *, struct reader *) = {
	[MAILBOX_OPEN]    = on_open,
	[MAILBOX_DELIVER] = on_deliver,
	[MAILBOX_CONTENT] = on_content,
	[MAILBOX_ABANDON] = on_abandon,
	[MAILBOX_SYNCED]  = on_synced,
};

static int
serve(struct worker *w)
{
	struct err err = { 0 };
	struct reader in;
	int type, fd;

	while (!w->broken && (type = chan_sync_next(w->wire, &in, &fd, &err)) != 0) {
		if (type == -1) {
			log_debug("%s", err.text);
			return -1;
		}
		if (fd != -1 || type >= MAILBOX_FRAME_COUNT || handlers[type] == NULL || handlers[type](w, &in) == -1) {
			log_error("mda sent a frame that makes no sense here: type %d", type);
			if (fd != -1)
				(void)close(fd);
			return -1;
		}
		if (!chan_sync_more(w->wire))
			told_flush(w);
	}
	return w->broken ? -1 : 0;
}

int
worker_serve(int fd, worker_confine_fn *confine)
{
	struct worker *w = mem_zalloc(sizeof(*w));
	struct item *item;
	struct err err;
	int result = -1;

	if (w == NULL || (w->wire = chan_sync_open(fd, MAILBOX_WIRE, MAILBOX_VERSION, &err)) == NULL) {
		mem_free(w);
		return -1;
	}
	w->confine = confine;
	hash_init(&w->items);
	TAILQ_INIT(&w->all);
	w->told[TOLD_WRITTEN].type = MAILBOX_WRITTEN;
	w->told[TOLD_RENAMED].type = MAILBOX_RENAMED;
	w->told[TOLD_STORED].type = MAILBOX_STORED;
	result = serve(w);
	while ((item = TAILQ_FIRST(&w->all)) != NULL) {
		copy_drop(w->maildir, &item->copy);	/* nobody will ask for it: the next attempt writes its own */
		item_free(w, item);
	}
	maildir_free(&w->maildir);
	hash_fini(&w->items);
	chan_sync_close(&w->wire);
	mem_free(w);
	return result;
}
