/* SPDX-License-Identifier: ISC */
#include "tls_client.h"

#include <sys/stat.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "plain.h"

/*
 * Whoever is content with anybody takes what is better than clear text; who
 * wants to know the server wants keys that cannot be had by computing.
 */
#define CIPHERS		"DEFAULT"
#define LEVEL_ANYBODY	0
#define LEVEL_KNOWN	1

struct tls_client {
	struct tls_context *context;
	SSL_CTX *ctx;		/* context's */
	char *ca;
	bool has_store;		/* the trusted certificates are there */
};

struct tls_session {
	SSL_SESSION *session;
	struct tls_note note;
};

struct tls_client *
tls_client_new(const char *ca, char *error)
{
	struct tls_client *c;

	if ((c = calloc(1, sizeof(*c))) == NULL ||
	    (ca != NULL && ca[0] != '\0' && (c->ca = strdup(ca)) == NULL)) {
		(void)snprintf(error, TLS_ERROR_MAX, "out of memory");
		tls_client_free(c);
		return NULL;
	}
	c->context = tls_context_new(TLS_client_method, CIPHERS, error);
	if (c->context == NULL) {
		tls_client_free(c);
		return NULL;
	}
	c->ctx = tls_context_openssl(c->context);
	if (SSL_CTX_dane_enable(c->ctx) != 1) {
		tls_explain(error, "", "cannot set up DANE");
		tls_client_free(c);
		return NULL;
	}
	/* Sessions are the caller's to keep. */
	(void)SSL_CTX_set_session_cache_mode(c->ctx, SSL_SESS_CACHE_CLIENT |
	    SSL_SESS_CACHE_NO_INTERNAL);
	return c;
}

void
tls_client_free(struct tls_client *c)
{
	if (c == NULL)
		return;
	tls_context_free(c->context);
	free(c->ca);
	free(c);
}

/* The trusted certificates, when they are first asked for. */
static bool
load_store(struct tls_client *c, char *error)
{
	struct stat st;
	bool dir;
	int good;

	if (c->has_store)
		return true;
	if (c->ca == NULL)
		good = SSL_CTX_set_default_verify_paths(c->ctx);
	else {
		dir = stat(c->ca, &st) == 0 && S_ISDIR(st.st_mode);
		good = SSL_CTX_load_verify_locations(c->ctx,
		    dir ? NULL : c->ca, dir ? c->ca : NULL);
	}
	if (good != 1) {
		tls_explain(error, c->ca == NULL ? "" : c->ca,
		    c->ca == NULL ? "no trusted certificates" :
		    ": no trusted certificates");
		return false;
	}
	c->has_store = true;
	return true;
}

/*** Verdicts ***/

/* The names of a certificate (RFC 6125 6.4.4: the CN where it has no other). */
static void
print_names(X509 *cert, char *out, size_t size)
{
	STACK_OF(GENERAL_NAME) *names;
	const GENERAL_NAME *name;
	char text[256];
	size_t used = 0;
	int i, n = 0;

	out[0] = '\0';
	names = X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);
	for (i = 0; i < sk_GENERAL_NAME_num(names); i++) {
		name = sk_GENERAL_NAME_value(names, i);
		if (name->type != GEN_DNS)
			continue;
		plain_mem(text, sizeof(text),
		    (const char *)ASN1_STRING_get0_data(name->d.dNSName),
		    (size_t)ASN1_STRING_length(name->d.dNSName));
		n = snprintf(out + used, size - used, "%s%s",
		    used > 0 ? " " : "", text);
		if (n < 0 || (size_t)n >= size - used)
			break;
		used += (size_t)n;
	}
	if (used == 0 && n == 0 && X509_NAME_get_text_by_NID(
	    X509_get_subject_name(cert), NID_commonName, text,
	    sizeof(text)) > 0)
		plain(out, size, text);
	GENERAL_NAMES_free(names);
}

/* The verdict E on CERT in words. */
static void
say_verdict(char *error, long e, X509 *cert)
{
	char names[256];

	if (e == X509_V_ERR_HOSTNAME_MISMATCH && cert != NULL) {
		print_names(cert, names, sizeof(names));
		(void)snprintf(error, TLS_ERROR_MAX,
		    "the certificate is another's: %s", names);
	} else if (e == X509_V_ERR_DANE_NO_MATCH)
		(void)snprintf(error, TLS_ERROR_MAX,
		    "no TLSA record matches the certificate");
	else
		(void)snprintf(error, TLS_ERROR_MAX, "certificate: %s",
		    X509_verify_cert_error_string(e));
}

