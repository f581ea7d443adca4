/*
 * test_resolve — where addresses go, as tables: a configuration, users that the test knows, and the answers.
 */
#include "tests/support/testing.h"

#include "lookup/address/resolve.h"

static char hostname[] = "mx.example.org", example_org[] = "example.org", example_net[] = "example.net",
    trouble[] = "trouble.example", file[] = "/users", strasse[] = "xn--strae-oqa.example", maildir[] = "Maildir", template[] = "/var/mail/%d/%u", plus[] = "+";
static struct conf_domain domains[] = {
	{ example_org, USERS_SYSTEM, NULL, maildir },
	{ example_net, USERS_FILE, file, template },
	{ trouble, USERS_FILE, file, maildir },
	{ strasse, USERS_FILE, file, maildir },
};
static struct conf conf = {
	.hostname = hostname, .subaddress_delimiter = plus, .domain_count = 4, .domains = domains, .mda = { .first_uid = 1000 },
};

static const struct {
	const char	*domain, *name;
	uint32_t	 uid;
	const char	*home;
} users[] = {
	{ "example.org", "ann", 1000, "/home/ann" },
	{ "example.org", "\303\244nne", 1006, "/home/\303\244nne" },
	{ "xn--strae-oqa.example", "ann", 1000, "/home/ann" },
	{ "example.org", "a+b", 1002, "/home/a+b" },
	{ "example.org", "root", 0, "/root" },
	{ "example.org", "daemon", 1, "/usr/sbin" },
	{ "example.org", "mail-man", 1003, "/home/mm" },
	{ "example.org", "homeless", 1004, "" },
	{ "example.org", "o'neil x", 1005, "/home/x" },
	{ "example.net", "Bob", 1001, "/home/bob" },
	{ "example.net", "..", 1001, "/home/dots" },
	{ "example.net", "a/b", 1001, "/home/slash" },
	{ "mx.example.org", "ann", 1000, "/home/ann" },
};

static enum account_result
fake_find(void *arg, const struct conf_domain *domain, struct slice local, struct arena *arena, struct account *out,
    struct err *err)
{
	(void)arg;
	(void)arena;
	if (domain->name == trouble) {
		err_set(err, "the directory is away");
		return ACCOUNT_TROUBLE;
	}
	for (size_t i = 0; i < sizeof(users) / sizeof(users[0]); i++)
		if (strcmp(users[i].domain, domain->name) == 0 && slice_eq(slice_str(users[i].name), local)) {
			*out = (struct account){ slice_str(users[i].name), users[i].uid, users[i].uid, slice_str(users[i].home) };
			return ACCOUNT_FOUND;
		}
	return ACCOUNT_UNKNOWN;
}

