/* SPDX-License-Identifier: ISC */
/*
 * A whole session with the receiver, in this process: the first octet says
 * who calls and how, the others are what he says, cut into pieces.  What was
 * acknowledged must be in the spool, whole and for domains of ours only;
 * nothing else may be there.
 */
#include <sys/stat.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "conf.h"
#include "envelope.h"
#include "log.h"
#include "smtp_server.h"
#include "spool.h"
#include "stream.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const domains[] = {
	"example.org", "list.test", "small.test"
};
#define NDOMAINS (sizeof(domains) / sizeof(domains[0]))

static char dir[128];
static struct conf conf;
static struct spool *spool;

struct talk {
	const uint8_t *in;
	size_t left;
	size_t piece;		/* octets a read gets at most */
	bool late;		/* the end is a time-out */
	char out[1 << 20];
	size_t used;
};

static void
need(bool held)
{
	if (!held)
		abort();
}

static ssize_t
talk_read(void *arg, void *buf, size_t len, int64_t deadline)
{
	struct talk *t = arg;
	size_t n = len < t->piece ? len : t->piece;

	(void)deadline;
	if (n > t->left)
		n = t->left;
	if (n == 0 && t->late) {
		errno = ETIMEDOUT;
		return -1;
	}
	if (n > 0)
		memcpy(buf, t->in, n);
	t->in += n;
	t->left -= n;
	return (ssize_t)n;
}

static ssize_t
talk_write(void *arg, const void *buf, size_t len, int64_t deadline)
{
	struct talk *t = arg;
	size_t n = sizeof(t->out) - 1 - t->used;

	(void)deadline;
	if (n > len)
		n = len;
	memcpy(t->out + t->used, buf, n);
	t->used += n;
	return (ssize_t)len;
}

static const struct stream_ops talk_ops = { talk_read, talk_write };

static void
put(const char *name, const char *text)
{
	char path[512];
	FILE *f;

	need(snprintf(path, sizeof(path), "%s/%s", dir, name) <
	    (int)sizeof(path));
	f = fopen(path, "w");
	need(f != NULL && fputs(text, f) != EOF && fclose(f) == 0);
}

static int
remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static void
clean(void)
{
	(void)nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static void
begin(void)
{
	char path[512], error[CONF_ERROR_MAX];

	(void)snprintf(dir, sizeof(dir), "%s/mxkeep-fuzz.XXXXXX",
	    access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
	need(mkdtemp(dir) != NULL);
	atexit(clean);
	(void)snprintf(path, sizeof(path), "%s/domains", dir);
	need(mkdir(path, 0700) == 0);
	(void)snprintf(path, sizeof(path), "hostname mx2.test\n"
	    "spool %s/spool\nmax-size 20K\nmax-recipients 10\ntarpit 0\n"
	    "xclient 192.0.2.0/25\netrn 192.0.2.0/25\n", dir);
	put("mxkeep.conf", path);
	put("domains/example.org", "");
	put("domains/list.test", "recipients users\n");
	put("domains/small.test", "recipients verify\nwhen-up defer\n"
	    "quota 1M 1000\n");
	put("users", "a\nb@list.test\n");
	log_open("fuzz", LOG_TARGET_STDERR, -1);
	need(conf_load(&conf, dir, error) == 0);
	spool = spool_open(conf.spool, error);
	need(spool != NULL);
}

/* The message NAME in the folder of DOMAIN: whole, and all of it ours. */
static void
check_file(int folder, const char *name, const char *domain)
{
	static char buf[1 << 17];
	struct envelope e;
	const char *why;
	size_t wanted;
	int fd = openat(folder, name, O_RDONLY);
	ssize_t n = fd == -1 ? -1 : read(fd, buf, sizeof(buf));

	need(n > 0);
	need(envelope_parse(&e, buf, (size_t)n, &wanted, &why) == 0);
	need(strcmp(e.domain, domain) == 0 && e.state == ENVELOPE_WHOLE);
	need(memcmp(buf + e.length, "Received: from ", 15) == 0);
	need(memchr(buf, '\0', (size_t)n) == NULL);
	for (ssize_t i = 0; i < n; i++)
		need(buf[i] == '\n' ? i > 0 && buf[i - 1] == '\r' :
		    buf[i] != '\r' || (i + 1 < n && buf[i + 1] == '\n'));
	envelope_clear(&e);
	close(fd);
	need(unlinkat(folder, name, 0) == 0);
}

/* How many messages lie in the spool; they are taken away. */
static size_t
count_messages(void)
{
	size_t n = 0;

	for (size_t i = 0; i < NDOMAINS; i++) {
		int folder = spool_folder(spool, domains[i], SPOOL_NEW);
		struct dirent *d;
		DIR *stream;

		if (folder == -1)
			continue;
		stream = fdopendir(folder);
		need(stream != NULL);
		while ((d = readdir(stream)) != NULL)
			if (d->d_name[0] != '.') {
				check_file(folder, d->d_name, domains[i]);
				n++;
			}
		closedir(stream);
	}
	return n;
}

/* Ids that were acknowledged; each line is a reply. */
static size_t
count_ids(char *out)
{
	static const char kept[] = "250 2.0.0 kept as ";
	size_t n = 0;
	char *line, *eol;

	for (line = out; *line != '\0'; line = eol + 2) {
		need((eol = strstr(line, "\r\n")) != NULL);
		need(eol - line <= 2048 && eol - line >= 4);
		need(strspn(line, "0123456789") == 3 &&
		    (line[3] == ' ' || line[3] == '-'));
		if (strncmp(line, kept, sizeof(kept) - 1) != 0)
			continue;
		n++;
		for (char *p = line + sizeof(kept) - 1; p < eol; p++)
			n += *p == ' ';
	}
	return n;
}

static size_t
count_left(void)
{
	struct dirent *d;
	size_t n = 0;
	DIR *stream = spool_dir(spool->tmp, ".");

	need(stream != NULL);
	while ((d = readdir(stream)) != NULL)
		n += d->d_name[0] != '.';
	closedir(stream);
	return n;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct talk t;
	struct peer peer = { .port = 4711 };
	struct smtp_server_args args = {
		.conf = &conf,
		.peer = &peer,
		.ops = &talk_ops,
		.ops_arg = &t,
	};
	size_t messages;

	if (spool == NULL)
		begin();
	if (size == 0)
		return 0;
	/* Nobody, one who may much, one who may nothing. */
	(void)snprintf(peer.addr, sizeof(peer.addr), "%s",
	    (data[0] & 3) == 0 ? "" : (data[0] & 3) == 1 ? "192.0.2.1" :
	    "198.51.100.7");
	t.piece = (data[0] & 4) != 0 ? 1U + (data[0] >> 4) : SIZE_MAX;
	t.late = (data[0] & 8) != 0;
	t.in = data + 1;
	t.left = size - 1;
	t.used = 0;
	args.spool = spool;
	args.stream = stream_new(&talk_ops, &t);
	need(args.stream != NULL);
	need(smtp_serve(&args) == SMTP_SERVER_DONE);
	stream_free(args.stream);
	t.out[t.used] = '\0';
	messages = count_messages();
	if (t.used < sizeof(t.out) - 1)
		need(count_ids(t.out) == messages);
	need(count_left() == 0);
	return 0;
}
