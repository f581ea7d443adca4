#ifndef PROC_OPTIONS_H
#define PROC_OPTIONS_H
/* options — a command line as a table of rows; the usage text is printed from the same rows. */
#include <stdbool.h>

struct option_row {
	char		 letter;	/* 0: has only a word */
	const char	*word;		/* "config"; NULL: has only a letter */
	const char	*value;		/* what follows, for the usage text: "FILE"; NULL: nothing follows */
	const char	*help;
	bool		*flag;		/* set when seen (no value) */
	const char	**text;		/* set to the value (borrowed from argv) */
};

/* -h and -V are answered here. Returns the index of the first argument that is no option, or -1 after saying what is wrong. */
int	options_parse(const char *program, const char *arguments, const struct option_row *, int argc, char **argv);

#endif
