/* SPDX-License-Identifier: ISC */
#ifndef MX_TLS_H
#define MX_TLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "stream.h"

/*
 * TLS beneath a stream (RFC 3207, RFC 8996, RFC 9325), by OpenSSL, whose
 * configuration file is not read.  Errors are one printable line of at most
 * TLS_ERROR_MAX bytes with the NUL.  No function asks for a passphrase.
 */
#define TLS_ERROR_MAX 512

/*
 * A certificate, the chain that leads to it and its private key, as the
 * files have them (PEM), read while they can be read.
 */
struct tls_secret {
	const char *certificate_path, *key_path;	/* borrowed */
	char *certificate, *key;
	size_t certificate_len, key_len;
};

/*
 * Reads the files; with KEY "" the key is in the certificate's file too.
 * Calls nothing of OpenSSL.  0, or -1 with a secret that is not usable;
 * tls_secret_clear is right after both.
 */
int tls_secret_load(struct tls_secret *s, const char *certificate,
    const char *key, char *error);
void tls_secret_clear(struct tls_secret *s);	/* wipes it */

/*
 * The files and directories, up to NULL, that must stay readable for a
 * process whose first use of OpenSSL is to come; some may not exist.
 */
extern const char *const tls_library_paths[];

struct tls_context;

/*
 * What servers have in common: TLS 1.2 or newer, forward secrecy and AEAD or
 * at least AES; no compression, no renegotiation, no resumption.  In a parent
 * that forks for each connection one serves all children.  Costs 4 ms of CPU
 * at the first call in a process, and finds the libraries then if they are
 * loaded late.  NULL: they are missing, or the secret is not usable.
 */
struct tls_context *tls_server_new(const struct tls_secret *s, char *error);
/* NULL is fine; and sessions may go on without it. */
void tls_context_free(struct tls_context *c);

enum tls_result {
	TLS_OK,
	TLS_TIMEOUT,	/* the deadline passed */
	TLS_CLOSED,	/* the peer left */
	TLS_REFUSED,	/* the peer, or what it sent, is to blame */
	TLS_FAILED	/* we are: out of memory, descriptors */
};

struct tls;

/*
 * The handshake, over OPS and ARG, which are borrowed until tls_free.  Blocks
 * until DEADLINE at most.  With TLS_OK *T is new; else NULL, and ERROR says
 * what was wrong.
 */
enum tls_result tls_accept(struct tls_context *c, const struct stream_ops *ops,
    void *arg, int64_t deadline, struct tls **t, char *error);

/*
 * ARG is the struct tls.  A peer that leaves without a close_notify is at
 * end of file like one that sent it; a record cut short is never data.  What
 * breaks TLS is EPROTO, and tls_failure says how.
 */
extern const struct stream_ops tls_stream_ops;

const char *tls_protocol(const struct tls *t);	/* "TLSv1.3" */
const char *tls_cipher(const struct tls *t);	/* "TLS_AES_256_GCM_SHA384" */

/* Why the last read or write failed; "" if none did. */
const char *tls_failure(const struct tls *t);

/*
 * Has a byte of data come?  In TLS 1.3 a server may refuse the client after
 * tls_connect's TLS_OK: what ends the session before the first byte, be it an
 * error, the end or silence, is best taken for a handshake that failed.
 */
bool tls_has_heard(const struct tls *t);

/* Sends close_notify if there is somebody to hear it; a second at most. */
void tls_close(struct tls *t);
void tls_free(struct tls *t);	/* without a close_notify; NULL is fine */

#define TLS_SHA256 32

enum tls_auth {			/* how we know the peer */
	TLS_AUTH_NONE,		/* we do not: it may be anybody */
	TLS_AUTH_PKIX,
	TLS_AUTH_PIN,
	TLS_AUTH_DANE_TA,
	TLS_AUTH_DANE_EE
};

/* How the server was known; of a resumed session, how it was at first. */
enum tls_auth tls_authenticated(const struct tls *t);

/*
 * What the client's side is made of, for tls_client.c and nobody else.  The
 * types of OpenSSL go by the names of their structs, so that its headers stay
 * where they are.
 */
struct ssl_method_st;
struct ssl_ctx_st;
struct ssl_st;

struct tls_note {		/* kept with a struct tls */
	enum tls_auth auth;
	unsigned char policy[TLS_SHA256];
	char verdict[TLS_ERROR_MAX];	/* on a certificate that is not good */
};

struct tls_context *tls_context_new(
    const struct ssl_method_st *(*method)(void), const char *ciphers,
    char *error);
struct ssl_ctx_st *tls_context_openssl(struct tls_context *c);
/* NULL when out of memory. */
struct tls *tls_new(struct tls_context *c, const struct stream_ops *ops,
    void *arg, int64_t deadline);
struct ssl_st *tls_openssl(const struct tls *t);
struct tls_note *tls_note(struct tls *t);
/* What a call that did not succeed means; errno is set for a stream. */
enum tls_result tls_failed(struct tls *t, int returned);
/* The first of OpenSSL's errors, which the later ones come from. */
void tls_explain(char *error, const char *where, const char *what);

#endif
