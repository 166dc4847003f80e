/* SPDX-License-Identifier: ISC */
#include <sys/socket.h>
#include <sys/wait.h>
#include <errno.h>
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
#include "tls_client.h"

#define LONG	5000		/* milliseconds that nothing should need */
#define SHORT	300

static char dir[] = "/tmp/tls.XXXXXX";
static char ca_file[64];

static void
need(bool held, const char *what)
{
	if (held)
		return;
	printf("Bail out! %s\n", what);
	ERR_print_errors_fp(stdout);
	exit(1);
}

/*** Certificates ***/

static EVP_PKEY *ca_key, *mid_key, *key;
static X509 *ca, *mid;

/* DAYS from now, less than none for one that is over; SAN may be NULL. */
static X509 *
certify(const char *name, const char *san, EVP_PKEY *of, X509 *issuer,
    EVP_PKEY *by, int days)
{
	static long serial = 1;
	X509 *x = X509_new();
	X509_EXTENSION *e;
	X509V3_CTX ctx;

	need(x != NULL && X509_set_version(x, 2) == 1 &&
	    ASN1_INTEGER_set(X509_get_serialNumber(x), serial++) == 1 &&
	    X509_gmtime_adj(X509_getm_notBefore(x), -86400 * 10) != NULL &&
	    X509_gmtime_adj(X509_getm_notAfter(x), 86400L * days) != NULL &&
	    X509_set_pubkey(x, of) == 1 &&
	    X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN",
	    MBSTRING_ASC, (const unsigned char *)name, -1, -1, 0) == 1 &&
	    X509_set_issuer_name(x, X509_get_subject_name(issuer == NULL ? x :
	    issuer)) == 1, "a certificate");
	X509V3_set_ctx(&ctx, issuer == NULL ? x : issuer, x, NULL, NULL, 0);
	e = X509V3_EXT_conf_nid(NULL, &ctx, NID_basic_constraints,
	    san == NULL ? "critical,CA:TRUE" : "CA:FALSE");
	need(e != NULL && X509_add_ext(x, e, -1) == 1, "an extension");
	X509_EXTENSION_free(e);
	if (san != NULL && san[0] != '\0') {
		e = X509V3_EXT_conf_nid(NULL, &ctx, NID_subject_alt_name, san);
		need(e != NULL && X509_add_ext(x, e, -1) == 1, "names");
		X509_EXTENSION_free(e);
	}
	need(X509_sign(x, by, EVP_sha256()) != 0, "a signature");
	return x;
}

static X509 *good, *other, *expired, *selfmade, *nosan;

static void
make_certificates(void)
{
	FILE *f;

	need(mkdtemp(dir) != NULL, "a directory");
	(void)snprintf(ca_file, sizeof(ca_file), "%s/ca", dir);
	ca_key = EVP_EC_gen("P-256");
	mid_key = EVP_EC_gen("P-256");
	key = EVP_EC_gen("P-256");
	need(ca_key != NULL && mid_key != NULL && key != NULL, "keys");
	ca = certify("root", NULL, ca_key, NULL, ca_key, 10);
	mid = certify("between", NULL, mid_key, ca, ca_key, 10);
	good = certify("mx.test", "DNS:mx.test,DNS:*.wild.test", key, mid,
	    mid_key, 5);
	other = certify("other.test", "DNS:other.test", key, mid, mid_key, 5);
	expired = certify("mx.test", "DNS:mx.test", key, mid, mid_key, -1);
	selfmade = certify("mx.test", "DNS:mx.test", key, NULL, key, 5);
	nosan = certify("mx.test", "", key, mid, mid_key, 5);
	f = fopen(ca_file, "w");
	need(f != NULL && PEM_write_X509(f, ca) == 1 && fclose(f) == 0,
	    "a file");
}

static void
digest_cert(X509 *x, unsigned char *out)
{
	need(X509_digest(x, EVP_sha256(), out, NULL) == 1, "a digest");
}