/* postmaster's mailbox, smart host, address; verdict and next hop */
static const struct {
	const char		*postmaster, *smart_host, *address;
	enum route_verdict	 verdict;
	const char		*nexthop;
} routes[] = {
	{ "", "", "ann@example.org", ROUTE_LOCAL, "ann@example.org" },
	{ "", "", "Ann@Example.ORG", ROUTE_LOCAL, "ann@example.org" },
	{ "", "", "ann+lists@example.org", ROUTE_LOCAL, "ann@example.org" },
	{ "", "", "ANN+Lists@example.org", ROUTE_LOCAL, "ann@example.org" },
	{ "", "", "a+b@example.org", ROUTE_LOCAL, "a+b@example.org" },		/* the whole local part first */
	{ "", "", "a+b+c@example.org", ROUTE_UNKNOWN, NULL },		/* only the first delimiter counts */
	{ "", "", "+ann@example.org", ROUTE_UNKNOWN, NULL },
	{ "", "", "ann@mx.example.org", ROUTE_LOCAL, "ann@mx.example.org" },	/* the host's own name is ours */
	{ "", "", "nobody@example.org", ROUTE_UNKNOWN, NULL },
	{ "", "", "bob@example.net", ROUTE_UNKNOWN, NULL },		/* Bob is not bob */
	{ "", "", "Bob@example.net", ROUTE_LOCAL, "Bob@example.net" },
	{ "", "", "\"o'neil x\"@example.org", ROUTE_LOCAL, "\"o'neil x\"@example.org" },
	{ "", "", "root@example.org", ROUTE_UNKNOWN, NULL },
	{ "", "", "daemon@example.org", ROUTE_UNKNOWN, NULL },		/* below first-uid */
	{ "", "", "ann@trouble.example", ROUTE_TRY_LATER, NULL },
	{ "", "", "x@elsewhere.example", ROUTE_REMOTE, "elsewhere.example" },
	{ "", "", "x@sub.example.org", ROUTE_REMOTE, "sub.example.org" },
	{ "", "[192.0.2.1]:25", "x@elsewhere.example", ROUTE_REMOTE, "[192.0.2.1]:25" },
	{ "", "[192.0.2.1]:25", "ann@example.org", ROUTE_LOCAL, "ann@example.org" },
	{ "", "", "x@b\303\274cher.example", ROUTE_REMOTE, "xn--bcher-kva.example" },	/* DNS knows A-labels */
	{ "", "", "\303\244nne@example.org", ROUTE_LOCAL, "\303\244nne@example.org" },
	{ "", "", "\303\204nne@example.org", ROUTE_UNKNOWN, NULL },		/* only ASCII has small letters here */
	{ "", "", "ann@stra\303\237e.example", ROUTE_LOCAL, "ann@xn--strae-oqa.example" },
	{ "", "", "x@\302\205.example", ROUTE_INVALID, NULL },
	{ "", "", "x@[192.0.2.7]", ROUTE_REMOTE, "[192.0.2.7]" },
	{ "", "", "a%b@example.org", ROUTE_UNKNOWN, NULL },
	{ "", "", "no address", ROUTE_INVALID, NULL },
	{ "", "", "ann", ROUTE_INVALID, NULL },
	{ "", "", "", ROUTE_INVALID, NULL },
	/* postmaster is never unknown */
	{ "ann@example.org", "", "postmaster@example.org", ROUTE_LOCAL, "ann@example.org" },
	{ "ann@example.org", "", "PostMaster@trouble.example", ROUTE_LOCAL, "ann@example.org" },
	{ "ann@example.org", "", "postmaster", ROUTE_LOCAL, "ann@example.org" },
	{ "ann", "", "postmaster", ROUTE_LOCAL, "ann@mx.example.org" },
	{ "", "", "postmaster", ROUTE_LOCAL, "postmaster@mx.example.org" },
	{ "", "", "postmaster@example.net", ROUTE_LOCAL, "postmaster@mx.example.org" },
	{ "ann", "", "postmaster@elsewhere.example", ROUTE_REMOTE, "elsewhere.example" },
};

static const struct resolver *
resolver(void)
{
	static struct resolver r;
	static struct domains *made;
	struct err err;

	domains_free(&made);
	made = domains_new(&conf, &err);
	r = (struct resolver){ &conf, made, { fake_find, NULL } };
	return &r;
}

static void
test_routes(void **state)
{
	struct arena arena;

	(void)state;
	arena_init(&arena, 1 << 20);
	for (size_t i = 0; i < sizeof(routes) / sizeof(routes[0]); i++) {
		struct route route, known;
		enum route_verdict early;

		ROW(i, routes[i].address);
		conf.postmaster = (char *)(uintptr_t)routes[i].postmaster;
		conf.relay.smart_host = (char *)(uintptr_t)routes[i].smart_host;
		resolve_route(resolver(), slice_str(routes[i].address), &arena, &route);
		assert_int_equal(route.verdict, routes[i].verdict);
		if (routes[i].nexthop != NULL)
			assert_slice(route.nexthop, routes[i].nexthop);
		/* What is said without asking must be what is said after asking. */
		early = resolve_known(resolver(), slice_str(routes[i].address), &arena, &known);
		assert_int_equal(early, known.verdict);
		if (early != ROUTE_NONE)
			assert_int_equal(early, route.verdict);
		if (route.verdict == ROUTE_UNKNOWN || route.verdict == ROUTE_INVALID)
			assert_int_equal(route.status.class, 5);
		if (route.verdict == ROUTE_TRY_LATER)
			assert_int_equal(route.status.class, 4);
	}
	arena_fini(&arena);
}

