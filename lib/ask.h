/* SPDX-License-Identifier: ISC */
#ifndef MX_ASK_H
#define MX_ASK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "addr.h"
#include "query.h"
#include "resolv.h"

/*
 * A question under way, and its transport: a connected socket of its own for
 * each try, a random id and port, answers matched before they are parsed;
 * what is truncated goes to TCP, what fails to the next server, aliases are
 * followed.  Nothing here blocks: the caller waits for the socket and for the
 * clock (dns.c).
 */

#define ASK_MESSAGE_MAX	65535

/* How long answers take, in milliseconds, smoothed (RFC 6298). */
struct pace {
	bool known;
	int64_t mean, deviation;
};

/* Whom to ask, how soon they answer, and room for a datagram. */
struct dns {
	struct resolv resolv;
	struct pace pace[RESOLV_SERVERS_MAX];
	size_t fresh;		/* questions that wait for a first answer */
	bool drops_edns;	/* a resolver, or what stands before it */
	unsigned char buf[ASK_MESSAGE_MAX];
};

/* One slot, one socket. */
struct ask {
	struct dns_query *q;		/* NULL: it has its outcome */
	char name[ADDR_DOMAIN_MAX + 1];	/* asked now; moves with aliases */
	int hops;
	bool secure;
	int fd;
	bool tcp, edns, cd;
	bool mute;		/* without EDNS, for want of answers with it */
	bool confirm;		/* without validation there was an answer */
	bool sent_edns, sent_cd;	/* as in out */
	int server, sent_server;
	int tries;
	int count[RESOLV_SERVERS_MAX];
	bool failed[RESOLV_SERVERS_MAX];
	int servfail;			/* the server that said so, or -1 */
	int64_t until;			/* as the question has it; 0: none */
	int64_t opened, asked;		/* the socket, and its last question */
	int64_t retry;
	unsigned char out[2 + 512];	/* length as TCP has it, question */
	size_t outlen, sent;
	size_t qlen;			/* the question section in out */
	unsigned char *in;		/* TCP */
	size_t inlen;
};

/* Q->canonical is asked for; at once. */
void ask_begin(struct dns *d, struct ask *a, struct dns_query *q);

/* It was asked once, and may be answered any moment. */
bool ask_is_fresh(const struct ask *a);

/* The socket FD is ready to send, if less than OUTLEN was sent, or to read. */
void ask_ready(struct dns *d, struct ask *a);

/*
 * RETRY has come: the same server again, another, or none is left; or RETRY
 * is put off, as all its answers take longer now.
 */
void ask_timeout(struct dns *d, struct ask *a);

/* There is no more time. */
void ask_stop(struct dns *d, struct ask *a);

#endif
