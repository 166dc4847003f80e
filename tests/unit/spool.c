/* SPDX-License-Identifier: ISC */
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdarg.h>
#include <stdlib.h>
#include <unistd.h>

#include "draft.h"
#include "ledger.h"
#include "message.h"
#include "scan.h"
#include "spool.h"
#include "sweep.h"
#include "tap.h"

#define HEADER "Received: by test\r\n"
#define BODY "Subject: x\r\n\r\nhello\r\n"

static char top[200], dir[256];
static struct spool *sp;

static int
remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static const char * __attribute__((format(printf, 1, 2)))
in_spool(const char *fmt, ...)
{
	static char path[2][1024];
	static int turn;
	char *p = path[turn ^= 1];
	va_list ap;
	int n = snprintf(p, 1024, "%s/", dir);

	va_start(ap, fmt);
	(void)vsnprintf(p + n, (size_t)(1024 - n), fmt, ap);
	va_end(ap);
	return p;
}

/* A spool of its own for each group of checks. */
static void
fresh(void)
{
	static int n;
	char error[512];

	spool_close(sp);
	(void)snprintf(dir, sizeof(dir), "%s/%d", top, n++);
	if ((sp = spool_open(dir, error)) == NULL) {
		printf("# %s\n", error);
		abort();
	}
}

static void
envelope_for(struct envelope *e, const char *domain, int nrcpt)
{
	char address[300];

	envelope_init(e);
	e->arrived = time(NULL);
	(void)snprintf(e->domain, sizeof(e->domain), "%s", domain);
	if (envelope_set_sender(e, "ann@sender.test", "") == -1)
		abort();
	for (int i = 0; i < nrcpt; i++) {
		(void)snprintf(address, sizeof(address), "u%d@%s", i, domain);
		if (envelope_add(e, address, "") == -1)
			abort();
	}
}

/* A message of its own; its id into ID. */
static void
add(const char *domain, int nrcpt, char *id)
{
	struct envelope e, *list = &e;
	char base[MSGID_BASE_MAX + 1];
	struct draft *d;

	envelope_for(&e, domain, nrcpt);
	msgid_new(base, "mx2.test");
	d = draft_begin(sp, &list, 1, base, HEADER);
	if (d == NULL || draft_write(d, BODY, strlen(BODY)) == -1 ||
	    draft_commit(d) == -1)
		abort();
	(void)strlcpy(id, draft_id(d, 0), MSGID_MAX + 1);
	draft_free(d);
	envelope_clear(&e);
}

static char *
slurp(const char *path, size_t *len)
{
	FILE *f = fopen(path, "r");
	char *buf = malloc(1000000);

	if (f == NULL || buf == NULL)
		abort();
	*len = fread(buf, 1, 1000000, f);
	fclose(f);
	return buf;
}

/* Names in the directories below PATH that are files. */
static int nfiles;
static int
count_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)path;
	(void)st;
	(void)ftw;
	nfiles += type == FTW_F || type == FTW_SL;
	return 0;
}

static int
files(const char *path)
{
	nfiles = 0;
	nftw(path, count_one, 8, FTW_PHYS);
	return nfiles;
}

static enum message_opened
open_it(const char *domain, const char *id, bool lock, struct message *m,
    const char **why)
{
	struct scan_found found;

	if (scan_find(sp, id, &found) != 1)
		return MESSAGE_GONE;
	return message_open(sp, domain, &found.entry, lock, m, why);
}

static void
check_open(void)
{
	char error[512], path[300];
	struct spool *s;
	struct stat st;

	fresh();
	ok(stat(in_spool("trigger"), &st) == 0 && S_ISFIFO(st.st_mode),
	    "a new spool has its FIFO");
	is_int(stat(dir, &st) == 0 ? st.st_mode & 07777 : 0, 0700, "is ours");
	unlink(in_spool("trigger"));
	s = spool_open(dir, error);
	ok(s != NULL && stat(in_spool("trigger"), &st) == 0,
	    "a FIFO that is missing is made");
	spool_close(s);
	(void)snprintf(path, sizeof(path), "%s/no/such", top);
	ok(spool_open(path, error) == NULL, "the parent must be there");
	ok(strstr(error, path) != NULL && strstr(error, "No such") != NULL,
	    "and it is said");
	(void)snprintf(path, sizeof(path), "%s/file", top);
	close(open(path, O_CREAT | O_WRONLY, 0600));
	ok(spool_open(path, error) == NULL, "a file is no spool");
	(void)snprintf(path, sizeof(path), "%s/loose", top);
	mkdir(path, 0700);
	for (int i = 0; i < 3; i++) {
		static const struct { mode_t mode; bool good; } modes[] = {
			{ 0777, false }, { 0770, false }, { 0755, true } };

		chmod(path, modes[i].mode);
		s = spool_open(path, error);
		is_int(s != NULL, modes[i].good, "mode %o",
		    (unsigned)modes[i].mode);
		spool_close(s);
	}
	if (geteuid() == 0 && chown(path, 65534, 65534) == 0) {
		chmod(path, 0700);
		ok(spool_open(path, error) == NULL && strstr(error,
		    "does not belong") != NULL, "somebody else's is refused");
	} else
		skip("not root", "somebody else's is refused");
	(void)snprintf(path, sizeof(path), "%s/none/spool", dir);
	ok(spool_open(path, error) == NULL && strstr(error, "; make it, with "
	    "mode 0700") != NULL, "what is missing is to be made");
	is_int(spool_space(sp, 0), 0, "there is room");
	errno = 0;
	ok(spool_space(sp, INT64_MAX) == -1 && errno == ENOSPC,
	    "not for everything");
	ok(spool_space(sp, INT64_MAX / 2) == -1, "nor half of it");
}

