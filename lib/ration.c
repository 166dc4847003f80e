/* SPDX-License-Identifier: ISC */
#include "ration.h"

#include <sys/file.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NAME	"reports"
#define PIECE	300		/* seconds that are counted together */
#define PIECES	12		/* of an hour */

struct book {
	time_t piece[PIECES];	/* when each began */
	int64_t sent[PIECES];	/* in it: a piece's place is its number */
	int64_t withheld;
};

static void
parse_line(struct book *b, const char *line)
{
	long long when, n;

	if (sscanf(line, "sent %lld %lld", &when, &n) == 2 && when > 0 &&
	    n > 0) {
		b->piece[when / PIECE % PIECES] = (time_t)when;
		b->sent[when / PIECE % PIECES] = n;
	} else if (sscanf(line, "withheld %lld", &n) == 1 && n > 0)
		b->withheld = n;
}

/* Lines that make no sense are passed over. */
static int
load(struct book *b, struct spool *sp, const char *domain)
{
	char *text, *rest, *line;

	memset(b, 0, sizeof(*b));
	if ((text = rest = spool_text_read(sp, domain, NAME)) == NULL)
		return -1;
	while ((line = strsep(&rest, "\n")) != NULL)
		parse_line(b, line);
	free(text);
	return 0;
}

static int
save(const struct book *b, struct spool *sp, const char *domain)
{
	char *text = NULL;
	size_t size;
	int result = -1;
	FILE *f;

	if ((f = open_memstream(&text, &size)) == NULL)
		return -1;
	fprintf(f, "withheld %lld\n", (long long)b->withheld);
	for (size_t i = 0; i < PIECES; i++)
		if (b->sent[i] > 0)
			fprintf(f, "sent %lld %lld\n", (long long)b->piece[i],
			    (long long)b->sent[i]);
	if (fclose(f) == 0)
		result = spool_text_write(sp, domain, NAME, text, true);
	free(text);
	return result;
}

/* A clock that was put back does not keep reports away for long. */
static bool
is_recent(time_t piece, time_t now)
{
	return piece > now - PIECE * PIECES && piece <= now + PIECE;
}

static int64_t
count(const struct book *b, time_t now)
{
	int64_t n = 0;

	for (size_t i = 0; i < PIECES; i++)
		if (is_recent(b->piece[i], now))
			n += b->sent[i];
	return n;
}

int
ration_load(struct spool *sp, const char *domain, time_t now,
    struct ration *r)
{
	struct book b;

	memset(r, 0, sizeof(*r));
	if (load(&b, sp, domain) == -1)
		return -1;
	r->hour = count(&b, now);
	r->withheld = b.withheld;
	return 0;
}

/* Programs that hold no lock of the domain come here, too. */
static int
lock_all(struct spool *sp)
{
	int fd = spool_lock_open(sp, NULL);

	if (fd == -1 || flock(fd, LOCK_EX) == 0)
		return fd;
	close(fd);
	return -1;
}

int
ration_take(struct spool *sp, const char *domain, int64_t limit, time_t now)
{
	size_t i = (size_t)(now / PIECE % PIECES);
	int lock, result = -1;
	struct book b;

	if (limit == 0)
		return 1;
	if ((lock = lock_all(sp)) == -1)
		return -1;
	if (load(&b, sp, domain) == -1)
		goto out;
	if (count(&b, now) >= limit) {
		result = 0;
		goto out;
	}
	if (!is_recent(b.piece[i], now))
		b.sent[i] = 0;
	b.piece[i] = now - now % PIECE;
	b.sent[i]++;
	result = save(&b, sp, domain) == -1 ? -1 : 1;
out:
	close(lock);
	return result;
}

int
ration_withhold(struct spool *sp, const char *domain)
{
	int lock, result = -1;
	struct book b;

	if ((lock = lock_all(sp)) == -1)
		return -1;
	if (load(&b, sp, domain) == 0) {
		b.withheld++;
		result = save(&b, sp, domain);
	}
	close(lock);
	return result;
}
