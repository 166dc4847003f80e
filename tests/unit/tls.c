/* SPDX-License-Identifier: ISC */
#include <sys/socket.h>
#include <sys/wait.h>
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "deadline.h"
#include "stream.h"
#include "tap.h"
#include "tls.h"

#define LONG	5000		/* milliseconds that nothing should need */
#define SHORT	300
#define BULK	1000000

static char dir[] = "/tmp/tls.XXXXXX";

static void
need(bool held, const char *what)
{
	if (held)
		return;
	printf("Bail out! %s\n", what);
	ERR_print_errors_fp(stdout);
	exit(1);
}

/* A path in our directory; good until the eighth call after. */
static const char *
in_dir(const char *name)
{
	static char path[8][128];
	static int n;
	char *p = path[n++ % 8];

	(void)snprintf(p, sizeof(path[0]), "%s/%s", dir, name);
	return p;
}

static FILE *
create(const char *name)
{
	FILE *f = fopen(in_dir(name), "w");

	need(f != NULL, "a file of our own");
	return f;
}

static void
put_text(const char *name, const char *text)
{
	FILE *f = create(name);

	need(fputs(text, f) >= 0 && fclose(f) == 0, name);
}

static void
put_key(const char *name, EVP_PKEY *key, const char *passphrase)
{
	FILE *f = create(name);

	need(PEM_write_PrivateKey(f, key, passphrase == NULL ? NULL :
	    EVP_aes_128_cbc(), NULL, 0, NULL,
	    (void *)(uintptr_t)passphrase) == 1 && fclose(f) == 0, name);
}

static void
put_chain(const char *name, X509 *first, X509 *second)
{
	FILE *f = create(name);

	need(PEM_write_X509(f, first) == 1 && (second == NULL ||
	    PEM_write_X509(f, second) == 1) && fclose(f) == 0, name);
}

static X509 *
certify(const char *name, EVP_PKEY *key, X509 *issuer, EVP_PKEY *by, bool ca)
{
	X509 *x = X509_new();
	X509_EXTENSION *e;

	need(x != NULL && X509_set_version(x, 2) == 1 &&
	    ASN1_INTEGER_set(X509_get_serialNumber(x), 1) == 1 &&
	    X509_gmtime_adj(X509_getm_notBefore(x), -3600) != NULL &&
	    X509_gmtime_adj(X509_getm_notAfter(x), 3600) != NULL &&
	    X509_set_pubkey(x, key) == 1 &&
	    X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN",
	    MBSTRING_ASC, (const unsigned char *)name, -1, -1, 0) == 1 &&
	    X509_set_issuer_name(x, X509_get_subject_name(issuer == NULL ? x :
	    issuer)) == 1, "a certificate");
	e = X509V3_EXT_conf_nid(NULL, NULL, NID_basic_constraints,
	    ca ? "critical,CA:TRUE" : "CA:FALSE");
	need(e != NULL && X509_add_ext(x, e, -1) == 1, "an extension");
	X509_EXTENSION_free(e);
	need(X509_sign(x, by, EVP_PKEY_is_a(by, "ED25519") ? NULL :
	    EVP_sha256()) != 0, "a signature");
	return x;
}

static X509 *root;

