/* SPDX-License-Identifier: ISC */
#ifndef MX_SUBMIT_H
#define MX_SUBMIT_H

#include "desk.h"

/*
 * The verb "add": mail from this machine, without SMTP.  The message is what
 * D->in still has, read from its descriptor, lines ending in LF or CRLF; ARG
 * are its recipients.  Prints the id of each copy.
 */
int submit_message(struct desk *d, char **arg);

#endif
