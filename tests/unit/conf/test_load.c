/* Files in, a configuration or every mistake out; through the child, as everybody loads. */
#include "tests/support/testing.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fault.h"
#include "conf/child.h"
#include "conf/resolv.h"

#define HOST	"hostname = \"mx1.example.org\"\n"

static char directory[] = "/tmp/posthorn-test-XXXXXX";

static void
write_file(const char *name, const char *text, size_t len)
{
	FILE *f = fopen(name, "w");

	assert_non_null(f);
	assert_int_equal(fwrite(text, 1, len, f), len);
	assert_int_equal(fclose(f), 0);
}

static void
write_text(const char *name, const char *text)
{
	write_file(name, text, strlen(text));
}

static int
enter_directory(void **state)
{
	(void)state;
	return mkdtemp(directory) == NULL || chdir(directory) == -1 || mkdir("d", 0700) == -1 || mkdir("d/folder.conf", 0700) == -1;
}

static int
leave_directory(void **state)
{
	static const char *const files[] = { "p.conf", "d/1.conf", "d/2.conf", "d/deep.conf", "loop.conf", "fifo", "resolv.conf" };

	(void)state;
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
		(void)unlink(files[i]);
	return rmdir("d/folder.conf") == -1 || rmdir("d") == -1 || chdir("/") == -1 || rmdir(directory) == -1;
}

/* NULL and the lines, or the configuration and no lines. */
static struct conf *
load(const char *text, char *lines, size_t size)
{
	struct conf_report report;
	struct conf *conf;
	int rc;

	write_text("p.conf", text);
	conf_report_init(&report);
	rc = conf_load_in_child("p.conf", &conf, &report);
	assert_int_equal(rc, conf == NULL ? -1 : 0);
	assert_int_equal(conf == NULL, report.mistakes > 0);
	snprintf(lines, size, "%.*s", SLICE_FMT(buf_slice(&report.lines)));
	conf_report_fini(&report);
	return conf;
}

