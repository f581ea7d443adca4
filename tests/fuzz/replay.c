/*
 * replay — runs a fuzz target over its corpus without libFuzzer, so that every find stays a test.
 *
 * Each argument is a file or a folder of files. Every prefix of short inputs runs, too: parsers meet cut input all day.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static size_t runs;

static void
run_file(const char *path)
{
	FILE *f = fopen(path, "rb");
	uint8_t *bytes = malloc(1 << 20);
	size_t len, cut;

	if (f == NULL || bytes == NULL) {
		fprintf(stderr, "replay: cannot read %s\n", path);
		exit(1);
	}
	len = fread(bytes, 1, 1 << 20, f);
	fclose(f);
	for (cut = len > 512 ? len : 0; cut <= len; cut++) {
		/* An exact allocation, so that reading one byte too far is seen. */
		uint8_t *exact = malloc(cut + 1);

		if (exact == NULL)
			exit(1);
		for (size_t i = 0; i < cut; i++)
			exact[i] = bytes[i];
		exact = realloc(exact, cut > 0 ? cut : 1);
		(void)LLVMFuzzerTestOneInput(exact, cut);
		free(exact);
		runs++;
	}
	free(bytes);
}

static void
run_path(const char *path)
{
	struct stat st;
	struct dirent *entry;
	char child[4096];
	DIR *dir;

	if (stat(path, &st) == -1 || !S_ISDIR(st.st_mode)) {
		run_file(path);
		return;
	}
	dir = opendir(path);
	while (dir != NULL && (entry = readdir(dir)) != NULL) {
		if (entry->d_name[0] == '.')
			continue;
		snprintf(child, sizeof(child), "%s/%s", path, entry->d_name);
		run_path(child);
	}
	if (dir != NULL)
		closedir(dir);
}

int
main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		run_path(argv[i]);
	printf("replayed %zu inputs\n", runs);
	return runs > 0 ? 0 : 1;
}
