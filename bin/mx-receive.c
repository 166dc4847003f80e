/* SPDX-License-Identifier: ISC */
#include <sys/socket.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <paths.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sysexits.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif

#include "addr.h"
#include "conf.h"
#include "confine.h"
#include "deadline.h"
#include "listener.h"
#include "log.h"
#include "master.h"
#include "peer.h"
#include "policy.h"
#include "row.h"
#include "smtp_server.h"
#include "spool.h"
#include "stream.h"
#include "tls.h"
#include "trial.h"

#define FIRST_FD	3	/* of socket activation */
#define DOMAINS_MAX	64	/* files that are read for each connection */
#define WATCHED_MAX	256	/* files of domains that a master watches */
#define HEAP		(1024 * 1024)

static void
usage(void)
{
	fprintf(stderr, "usage: mx-receive [-qv] [-C dir]\n"
	    "       mx-receive -e address [-jv] [-f sender] [-r client] "
	    "[-C dir]\n"
	    "       mx-receive -n [-jqv] [-C dir]\n");
	exit(EX_USAGE);
}

struct receiver {
	const char *dir;
	struct conf conf;
	bool loaded;		/* conf is good */
	struct confine confine;
	char active[SANDBOX_ACTIVE_SIZE];
	struct spool *spool;
	struct tls_secret secret;
	struct tls_context *tls;	/* made of it, where many share it */
	int fd[LISTENER_MAX];	/* listening sockets */
	size_t nfd;
};

/*** One connection ***/

/* A proxy in front says first for whom it speaks; silence for any other. */
static bool
look_behind(const struct receiver *r, struct stream *stream, struct peer *peer)
{
	const struct conf_nets *proxies = &r->conf.trusted_proxy;
	const char *problem;

	if (proxies->n == 0 ||
	    !net_covers(proxies->net, proxies->n, peer->addr))
		return true;
	stream_deadline(stream, deadline_in(r->conf.timeout.proxy));
	if ((problem = peer_behind(peer, stream)) == NULL)
		return true;
	log_info("closed client=[%s]: PROXY header %s", peer->addr, problem);
	return false;
}

static int
serve(void *arg, int fd, struct peer *peer)
{
	struct stream_fds fds = {
		.in = fd,
		.out = fd == STDIN_FILENO ? STDOUT_FILENO : fd,
	};
	struct receiver *r = arg;
	struct smtp_server_args args = {
		.conf = &r->conf,
		.spool = r->spool,
		.peer = peer,
		.ops = &stream_fd_ops,
		.ops_arg = &fds,
		.tls = r->tls,
	};
	enum smtp_server_end end = SMTP_SERVER_DONE;

	/* One that could not be read gets STARTTLS an answer all the same. */
	if (r->tls == NULL && r->conf.tls_certificate[0] != '\0')
		args.secret = &r->secret;
	if ((args.stream = stream_new(&stream_fd_ops, &fds)) == NULL)
		return EX_TEMPFAIL;
	if (look_behind(r, args.stream, peer))
		end = smtp_serve(&args);
	stream_free(args.stream);
	return end == SMTP_SERVER_BROKEN ? EX_TEMPFAIL : 0;
}

/* Tells the client that we cannot work; the log has the reason. */
static int
refuse(void *arg, int fd, struct peer *peer)
{
	struct stream_fds fds = {
		.in = fd,
		.out = fd == STDIN_FILENO ? STDOUT_FILENO : fd,
	};
	struct receiver *r = arg;
	struct stream *stream;

	(void)peer;
	if ((stream = stream_new(&stream_fd_ops, &fds)) != NULL)
		smtp_serve_refusal(stream, r->conf.hostname);
	stream_free(stream);
	return EX_CONFIG;
}

/*** Before the first byte of a stranger ***/

