/* SPDX-License-Identifier: ISC */
#include <sys/mman.h>
#include <netinet/in.h>
#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "hosts.h"

#define HOSTS_MAX	8192	/* a power of two */

enum knowledge { UNKNOWN, ALIVE, DEAD };

struct host {
	int family;		/* 0: a free entry */
	in_port_t port;
	unsigned char addr[16];
	pthread_mutex_t probe;	/* held by the worker that is probing */
	enum knowledge known;
	char why[HOSTS_WHY_MAX];
};

struct table {
	pthread_mutex_t lock;	/* of new entries */
	struct host host[HOSTS_MAX];
};

struct hosts {
	struct table *table;	/* shared */
	bool probing[HOSTS_MAX];	/* by this process */
	char why[HOSTS_WHY_MAX];
};

/*
 * Robust: the lock of a worker that was killed passes on to the next one,
 * which is told so.
 */
static int
mutex_init(pthread_mutex_t *m)
{
	pthread_mutexattr_t attr;
	int error;

	if ((error = pthread_mutexattr_init(&attr)) != 0)
		return error;
	error = pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
	if (error == 0)
		error = pthread_mutexattr_setrobust(&attr,
		    PTHREAD_MUTEX_ROBUST);
	if (error == 0)
		error = pthread_mutex_init(m, &attr);
	pthread_mutexattr_destroy(&attr);
	return error;
}

static int
mutex_lock(pthread_mutex_t *m)
{
	int error;

	error = pthread_mutex_lock(m);
	if (error == EOWNERDEAD)
		error = pthread_mutex_consistent(m);
	return error;
}

struct hosts *
hosts_new(void)
{
	struct hosts *h;
	int error;

	if ((h = calloc(1, sizeof(*h))) == NULL)
		return NULL;
	h->table = mmap(NULL, sizeof(*h->table), PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (h->table == MAP_FAILED) {
		free(h);
		return NULL;
	}
	if ((error = mutex_init(&h->table->lock)) != 0) {
		hosts_free(h);
		errno = error;
		return NULL;
	}
	return h;
}

void
hosts_free(struct hosts *h)
{
	if (h == NULL)
		return;
	munmap(h->table, sizeof(*h->table));
	free(h);
}

/* The address and port of SA into HOST; false for an unknown family. */
static bool
host_key(struct host *host, const struct sockaddr *sa)
{
	struct sockaddr_in6 in6;
	struct sockaddr_in in;

	memset(host, 0, sizeof(*host));
	host->family = sa->sa_family;
	if (sa->sa_family == AF_INET) {
		memcpy(&in, sa, sizeof(in));
		host->port = in.sin_port;
		memcpy(host->addr, &in.sin_addr, 4);
		return true;
	}
	if (sa->sa_family == AF_INET6) {
		memcpy(&in6, sa, sizeof(in6));
		host->port = in6.sin6_port;
		memcpy(host->addr, &in6.sin6_addr, 16);
		return true;
	}
	return false;
}

static size_t
key_hash(const struct host *key)
{
	uint32_t hash = 2166136261u ^ key->port;	/* FNV-1a */
	size_t i;

	for (i = 0; i < sizeof(key->addr); i++)
		hash = (hash ^ key->addr[i]) * 16777619u;
	return (hash ^ hash >> 16) % HOSTS_MAX;
}

/* The entry of KEY or the free one it may have; NULL if there is none. */
static struct host *
table_find(struct table *t, const struct host *key)
{
	size_t at = key_hash(key), i;
	struct host *host;

	for (i = 0; i < HOSTS_MAX; i++) {
		host = &t->host[(at + i) % HOSTS_MAX];
		if (host->family == 0 || (host->family == key->family &&
		    host->port == key->port && memcmp(host->addr, key->addr,
		    sizeof(key->addr)) == 0))
			return host;
	}
	return NULL;
}

/* The entry of SA, made if it is missing; NULL when the table is full. */
static struct host *
host_get(struct hosts *h, const struct sockaddr *sa)
{
	struct host key, *host;

	if (!host_key(&key, sa) || mutex_lock(&h->table->lock) != 0)
		return NULL;
	host = table_find(h->table, &key);
	if (host != NULL && host->family == 0) {
		memcpy(host->addr, key.addr, sizeof(host->addr));
		host->port = key.port;
		/* The family last: an entry half made does not exist. */
		if (mutex_init(&host->probe) == 0)
			host->family = key.family;
		else
			host = NULL;
	}
	pthread_mutex_unlock(&h->table->lock);
	return host;
}

static bool *
probing(struct hosts *h, const struct host *host)
{
	return &h->probing[host - h->table->host];
}

/* False if the lock is not to be had, or not without waiting. */
static bool
host_lock(struct host *host, bool wait)
{
	int error;

	if (wait)
		return mutex_lock(&host->probe) == 0;
	error = pthread_mutex_trylock(&host->probe);
	if (error == EOWNERDEAD)
		error = pthread_mutex_consistent(&host->probe);
	return error == 0;
}

enum hosts_answer
hosts_ask(struct hosts *h, const struct sockaddr *addr, bool wait)
{
	enum hosts_answer answer = HOSTS_TRY;
	struct host *host;

	host = host_get(h, addr);
	if (host == NULL || *probing(h, host))
		return HOSTS_TRY;
	if (!host_lock(host, wait))
		return wait ? HOSTS_TRY : HOSTS_BUSY;
	switch (host->known) {
	case UNKNOWN:
		*probing(h, host) = true;
		return HOSTS_TRY;
	case ALIVE:
		answer = HOSTS_ALIVE;
		break;
	case DEAD:
		answer = HOSTS_DEAD;
		break;
	}
	pthread_mutex_unlock(&host->probe);
	return answer;
}

bool
hosts_is_alive(struct hosts *h, const struct sockaddr *addr)
{
	struct host *host = host_get(h, addr);
	bool alive;

	if (host == NULL || *probing(h, host) || !host_lock(host, false))
		return false;
	alive = host->known == ALIVE;
	pthread_mutex_unlock(&host->probe);
	return alive;
}

/* Ends a probe, or what hosts_tell() has locked for a moment. */
static void
host_unlock(struct hosts *h, struct host *host)
{
	*probing(h, host) = false;
	pthread_mutex_unlock(&host->probe);
}

void
hosts_drop(struct hosts *h, const struct sockaddr *addr)
{
	struct host *host = host_get(h, addr);

	if (host != NULL && *probing(h, host))
		host_unlock(h, host);
}

void
hosts_tell(struct hosts *h, const struct sockaddr *addr, bool alive,
    const char *why)
{
	struct host *host;

	if ((host = host_get(h, addr)) == NULL)
		return;
	if (!*probing(h, host) && mutex_lock(&host->probe) != 0)
		return;
	(void)strlcpy(host->why, alive || why == NULL ? "" : why,
	    sizeof(host->why));
	host->known = alive ? ALIVE : DEAD;
	host_unlock(h, host);
}

const char *
hosts_why(struct hosts *h, const struct sockaddr *addr)
{
	struct host *host;

	h->why[0] = '\0';
	host = host_get(h, addr);
	if (host == NULL || *probing(h, host))
		return h->why;
	if (mutex_lock(&host->probe) != 0)
		return h->why;
	(void)strlcpy(h->why, host->why, sizeof(h->why));
	pthread_mutex_unlock(&host->probe);
	return h->why;
}
