/* SPDX-License-Identifier: ISC */
#ifndef MX_RESOLV_H
#define MX_RESOLV_H

#include <sys/socket.h>
#include <stdbool.h>
#include <stdint.h>

/* Which resolvers to ask, and how: what resolv.conf(5) says. */

#define RESOLV_SERVERS_MAX	16
#define RESOLV_PATIENCE		5000
#define RESOLV_SERVER_TEXT	80

struct resolv {
	struct sockaddr_storage server[RESOLV_SERVERS_MAX];
	int nserver;
	bool trust_ad;		/* the AD bit is believed */
	bool tcp;		/* "use-vc" */
	bool rotate;
	int64_t patience;	/* longest wait for one try, milliseconds */
};

/* No servers, default options. */
void resolv_init(struct resolv *r);

/*
 * Adds what FILE says.  Lines that make no sense are passed over; no file or
 * no server is the server of this host.  False with errno when the file
 * cannot be read, EINVAL when none of its servers is an address.
 */
bool resolv_read(struct resolv *r, const char *file);

/* True if all servers are loopback addresses. */
bool resolv_is_local(const struct resolv *r);

socklen_t resolv_server_len(const struct sockaddr_storage *server);

/* "192.0.2.1", "2001:db8::1@5353"; BUF of RESOLV_SERVER_TEXT bytes. */
void resolv_server_print(char *buf, const struct sockaddr_storage *server);

#endif
