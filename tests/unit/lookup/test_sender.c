/*
 * Who may write as whom: without a file, and with one as a postmaster has it for Postfix.
 */
#include "tests/support/testing.h"

#include <stdio.h>
#include <unistd.h>

#include "lookup/address/sender.h"
#include "tests/support/tempdir.h"

static char hostname[] = "mx.example.org", example_org[] = "example.org", example_net[] = "example.net", strasse[] = "xn--strae-oqa.example", trouble[] = "trouble.example",
    maildir[] = "Maildir", users[] = "/users", plus[] = "+", none[] = "";
static struct conf_domain domains[] = {
	{ example_org, USERS_SYSTEM, NULL, maildir }, { example_net, USERS_FILE, users, maildir }, { strasse, USERS_SYSTEM, NULL, maildir },
	{ trouble, USERS_FILE, users, maildir },
};
static struct conf conf = { .hostname = hostname, .subaddress_delimiter = plus, .domain_count = 4, .domains = domains };
static char base[256], path[512];

static const char text[] =
    "# who may write as whom\n"
    "\n"
    "info@example.org	ann, bob\n"
    "sales@example.org bob,\n"
    "	ann\n"
    "  carol\n"
    "@shop.example\tbob\n"
    "boss@shop.example boss\n"
    "Noreply@Example.ORG *\n"
    "no address ann\n"
    "info@example.org mallory\n"
    "\tann\n"
    "desk@stra\303\237e.example bob\r\n"
    "list+own@example.org ann\n"
    "empty@example.org\n"
    "last@example.org ann\n";