/* Called with each fault: OpenSSL keeps no certificate that it refuses. */
static int
hear_verdict(int good, X509_STORE_CTX *ctx)
{
	SSL *ssl = X509_STORE_CTX_get_ex_data(ctx,
	    SSL_get_ex_data_X509_STORE_CTX_idx());
	struct tls_note *note = SSL_get_app_data(ssl);

	if (!good)
		say_verdict(note->verdict, X509_STORE_CTX_get_error(ctx),
		    X509_STORE_CTX_get0_cert(ctx));
	return good;
}

/*** What is wanted ***/

bool
tls_tlsa_is_usable(const struct tls_tlsa *r)
{
	static const size_t digest[] = { 0, 32, 64 };

	if ((r->usage != 2 && r->usage != 3) || r->selector > 1 ||
	    r->matching > 2 || r->len == 0)
		return false;
	return r->matching == 0 || r->len == digest[r->matching];
}

static bool
has_name(const struct tls_want *want)
{
	return want->server != NULL && want->server[0] != '\0';
}

static int
digest_text(EVP_MD_CTX *md, const char *text)
{
	/* With the NUL, so that "ab" "c" is not "a" "bc". */
	return EVP_DigestUpdate(md, text, strlen(text) + 1);
}

static int
digest_number(EVP_MD_CTX *md, size_t n)
{
	return EVP_DigestUpdate(md, &n, sizeof(n));
}

static bool
digest_want(EVP_MD_CTX *md, const struct tls_want *want)
{
	const struct tls_tlsa *r;
	size_t i;
	int good;

	good = EVP_DigestInit_ex(md, EVP_sha256(), NULL) == 1 &&
	    digest_number(md, (size_t)want->how) == 1 &&
	    digest_text(md, has_name(want) ? want->server : "") == 1 &&
	    digest_number(md, want->nname) == 1 &&
	    digest_number(md, want->npin) == 1 &&
	    digest_number(md, want->ntlsa) == 1;
	for (i = 0; good && i < want->nname; i++)
		good = digest_text(md, want->name[i]) == 1;
	for (i = 0; good && i < want->npin; i++)
		good = EVP_DigestUpdate(md, want->pin[i].sha256,
		    TLS_SHA256) == 1;
	for (i = 0; good && i < want->ntlsa; i++) {
		r = &want->tlsa[i];
		good = digest_number(md, r->usage) == 1 &&
		    digest_number(md, r->selector) == 1 &&
		    digest_number(md, r->matching) == 1 &&
		    digest_number(md, r->len) == 1 &&
		    EVP_DigestUpdate(md, r->data, r->len) == 1;
	}
	return good;
}

/* What a session must agree in to be resumed. */
static bool
policy_of(unsigned char *policy, const struct tls_want *want)
{
	EVP_MD_CTX *md = EVP_MD_CTX_new();
	bool good = md != NULL && digest_want(md, want) &&
	    EVP_DigestFinal_ex(md, policy, NULL) == 1;

	EVP_MD_CTX_free(md);
	return good;
}

static bool
want_names(SSL *ssl, const struct tls_want *want)
{
	size_t i;

	SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
	for (i = 0; i < want->nname; i++)
		if (want->name[i][0] == '\0' ||
		    SSL_add1_host(ssl, want->name[i]) != 1)
			return false;
	return true;
}

/*
 * The records that OpenSSL, too, finds usable: their number, or -1.  Usages 0
 * and 1 never come to it, for it would take them.
 */
static int
want_tlsa(SSL *ssl, const struct tls_want *want)
{
	const struct tls_tlsa *r;
	int taken = 0;
	size_t i;

	if (SSL_dane_enable(ssl, want->server) <= 0)
		return -1;
	/* RFC 7672 3.1.1: neither names nor dates are looked at. */
	(void)SSL_dane_set_flags(ssl, DANE_FLAG_NO_DANE_EE_NAMECHECKS);
	for (i = 0; i < want->ntlsa; i++) {
		r = &want->tlsa[i];
		if (tls_tlsa_is_usable(r) && SSL_dane_tlsa_add(ssl, r->usage,
		    r->selector, r->matching, r->data, r->len) == 1)
			taken++;
	}
	ERR_clear_error();
	return taken;
}

