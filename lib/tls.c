/* SPDX-License-Identifier: ISC */
#include "tls.h"

#include <sys/socket.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "deadline.h"
#include "plain.h"

#define SECRET_MAX	262144	/* bytes of a file with certificate or key */
#define CLOSE_MS	1000

/*
 * TLS 1.2; those of 1.3 are all good.  CBC is there for old senders, whose
 * choice is it or clear text.
 */
#define CIPHERS		"ECDHE+AESGCM:ECDHE+CHACHA20:ECDHE+AES:!AESCCM:!aNULL"

const char *const tls_library_paths[] = {
	"/etc/ld.so.cache", "/lib", "/lib64", "/usr/lib", "/usr/lib64",
	"/usr/local/lib", NULL
};

struct tls_context {
	SSL_CTX *ctx;
	BIO_METHOD *method;
	unsigned users;		/* the owner, and each struct tls */
};

struct tls {
	struct tls_context *context;
	SSL *ssl;
	const struct stream_ops *ops;
	void *arg;
	int64_t deadline;	/* of the call under way */
	int error;		/* errno of OPS, or 0 */
	bool eof;
	bool dead;		/* nothing may be sent any more */
	bool heard;		/* data has come */
	struct tls_note note;
	char failure[TLS_ERROR_MAX];
};

void
tls_explain(char *error, const char *where, const char *what)
{
	unsigned long e = ERR_peek_error();
	const char *reason = e == 0 ? NULL : ERR_SYSTEM_ERROR(e) ?
	    strerror(ERR_GET_REASON(e)) : ERR_reason_error_string(e);
	char text[TLS_ERROR_MAX];

	if (e == 0)
		(void)snprintf(text, sizeof(text), "%s%s", where, what);
	else if (reason == NULL)
		(void)snprintf(text, sizeof(text), "%s%s: error %lx", where,
		    what, e);
	else
		(void)snprintf(text, sizeof(text), "%s%s: %s", where, what,
		    reason);
	plain(error, TLS_ERROR_MAX, text);
	ERR_clear_error();
}

static int
read_file(const char *path, char **bytes, size_t *len, char *error)
{
	ssize_t n = 1;
	int fd, result = -1;

	*len = 0;
	if ((fd = open(path, O_RDONLY | O_CLOEXEC)) == -1 ||
	    (*bytes = malloc(SECRET_MAX)) == NULL)
		goto out;
	while (n > 0 && *len < SECRET_MAX) {
		n = read(fd, *bytes + *len, SECRET_MAX - *len);
		if (n > 0)
			*len += (size_t)n;
	}
	if (n > 0)
		errno = EFBIG;
	result = n == 0 ? 0 : -1;
out:
	if (result == -1) {
		(void)snprintf(error, TLS_ERROR_MAX, "%s: %s", path,
		    strerror(errno));
		freezero(*bytes, *len);
		*bytes = NULL;
	}
	if (fd != -1)
		close(fd);
	return result;
}

int
tls_secret_load(struct tls_secret *s, const char *certificate, const char *key,
    char *error)
{
	memset(s, 0, sizeof(*s));
	s->certificate_path = certificate;
	s->key_path = key[0] == '\0' ? certificate : key;
	if (read_file(s->certificate_path, &s->certificate,
	    &s->certificate_len, error) == -1)
		return -1;
	return read_file(s->key_path, &s->key, &s->key_len, error);
}

void
tls_secret_clear(struct tls_secret *s)
{
	/* The key may be in the certificate's file. */
	freezero(s->certificate, s->certificate_len);
	freezero(s->key, s->key_len);
	memset(s, 0, sizeof(*s));
}

/*
 * Beneath OpenSSL are the stream's functions.  They block, so "try again" is
 * said only when the deadline has passed, and it then ends the call; a peer
 * cannot keep OpenSSL busy past it.
 */

static int
bio_result(BIO *bio, struct tls *t, ssize_t n)
{
	if (n == -1 && errno == ETIMEDOUT)
		BIO_set_flags(bio, BIO_FLAGS_RWS | BIO_FLAGS_SHOULD_RETRY);
	else if (n == -1)
		t->error = errno;
	return (int)n;
}