static const struct {
	const char		*login, *address;
	enum sender_verdict	 without, with;		/* a file */
} rows[] = {
	{ "ann", "ann@example.org", SENDER_OWN, SENDER_OWN },
	{ "ann", "Ann@example.org", SENDER_OWN, SENDER_OWN },
	{ "ann", "ann+list@example.org", SENDER_OWN, SENDER_OWN },
	{ "ann", "ann@mx.example.org", SENDER_OWN, SENDER_OWN },
	{ "ann", "ann@xn--strae-oqa.example", SENDER_OWN, SENDER_OWN },
	{ "ann", "ann@stra\303\237e.example", SENDER_OWN, SENDER_OWN },
	{ "ann", "annx@example.org", SENDER_FOREIGN, SENDER_FOREIGN },
	{ "ann", "+ann@example.org", SENDER_FOREIGN, SENDER_FOREIGN },
	{ "ann", "ann@example.net", SENDER_FOREIGN, SENDER_FOREIGN },	/* its users are not this host's */
	{ "ann", "ann@elsewhere.example", SENDER_FOREIGN, SENDER_FOREIGN },
	{ "ann", "bob@example.org", SENDER_FOREIGN, SENDER_FOREIGN },
	{ "ann", "postmaster@example.org", SENDER_FOREIGN, SENDER_FOREIGN },
	{ "ann@example.net", "ann@example.net", SENDER_OWN, SENDER_OWN },
	{ "Ann@Example.NET", "ann+x@example.net", SENDER_OWN, SENDER_OWN },
	{ "ann@example.net", "ann@example.org", SENDER_FOREIGN, SENDER_FOREIGN },
	{ "ann@elsewhere.example", "ann@elsewhere.example", SENDER_OWN, SENDER_OWN },
	{ "ann@stra\303\237e.example", "ann@xn--strae-oqa.example", SENDER_OWN, SENDER_OWN },
	/* another mailbox that is called nearly the same */
	{ "bob", "bob+x@example.org", SENDER_OWN, SENDER_OWN },
	{ "bob", "BOB+X@example.org", SENDER_OWN, SENDER_OWN },
	{ "bob", "bob+boss@example.org", SENDER_FOREIGN, SENDER_FOREIGN },
	{ "bob", "Bob+Boss@example.org", SENDER_FOREIGN, SENDER_FOREIGN },
	{ "bob", "bob+boss+x@example.org", SENDER_OWN, SENDER_OWN },	/* which comes to bob */
	{ "bob@example.net", "bob+boss@example.net", SENDER_FOREIGN, SENDER_FOREIGN },
	{ "bob+boss", "bob+boss@example.org", SENDER_OWN, SENDER_OWN },
	{ "bob+boss", "bob@example.org", SENDER_FOREIGN, SENDER_FOREIGN },
	{ "zoe", "Zoe@example.org", SENDER_FOREIGN, SENDER_FOREIGN },
	{ "zoe", "zoe+x@example.org", SENDER_OWN, SENDER_OWN },
	{ "Zoe", "zoe@example.org", SENDER_FOREIGN, SENDER_FOREIGN },
	{ "ANN", "ann@example.org", SENDER_OWN, SENDER_OWN },		/* there is no other */
	{ "nomail", "NoMail+x@example.org", SENDER_OWN, SENDER_OWN },	/* nobody has that mailbox */
	{ "x@trouble.example", "x@trouble.example", SENDER_OWN, SENDER_OWN },
	{ "x@trouble.example", "x+y@trouble.example", SENDER_TRY_LATER, SENDER_TRY_LATER },
	{ "@example.org", "ann@example.org", SENDER_FOREIGN, SENDER_FOREIGN },
	{ "ann@", "ann@example.org", SENDER_FOREIGN, SENDER_FOREIGN },
	{ "ann", "no address", SENDER_FOREIGN, SENDER_FOREIGN },
	{ "ann", "ann", SENDER_FOREIGN, SENDER_FOREIGN },
	/* lines of the file */
	{ "ann", "info@example.org", SENDER_FOREIGN, SENDER_OWN },
	{ "bob", "Info@Example.ORG", SENDER_FOREIGN, SENDER_OWN },
	{ "bob", "info+x@example.org", SENDER_FOREIGN, SENDER_OWN },
	{ "carol", "info@example.org", SENDER_FOREIGN, SENDER_FOREIGN },
	{ "mallory", "info@example.org", SENDER_FOREIGN, SENDER_FOREIGN },	/* the first line counts */
	{ "an", "info@example.org", SENDER_FOREIGN, SENDER_FOREIGN },
	{ "Ann", "info@example.org", SENDER_FOREIGN, SENDER_FOREIGN },
	{ "*", "info@example.org", SENDER_FOREIGN, SENDER_FOREIGN },
	{ "ann", "sales@example.org", SENDER_FOREIGN, SENDER_OWN },		/* lines that go on */
	{ "carol", "sales@example.org", SENDER_FOREIGN, SENDER_OWN },
	{ "bob", "anybody@shop.example", SENDER_FOREIGN, SENDER_OWN },
	{ "ann", "anybody@shop.example", SENDER_FOREIGN, SENDER_FOREIGN },
	{ "bob", "boss@shop.example", SENDER_FOREIGN, SENDER_FOREIGN },		/* its own line decides */
	{ "boss", "boss@shop.example", SENDER_FOREIGN, SENDER_OWN },
	{ "bob", "x@sub.shop.example", SENDER_FOREIGN, SENDER_FOREIGN },
	{ "zoe", "noreply@example.org", SENDER_FOREIGN, SENDER_OWN },
	{ "bob", "desk@xn--strae-oqa.example", SENDER_FOREIGN, SENDER_OWN },
	{ "ann", "list+own@example.org", SENDER_FOREIGN, SENDER_OWN },
	{ "ann", "list@example.org", SENDER_FOREIGN, SENDER_FOREIGN },
	{ "ann", "empty@example.org", SENDER_FOREIGN, SENDER_FOREIGN },
	{ "empty", "empty@example.org", SENDER_OWN, SENDER_OWN },		/* what is one's own no line takes away */
	{ "ann", "last@example.org", SENDER_FOREIGN, SENDER_OWN },
};

static struct resolver resolver;

/* Who has a mailbox: bob+boss and Zoe are somebody else than bob and zoe. */
static enum account_result
fake_find(void *arg, const struct conf_domain *domain, struct slice local, struct arena *arena, struct account *out, struct err *err)
{
	static const char *const names[] = { "ann", "bob", "bob+boss", "zoe", "Zoe" };

	(void)arg;
	(void)arena;
	if (strcmp(domain->name, "trouble.example") == 0) {
		(void)err_set(err, "the directory is away");
		return ACCOUNT_TROUBLE;
	}
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (slice_eq(slice_str(names[i]), local)) {
			*out = (struct account){ .name = slice_str(names[i]), .uid = 1000 };
			return ACCOUNT_FOUND;
		}
	return ACCOUNT_UNKNOWN;
}

static enum sender_verdict
judge(struct sender_file *file, const char *login, const char *address)
{
	struct arena arena = { .max = 65536 };
	enum sender_verdict verdict = sender_judge(&resolver, file, slice_str(login), slice_str(address), &arena);

	arena_fini(&arena);
	return verdict;
}

static int
setup(void **state)
{
	struct domains *made = domains_new(&conf, NULL);

	(void)state;
	assert_non_null(made);
	resolver = (struct resolver){ .conf = &conf, .domains = made, .users = { fake_find, NULL } };
	tempdir_make(base);
	tempdir_write(tempdir_join(path, base, "senders"), text);
	return 0;
}