static bool
load(struct receiver *r)
{
	char error[CONF_ERROR_MAX];
	struct conf *c = &r->conf, *other = NULL;
	bool loaded;

	/* A broken one must not replace a good one. */
	if (r->loaded && (c = other = malloc(sizeof(*c))) == NULL) {
		log_warn("cannot load the configuration");
		return false;
	}
	loaded = conf_load(c, r->dir, error) == 0;
	if (!loaded)
		log_warnx("%s", error);
	if (loaded && other != NULL)
		r->conf = *other;
	r->loaded = r->loaded || loaded;
	free(other);
	return loaded;
}

/* False, which a session can live with, if the files are of no use. */
static bool
load_secret(struct receiver *r)
{
	const struct conf *c = &r->conf;
	char error[TLS_ERROR_MAX];

	if (c->tls_certificate[0] == '\0' || tls_secret_load(&r->secret,
	    c->tls_certificate, c->tls_key, error) == 0)
		return true;
	log_warnx("%s", error);
	return false;
}

/* For all sessions at once: making it costs more than a session. */
static bool
make_context(struct receiver *r)
{
	char error[TLS_ERROR_MAX];

	if (r->conf.tls_certificate[0] == '\0')
		return true;
	if ((r->tls = tls_server_new(&r->secret, error)) != NULL) {
		tls_secret_clear(&r->secret);
		return true;
	}
	log_warnx("%s", error);
	return false;
}

/* Directories first, then the door is locked. */
static bool
lock_in(struct receiver *r, bool parent)
{
	char error[CONF_ERROR_MAX];

	if (spool_become_owner(r->conf.spool, error) == -1 ||
	    (r->spool = spool_open(r->conf.spool, error)) == NULL) {
		log_warnx("%s", error);
		return false;
	}
	if (!confine_enter(&r->confine, &r->conf, r->spool, parent,
	    r->active)) {
		log_warnx("the sandbox is required, but there is %s",
		    r->active);
		return false;
	}
	if (parent || r->confine.lacking)
		log_info("sandbox: %s", r->active);
	else
		log_debug("sandbox: %s", r->active);
	return true;
}

/*** A listening socket ***/

/* Each session is locked in more closely than the process it came from. */
static int
serve_narrow(void *arg, int fd, struct peer *peer)
{
	struct receiver *r = arg;

	if (confine_narrow(&r->confine, &r->conf))
		return serve(arg, fd, peer);
	log_warnx("the sandbox is required, and cannot be narrowed");
	return refuse(arg, fd, peer);
}

static bool
add_below(struct watch *w, const char *dir, const char *name,
    enum watch_what what)
{
	char path[PATH_MAX + 32];

	return snprintf(path, sizeof(path), "%s/%s", dir, name) <
	    (int)sizeof(path) && watch_add(w, path, what) == 0;
}

struct domain_files {
	struct watch *watch;
	const struct receiver *receiver;
	size_t left;
};

static int
watch_domain(const char *name, void *arg)
{
	struct domain_files *f = arg;
	char below[ADDR_DOMAIN_MAX + 16];

	if (f->left-- == 0)
		return 1;
	return snprintf(below, sizeof(below), "domains/%s", name) <
	    (int)sizeof(below) &&
	    add_below(f->watch, f->receiver->dir, below, WATCH_TEXT) ? 0 : -1;
}

/*
 * Files of domains are read anew at each recipient; they matter here for the
 * files that they name elsewhere.  Where they are many, only their coming
 * and going is noticed.
 */
static bool
watch_domains(struct receiver *r, struct watch *w)
{
	struct domain_files files = { w, r, WATCHED_MAX };

	confine_clear(&r->confine);
	if (confine_find(&r->confine, &r->conf, SIZE_MAX) == -1 ||
	    !add_below(w, r->dir, "domains", WATCH_TEXT) ||
	    (conf_domains(&r->conf, watch_domain, &files) == -1 &&
	    errno != ENOENT))
		return false;
	for (size_t i = 0; i < r->confine.n; i++)
		if (watch_add(w, r->confine.file[i], WATCH_PLACE) == -1)
			return false;
	return true;
}