static void
digest_key(EVP_PKEY *k, unsigned char *out)
{
	unsigned char *der = NULL;
	int len = i2d_PUBKEY(k, &der);

	need(len > 0 && EVP_Digest(der, (size_t)len, out, NULL, EVP_sha256(),
	    NULL) == 1, "a digest");
	OPENSSL_free(der);
}

/*** The server, in a process of its own; its answer is an exit status ***/

struct server {
	X509 **cert;
	bool root;		/* shows the root too */
	int version;
	int play;		/* of the enum below */
	int sessions;		/* connections it takes, one after the other */
	const char *sni;	/* it wants to be called so; NULL: never mind */
};

enum { TALK, LATE_ALERT, SLAM, NOT_TLS, STALL, ALERT };

struct peer {
	pid_t pid;
	struct stream_fds fds[2];
};

static int
refuse_client(int ok, X509_STORE_CTX *ctx)
{
	(void)ok;
	X509_STORE_CTX_set_error(ctx, X509_V_ERR_CERT_REJECTED);
	return 0;
}

static SSL_CTX *
server_context(const struct server *s)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());

	need(ctx != NULL && SSL_CTX_set_min_proto_version(ctx, s->version) ==
	    1 && SSL_CTX_set_max_proto_version(ctx, s->version) == 1 &&
	    SSL_CTX_set_cipher_list(ctx, "DEFAULT@SECLEVEL=0") == 1 &&
	    SSL_CTX_set_session_id_context(ctx,
	    (const unsigned char *)"t", 1) == 1, "a context");
	if (s->cert != NULL)
		need(SSL_CTX_use_certificate(ctx, *s->cert) == 1 &&
		    SSL_CTX_use_PrivateKey(ctx, key) == 1 &&
		    SSL_CTX_add1_chain_cert(ctx, mid) == 1 && (!s->root ||
		    SSL_CTX_add1_chain_cert(ctx, ca) == 1), "a certificate");
	if (s->play == LATE_ALERT)
		SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER |
		    SSL_VERIFY_FAIL_IF_NO_PEER_CERT, refuse_client);
	return ctx;
}

static int
serve_one(SSL_CTX *ctx, const struct server *s, int fd)
{
	SSL *ssl = SSL_new(ctx);
	const char *name;
	char c = 0;
	size_t n;
	int result = 1;

	need(ssl != NULL && SSL_set_fd(ssl, fd) == 1, "a server");
	if (SSL_accept(ssl) != 1)
		goto out;
	name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
	result = 2;
	if (s->sni != NULL && strcmp(name == NULL ? "" : name, s->sni) != 0)
		goto out;
	result = 0;
	if (s->play == SLAM)
		goto out;
	/* One byte to and fro. */
	if (SSL_read_ex(ssl, &c, 1, &n) != 1 ||
	    SSL_write_ex(ssl, &c, 1, &n) != 1)
		result = 3;
	while (SSL_read_ex(ssl, &c, 1, &n) == 1)
		continue;
out:
	SSL_free(ssl);
	close(fd);
	return result;
}

static int
serve(const struct server *s, int fd[2])
{
	SSL_CTX *ctx;
	char buf[4096];
	int i, result = 0;

	signal(SIGPIPE, SIG_IGN);
	if (s->play == NOT_TLS)
		return write(fd[0], "500 what?\r\n", 11) == 11 &&
		    read(fd[0], buf, sizeof(buf)) > 0 ? 0 : 9;
	if (s->play == STALL || s->play == ALERT) {
		if (read(fd[0], buf, sizeof(buf)) <= 0)
			return 9;
		if (s->play == ALERT)
			return write(fd[0], "\x15\x03\x03\x00\x02\x02\x28",
			    7) == 7 ? 0 : 9;
		return read(fd[0], buf, sizeof(buf)) == 0 ? 0 : 9;
	}
	ctx = server_context(s);
	for (i = 0; i < s->sessions && result == 0; i++)
		result = serve_one(ctx, s, fd[i]);
	SSL_CTX_free(ctx);
	return result;
}