static bool
has_usable(const struct tls_want *want)
{
	size_t i;

	for (i = 0; i < want->ntlsa; i++)
		if (tls_tlsa_is_usable(&want->tlsa[i]))
			return true;
	return false;
}

/* What the handshake is to check.  False: it cannot be asked for. */
static bool
prepare(struct tls_client *c, SSL *ssl, const struct tls_want *want,
    char *error)
{
	bool checked = false, good = true;
	int taken;

	SSL_set_verify(ssl, SSL_VERIFY_NONE, NULL);
	switch (want->how) {
	case TLS_MAY:
	case TLS_PIN:
		break;
	case TLS_VERIFY:
		if (!load_store(c, error))
			return false;
		good = want->nname > 0 && want_names(ssl, want);
		checked = true;
		break;
	case TLS_DANE:
		if (!has_usable(want))
			break;
		taken = has_name(want) ? want_tlsa(ssl, want) : -1;
		good = taken != -1 && want_names(ssl, want);
		checked = taken > 0;
		break;
	}
	if (checked)
		SSL_set_verify(ssl, SSL_VERIFY_PEER, hear_verdict);
	if (checked || want->how == TLS_PIN)
		SSL_set_security_level(ssl, LEVEL_KNOWN);
	else {
		SSL_set_security_level(ssl, LEVEL_ANYBODY);
		/* Of before 2010, but better than clear text. */
		(void)SSL_set_options(ssl, SSL_OP_LEGACY_SERVER_CONNECT);
	}
	good = good && (!has_name(want) ||
	    SSL_set_tlsext_host_name(ssl, want->server) == 1);
	if (!good)
		tls_explain(error, "", "no such name can be checked");
	return good;
}

/*** What came of it ***/

static bool
digest_key(X509 *cert, unsigned char *out)
{
	unsigned char *der = NULL;
	int len = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(cert), &der);
	bool good = len > 0 && EVP_Digest(der, (size_t)len, out, NULL,
	    EVP_sha256(), NULL) == 1;

	OPENSSL_free(der);
	return good;
}

bool
tls_secret_digest(const struct tls_secret *s, unsigned char *out)
{
	BIO *bio = BIO_new_mem_buf(s->certificate, (int)s->certificate_len);
	X509 *cert = bio != NULL ? PEM_read_bio_X509(bio, NULL, NULL, NULL) :
	    NULL;
	bool good = cert != NULL && digest_key(cert, out);

	X509_free(cert);
	BIO_free(bio);
	return good;
}

static bool
is_pinned(SSL *ssl, const struct tls_want *want, char *error)
{
	X509 *cert = SSL_get0_peer_certificate(ssl);
	unsigned char key[TLS_SHA256];
	char hex[2 * TLS_SHA256 + 1];
	size_t i;

	if (cert == NULL || !digest_key(cert, key)) {
		(void)snprintf(error, TLS_ERROR_MAX, "no certificate");
		return false;
	}
	for (i = 0; i < want->npin; i++)
		if (memcmp(key, want->pin[i].sha256, sizeof(key)) == 0)
			return true;
	for (i = 0; i < sizeof(key); i++)
		(void)snprintf(hex + 2 * i, 3, "%02x", key[i]);
	(void)snprintf(error, TLS_ERROR_MAX,
	    "the key is not one of those pinned: sha256:%s", hex);
	return false;
}

/* Who the server is, once a new handshake is over. */
static bool
identify(SSL *ssl, const struct tls_want *want, enum tls_auth *auth,
    char *error)
{
	uint8_t usage;

	*auth = TLS_AUTH_NONE;
	switch (want->how) {
	case TLS_MAY:
		break;
	case TLS_VERIFY:
		*auth = TLS_AUTH_PKIX;
		break;
	case TLS_PIN:
		if (!is_pinned(ssl, want, error))
			return false;
		*auth = TLS_AUTH_PIN;
		break;
	case TLS_DANE:
		if (SSL_get_verify_mode(ssl) == SSL_VERIFY_NONE)
			break;
		if (SSL_get0_dane_tlsa(ssl, &usage, NULL, NULL, NULL,
		    NULL) < 0) {
			say_verdict(error, X509_V_ERR_DANE_NO_MATCH, NULL);
			return false;
		}
		*auth = usage == 3 ? TLS_AUTH_DANE_EE : TLS_AUTH_DANE_TA;
		break;
	}
	return true;
}