static void
check_names(void)
{
	static const char *const bad[] = { "", ".", "..", "a/b", "../x",
	    "Example.org", "example.org.", "1.2.3.4", "_x.test", "-a.test" };
	struct envelope e, *list = &e;
	struct draft *d;
	struct domain dom;
	char base[MSGID_BASE_MAX + 1];

	fresh();
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		envelope_for(&e, bad[i], 1);
		msgid_new(base, "mx2.test");
		errno = 0;
		d = draft_begin(sp, &list, 1, base, "");
		ok(d == NULL && errno == EINVAL, "\"%s\" is no folder",
		    bad[i]);
		envelope_clear(&e);
		ok(scan_open(sp, bad[i], SCAN_QUEUED) == NULL &&
		    ledger_lock(sp, bad[i]) == -1 &&
		    ledger_load(sp, bad[i], &dom) == -1 &&
		    ledger_save(sp, bad[i], &dom) == -1 &&
		    ledger_outage(sp, bad[i], "down", "") == -1 &&
		    ledger_hold(sp, bad[i], NULL, 0, "") == -1 &&
		    ledger_release(sp, bad[i], NULL) == -1,
		    "\"%s\" is no domain", bad[i]);
	}
	is_int(files(dir), 1, "nothing but the FIFO is there");
	envelope_for(&e, "a.test", 1);
	ok(draft_begin(sp, &list, 1, "nodots", "") == NULL, "no base");
	ok(draft_begin(sp, &list, 0, "1.a.b", "") == NULL, "no envelope");
	envelope_clear(&e);
}

static void
check_write(void)
{
	struct envelope e, *list = &e;
	struct message m;
	struct draft *d;
	char base[MSGID_BASE_MAX + 1], *text, *block;
	static char big[200000];
	const char *why;
	size_t len;

	fresh();
	envelope_for(&e, "a.test", 2);
	msgid_new(base, "mx2.test");
	d = draft_begin(sp, &list, 1, base, HEADER);
	if (d == NULL)
		abort();
	for (size_t i = 0; i < sizeof(big); i++)
		big[i] = (char)('a' + i % 23);
	is_int(draft_write(d, "x", 1), 0, "a little");
	is_int(draft_write(d, big, 65536), 0, "a buffer");
	is_int(draft_write(d, big, sizeof(big)), 0, "more than that");
	is_int(draft_write(d, "", 0), 0, "nothing");
	is_int(draft_size(d), 19 + 1 + 65536 + (int)sizeof(big),
	    "its size so far");
	is_int(files(in_spool("mail")), 0, "not there yet");
	is_int(draft_commit(d), 0, "commit");
	is_int(open_it("a.test", base, true, &m, &why), MESSAGE_BUSY,
	    "the writer holds its lock");
	draft_free(d);
	is_int(files(in_spool("tmp")), 0, "no temporary is left");
	if (!ok(open_it("a.test", base, true, &m, &why) == MESSAGE_OPENED,
	    "now it is free"))
		return;
	is_int(m.entry.folder, SPOOL_NEW, "in new/");
	is_int(m.size, 19 + 1 + 65536 + (int)sizeof(big), "its size");
	text = slurp(in_spool("mail/a.test/new/%s", m.entry.name), &len);
	is_int(len, m.entry.msgid.size, "the file has the size of its name");
	block = envelope_print(&e, &len);
	ok(memcmp(text, block, len) == 0, "envelope");
	is_int(m.offset, len, "then the message");
	ok(memcmp(text + m.offset, HEADER "x", 20) == 0 &&
	    memcmp(text + m.offset + 20, big, 65536) == 0 &&
	    memcmp(text + m.offset + 20 + 65536, big, sizeof(big)) == 0,
	    "octet for octet");
	message_close(&m);
	free(text);
	free(block);
	/* an abort leaves nothing */
	msgid_new(base, "mx2.test");
	d = draft_begin(sp, &list, 1, base, HEADER);
	draft_write(d, big, sizeof(big));
	draft_abort(d);
	is_int(files(in_spool("mail")), 1, "an abort leaves nothing");
	is_int(files(in_spool("tmp")), 0, "in tmp/ neither");
	envelope_clear(&e);
}

