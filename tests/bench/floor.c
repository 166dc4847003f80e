/* SPDX-License-Identifier: ISC */
/*
 * floor: what one process for each connection costs.  Answers every line of
 * SMTP with words that are always the same, and stores what follows DATA with
 * the system calls of a message that is stored.  It looks at nothing, logs
 * nothing, remembers nothing and gives no right away.
 *
 * usage: floor DIRECTORY		a listening socket on fd 0: forks
 *	  floor -x DIRECTORY		a connection on fd 0 and 1
 *
 * DIRECTORY has to have new and tmp.
 */
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <err.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static char in[65536];
static int mail, tmp;

static void
put(int fd, const char *text)
{
	if (write(fd, text, strlen(text)) == -1)
		_exit(1);
}

static void
store(size_t size)
{
	static unsigned n;
	char name[64];
	int fd, dir;

	fd = openat(tmp, ".", O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600);
	if (fd == -1 || flock(fd, LOCK_EX | LOCK_NB) == -1 ||
	    write(fd, in, size) != (ssize_t)size)
		_exit(1);
	dir = openat(mail, "new", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	snprintf(name, sizeof(name), "1700000000.P%ldQ%u.mx2.test,S=%zu",
	    (long)getpid(), ++n, size);
	if (linkat(fd, "", dir, name, AT_EMPTY_PATH) == -1 ||
	    fsync(fd) == -1 || fsync(dir) == -1)
		_exit(1);
	close(dir);
	close(fd);
}

static bool
ends(const char *with, size_t n, size_t len)
{
	return len >= n && memcmp(in + len - n, with, n) == 0;
}

/* One session, whose client waits for each reply. */
static _Noreturn void
serve(int from, int to)
{
	bool text = false;
	size_t len = 0;
	ssize_t n;

	put(to, "220 mx2.test ESMTP floor\r\n");
	while ((n = read(from, in + len, sizeof(in) - len)) > 0) {
		len += (size_t)n;
		if (!ends(text ? "\r\n.\r\n" : "\r\n", text ? 5 : 2, len))
			continue;
		if (text) {
			store(len);
			put(to, "250 2.0.0 kept\r\n");
			text = false;
		} else if (in[0] == 'D') {
			put(to, "354 end with <CRLF>.<CRLF>\r\n");
			text = true;
		} else if (in[0] == 'Q') {
			put(to, "221 2.0.0 bye\r\n");
			_exit(0);
		} else
			put(to, "250 ok\r\n");
		len = 0;
	}
	_exit(1);
}

static void
listen_and_fork(void)
{
	int fd, one = 1;

	(void)setsockopt(0, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	/* Nobody has to wait for the children. */
	signal(SIGCHLD, SIG_IGN);
	for (;;) {
		if ((fd = accept(0, NULL, NULL)) == -1)
			continue;
		switch (fork()) {
		case -1:
			warn("fork");
			break;
		case 0:
			serve(fd, fd);
		}
		close(fd);
	}
}

int
main(int argc, char *argv[])
{
	bool single = argc == 3 && strcmp(argv[1], "-x") == 0;

	if (argc != 2 && !single)
		errx(64, "one directory is wanted");
	mail = open(argv[argc - 1], O_RDONLY | O_DIRECTORY);
	tmp = mail == -1 ? -1 : openat(mail, "tmp", O_RDONLY | O_DIRECTORY);
	if (tmp == -1)
		err(1, "%s", argv[argc - 1]);
	if (single)
		serve(0, 1);
	listen_and_fork();
}
