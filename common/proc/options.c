/* options — getopt_long fed from rows. */
#include "proc/options.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

#define ROWS_MAX	24
#define WORD_ONLY	1000	/* what getopt_long answers for row i without a letter: WORD_ONLY + i */

struct tables {
	char		 letters[2 * ROWS_MAX + 4];
	struct option	 words[ROWS_MAX + 3];
};

static int
code_of(const struct option_row *rows, size_t i)
{
	return rows[i].letter != 0 ? rows[i].letter : WORD_ONLY + (int)i;
}

static void
build(const struct option_row *rows, struct tables *t)
{
	size_t letters = 0, words = 0, i;

	t->letters[letters++] = 'h';
	t->letters[letters++] = 'V';
	t->words[words++] = (struct option){ "help", no_argument, NULL, 'h' };
	t->words[words++] = (struct option){ "version", no_argument, NULL, 'V' };
	for (i = 0; i < ROWS_MAX && rows[i].help != NULL; i++) {
		if (rows[i].letter != 0) {
			t->letters[letters++] = rows[i].letter;
			if (rows[i].value != NULL)
				t->letters[letters++] = ':';
		}
		if (rows[i].word != NULL)
			t->words[words++] = (struct option){ rows[i].word,
			    rows[i].value != NULL ? required_argument : no_argument, NULL, code_of(rows, i) };
	}
	t->letters[letters] = '\0';
	t->words[words] = (struct option){ 0 };
}

static void
print_row(const struct option_row *row)
{
	char left[64], letter[4] = "   ";

	if (row->letter != 0)
		(void)snprintf(letter, sizeof(letter), "-%c%s", row->letter, row->word != NULL ? "," : "");
	(void)snprintf(left, sizeof(left), "%s %s%s%s%s", letter, row->word != NULL ? "--" : "",
	    row->word != NULL ? row->word : "", row->value != NULL ? " " : "", row->value != NULL ? row->value : "");
	printf("  %-26s %s\n", left, row->help);
}

static void
print_usage(const char *program, const char *arguments, const struct option_row *rows)
{
	printf("usage: %s [options]%s%s\n", program, *arguments != '\0' ? " " : "", arguments);
	for (size_t i = 0; rows[i].help != NULL; i++)
		print_row(&rows[i]);
	print_row(&(struct option_row){ 'h', "help", NULL, "these words", NULL, NULL });
	print_row(&(struct option_row){ 'V', "version", NULL, "which version this is", NULL, NULL });
}

static void
note(const struct option_row *rows, int code)
{
	for (size_t i = 0; rows[i].help != NULL; i++) {
		if (code_of(rows, i) != code)
			continue;
		if (rows[i].flag != NULL)
			*rows[i].flag = true;
		if (rows[i].text != NULL)
			*rows[i].text = optarg;
	}
}

int
options_parse(const char *program, const char *arguments, const struct option_row *rows, int argc, char **argv)
{
	struct tables t = { 0 };
	int code;

	build(rows, &t);
	optind = 1;
	while ((code = getopt_long(argc, argv, t.letters, t.words, NULL)) != -1) {
		if (code == 'h') {
			print_usage(program, arguments, rows);
			exit(0);
		}
		if (code == 'V') {
			printf("%s (posthorn) %s\n", program, PACKAGE_VERSION);
			exit(0);
		}
		if (code == '?')
			return -1;
		note(rows, code);
	}
	return optind;
}