/* In the master: what a new acceptor depends on. */
static bool
reload(void *arg, struct watch *w)
{
	struct receiver *r = arg;
	const struct conf *c = &r->conf;
	bool loaded, watched;

	log_reopen();
	watched = watch_add(w, r->dir, WATCH_PLACE) == 0 &&
	    add_below(w, r->dir, "mxkeep.conf", WATCH_TEXT) &&
	    watch_add(w, _PATH_LOG, WATCH_PLACE) == 0;
	loaded = load(r);
	if (!watched || !watch_domains(r, w) ||
	    watch_add(w, c->spool, WATCH_PLACE) == -1 ||
	    (c->tls_certificate[0] != '\0' &&
	    (watch_add(w, c->tls_certificate, WATCH_TEXT) == -1 ||
	    watch_add(w, c->tls_key, WATCH_TEXT) == -1)))
		log_warn("changes of files may go unnoticed");
	return loaded;
}

static enum master_end
run_acceptor(void *arg, struct master_child *child)
{
	struct receiver *r = arg;
	struct listener_args args = {
		.conf = &r->conf,
		.fd = r->fd,
		.n = r->nfd,
		.crowd = child->crowd,
		.control = child->control,
		.serve = serve_narrow,
		.arg = r,
	};

	/* Without TLS only if there is nobody who has it. */
	if (r->loaded && (!load_secret(r) || !make_context(r)) &&
	    !child->alone)
		return MASTER_UNFIT;
	if (!r->loaded || !lock_in(r, true)) {
		if (!child->alone)
			return MASTER_UNFIT;
		args.serve = refuse;
	}
	master_ready(child, args.serve != refuse);
	if (listener_run(&args) == 0)
		return MASTER_END;
	log_warn("a listening socket is broken");
	return MASTER_BROKEN;
}

/*** Start ***/

/* What is opened later must not be taken for one of the first three. */
static void
fill_first(void)
{
	struct pollfd pfd[3] = { { .fd = 0 }, { .fd = 1 }, { .fd = 2 } };
	int n = poll(pfd, 3, 0);

	for (int fd = 0; n > 0 && fd < 3; fd++)
		if ((pfd[fd].revents & POLLNVAL) != 0)
			(void)open(_PATH_DEVNULL, O_RDWR);
}

/*
 * Makes the heap long enough at once.  Else each session would map its
 * buffers and lengthen the heap for itself, and undo it before it ends.
 */
static void
size_heap(void)
{
#ifdef __GLIBC__
	(void)mallopt(M_TOP_PAD, HEAP);
	(void)mallopt(M_MMAP_THRESHOLD, HEAP);
	(void)mallopt(M_TRIM_THRESHOLD, 4 * HEAP);
#endif
}

/* How many descriptors from the third on systemd's protocol gives us. */
static int
activated(void)
{
	const char *pid = getenv("LISTEN_PID"), *fds = getenv("LISTEN_FDS");
	const char *error = NULL;
	int n = 0;

	if (pid == NULL || fds == NULL)
		return 0;
	if (strtonum(pid, 1, INT_MAX, &error) == getpid() && error == NULL)
		n = (int)strtonum(fds, 0, LISTENER_MAX, &error);
	unsetenv("LISTEN_PID");
	unsetenv("LISTEN_FDS");
	unsetenv("LISTEN_FDNAMES");
	if (error != NULL)
		log_warnx("LISTEN_FDS=%s: expected a number up to %d", fds,
		    LISTENER_MAX);
	return error == NULL ? n : 0;
}

/*
 * Finds listening sockets: those of socket activation, or fd 0 (inetd
 * "wait"), or fd 3 where nobody is on fd 0.  A single connection of socket
 * activation is put where others have it.
 */
static void
find_sockets(struct receiver *r)
{
	int n = activated();

	for (int i = 0; i < n; i++)
		if (listener_is(FIRST_FD + i))
			r->fd[r->nfd++] = FIRST_FD + i;
	if (n == 1 && r->nfd == 0) {
		(void)dup2(FIRST_FD, STDIN_FILENO);
		(void)dup2(FIRST_FD, STDOUT_FILENO);
		close(FIRST_FD);
	}
	if (n != 0)
		return;
	if (listener_is(STDIN_FILENO))
		r->fd[r->nfd++] = STDIN_FILENO;
	else if (errno == ENOTSOCK && lseek(STDIN_FILENO, 0, SEEK_CUR) != -1 &&
	    listener_is(FIRST_FD))
		r->fd[r->nfd++] = FIRST_FD;
}