/* Two domains, all or none. */
static void
check_two(void)
{
	static char big[80000], got[80000];
	struct envelope a, b, *list[2] = { &a, &b };
	struct message m;
	struct draft *d;
	char base[MSGID_BASE_MAX + 1];
	const char *why;

	fresh();
	envelope_for(&a, "a.test", 1);
	envelope_for(&b, "b.test", 3);
	msgid_new(base, "mx2.test");
	d = draft_begin(sp, list, 2, base, HEADER);
	draft_write(d, BODY, strlen(BODY));
	is_int(draft_commit(d), 0, "two files");
	ok(strcmp(draft_id(d, 0), draft_id(d, 1)) != 0,
	    "each with its id");
	for (int i = 0; i < 2; i++) {
		char id[MSGID_MAX + 1];
		struct scan_found f;
		char text[100] = "";

		(void)strlcpy(id, draft_id(d, (size_t)i), sizeof(id));
		ok(scan_find(sp, id, &f) == 1 &&
		    strcmp(f.domain, list[i]->domain) == 0, "in its folder");
		is_int(message_open(sp, f.domain, &f.entry, false, &m, &why),
		    MESSAGE_OPENED, "opens");
		is_int(m.envelope.nrcpt, i == 0 ? 1 : 3, "its recipients");
		is_int(pread(m.fd, text, sizeof(text) - 1, m.offset),
		    (int)strlen(HEADER BODY), "as long");
		is_str(text, HEADER BODY, "the same text");
		message_close(&m);
	}
	draft_free(d);
	/* more than a buffer, in one piece and in several */
	fresh();
	msgid_new(base, "mx2.test");
	d = draft_begin(sp, list, 2, base, HEADER);
	memset(big, 'x', sizeof(big));
	for (size_t i = 0; i < 5; i++) {
		big[i * 1000] = (char)('0' + i);
		draft_write(d, big, i == 2 ? sizeof(big) : 30000);
	}
	is_int(draft_commit(d), 0, "two large files");
	for (int i = 0; i < 2; i++) {
		char id[MSGID_MAX + 1];
		struct scan_found f;
		size_t at = strlen(HEADER);

		(void)strlcpy(id, draft_id(d, (size_t)i), sizeof(id));
		scan_find(sp, id, &f);
		message_open(sp, f.domain, &f.entry, false, &m, &why);
		memset(big, 'x', sizeof(big));
		for (size_t j = 0; j < 5; j++) {
			size_t n = j == 2 ? sizeof(big) : 30000;

			big[j * 1000] = (char)('0' + j);
			is_int(pread(m.fd, got, n, m.offset + (off_t)at),
			    (intmax_t)n, "all of it");
			ok(memcmp(got, big, n) == 0, "piece %zu of %d", j, i);
			at += n;
		}
		is_int(pread(m.fd, got, 1, m.offset + (off_t)at), 0,
		    "no more");
		message_close(&m);
	}
	draft_free(d);
	/* the second one's folder is a file */
	fresh();
	close(open(in_spool("mail/b.test"), O_CREAT | O_WRONLY, 0600));
	msgid_new(base, "mx2.test");
	d = draft_begin(sp, list, 2, base, HEADER);
	draft_write(d, BODY, strlen(BODY));
	is_int(draft_commit(d), -1, "one place is missing");
	draft_abort(d);
	is_int(files(in_spool("mail/a.test")), 0, "so there is none");
	is_int(files(in_spool("tmp")), 0, "and no temporary");
	/* the second one's folder leads elsewhere */
	fresh();
	mkdir(in_spool("mail/b.test"), 0700);
	(void)!symlink("/tmp", in_spool("mail/b.test/new"));
	msgid_new(base, "mx2.test");
	d = draft_begin(sp, list, 2, base, HEADER);
	draft_write(d, BODY, strlen(BODY));
	is_int(draft_commit(d), -1, "no folder is a symbolic link");
	draft_abort(d);
	is_int(files(in_spool("mail/a.test")), 0, "so there is none");
	envelope_clear(&a);
	envelope_clear(&b);
}

static void
check_lock(void)
{
	char id[MSGID_MAX + 1];
	struct message m;
	const char *why;
	int status, fd;
	pid_t pid;

	fresh();
	add("a.test", 1, id);
	is_int(open_it("a.test", id, true, &m, &why), MESSAGE_OPENED, "ours");
	fd = ledger_lock(sp, "a.test");
	ok(fd != -1, "the domain too");
	fflush(stdout);
	if ((pid = fork()) == 0) {
		struct message n;
		char error[512];
		struct spool *s = spool_open(dir, error);
		int result = 0;

		sp = s;
		if (open_it("a.test", id, true, &n, &why) != MESSAGE_BUSY)
			result |= 1;
		if (open_it("a.test", id, false, &n, &why) != MESSAGE_OPENED)
			result |= 2;
		if (ledger_lock(s, "a.test") != -1 ||
		    errno != EWOULDBLOCK)
			result |= 4;
		_exit(result);
	}
	waitpid(pid, &status, 0);
	is_int(WEXITSTATUS(status), 0,
	    "another process finds it busy, may read it, has not the domain");
	close(fd);
	/* removed under lock, while a list has it */
	is_int(message_remove(sp, &m), 0, "removed");
	message_close(&m);
	is_int(open_it("a.test", id, true, &m, &why), MESSAGE_GONE, "gone");
	is_int(scan_waiting(sp, "a.test"), 0, "nothing waits");
}

