/* SPDX-License-Identifier: ISC */
#ifndef MX_COPY_H
#define MX_COPY_H

#include "desk.h"

/* Copies of queued messages, which stay what and where they are. */

/* The verb "cat": the text of each. */
int copy_print(struct desk *d, char **arg);

/* The verb "export": all of the domain ARG[0] into the maildir ARG[1]. */
int copy_export(struct desk *d, char **arg);

#endif