static void
make_files(void)
{
	EVP_PKEY *ca = EVP_EC_gen("P-256"), *mid = EVP_EC_gen("P-256");
	EVP_PKEY *ec = EVP_EC_gen("P-256"), *rsa = EVP_RSA_gen(2048);
	EVP_PKEY *ed = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	X509 *x, *between;
	FILE *f;

	need(ca != NULL && mid != NULL && ec != NULL && rsa != NULL &&
	    ed != NULL, "keys");
	root = certify("root", ca, NULL, ca, true);
	between = certify("between", mid, root, ca, true);
	x = certify("mx.test", ec, between, mid, false);
	put_chain("ec.pem", x, between);
	put_chain("broken.pem", x, NULL);
	f = fopen(in_dir("broken.pem"), "a");
	need(f != NULL && fputs("-----BEGIN CERTIFICATE-----\nAAAA\n"
	    "-----END CERTIFICATE-----\n", f) > 0 && fclose(f) == 0, "a file");
	put_key("both.pem", ec, NULL);
	f = fopen(in_dir("both.pem"), "a");
	need(f != NULL && PEM_write_X509(f, x) == 1 && fclose(f) == 0,
	    "a file");
	X509_free(x);
	put_key("ec.key", ec, NULL);
	put_key("encrypted.key", ec, "secret");
	x = certify("mx.test", rsa, NULL, rsa, false);
	put_chain("rsa.pem", x, NULL);
	X509_free(x);
	put_key("rsa.key", rsa, NULL);
	x = certify("mx.test", ed, NULL, ed, false);
	put_chain("ed.pem", x, NULL);
	X509_free(x);
	put_key("ed.key", ed, NULL);
	put_text("empty", "");
	put_text("text", "no key\n");
	X509_free(between);
	EVP_PKEY_free(ca);
	EVP_PKEY_free(mid);
	EVP_PKEY_free(ec);
	EVP_PKEY_free(rsa);
	EVP_PKEY_free(ed);
}

static struct tls_context *
server(const char *certificate, const char *key, char *error)
{
	struct tls_secret s;
	struct tls_context *c = NULL;
	char again[TLS_ERROR_MAX];

	error[0] = '\0';
	if (tls_secret_load(&s, certificate[0] == '/' ? certificate :
	    in_dir(certificate), key[0] == '\0' ? "" : in_dir(key),
	    error) == 0)
		c = tls_server_new(&s, error);
	else
		need(tls_server_new(&s, again) == NULL &&
		    strstr(again, "could not be read") != NULL,
		    "a secret that is not there");
	tls_secret_clear(&s);
	return c;
}

static const struct {
	const char *certificate, *key;
	const char *want;	/* part of the error, or NULL */
} secrets[] = {
	{ "ec.pem", "ec.key", NULL },
	{ "rsa.pem", "rsa.key", NULL },
	{ "ed.pem", "ed.key", NULL },
	{ "both.pem", "", NULL },
	{ "ec.pem", "", "/ec.pem: no private key in PEM" },
	{ "ec.pem", "rsa.key", "/rsa.key: not the certificate's key" },
	{ "rsa.pem", "ec.key", "/ec.key: not the certificate's key" },
	{ "ec.pem", "encrypted.key", "/encrypted.key: the key is encrypted" },
	{ "ec.pem", "none", "/none: No such file or directory" },
	{ "none", "ec.key", "/none: No such file or directory" },
	{ "/dev/zero", "ec.key", "/dev/zero: File too large" },
	{ "/", "ec.key", "/: Is a directory" },
	{ "empty", "ec.key", "/empty: no usable certificate" },
	{ "ec.pem", "empty", "/empty: no private key" },
	{ "text", "ec.key", "/text: no usable certificate" },
	{ "ec.pem", "text", "/text: no private key" },
	{ "ec.key", "ec.pem", "/ec.key: no usable certificate" },
	{ "broken.pem", "ec.key", "/broken.pem: no usable certificate" },
};

static void
check_secrets(void)
{
	char error[TLS_ERROR_MAX];
	struct tls_context *c;

	for (size_t i = 0; i < sizeof(secrets) / sizeof(*secrets); i++) {
		c = server(secrets[i].certificate, secrets[i].key, error);
		if (!ok((c != NULL) == (secrets[i].want == NULL) &&
		    (c != NULL || strstr(error, secrets[i].want) != NULL),
		    "certificate %s, key %s", secrets[i].certificate,
		    secrets[i].key))
			printf("# %s\n", error);
		tls_context_free(c);
	}
}

