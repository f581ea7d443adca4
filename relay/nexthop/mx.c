/* mx — the order of hosts. Pure: the dice come from the caller. Called by route.c. */
#include "relay/nexthop/mx.h"

#include <string.h>

static void
swap(struct dns_record *a, struct dns_record *b)
{
	struct dns_record t = *a;

	*a = *b;
	*b = t;
}

/* Shuffles first, then sorts stably: so equal preferences stay shuffled. */
static void
shuffle_and_sort(struct dns_record *v, size_t n, uint32_t (*below)(uint32_t))
{
	for (size_t i = n; i > 1; i--)
		swap(&v[i - 1], &v[below((uint32_t)i)]);
	for (size_t i = 1; i < n; i++) {
		for (size_t k = i; k > 0 && v[k].preference < v[k - 1].preference; k--)
			swap(&v[k], &v[k - 1]);
	}
}

static void
add_host(struct mx_hosts *out, const char *name, uint16_t preference)
{
	struct mx_host *host;

	if (out->count == MX_HOSTS_MAX)
		return;
	host = &out->hosts[out->count++];
	memset(host, 0, sizeof(*host));
	host->preference = preference;
	(void)strlcpy(host->name, name, sizeof(host->name));
}

static bool
listed(const struct mx_hosts *hosts, const char *name)
{
	for (uint16_t i = 0; i < hosts->count; i++) {
		if (strcmp(hosts->hosts[i].name, name) == 0)
			return true;
	}
	return false;
}

void
mx_cut(struct mx_hosts *hosts, uint16_t preference)
{
	uint16_t kept = 0;

	while (kept < hosts->count && hosts->hosts[kept].preference < preference)
		kept++;
	hosts->count = kept;
}

/* The root name beside real ones is a mistake of theirs and counts for nothing. */
static enum mx_verdict
order_hosts(const struct dns_answer *answer, struct slice own_name, uint32_t (*below)(uint32_t), struct mx_hosts *out)
{
	struct dns_record sorted[DNS_RECORDS_MAX];
	uint16_t own = 0;
	bool have_own = false;
	size_t n = 0;

	for (uint16_t i = 0; i < answer->count && n < DNS_RECORDS_MAX; i++) {
		if (answer->records[i].name[0] != '\0')
			sorted[n++] = answer->records[i];
	}
	if (n == 0)
		return answer->count > 0 ? MX_NULL : MX_UNUSABLE;
	shuffle_and_sort(sorted, n, below);
	for (size_t i = 0; i < n && !have_own; i++) {
		have_own = slice_caseeq(slice_str(sorted[i].name), own_name);
		own = sorted[i].preference;
	}
	for (size_t i = 0; i < n && (!have_own || sorted[i].preference < own); i++) {
		if (!listed(out, sorted[i].name))
			add_host(out, sorted[i].name, sorted[i].preference);
	}
	return out->count > 0 ? MX_HOSTS : MX_OURSELVES;
}

static enum mx_verdict
order_implicit(struct slice domain, struct slice own_name, struct mx_hosts *out)
{
	char name[DNS_NAME_SIZE];

	if (slice_caseeq(domain, own_name))
		return MX_OURSELVES;
	memcpy(name, domain.p, domain.len);
	name[domain.len] = '\0';
	add_host(out, name, 0);
	return MX_IMPLICIT;
}

enum mx_verdict
mx_order(const struct dns_answer *answer, struct slice domain, struct slice own_name, uint32_t (*below)(uint32_t),
    struct mx_hosts *out)
{
	out->count = 0;
	switch (answer->result) {
	case DNS_FOUND:
		return order_hosts(answer, own_name, below, out);
	case DNS_NO_DATA:
		return order_implicit(domain, own_name, out);
	case DNS_NO_NAME:
		return MX_NO_NAME;
	default:
		return MX_TEMPORARY;
	}
}