static int
bio_read(BIO *bio, char *buf, int len)
{
	struct tls *t = BIO_get_data(bio);
	ssize_t n;

	BIO_clear_flags(bio, BIO_FLAGS_RWS | BIO_FLAGS_SHOULD_RETRY);
	n = t->ops->read(t->arg, buf, (size_t)len, t->deadline);
	if (n == 0)
		t->eof = true;
	return bio_result(bio, t, n);
}

static int
bio_write(BIO *bio, const char *buf, int len)
{
	struct tls *t = BIO_get_data(bio);

	BIO_clear_flags(bio, BIO_FLAGS_RWS | BIO_FLAGS_SHOULD_RETRY);
	return bio_result(bio, t,
	    t->ops->write(t->arg, buf, (size_t)len, t->deadline));
}

static long
bio_ctrl(BIO *bio, int cmd, long num, void *ptr)
{
	struct tls *t = BIO_get_data(bio);

	(void)num;
	(void)ptr;
	switch (cmd) {
	case BIO_CTRL_FLUSH:
		return 1;
	case BIO_CTRL_EOF:
		return t->eof;
	default:
		return 0;
	}
}

static BIO_METHOD *
method_new(void)
{
	BIO_METHOD *m;
	int index = BIO_get_new_index();

	if (index == -1 || (m = BIO_meth_new(index | BIO_TYPE_SOURCE_SINK,
	    "stream")) == NULL)
		return NULL;
	if (BIO_meth_set_read(m, bio_read) == 1 &&
	    BIO_meth_set_write(m, bio_write) == 1 &&
	    BIO_meth_set_ctrl(m, bio_ctrl) == 1)
		return m;
	BIO_meth_free(m);
	return NULL;
}

struct tls_context *
tls_context_new(const SSL_METHOD *(*method)(void), const char *ciphers,
    char *error)
{
	struct tls_context *c;
	const char *why;

	/* What is found is used; a sandbox may be closed already. */
	if (OPENSSL_init_ssl(OPENSSL_INIT_NO_LOAD_CONFIG |
	    OPENSSL_INIT_NO_ATEXIT, NULL) != 1) {
		why = dlerror();
		(void)snprintf(error, TLS_ERROR_MAX, "no OpenSSL%s%s",
		    why == NULL ? "" : ": ", why == NULL ? "" : why);
		return NULL;
	}
	ERR_clear_error();
	if ((c = calloc(1, sizeof(*c))) != NULL)
		c->users = 1;
	if (c != NULL && (c->method = method_new()) != NULL &&
	    (c->ctx = SSL_CTX_new(method())) != NULL &&
	    SSL_CTX_set_min_proto_version(c->ctx, TLS1_2_VERSION) == 1 &&
	    SSL_CTX_set_cipher_list(c->ctx, ciphers) == 1) {
		/* Many peers just hang up: end of file, not an error. */
		(void)SSL_CTX_set_options(c->ctx, SSL_OP_NO_COMPRESSION |
		    SSL_OP_NO_RENEGOTIATION | SSL_OP_IGNORE_UNEXPECTED_EOF);
		(void)SSL_CTX_set_mode(c->ctx, SSL_MODE_ENABLE_PARTIAL_WRITE |
		    SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
		    SSL_MODE_RELEASE_BUFFERS);
		/* A record in one read(2), not two. */
		(void)SSL_CTX_set_read_ahead(c->ctx, 1);
		return c;
	}
	tls_explain(error, "", "cannot set up TLS");
	tls_context_free(c);
	return NULL;
}

struct ssl_ctx_st *
tls_context_openssl(struct tls_context *c)
{
	return c->ctx;
}

void
tls_context_free(struct tls_context *c)
{
	if (c == NULL || --c->users > 0)
		return;
	SSL_CTX_free(c->ctx);
	BIO_meth_free(c->method);
	free(c);
}

/* Instead of the question at the terminal that OpenSSL would ask. */
static int
no_passphrase(char *buf, int size, int writing, void *asked)
{
	(void)buf;
	(void)size;
	(void)writing;
	if (asked != NULL)
		*(bool *)asked = true;
	return 0;
}

