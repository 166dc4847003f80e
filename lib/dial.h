/* SPDX-License-Identifier: ISC */
#ifndef MX_DIAL_H
#define MX_DIAL_H

#include <sys/socket.h>
#include <stdint.h>

#include "conf.h"

/* Connections by TCP, from the conf's source of the address's family. */

/*
 * Begins one to ADDR without waiting: a socket that does not block, writable
 * when dial_end() can tell; -1 with errno.
 */
int dial_begin(const struct conf *conf, const struct sockaddr *addr,
    socklen_t len);

/* 0 if FD is connected, or -1 with errno: EINPROGRESS for not yet. */
int dial_end(int fd);

#endif