static struct peer
begin(const struct server *s)
{
	struct peer p;
	int fd[2][2], mine[2];

	memset(&p, 0, sizeof(p));
	for (int i = 0; i < 2; i++) {
		need(socketpair(AF_UNIX, SOCK_STREAM, 0, fd[i]) == 0,
		    "socketpair");
		p.fds[i].in = p.fds[i].out = fd[i][0];
		mine[i] = fd[i][1];
	}
	fflush(stdout);
	if ((p.pid = fork()) == 0) {
		close(fd[0][0]);
		close(fd[1][0]);
		_exit(serve(s, mine));
	}
	need(p.pid != -1, "fork");
	close(fd[0][1]);
	close(fd[1][1]);
	return p;
}

static int
end(struct peer *p)
{
	int status;

	close(p->fds[0].in);
	close(p->fds[1].in);
	need(waitpid(p->pid, &status, 0) == p->pid, "waitpid");
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* A byte there and back. */
static bool
talks(struct tls *t)
{
	char c = 'x';

	return tls_stream_ops.write(t, &c, 1, deadline_in(LONG)) == 1 &&
	    !tls_has_heard(t) &&
	    tls_stream_ops.read(t, &c, 1, deadline_in(LONG)) == 1 &&
	    c == 'x' && tls_has_heard(t);
}

/*** What is wanted and what comes of it ***/

static const char *const mx[] = { "mx.test" };
static const char *const two[] = { "elsewhere.test", "mx.test" };
static const char *const wild[] = { "a.wild.test" };
static const char *const deep[] = { "a.b.wild.test" };
static const char *const nobody[] = { "elsewhere.test" };
static struct conf_pin pins[2];
static unsigned char ee_key[TLS_SHA256], ee_cert[TLS_SHA256],
    ta_cert[TLS_SHA256], ta_key[TLS_SHA256], wrong[TLS_SHA256];

#define RR(u, s, m, d)	{ u, s, m, d, sizeof(d) }
static const struct tls_tlsa ee[] = { RR(3, 1, 1, ee_key) };
static const struct tls_tlsa ee_too[] = { RR(3, 1, 1, wrong),
    RR(3, 0, 1, ee_cert) };
static const struct tls_tlsa bad[] = { RR(3, 1, 1, wrong) };
static const struct tls_tlsa ta[] = { RR(2, 0, 1, ta_cert) };
static const struct tls_tlsa ta_spki[] = { RR(2, 1, 1, ta_key) };
static const struct tls_tlsa pkix_ee[] = { RR(1, 1, 1, wrong),
    RR(0, 0, 1, wrong) };
static const struct tls_tlsa odd[] = { RR(3, 2, 1, ee_key),
    RR(3, 1, 3, ee_key), RR(3, 1, 2, ee_key), RR(9, 1, 1, ee_key),
    { 3, 1, 1, ee_key, 31 }, { 3, 0, 0, ee_key, 0 } };
static const struct tls_tlsa mixed[] = { RR(1, 1, 1, ee_key),
    RR(3, 1, 1, wrong) };
static const struct tls_tlsa junk[] = { RR(3, 0, 0, wrong) };

#define MAY		TLS_MAY, NULL, 0, 0, NULL, 0
#define VERIFY(n)	TLS_VERIFY, n, sizeof(n) / sizeof(*n), 0, NULL, 0
#define PIN(n)		TLS_PIN, NULL, 0, n, NULL, 0
#define DANE(n, r)	TLS_DANE, n, sizeof(n) / sizeof(*n), 0, r, \
	sizeof(r) / sizeof(*r)
static const struct {
	const char *test;
	X509 **cert;
	enum tls_how how;
	const char *const *name;
	size_t nname, npin;
	const struct tls_tlsa *tlsa;
	size_t ntlsa;
	const char *auth;	/* NULL: refused */
	const char *why;	/* part of it */
} table[] = {
	{ "may, good", &good, MAY, "none", NULL },
	{ "may, self-signed", &selfmade, MAY, "none", NULL },
	{ "may, expired", &expired, MAY, "none", NULL },
	{ "verify, good", &good, VERIFY(mx), "pkix", NULL },
	{ "verify, second of two names", &good, VERIFY(two), "pkix", NULL },
	{ "verify, wildcard", &good, VERIFY(wild), "pkix", NULL },
	{ "verify, wildcard for one label", &good, VERIFY(deep), NULL,
	    "another's: mx.test *.wild.test" },
	{ "verify, bad name", &good, VERIFY(nobody), NULL,
	    "the certificate is another's: mx.test" },
	{ "verify, other's", &other, VERIFY(mx), NULL,
	    "the certificate is another's: other.test" },
	{ "verify, expired", &expired, VERIFY(mx), NULL,
	    "certificate: certificate has expired" },
	{ "verify, self-signed", &selfmade, VERIFY(mx), NULL,
	    "certificate: self" },
	{ "verify, name in CN", &nosan, VERIFY(mx), "pkix", NULL },
	{ "pin, good", &selfmade, PIN(2), "pin", NULL },
	{ "pin, expired", &expired, PIN(2), "pin", NULL },
	{ "pin, another", &good, PIN(1), NULL,
	    "the key is not one of those pinned: sha256:" },
	{ "DANE-EE", &selfmade, DANE(mx, ee), "dane-ee", NULL },
	{ "DANE-EE looks at no name", &other, DANE(mx, ee), "dane-ee", NULL },
	{ "DANE-EE looks at no date", &expired, DANE(mx, ee), "dane-ee",
	    NULL },
	{ "DANE-EE, second record", &good, DANE(mx, ee_too), "dane-ee",
	    NULL },
	{ "DANE-EE, wrong", &good, DANE(mx, bad), NULL,
	    "no TLSA record matches the certificate" },
	{ "DANE-TA", &good, DANE(mx, ta), "dane-ta", NULL },
	{ "DANE-TA, key", &good, DANE(mx, ta_spki), "dane-ta", NULL },
	{ "DANE-TA, second name", &good, DANE(two, ta), "dane-ta", NULL },
	{ "DANE-TA looks at names", &other, DANE(mx, ta), NULL,
	    "the certificate is another's: other.test" },
	{ "DANE-TA looks at dates", &expired, DANE(mx, ta), NULL,
	    "certificate has expired" },
	{ "DANE-TA, self-signed", &selfmade, DANE(mx, ta), NULL,
	    "no TLSA record matches" },
	{ "usages 0 and 1 are as none", &selfmade, DANE(mx, pkix_ee),
	    "none", NULL },
	{ "none usable", &selfmade, DANE(mx, odd), "none", NULL },
	{ "none that OpenSSL takes", &selfmade, DANE(mx, junk), "none",
	    NULL },
	{ "one usable, and wrong", &good, DANE(mx, mixed), NULL,
	    "no TLSA record matches" },
};

static void
check_wants(struct tls_client *c, int version)
{
	struct server s = { .root = true, .version = version, .sessions = 1,
	    .sni = "mx.test" };
	char error[TLS_ERROR_MAX];
	enum tls_result result;
	struct tls_want want;
	struct peer p;
	struct tls *t;

	for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++) {
		memset(&want, 0, sizeof(want));
		want.how = table[i].how;
		want.server = "mx.test";
		want.name = table[i].name;
		want.nname = table[i].nname;
		want.pin = pins;
		want.npin = table[i].npin;
		want.tlsa = table[i].tlsa;
		want.ntlsa = table[i].ntlsa;
		s.cert = table[i].cert;
		p = begin(&s);
		error[0] = '\0';
		result = tls_connect(c, &want, &stream_fd_ops, &p.fds[0],
		    deadline_in(LONG), &t, error);
		is_int(result, table[i].auth == NULL ? TLS_REFUSED : TLS_OK,
		    "%s", table[i].test);
		if (table[i].auth == NULL) {
			if (!ok(strstr(error, table[i].why) != NULL, "why"))
				printf("# %s\n", error);
			ok(t == NULL, "no session");
			(void)end(&p);
			continue;
		}
		if (t == NULL) {
			printf("# %s\n", error);
			(void)end(&p);
			continue;
		}
		is_str(tls_auth_name(tls_authenticated(t)), table[i].auth,
		    "known by");
		ok(talks(t), "a byte there and back");
		tls_close(t);
		tls_free(t);
		is_int(end(&p), 0, "the server is content");
	}
}

