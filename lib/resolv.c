/* SPDX-License-Identifier: ISC */

#include <sys/types.h>
#include <sys/socket.h>

#include <netinet/in.h>

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "resolv.h"

void
resolv_init(struct resolv *r)
{
	memset(r, 0, sizeof(*r));
	r->patience = RESOLV_PATIENCE;
}

socklen_t
resolv_server_len(const struct sockaddr_storage *ss)
{
	return ss->ss_family == AF_INET6 ? sizeof(struct sockaddr_in6) :
	    sizeof(struct sockaddr_in);
}

static bool
is_loopback(const struct sockaddr_storage *ss)
{
	const struct sockaddr_in6 *sin6 = (const struct sockaddr_in6 *)ss;
	const struct sockaddr_in *sin = (const struct sockaddr_in *)ss;

	if (ss->ss_family == AF_INET6)
		return IN6_IS_ADDR_LOOPBACK(&sin6->sin6_addr);
	return ntohl(sin->sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
}

static bool
server_add(struct resolv *r, const char *text)
{
	struct addrinfo hints, *ai;

	if (r->nserver == RESOLV_SERVERS_MAX)
		return true;
	memset(&hints, 0, sizeof(hints));
	hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV;
	hints.ai_socktype = SOCK_DGRAM;
	if (getaddrinfo(text, "53", &hints, &ai) != 0)
		return false;
	memcpy(&r->server[r->nserver++], ai->ai_addr, ai->ai_addrlen);
	freeaddrinfo(ai);
	return true;
}

/* "ndots" and "attempts" say nothing here: names are whole, time decides. */
static void
option_set(struct resolv *r, const char *word)
{
	const char *error;
	long long n;

	if (strcmp(word, "trust-ad") == 0)
		r->trust_ad = true;
	else if (strcmp(word, "rotate") == 0)
		r->rotate = true;
	else if (strcmp(word, "use-vc") == 0)
		r->tcp = true;
	else if (strncmp(word, "timeout:", 8) == 0) {
		n = strtonum(word + 8, 1, 30, &error);
		if (error == NULL)
			r->patience = n * 1000;
	}
}

/* A line that is not understood is passed over, as libc does. */
static void
resolv_line(struct resolv *r, char *line, int *odd)
{
	const char *sep = " \t\r\n";
	char *word;
	bool options;

	if (*line == '#' || *line == ';' ||
	    (word = strsep(&line, sep)) == NULL)
		return;
	options = strcmp(word, "options") == 0;
	if (!options && strcmp(word, "nameserver") != 0)
		return;
	while ((word = strsep(&line, sep)) != NULL) {
		if (*word == '\0')
			continue;
		if (options) {
			option_set(r, word);
			continue;
		}
		if (!server_add(r, word))
			(*odd)++;
		return;
	}
}

bool
resolv_read(struct resolv *r, const char *file)
{
	FILE *f;
	char *line = NULL;
	size_t size = 0;
	int odd = 0, saved;
	bool ok = false;

	if ((f = fopen(file, "re")) == NULL) {
		if (errno != ENOENT)
			return false;
	} else {
		while (getline(&line, &size, f) != -1)
			resolv_line(r, line, &odd);
		saved = ferror(f) ? errno : 0;
		free(line);
		fclose(f);
		if (saved != 0) {
			errno = saved;
			return false;
		}
	}
	if (r->nserver > 0)
		ok = true;
	else if (odd > 0)
		errno = EINVAL;
	else		/* resolv.conf(5): without any, the local host's */
		ok = server_add(r, "127.0.0.1");
	return ok;
}

bool
resolv_is_local(const struct resolv *r)
{
	int i;

	for (i = 0; i < r->nserver; i++)
		if (!is_loopback(&r->server[i]))
			return false;
	return r->nserver > 0;
}

void
resolv_server_print(char *buf, const struct sockaddr_storage *ss)
{
	char host[64], port[8];

	if (getnameinfo((const struct sockaddr *)ss, resolv_server_len(ss),
	    host, sizeof(host), port, sizeof(port),
	    NI_NUMERICHOST | NI_NUMERICSERV | NI_DGRAM) != 0)
		strlcpy(buf, "?", RESOLV_SERVER_TEXT);
	else if (strcmp(port, "53") == 0)
		strlcpy(buf, host, RESOLV_SERVER_TEXT);
	else
		snprintf(buf, RESOLV_SERVER_TEXT, "%s@%s", host, port);
}
