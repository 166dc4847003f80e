/* SPDX-License-Identifier: ISC */
#ifndef MX_PEER_H
#define MX_PEER_H

#include <stdbool.h>

/*
 * Who is at the other end of fd 0: asked of the socket; where that is none
 * (a pipe, a TLS helper in front), of the UCSPI variables TCPREMOTEIP,
 * TCPREMOTEHOST, TCPLOCALIP or systemd's REMOTE_ADDR.
 */

struct peer {
	char addr[48];		/* numeric, v4-mapped as v4; "" unknown */
	char name[256];		/* from TCPREMOTEHOST if it is a host name */
	char local[48];		/* our own end; "" unknown */
	int port;		/* 0 unknown */
	bool v6;
};

/* False if nothing tells; the peer is then empty. */
bool peer_find(struct peer *p, int fd);

#endif