/* Each text has exactly these mistakes. */
static const struct {
	const char	*text, *lines;
} mistakes[] = {
	{ "", "p.conf: hostname: is not set, hostname = \"mx1.example.org\" would be right\n" },
	{ "hostname = \"${NOT_SET_ANYWHERE}\"\n",
	  "p.conf:1: hostname: \"\" is empty: from 1 to 253 bytes would be right\n" },
	{ "hostname = localhost\n",
	  "p.conf:1: hostname: \"localhost\" is no full host name: one such as mx1.example.org would be right\n" },
	{ "hostname = 192.0.2.1\n",
	  "p.conf:1: hostname: \"192.0.2.1\" is no full host name: one such as mx1.example.org would be right\n" },
	{ HOST "# a comment\n/* two\nlines */ smtpd {\n  # more\n  workers = 0\n}\n",
	  "p.conf:6: workers: \"0\" is out of bounds: from 1 to 64 would be right\n" },
	{ HOST "smtpd { workers = 010 }\n",
	  "p.conf:2: workers: \"010\" is not a number: decimal digits without a leading zero would be right\n" },
	{ HOST "smtpd { command-timeout = 300 }\n",
	  "p.conf:2: command-timeout: \"300\" is not a duration: a number and ms, s, m, h, d or w, such as 30s or 5d "
	  "would be right\n" },
	{ HOST "message-size = 3GB\n",
	  "p.conf:2: message-size: \"3GB\" is out of bounds: from 64KiB to 2GiB would be right\n" },
	{ HOST "relay { allow-private-targets = 1 }\n",
	  "p.conf:2: allow-private-targets: \"1\" is not a yes or no: yes or no would be right\n" },
	{ HOST "log { format = \"xml\\x01\" }\n",
	  "p.conf:2: format: \"xml\\x01\" is not a choice: \"text\" or \"json\" would be right\n" },
	/* TLS */
	{ HOST "tls \"a\" { certificate = \"/a.pem\" }\n",
	  "p.conf:2: key: is not as long as certificate: a key for each certificate would be right\n" },
	{ HOST "tls \"a\" { key = \"/a.key\" }\n",
	  "p.conf:2: certificate: one file, or one for each kind of key (4 at most), would be right\n" },
	{ HOST "tls \"a\" { certificate = \"a.pem\" key = \"/a.key\" }\n",
	  "p.conf:2: certificate: is no absolute path: one that begins with / would be right\n" },
	{ HOST "listener \"a\" { tls = \"b\" }\n",
	  "p.conf:2: tls: \"b\" is no tls section of this configuration\n" },
	{ HOST "listener \"a\" { implicit-tls = yes }\n",
	  "p.conf:2: implicit-tls: needs a certificate: tls = { \"name of a tls section\" } would be right\n" },
	{ HOST "tls \"a\" { certificate = \"/a.pem\" key = \"/a.key\" min-version = \"1.0\" }\n",
	  "p.conf:2: min-version: \"1.0\" is not a choice: \"1.2\" or \"1.3\" would be right\n" },
	/* all unknown names of a file, also inside what is unknown itself */
	{ HOST "hostnam = a\nsieve \"x\" {\n certificate = { a, b }\n inner { deeper = 1 }\n}\nsmtpd {\n max_sessions = 5\n}\nsize = 1\n",
	  "p.conf:2: hostnam: no such setting, did you mean \"hostname\"?\n"
	  "p.conf:3: sieve: no such setting, see posthorn.conf(5) for the list\n"
	  "p.conf:8: max_sessions: no such setting in section smtpd, did you mean \"max-sessions\"?\n"
	  "p.conf:10: size: no such setting, see posthorn.conf(5) for the list\n" },
	{ HOST "expire = 5d\nqueue { hostname = x }\n",
	  "p.conf:2: expire: no such setting, it belongs into queue { }\n"
	  "p.conf:3: hostname: no such setting in section queue, it belongs outside of every section\n" },
	{ HOST "smtpd { workers = 1\n",
	  "p.conf:2: a { that is never closed, a } at its end would be right\n" },
	{ HOST "log { target = \"syslog }\n}\n",
	  "p.conf:2: a { that is never closed, a } at its end would be right\n"
	  "p.conf:4: premature end of file, each { and each quote needs its other half\n" },
	{ HOST "}\n", "p.conf:2: unexpected closing brace, each } needs its {\n" },
	{ HOST "message-size 5\n",
	  "p.conf:2: missing equal sign after option 'message-size', name = value would be right\n" },
	{ HOST "smtpd = { workers = 1 }\n",
	  "p.conf:2: missing opening brace for section 'smtpd', name { ... } would be right, without an equal sign\n" },
	{ HOST "listener { }\n",
	  "p.conf:2: missing title for section 'listener', name \"title\" { ... } would be right\n" },
	{ HOST "listener \"a\" { }\nlistener \"a\" { }\n",
	  "p.conf:3: found duplicate title 'a', each title once would be right\n" },
	{ HOST "message-size += 5MB\n",
	  "p.conf:2: attempt to append to non-list option 'message-size', = would be right\n" },
	{ HOST "/* open\nmessage-size = 1\n",
	  "p.conf:2: a comment that is never closed, */ at its end would be right\n" },
	{ HOST "trusted-networks = { \"10.0.0.0/8\",\n\"10.0.0.1/8\" }\n",
	  "p.conf:3: trusted-networks: \"10.0.0.1/8\" is not a network: \"192.0.2.0/24\" or \"2001:db8::/32\" with no bit "
	  "set behind the prefix would be right\n" },
	{ HOST "dns { servers = { \"localhost\" } }\n",
	  "p.conf:2: servers: \"localhost\" is not an address: \"192.0.2.1\", \"2001:db8::1\", or with a port "
	  "\"[2001:db8::1]:53\"; no names would be right\n" },
	{ HOST "listener \"a\" { port = 2525 }\nlistener \"b\" { address = \"127.0.0.1:2525\" }\n",
	  "p.conf:3: address: \"127.0.0.1:2525\" is taken by another listener already: another address or port would be right\n" },
	{ HOST "listener \"a\" { address = {} }\n",
	  "p.conf:2: address: is empty, at least one address would be right\n" },
	{ HOST "domain \"example.org\" { }\ndomain \"EXAMPLE.org\" { }\n",
	  "p.conf:3: domain: \"example.org\" is here twice (capitals do not count): each domain once would be right\n" },
	{ HOST "domain \"a..b\" { }\n", "p.conf:2: domain: \"a..b\" is no domain: one such as \"example.org\" would be right\n" },
	{ HOST "domain \"a.b\" { users = \"file:passwd\" }\n",
	  "p.conf:2: users: \"file:passwd\" is not a source of users: \"system\" or \"file:/path\" would be right\n" },
	{ HOST "domain \"a.b\" { maildir = \"/var/mail/%d\" }\n",
	  "p.conf:2: maildir: \"/var/mail/%d\" is one place for all users: %u in it would be right\n" },
	{ HOST "domain \"a.b\" { maildir = \"../x\" }\n",
	  "p.conf:2: maildir: \"../x\" has \"..\" in it: a path without would be right\n" },
	{ HOST "domain \"a.b\" { maildir = \"/m/%u/%x\" }\n",
	  "p.conf:2: maildir: \"/m/%u/%x\" has an unknown %: %u for the user, %d for the domain or %% would be right\n" },
	{ HOST "postmaster = \"root\"\n", NULL },	/* refused; the words are the address parser's */
	{ HOST "postmaster = \"root@example.net\"\n",
	  "p.conf:2: postmaster: \"root@example.net\" is not in a domain of this server: an address of one that has a domain "
	  "section would be right\n" },
	{ HOST "subaddress-delimiter = \"@\"\n",
	  "p.conf:2: subaddress-delimiter: \"@\" cannot part an address: \"+\" or \"-\" would be right\n" },
	{ HOST "queue { retry = { 5m, 1m } }\n",
	  "p.conf:2: retry: a later wait is shorter than one before it, rising waits such as { 5m, 20m, 1h } would be right\n" },
	{ HOST "queue { retry = { } }\n",
	  "p.conf: retry: is empty, at least one wait would be right, such as { 5m, 20m, 1h }\n" },
	{ HOST "queue { ring-segments = 4 }\n",
	  "p.conf:2: ring-segments: \"4\" is out of bounds: from 8 to 1000 would be right\n" },
	{ HOST "queue { expire = 1d }\n", "p.conf: bounce-expire: is longer than expire, at most that would be right\n" },
	{ HOST "queue { directory = \"spool\" }\n",
	  "p.conf:2: directory: \"spool\" is no absolute path: one that begins with / would be right\n" },
	{ HOST "log { target = \"journal\" }\n",
	  "p.conf:2: target: \"journal\" is no target: \"syslog\", \"stderr\" or \"file:/path\" would be right\n" },
	{ HOST "include(\"absent.conf\")\n", "p.conf:2: absent.conf: No such file or directory\n" },
	{ HOST "include(\"d\")\n", "p.conf:2: d: not a regular file, only those can be read\n" },
	{ HOST "include(\"p.conf\")\n", "p.conf:2: p.conf: read already, each file once would be right\n" },
	{ HOST "include(\"fifo\")\n", "p.conf:2: fifo: not a regular file, only those can be read\n" },
	{ HOST "include(\"a\", \"b\")\n",
	  "p.conf:2: include: takes one file or pattern, include(\"conf.d/*.conf\") would be right\n" },
};

