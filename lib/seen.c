/* SPDX-License-Identifier: ISC */
#include "seen.h"

#include <ctype.h>
#include <sys/file.h>
#include <sys/random.h>
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "net.h"
#include "siphash.h"

#define MAGIC		UINT64_C(0x316e6565732d786d)	/* "mx-seen1" */
#define HEAD_SIZE	4096	/* so that no bucket is on two pages */
#define NBUCKETS	8192
#define NSLOTS		16	/* in a bucket */
#define GROUP_BUCKETS	64	/* that a group may use */
#define LOCK_MS		1000	/* to wait for one who writes a head */
#define YOUNG		3600	/* seconds; see seen_put() */
#define PASSED		(UINT64_C(1) << 63)

struct head {
	uint64_t magic;		/* tells the byte order, too */
	uint64_t secret[2];
	uint64_t check;
};

struct slot {
	uint64_t hash, value, when;
	uint64_t check;		/* of the others, under the secret */
};

_Static_assert(sizeof(struct slot) == 32 && 4096 % (sizeof(struct slot) *
    NSLOTS) == 0, "a slot is never on two pages");
_Static_assert(SEEN_OCTETS == HEAD_SIZE + NBUCKETS * NSLOTS *
    sizeof(struct slot), "the header tells the size");

struct seen {
	int fd;
	struct head head;
};

static bool
is_head(const struct head *h)
{
	return h->magic == MAGIC &&
	    h->check == siphash(h->secret, h, offsetof(struct head, check));
}

/* 1, 0 when there is no good head, -1. */
static int
read_head(struct seen *seen)
{
	ssize_t n = pread(seen->fd, &seen->head, sizeof(seen->head), 0);

	if (n == -1)
		return -1;
	return n == (ssize_t)sizeof(seen->head) && is_head(&seen->head);
}

static int
write_at(int fd, const void *data, size_t size, off_t where)
{
	ssize_t n = pwrite(fd, data, size, where);

	if (n >= 0 && n != (ssize_t)size)
		errno = ENOSPC;
	return n == (ssize_t)size ? 0 : -1;
}

/*
 * Without a right to remove or truncate, a new secret is what empties the
 * table: no entry's check holds under it.
 */
static int
write_head(struct seen *seen)
{
	struct head *h = &seen->head;

	h->magic = MAGIC;
	if (getrandom(h->secret, sizeof(h->secret), 0) !=
	    (ssize_t)sizeof(h->secret))
		return -1;
	h->check = siphash(h->secret, h, offsetof(struct head, check));
	return write_at(seen->fd, h, sizeof(*h), 0);
}

static int
begin(struct seen *seen)
{
	int n = read_head(seen);

	if (n != 0)
		return n == 1 ? 0 : -1;
	/* Two that began it at once would not know each other's entries. */
	if (!spool_seen_lock(seen->fd, LOCK_MS))
		return -1;
	if ((n = read_head(seen)) == 0)
		n = write_head(seen) == 0;
	(void)flock(seen->fd, LOCK_UN);
	return n == 1 ? 0 : -1;
}

struct seen *
seen_open(struct spool *sp)
{
	struct seen *seen;

	if ((seen = calloc(1, sizeof(*seen))) == NULL)
		return NULL;
	seen->fd = spool_seen_open(sp, "memory", NULL);
	if (seen->fd != -1 && begin(seen) == 0)
		return seen;
	seen_close(seen);
	return NULL;
}

void
seen_close(struct seen *seen)
{
	int saved = errno;

	if (seen == NULL)
		return;
	if (seen->fd != -1)
		close(seen->fd);
	explicit_bzero(seen, sizeof(*seen));
	free(seen);
	errno = saved;
}

void
seen_key(const struct seen *seen, struct seen_key *key, enum seen_kind kind,
    const char *group, const void *data, size_t len)
{
	uint64_t parts[2] = { (uint64_t)kind, 0 };

	parts[1] = siphash(seen->head.secret, data, len);
	key->group = siphash(seen->head.secret, group, strlen(group));
	key->hash = siphash(seen->head.secret, parts, sizeof(parts));
}

static off_t
offset_of(const struct seen_key *key)
{
	uint64_t bucket = (key->group + key->hash % GROUP_BUCKETS) % NBUCKETS;

	return (off_t)(HEAD_SIZE + bucket * NSLOTS * sizeof(struct slot));
}

static uint64_t
check_of(const struct seen *seen, const struct slot *slot)
{
	return siphash(seen->head.secret, slot, offsetof(struct slot, check));
}

/* The bucket of KEY; what was never written, or torn, is all zero. */
static int
read_bucket(struct seen *seen, const struct seen_key *key, struct slot *slot)
{
	size_t size = NSLOTS * sizeof(*slot);
	ssize_t n = pread(seen->fd, slot, size, offset_of(key));

	if (n == -1)
		return -1;
	memset((char *)slot + n, 0, size - (size_t)n);
	return 0;
}

