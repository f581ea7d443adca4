/*
 * key — the process that holds private keys. It parses nothing but its wires, and signs nothing but TLS handshakes (sign.c).
 *
 * Keys of the last configuration stay: handshakes that began with it may still need them. It runs without any, too, so that a reload that
 * brings the first one is refused when that is none.
 */
#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "net/tls_context.h"
#include "proc/service.h"
#include "smtpd/key/sign.h"

static struct signer *now, *before, *next;
static uint64_t signatures, refusals;

struct asker {
	struct channel	*channel;
	struct discard	 discard;
	struct loop	*loop;
};

static int
load_one(struct signer *s, const struct files *files, uint32_t number, struct err *err)
{
	struct buf pem, chain;
	int result;

	buf_init(&pem, FILE_BYTES_MAX + FILE_BLOCK);
	buf_init(&chain, FILE_BYTES_MAX + FILE_BLOCK);
	result = files_read(files, PASSED_KEY, number, &pem, err);
	if (result == 0)
		result = files_read(files, PASSED_CERTIFICATE, number, &chain, err);
	if (result == 0)
		result = signer_add(s, buf_slice(&pem), buf_slice(&chain), err);
	buf_wipe(&pem);
	buf_fini(&chain);
	return result;
}

/* All keys that the configuration names. NULL: err. */
static struct signer *
load(const struct process *process, const struct conf *conf, struct err *err)
{
	static bool ready;
	struct signer *s;

	if (!ready && conf->tls_count > 0) {		/* OpenSSL costs memory that without keys need not be */
		if (tls_init(err) == -1)
			return NULL;
		ready = true;
	}
	s = signer_new();
	if (s == NULL)
		(void)err_memory(err, "no memory for keys");
	for (uint32_t i = 0; s != NULL && i < conf->tls_count; i++)
		for (uint32_t k = 0; s != NULL && k < conf->tls[i].key.count; k++) {
			if (load_one(s, &process->files, conf_tls_first(conf, i) + k, err) == 0)
				continue;
			(void)err_wrap(err, "key %s", conf->tls[i].key.v[k]);
			signer_free(&s);
		}
	return s;
}

static int
key_prepare(struct process *process, struct err *err)
{
	now = load(process, process->conf, err);
	return now == NULL ? -1 : 0;
}

static int
check(struct process *process, const struct conf *conf, struct err *err)
{
	signer_free(&next);
	next = load(process, conf, err);
	return next == NULL ? -1 : 0;
}

static void
reloaded(struct process *process, const struct conf *old)
{
	(void)process;
	(void)old;
	signer_free(&before);
	before = now;
	now = next;
	next = NULL;
}

/* Workers change over one by one: some have the next configuration already, some still the last. */
static const struct signer *
holder_of(const uint8_t id[KEY_ID_SIZE])
{
	const struct signer *all[] = { now, next, before };

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		if (all[i] != NULL && signer_has(all[i], id))
			return all[i];
	return now;
}

static int
on_sign(void *arg, struct reader *in, int fd)
{
	struct asker *asker = arg;
	struct key_question q;
	struct key_answer answer = { 0 };
	struct buf signature;
	const struct signer *s;

	(void)fd;
	if (key_question_get(in, &q) == -1)
		return -1;
	s = holder_of(q.id);
	buf_init(&signature, KEY_SIGNATURE_MAX);
	if (signer_sign(s, &q, &signature) == 0) {
		answer.signature = buf_slice(&signature);
		signatures++;
	} else {
		refusals++;
	}
	key_answer_put(channel_begin(asker->channel, KEY_SIGNATURE), &answer);
	(void)channel_end(asker->channel);
	buf_fini(&signature);
	return 0;
}

static const struct frame_handler handlers[] = {
	[KEY_SIGN] = { "SIGN", on_sign, false },
};

static void
asker_gone(void *arg, const char *why)
{
	struct asker *asker = arg;

	(void)why;
	channel_close(&asker->channel);
	loop_discard(asker->loop, &asker->discard, mem_free, asker);
}

static const struct channel_ops key_ops = {
	.wire = "key",
	.version = KEY_VERSION,
	.handlers = handlers,
	.handler_count = sizeof(handlers) / sizeof(handlers[0]),
	.on_end = asker_gone,
};

static void
take_wire(struct process *process, const struct control_wire *wire, int fd)
{
	struct asker *asker = wire->kind == WIRE_KEY ? mem_zalloc(sizeof(*asker)) : NULL;
	struct err err;

	if (asker == NULL) {
		fd_close(&fd);
		return;
	}
	asker->loop = process->loop;
	asker->channel = channel_open(process->loop, fd, &key_ops, asker, &err);
	if (asker->channel == NULL) {
		log_error("%s", err.text);
		mem_free(asker);
	}
}

static void
tell(struct process *process, struct buf *out)
{
	(void)process;
	buf_printf(out, "signatures %llu\nrefusals %llu\n", (unsigned long long)signatures, (unsigned long long)refusals);
}

static const struct service service = {
	.name = "key",
	.user = "posthorn-key",
	.sandbox = SANDBOX_KEY,
	.prepare = key_prepare,
	.wire = take_wire,
	.check = check,
	.reloaded = reloaded,
	.status = tell,
};

int
main(int argc, char **argv)
{
	return service_main(&service, argc, argv);
}