static void
check_usable(void)
{
	size_t i;

	ok(tls_tlsa_is_usable(&ee[0]) && tls_tlsa_is_usable(&ta[0]),
	    "usages 3 and 2");
	ok(!tls_tlsa_is_usable(&pkix_ee[0]) &&
	    !tls_tlsa_is_usable(&pkix_ee[1]), "not 1, not 0");
	for (i = 0; i < sizeof(odd) / sizeof(*odd); i++)
		ok(!tls_tlsa_is_usable(&odd[i]), "nor odd one %zu", i);
}

/*** Handshakes that go wrong ***/

static void
check_failures(struct tls_client *c)
{
	static const struct {
		const char *name;
		int play;
		enum tls_result want;
		const char *why;
	} plays[] = {
		{ "no TLS", NOT_TLS, TLS_REFUSED, "wrong version number" },
		{ "silence", STALL, TLS_TIMEOUT, "too slow" },
		{ "an alert", ALERT, TLS_REFUSED,
		    "sslv3 alert handshake failure" },
	};
	struct server s = { .version = TLS1_3_VERSION, .sessions = 1 };
	struct tls_want want = { .how = TLS_MAY, .server = "mx.test" };
	char error[TLS_ERROR_MAX];
	struct peer p;
	struct tls *t;

	for (size_t i = 0; i < sizeof(plays) / sizeof(*plays); i++) {
		s.play = plays[i].play;
		p = begin(&s);
		is_int(tls_connect(c, &want, &stream_fd_ops, &p.fds[0],
		    deadline_in(SHORT), &t, error), plays[i].want, "%s",
		    plays[i].name);
		is_str(error, plays[i].why, "why");
		ok(t == NULL, "no session");
		is_int(end(&p), 0, "the peer is as was planned");
	}
	/* A server without a certificate, and one of another age. */
	s.play = TALK;
	p = begin(&s);
	is_int(tls_connect(c, &want, &stream_fd_ops, &p.fds[0],
	    deadline_in(LONG), &t, error), TLS_REFUSED, "no certificate");
	(void)end(&p);
	s.cert = &good;
	s.version = TLS1_1_VERSION;
	p = begin(&s);
	is_int(tls_connect(c, &want, &stream_fd_ops, &p.fds[0],
	    deadline_in(LONG), &t, error), TLS_REFUSED, "TLS 1.1");
	(void)end(&p);
	want.how = TLS_VERIFY;
	is_int(tls_connect(c, &want, &stream_fd_ops, &p.fds[0],
	    deadline_in(LONG), &t, error), TLS_FAILED, "no name to verify");
	is_str(error, "no such name can be checked", "why");
}