static void
all_mistakes(void **state)
{
	char lines[8192];

	(void)state;
	assert_int_equal(mkfifo("fifo", 0600), 0);
	for (size_t i = 0; i < sizeof(mistakes) / sizeof(mistakes[0]); i++) {
		ROW(i, mistakes[i].text);
		assert_null(load(mistakes[i].text, lines, sizeof(lines)));
		if (mistakes[i].lines != NULL)
			assert_string_equal(lines, mistakes[i].lines);
	}
}

/* Smart hosts: the syntax has enough forms for a table of its own. */
static const struct {
	const char	*text;
	bool		 good;
} smart_hosts[] = {
	{ "relay.example.org", true }, { "relay.example.org:587", true }, { "[relay.example.org]", true },
	{ "[relay.example.org]:587", true }, { "[192.0.2.1]:25", true }, { "[2001:db8::1]", true }, { "[2001:db8::1]:25", true },
	{ "192.0.2.1", false }, { "192.0.2.1:25", false },
	{ "[192.0.2.1", false }, { "[192.0.2.1]25", false }, { "[192.0.2.1]:0", false }, { "[192.0.2.1]:70000", false },
	{ "[]", false }, { "[]:25", false }, { "relay:smtp", false }, { "a b", false }, { ":25", false }, { "relay.example.org:", false },
};

