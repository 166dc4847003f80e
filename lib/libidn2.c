/* SPDX-License-Identifier: ISC */
#include <dlfcn.h>
#include <idn2.h>
#include <string.h>

/*
 * The functions of libidn2 that idn.c calls, under their own names, for a
 * program that is not linked with it: each library costs an exec, and names
 * beyond ASCII are rare.
 */

#define LIBIDN2	"libidn2.so.0"

/* The address of NAME into the pointer to a function at F. */
static int
find(const char *name, void *f)
{
	static void *library;
	void *found;

	if (library == NULL)
		library = dlopen(LIBIDN2, RTLD_NOW | RTLD_LOCAL);
	if (library == NULL || (found = dlsym(library, name)) == NULL)
		return -1;
	memcpy(f, &found, sizeof(found));
	return 0;
}

int
idn2_lookup_u8(const uint8_t *src, uint8_t **lookupname, int flags)
{
	int (*f)(const uint8_t *, uint8_t **, int);

	/* What passes: the caller cannot go on now. */
	return find(__func__, &f) == -1 ? IDN2_MALLOC :
	    f(src, lookupname, flags);
}

const char *
idn2_strerror(int rc)
{
	const char *(*f)(int);

	return find(__func__, &f) == -1 ? "libidn2 cannot be loaded" : f(rc);
}

void
idn2_free(void *ptr)
{
	void (*f)(void *);

	if (ptr != NULL && find(__func__, &f) == 0)
		f(ptr);
}