static int
teardown(void **state)
{
	struct domains *made = (struct domains *)(uintptr_t)resolver.domains;

	(void)state;
	domains_free(&made);
	tempdir_remove(base);
	return 0;
}

static void
test_rows(void **state)
{
	struct sender_file *file = sender_file_new(path);

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		ROW(i, rows[i].address);
		assert_int_equal(judge(NULL, rows[i].login, rows[i].address), rows[i].without);
		assert_int_equal(judge(file, rows[i].login, rows[i].address), rows[i].with);
	}
	sender_file_free(&file);
}

/* A name without a domain is somebody of one list of users, or of nobody's. */
static void
test_plain_logins(void **state)
{
	static char one[] = "one.example", two[] = "two.example", file1[] = "/1", file2[] = "/2";
	static struct conf_domain a1 = { one, USERS_FILE, file1, maildir }, b1 = { two, USERS_FILE, file1, maildir },
	    b2 = { two, USERS_FILE, file2, maildir }, bs = { two, USERS_SYSTEM, NULL, maildir };
	static const struct {
		const struct conf_domain	*first, *second;
		enum sender_verdict		 one, two, host;
	} lists[] = {
		{ NULL, NULL, SENDER_FOREIGN, SENDER_FOREIGN, SENDER_OWN },
		{ &a1, NULL, SENDER_OWN, SENDER_FOREIGN, SENDER_FOREIGN },
		{ &a1, &b1, SENDER_OWN, SENDER_OWN, SENDER_FOREIGN },
		{ &a1, &b2, SENDER_FOREIGN, SENDER_FOREIGN, SENDER_FOREIGN },
		{ &a1, &bs, SENDER_FOREIGN, SENDER_OWN, SENDER_OWN },
	};
	struct resolver was = resolver;

	(void)state;
	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
		struct conf_domain both[2] = { lists[i].first != NULL ? *lists[i].first : a1, lists[i].second != NULL ? *lists[i].second : a1 };
		struct conf here = { .hostname = hostname, .subaddress_delimiter = plus, .domains = both,
		    .domain_count = (lists[i].first != NULL ? 1u : 0u) + (lists[i].second != NULL ? 1u : 0u) };
		struct domains *made = domains_new(&here, NULL);

		ROW(i, "lists of users");
		resolver = (struct resolver){ .conf = &here, .domains = made, .users = { fake_find, NULL } };
		assert_int_equal(judge(NULL, "ann", "ann@one.example"), lists[i].one);
		assert_int_equal(judge(NULL, "ann", "ann@two.example"), lists[i].two);
		assert_int_equal(judge(NULL, "ann", "ann@mx.example.org"), lists[i].host);
		domains_free(&made);
	}
	resolver = was;
}

static void
test_no_subaddresses(void **state)
{
	(void)state;
	conf.subaddress_delimiter = none;
	assert_int_equal(judge(NULL, "ann", "ann+list@example.org"), SENDER_FOREIGN);
	conf.subaddress_delimiter = plus;
}

/* A file that cannot be read says nothing, above all not no; one's own address needs none. A new one counts at once. */
static void
test_trouble_and_change(void **state)
{
	char next[512];
	struct sender_file *file = sender_file_new(tempdir_join(next, base, "later"));

	(void)state;
	assert_int_equal(judge(file, "ann", "info@example.org"), SENDER_TRY_LATER);
	assert_int_equal(judge(file, "ann", "ann@example.org"), SENDER_OWN);
	tempdir_write(next, "info@example.org ann\n");
	assert_int_equal(judge(file, "ann", "info@example.org"), SENDER_OWN);
	assert_int_equal(judge(file, "bob", "info@example.org"), SENDER_FOREIGN);
	tempdir_write(next, "info@example.org bob, carol\n");
	assert_int_equal(judge(file, "ann", "info@example.org"), SENDER_FOREIGN);
	assert_int_equal(judge(file, "bob", "info@example.org"), SENDER_OWN);
	assert_int_equal(unlink(next), 0);
	assert_int_equal(judge(file, "bob", "info@example.org"), SENDER_TRY_LATER);
	sender_file_free(&file);
}

/* Want of memory is trouble, too. */
static void
test_no_memory(void **state)
{
	struct arena arena = { .max = 1 };

	(void)state;
	assert_int_equal(sender_judge(&resolver, NULL, SLICE_LIT("ann"), SLICE_LIT("ann@example.org"), &arena), SENDER_TRY_LATER);
	arena_fini(&arena);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows), cmocka_unit_test(test_plain_logins), cmocka_unit_test(test_no_subaddresses), cmocka_unit_test(test_trouble_and_change),
		cmocka_unit_test(test_no_memory),
	};

	return cmocka_run_group_tests_name("sender", tests, setup, teardown);
}