/* A reader renames the file while we hold a list. */
static void
check_reader(void)
{
	static const char *const flags[] = { ":2,", ":2,S" };
	char id[MSGID_MAX + 1];
	struct message m;
	struct scan_entry *e;
	struct scan_found found;
	const char *why;
	size_t n;

	fresh();
	add("a.test", 1, id);
	if (open_it("a.test", id, true, &m, &why) != MESSAGE_OPENED)
		abort();
	rename(in_spool("mail/a.test/new/%s", id),
	    in_spool("mail/a.test/cur/%s:2,RS", id));
	is_int(message_remove(sp, &m), 0, "removed while a reader renames it");
	is_int(files(in_spool("mail")), 0, "indeed");
	is_int(message_remove(sp, &m), 0, "gone already");
	message_close(&m);
	for (size_t i = 0; i < 2; i++) {
		fresh();
		add("a.test", 1, id);
		if (scan_sorted(sp, "a.test", SCAN_WAITING, &e, &n) == -1 ||
		    n != 1)
			abort();
		rename(in_spool("mail/a.test/new/%s", id),
		    in_spool("mail/a.test/cur/%s%s", id, flags[i]));
		is_int(message_open(sp, "a.test", e, true, &m, &why),
		    MESSAGE_OPENED, "found with %s", flags[i]);
		is_int(m.entry.folder, SPOOL_CUR, "where it is now");
		is_int(message_mark(&m, 0, RCPT_DELIVERED), 0, "marked");
		is_int(message_remove(sp, &m), 0, "removed");
		message_close(&m);
		is_int(files(in_spool("mail")), 0, "indeed");
		free(e);
	}
	fresh();
	add("a.test", 1, id);
	if (scan_sorted(sp, "a.test", SCAN_WAITING, &e, &n) == -1 || n != 1 ||
	    open_it("a.test", id, true, &m, &why) != MESSAGE_OPENED ||
	    message_move(sp, &m, SPOOL_HELD) == -1)
		abort();
	message_close(&m);
	is_int(message_open(sp, "a.test", e, true, &m, &why), MESSAGE_GONE,
	    "put on hold while it was listed as waiting: gone");
	is_int(open_it("a.test", id, true, &m, &why), MESSAGE_OPENED,
	    "there for who looks among the held");
	message_close(&m);
	free(e);
	fresh();
	add("a.test", 1, id);
	rename(in_spool("mail/a.test/new/%s", id),
	    in_spool("mail/a.test/cur/%s:2,FRS", id));
	is_int(scan_find(sp, id, &found), 1, "any flags are found");
	is_str(found.entry.id, id, "its id has none");
	ok(strstr(found.entry.name, ":2,FRS") != NULL, "its name does");
	*strchr(id, ',') = '\0';
	is_int(scan_find(sp, id, &found), 1, "by its base too");
	is_int(scan_find(sp, "1.M1P1Q1.h", &found), 0, "no other");
	is_int(scan_find(sp, "../../x", &found), 0, "nor a path");
	is_int(scan_find(sp, "", &found), 0, "nor nothing");
}

/* Things put into the queue that are no message, and why not. */
static void
plant(const char *what, const char *id, const char *where)
{
	const char *path = in_spool("mail/a.test/new/%s", id);
	int fd;

	if (strcmp(what, "link") == 0) {
		(void)!link(path, where);
		return;
	}
	if (strcmp(what, "short") == 0 || strcmp(what, "long") == 0 ||
	    strcmp(what, "empty") == 0) {
		(void)!truncate(path, *what == 's' ? 150 : *what == 'l' ?
		    100000 : 0);
		return;
	}
	if (strcmp(what, "noise") == 0) {
		fd = open(path, O_WRONLY);
		(void)!write(fd, "X", 1);
		close(fd);
		return;
	}
	if (strcmp(what, "domain") == 0) {
		fd = open(path, O_RDWR);
		(void)!pwrite(fd, "Mx-Domain: b", 12, 27 + 45);
		close(fd);
		return;
	}
	unlink(path);
	if (strcmp(what, "symlink") == 0)
		(void)!symlink("/etc/passwd", path);
	else if (strcmp(what, "fifo") == 0)
		mkfifo(path, 0600);
	else
		mkdir(path, 0700);
}

static void
check_planted(void)
{
	static const struct {
		const char *what, *why;
	} cases[] = {
		{ "link", "it has a second name" },
		{ "symlink", "it is no regular file" },
		{ "fifo", "it is no regular file" },
		{ "directory", "it is no regular file" },
		{ "short", "its size is not the one in its name" },
		{ "long", "its size is not the one in its name" },
		{ "empty", "its size is not the one in its name" },
		{ "noise", "it does not begin with an envelope of version 1" },
		{ "domain", "its envelope names another domain" },
	};
	char id[MSGID_MAX + 1];
	struct message m;
	const char *why;
	struct stat st;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		fresh();
		add("a.test", 1, id);
		plant(cases[i].what, id, in_spool("other"));
		for (int lock = 0; lock < 2; lock++) {
			alarm(5);	/* nothing may block */
			why = NULL;
			is_int(open_it("a.test", id, lock, &m, &why),
			    MESSAGE_DAMAGED, "%s, lock %d", cases[i].what,
			    lock);
			alarm(0);
			is_str(why, cases[i].why, "and why");
		}
		is_int(sweep_run(sp, 0, false, NULL, NULL), 0, "a sweep");
		is_int(lstat(in_spool("mail/a.test/new/%s", id), &st), 0,
		    "does not touch it");
	}
}

