/* SPDX-License-Identifier: ISC */
#include <sys/socket.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "conf.h"
#include "listener.h"
#include "log.h"
#include "peer.h"
#include "smtp_server.h"
#include "spool.h"
#include "stream.h"

static void
usage(void)
{
	fprintf(stderr, "usage: mx-receive [-qv] [-C dir]\n");
	exit(EX_USAGE);
}

struct receiver {
	struct conf conf;
	struct spool *spool;
};

/* One connection, on fd 0 and 1. */
static int
serve(void *arg)
{
	struct stream_fds fds = { STDIN_FILENO, STDOUT_FILENO };
	struct receiver *r = arg;
	struct smtp_server_args args;
	struct peer peer;
	enum smtp_server_end end;
	int one = 1;

	/* No reply of ours waits for the acknowledgement of another. */
	(void)setsockopt(STDOUT_FILENO, IPPROTO_TCP, TCP_NODELAY, &one,
	    sizeof(one));
	(void)peer_find(&peer, STDIN_FILENO);
	args.conf = &r->conf;
	args.spool = r->spool;
	args.peer = &peer;
	if ((args.stream = stream_new(&stream_fd_ops, &fds)) == NULL)
		return EX_TEMPFAIL;
	end = smtp_serve(&args);
	stream_free(args.stream);
	return end == SMTP_SERVER_BROKEN ? EX_TEMPFAIL : 0;
}

/* Tells the client that we cannot work; the log has the reason. */
static int
refuse(void *arg)
{
	struct stream_fds fds = { STDIN_FILENO, STDOUT_FILENO };
	struct receiver *r = arg;
	struct stream *stream;

	if ((stream = stream_new(&stream_fd_ops, &fds)) != NULL)
		smtp_serve_refusal(stream, r->conf.hostname);
	stream_free(stream);
	return EX_CONFIG;
}

int
main(int argc, char *argv[])
{
	static struct receiver r;
	const char *dir = CONF_DIR;
	char error[CONF_ERROR_MAX];
	int (*answer)(void *arg) = serve;
	int ch, verbose = 0;

	while ((ch = getopt(argc, argv, "C:qv")) != -1)
		switch (ch) {
		case 'C':
			dir = optarg;
			break;
		case 'q':
			verbose = -1;
			break;
		case 'v':
			verbose = 1;
			break;
		default:
			usage();
		}
	if (argc > optind)
		usage();
	/* A vanished client and a full disk are results, not signals. */
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);
	log_open("mx-receive", log_target_find(), verbose);
	if (conf_load(&r.conf, dir, error) == -1 ||
	    spool_become_owner(r.conf.spool, error) == -1 ||
	    (r.spool = spool_open(r.conf.spool, error)) == NULL) {
		log_warnx("%s", error);
		answer = refuse;
	}
	if (!listener_is(STDIN_FILENO))
		return answer(&r);
	if (answer == serve) {
		/* Once, or each child would read the zone for its dates. */
		tzset();
		listener_run(&r.conf, STDIN_FILENO, serve, &r);
		log_warn("the listening socket is broken");
	}
	return answer == serve ? EX_OSERR : EX_CONFIG;
}
