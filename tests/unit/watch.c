/* SPDX-License-Identifier: ISC */
#include <sys/stat.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tap.h"
#include "watch.h"

static void
put(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	if (fd == -1 || write(fd, text, strlen(text)) == -1)
		exit(1);
	close(fd);
}

static const char *
none_if_null(const char *path)
{
	return path == NULL ? "none" : path;
}

#define CHANGED(w, want, what) do { \
	is_str(none_if_null(watch_changed(w)), want, "%s", what); \
	is_str(none_if_null(watch_changed(w)), "none", "... told once"); \
} while (0)

int
main(void)
{
	char dir[] = "/tmp/mxkeep-watch.XXXXXX";
	struct watch w;

	if (mkdtemp(dir) == NULL || chdir(dir) == -1)
		return 1;
	watch_init(&w);
	put("a", "1");
	put("b", "1");
	if (mkdir("d", 0700) == -1 || symlink("a", "link") == -1)
		return 1;
	ok(watch_add(&w, "a", WATCH_TEXT) == 0 &&
	    watch_add(&w, "d", WATCH_TEXT) == 0 &&
	    watch_add(&w, "link", WATCH_TEXT) == 0 &&
	    watch_add(&w, "none.yet", WATCH_TEXT) == 0 &&
	    watch_add(&w, "b", WATCH_PLACE) == 0, "five are watched");
	is_str(none_if_null(watch_changed(&w)), "none", "nothing is new");
	/* The clock of a file system may tick as slowly as that. */
	usleep(20000);
	put("a", "2");
	CHANGED(&w, "a", "as many octets, but others");
	put("d/x", "");
	CHANGED(&w, "d", "a name in a directory");
	if (symlink("b", "link.new") == -1 || rename("link.new", "link") == -1)
		return 1;
	CHANGED(&w, "link", "a link that leads elsewhere");
	put("none.yet", "");
	CHANGED(&w, "none.yet", "one that came");
	unlink("none.yet");
	CHANGED(&w, "none.yet", "and went");
	usleep(20000);
	put("b", "22");
	is_str(none_if_null(watch_changed(&w)), "link",
	    "the text of a place does not matter");
	chmod("b", 0644);
	CHANGED(&w, "link", "its mode does");
	put("b.new", "");
	if (rename("b.new", "b") == -1)
		return 1;
	is_str(none_if_null(watch_changed(&w)), "link", "another file there");
	watch_clear(&w);
	is_int((long)w.n, 0, "cleared");
	put("b", "1");
	ok(watch_add(&w, "b", WATCH_PLACE) == 0, "a place alone");
	put("b", "333");
	is_str(none_if_null(watch_changed(&w)), "none", "its text");
	chmod("b", 0640);
	CHANGED(&w, "b", "its mode");
	put("b.new", "");
	if (rename("b.new", "b") == -1)
		return 1;
	CHANGED(&w, "b", "another file");
	watch_clear(&w);
	if (system("rm -r a b d link") != 0 || chdir("/") == -1 ||
	    rmdir(dir) == -1)
		return 1;
	return done_testing();
}