static void
check_void(void)
{
	char id[MSGID_MAX + 1];
	struct message m;
	const char *why;
	int fd;

	for (int torn = 0; torn < 2; torn++) {
		fresh();
		add("a.test", 1, id);
		fd = open(in_spool("mail/a.test/new/%s", id), O_RDWR);
		(void)!pwrite(fd, "V", 1, ENVELOPE_STATE);
		if (torn)
			(void)!ftruncate(fd, 60);
		close(fd);
		is_int(open_it("a.test", id, false, &m, &why), MESSAGE_VOIDED,
		    "void, torn %d", torn);
		is_int(files(in_spool("mail")), 1, "kept by a reader");
		is_int(open_it("a.test", id, true, &m, &why), MESSAGE_VOIDED,
		    "void under lock");
		is_int(files(in_spool("mail")), 0, "removed");
	}
	add("a.test", 1, id);
	fd = open(in_spool("mail/a.test/new/%s", id), O_RDWR);
	(void)!pwrite(fd, "V", 1, ENVELOPE_STATE);
	close(fd);
	is_int(sweep_run(sp, 1000, true, NULL, NULL), 0, "a dry sweep");
	is_int(files(in_spool("mail")), 1, "looks only");
	is_int(sweep_run(sp, 1000, false, NULL, NULL), 0, "a sweep");
	is_int(files(in_spool("mail")), 0, "removes void ones of any age");
}

static void
check_mark(void)
{
	char id[MSGID_MAX + 1], *before, *after;
	struct message m;
	const char *why;
	size_t n, k, i, changed = 0;

	fresh();
	add("a.test", 3, id);
	before = slurp(in_spool("mail/a.test/new/%s", id), &n);
	if (open_it("a.test", id, true, &m, &why) != MESSAGE_OPENED)
		abort();
	is_int(message_mark(&m, 1, RCPT_FAILED), 0, "marked");
	is_int(message_sync(&m), 0, "durably");
	is_int(m.envelope.rcpt[1].status, RCPT_FAILED, "in memory");
	after = slurp(in_spool("mail/a.test/new/%s", id), &k);
	for (i = 0; i < n; i++)
		changed += before[i] != after[i];
	ok(n == k && changed == 1, "exactly one octet changed");
	is_int(after[m.envelope.rcpt[1].where], 'f', "the right one");
	message_close(&m);
	is_int(open_it("a.test", id, true, &m, &why), MESSAGE_OPENED, "again");
	is_int(m.envelope.rcpt[0].status, RCPT_PENDING, "the first");
	is_int(m.envelope.rcpt[1].status, RCPT_FAILED, "the second");
	message_close(&m);
	free(before);
	free(after);
}

static void
check_replies(void)
{
	char id[MSGID_MAX + 1], plan[MSGID_MAX + 1], **r, text[901];
	struct message m;
	struct stat before, after;
	const char *why;
	size_t bad = 0;

	fresh();
	add("a.test", 200, id);
	if (open_it("a.test", id, true, &m, &why) != MESSAGE_OPENED)
		abort();
	r = message_replies(sp, &m);
	ok(r != NULL && r[0][0] == '\0' && r[199][0] == '\0', "none yet");
	free(r);
	is_int(message_planned(sp, &m, plan), 0, "no plan");
	is_str(plan, "", "indeed");
	is_int(message_reply_add(sp, &m, 1, "450 later"), 0, "a reply");
	is_int(message_reply_add(sp, &m, 1, "550 no\nforged\t1"), 0, "another");
	is_int(message_reply_add(sp, &m, 10, "451 tab\there"), 0, "of a tenth");
	stat(in_spool("state/a.test/replies/%.*s", (int)strcspn(id, ","), id),
	    &before);
	is_int(message_reply_add(sp, &m, 1, "550 no"), 0, "the same again");
	ok(stat(in_spool("state/a.test/replies/%.*s", (int)strcspn(id, ","),
	    id), &after) == 0 && after.st_ino == before.st_ino,
	    "is not written again");
	is_int(message_plan(sp, &m, "1.a.b 7"), 0, "a plan");
	is_int(message_plan(sp, &m, "1.a.b 8"), 0, "a better one");
	r = message_replies(sp, &m);
	is_str(r[0], "", "of the first none");
	is_str(r[1], "550 no", "the last one counts, its first line");
	is_str(r[10], "451 tab\there", "as it was");
	free(r);
	is_int(message_planned(sp, &m, plan), 0, "the plan");
	is_str(plan, "1.a.b 8", "is there");
	/* many and long ones: none is lost, nor is the plan */
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	for (size_t i = 0; i < 200; i++)
		if (message_reply_add(sp, &m, i, text) == -1)
			bad++;
	is_int(bad, 0, "200 long ones");
	r = message_replies(sp, &m);
	for (size_t i = 0; i < 200; i++)
		bad += strcmp(r[i], text) != 0;
	is_int(bad, 0, "are all there");
	free(r);
	is_int(message_planned(sp, &m, plan), 0, "and the plan");
	is_str(plan, "1.a.b 8", "still");
	message_close(&m);
	if (open_it("a.test", id, true, &m, &why) != MESSAGE_OPENED ||
	    message_move(sp, &m, SPOOL_CUR) == -1)
		abort();
	is_int(files(in_spool("state/a.test/replies")), 1, "kept in cur/");
	is_int(message_remove(sp, &m), 0, "the message goes");
	is_int(files(in_spool("state/a.test/replies")), 0, "and they");
	message_close(&m);
}