/* The other side, in a process of its own: its answer is an exit status. */
struct peer {
	pid_t pid;
	struct stream_fds fds;
};

static struct peer
begin(int (*play)(int fd, const void *arg), const void *arg)
{
	struct peer p = { 0 };
	int fd[2];

	need(socketpair(AF_UNIX, SOCK_STREAM, 0, fd) == 0, "socketpair");
	if ((p.pid = fork()) == 0) {
		close(fd[0]);
		_exit(play(fd[1], arg));
	}
	need(p.pid != -1, "fork");
	close(fd[1]);
	p.fds.in = p.fds.out = fd[0];
	return p;
}

static int
end(struct peer *p)
{
	int status;

	close(p->fds.in);
	need(waitpid(p->pid, &status, 0) == p->pid, "waitpid");
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void
pause_ms(int ms)
{
	usleep((useconds_t)ms * 1000);
}

/* Until the other side is gone. */
static int
hang(int fd)
{
	char buf[4096];
	ssize_t n;

	while ((n = read(fd, buf, sizeof(buf))) > 0)
		continue;
	return n == 0 ? 0 : 9;
}

static char bulk[BULK];

static int
echo(SSL *ssl)
{
	size_t n, len = 0;

	for (; len < BULK; len += n)
		if (SSL_read_ex(ssl, bulk + len, BULK - len, &n) != 1)
			return 2;
	return SSL_write_ex(ssl, bulk, BULK, &n) == 1 && n == BULK ? 0 : 3;
}

static int
flood(SSL *ssl)
{
	int64_t until = deadline_in(LONG);
	int n = 0;

	while (deadline_left(until) > 0 &&
	    SSL_key_update(ssl, SSL_KEY_UPDATE_NOT_REQUESTED) == 1 &&
	    SSL_do_handshake(ssl) == 1)
		n++;
	return n > 10 && deadline_left(until) > 0 ? 0 : 4;
}

struct client {
	int min, max;
	const char *ciphers;
	enum { ECHO, LEAVE, VANISH, CUT, SILENT, FLOOD, RENEGOTIATE } play;
};

/* What the client does once it has TLS. */
static int
act(SSL *ssl, int fd, const struct client *c)
{
	static const char cut[] = "\x17\x03\x03\x00\x40 only half of it";
	size_t n;

	switch (c->play) {
	case ECHO:
		return echo(ssl);
	case LEAVE:
		return SSL_write_ex(ssl, "bye", 3, &n) == 1 &&
		    SSL_shutdown(ssl) >= 0 ? hang(fd) : 5;
	case VANISH:
		return SSL_write_ex(ssl, "bye", 3, &n) == 1 ? 0 : 5;
	case CUT:
		return SSL_write_ex(ssl, "bye", 3, &n) == 1 &&
		    write(fd, cut, sizeof(cut)) > 0 ? 0 : 5;
	case SILENT:
		/* The server's close_notify, and nothing before it. */
		return SSL_read_ex(ssl, bulk, 1, &n) == 0 && SSL_get_error(ssl,
		    0) == SSL_ERROR_ZERO_RETURN ? 0 : 6;
	case FLOOD:
		return flood(ssl);
	case RENEGOTIATE:
		return SSL_renegotiate(ssl) == 1 &&
		    SSL_do_handshake(ssl) == 1 ? 7 : 0;
	}
	return 8;
}

static int
client(int fd, const void *arg)
{
	const struct client *c = arg;
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	SSL *ssl = NULL;

	signal(SIGPIPE, SIG_IGN);
	need(ctx != NULL && SSL_CTX_set_min_proto_version(ctx, c->min) == 1 &&
	    SSL_CTX_set_max_proto_version(ctx, c->max) == 1 &&
	    SSL_CTX_set_cipher_list(ctx, c->ciphers == NULL ?
	    "ALL:COMPLEMENTOFALL:@SECLEVEL=0" : c->ciphers) == 1 &&
	    X509_STORE_add_cert(SSL_CTX_get_cert_store(ctx), root) == 1 &&
	    (ssl = SSL_new(ctx)) != NULL && SSL_set_fd(ssl, fd) == 1,
	    "a client");
	if (SSL_connect(ssl) != 1)
		return 20;
	if (SSL_session_reused(ssl))
		return 21;
	if (EVP_PKEY_is_a(X509_get0_pubkey(SSL_get0_peer_certificate(ssl)),
	    "EC") && SSL_get_verify_result(ssl) != X509_V_OK)
		return 22;	/* the chain is not whole */
	return act(ssl, fd, c);
}

static ssize_t
get(struct tls *t, char *buf, size_t len, int ms)
{
	return tls_stream_ops.read(t, buf, len, deadline_in(ms));
}

/* Here and back again. */
static bool
bulk_goes(struct tls *t)
{
	static char back[BULK];
	size_t len = 0;
	ssize_t n;

	for (size_t i = 0; i < BULK; i++)
		bulk[i] = (char)(i * 7 + i / 251);
	for (; len < BULK; len += (size_t)n)
		if ((n = tls_stream_ops.write(t, bulk + len, BULK - len,
		    deadline_in(LONG))) <= 0)
			return false;
	for (len = 0; len < BULK; len += (size_t)n)
		if ((n = get(t, back + len, BULK - len, LONG)) <= 0)
			return false;
	return memcmp(bulk, back, BULK) == 0;
}

static void
check_versions(const char *name, struct tls_context *ctx)
{
	static const struct {
		const char *name;
		struct client client;
		const char *cipher;	/* part of it; NULL: refused */
	} table[] = {
		{ "TLSv1.3", { TLS1_3_VERSION, TLS1_3_VERSION, NULL, ECHO },
		    "TLS_AES_256_GCM_SHA384" },
		{ "TLSv1.2", { TLS1_2_VERSION, TLS1_2_VERSION, NULL, ECHO },
		    "ECDHE-" },
		{ "TLSv1.1", { TLS1_VERSION, TLS1_1_VERSION, NULL, ECHO },
		    NULL },
		{ "TLSv1", { TLS1_VERSION, TLS1_VERSION, NULL, ECHO }, NULL },
	};
	char error[TLS_ERROR_MAX];
	enum tls_result result;
	struct peer p;
	struct tls *t;

	for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++) {
		p = begin(client, &table[i].client);
		result = tls_accept(ctx, &stream_fd_ops, &p.fds,
		    deadline_in(LONG), &t, error);
		if (table[i].cipher == NULL) {
			is_int(result, TLS_REFUSED, "%s: %s refused", name,
			    table[i].name);
			is_str(error, "TLS: unsupported protocol", "why");
			ok(t == NULL, "no session");
			is_int(end(&p), 20, "the client hears it");
			continue;
		}
		if (!is_int(result, TLS_OK, "%s: %s", name, table[i].name)) {
			printf("# %s\n", error);
			(void)end(&p);
			continue;
		}
		is_str(tls_protocol(t), table[i].name, "its protocol");
		ok(strstr(tls_cipher(t), table[i].cipher) != NULL,
		    "its cipher, %s", tls_cipher(t));
		ok(bulk_goes(t), "a megabyte there and back");
		tls_close(t);
		tls_free(t);
		is_int(end(&p), 0, "the client is content");
	}
}