static void
smart_host_forms(void **state)
{
	char text[256], lines[2048];

	(void)state;
	for (size_t i = 0; i < sizeof(smart_hosts) / sizeof(smart_hosts[0]); i++) {
		struct conf *conf;

		ROW(i, smart_hosts[i].text);
		snprintf(text, sizeof(text), HOST "relay { smart-host = \"%s\" }\n", smart_hosts[i].text);
		conf = load(text, lines, sizeof(lines));
		assert_int_equal(conf != NULL, smart_hosts[i].good);
		conf_free(&conf);
	}
}

#define NAME_64	"aaaaaaaaaaaaaaaabbbbbbbbbbbbbbbbccccccccccccccccdddddddddddddddd"

static const struct {
	const char	*text;
	bool		 good;
} submissions[] = {
	{ "users = \"file:/etc/posthorn/passwd\"", true }, { "users = \"dovecot:/run/dovecot/auth-client\"", true }, { "users = \"\"", true },
	{ "users = \"file:passwd\"", false }, { "users = \"file\"", false }, { "users = \"file:\"", false }, { "users = \"/etc/passwd\"", false },
	{ "users = \"pam\"", false }, { "users = \"dovecot:auth\"", false },
	{ "users = \"pam:smtp\"", true }, { "users = \"pam:my-smtp_2.x\"", true }, { "users = \"pam:/etc/posthorn/pam/smtp\"", true },
	{ "users = \"pam:\"", false }, { "users = \"pam:.smtp\"", false }, { "users = \"pam:smtp/\"", false }, { "users = \"pam:d/smtp\"", false },
	{ "users = \"pam:/d/..\"", false }, { "users = \"pam:SMTP\"", false }, { "users = \"pam:sm tp\"", false },
	{ "users = \"pam:/smtp\"", false },
	{ "users = \"pam:" NAME_64 "\"", true }, { "users = \"pam:/d/" NAME_64 "\"", true }, { "users = \"pam:" NAME_64 "a\"", false },
	{ "users = \"pam:smtp\" mechanisms = { \"LOGIN\", \"PLAIN\" }", true }, { "users = \"pam:smtp\" mechanisms = { \"SCRAM-SHA-256\" }", false },
	{ "users = \"pam:smtp\" mechanisms = { \"PLAIN\", \"XOAUTH2\" }", false },
	{ "users = \"file:/p\" mechanisms = { \"PLAIN\", \"SCRAM-SHA-256\", \"SCRAM-SHA-256-PLUS\", \"LOGIN\" }", true },
	{ "users = \"file:/p\" mechanisms = { \"plain\" }", false }, { "users = \"file:/p\" mechanisms = { \"XOAUTH2\" }", false },
	{ "users = \"dovecot:/p\" mechanisms = { \"XOAUTH2\" }", true }, { "users = \"dovecot:/p\" mechanisms = { \"X OAUTH2\" }", false },
	{ "senders = \"file:/p\" sender-rights = \"warn\"", true }, { "senders = \"/p\"", false }, { "sender-rights = \"no\"", false },
};

static void
submission_forms(void **state)
{
	char text[256], lines[2048];

	(void)state;
	for (size_t i = 0; i < sizeof(submissions) / sizeof(submissions[0]); i++) {
		struct conf *conf;

		ROW(i, submissions[i].text);
		snprintf(text, sizeof(text), HOST "submission { %s }\n", submissions[i].text);
		conf = load(text, lines, sizeof(lines));
		assert_int_equal(conf != NULL, submissions[i].good);
		conf_free(&conf);
	}
}

