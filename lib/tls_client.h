/* SPDX-License-Identifier: ISC */
#ifndef MX_TLS_CLIENT_H
#define MX_TLS_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "conf.h"
#include "tls.h"

/*
 * The client's side of TLS beneath a stream (tls.h): what is wanted of a
 * server, and what it has shown.  TLS 1.2 or newer (RFC 8996).
 */

struct tls_client;

/*
 * What handshakes have in common.  Make one before forking, or when it is
 * first needed: it costs milliseconds.  CA is a file or directory of trusted
 * certificates for TLS_VERIFY, or NULL or "" for the system's (OpenSSL's place,
 * with SSL_CERT_FILE and SSL_CERT_DIR of the environment); they are read at
 * their first use.  NULL with ERROR (TLS_ERROR_MAX).
 */
struct tls_client *tls_client_new(const char *ca, char *error);
void tls_client_free(struct tls_client *c);	/* NULL is fine; and sessions
						   may go on without it */

enum tls_how {
	TLS_MAY,	/* encrypt, whoever it is */
	TLS_VERIFY,	/* a trusted chain, and one of the names */
	TLS_PIN,	/* the public key is one of those pinned */
	TLS_DANE	/* as the TLSA records say (RFC 7672 3.1) */
};

struct tls_tlsa {			/* a TLSA record (RFC 6698 2.1) */
	uint8_t usage, selector, matching;
	const unsigned char *data;	/* borrowed */
	size_t len;
};

/*
 * May the record be used for SMTP?  Usages 2 and 3 only (RFC 7672 3.1.3),
 * with a selector and a matching type that are known and data of their form.
 */
bool tls_tlsa_is_usable(const struct tls_tlsa *r);

struct tls_session;

/*
 * All that is wanted of one handshake; everything is borrowed for the call.
 * Names are A-labels without a final dot.
 */
struct tls_want {
	enum tls_how how;
	/*
	 * The server's name for SNI: with TLS_DANE the TLSA base domain (RFC
	 * 7672 8.1).  NULL or "" sends none, as for an address.
	 */
	const char *server;
	/* TLS_VERIFY, usage 2: one of them has to be the certificate's. */
	const char *const *name;
	size_t nname;
	/* TLS_PIN: SHA-256 of the SubjectPublicKeyInfo of the server's own. */
	const struct conf_pin *pin;
	size_t npin;
	/*
	 * TLS_DANE.  Those not usable are passed over; if none is, as TLS_MAY
	 * (RFC 7672 2.2): encrypted, and the caller's part is never to go on
	 * in clear.
	 */
	const struct tls_tlsa *tlsa;
	size_t ntlsa;
	/*
	 * To be resumed if the server likes; NULL: none.  It is not used where
	 * anything above differs from what it was made for.
	 */
	const struct tls_session *session;
};

/*
 * The handshake over OPS and ARG, which are borrowed until tls_free; blocks
 * until DEADLINE at most.  With TLS_OK *T is new, and what was wanted holds;
 * else NULL, and ERROR says what was wrong.  TLS_REFUSED is also a server that
 * is not who it should be.  Where it is the server that refuses us, TLS 1.3
 * may tell only with the first read: see tls_has_heard.
 */
enum tls_result tls_connect(struct tls_client *c, const struct tls_want *want,
    const struct stream_ops *ops, void *arg, int64_t deadline, struct tls **t,
    char *error);

/* "none", "pkix", "pin", "dane-ta", "dane-ee": for logs and state. */
const char *tls_auth_name(enum tls_auth auth);
bool tls_is_resumed(const struct tls *t);

/*
 * What is needed to resume T's session over another connection: best taken
 * when the server has had its say, for TLS 1.3 brings it with the data.  NULL
 * if there is nothing.  One session may be resumed many times.
 */
struct tls_session *tls_session_take(struct tls *t);
void tls_session_free(struct tls_session *s);	/* NULL is fine */

/*
 * A close look at the certificates of a server, after a handshake that
 * asked for none of it (TLS_MAY, no session resumed).
 */
struct tls_look {
	char distrust[TLS_ERROR_MAX];	/* why PKIX says no, names apart; ""
					   if it says yes */
	bool named;			/* it bears one of the names */
	char names[1024];		/* those it has, ' ' between, plain;
					   cut if need be */
	int64_t not_before, not_after;	/* Unix time */
	unsigned char key[TLS_SHA256];	/* public key: TLSA 3 1 1, pin */
	unsigned char cert[TLS_SHA256];	/* certificate: TLSA 3 0 1 */
	char algorithm[32];		/* of the key: "RSA 2048" */
	size_t nchain;			/* sent by the server, its own first */
	struct tls_der {
		unsigned char *der;
		size_t len;
	} *chain;
};

/*
 * 0, or -1 with ERROR: the server has shown no certificate, or we are out of
 * memory.  tls_look_clear is right after both.
 */
int tls_look(struct tls_client *c, const struct tls *t,
    const char *const *name, size_t nname, struct tls_look *look, char *error);
void tls_look_clear(struct tls_look *look);

/* The same digest of the key in a certificate of ours (TLSA 3 1 1). */
bool tls_secret_digest(const struct tls_secret *s, unsigned char *out);

/*
 * Do the TLSA records of WANT (its server, names and tlsa) match the chain?
 * As tls_connect would have judged, at once or record by record; none usable
 * is no match.  If not, ERROR says why.
 */
bool tls_tlsa_matches(struct tls_client *c, const struct tls *t,
    const struct tls_want *want, char *error);

#endif