/* Ciphers of TLS 1.2 that must not be agreed on. */
static void
check_weak(struct tls_context *ctx)
{
	static const char *const weak[] = {
		"NULL:@SECLEVEL=0", "aNULL:@SECLEVEL=0", "kRSA", "kDHE",
		"CAMELLIA", "ARIA", "AESCCM", "kPSK"
	};
	struct client c = { TLS1_2_VERSION, TLS1_2_VERSION, NULL, ECHO };
	char error[TLS_ERROR_MAX];
	struct peer p;
	struct tls *t;

	for (size_t i = 0; i < sizeof(weak) / sizeof(*weak); i++) {
		c.ciphers = weak[i];
		p = begin(client, &c);
		is_int(tls_accept(ctx, &stream_fd_ops, &p.fds,
		    deadline_in(LONG), &t, error), TLS_REFUSED, "no %s",
		    weak[i]);
		tls_free(t);
		(void)end(&p);
	}
}

static struct tls *
accept_one(struct tls_context *ctx, struct peer *p, int version, int play)
{
	static struct client c;
	char error[TLS_ERROR_MAX];
	struct tls *t;

	memset(&c, 0, sizeof(c));
	c.min = c.max = version;
	c.play = play;
	*p = begin(client, &c);
	need(tls_accept(ctx, &stream_fd_ops, &p->fds, deadline_in(LONG), &t,
	    error) == TLS_OK, error);
	return t;
}