static enum tls_result
shake_hands(struct tls *t, const struct tls_want *want, char *error)
{
	SSL *ssl = tls_openssl(t);
	struct tls_note *note = tls_note(t);
	enum tls_result result;
	const char *why;
	int n;

	if (want->session != NULL && memcmp(want->session->note.policy,
	    note->policy, TLS_SHA256) == 0)
		(void)SSL_set_session(ssl, want->session->session);
	(void)SSL_set_app_data(ssl, note);
	if ((n = SSL_connect(ssl)) != 1) {
		result = tls_failed(t, n);
		/* OpenSSL says no more than "certificate verify failed". */
		why = note->verdict[0] != '\0' ? note->verdict :
		    tls_failure(t);
		if (strncmp(why, "TLS: ", 5) == 0)
			why += 5;
		(void)strlcpy(error, why, TLS_ERROR_MAX);
		return result;
	}
	if (SSL_session_reused(ssl)) {
		note->auth = want->session->note.auth;
		return TLS_OK;
	}
	if (identify(ssl, want, &note->auth, error))
		return TLS_OK;
	tls_close(t);
	return TLS_REFUSED;
}

enum tls_result
tls_connect(struct tls_client *c, const struct tls_want *want,
    const struct stream_ops *ops, void *arg, int64_t deadline, struct tls **t,
    char *error)
{
	enum tls_result result = TLS_FAILED;
	struct tls *new;

	*t = NULL;
	ERR_clear_error();
	if ((new = tls_new(c->context, ops, arg, deadline)) == NULL ||
	    !policy_of(tls_note(new)->policy, want))
		tls_explain(error, "", "cannot begin TLS");
	else if (prepare(c, tls_openssl(new), want, error))
		result = shake_hands(new, want, error);
	if (result == TLS_OK)
		*t = new;
	else
		tls_free(new);
	ERR_clear_error();
	return result;
}

const char *
tls_auth_name(enum tls_auth auth)
{
	switch (auth) {
	case TLS_AUTH_NONE:
		break;
	case TLS_AUTH_PKIX:
		return "pkix";
	case TLS_AUTH_PIN:
		return "pin";
	case TLS_AUTH_DANE_TA:
		return "dane-ta";
	case TLS_AUTH_DANE_EE:
		return "dane-ee";
	}
	return "none";
}

/*** Sessions ***/

bool
tls_is_resumed(const struct tls *t)
{
	return SSL_session_reused(tls_openssl(t)) == 1;
}

struct tls_session *
tls_session_take(struct tls *t)
{
	struct tls_session *s;
	SSL_SESSION *session = SSL_get0_session(tls_openssl(t));

	if (session == NULL || SSL_SESSION_is_resumable(session) != 1 ||
	    (s = malloc(sizeof(*s))) == NULL)
		return NULL;
	/* Its own is spoilt by a connection that ends without manners. */
	if ((session = SSL_SESSION_dup(session)) == NULL) {
		free(s);
		return NULL;
	}
	s->session = session;
	s->note = *tls_note(t);
	return s;
}

void
tls_session_free(struct tls_session *s)
{
	if (s == NULL)
		return;
	SSL_SESSION_free(s->session);
	free(s);
}

/*** A close look ***/

static int64_t
unix_time(const ASN1_TIME *at)
{
	struct tm tm;

	return ASN1_TIME_to_tm(at, &tm) == 1 ? (int64_t)timegm(&tm) : 0;
}

static bool
copy_chain(STACK_OF(X509) *chain, struct tls_look *look)
{
	size_t n = (size_t)sk_X509_num(chain);
	int len;

	if ((look->chain = calloc(n, sizeof(*look->chain))) == NULL)
		return false;
	for (; look->nchain < n; look->nchain++) {
		len = i2d_X509(sk_X509_value(chain, (int)look->nchain),
		    &look->chain[look->nchain].der);
		if (len <= 0)
			return false;
		look->chain[look->nchain].len = (size_t)len;
	}
	return true;
}