/* The place of KEY in its bucket, NSLOTS if it has none. */
static size_t
find(const struct seen *seen, const struct seen_key *key,
    const struct slot *slot)
{
	size_t i;

	for (i = 0; i < NSLOTS; i++)
		if (slot[i].hash == key->hash &&
		    slot[i].check == check_of(seen, &slot[i]))
			break;
	return i;
}

int
seen_get(struct seen *seen, const struct seen_key *key,
    struct seen_entry *entry)
{
	struct slot slot[NSLOTS];
	size_t i;

	if (read_bucket(seen, key, slot) == -1)
		return -1;
	if ((i = find(seen, key, slot)) == NSLOTS)
		return 0;
	entry->value = slot[i].value;
	entry->when = (time_t)slot[i].when;
	return 1;
}

/*
 * Whom to overwrite.  Were it always the oldest, one with a little more to
 * remember than there is room, coming in turns, would never be remembered.
 */
static size_t
victim(const struct seen *seen, const struct slot *slot,
    const struct slot *new)
{
	size_t oldest = 0;

	for (size_t i = 0; i < NSLOTS; i++) {
		if (slot[i].check != check_of(seen, &slot[i]))
			return i;
		if (slot[i].when < slot[oldest].when)
			oldest = i;
	}
	/* As good as a random number: nobody knows the secret. */
	if (slot[oldest].when + YOUNG > new->when)
		return new->check % NSLOTS;
	return oldest;
}

int
seen_put(struct seen *seen, const struct seen_key *key, uint64_t value,
    time_t now)
{
	struct slot slot[NSLOTS], new;
	off_t where;
	size_t i;

	if (read_bucket(seen, key, slot) == -1)
		return -1;
	new.hash = key->hash;
	new.value = value;
	new.when = (uint64_t)now;
	new.check = check_of(seen, &new);
	if ((i = find(seen, key, slot)) == NSLOTS)
		i = victim(seen, slot, &new);
	where = offset_of(key) + (off_t)(i * sizeof(new));
	return write_at(seen->fd, &new, sizeof(new), where);
}

/*** Those who come back ***/

/* Appends TEXT, folded, and a NUL; what does not fit is left out. */
static size_t
append(char *buf, size_t used, size_t size, const char *text)
{
	while (*text != '\0' && used < size - 1)
		buf[used++] = (char)(*text >= 'A' && *text <= 'Z' ?
		    *text + 32 : *text), text++;
	buf[used++] = '\0';
	return used;
}

/* The network of CLIENT as a string. */
static void
network(char *out, size_t size, const char *client)
{
	struct net net;
	size_t used = 0;

	if (!net_of(&net, client, 24, 64)) {
		(void)strlcpy(out, client, size);
		return;
	}
	for (size_t i = 0; i < sizeof(net.addr); i++, used += 2)
		(void)snprintf(out + used, size - used, "%02x", net.addr[i]);
}

static bool
passes(const struct seen_entry *e, time_t now)
{
	time_t first = (time_t)(e->value & ~PASSED);

	if (now < e->when)
		return false;	/* the clock was set back: begin again */
	if ((e->value & PASSED) != 0)
		return now - e->when <= SEEN_PASS;
	return now - first >= SEEN_DELAY && now - first <= SEEN_WINDOW;
}

enum seen_answer
seen_return(struct seen *seen, const char *client, const char *sender,
    const char *recipient, time_t now)
{
	char group[64], data[64 + 2 * (ADDR_MAX + 2)];
	struct seen_key key;
	struct seen_entry e;
	size_t len;
	int n;

	network(group, sizeof(group), client);
	len = append(data, 0, sizeof(group), group);
	len = append(data, len, len + ADDR_MAX + 1, sender);
	len = append(data, len, len + ADDR_MAX + 1, recipient);
	seen_key(seen, &key, SEEN_RETURN, group, data, len);
	if ((n = seen_get(seen, &key, &e)) == -1)
		return SEEN_BROKEN;
	if (n == 1 && passes(&e, now)) {
		/* If this is not noted, what is there still lets it pass. */
		(void)seen_put(seen, &key, (e.value & ~PASSED) | PASSED, now);
		return SEEN_PASSES;
	}
	/* One that asks again too early is not to begin again. */
	if (n == 1 && (e.value & PASSED) == 0 && now >= e.when &&
	    now - e.when <= SEEN_WINDOW)
		return SEEN_WAIT;
	if (seen_put(seen, &key, (uint64_t)now, now) == -1)
		return SEEN_BROKEN;
	return SEEN_WAIT;
}
