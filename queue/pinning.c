/*
 * pinning — a tool copies the queue: the store stands still until it says that it is done, or goes away. One tool at a time.
 */
#include "queue/client.h"

#include "base/mem.h"

static void
say_pinned(struct client *c, const struct store_pinned *pinned, struct pinned_segment *segments)
{
	uint64_t bytes;
	struct control_pinned out = { .directory = slice_str(pinned->directory), .messages = queue_count(c->queue, &bytes),
	    .count = pinned->count, .segments = segments };

	for (uint32_t i = 0; i < pinned->count; i++)
		segments[i] = (struct pinned_segment){ pinned->segments[i].number, pinned->segments[i].size,
		    pinned->segments[i].length };
	control_pinned_put(channel_begin(c->channel, CONTROL_PINNED), &out);
	(void)channel_end(c->channel);
}

static void
on_pinned(void *arg, const struct store_pinned *pinned, const char *why)
{
	struct client *c = arg;
	struct store *store = c->queue->store;
	struct pinned_segment *segments = NULL;

	if (!client_is_back(c)) {
		if (pinned != NULL)
			(void)store_unpin(store);
		return;
	}
	c->pins = pinned != NULL;
	if (pinned != NULL && (segments = mem_array(pinned->count + 1, sizeof(*segments))) == NULL)
		why = "no memory";
	if (segments == NULL) {
		pinning_end(c);
		client_say(c, false, "no backup now: %s", why);
		return;
	}
	log_info("a backup begins: the store stands still, mail goes on");
	say_pinned(c, pinned, segments);
	mem_free(segments);
	client_say(c, true, "pinned");
}

void
pinning_pin(struct client *c, const struct operator_request *request)
{
	(void)request;
	c->busy = store_pin(c->queue->store, on_pinned, c) == 0;
	if (!c->busy)
		client_say(c, false, "another backup is under way: one at a time");
}

void
pinning_unpin(struct client *c, const struct operator_request *request)
{
	bool held = c->pins && store_unpin(c->queue->store);

	(void)request;
	c->pins = false;
	if (held)
		log_info("a backup has its copy");
	client_say(c, held, held ? "the store stood still all the time" :
	    "the ring ran short meanwhile, or it took too long: the backup is not whole, make another one");
}

void
pinning_end(struct client *c)
{
	if (!c->pins)
		return;
	c->pins = false;
	if (c->queue->store != NULL)
		(void)store_unpin(c->queue->store);
	log_warn("a backup ended before it was complete");
}