/* A file that uses most of the grammar means what it says. */
static void
a_whole_file(void **state)
{
	char lines[2048], text[SOCKADDRESS_TEXT];
	struct conf *conf;

	(void)state;
	write_text("d/1.conf", "queue { expire = 3d }\ntrusted-networks += { \"10.0.0.0/8\" }\n");
	write_text("d/2.conf", "queue { expire = 4d }\ninclude(\"deep.conf\")");
	write_text("d/deep.conf", "domain \"deep.example.org\" { users = \"file:/etc/mail/users\" maildir = '/m/%d/%u' }");
	conf = load(HOST "include(\"d/[0-9]*.conf\")\n"
	    "message-size = 20MiB # less\n"
	    "listener \"in\" { address = { \"127.0.0.1\", \"[::1]:2526\" } port = 2525 role = trusted }\n"
	    "listener \"out\" { address = \"127.0.0.1\" port = 587 role = \"submission\" }\n"
	    "domain \"Example.ORG\" { }\n"
	    "postmaster = \"root@example.org\"\n"
	    "queue { retry += 2h\n bounce-expire = 1d }\n"
	    "dns { servers = { \"192.0.2.53\", \"[2001:db8::53]:5353\" } }\n"
	    "log { format = json target = \"file:/var/log/posthorn\" event-ids = on }\n", lines, sizeof(lines));
	assert_string_equal(lines, "");
	assert_non_null(conf);
	assert_int_equal(conf->message_size, 20 * 1048576);
	assert_true(conf->queue.expire == 4 * INT64_C(86400000));	/* the file read last */
	assert_int_equal(conf->queue.retry.count, 6);
	assert_int_equal(conf->trusted_networks.count, 3);
	assert_int_equal(conf->listener_count, 2);
	assert_string_equal(conf->listeners[0].name, "in");
	assert_int_equal(conf->listeners[0].role, LISTENER_TRUSTED);
	assert_string_equal(sockaddress_print_port(&conf->listeners[0].at.v[0], text), "127.0.0.1:2525");
	assert_string_equal(sockaddress_print_port(&conf->listeners[0].at.v[1], text), "[::1]:2526");
	assert_int_equal(conf->listeners[1].role, LISTENER_SUBMISSION);
	assert_int_equal(conf->domain_count, 2);
	assert_string_equal(conf->domains[0].name, "example.org");
	assert_int_equal(conf->domains[1].users, USERS_FILE);
	assert_string_equal(conf->domains[1].users_file, "/etc/mail/users");
	assert_string_equal(conf->domains[1].maildir, "/m/%d/%u");
	assert_string_equal(sockaddress_print_port(&conf->dns.servers.v[0], text), "192.0.2.53:53");
	assert_string_equal(sockaddress_print_port(&conf->dns.servers.v[1], text), "[2001:db8::53]:5353");
	assert_int_equal(conf->log.format, LOG_FORMAT_JSON);
	assert_true(conf->log.event_ids);
	conf_free(&conf);
}

/* The place of a mistake follows include(); one that includes itself ends. */
static void
included_mistakes(void **state)
{
	char lines[2048];

	(void)state;
	write_text("d/1.conf", "# first\nsmtpd {\n\tworkers = x }\n");
	write_text("d/2.conf", "domain \"q%q\" {\n}\n");
	write_text("loop.conf", "include(\"loop.conf\")\n");
	assert_null(load(HOST "include(\"d/[0-9].conf\")\ninclude(\"loop.conf\")\ninclude(\"d/*.conf\")\n", lines, sizeof(lines)));
	assert_non_null(strstr(lines, "d/1.conf:3: workers: \"x\" is not a number"));
	assert_non_null(strstr(lines, "d/2.conf:2: domain: \"q%q\" is no domain"));
	assert_non_null(strstr(lines, "loop.conf:1: loop.conf: read already"));
	assert_non_null(strstr(lines, "p.conf:4: d/folder.conf: not a regular file"));
}

