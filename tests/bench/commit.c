/* SPDX-License-Identifier: ISC */
/*
 * commit: what the file system can do.  So many writers make so many files in
 * one directory, each with the system calls of a message that is stored, and
 * nothing else.  Prints files and seconds.
 *
 * usage: commit [-l octets] [-m files] [-s writers] DIRECTORY
 *
 * DIRECTORY has to have new and tmp.
 */
#include <sys/file.h>
#include <sys/wait.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static double
now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec + ts.tv_nsec / 1e9;
}

static void
store(int mail, int tmp, const char *buf, size_t size)
{
	static unsigned n;
	char name[64], proc[64];
	int fd, dir;

	fd = openat(tmp, ".", O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600);
	if (fd == -1 || flock(fd, LOCK_EX | LOCK_NB) == -1)
		err(1, "O_TMPFILE");
	if (write(fd, buf, size) != (ssize_t)size)
		err(1, "write");
	dir = openat(mail, "new", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	snprintf(name, sizeof(name), "1700000000.P%ldQ%u.mx2.test,S=%zu",
	    (long)getpid(), ++n, size);
	if (linkat(fd, "", dir, name, AT_EMPTY_PATH) == -1) {
		/* Before Linux 6.10 that takes a capability. */
		snprintf(proc, sizeof(proc), "/proc/self/fd/%d", fd);
		if (linkat(AT_FDCWD, proc, dir, name, AT_SYMLINK_FOLLOW) == -1)
			err(1, "linkat");
	}
	if (fsync(fd) == -1 || fsync(dir) == -1)
		err(1, "fsync");
	close(dir);
	close(fd);
}

static void
work(const char *path, int files, size_t size)
{
	char *buf = malloc(size);
	int mail, tmp;

	mail = open(path, O_RDONLY | O_DIRECTORY);
	tmp = mail == -1 ? -1 : openat(mail, "tmp", O_RDONLY | O_DIRECTORY);
	if (buf == NULL || tmp == -1)
		err(1, "%s", path);
	memset(buf, 'x', size);
	while (files-- > 0)
		store(mail, tmp, buf, size);
	_exit(0);
}

static int
number(const char *text, int max)
{
	char *end;
	long n;

	n = strtol(text, &end, 10);
	if (*text == '\0' || *end != '\0' || n < 1 || n > max)
		errx(64, "bad number %s", text);
	return n;
}

int
main(int argc, char *argv[])
{
	int c, status, bad = 0, files = 1, writers = 1, size = 4500;
	double start;

	while ((c = getopt(argc, argv, "l:m:s:")) != -1) {
		switch (c) {
		case 'l': size = number(optarg, 1 << 26); break;
		case 'm': files = number(optarg, 10000000); break;
		case 's': writers = number(optarg, 1000); break;
		default: return 64;
		}
	}
	if (argc != optind + 1)
		errx(64, "one directory is wanted");
	start = now();
	for (int i = 0; i < writers; i++) {
		pid_t pid = fork();

		if (pid == -1)
			err(1, "fork");
		if (pid == 0)
			work(argv[optind], files / writers +
			    (i < files % writers), size);
	}
	while (wait(&status) != -1)
		bad |= status;
	printf("%d %.3f\n", files, now() - start);
	return bad != 0;
}
