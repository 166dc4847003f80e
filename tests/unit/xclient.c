/* SPDX-License-Identifier: ISC */
#include <stdlib.h>

#include "plain.h"
#include "tap.h"
#include "xclient.h"

#define X10	"abcdefghi."
#define X50	X10 X10 X10 X10 X10
#define X250	X50 X50 X50 X50 X50

/* PRINT is what xclient_print makes of it; FAULT set where it is wrong. */
static const struct {
	const char *in, *print, *fault;
} rows[] = {
	{ "NAME=Mail.Example.ORG ADDR=192.0.2.1",
	    "XCLIENT NAME=mail.example.org ADDR=192.0.2.1", NULL },
	{ "  addr=192.0.2.1  name=a.test ",
	    "XCLIENT NAME=a.test ADDR=192.0.2.1", NULL },
	{ "NAME=[UNAVAILABLE] ADDR=[unavailable] PORT=[UNAVAILABLE] "
	    "HELO=[UNAVAILABLE] LOGIN=[UNAVAILABLE] DESTADDR=[UNAVAILABLE] "
	    "DESTPORT=[Unavailable]",
	    "XCLIENT NAME=[UNAVAILABLE] ADDR=[UNAVAILABLE] "
	    "PORT=[UNAVAILABLE] HELO=[UNAVAILABLE] LOGIN=[UNAVAILABLE] "
	    "DESTADDR=[UNAVAILABLE] DESTPORT=[UNAVAILABLE]", NULL },
	{ "NAME=[TempUnavail]", "XCLIENT NAME=[TEMPUNAVAIL]", NULL },
	{ "ADDR=IPV6:2001:DB8:0::1", "XCLIENT ADDR=IPV6:2001:db8::1", NULL },
	{ "ADDR=ipv6:::ffff:192.0.2.7", "XCLIENT ADDR=192.0.2.7", NULL },
	{ "PORT=25 DESTPORT=65535 DESTADDR=IPV6:::1",
	    "XCLIENT PORT=25 DESTADDR=IPV6:::1 DESTPORT=65535", NULL },
	{ "PORT=0", "XCLIENT PORT=[UNAVAILABLE]", NULL },
	{ "PROTO=SMTP", "XCLIENT PROTO=SMTP", NULL },
	{ "PROTO=esmtp", "XCLIENT PROTO=ESMTP", NULL },
	{ "HELO=[192.0.2.1]", "XCLIENT HELO=[192.0.2.1]", NULL },
	{ "HELO=my_pc", "XCLIENT HELO=my_pc", NULL },
	{ "HELO=a+2Bb+3Dc", "XCLIENT HELO=a+2Bb+3Dc", NULL },
	{ "HELO=a+20b+E4", "XCLIENT HELO=a?b?", NULL },
	{ "LOGIN=a+20b", "XCLIENT LOGIN=a+20b", NULL },
	{ "LOGIN=+C3+A4", "XCLIENT LOGIN=+C3+A4", NULL },
	/* names that are none of a host are as good as no name */
	{ "NAME=my_pc.test", "XCLIENT NAME=[UNAVAILABLE]", NULL },
	{ "NAME=[192.0.2.1]", "XCLIENT NAME=[UNAVAILABLE]", NULL },
	{ "NAME=a+20b", "XCLIENT NAME=[UNAVAILABLE]", NULL },
	{ "HELO=" X250 "abcde", "XCLIENT HELO=" X250 "abcde", NULL },
	{ "HELO=" X250 "abcdef", NULL, "HELO" },
	{ "LOGIN=" X250 "abcdef", NULL, "LOGIN" },
	{ "", NULL, "" },
	{ " ", NULL, "" },
	{ "=", NULL, "" },
	{ "NAME", NULL, "NAME" },
	{ "NAME=", NULL, "NAME" },
	{ "NAME =a.test", NULL, "NAME" },
	{ "NAME=a.test\tADDR=192.0.2.1", NULL, "NAME" },
	{ "NAME=a.test NAME=a.test", NULL, "NAME" },
	{ "NAME=a.test,ADDR=192.0.2.1", NULL, "NAME" },
	{ "NAME=a=b", NULL, "NAME" },
	{ "NAME=\303\244.test", NULL, "NAME" },
	{ "NAMES=a.test", NULL, "NAMES" },
	{ "IDENT=1", NULL, "IDENT" },
	{ "abcdefghijklmnopqrst=1", NULL, "ABCDEFGHIJKLMNO" },
	{ "NAME=a.test FOO=1", NULL, "FOO" },
	{ "HELO=a+0D+0Ab", NULL, "HELO" },
	{ "HELO=a+00", NULL, "HELO" },
	{ "HELO=a+7F", NULL, "HELO" },
	{ "HELO=a+2", NULL, "HELO" },
	{ "HELO=a+2b", NULL, "HELO" },
	{ "LOGIN=+E4", NULL, "LOGIN" },
	{ "LOGIN=a+0Ab", NULL, "LOGIN" },
	{ "ADDR=2001:db8::1", NULL, "ADDR" },
	{ "ADDR=IPV6:192.0.2.1", NULL, "ADDR" },
	{ "ADDR=IPV6:", NULL, "ADDR" },
	{ "ADDR=[192.0.2.1]", NULL, "ADDR" },
	{ "ADDR=192.0.2.256", NULL, "ADDR" },
	{ "ADDR=192.0.2", NULL, "ADDR" },
	{ "ADDR=192.0.2.01", NULL, "ADDR" },
	{ "ADDR=IPV6:fe80::1%lo", NULL, "ADDR" },
	{ "ADDR=[TEMPUNAVAIL]", NULL, "ADDR" },
	{ "ADDR=mail.example.org", NULL, "ADDR" },
	{ "PORT=65536", NULL, "PORT" },
	{ "PORT=18446744073709551641", NULL, "PORT" },
	{ "PORT=-1", NULL, "PORT" },
	{ "PORT=smtp", NULL, "PORT" },
	{ "PORT=25x", NULL, "PORT" },
	{ "PROTO=LMTP", NULL, "PROTO" },
	{ "PROTO=[UNAVAILABLE]", NULL, "PROTO" },
	{ "DESTADDR=::1", NULL, "DESTADDR" },
	{ "DESTPORT=65536", NULL, "DESTPORT" },
};