static void
check_ends(struct tls_context *ctx, int version)
{
	static const struct {
		const char *name;
		int play;
	} table[] = {
		{ "close_notify", LEAVE },
		{ "no close_notify", VANISH },
		{ "a record cut short", CUT },
	};
	char buf[64];
	struct peer p;
	struct tls *t;

	for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++) {
		t = accept_one(ctx, &p, version, table[i].play);
		is_int(get(t, buf, sizeof(buf), LONG), 3, "%s: the data",
		    table[i].name);
		is_int(get(t, buf, sizeof(buf), LONG), 0, "then the end");
		is_int(get(t, buf, sizeof(buf), LONG), 0, "and again");
		tls_close(t);
		tls_free(t);
		is_int(end(&p), 0, "the client is content");
	}
}

static void
check_deadlines(struct tls_context *ctx)
{
	int64_t began = deadline_now();
	struct peer p;
	struct tls *t;
	ssize_t n;
	char c;

	t = accept_one(ctx, &p, TLS1_3_VERSION, SILENT);
	is_int(get(t, &c, 1, SHORT), -1, "nothing to read");
	is_int(errno, ETIMEDOUT, "but the deadline");
	is_int(get(t, &c, 1, 0), -1, "once more, at once");
	tls_close(t);
	tls_free(t);
	is_int(end(&p), 0, "the client hears a close_notify all the same");

	t = accept_one(ctx, &p, TLS1_3_VERSION, FLOOD);
	is_int(get(t, &c, 1, SHORT), -1, "new keys without end");
	is_int(errno, ETIMEDOUT, "end at the deadline");
	tls_close(t);
	tls_free(t);
	is_int(end(&p), 0, "the client is cut off");

	/* A reader that does not read. */
	t = accept_one(ctx, &p, TLS1_2_VERSION, SILENT);
	kill(p.pid, SIGSTOP);
	while ((n = tls_stream_ops.write(t, bulk, BULK, deadline_in(SHORT))) >
	    0)
		continue;
	is_int(n, -1, "nobody reads");
	is_int(errno, ETIMEDOUT, "to the deadline");
	tls_close(t);
	tls_free(t);
	kill(p.pid, SIGKILL);
	is_int(end(&p), -1, "the client is gone");
	ok(deadline_now() - began < 4 * SHORT + LONG, "all of it in time");

	/* One that is gone already. */
	t = accept_one(ctx, &p, TLS1_2_VERSION, SILENT);
	kill(p.pid, SIGKILL);
	while ((n = tls_stream_ops.write(t, bulk, BULK, deadline_in(LONG))) > 0)
		continue;
	is_int(errno, EPIPE, "nobody there: %s", tls_failure(t));
	tls_close(t);
	tls_free(t);
	(void)end(&p);
}

