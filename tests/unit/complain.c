/* SPDX-License-Identifier: ISC */
#include <errno.h>

#include "complain.h"
#include "tap.h"

struct heard {
	int status, n;
	char text[8192];
};

static void
hear(void *arg, int status, const char *text)
{
	struct heard *h = arg;

	h->status = status;
	h->n++;
	(void)strlcpy(h->text, text, sizeof(h->text));
}

int
main(void)
{
	static struct heard h;
	static char name[8000];
	struct complain c = { hear, &h };

	is_int(complain(&c, 75, "%s: %d", "a", 5), -1, "-1 to hand on");
	is_int(h.status, 75, "the status");
	is_str(h.text, "a: 5", "the text");
	errno = ENOENT;
	is_int(complain_errno(&c, 0, "%s", "file"), -1, "-1 with errno");
	is_int(h.status, 0, "a warning");
	is_str(h.text, "file: No such file or directory", "the error's words");
	errno = ENOMEM;
	complain_errno(&c, 1, NULL);
	is_str(h.text, "Cannot allocate memory", "those alone");
	memset(name, 'x', sizeof(name) - 1);
	complain(&c, 1, "%s", name);
	is_int(strlen(h.text), 4095, "what is too long is cut");
	is_int(h.n, 4, "each was heard once");
	return done_testing();
}
