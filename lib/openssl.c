/* SPDX-License-Identifier: ISC */
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>

#include <dlfcn.h>
#include <stdbool.h>
#include <string.h>

/*
 * The functions of OpenSSL that tls.c calls, under their own names, for a
 * program that is not linked with OpenSSL: an exec that brings it in costs
 * four times one that does not, and most sessions end without TLS.
 * OPENSSL_init_ssl, always the first, finds the libraries; it returns 0, with
 * the reason in dlerror(3), if they cannot be had.  Linked with -lssl
 * -lcrypto instead of this file a program has the same functions at once.
 */

#define STRING(x)	#x
#define VERSION(x)	STRING(x)
#ifdef OPENSSL_SHLIB_VERSION	/* the one these headers belong to */
#define LIBSSL		"libssl.so." VERSION(OPENSSL_SHLIB_VERSION)
#else
#define LIBSSL		"libssl.so"
#endif

/* F(type, name, parameters, arguments), P for those that return nothing */
#define FUNCTIONS(F, P) \
F(int, BIO_free, (BIO *a), (a)) \
F(void *, BIO_get_data, (BIO *a), (a)) \
F(int, BIO_get_new_index, (void), ()) \
P(BIO_meth_free, (BIO_METHOD *a), (a)) \
F(BIO_METHOD *, BIO_meth_new, (int a, const char *b), (a, b)) \
F(int, BIO_meth_set_ctrl, \
    (BIO_METHOD *a, long (*b)(BIO *, int, long, void *)), (a, b)) \
F(int, BIO_meth_set_read, \
    (BIO_METHOD *a, int (*b)(BIO *, char *, int)), (a, b)) \
F(int, BIO_meth_set_write, \
    (BIO_METHOD *a, int (*b)(BIO *, const char *, int)), (a, b)) \
F(BIO *, BIO_new, (const BIO_METHOD *a), (a)) \
F(BIO *, BIO_new_mem_buf, (const void *a, int b), (a, b)) \
P(BIO_clear_flags, (BIO *a, int b), (a, b)) \
P(BIO_set_data, (BIO *a, void *b), (a, b)) \
P(BIO_set_flags, (BIO *a, int b), (a, b)) \
P(BIO_set_init, (BIO *a, int b), (a, b)) \
P(ERR_clear_error, (void), ()) \
F(unsigned long, ERR_peek_error, (void), ()) \
F(unsigned long, ERR_peek_last_error, (void), ()) \
F(const char *, ERR_reason_error_string, (unsigned long a), (a)) \
P(EVP_PKEY_free, (EVP_PKEY *a), (a)) \
F(EVP_PKEY *, PEM_read_bio_PrivateKey, \
    (BIO *a, EVP_PKEY **b, pem_password_cb *c, void *d), (a, b, c, d)) \
F(X509 *, PEM_read_bio_X509, \
    (BIO *a, X509 **b, pem_password_cb *c, void *d), (a, b, c, d)) \
F(const char *, SSL_CIPHER_get_name, (const SSL_CIPHER *a), (a)) \
F(long, SSL_CTX_ctrl, (SSL_CTX *a, int b, long c, void *d), (a, b, c, d)) \
P(SSL_CTX_free, (SSL_CTX *a), (a)) \
F(SSL_CTX *, SSL_CTX_new, (const SSL_METHOD *a), (a)) \
F(int, SSL_CTX_check_private_key, (const SSL_CTX *a), (a)) \
F(int, SSL_CTX_set_cipher_list, (SSL_CTX *a, const char *b), (a, b)) \
F(int, SSL_CTX_set_num_tickets, (SSL_CTX *a, size_t b), (a, b)) \
F(uint64_t, SSL_CTX_set_options, (SSL_CTX *a, uint64_t b), (a, b)) \
F(int, SSL_CTX_use_PrivateKey, (SSL_CTX *a, EVP_PKEY *b), (a, b)) \
F(int, SSL_CTX_use_certificate, (SSL_CTX *a, X509 *b), (a, b)) \
F(int, SSL_accept, (SSL *a), (a)) \
P(SSL_free, (SSL *a), (a)) \
F(const SSL_CIPHER *, SSL_get_current_cipher, (const SSL *a), (a)) \
F(int, SSL_get_error, (const SSL *a, int b), (a, b)) \
F(const char *, SSL_get_version, (const SSL *a), (a)) \
F(SSL *, SSL_new, (SSL_CTX *a), (a)) \
F(int, SSL_read_ex, (SSL *a, void *b, size_t c, size_t *d), (a, b, c, d)) \
P(SSL_set_bio, (SSL *a, BIO *b, BIO *c), (a, b, c)) \
F(int, SSL_shutdown, (SSL *a), (a)) \
F(int, SSL_write_ex, \
    (SSL *a, const void *b, size_t c, size_t *d), (a, b, c, d)) \
F(const SSL_METHOD *, TLS_server_method, (void), ()) \
P(X509_free, (X509 *a), (a))

/* Written once, by OPENSSL_init_ssl. */
#define POINTER(type, name, ...)	__typeof__(name) *name;
#define POINTER_P(name, ...)		__typeof__(name) *name;
static struct {
	bool loaded;
	int (*init)(uint64_t opts, const OPENSSL_INIT_SETTINGS *settings);
	FUNCTIONS(POINTER, POINTER_P)
} late;

#define FORWARD(type, name, parameters, arguments) \
type name parameters { return late.name arguments; }
#define FORWARD_P(name, parameters, arguments) \
void name parameters { late.name arguments; }
FUNCTIONS(FORWARD, FORWARD_P)

#define ENTRY(type, name, ...)		{ #name, &late.name },
#define ENTRY_P(name, ...)		{ #name, &late.name },

static bool
load(void)
{
	const struct {
		const char *name;
		void *pointer;
	} functions[] = {
		{ "OPENSSL_init_ssl", &late.init },
		FUNCTIONS(ENTRY, ENTRY_P)
	};
	void *library, *f;

	/* libcrypto comes with it, and is searched after it. */
	if ((library = dlopen(LIBSSL, RTLD_NOW | RTLD_LOCAL)) == NULL)
		return false;
	for (size_t i = 0; i < sizeof(functions) / sizeof(*functions); i++) {
		if ((f = dlsym(library, functions[i].name)) == NULL)
			return false;
		memcpy(functions[i].pointer, &f, sizeof(f));
	}
	late.loaded = true;
	return true;
}

int
OPENSSL_init_ssl(uint64_t opts, const OPENSSL_INIT_SETTINGS *settings)
{
	if (!late.loaded && !load())
		return 0;
	return late.init(opts, settings);
}