static int
run_master(struct receiver *r)
{
	const struct master m = { reload, run_acceptor, r };
	int null = open(_PATH_DEVNULL, O_RDWR | O_CLOEXEC);

	/* inetd "wait" hands it over as the output and the log, too. */
	for (int fd = STDOUT_FILENO; fd <= STDERR_FILENO; fd++)
		if (listener_is(fd) && null != -1)
			(void)dup2(null, fd);
	if (master_run(&m) == MASTER_UNFIT)
		log_warn("cannot begin");
	return EXIT_FAILURE;
}

static _Noreturn void
run_session(struct receiver *r)
{
	struct peer peer;
	int one = 1;
	bool well;

	well = load(r);
	if (well && confine_find(&r->confine, &r->conf, DOMAINS_MAX) == -1)
		log_warn("the sandbox may keep out some of the configuration");
	if (well)
		(void)load_secret(r);
	well = well && lock_in(r, false);
	/* No reply of ours waits for the acknowledgement of another. */
	(void)setsockopt(STDOUT_FILENO, IPPROTO_TCP, TCP_NODELAY, &one,
	    sizeof(one));
	(void)peer_find(&peer, STDIN_FILENO);
	/* There is nothing left that exit(3) would have to do. */
	_exit((well ? serve : refuse)(r, STDIN_FILENO, &peer));
}

/*** What would be done, and why ***/

struct question {
	const char *recipient;
	const char *sender;
	const char *client;
	enum row_style style;
};

static void
tell(void *arg, const char *what, const char *found)
{
	struct row *row = arg;

	row_begin(row);
	row_text(row, "what", what, 12);
	row_text(row, "found", found, 0);
	row_end(row);
}

static void
tell_client(const struct conf *c, const char *client, struct row *row)
{
	const struct {
		const struct conf_nets *nets;
		const char *found;
	} list[] = {
		{ &c->trusted_proxy, "speaks the PROXY protocol" },
		{ &c->xclient, "may use XCLIENT" },
		{ &c->etrn, "may use ETRN for any domain" },
	};

	for (size_t i = 0; i < sizeof(list) / sizeof(list[0]); i++)
		if (net_covers(list[i].nets->net, list[i].nets->n, client))
			tell(row, "client", list[i].found);
}

static int
exit_status(enum policy_verdict verdict)
{
	switch (smtp_server_answer(verdict)[0]) {
	case '2':
		return EX_OK;
	case '4':
		return EX_TEMPFAIL;
	default:
		return EXIT_FAILURE;
	}
}

/* What nobody could say in a session gets no answer. */
static bool
is_asked_well(const struct question *q, struct policy_mail *mail)
{
	struct addr sender = { .utf8 = false };
	struct net client;

	if (*q->sender != '\0' && !addr_parse_mailbox(&sender, q->sender)) {
		log_warnx("\"%s\": expected an address user@domain",
		    q->sender);
		return false;
	}
	if (*q->client != '\0' && !net_of(&client, q->client, 32, 64)) {
		log_warnx("\"%s\": expected a numeric address", q->client);
		return false;
	}
	mail->utf8 = sender.utf8;
	return true;
}