static void
check_move(void)
{
	static const struct {
		enum spool_folder to;
		const char *path;
	} moves[] = {
		{ SPOOL_CUR, "cur" },
		{ SPOOL_HELD, ".Held/cur" },
		{ SPOOL_CUR, "cur" },
		{ SPOOL_SENT, ".Sent/cur" },
		{ SPOOL_EXPIRED, ".Expired/cur" },
	};
	char id[MSGID_MAX + 1];
	struct message m;
	struct stat st;
	const char *why;
	size_t i;

	fresh();
	add("a.test", 1, id);
	if (open_it("a.test", id, true, &m, &why) != MESSAGE_OPENED)
		abort();
	for (i = 0; i < sizeof(moves) / sizeof(moves[0]); i++) {
		is_int(message_move(sp, &m, moves[i].to), 0, "to %s",
		    moves[i].path);
		is_int(stat(in_spool("mail/a.test/%s/%s:2,", moves[i].path,
		    id), &st), 0, "is there");
		is_int(files(in_spool("mail")), 1, "and nowhere else");
	}
	is_int(spool_sync_domain(sp, "a.test"), 0, "durably");
	is_int(scan_waiting(sp, "a.test"), 0, "copies do not wait");
	message_close(&m);
	is_int(open_it("a.test", id, true, &m, &why), MESSAGE_GONE,
	    "nor are they found");
}

static void
check_lists(void)
{
	static const char *const names[] = { "new/3.M2P1Q1.h,S=1",
	    "cur/3.M1P1Q1.h,S=1:2,S", "new/1.M9P1Q1.h,S=1",
	    ".Held/cur/2.M1P1Q1.h,S=1:2,", "new/3.M2P1Q0.h,S=1", "new/.dot",
	    "new/README", "cur/10.M1P1Q1.h:2,", ".Sent/cur/1.M1P1Q1.h,S=1" };
	char **list, id[MSGID_MAX + 1], all[512] = "";
	struct scan_entry *e;
	size_t n, i;

	fresh();
	add("b.test", 1, id);
	add("a.test", 1, id);
	mkdir(in_spool("mail/Bad.test"), 0700);
	mkdir(in_spool("mail/.hidden"), 0700);
	close(open(in_spool("mail/file.test"), O_CREAT | O_WRONLY, 0600));
	(void)!symlink("a.test", in_spool("mail/link.test"));
	list = spool_domains(sp);
	ok(list != NULL && strcmp(list[0], "a.test") == 0 &&
	    strcmp(list[1], "b.test") == 0 && list[2] == NULL,
	    "domains in order, and no others");
	free(list);
	unlink(in_spool("mail/a.test/new/%s", id));
	mkdir(in_spool("mail/a.test/.Held"), 0700);
	mkdir(in_spool("mail/a.test/.Held/cur"), 0700);
	mkdir(in_spool("mail/a.test/.Sent"), 0700);
	mkdir(in_spool("mail/a.test/.Sent/cur"), 0700);
	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		close(open(in_spool("mail/a.test/%s", names[i]),
		    O_CREAT | O_WRONLY, 0600));
	is_int(scan_sorted(sp, "a.test", SCAN_QUEUED, &e, &n), 0, "sorted");
	for (i = 0; i < n; i++) {
		(void)strlcat(all, e[i].id, sizeof(all));
		(void)strlcat(all, " ", sizeof(all));
	}
	is_str(all, "1.M9P1Q1.h,S=1 2.M1P1Q1.h,S=1 3.M1P1Q1.h,S=1 "
	    "3.M2P1Q0.h,S=1 3.M2P1Q1.h,S=1 10.M1P1Q1.h ",
	    "oldest first, by number, ids without flags");
	free(e);
	is_int(scan_sorted(sp, "none.test", SCAN_QUEUED, &e, &n), 0,
	    "a domain without mail");
	is_int(n, 0, "has none");
	free(e);
	is_int(scan_waiting(sp, "none.test"), 0, "nothing waits for it");
	is_int(scan_waiting(sp, "a.test"), 1, "something for the other");
}

static void
check_domain_files(void)
{
	struct domain d, e;
	char *text;
	size_t len;

	fresh();
	is_int(ledger_load(sp, "a.test", &d), 0, "nothing known");
	is_int(d.state, DOMAIN_UNKNOWN, "is unknown");
	d.state = DOMAIN_DOWN;
	d.since = 5;
	(void)snprintf(d.error, sizeof(d.error), "gone");
	is_int(ledger_save(sp, "a.test", &d), 0, "saved");
	is_int(ledger_load(sp, "a.test", &e), 0, "loaded");
	ok(e.state == DOMAIN_DOWN && strcmp(e.error, "gone") == 0, "the same");
	is_int(files(in_spool("tmp")), 0, "no temporary is left");
	is_int(ledger_outage(sp, "a.test", "down", "gone"), 0, "an event");
	is_int(ledger_outage(sp, "a.test", "up", ""), 0, "another");
	text = slurp(in_spool("state/a.test/outages"), &len);
	text[len] = '\0';
	ok(strstr(text, "Z\tdown\tgone\n") != NULL &&
	    strstr(text, "Z\tup\t\n") != NULL, "a line each");
	free(text);
	is_int(sweep_last_run(sp), 0, "never expired");
	is_int(sweep_last_run_set(sp, 1764000000), 0, "now");
	is_int(sweep_last_run(sp), 1764000000, "known");
}

static void
put_holds(const char *text)
{
	FILE *f;

	mkdir(in_spool("state/a.test"), 0700);
	f = fopen(in_spool("state/a.test/holds"), "w");
	if (f == NULL || fputs(text, f) == EOF || fclose(f) != 0)
		abort();
}