/* postmaster's mailbox, delimiter, address; verdict, uid, Maildir, login name */
static const struct {
	const char		*postmaster, *delimiter, *address;
	enum route_verdict	 verdict;
	uint32_t		 uid;
	const char		*maildir, *user;
} mailboxes[] = {
	{ "", "+", "ann@example.org", ROUTE_LOCAL, 1000, "/home/ann/Maildir", "ann" },
	{ "", "+", "ann+x@example.org", ROUTE_LOCAL, 1000, "/home/ann/Maildir", "ann" },
	{ "", "-", "mail-man@example.org", ROUTE_LOCAL, 1003, "/home/mm/Maildir", "mail-man" },
	{ "", "-", "ann-x@example.org", ROUTE_LOCAL, 1000, "/home/ann/Maildir", "ann" },
	{ "", "", "ann-x@example.org", ROUTE_UNKNOWN, 0, NULL, NULL },
	{ "", "+", "Bob@example.net", ROUTE_LOCAL, 1001, "/var/mail/example.net/Bob", "" },
	{ "", "+", "\"..\"@example.net", ROUTE_TRY_LATER, 0, NULL, NULL },		/* a name that would climb */
	{ "", "+", "a/b@example.net", ROUTE_TRY_LATER, 0, NULL, NULL },
	{ "", "+", "homeless@example.org", ROUTE_TRY_LATER, 0, NULL, NULL },
	{ "", "+", "nobody@example.org", ROUTE_UNKNOWN, 0, NULL, NULL },
	{ "", "+", "root@example.org", ROUTE_UNKNOWN, 0, NULL, NULL },
	{ "", "+", "ann@trouble.example", ROUTE_TRY_LATER, 0, NULL, NULL },
	{ "", "+", "ann@elsewhere.example", ROUTE_UNKNOWN, 0, NULL, NULL },
	/* mail for postmaster waits, whatever is wrong with the mailbox */
	{ "", "+", "postmaster@mx.example.org", ROUTE_TRY_LATER, 0, NULL, NULL },
	{ "gone@example.org", "+", "gone@example.org", ROUTE_TRY_LATER, 0, NULL, NULL },
	{ "root", "+", "root@mx.example.org", ROUTE_TRY_LATER, 0, NULL, NULL },
	{ "x@elsewhere.example", "+", "x@elsewhere.example", ROUTE_TRY_LATER, 0, NULL, NULL },
};

static void
test_mailboxes(void **state)
{
	struct arena arena;

	(void)state;
	arena_init(&arena, 1 << 20);
	conf.relay.smart_host = NULL;
	for (size_t i = 0; i < sizeof(mailboxes) / sizeof(mailboxes[0]); i++) {
		struct mailbox_answer answer = { .serial = 77 };

		ROW(i, mailboxes[i].address);
		conf.postmaster = (char *)(uintptr_t)mailboxes[i].postmaster;
		conf.subaddress_delimiter = (char *)(uintptr_t)mailboxes[i].delimiter;
		resolve_mailbox(resolver(), slice_str(mailboxes[i].address), &arena, &answer);
		assert_int_equal(answer.serial, 77);
		assert_int_equal(answer.verdict, mailboxes[i].verdict);
		if (answer.verdict != ROUTE_LOCAL) {
			assert_true(answer.text.len > 0);
			continue;
		}
		assert_int_equal(answer.uid, mailboxes[i].uid);
		assert_slice(answer.maildir, mailboxes[i].maildir);
		assert_slice(answer.user, mailboxes[i].user);
	}
	conf.subaddress_delimiter = plus;
	arena_fini(&arena);
}

static void
test_no_memory_is_no_verdict(void **state)
{
	struct arena arena;
	struct route route;

	(void)state;
	conf.postmaster = NULL;
	for (size_t most = 1; most < 400; most++) {
		struct mailbox_answer mailbox = { .serial = 1 };

		arena_init(&arena, most);
		resolve_route(resolver(), SLICE_LIT("ann@b\303\274cher.example"), &arena, &route);
		assert_true(route.verdict == ROUTE_TRY_LATER || (route.verdict == ROUTE_REMOTE && most > 8));
		resolve_route(resolver(), SLICE_LIT("ann@example.org"), &arena, &route);
		assert_true(route.verdict == ROUTE_TRY_LATER || (route.verdict == ROUTE_LOCAL && most > 8));
		resolve_mailbox(resolver(), SLICE_LIT("ann@example.org"), &arena, &mailbox);
		assert_true(mailbox.verdict == ROUTE_TRY_LATER || (mailbox.verdict == ROUTE_LOCAL && most > 8));
		arena_fini(&arena);
	}
	arena_init(&arena, 1);
	arena_fini(&arena);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_routes),
		cmocka_unit_test(test_mailboxes),
		cmocka_unit_test(test_no_memory_is_no_verdict),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
