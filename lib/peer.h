/* SPDX-License-Identifier: ISC */
#ifndef MX_PEER_H
#define MX_PEER_H

#include <sys/socket.h>
#include <stdbool.h>

#include "stream.h"

/*
 * Who is at the other end of fd 0: by the UCSPI variables TCPREMOTEIP and
 * TCPREMOTEHOST or systemd's REMOTE_ADDR; without them asked of the socket;
 * or told by accept(2), where the environment is of no account.
 */

struct peer {
	char addr[48];		/* numeric, v4-mapped as v4; "" unknown */
	char name[256];		/* from TCPREMOTEHOST if it is a host name */
	int port;		/* 0 unknown */
	bool v6;
};

/* False if nothing tells; the peer is then empty. */
bool peer_find(struct peer *p, int fd);

/* The same of an address; false if it is none of the Internet. */
bool peer_from(struct peer *p, const struct sockaddr_storage *ss);

/*
 * P is a proxy: reads the header from S by which it says for whom it speaks,
 * and puts that one in its place; for nobody it can name, or for itself, P
 * stays.  Blocks up to the deadline of S.  NULL, or what was wrong with the
 * header, when P is as it was.
 */
const char *peer_behind(struct peer *p, struct stream *s);

#endif
