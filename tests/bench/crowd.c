/* SPDX-License-Identifier: ISC */
/*
 * crowd: so many messages waiting for a domain, written into a spool as
 * mx-spool(5) has it, all at once and not synced: a queue that took a week to
 * come is there in seconds.
 *
 * usage: crowd [-l octets] [-n messages] spool domain
 */
#include <sys/stat.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define WEEK	(7 * 24 * 3600)
#define ROOM	2048		/* for all but the text */

struct crowd {
	const char *domain;
	int dir;
	long n, length;
	char *file;		/* ROOM and the text */
};

static int
folder(const char *spool, const char *domain, const char *name)
{
	char path[4096];
	int n;

	n = snprintf(path, sizeof(path), "%s/mail/%s%s%s", spool, domain,
	    *name ? "/" : "", name);
	if (n < 0 || (size_t)n >= sizeof(path))
		errx(64, "too long: %s", spool);
	if (mkdir(path, 0700) == -1 && errno != EEXIST)
		err(1, "%s", path);
	return open(path, O_RDONLY | O_DIRECTORY);
}

/* The envelope; its own length is in its first line. */
static int
envelope(const struct crowd *c, char *buf, int length, time_t t)
{
	char when[32];
	struct tm tm;
	int n;

	gmtime_r(&t, &tm);
	strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%SZ", &tm);
	n = snprintf(buf, ROOM, "Mx-Envelope: 1 %08d -\r\n"
	    "Mx-Arrived: %lld %s\r\nMx-Domain: %s\r\n"
	    "Mx-Client: 127.0.0.1\r\nMx-Helo: load.test\r\n"
	    "Mx-Protocol: ESMTP\r\nMx-Sender: <sender@load.test>\r\n"
	    "Mx-Recipient: p <user@%s>\r\nMx-End: 1\r\n", length,
	    (long long)t, when, c->domain, c->domain);
	return n;
}

static void
message(const struct crowd *c, long i, time_t start)
{
	double at = (double)WEEK * i / c->n;
	time_t t = start + (time_t)at;
	char *p = c->file, base[256], name[300];
	long usec = (at - (time_t)at) * 1000000;
	int fd, n;

	snprintf(base, sizeof(base), "%lld.M%06ldP%dQ%ld.mx2.test",
	    (long long)t, usec, (int)getpid(), i);
	n = envelope(c, p, envelope(c, p, 0, t), t);
	n += snprintf(p + n, ROOM - n, "Received: from load.test "
	    "([127.0.0.1])\r\n\tby mx2.test with ESMTP id %s\r\n"
	    "Subject: message %ld\r\n\r\n", base, i);
	memset(p + n, 'x', c->length);
	for (long k = 72; k < c->length; k += 74)
		memcpy(p + n + k - 2, "\r\n", 2);
	n += c->length;
	memcpy(p + n - 2, "\r\n", 2);
	snprintf(name, sizeof(name), "%s,S=%d", base, n);
	fd = openat(c->dir, name, O_WRONLY | O_CREAT | O_EXCL, 0600);
	if (fd == -1 || write(fd, p, n) != n || close(fd) == -1)
		err(1, "%s", name);
}

static long
number(const char *arg, long least, long max)
{
	char *end;
	long n;

	n = strtol(arg, &end, 10);
	if (*arg == '\0' || *end != '\0' || n < least || n > max)
		errx(64, "bad number %s", arg);
	return n;
}

int
main(int argc, char *argv[])
{
	struct crowd c = { .n = 1000, .length = 4096 };
	time_t start = time(NULL) - WEEK - 60;
	int o;

	while ((o = getopt(argc, argv, "l:n:")) != -1) {
		switch (o) {
		case 'l': c.length = number(optarg, 2, 1 << 20); break;
		case 'n': c.n = number(optarg, 1, 10000000); break;
		default: return 64;
		}
	}
	if (argc - optind != 2)
		errx(64, "usage: crowd [-l octets] [-n messages] spool domain");
	c.domain = argv[optind + 1];
	if ((c.file = malloc(ROOM + c.length)) == NULL)
		err(1, NULL);
	umask(077);
	close(folder(argv[optind], c.domain, ""));
	close(folder(argv[optind], c.domain, "tmp"));
	close(folder(argv[optind], c.domain, "cur"));
	if ((c.dir = folder(argv[optind], c.domain, "new")) == -1)
		err(1, "%s", argv[optind]);
	for (long i = 0; i < c.n; i++)
		message(&c, i, start);
	return 0;
}