/* OpenSSL's own verdict on the chain, as the handshake has it. */
static long
judge(struct tls_client *c, const struct tls *t, SSL *rules)
{
	SSL *ssl = tls_openssl(t);
	X509_STORE_CTX *ctx = X509_STORE_CTX_new();
	long e = X509_V_ERR_OUT_OF_MEM;

	if (ctx != NULL && X509_STORE_CTX_init(ctx,
	    SSL_CTX_get_cert_store(c->ctx), SSL_get0_peer_certificate(ssl),
	    SSL_get_peer_cert_chain(ssl)) == 1 &&
	    X509_STORE_CTX_set_default(ctx, "ssl_server") == 1) {
		X509_VERIFY_PARAM_set_auth_level(
		    X509_STORE_CTX_get0_param(ctx), LEVEL_KNOWN);
		if (rules != NULL) {
			X509_STORE_CTX_set0_dane(ctx, SSL_get0_dane(rules));
			(void)X509_VERIFY_PARAM_set1(
			    X509_STORE_CTX_get0_param(ctx),
			    SSL_get0_param(rules));
		}
		e = X509_verify_cert(ctx) == 1 ? X509_V_OK :
		    X509_STORE_CTX_get_error(ctx);
	}
	X509_STORE_CTX_free(ctx);
	ERR_clear_error();
	return e;
}

static void
look_at(X509 *cert, const char *const *name, size_t nname,
    struct tls_look *look)
{
	EVP_PKEY *key = X509_get0_pubkey(cert);
	size_t i;

	print_names(cert, look->names, sizeof(look->names));
	for (i = 0; i < nname; i++)
		if (name[i][0] != '\0' && X509_check_host(cert, name[i], 0,
		    X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS, NULL) == 1)
			look->named = true;
	look->not_before = unix_time(X509_get0_notBefore(cert));
	look->not_after = unix_time(X509_get0_notAfter(cert));
	if (key != NULL && EVP_PKEY_get0_type_name(key) != NULL)
		(void)snprintf(look->algorithm, sizeof(look->algorithm),
		    "%.16s %d", EVP_PKEY_get0_type_name(key),
		    EVP_PKEY_get_bits(key));
}

int
tls_look(struct tls_client *c, const struct tls *t, const char *const *name,
    size_t nname, struct tls_look *look, char *error)
{
	X509 *cert = SSL_get0_peer_certificate(tls_openssl(t));
	STACK_OF(X509) *chain = SSL_get_peer_cert_chain(tls_openssl(t));
	long e;

	memset(look, 0, sizeof(*look));
	ERR_clear_error();
	if (cert == NULL || chain == NULL || sk_X509_num(chain) < 1) {
		(void)snprintf(error, TLS_ERROR_MAX, "no certificate");
		return -1;
	}
	look_at(cert, name, nname, look);
	if (!digest_key(cert, look->key) || X509_digest(cert, EVP_sha256(),
	    look->cert, NULL) != 1 || !copy_chain(chain, look)) {
		tls_explain(error, "", "cannot look at the certificate");
		return -1;
	}
	if (load_store(c, look->distrust) &&
	    (e = judge(c, t, NULL)) != X509_V_OK)
		say_verdict(look->distrust, e, cert);
	return 0;
}

void
tls_look_clear(struct tls_look *look)
{
	while (look->nchain > 0)
		OPENSSL_free(look->chain[--look->nchain].der);
	free(look->chain);
	memset(look, 0, sizeof(*look));
}

bool
tls_tlsa_matches(struct tls_client *c, const struct tls *t,
    const struct tls_want *want, char *error)
{
	X509 *cert = SSL_get0_peer_certificate(tls_openssl(t));
	SSL *rules = NULL;
	bool good = false;
	long e;

	ERR_clear_error();
	if (cert == NULL)
		(void)snprintf(error, TLS_ERROR_MAX, "no certificate");
	else if (!has_usable(want) || !has_name(want))
		(void)snprintf(error, TLS_ERROR_MAX, "no usable TLSA record");
	else if ((rules = SSL_new(c->ctx)) == NULL ||
	    want_tlsa(rules, want) == -1 || !want_names(rules, want))
		tls_explain(error, "", "cannot look at TLSA records");
	else if ((e = judge(c, t, rules)) == X509_V_OK)
		good = true;
	else
		say_verdict(error, e, cert);
	SSL_free(rules);
	return good;
}