static void
check(size_t i)
{
	char print[XCLIENT_LINE_MAX], name[64], *in = strdup(rows[i].in);
	struct xclient x;
	unsigned said;
	bool good;

	if (in == NULL)
		abort();
	(void)plain(name, sizeof(name), in);
	good = xclient_parse(&x, in);
	free(in);
	if (!ok(good == (rows[i].fault == NULL), "XCLIENT %s: %s", name,
	    rows[i].fault == NULL ? "good" : "bad"))
		return;
	if (!good) {
		is_str(x.fault, rows[i].fault, "XCLIENT %s: the fault", name);
		return;
	}
	said = xclient_print(print, sizeof(print), &x, XCLIENT_ALL);
	is_int(said, x.given, "XCLIENT %s: all said", name);
	is_str(print, rows[i].print, "XCLIENT %s: said again", name);
}

static void
check_fields(void)
{
	struct xclient x;

	ok(xclient_parse(&x, "NAME=A.test ADDR=192.0.2.1 PORT=1234 PROTO=ESMTP"
	    " HELO=B.test LOGIN=me DESTADDR=IPV6:::1 DESTPORT=25"), "all");
	is_int(x.given, XCLIENT_ALL, "all are given");
	is_str(x.name, "a.test", "NAME");
	is_str(x.addr, "192.0.2.1", "ADDR");
	is_int(x.port, 1234, "PORT");
	ok(x.extended, "PROTO");
	is_str(x.helo, "B.test", "HELO");
	is_str(x.login, "me", "LOGIN");
	is_str(x.local, "::1", "DESTADDR");
	is_int(x.local_port, 25, "DESTPORT");
	ok(xclient_parse(&x, "NAME=[TEMPUNAVAIL] PROTO=SMTP"), "two of them");
	is_int(x.given, XCLIENT_NAME | XCLIENT_PROTO, "two are given");
	ok(x.name_later && x.name[0] == '\0' && !x.extended && x.port == 0,
	    "nothing is left of those before");
}

static void
check_print(void)
{
	char print[XCLIENT_LINE_MAX], tiny[32];
	struct xclient x;
	unsigned said;

	ok(xclient_parse(&x, "ADDR=192.0.2.1 HELO=" X250 " LOGIN=" X250),
	    "too much for one command");
	said = xclient_print(print, sizeof(print), &x, XCLIENT_ALL);
	is_int(said, XCLIENT_ADDR | XCLIENT_HELO, "first what fits");
	ok(strlen(print) + 2 <= XCLIENT_LINE_MAX, "which is a line");
	said = xclient_print(print, sizeof(print), &x, XCLIENT_LOGIN);
	is_int(said, XCLIENT_LOGIN, "then the rest");
	is_str(print, "XCLIENT LOGIN=" X250, "which is a command too");
	is_int(xclient_print(print, sizeof(print), &x, XCLIENT_NAME), 0,
	    "nothing that is not given");
	is_str(print, "", "and so no command");
	is_int(xclient_print(tiny, sizeof(tiny), &x, XCLIENT_ALL),
	    XCLIENT_ADDR, "a small buffer");
	is_str(tiny, "XCLIENT ADDR=192.0.2.1", "holds one");
	is_int(xclient_print(tiny, 22, &x, XCLIENT_ALL), 0,
	    "a smaller one none");
	is_str(tiny, "", "and is empty");
	is_int(xclient_print(tiny, 3, &x, XCLIENT_ALL), 0, "nor a tiny one");
	is_int(xclient_offered(XCLIENT_NAMES), XCLIENT_ALL, "all offered");
	is_int(xclient_offered(" name  HELO X ADDRESS "),
	    XCLIENT_NAME | XCLIENT_HELO, "some offered");
	is_int(xclient_offered(""), 0, "none offered");
}

int
main(void)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		check(i);
	check_fields();
	check_print();
	return done_testing();
}