/* Files that are no configuration at all. */
static void
hostile_files(void **state)
{
	struct conf_report report;
	char *large = test_malloc(2000000);
	struct conf *conf;

	(void)state;
	memset(large, ' ', 2000000);
	write_file("p.conf", large, 2000000);
	conf_report_init(&report);
	assert_int_equal(conf_load_in_child("p.conf", &conf, &report), -1);
	assert_slice(buf_slice(&report.lines), "p.conf: larger than 1 MiB, several smaller files would be right\n");
	conf_report_fini(&report);
	write_file("p.conf", "a\0b", 3);
	conf_report_init(&report);
	assert_int_equal(conf_load_in_child("p.conf", &conf, &report), -1);
	assert_slice(buf_slice(&report.lines), "p.conf: holds a NUL byte, plain text would be right\n");
	conf_report_fini(&report);
	/* Braces deeper than any section: the scanner's recursion is bounded by the names that
	 * exist. */
	memset(large, '{', 500000);
	write_file("p.conf", large, 500000);
	conf_report_init(&report);
	assert_int_equal(conf_load_in_child("p.conf", &conf, &report), -1);
	assert_true(report.mistakes > 0);
	conf_report_fini(&report);
	test_free(large);
}

/* Memory that ends in the child is a refused configuration, never half of one. */
static void
no_memory(void **state)
{
#ifdef POSTHORN_FAULTS
	struct conf_report report;
	struct conf *conf;
	char plan[32];
	int refused = 0;

	write_text("p.conf", HOST "domain \"example.org\" { }\n");
	for (int n = 1; n <= 30; n++) {
		snprintf(plan, sizeof(plan), "alloc:%d", n);
		conf_report_init(&report);
		fault_plan(plan);
		(void)conf_load_in_child("p.conf", &conf, &report);
		fault_plan(NULL);
		if (conf != NULL)
			assert_string_equal(conf->domains[0].name, "example.org");
		else
			refused++;
		conf_free(&conf);
		conf_report_fini(&report);
	}
	assert_true(refused > 5);
	/* A child that dies on the way is a refused configuration, and told as one mistake. */
	conf_report_init(&report);
	fault_plan("alloc:8:KILL");
	assert_int_equal(conf_load_in_child("p.conf", &conf, &report), -1);
	fault_plan(NULL);
	assert_int_equal(report.mistakes, 1);
	assert_slice(buf_slice(&report.lines),
	    "p.conf: reading it ended without an answer, a smaller file would be right\n");
	conf_report_fini(&report);
#endif
	(void)state;
}

static void
resolv(void **state)
{
	static const char text[] = "# c\nnameserver 192.0.2.1\n nameserver\t2001:db8::1 # x\nnameserverx 192.0.2.2\n"
	    "nameserver fe80::1%eth0\noptions ndots:1\nnameserver 192.0.2.3\nnameserver 192.0.2.4";
	struct conf_addresses found = { 0, NULL };
	char printed[SOCKADDRESS_TEXT];
	struct arena arena;

	(void)state;
	write_file("resolv.conf", text, sizeof(text) - 1);
	arena_init(&arena, 1 << 20);
	assert_int_equal(resolv_servers("resolv.conf", &arena, &found), 0);
	assert_int_equal(found.count, 3);
	assert_string_equal(sockaddress_print_port(&found.v[0], printed), "192.0.2.1:53");
	assert_string_equal(sockaddress_print_port(&found.v[1], printed), "[2001:db8::1]:53");
	assert_string_equal(sockaddress_print_port(&found.v[2], printed), "192.0.2.3:53");
	found.count = 0;
	assert_int_equal(resolv_servers("absent", &arena, &found), 0);
	assert_int_equal(found.count, 0);
	arena_fini(&arena);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_mistakes), cmocka_unit_test(smart_host_forms), cmocka_unit_test(submission_forms), cmocka_unit_test(a_whole_file),
		cmocka_unit_test(included_mistakes), cmocka_unit_test(hostile_files), cmocka_unit_test(no_memory),
		cmocka_unit_test(resolv),
	};

	return cmocka_run_group_tests(tests, enter_directory, leave_directory);
}
