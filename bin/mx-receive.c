/* SPDX-License-Identifier: ISC */
#include <err.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>
#include <unistd.h>

#include "conf.h"
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

/* Tells the client and the log that we cannot work. */
static int
refuse(struct stream *stream, const char *hostname, const char *why)
{
	log_warnx("%s", why);
	smtp_serve_refusal(stream, hostname);
	return EX_CONFIG;
}

static int
serve(struct stream *stream, const char *dir)
{
	struct smtp_server_args args;
	struct conf conf;
	struct peer peer;
	struct spool *spool;
	char error[CONF_ERROR_MAX];
	enum smtp_server_end end;

	if (conf_load(&conf, dir, error) == -1)
		return refuse(stream, conf.hostname, error);
	(void)peer_find(&peer, STDIN_FILENO);
	if ((spool = spool_open(conf.spool, error)) == NULL)
		return refuse(stream, conf.hostname, error);
	args.conf = &conf;
	args.spool = spool;
	args.peer = &peer;
	args.stream = stream;
	end = smtp_serve(&args);
	spool_close(spool);
	return end == SMTP_SERVER_BROKEN ? EX_TEMPFAIL : 0;
}

int
main(int argc, char *argv[])
{
	struct stream_fds fds = { STDIN_FILENO, STDOUT_FILENO };
	struct stream *stream;
	const char *dir = CONF_DIR;
	int ch, result, verbose = 0;

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
	if ((stream = stream_new(&stream_fd_ops, &fds)) == NULL)
		return EX_TEMPFAIL;
	result = serve(stream, dir);
	stream_free(stream);
	return result;
}