static const struct {
	const char *log, *id;
	int64_t want;		/* for a message of 1000, at 2000 */
} holds[] = {
	{ "", "1000.a.h", 0 },
	{ "1100 hold *\n1200 release *\n", "1000.a.h", 100 },
	{ "1100 hold *\n", "1000.a.h", 900 },
	{ "500 hold *\n", "1000.a.h", 1000 },
	{ "500 hold *\n1100 release *\n", "1000.a.h", 100 },
	{ "500 hold *\n600 release *\n", "1000.a.h", 0 },
	{ "1100 hold *\n1150 hold *\n1200 release *\n", "1000.a.h", 100 },
	{ "1100 release *\n1200 hold *\n1300 release *\n", "1000.a.h", 100 },
	{ "1100 hold *\n1200 release *\n1500 hold *\n1600 release *\n",
	    "1000.a.h", 200 },
	{ "1100 hold 1000.a.h\n1300 release 1000.a.h\n", "1000.a.h", 200 },
	{ "1100 hold 1000.b.h\n1300 release 1000.b.h\n", "1000.a.h", 0 },
	{ "1100 hold 1000.a.hh\n1300 release 1000.a.hh\n", "1000.a.h", 0 },
	{ "1100 hold 1000.a.h\n1300 release 1000.a.h\n1200 hold *\n"
	    "1600 release *\n", "1000.a.h", 500 },
	{ "1100 hold 1000.a.h\n1200 hold *\n1300 release *\n"
	    "1400 release 1000.a.h\n", "1000.a.h", 300 },
	{ "1100 hold ! 9 of 10\n1200 release !\n", "1000.a.h", 100 },
	{ "1100 hold ! 9 of 10\n1200 hold * look\n1300 release *\n",
	    "1000.a.h", 900 },
	{ "1100 hold *\n1200 hold !\n1300 release *\n1500 release !\n"
	    "1600 hold !\n1700 release !\n", "1000.a.h", 500 },
	{ "garbage\n1100 hold *\n\nx y z\n1200 release *\n", "1000.a.h", 100 },
	{ "1100 hold *\n1200 release *", "1000.a.h", 100 },
	{ "1100 hold * moving house\n1200 release *\n", "1000.a.h", 100 },
	{ "1100 hold 1000.a.h why * not\n1200 release 1000.a.h\n",
	    "1000.a.h", 100 },
	{ "1100 hold 1000.b.h for 1000.a.h\n", "1000.a.h", 0 },
};

static int64_t
held(const char *domain, const char *id, time_t arrived, time_t now)
{
	struct ledger_holds *h = ledger_holds_load(sp, domain);
	int64_t seconds = ledger_held_seconds(h, id, arrived, now);

	ledger_holds_free(h);
	return seconds;
}

static void
check_holds(void)
{
	char *log, *p, line[128], why[64];
	struct ledger_holds *h;
	struct domain d;
	clock_t begin;
	int64_t sum = 0;

	for (size_t i = 0; i < sizeof(holds) / sizeof(holds[0]); i++) {
		fresh();
		put_holds(holds[i].log);
		is_int(held("a.test", holds[i].id, 1000,
		    2000), holds[i].want, "hold %zu", i);
	}
	/* the log of a busy domain: what is at its end counts as well */
	fresh();
	p = log = malloc(1000000);
	for (int i = 0; i < 10000; i++) {
		(void)snprintf(line, sizeof(line), "1100 hold %d.a.h no %d\n"
		    "1200 release %d.a.h\n", i, i, i);
		p = stpcpy(p, line);
	}
	put_holds(log);
	free(log);
	is_int(held("a.test", "9999.a.h", 1000, 2000), 100,
	    "a long log");
	/* ... and each of its messages is asked for */
	begin = clock();
	if ((h = ledger_holds_load(sp, "a.test")) == NULL)
		abort();
	for (int i = 0; i < 10000; i++) {
		(void)snprintf(line, sizeof(line), "%d.a.h", i);
		sum += ledger_held_seconds(h, line, 1000, 2000);
	}
	is_int(sum, 10000 * 100, "all of them");
	ledger_why(h, "77.a.h", why, sizeof(why));
	is_str(why, "no 77", "and why");
	ledger_why(h, "7.a.hh", why, sizeof(why));
	is_str(why, "", "nothing of another");
	ledger_holds_free(h);
	ok((clock() - begin) / CLOCKS_PER_SEC < 2, "not a walk for each");
	fresh();
	is_int(ledger_hold(sp, "a.test", NULL, 2000000000, "moving"), 0,
	    "held");
	is_int(ledger_load(sp, "a.test", &d), 0, "known");
	is_int(d.state, DOMAIN_HELD, "as held");
	is_int(d.held_until, 2000000000, "until then");
	is_str(d.why, "moving", "and why");
	ok(held("a.test", "1.a.h", 1000,
	    time(NULL) + 100) >= 99, "its clock stands still");
	is_int(ledger_release(sp, "a.test", NULL), 0, "released");
	is_int(ledger_load(sp, "a.test", &d), 0, "known");
	is_int(d.state, DOMAIN_UNKNOWN, "as it was");
	ok(held("a.test", "1.a.h", 1000,
	    time(NULL) + 100) <= 2, "its clock runs again");
	ok(ledger_release(sp, "a.test", NULL) == -1 && errno == ENOENT,
	    "once only");

	fresh();
	d.state = DOMAIN_STOPPED;
	is_int(ledger_save(sp, "a.test", &d), 0, "stopped");
	is_int(ledger_stop(sp, "a.test", "9 of 10"), 0, "noted");
	ok(held("a.test", "1.a.h", 1000,
	    time(NULL) + 100) >= 99, "its clock stands still");
	is_int(ledger_load(sp, "a.test", &d), 0, "known");
	is_int(d.order, DOMAIN_WAIT, "no order");
	is_int(ledger_order(sp, "a.test", DOMAIN_RETRY), 0, "an order");
	is_int(ledger_load(sp, "a.test", &d), 0, "known");
	is_int(d.order, DOMAIN_RETRY, "retry");
	is_int(ledger_order(sp, "a.test", DOMAIN_RELEASE), 0, "another");
	is_int(ledger_load(sp, "a.test", &d), 0, "known");
	is_int(d.order, DOMAIN_RELEASE, "release");
	is_int(ledger_order(sp, "a.test", DOMAIN_WAIT), 0, "taken back");
	is_int(ledger_order(sp, "a.test", DOMAIN_WAIT), 0, "and again");
	is_int(ledger_load(sp, "a.test", &d), 0, "known");
	is_int(d.order, DOMAIN_WAIT, "no order");
	is_int(ledger_go_on(sp, "a.test"), 0, "it goes on");
	ok(held("a.test", "1.a.h", 1000,
	    time(NULL) + 100) <= 2, "its clock runs again");
}