static void
check_renegotiation(struct tls_context *ctx)
{
	struct peer p;
	struct tls *t;
	char c;

	t = accept_one(ctx, &p, TLS1_2_VERSION, RENEGOTIATE);
	is_int(get(t, &c, 1, LONG), -1, "the client gives up");
	is_str(tls_failure(t), "TLS: sslv3 alert handshake failure", "why");
	tls_free(t);
	is_int(end(&p), 0, "renegotiation is refused");
}

/* Peers that do not speak TLS. */

static int
speak(int fd, const void *arg)
{
	const char *text = arg;

	if (write(fd, text, strlen(text)) == -1)
		return 1;
	return shutdown(fd, SHUT_WR) == 0 ? hang(fd) : 2;
}

/* The beginning of a ClientHello, of 512 octets as it says. */
static const char hello[] = "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03";

static int
drip(int fd, const void *arg)
{
	size_t i = 0;

	(void)arg;
	signal(SIGPIPE, SIG_IGN);
	while (write(fd, i < sizeof(hello) - 1 ? &hello[i] : "x", 1) == 1) {
		pause_ms(SHORT / 20);
		i++;
	}
	return i > 5 && i < 40 ? 0 : 1;
}

static int
be_silent(int fd, const void *arg)
{
	(void)arg;
	return hang(fd);
}

static int
hurl(int fd, const void *arg)
{
	char junk[4096];

	(void)arg;
	signal(SIGPIPE, SIG_IGN);
	memset(junk, 0x16, sizeof(junk));
	while (write(fd, junk, sizeof(junk)) > 0)
		continue;
	return 0;
}

static void
check_strangers(struct tls_context *ctx)
{
	static const struct {
		const char *name;
		int (*play)(int fd, const void *arg);
		const char *arg;
		enum tls_result want;
		const char *why;
	} table[] = {
		{ "SMTP", speak, "EHLO client.test\r\n", TLS_REFUSED,
		    "TLS: wrong version number" },
		{ "HTTP", speak, "GET / HTTP/1.0\r\n\r\n", TLS_REFUSED,
		    "TLS: http request" },
		{ "nothing at all", speak, "", TLS_CLOSED, "the peer left" },
		{ "two octets", speak, "\x16\x03", TLS_CLOSED,
		    "the peer left" },
		{ "half a ClientHello", speak, hello, TLS_CLOSED,
		    "the peer left" },
		{ "garbage without end", hurl, NULL, TLS_REFUSED, NULL },
		{ "a dripper", drip, NULL, TLS_TIMEOUT, "too slow" },
		{ "silence", be_silent, NULL, TLS_TIMEOUT, "too slow" },
	};
	char error[TLS_ERROR_MAX];
	struct peer p;
	struct tls *t;
	int64_t began;

	for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++) {
		p = begin(table[i].play, table[i].arg);
		began = deadline_now();
		is_int(tls_accept(ctx, &stream_fd_ops, &p.fds,
		    deadline_in(SHORT), &t, error), table[i].want, "%s",
		    table[i].name);
		ok(deadline_now() - began < SHORT + LONG / 5, "in time");
		ok(t == NULL, "no session");
		if (table[i].why != NULL)
			is_str(error, table[i].why, "why");
		is_int(end(&p), 0, "the peer is as was planned");
	}
}

/* STARTTLS as a server does it; ARG follows in the same packet. */
static int
start(int fd, const void *arg)
{
	static const struct client c = { TLS1_2_VERSION, TLS1_3_VERSION, NULL,
	    LEAVE };
	char buf[64];

	if (dprintf(fd, "STARTTLS\r\n%s", (const char *)arg) == -1 ||
	    read(fd, buf, 3) != 3)
		return 30;
	return memcmp(buf, "220", 3) == 0 ? client(fd, &c) : 0;
}

