/* SPDX-License-Identifier: ISC */
#include <stdlib.h>

#include "param.h"
#include "plain.h"
#include "tap.h"

#define ALL	(PARAM_SIZE | PARAM_8BITMIME | PARAM_SMTPUTF8 | \
		PARAM_REQUIRETLS | PARAM_DSN)
#define X10	"abcdefghi."
#define X50	X10 X10 X10 X10 X10
#define X100	X50 X50

/* Of a refusal, text is the keyword at fault. */
static const struct {
	const char *in;
	unsigned offered;
	enum param_result want;
	const char *text;
} mails[] = {
	{ "", 0, PARAM_OK, "" },
	{ " ", 0, PARAM_OK, "" },
	{ " SIZE=100", ALL, PARAM_OK, "" },
	{ "  size=100  body=7bit ", ALL, PARAM_OK, "BODY=7bit" },
	{ " BODY=8BITMIME", ALL, PARAM_OK, "BODY=8BITMIME" },
	{ " ENVID=Q+2B1 ret=Hdrs SMTPUTF8 requiretls body=8bitMIME size=5",
	    ALL, PARAM_OK,
	    "BODY=8bitMIME SMTPUTF8 REQUIRETLS RET=Hdrs ENVID=Q+2B1" },
	{ " RET=FULL", ALL, PARAM_OK, "RET=FULL" },
	{ " ENVID=" X100, ALL, PARAM_OK, "ENVID=" X100 },
	{ " BODY=8BITMIME SMTPUTF8 REQUIRETLS RET=FULL ENVID=" X100, ALL,
	    PARAM_OK,
	    "BODY=8BITMIME SMTPUTF8 REQUIRETLS RET=FULL ENVID=" X100 },
	{ " ENVID=a+20b+09c", ALL, PARAM_OK, "ENVID=a+20b+09c" },
	/* the grammar of all */
	{ "SIZE=1", ALL, PARAM_BAD, "" },
	{ "x", ALL, PARAM_BAD, "" },
	{ "\tSIZE=1", ALL, PARAM_BAD, "" },
	{ " SIZE=1\tBODY=7BIT", ALL, PARAM_BAD, "SIZE" },
	{ " =1", ALL, PARAM_BAD, "" },
	{ " -A=1", ALL, PARAM_BAD, "" },
	{ " <a@b>", ALL, PARAM_BAD, "" },
	{ " SIZE_=1", ALL, PARAM_BAD, "SIZE" },
	{ " SIZE =1", ALL, PARAM_BAD, "SIZE" },
	{ " SIZE= 1", ALL, PARAM_BAD, "SIZE" },
	{ " SIZE==1", ALL, PARAM_BAD, "SIZE" },
	{ " ENVID=a=b", ALL, PARAM_BAD, "ENVID" },
	{ " ENVID=a\177", ALL, PARAM_BAD, "ENVID" },
	{ " ENVID=a\001", ALL, PARAM_BAD, "ENVID" },
	{ " F\303\244=1", ALL, PARAM_BAD, "F" },
	/* not known, not offered, twice */
	{ " FOO", ALL, PARAM_UNKNOWN, "FOO" },
	{ " foo-bar=baz", ALL, PARAM_UNKNOWN, "FOO-BAR" },
	{ " S", ALL, PARAM_UNKNOWN, "S" },
	{ " SIZES=1", ALL, PARAM_UNKNOWN, "SIZES" },
	{ " AUTH=<>", ALL, PARAM_UNKNOWN, "AUTH" },
	{ " BY=120;R", ALL, PARAM_UNKNOWN, "BY" },
	{ " NOTIFY=NEVER", ALL, PARAM_UNKNOWN, "NOTIFY" },
	{ " abcdefghijklmnopqrstuvwxyz0123456789", ALL, PARAM_UNKNOWN,
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZ01234" },
	{ " SIZE=1", ALL & ~PARAM_SIZE, PARAM_UNKNOWN, "SIZE" },
	{ " BODY=7BIT", ALL & ~PARAM_8BITMIME, PARAM_UNKNOWN, "BODY" },
	{ " SMTPUTF8", ALL & ~PARAM_SMTPUTF8, PARAM_UNKNOWN, "SMTPUTF8" },
	{ " REQUIRETLS", ALL & ~PARAM_REQUIRETLS, PARAM_UNKNOWN,
	    "REQUIRETLS" },
	{ " RET=FULL", ALL & ~PARAM_DSN, PARAM_UNKNOWN, "RET" },
	{ " ENVID=1", ALL & ~PARAM_DSN, PARAM_UNKNOWN, "ENVID" },
	{ " SIZE=1 SIZE=1", ALL, PARAM_BAD, "SIZE" },
	{ " BODY=7BIT body=8BITMIME", ALL, PARAM_BAD, "BODY" },
	{ " SMTPUTF8 RET=FULL SMTPUTF8", ALL, PARAM_BAD, "SMTPUTF8" },
	{ " ENVID=1 envid=1", ALL, PARAM_BAD, "ENVID" },
	/* the first fault is told */
	{ " FOO SIZE=x", ALL, PARAM_UNKNOWN, "FOO" },
	{ " SIZE=x FOO", ALL, PARAM_BAD, "SIZE" },
	/* values */
	{ " SIZE", ALL, PARAM_BAD, "SIZE" },
	{ " SIZE=", ALL, PARAM_BAD, "SIZE" },
	{ " SIZE=-1", ALL, PARAM_BAD, "SIZE" },
	{ " SIZE=+1", ALL, PARAM_BAD, "SIZE" },
	{ " SIZE=1k", ALL, PARAM_BAD, "SIZE" },
	{ " SIZE=0x10", ALL, PARAM_BAD, "SIZE" },
	{ " SIZE=123456789012345678901", ALL, PARAM_BAD, "SIZE" },
	{ " BODY", ALL, PARAM_BAD, "BODY" },
	{ " BODY=", ALL, PARAM_BAD, "BODY" },
	{ " BODY=8BIT", ALL, PARAM_BAD, "BODY" },
	{ " BODY=8BITMIMES", ALL, PARAM_BAD, "BODY" },
	{ " BODY=BINARYMIME", ALL, PARAM_UNKNOWN, "BODY" },
	{ " SMTPUTF8=", ALL, PARAM_BAD, "SMTPUTF8" },
	{ " SMTPUTF8=yes", ALL, PARAM_BAD, "SMTPUTF8" },
	{ " REQUIRETLS=yes", ALL, PARAM_BAD, "REQUIRETLS" },
	{ " RET", ALL, PARAM_BAD, "RET" },
	{ " RET=NONE", ALL, PARAM_BAD, "RET" },
	{ " RET=FULLY", ALL, PARAM_BAD, "RET" },
	{ " ENVID", ALL, PARAM_BAD, "ENVID" },
	{ " ENVID=", ALL, PARAM_BAD, "ENVID" },
	{ " ENVID=" X100 "x", ALL, PARAM_BAD, "ENVID" },
	{ " ENVID=+2b", ALL, PARAM_BAD, "ENVID" },
	{ " ENVID=+0A", ALL, PARAM_BAD, "ENVID" },
	{ " ENVID=+7F", ALL, PARAM_BAD, "ENVID" },
	{ " ENVID=+E4", ALL, PARAM_BAD, "ENVID" },
	{ " ENVID=+00", ALL, PARAM_BAD, "ENVID" },
	{ " ENVID=\303\244", ALL, PARAM_BAD, "ENVID" },
};

static const struct {
	const char *in;
	int64_t want;
} sizes[] = {
	{ "", -1 },
	{ " SIZE=0", 0 },
	{ " SIZE=00000000000000000042", 42 },
	{ " SIZE=9223372036854775806", INT64_MAX - 1 },
	{ " SIZE=9223372036854775807", INT64_MAX },
	{ " SIZE=9223372036854775808", INT64_MAX },
	{ " SIZE=18446744073709551616", INT64_MAX },
	{ " SIZE=18446744073709551617", INT64_MAX },
	{ " SIZE=99999999999999999999", INT64_MAX },
};

static const struct {
	const char *in;
	unsigned offered;
	enum param_result want;
	const char *text;
	unsigned notify;
} rcpts[] = {
	{ "", 0, PARAM_OK, "", 0 },
	{ " NOTIFY=NEVER", ALL, PARAM_OK, "NOTIFY=NEVER", PARAM_NEVER },
	{ " notify=never", ALL, PARAM_OK, "NOTIFY=never", PARAM_NEVER },
	{ " NOTIFY=FAILURE", ALL, PARAM_OK, "NOTIFY=FAILURE",
	    PARAM_FAILURE },
	{ " NOTIFY=delay,Success", ALL, PARAM_OK, "NOTIFY=delay,Success",
	    PARAM_DELAY | PARAM_SUCCESS },
	{ " ORCPT=rfc822;A+2BB@c.test NOTIFY=SUCCESS,FAILURE,DELAY", ALL,
	    PARAM_OK,
	    "NOTIFY=SUCCESS,FAILURE,DELAY ORCPT=rfc822;A+2BB@c.test",
	    PARAM_SUCCESS | PARAM_FAILURE | PARAM_DELAY },
	{ " ORCPT=X400;/C=US", ALL, PARAM_BAD, "ORCPT", 0 },
	{ " ORCPT=x-odd!type;anything+20at+20all", ALL, PARAM_OK,
	    "ORCPT=x-odd!type;anything+20at+20all", 0 },
	{ " ORCPT=rfc822;a;b", ALL, PARAM_OK, "ORCPT=rfc822;a;b", 0 },
	{ " ORCPT=utf-8;\\x{E4}@c.test", ALL, PARAM_OK,
	    "ORCPT=utf-8;\\x{E4}@c.test", 0 },
	{ " ORCPT=UTF-8;\\x{E4}@c.test", ALL & ~PARAM_SMTPUTF8, PARAM_OK,
	    "ORCPT=UTF-8;\\x{E4}@c.test", 0 },
	{ " ORCPT=utf-8;\303\244@c.test", ALL, PARAM_OK,
	    "ORCPT=utf-8;\303\244@c.test", 0 },
	{ " ORCPT=utf-8;\303\244@c.test", ALL & ~PARAM_SMTPUTF8, PARAM_BAD,
	    "ORCPT", 0 },
	{ " ORCPT=rfc822;" X100 X100 X100 X100 X50 X10 X10 X10 X10 "123", ALL,
	    PARAM_OK, "ORCPT=rfc822;" X100 X100 X100 X100 X50 X10 X10 X10 X10
	    "123", 0 },
	{ " ORCPT=rfc822;" X100 X100 X100 X100 X50 X10 X10 X10 X10 "1234",
	    ALL, PARAM_BAD, "ORCPT", 0 },
	{ " NOTIFY", ALL, PARAM_BAD, "NOTIFY", 0 },
	{ " NOTIFY=", ALL, PARAM_BAD, "NOTIFY", 0 },
	{ " NOTIFY=ALWAYS", ALL, PARAM_BAD, "NOTIFY", 0 },
	{ " NOTIFY=NEVER,FAILURE", ALL, PARAM_BAD, "NOTIFY", 0 },
	{ " NOTIFY=FAILURE,NEVER", ALL, PARAM_BAD, "NOTIFY", 0 },
	{ " NOTIFY=NEVER,NEVER", ALL, PARAM_BAD, "NOTIFY", 0 },
	{ " NOTIFY=DELAY,SUCCESS,DELAY", ALL, PARAM_BAD, "NOTIFY", 0 },
	{ " NOTIFY=DELAY,", ALL, PARAM_BAD, "NOTIFY", 0 },
	{ " NOTIFY=,DELAY", ALL, PARAM_BAD, "NOTIFY", 0 },
	{ " NOTIFY=DELAY,,FAILURE", ALL, PARAM_BAD, "NOTIFY", 0 },
	{ " NOTIFY=DELAY;FAILURE", ALL, PARAM_BAD, "NOTIFY", 0 },
	{ " NOTIFY=DELAY NOTIFY=FAILURE", ALL, PARAM_BAD, "NOTIFY", 0 },
	{ " ORCPT", ALL, PARAM_BAD, "ORCPT", 0 },
	{ " ORCPT=", ALL, PARAM_BAD, "ORCPT", 0 },
	{ " ORCPT=a@b.test", ALL, PARAM_BAD, "ORCPT", 0 },
	{ " ORCPT=;a@b.test", ALL, PARAM_BAD, "ORCPT", 0 },
	{ " ORCPT=rfc822;", ALL, PARAM_BAD, "ORCPT", 0 },
	{ " ORCPT=utf-8;", ALL, PARAM_BAD, "ORCPT", 0 },
	{ " ORCPT=rfc.822;a", ALL, PARAM_BAD, "ORCPT", 0 },
	{ " ORCPT=rfc(822);a", ALL, PARAM_BAD, "ORCPT", 0 },
	{ " ORCPT=rfc822;a+b", ALL, PARAM_BAD, "ORCPT", 0 },
	{ " ORCPT=rfc822;a+0D+0AX:", ALL, PARAM_BAD, "ORCPT", 0 },
	{ " ORCPT=rfc822;\303\244", ALL, PARAM_BAD, "ORCPT", 0 },
	{ " ORCPT=utf-8;\344", ALL, PARAM_BAD, "ORCPT", 0 },
	{ " ORCPT=utf-8;\\x{0A}", ALL, PARAM_BAD, "ORCPT", 0 },
	{ " ORCPT=rfc822;a ORCPT=rfc822;a", ALL, PARAM_BAD, "ORCPT", 0 },
	{ " NOTIFY=NEVER", ALL & ~PARAM_DSN, PARAM_UNKNOWN, "NOTIFY", 0 },
	{ " ORCPT=rfc822;a", ALL & ~PARAM_DSN, PARAM_UNKNOWN, "ORCPT", 0 },
	{ " SIZE=1", ALL, PARAM_UNKNOWN, "SIZE", 0 },
	{ " SMTPUTF8", ALL, PARAM_UNKNOWN, "SMTPUTF8", 0 },
};

/* On the heap, so that reading past the end shows. */
static char *
heap(const char *text)
{
	char *p = strdup(text);

	if (p == NULL)
		abort();
	return p;
}

static void
check_mail(size_t i)
{
	char *in = heap(mails[i].in), name[64];
	struct param_mail m;

	(void)plain(name, sizeof(name), in);
	is_int(param_mail_parse(&m, in, mails[i].offered), mails[i].want,
	    "MAIL%s", name);
	is_str(mails[i].want == PARAM_OK ? m.text : m.fault, mails[i].text,
	    "MAIL%s: %s", name, mails[i].want == PARAM_OK ? "text" : "fault");
	free(in);
}

static void
check_rcpt(size_t i)
{
	char *in = heap(rcpts[i].in), name[64];
	struct param_rcpt r;

	(void)plain(name, sizeof(name), in);
	is_int(param_rcpt_parse(&r, in, rcpts[i].offered), rcpts[i].want,
	    "RCPT%s", name);
	is_str(rcpts[i].want == PARAM_OK ? r.text : r.fault, rcpts[i].text,
	    "RCPT%s: %s", name, rcpts[i].want == PARAM_OK ? "text" : "fault");
	if (rcpts[i].want == PARAM_OK)
		is_int(r.notify, rcpts[i].notify, "RCPT%s: bits", name);
	free(in);
}

static void
check_fields(void)
{
	struct param_mail m;
	struct param_rcpt r;

	is_int(param_mail_parse(&m, " RET=hdrs ENVID=Q+2B1 BODY=8bitmime "
	    "SMTPUTF8 REQUIRETLS", ALL), PARAM_OK, "all of MAIL");
	is_int(m.ret, PARAM_RET_HDRS, "RET");
	is_str(m.envid, "Q+2B1", "ENVID as written");
	is_int(m.body, PARAM_BODY_8BITMIME, "BODY");
	ok(m.smtputf8 && m.requiretls, "SMTPUTF8 and REQUIRETLS");
	is_int(param_mail_parse(&m, " RET=FULL BODY=7BIT", ALL), PARAM_OK,
	    "less of MAIL");
	is_int(m.ret, PARAM_RET_FULL, "RET is another");
	is_int(m.body, PARAM_BODY_7BIT, "so is BODY");
	is_str(m.envid, "", "no ENVID is left");
	ok(!m.smtputf8 && !m.requiretls, "nothing else is");
	is_int(param_rcpt_parse(&r, " ORCPT=rfc822;a+2Bb@c.test", ALL),
	    PARAM_OK, "ORCPT alone");
	is_str(r.orcpt, "rfc822;a+2Bb@c.test", "ORCPT as written");
	is_int(r.notify, 0, "no NOTIFY");
}

int
main(void)
{
	struct param_mail m;

	for (size_t i = 0; i < sizeof(mails) / sizeof(mails[0]); i++)
		check_mail(i);
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		is_int(param_mail_parse(&m, sizes[i].in, ALL), PARAM_OK,
		    "size%s", sizes[i].in);
		is_int(m.size, sizes[i].want, "size%s: value", sizes[i].in);
	}
	for (size_t i = 0; i < sizeof(rcpts) / sizeof(rcpts[0]); i++)
		check_rcpt(i);
	check_fields();
	return done_testing();
}