/* What TLS 1.3 tells late. */
static void
check_late(struct tls_client *c)
{
	struct server s = { .cert = &good, .version = TLS1_3_VERSION,
	    .sessions = 1, .play = LATE_ALERT };
	struct tls_want want = { .how = TLS_MAY };
	char error[TLS_ERROR_MAX], byte;
	struct peer p;
	struct tls *t;

	p = begin(&s);
	need(tls_connect(c, &want, &stream_fd_ops, &p.fds[0],
	    deadline_in(LONG), &t, error) == TLS_OK, error);
	ok(true, "all seems well");
	errno = 0;
	is_int(tls_stream_ops.read(t, &byte, 1, deadline_in(LONG)), -1,
	    "the first read tells");
	is_int(errno, EPROTO, "it is TLS that failed");
	is_str(tls_failure(t), "TLS: tlsv13 alert certificate required",
	    "why");
	ok(!tls_has_heard(t), "not a byte was heard");
	ok(tls_session_take(t) == NULL, "no session to resume");
	tls_close(t);
	tls_free(t);
	is_int(end(&p), 1, "the server has refused us");

	s.play = SLAM;
	p = begin(&s);
	need(tls_connect(c, &want, &stream_fd_ops, &p.fds[0],
	    deadline_in(LONG), &t, error) == TLS_OK, error);
	is_int(tls_stream_ops.read(t, &byte, 1, deadline_in(LONG)), 0,
	    "a server that goes");
	ok(!tls_has_heard(t), "without a word");
	tls_free(t);
	is_int(end(&p), 0, "as planned");
}