/* Mail by this client from this sender to this recipient, without any. */
static int
explain(struct receiver *r, const struct question *q)
{
	struct policy_mail mail = { .client = q->client, .sender = q->sender };
	enum policy_verdict verdict;
	char error[CONF_ERROR_MAX];
	struct policy *policy;
	struct addr addr;
	struct row row;

	if (!load(r))
		return EX_CONFIG;
	if (!addr_parse_mailbox(&addr, q->recipient) &&
	    (strcasecmp(q->recipient, "postmaster") != 0 ||
	    addr_parse(&addr, "<postmaster>", ADDR_RECIPIENT) == NULL)) {
		log_warnx("\"%s\": expected an address user@domain",
		    q->recipient);
		return EX_USAGE;
	}
	if (!is_asked_well(q, &mail))
		return EX_USAGE;
	/* Who only asks makes nothing. */
	if (access(r->conf.spool, F_OK) == -1)
		log_warn("%s", r->conf.spool);
	else if (spool_become_owner(r->conf.spool, error) == -1 ||
	    (r->spool = spool_open(r->conf.spool, error)) == NULL)
		log_warnx("%s", error);
	row_init(&row, stdout, q->style);
	if ((policy = policy_new(&r->conf, r->spool)) == NULL) {
		log_warn("cannot begin");
		return EX_TEMPFAIL;
	}
	tell_client(&r->conf, q->client, &row);
	verdict = policy_rcpt(policy, &mail, &addr, tell, &row);
	tell(&row, "answer", smtp_server_answer(verdict));
	policy_free(policy);
	return exit_status(verdict);
}

/* What tells of nothing but of what is in order. */
static void
pass_over(void *arg, const char *what, const char *found)
{
	(void)arg;
	(void)what;
	(void)found;
}

/*
 * A start without any client: all that would be read is read, in the sandbox
 * that a session would be in.  It is left as a session is: what looks for
 * leaks at exit(3) could do nothing there.
 */
static _Noreturn void
rehearse(struct receiver *r, trial_note *note, struct row *row)
{
	bool well;

	if (!load(r))
		_exit(EX_CONFIG);
	note(row, "hostname", r->conf.hostname);
	well = load_secret(r) && make_context(r);
	if (well)
		note(row, "certificate", r->tls == NULL ?
		    "none: no STARTTLS" : r->conf.tls_certificate);
	if (confine_find(&r->confine, &r->conf, SIZE_MAX) == -1)
		log_warn("the sandbox may keep out some of the configuration");
	/* Who only asks does not make it. */
	if (access(r->conf.spool, F_OK) == -1) {
		log_warn("spool %s", r->conf.spool);
		well = false;
	} else if (lock_in(r, false)) {
		note(row, "spool", r->conf.spool);
		note(row, "sandbox", r->active);
	} else
		well = false;
	well = trial(&r->conf, note, row) && well;
	if (fflush(stdout) == EOF) {
		log_warn("standard output");
		_exit(EXIT_FAILURE);
	}
	_exit(well ? EX_OK : EX_CONFIG);
}

int
main(int argc, char *argv[])
{
	static struct receiver r = { .dir = CONF_DIR };
	struct question q = { NULL, "", "", row_style_for(stdout) };
	bool dry = false, json = false;
	struct row row;
	int ch, verbose = 0;

	while ((ch = getopt(argc, argv, "C:e:f:jnqr:v")) != -1)
		switch (ch) {
		case 'C':
			r.dir = optarg;
			break;
		case 'e':
			q.recipient = optarg;
			break;
		case 'f':
			q.sender = optarg;
			break;
		case 'r':
			q.client = optarg;
			break;
		case 'j':
			json = true;
			q.style = ROW_JSON;
			break;
		case 'n':
			dry = true;
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
	if (argc > optind || (q.recipient == NULL &&
	    (*q.sender != '\0' || *q.client != '\0')) ||
	    (dry ? q.recipient != NULL : json && q.recipient == NULL))
		usage();
	/* A vanished client and a full disk are results, not signals. */
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);
	size_heap();
	fill_first();
	confine_init(&r.confine);
	if (q.recipient != NULL) {
		log_open("mx-receive", LOG_TARGET_STDERR, verbose);
		return explain(&r, &q);
	}
	if (dry) {
		log_open("mx-receive", LOG_TARGET_STDERR, verbose);
		row_init(&row, stdout, q.style);
		rehearse(&r, verbose < 0 ? pass_over : tell, &row);
	}
	log_open("mx-receive", log_target_find(), verbose);
	find_sockets(&r);
	if (r.nfd > 0)
		return run_master(&r);
	run_session(&r);
}