static void
check_switch(struct tls_context *ctx)
{
	char error[TLS_ERROR_MAX], *line;
	struct stream *s;
	struct peer p;
	struct tls *t;
	const char *data;
	size_t len;

	p = begin(start, "");
	s = stream_new(&stream_fd_ops, &p.fds);
	need(s != NULL, "a stream");
	stream_deadline(s, deadline_in(LONG));
	is_int(stream_line(s, &line, &len, 512), STREAM_LINE, "in clear");
	is_int(stream_write(s, "220", 3), 0, "the answer");
	is_int(stream_flush(s), 0, "goes");
	need(tls_accept(ctx, &stream_fd_ops, &p.fds, deadline_in(LONG), &t,
	    error) == TLS_OK, error);
	is_int(stream_switch(s, &tls_stream_ops, t), 0, "on with TLS");
	is_int(stream_data(s, &data, &len), STREAM_LINE, "in secret");
	is_mem(data, len, "bye", 3, "what was said");
	stream_skip(s, len);
	is_int(stream_data(s, &data, &len), STREAM_EOF, "the end");
	tls_close(t);
	tls_free(t);
	stream_free(s);
	is_int(end(&p), 0, "the client is content");

	p = begin(start, "QUIT\r\n");
	s = stream_new(&stream_fd_ops, &p.fds);
	need(s != NULL, "a stream");
	stream_deadline(s, deadline_in(LONG));
	is_int(stream_line(s, &line, &len, 512), STREAM_LINE, "in clear");
	errno = 0;
	is_int(stream_switch(s, &stream_fd_ops, &p.fds), -1,
	    "no TLS behind what is waiting");
	is_int(errno, EBUSY, "which is why");
	is_int(stream_line(s, &line, &len, 512), STREAM_LINE, "it is there");
	is_int(stream_write(s, "500", 3), 0, "an answer");
	is_int(stream_switch(s, &stream_fd_ops, &p.fds), 0, "now it may");
	is_int(end(&p), 0, "and what was to be sent has been");
	stream_free(s);
}

/* Two descriptors that are no sockets. */
static int
talk_pipes(int fd, const void *arg)
{
	const int *pipes = arg;
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	SSL *ssl = SSL_new(ctx);

	close(fd);
	close(pipes[1]);
	close(pipes[2]);
	if (SSL_set_rfd(ssl, pipes[0]) != 1 || SSL_set_wfd(ssl, pipes[3]) != 1)
		return 40;
	return SSL_connect(ssl) == 1 ? echo(ssl) : 41;
}

static void
check_pipes(struct tls_context *ctx)
{
	char error[TLS_ERROR_MAX];
	struct stream_fds fds = { 0 };
	struct peer p;
	struct tls *t;
	int pipes[4];

	signal(SIGPIPE, SIG_IGN);	/* as for any pipe */
	need(pipe(pipes) == 0 && pipe(pipes + 2) == 0, "pipes");
	p = begin(talk_pipes, pipes);
	close(pipes[0]);
	close(pipes[3]);
	fds.out = pipes[1];
	fds.in = pipes[2];
	if (is_int(tls_accept(ctx, &stream_fd_ops, &fds, deadline_in(LONG), &t,
	    error), TLS_OK, "over two pipes"))
		ok(bulk_goes(t), "a megabyte there and back");
	tls_close(t);
	tls_free(t);
	close(pipes[1]);
	close(pipes[2]);
	is_int(end(&p), 0, "the client is content");
}

/* A connection as an SMTP session has it: both sides have spoken by turns. */
static int
dialogue(int fd, const void *arg)
{
	static const struct client c = { TLS1_3_VERSION, TLS1_3_VERSION, NULL,
	    LEAVE };
	const struct sockaddr_in *sin = arg;
	int tcp = socket(AF_INET, SOCK_STREAM, 0), status;
	char byte;

	if (connect(tcp, (const struct sockaddr *)sin, sizeof(*sin)) == -1)
		return 50;
	for (int i = 0; i < 3; i++)
		if (read(tcp, &byte, 1) != 1 || write(tcp, &byte, 1) != 1)
			return 51;
	if (read(tcp, &byte, 1) != 1)
		return 52;
	status = client(tcp, &c);
	close(tcp);
	close(fd);
	return status;
}