static bool
use_chain(SSL_CTX *ctx, BIO *bio)
{
	X509 *cert = PEM_read_bio_X509(bio, NULL, no_passphrase, NULL);
	bool good = cert != NULL && SSL_CTX_use_certificate(ctx, cert) == 1;
	unsigned long e;

	X509_free(cert);
	while (good && (cert = PEM_read_bio_X509(bio, NULL, no_passphrase,
	    NULL)) != NULL)
		if (SSL_CTX_add0_chain_cert(ctx, cert) != 1) {
			X509_free(cert);
			return false;
		}
	if (!good)
		return false;
	e = ERR_peek_last_error();
	if (ERR_GET_LIB(e) != ERR_LIB_PEM ||
	    ERR_GET_REASON(e) != PEM_R_NO_START_LINE)
		return false;
	ERR_clear_error();	/* so ends every file */
	return true;
}

static int
use_certificate(SSL_CTX *ctx, const struct tls_secret *s, char *error)
{
	BIO *bio = BIO_new_mem_buf(s->certificate, (int)s->certificate_len);
	bool good = bio != NULL && use_chain(ctx, bio);

	if (!good)
		tls_explain(error, s->certificate_path,
		    ": no usable certificate in PEM");
	if (bio != NULL)
		BIO_free(bio);
	return good ? 0 : -1;
}

static int
use_key(SSL_CTX *ctx, const struct tls_secret *s, char *error)
{
	BIO *bio = BIO_new_mem_buf(s->key, (int)s->key_len);
	EVP_PKEY *key = NULL;
	bool asked = false, good;

	if (bio != NULL)
		key = PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, &asked);
	good = key != NULL && SSL_CTX_use_PrivateKey(ctx, key) == 1 &&
	    SSL_CTX_check_private_key(ctx) == 1;
	if (asked)
		ERR_clear_error();
	if (!good)
		tls_explain(error, s->key_path, asked ?
		    ": the key is encrypted, which nobody here can undo" :
		    key == NULL ? ": no private key in PEM" :
		    ": not the certificate's key");
	EVP_PKEY_free(key);
	if (bio != NULL)
		BIO_free(bio);
	return good ? 0 : -1;
}

struct tls_context *
tls_server_new(const struct tls_secret *s, char *error)
{
	struct tls_context *c;

	if (s->certificate == NULL || s->key == NULL) {
		(void)snprintf(error, TLS_ERROR_MAX, "%s: could not be read",
		    s->certificate == NULL ? s->certificate_path : s->key_path);
		return NULL;
	}
	if ((c = tls_context_new(TLS_server_method, CIPHERS,
	    error)) == NULL)
		return NULL;
	/*
	 * No resumption: a key for tickets would have to live as long as the
	 * process that listens, and with it the secrecy of all sessions; a
	 * process for each connection alone could never honour one.
	 */
	(void)SSL_CTX_set_options(c->ctx, SSL_OP_CIPHER_SERVER_PREFERENCE |
	    SSL_OP_PRIORITIZE_CHACHA | SSL_OP_NO_TICKET);
	(void)SSL_CTX_set_session_cache_mode(c->ctx, SSL_SESS_CACHE_OFF);
	if (SSL_CTX_set_num_tickets(c->ctx, 0) != 1)
		tls_explain(error, "", "cannot set up TLS");
	else if (use_certificate(c->ctx, s, error) == 0 &&
	    use_key(c->ctx, s, error) == 0)
		return c;
	tls_context_free(c);
	return NULL;
}

struct tls *
tls_new(struct tls_context *c, const struct stream_ops *ops, void *arg,
    int64_t deadline)
{
	struct tls *t;
	BIO *bio;

	if ((t = calloc(1, sizeof(*t))) == NULL)
		return NULL;
	t->context = c;
	c->users++;
	t->ops = ops;
	t->arg = arg;
	t->deadline = deadline;
	if ((t->ssl = SSL_new(c->ctx)) == NULL ||
	    (bio = BIO_new(c->method)) == NULL) {
		tls_free(t);
		return NULL;
	}
	BIO_set_data(bio, t);
	BIO_set_init(bio, 1);
	SSL_set_bio(t->ssl, bio, bio);
	return t;
}

struct ssl_st *
tls_openssl(const struct tls *t)
{
	return t->ssl;
}

struct tls_note *
tls_note(struct tls *t)
{
	return &t->note;
}

