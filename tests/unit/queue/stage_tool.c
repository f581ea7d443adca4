/*
 * stage_tool — an operator's tool at the queue's socket.
 */
#include "tests/unit/queue/stage.h"

#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static int
on_item(void *arg, struct reader *r, int fd)
{
	struct peer *p = arg;
	struct arena arena = { .max = 4 * 1024 * 1024 };
	struct queue_item item;

	(void)fd;
	if (queue_item_get(r, &arena, &item) == -1)
		return stage_bad_frame(p);
	p->set->items++;
	p->set->item_recipients += item.count;
	arena_fini(&arena);
	return 0;
}

static int
on_outcome(void *arg, struct reader *r, int fd)
{
	struct peer *p = arg;
	struct control_text text;

	(void)fd;
	if (control_text_get(r, &text) == -1)
		return stage_bad_frame(p);
	p->set->ok = text.ok;
	(void)snprintf(p->set->said, sizeof(p->set->said), "%.*s", (int)text.text.len, text.text.p);
	p->set->outcomes++;
	return 0;
}

static const struct frame_handler tool_handlers[CONTROL_FRAME_COUNT] = {
	[CONTROL_ITEM] = { "item", on_item, false },
	[CONTROL_OUTCOME] = { "outcome", on_outcome, false },
};
static const struct channel_ops tool_ops = { .wire = "control", .version = CONTROL_VERSION, .handlers = tool_handlers,
	.handler_count = CONTROL_FRAME_COUNT, .on_end = stage_peer_ended };

static void
socket_path(const struct stage_set *s, struct sockaddr_un *out)
{
	*out = (struct sockaddr_un){ .sun_family = AF_UNIX };
	(void)snprintf(out->sun_path, sizeof(out->sun_path), "%.80s/sock", s->dir);
}

void
stage_listen_for_tools(struct stage_set *s)
{
	struct sockaddr_un name;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	socket_path(s, &name);
	(void)unlink(name.sun_path);
	assert_int_equal(bind(fd, (struct sockaddr *)&name, sizeof(name)), 0);
	assert_int_equal(listen(fd, 5), 0);
	queue_listener(&s->process, &(struct control_wire){ .kind = WIRE_CONTROL, .role = ROLE_OPERATOR }, fd);
}

void
stage_operator(struct stage_set *s, const char *verb, const char *arg)
{
	struct operator_request request = { .verb = slice_str(verb), .count = arg == NULL ? 0 : 1 };
	struct sockaddr_un name;
	uint32_t before = s->outcomes;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	socket_path(s, &name);
	assert_int_equal(connect(fd, (struct sockaddr *)&name, sizeof(name)), 0);
	s->items = s->item_recipients = 0;
	s->tool.set = s;
	channel_close(&s->tool.channel);
	s->tool.channel = channel_open(s->loop, fd, &tool_ops, &s->tool, NULL);
	if (arg != NULL)
		request.args[0] = slice_str(arg);
	operator_request_put(channel_begin(s->tool.channel, CONTROL_OPERATOR), &request);
	assert_int_equal(channel_end(s->tool.channel), 0);
	stage_until(s, &s->outcomes, before + 1);
}
