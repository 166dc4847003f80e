/* SPDX-License-Identifier: ISC */
/*
 * Runs a fuzz entry without a fuzzer: on the files given, or on those of
 * tests/fuzz/seeds/NAME for a program called fuzz-NAME; on each as it is,
 * cut short at every place, and with some bytes changed, the same ones in
 * every run.  A crash or a sanitizer's word is the failure.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tap.h"

#define CUTS	512	/* prefixes tried of one seed */
#define CHANGES	512	/* changed copies of one seed */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Exactly SIZE bytes on the heap, so that reading past them shows. */
static void
run(const uint8_t *data, size_t size)
{
	uint8_t *copy = malloc(size == 0 ? 1 : size);

	if (copy == NULL)
		abort();
	if (size != 0)
		memcpy(copy, data, size);
	LLVMFuzzerTestOneInput(copy, size);
	free(copy);
}

static void
run_changed(uint8_t *data, size_t size)
{
	uint32_t x = 2463534242;
	size_t i, k, at;
	uint8_t old;

	for (i = 0; i < CHANGES && size != 0; i++) {
		for (k = 0; k < 3; k++) {
			x ^= x << 13;
			x ^= x >> 17;
			x ^= x << 5;
		}
		at = x % size;
		old = data[at];
		data[at] = (uint8_t)(x >> 24);
		run(data, size);
		if (i % 4 != 0)	/* some of them pile up */
			data[at] = old;
	}
}

static void
run_file(const char *path)
{
	FILE *f = fopen(path, "rb");
	uint8_t *data = NULL;
	size_t size = 0, room = 0, n, step;

	if (!ok(f != NULL, "%s opens", path))
		return;
	do {
		room += 65536;
		data = realloc(data, room);
		if (data == NULL)
			abort();
		n = fread(data + size, 1, room - size, f);
		size += n;
	} while (size == room);
	fclose(f);
	run(data, size);
	step = size / CUTS + 1;
	for (n = 0; n < size; n += step)
		run(data, n);
	run_changed(data, size);
	free(data);
	ok(true, "%s (%zu bytes)", path, size);
}

static int
run_directory(const char *dir)
{
	struct dirent **e;
	char path[4096];
	int i, n;

	n = scandir(dir, &e, NULL, alphasort);
	for (i = 0; i < n; i++) {
		if (e[i]->d_name[0] != '.' && snprintf(path, sizeof(path),
		    "%s/%s", dir, e[i]->d_name) < (int)sizeof(path))
			run_file(path);
		free(e[i]);
	}
	if (n >= 0)
		free(e);
	return n;
}

int
main(int argc, char **argv)
{
	const char *name = strrchr(argv[0], '/');
	char dir[4096];
	int i;

	name = name == NULL ? argv[0] : name + 1;
	if (strncmp(name, "fuzz-", 5) == 0)
		name += 5;
	for (i = 1; i < argc; i++)
		run_file(argv[i]);
	if (argc == 1 && snprintf(dir, sizeof(dir), "tests/fuzz/seeds/%s",
	    name) < (int)sizeof(dir))
		ok(run_directory(dir) > 2, "there are seeds in %s", dir);
	run((const uint8_t *)"", 0);
	return done_testing();
}