enum tls_result
tls_failed(struct tls *t, int returned)
{
	int e = SSL_get_error(t->ssl, returned);

	if (e == SSL_ERROR_WANT_READ || e == SSL_ERROR_WANT_WRITE) {
		(void)snprintf(t->failure, sizeof(t->failure), "too slow");
		errno = ETIMEDOUT;
		return TLS_TIMEOUT;
	}
	if (e == SSL_ERROR_ZERO_RETURN || (t->eof && e == SSL_ERROR_SYSCALL &&
	    t->error == 0)) {
		(void)snprintf(t->failure, sizeof(t->failure),
		    "the peer left");
		ERR_clear_error();
		errno = EPIPE;
		return TLS_CLOSED;
	}
	t->dead = true;
	if (t->error != 0) {
		(void)snprintf(t->failure, sizeof(t->failure), "%s",
		    strerror(t->error));
		ERR_clear_error();
		errno = t->error;
		return t->error == EPIPE || t->error == ECONNRESET ?
		    TLS_CLOSED : TLS_FAILED;
	}
	tls_explain(t->failure, "", "TLS");
	errno = EPROTO;
	return TLS_REFUSED;
}

/*
 * In TLS 1.3 the client ends the handshake, and speaks again at once; but by
 * Nagle's algorithm it waits for our acknowledgement, which the kernel holds
 * back for 40 ms in the hope of an answer that could carry it.
 */
static void
acknowledge(const struct stream_ops *ops, void *arg)
{
#ifdef TCP_QUICKACK
	const struct stream_fds *fds = arg;
	int one = 1;

	if (ops == &stream_fd_ops)
		(void)setsockopt(fds->in, IPPROTO_TCP, TCP_QUICKACK, &one,
		    sizeof(one));
#else
	(void)ops;
	(void)arg;
#endif
}

enum tls_result
tls_accept(struct tls_context *c, const struct stream_ops *ops, void *arg,
    int64_t deadline, struct tls **t, char *error)
{
	enum tls_result result = TLS_FAILED;
	struct tls *new;
	int n;

	*t = NULL;
	ERR_clear_error();
	if ((new = tls_new(c, ops, arg, deadline)) == NULL) {
		tls_explain(error, "", "cannot begin TLS");
		return result;
	}
	if ((n = SSL_accept(new->ssl)) == 1) {
		acknowledge(ops, arg);
		*t = new;
		return TLS_OK;
	}
	result = tls_failed(new, n);
	(void)strlcpy(error, new->failure, TLS_ERROR_MAX);
	tls_free(new);
	return result;
}

static ssize_t
tls_read(void *arg, void *buf, size_t len, int64_t deadline)
{
	struct tls *t = arg;
	size_t n;
	int got;

	t->deadline = deadline;
	ERR_clear_error();
	if ((got = SSL_read_ex(t->ssl, buf, len, &n)) == 1) {
		t->heard = true;
		return (ssize_t)n;
	}
	return tls_failed(t, got) == TLS_CLOSED && t->error == 0 ? 0 : -1;
}

static ssize_t
tls_write(void *arg, const void *buf, size_t len, int64_t deadline)
{
	struct tls *t = arg;
	size_t n;
	int got;

	t->deadline = deadline;
	ERR_clear_error();
	if ((got = SSL_write_ex(t->ssl, buf, len, &n)) == 1)
		return (ssize_t)n;
	(void)tls_failed(t, got);
	/* The stream is broken, and half a record may be on its way. */
	t->dead = true;
	return -1;
}

const struct stream_ops tls_stream_ops = { tls_read, tls_write };

const char *
tls_protocol(const struct tls *t)
{
	return SSL_get_version(t->ssl);
}

const char *
tls_cipher(const struct tls *t)
{
	return SSL_CIPHER_get_name(SSL_get_current_cipher(t->ssl));
}

const char *
tls_failure(const struct tls *t)
{
	return t->failure;
}

enum tls_auth
tls_authenticated(const struct tls *t)
{
	return t->note.auth;
}

bool
tls_has_heard(const struct tls *t)
{
	return t->heard;
}

void
tls_close(struct tls *t)
{
	if (t->dead)
		return;
	t->dead = true;
	t->deadline = deadline_in(CLOSE_MS);
	ERR_clear_error();
	/* Ours only: who waits for the peer's waits for a stranger. */
	(void)SSL_shutdown(t->ssl);
	ERR_clear_error();
}

void
tls_free(struct tls *t)
{
	if (t == NULL)
		return;
	SSL_free(t->ssl);
	tls_context_free(t->context);
	free(t);
}