/* What it takes, in ms, from the handshake's begin to the first word. */
static int64_t
first_word(struct tls_context *ctx, int listening, struct peer *p)
{
	char error[TLS_ERROR_MAX], byte = '.';
	struct stream_fds fds = { 0 };
	struct tls *t;
	int64_t began;

	fds.in = fds.out = accept(listening, NULL, NULL);
	need(fds.in != -1, "accept");
	for (int i = 0; i < 3; i++)
		need(write(fds.in, &byte, 1) == 1 &&
		    read(fds.in, &byte, 1) == 1, "a dialogue");
	need(write(fds.in, &byte, 1) == 1, "a word to begin");
	began = deadline_now();
	need(tls_accept(ctx, &stream_fd_ops, &fds, deadline_in(LONG), &t,
	    error) == TLS_OK, error);
	need(get(t, &byte, 1, LONG) == 1, "a word");
	began = deadline_now() - began;
	tls_close(t);
	tls_free(t);
	close(fds.in);
	(void)end(p);
	return began;
}

static void
check_prompt(struct tls_context *ctx)
{
	struct sockaddr_in sin = { .sin_family = AF_INET };
	socklen_t len = sizeof(sin);
	int64_t best = LONG, took;
	struct peer p;
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	need(bind(fd, (struct sockaddr *)&sin, len) == 0 &&
	    listen(fd, 1) == 0 &&
	    getsockname(fd, (struct sockaddr *)&sin, &len) == 0, "a port");
	for (int i = 0; i < 10 && best >= 35; i++) {
		p = begin(dialogue, &sin);
		took = first_word(ctx, fd, &p);
		best = took < best ? took : best;
	}
	close(fd);
	ok(best < 35, "no client waits 40 ms for an acknowledgement");
	printf("# %d ms\n", (int)best);
}

static void
check_orphan(struct tls_context *ctx)
{
	struct peer p;
	struct tls *t;

	t = accept_one(ctx, &p, TLS1_3_VERSION, ECHO);
	tls_context_free(ctx);
	ok(bulk_goes(t), "a session outlives its context");
	tls_close(t);
	tls_free(t);
	is_int(end(&p), 0, "the client is content");
}

int
main(void)
{
	static const char *const names[] = { "ec", "rsa", "ed" };
	char error[TLS_ERROR_MAX], key[16], certificate[16];
	struct tls_context *ctx = NULL;

	need(mkdtemp(dir) != NULL, "a directory");
	signal(SIGPIPE, SIG_DFL);
	make_files();
	check_secrets();
	for (size_t i = 0; i < 3; i++) {
		tls_context_free(ctx);
		(void)snprintf(certificate, sizeof(certificate), "%s.pem",
		    names[i]);
		(void)snprintf(key, sizeof(key), "%s.key", names[i]);
		ctx = server(certificate, key, error);
		need(ctx != NULL, error);
		check_versions(names[i], ctx);
	}
	tls_context_free(ctx);
	ctx = server("rsa.pem", "rsa.key", error);
	need(ctx != NULL, error);
	check_weak(ctx);
	tls_context_free(ctx);
	ctx = server("ec.pem", "ec.key", error);
	need(ctx != NULL, error);
	check_ends(ctx, TLS1_2_VERSION);
	check_ends(ctx, TLS1_3_VERSION);
	check_deadlines(ctx);
	check_renegotiation(ctx);
	check_strangers(ctx);
	check_switch(ctx);
	check_prompt(ctx);
	check_pipes(ctx);
	check_orphan(ctx);	/* frees it */
	X509_free(root);
	if (fork() == 0)
		execlp("rm", "rm", "-rf", dir, (char *)NULL);
	(void)wait(NULL);
	return done_testing();
}