static int nheard;

static void
heard(const char *path, const char *why, void *arg)
{
	(void)path;
	(void)why;
	(void)arg;
	nheard++;
}

static void
check_sweep(void)
{
	struct timespec old[2] = { { 1000000000, 0 }, { 1000000000, 0 } };
	char id[MSGID_MAX + 1], gone[MSGID_MAX + 1];
	struct message m;
	const char *why;

	fresh();
	add("a.test", 1, id);
	add("a.test", 1, gone);
	if (open_it("a.test", id, true, &m, &why) != MESSAGE_OPENED ||
	    message_reply_add(sp, &m, 0, "450 x") == -1)
		abort();
	message_close(&m);
	if (open_it("a.test", gone, true, &m, &why) != MESSAGE_OPENED ||
	    message_reply_add(sp, &m, 0, "450 x") == -1)
		abort();
	unlink(in_spool("mail/a.test/new/%s", gone));
	message_close(&m);
	*strchr(id, ',') = *strchr(gone, ',') = '\0';
	utimensat(AT_FDCWD, in_spool("state/a.test/replies/%s", id), old, 0);
	utimensat(AT_FDCWD, in_spool("state/a.test/replies/%s", gone), old, 0);
	close(open(in_spool("tmp/1.M1P1Q1.h"), O_CREAT | O_WRONLY, 0600));
	close(open(in_spool("tmp/2.M1P1Q1.h"), O_CREAT | O_WRONLY, 0600));
	utimensat(AT_FDCWD, in_spool("tmp/1.M1P1Q1.h"), old, 0);
	is_int(sweep_run(sp, 3600, true, heard, NULL), 0, "dry");
	is_int(nheard, 2, "tells of two");
	is_int(files(in_spool("tmp")) + files(in_spool("state")), 4,
	    "and removes none");
	is_int(sweep_run(sp, 3600, false, heard, NULL), 0, "wet");
	is_int(files(in_spool("tmp")), 1, "a young temporary stays");
	is_int(access(in_spool("state/a.test/replies/%s", id), F_OK), 0,
	    "replies of a message that waits stay");
	is_int(access(in_spool("state/a.test/replies/%s", gone), F_OK), -1,
	    "those of one that is gone do not");
	is_int(sweep_run(sp, 3600, false, NULL, NULL), 0, "unheard");
}

static void
check_trigger(void)
{
	char buf[64];
	ssize_t n;
	int fd;

	fresh();
	alarm(5);
	ok(spool_trigger(sp, "a.test", SPOOL_ASKED) == -1 && errno == ENXIO,
	    "nobody listens: no matter");
	fd = spool_trigger_open(sp);
	ok(fd != -1, "somebody does");
	(void)spool_trigger(sp, "a.test", SPOOL_ASKED);
	(void)spool_trigger(sp, "b.test", SPOOL_NEW_MAIL);
	(void)spool_trigger(sp, NULL, SPOOL_ASKED);
	n = read(fd, buf, sizeof(buf));
	buf[n > 0 ? n : 0] = '\0';
	is_str(buf, "=a.test\n+b.test\n*\n", "and hears of whom, and why");
	for (int i = 0; i < 100000; i++)
		if (spool_trigger(sp, "a.test", SPOOL_ASKED) == -1)
			break;
	ok(true, "a full FIFO blocks nobody");
	is_int(spool_trigger(sp, "a.test", SPOOL_ASKED), 0, "and is none");
	alarm(0);
	close(fd);
}

int
main(void)
{
	const char *tmp = getenv("TMPDIR");

	if (snprintf(top, sizeof(top), "%s/mxkeep-spool.XXXXXX", tmp != NULL ?
	    tmp : "/tmp") >= (int)sizeof(top) || mkdtemp(top) == NULL)
		return 1;
	check_open();
	check_names();
	check_write();
	check_two();
	check_lock();
	check_reader();
	check_planted();
	check_void();
	check_mark();
	check_replies();
	check_move();
	check_lists();
	check_domain_files();
	check_holds();
	check_sweep();
	check_trigger();
	spool_close(sp);
	nftw(top, remove_one, 8, FTW_DEPTH | FTW_PHYS);
	return done_testing();
}