/*** Resumption ***/

/* Two connections, the second wanting SECOND; RESUMED is what it should be. */
static void
resume(struct tls_client *c, const char *name, int version,
    const struct tls_want *first, const struct tls_want *second, bool resumed)
{
	struct server s = { .cert = &good, .root = true, .version = version,
	    .sessions = 2 };
	struct tls_want want = *second;
	struct tls_session *session;
	char error[TLS_ERROR_MAX];
	struct peer p = begin(&s);
	struct tls *t;

	need(tls_connect(c, first, &stream_fd_ops, &p.fds[0],
	    deadline_in(LONG), &t, error) == TLS_OK, error);
	ok(talks(t), "%s: first", name);
	session = tls_session_take(t);
	ok(session != NULL, "a session");
	ok(!tls_is_resumed(t), "a new one");
	tls_close(t);
	tls_free(t);
	close(p.fds[0].in);
	p.fds[0].in = dup(p.fds[1].in);	/* for end() */
	want.session = session;
	if (is_int(tls_connect(c, &want, &stream_fd_ops, &p.fds[1],
	    deadline_in(LONG), &t, error), TLS_OK, "second")) {
		is_int(tls_is_resumed(t), resumed, "resumed or not");
		is_str(tls_auth_name(tls_authenticated(t)),
		    second->how == TLS_MAY ? "none" :
		    second->how == TLS_PIN ? "pin" :
		    second->how == TLS_DANE ? "dane-ee" : "pkix",
		    "known by");
		ok(talks(t), "and it is good");
		tls_close(t);
		tls_free(t);
	}
	tls_session_free(session);
	is_int(end(&p), 0, "the server is content");
}

static void
check_resumption(struct tls_client *c)
{
	static const int versions[] = { TLS1_2_VERSION, TLS1_3_VERSION };
	struct tls_want may = { .how = TLS_MAY, .server = "mx.test" };
	struct tls_want elsewhere = { .how = TLS_MAY, .server = "b.test" };
	struct tls_want verify = { .how = TLS_VERIFY, .server = "mx.test",
	    .name = mx, .nname = 1 };
	struct tls_want names = { .how = TLS_VERIFY, .server = "mx.test",
	    .name = two, .nname = 2 };
	struct tls_want pin = { .how = TLS_PIN, .server = "mx.test",
	    .pin = pins, .npin = 2 };
	struct tls_want dane = { .how = TLS_DANE, .server = "mx.test",
	    .name = mx, .nname = 1, .tlsa = ee, .ntlsa = 1 };
	struct tls_want more = { .how = TLS_DANE, .server = "mx.test",
	    .name = mx, .nname = 1, .tlsa = ee_too, .ntlsa = 2 };

	for (size_t i = 0; i < 2; i++) {
		resume(c, "may", versions[i], &may, &may, true);
		resume(c, "verify", versions[i], &verify, &verify, true);
		resume(c, "pin", versions[i], &pin, &pin, true);
		resume(c, "dane", versions[i], &dane, &dane, true);
		resume(c, "no session of may is good for verify", versions[i],
		    &may, &verify, false);
		resume(c, "nor for pin", versions[i], &may, &pin, false);
		resume(c, "nor for another host", versions[i], &may,
		    &elsewhere, false);
		resume(c, "nor with other names", versions[i], &verify, &names,
		    false);
		resume(c, "nor with other records", versions[i], &dane, &more,
		    false);
	}
}

/*** A close look ***/

static void
look(struct tls_client *c, const char *name, X509 **cert,
    const char *distrust, bool named, const struct tls_tlsa *tlsa,
    bool matches)
{
	struct server s = { .cert = cert, .root = true,
	    .version = TLS1_3_VERSION, .sessions = 1 };
	struct tls_want want = { .how = TLS_MAY, .server = "mx.test" };
	char error[TLS_ERROR_MAX];
	struct tls_look l;
	struct peer p = begin(&s);
	struct tls *t;

	need(tls_connect(c, &want, &stream_fd_ops, &p.fds[0],
	    deadline_in(LONG), &t, error) == TLS_OK, error);
	is_int(tls_look(c, t, mx, 1, &l, error), 0, "a look at %s", name);
	if (distrust[0] == '\0')
		is_str(l.distrust, distrust, "trusted");
	else if (!ok(strstr(l.distrust, distrust) != NULL, "not trusted"))
		printf("# %s\n", l.distrust);
	is_int(l.named, named, "its name");
	is_mem((char *)l.key, sizeof(l.key), (char *)ee_key, sizeof(ee_key),
	    "its key");
	is_int((int)l.nchain, 3, "its chain");
	is_str(l.algorithm, "EC 256", "its algorithm");
	ok(l.not_before < l.not_after && l.not_after > 1700000000,
	    "its dates");
	want.name = mx;
	want.nname = 1;
	want.tlsa = tlsa;
	want.ntlsa = 1;
	is_int(tls_tlsa_matches(c, t, &want, error), matches, "its record");
	tls_look_clear(&l);
	ok(talks(t), "and it is there");
	tls_close(t);
	tls_free(t);
	(void)end(&p);
}

static void
check_look(struct tls_client *c)
{
	look(c, "good", &good, "", true, &ee[0], true);
	look(c, "good, by its anchor", &good, "", true, &ta[0], true);
	look(c, "good, wrong record", &good, "", true, &bad[0], false);
	look(c, "good, usage 1", &good, "", true, &pkix_ee[0], false);
	look(c, "another's", &other, "", false, &ee[0], true);
	look(c, "another's, by its anchor", &other, "", false, &ta[0], false);
	look(c, "expired", &expired, "has expired", true, &ee[0], true);
	look(c, "expired, by its anchor", &expired, "has expired", true,
	    &ta[0], false);
	look(c, "self-signed", &selfmade, "self", true, &ee[0], true);
}

int
main(void)
{
	char error[TLS_ERROR_MAX];
	struct tls_client *c, *none;

	make_certificates();
	digest_key(key, ee_key);
	digest_cert(good, ee_cert);
	digest_cert(ca, ta_cert);
	digest_key(mid_key, ta_key);
	memcpy(pins[1].sha256, ee_key, sizeof(ee_key));
	need((c = tls_client_new(ca_file, error)) != NULL, error);
	check_usable();
	check_wants(c, TLS1_2_VERSION);
	check_wants(c, TLS1_3_VERSION);
	check_failures(c);
	check_late(c);
	check_resumption(c);
	check_look(c);
	tls_client_free(c);

	none = tls_client_new("/nonexistent", error);
	need(none != NULL, error);
	struct tls_want want = { .how = TLS_VERIFY, .name = mx, .nname = 1 };
	struct stream_fds fds = { 0 };
	struct tls *t;
	is_int(tls_connect(none, &want, &stream_fd_ops, &fds, 0, &t, error),
	    TLS_FAILED, "nobody to trust");
	ok(strstr(error, "/nonexistent: no trusted certificates") == error,
	    "why: %s", error);
	tls_client_free(none);
	X509_free(ca);
	X509_free(mid);
	X509_free(good);
	X509_free(other);
	X509_free(expired);
	X509_free(selfmade);
	X509_free(nosan);
	EVP_PKEY_free(ca_key);
	EVP_PKEY_free(mid_key);
	EVP_PKEY_free(key);
	unlink(ca_file);
	rmdir(dir);
	return done_testing();
}
