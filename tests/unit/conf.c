/* SPDX-License-Identifier: ISC */
#include <sys/stat.h>
#include <sys/wait.h>
#include <arpa/inet.h>
#include <ftw.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <unistd.h>

#include "conf.h"
#include "tap.h"

/* One half in each way of writing it. */
#define DIGEST	"sha256:000102030405060708090a0b0c0d0e0f" \
		"10:11:12:13:14:15:16:17:18:19:1A:1B:1C:1D:1E:1F"

static char dir[200];

static int
remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static const char *
in_dir(const char *name)
{
	static char path[512];

	(void)snprintf(path, sizeof(path), "%s/%s", dir, name);
	return path;
}

static void
put(const char *name, const char *text, size_t len)
{
	FILE *f = fopen(in_dir(name), "w");

	if (f == NULL || fwrite(text, 1, len, f) != len || fclose(f) != 0)
		abort();
}

static void
put_text(const char *name, const char *text)
{
	put(name, text, strlen(text));
}

/* In mxkeep.conf; WANT NULL: good, else what the message ends in. */
static const struct {
	const char *text;
	const char *want;
} global[] = {
	{ "", NULL },
	{ "# nothing\n\n   \n\t# x\n", NULL },
	{ "hostname mx2.example.net\n", NULL },
	{ "hostname MX2.Example.NET.\n", NULL },
	{ "hostname\n", ":1: hostname: expected a host name" },
	{ "hostname a b\n", ":1: hostname: expected a host name" },
	{ "hostname a_b\n", ":1: hostname: expected a host name" },
	{ "hostname 192.0.2.1\n", ":1: hostname: expected a host name" },
	{ "spool /x\n", NULL },
	{ "spool x\n", ":1: spool: expected an absolute path" },
	{ "spool\n", ":1: spool: expected an absolute path" },
	{ "spool /x y\n", ":1: spool: expected an absolute path" },
	{ "resolver 127.0.0.1\nresolver ::1@5353\n", NULL },
	{ "resolver [::1]@53 192.0.2.1\n", NULL },
	{ "resolver 192.0.2.1 trust-ad\n", NULL },
	{ "resolver trust-ad\n", NULL },
	{ "resolver localhost\n", ":1: resolver: expected ADDR[@PORT] ..., "
	    "16 at most" },
	{ "resolver 127.0.0.1@0\n", ":1: resolver: expected ADDR[@PORT] ..., "
	    "16 at most" },
	{ "resolver 127.0.0.1@65536\n", ":1: resolver: expected ADDR[@PORT] "
	    "..., 16 at most" },
	{ "resolver 127.0.0.1@\n", ":1: resolver: expected ADDR[@PORT] ..., "
	    "16 at most" },
	{ "resolver 127.0.0.1:53\n", ":1: resolver: expected ADDR[@PORT] ..., "
	    "16 at most" },
	{ "resolver ::1 ::1 ::1 ::1 ::1 ::1 ::1 ::1 ::1 ::1 ::1 ::1 ::1 ::1 "
	    "::1 ::1\n", NULL },
	{ "resolver ::1 ::1 ::1 ::1 ::1 ::1 ::1 ::1 ::1 ::1 ::1 ::1 ::1 ::1 "
	    "::1 ::1 ::1\n", ":1: resolver: expected ADDR[@PORT] ..., "
	    "16 at most" },
	{ "resolver ::1 ::1 ::1 ::1 ::1 ::1 ::1 ::1 ::1 ::1 ::1 ::1 ::1 ::1 "
	    "::1 ::1 ::1 ::1\n", ":1: too many words; expected a key and "
	    "16 values at most" },
	{ "port 1\nport 65535\n", NULL },
	{ "port 0\n", ":1: port: expected a number from 1 to 65535" },
	{ "port 65536\n", ":1: port: expected a number from 1 to 65535" },
	{ "port -1\n", ":1: port: expected a number from 1 to 65535" },
	{ "port 25x\n", ":1: port: expected a number from 1 to 65535" },
	{ "port smtp\n", ":1: port: expected a number from 1 to 65535" },
	{ "source 192.0.2.1 2001:db8::1\n", NULL },
	{ "source eth0\n",
	    ":1: source: expected an IPv4 or IPv6 address, or one of each" },
	{ "source ::1 ::2\n",
	    ":1: source: expected an IPv4 or IPv6 address, or one of each" },
	{ "source ::1 192.0.2.1 x\n",
	    ":1: source: expected an IPv4 or IPv6 address, or one of each" },
	{ "postmaster a@b.test\n", NULL },
	{ "postmaster a\n", ":1: postmaster: expected an address user@domain" },
	{ "postmaster <a@b.test>\n",
	    ":1: postmaster: expected an address user@domain" },
	{ "postmaster a@[192.0.2.1]\n",
	    ":1: postmaster: expected an address user@domain" },
	{ "self mx.example.org 192.0.2.1 2001:db8::1\n", NULL },
	{ "self a/b\n",
	    ":1: self: expected host names or addresses, 16 at most" },
	{ "self\n", ":1: self: expected host names or addresses, 16 at most" },
	{ "max-size 0\nmax-size 50M\nmax-size 1g\nmax-size 1000\n", NULL },
	{ "max-size -1\n",
	    ":1: max-size: expected octets as 50M, or 0 for no limit" },
	{ "max-size 1x\n",
	    ":1: max-size: expected octets as 50M, or 0 for no limit" },
	{ "max-size 16E\n",
	    ":1: max-size: expected octets as 50M, or 0 for no limit" },
	{ "max-size 99999999999999999999\n",
	    ":1: max-size: expected octets as 50M, or 0 for no limit" },
	{ "max-recipients 1\nmax-recipients 10000\n", NULL },
	{ "max-recipients 0\n",
	    ":1: max-recipients: expected a number from 1 to 10000" },
	{ "max-recipients 10001\n",
	    ":1: max-recipients: expected a number from 1 to 10000" },
	{ "max-sessions 1\n", NULL },
	{ "max-sessions 0\n",
	    ":1: max-sessions: expected a number from 1 to 100000" },
	{ "max-sessions-per-client 100000\n", NULL },
	{ "max-sessions-per-client 100001\n", ":1: max-sessions-per-client: "
	    "expected a number from 1 to 100000" },
	{ "timeout 30s\ntimeout connect 5\ntimeout dot 10m\ntimeout dns 1\n",
	    NULL },
	{ "timeout 0\n", ":1: timeout: expected [STEP] DURATION, STEP one of "
	    "those in mxkeep.conf(5)" },
	{ "timeout nap 5\n", ":1: timeout: expected [STEP] DURATION, STEP one "
	    "of those in mxkeep.conf(5)" },
	{ "timeout connect\n", ":1: timeout: expected [STEP] DURATION, STEP "
	    "one of those in mxkeep.conf(5)" },
	{ "tls-certificate /x\ntls-key /y\n", NULL },
	{ "tls-certificate x\n",
	    ":1: tls-certificate: expected an absolute path" },
	{ "tls-key ./x\n", ":1: tls-key: expected an absolute path" },
	/* defaults of the domains' keys */
	{ "route a.test b.test:26 192.0.2.1 [2001:db8::1]:27 2001:db8::2\n",
	    NULL },
	{ "route\n", ":1: route: expected HOST[:PORT] ..., 16 at most" },
	{ "route a:0\n", ":1: route: expected HOST[:PORT] ..., 16 at most" },
	{ "route a:\n", ":1: route: expected HOST[:PORT] ..., 16 at most" },
	{ "route :25\n", ":1: route: expected HOST[:PORT] ..., 16 at most" },
	{ "route a/b\n", ":1: route: expected HOST[:PORT] ..., 16 at most" },
	{ "route [2001:db8::1\n",
	    ":1: route: expected HOST[:PORT] ..., 16 at most" },
	{ "expire 30d\nexpire 1\n", NULL },
	{ "expire 0\n", ":1: expire: expected a duration as 30d" },
	{ "expire never\n", ":1: expire: expected a duration as 30d" },
	{ "expire 30 d\n", ":1: expire: expected a duration as 30d" },
	{ "bounce yes\nbounce no\n", NULL },
	{ "bounce Yes\n", ":1: bounce: expected yes or no" },
	{ "bounce\n", ":1: bounce: expected yes or no" },
	{ "keep 0\nkeep 3d\n", NULL },
	{ "keep x\n", ":1: keep: expected a duration as 3d, or 0" },
	{ "sessions 1000\n", NULL },
	{ "sessions 0\n", ":1: sessions: expected a number from 1 to 1000" },
	{ "rate 10/s\nrate 1/h\nrate 30/m\n", NULL },
	{ "rate 10\n", ":1: rate: expected N/s, N/m or N/h" },
	{ "rate 0/s\n", ":1: rate: expected N/s, N/m or N/h" },
	{ "rate 1/d\n", ":1: rate: expected N/s, N/m or N/h" },
	{ "recipients any\n", NULL },
	{ "recipients verify\nrecipients users\nrecipients /x/y\n", NULL },
	{ "recipients\n", ":1: recipients: expected any, verify or a file" },
	{ "recipients a b\n",
	    ":1: recipients: expected any, verify or a file" },
	{ "unknown accept\nunknown defer\nunknown reject\n", NULL },
	{ "unknown no\n", ":1: unknown: expected accept, defer or reject" },
	{ "when-up accept\nwhen-up defer\n", NULL },
	{ "when-up reject\n", ":1: when-up: expected accept or defer" },
	{ "quota 10G\nquota 5000\nquota 10G 5000\nquota 10G|5000\n", NULL },
	{ "quota 5000 10G\nquota 1000 50\nquota 1000|50\nquota 0\n", NULL },
	{ "quota 1|2|3\n", ":1: quota: expected a size as 10G, a number of "
	    "messages, or both" },
	{ "quota 1000|\n", ":1: quota: expected a size as 10G, a number of "
	    "messages, or both" },
	{ "quota\n", ":1: quota: expected a size as 10G, a number of "
	    "messages, or both" },
	{ "quota 10G 20G\n", ":1: quota: expected a size as 10G, a number "
	    "of messages, or both" },
	{ "quota -1\n", ":1: quota: expected a size as 10G, a number of "
	    "messages, or both" },
	{ "quota 10G|\n", ":1: quota: expected a size as 10G, a number of "
	    "messages, or both" },
	{ "trusted-proxy 192.0.2.0/24 ::1\ntrusted-proxy [::1]/128\n", NULL },
	{ "trusted-proxy proxy.test\n",
	    ":1: trusted-proxy: expected ADDR[/LEN] ..., 64 at most" },
	{ "xclient 127.0.0.1\netrn 192.0.2.1/32\n", NULL },
	{ "xclient\n", ":1: xclient: expected ADDR[/LEN] ..., 64 at most" },
	{ "etrn 192.0.2.1/33\n",
	    ":1: etrn: expected ADDR[/LEN] ..., 64 at most" },
	{ "sandbox yes\nsandbox required\nsandbox no\n", NULL },
	{ "sandbox maybe\n", ":1: sandbox: expected yes, required or no" },
	{ "greet-delay 0\ngreet-delay 4m\n", NULL },
	{ "greet-delay 5m\n",
	    ":1: greet-delay: expected a duration up to 4m, or 0" },
	{ "tarpit 0\ntarpit 1m\n", NULL },
	{ "tarpit 61\n", ":1: tarpit: expected a duration up to 1m, or 0" },
	{ "min-rate 0\nmin-rate 1K\n", NULL },
	{ "min-rate x\n", ":1: min-rate: expected octets a second, or 0" },
	{ "tls may\ntls dane\ntls verify\n", NULL },
	{ "tls pin " DIGEST "\ntls pin " DIGEST " " DIGEST "\n", NULL },
	{ "tls pin\n", ":1: tls: expected may, dane, verify, or pin "
	    "sha256:DIGEST ..., 4 at most" },
	{ "tls pin " DIGEST "0\n", ":1: tls: expected may, dane, verify, or "
	    "pin sha256:DIGEST ..., 4 at most" },
	{ "tls verify " DIGEST "\n", ":1: tls: expected may, dane, verify, "
	    "or pin sha256:DIGEST ..., 4 at most" },
	{ "tls no\n", ":1: tls: expected may, dane, verify, or pin "
	    "sha256:DIGEST ..., 4 at most" },
	{ "tls-authorities /etc/x.pem\n", NULL },
	{ "tls-authorities x.pem\n",
	    ":1: tls-authorities: expected an absolute path" },
	{ "identify none\nidentify xclient\nidentify xforward\n", NULL },
	{ "identify yes\n",
	    ":1: identify: expected none, xclient or xforward" },
	{ "window 1\nwindow 100\n", NULL },
	{ "window 0\n", ":1: window: expected a number from 1 to 100" },
	{ "strict-routing no\nstrict-routing yes\n", NULL },
	{ "strict-routing\n", ":1: strict-routing: expected yes or no" },
	{ "route-memory 0\nroute-memory 90d\n", NULL },
	{ "route-memory x\n",
	    ":1: route-memory: expected a duration as 30d, or 0" },
	{ "breaker 1\nbreaker 100%\nbreaker off\n", NULL },
	{ "breaker 0\n",
	    ":1: breaker: expected percent from 1 to 100, or off" },
	{ "warn off\nwarn 4h\n", NULL },
	{ "warn 5\n", ":1: warn: expected off, or a duration as 4h" },
	{ "report-limit 0\nreport-limit 100\n", NULL },
	{ "report-limit -1\n", ":1: report-limit: expected a number an "
	    "hour, or 0 for no limit" },
	{ "notify root@example.net\nnotify off\n", NULL },
	{ "notify root\n",
	    ":1: notify: expected an address user@domain, or off" },
	{ "notify-after 0\nnotify-after 1h\n", NULL },
	{ "notify-after x\n", ":1: notify-after: expected a duration as 30m, "
	    "or 0" },
	{ "hook /usr/local/bin/page\nhook off\n", NULL },
	{ "hook page\n", ":1: hook: expected an absolute path, or off" },
	/* forms of files */
	{ "port 26", NULL },
	{ "port 26\r\nexpire 1d\r\n", NULL },
	{ "  port\t 26 \n", NULL },
	{ "port 26 # the other one\n", NULL },
	{ "port 26#x\n", ":1: port: expected a number from 1 to 65535" },
	{ "\n\n# x\nport x\n",
	    ":4: port: expected a number from 1 to 65535" },
	{ "Port 25\n", ":1: unknown key \"Port\"; mxkeep.conf(5) lists those "
	    "there are" },
	{ "expire=30d\n", ":1: unknown key \"expire=30d\"; mxkeep.conf(5) "
	    "lists those there are" },
};

static void
check_global(void)
{
	struct conf c;
	char error[CONF_ERROR_MAX], want[CONF_ERROR_MAX];
	int got;

	for (size_t i = 0; i < sizeof(global) / sizeof(global[0]); i++) {
		put_text("mxkeep.conf", global[i].text);
		error[0] = '\0';
		got = conf_load(&c, dir, error);
		if (global[i].want == NULL) {
			is_str(got == 0 ? "" : error, "", "good %zu", i);
			continue;
		}
		(void)snprintf(want, sizeof(want), "%s/mxkeep.conf%s", dir,
		    global[i].want);
		is_str(got == -1 ? error : "good", want, "bad %zu", i);
	}
}

static const char *
show_addr(const struct sockaddr_storage *ss)
{
	static char buf[80];
	char text[INET6_ADDRSTRLEN] = "none";
	const struct sockaddr_in *in = (const void *)ss;
	const struct sockaddr_in6 *in6 = (const void *)ss;
	int port = 0;

	if (ss->ss_family == AF_INET) {
		inet_ntop(AF_INET, &in->sin_addr, text, sizeof(text));
		port = ntohs(in->sin_port);
	} else if (ss->ss_family == AF_INET6) {
		inet_ntop(AF_INET6, &in6->sin6_addr, text, sizeof(text));
		port = ntohs(in6->sin6_port);
	}
	(void)snprintf(buf, sizeof(buf), "%s@%d", text, port);
	return buf;
}

static void
check_values(void)
{
	char error[CONF_ERROR_MAX], path[PATH_MAX];
	struct conf c;

	put_text("mxkeep.conf", "hostname MX2.Example.net.\nspool /var/x\n"
	    "resolver 127.0.0.1 ::1@5353\nport 2525\nsource ::2\n"
	    "self NAT.example.net 192.0.2.9\nmax-size 1K\n"
	    "max-recipients 100\ntimeout 10s\ntimeout dot 1m\n"
	    "route A.test b.test:26 192.0.2.1:27 [2001:DB8::1]:28 "
	    "2001:db8::2\nexpire 2w\nbounce no\nkeep 1d\nrate 30/m\n"
	    "postmaster pm@example.net\nrecipients users\nunknown defer\n"
	    "when-up defer\nquota 10G|5000\ntrusted-proxy 192.0.2.0/24\n"
	    "trusted-proxy ::1\nsandbox required\ngreet-delay 5s\n"
	    "tarpit 2\nmin-rate 1K\ntls-certificate /c.pem\n"
	    "tls pin " DIGEST "\nbreaker 40%\nidentify xforward\n"
	    "strict-routing yes\nroute-memory 1d\nnotify a@b.test\n"
	    "notify off\n");
	if (!ok(conf_load(&c, dir, error) == 0, "all at once"))
		return;
	is_str(c.hostname, "mx2.example.net", "hostname");
	is_str(c.spool, "/var/x", "spool");
	is_int(c.nresolver, 2, "resolvers");
	ok(!c.trust_ad, "of which none is trusted");
	is_str(show_addr(&c.resolver[0]), "127.0.0.1@53", "with port 53");
	is_str(show_addr(&c.resolver[1]), "::1@5353", "or another");
	is_int(c.port, 2525, "port");
	is_int(c.source[0].ss_family, 0, "no source for IPv4");
	is_str(show_addr(&c.source[1]), "::2@0", "source for IPv6");
	ok(conf_is_self(&c, "nat.example.NET."), "self by name");
	ok(conf_is_self(&c, "mx2.example.net"), "hostname is self");
	ok(!conf_is_self(&c, "mx.example.net"), "another is not");
	ok(!conf_is_self(&c, ""), "nothing is not");
	is_str(show_addr(&c.self_addr[0]), "192.0.2.9@0", "self by address");
	is_int(c.max_size, 1024, "max-size");
	is_int(c.max_recipients, 100, "max-recipients");
	is_int(c.timeout.mail, 10000, "timeout of all replies");
	is_int(c.timeout.dot, 60000, "and of one");
	is_int(c.timeout.connect, 30000, "not of connect");
	is_int(c.defaults.nroute, 5, "hops");
	is_str(c.defaults.route[0].host, "a.test", "a name");
	is_int(c.defaults.route[0].port, 0, "and the usual port");
	is_int(c.defaults.route[1].port, 26, "another port");
	is_str(c.defaults.route[2].host, "192.0.2.1", "an address");
	is_str(c.defaults.route[3].host, "2001:db8::1", "without brackets");
	is_int(c.defaults.route[3].port, 28, "with a port");
	is_str(c.defaults.route[4].host, "2001:db8::2", "no port in it");
	is_int(c.defaults.route[4].port, 0, "indeed");
	is_int(c.defaults.expire, 14 * 86400, "expire");
	is_int(c.defaults.bounce, 0, "bounce");
	ok(c.defaults.rate > 0.49 && c.defaults.rate < 0.51, "rate");
	is_str(c.postmaster, "pm@example.net", "postmaster");
	is_int(c.defaults.recipients, CONF_FILE, "recipients");
	ok(conf_path(&c, c.defaults.recipients_file, path), "their file");
	is_str(path, in_dir("users"), "below the directory");
	ok(conf_path(&c, "/x/users", path), "or elsewhere");
	is_str(path, "/x/users", "by its whole name");
	is_int(c.defaults.unknown, CONF_DEFER, "unknown");
	is_int(c.defaults.when_up_defer, 1, "when-up");
	is_int(c.defaults.quota_size, 10LL << 30, "quota in octets");
	is_int(c.defaults.quota_count, 5000, "and in messages");
	is_int(c.defaults.tls, CONF_TLS_PIN, "tls");
	is_int(c.defaults.npin, 1, "a pin");
	ok(c.defaults.pin[0].sha256[9] == 9 &&
	    c.defaults.pin[0].sha256[31] == 0x1f, "its digest");
	is_int(c.defaults.breaker, 40, "breaker");
	is_int(c.defaults.identify, CONF_IDENTIFY_XFORWARD, "identify");
	is_int(c.defaults.strict_routing, 1, "strict-routing");
	is_int(c.defaults.route_memory, 86400, "route-memory");
	is_str(c.defaults.notify, "", "notify taken back");
	is_int((long long)c.trusted_proxy.n, 2, "networks of proxies");
	is_int(c.sandbox, CONF_SANDBOX_REQUIRED, "sandbox");
	is_int(c.greet_delay, 5000, "greet-delay");
	is_int(c.tarpit, 2000, "tarpit");
	is_int(c.min_rate, 1024, "min-rate");
	is_str(c.tls_key, "/c.pem", "the key is with the certificate");
	put_text("mxkeep.conf", "hostname a.test\n");
	ok(conf_load(&c, dir, error) == 0, "hardly anything");
	is_str(c.postmaster, "postmaster@a.test", "default postmaster");
	is_int(c.defaults.expire, 30 * 86400, "default expire");
	is_int(c.defaults.bounce, 1, "default bounce");
	is_int(c.max_size, 50 * 1024 * 1024, "default max-size");
	is_int(c.max_recipients, 1000, "default max-recipients");
	is_int(c.timeout.command, 300000, "default timeout command");
	is_int(c.timeout.receive, 180000, "default timeout receive");
	is_int(c.defaults.tls, CONF_TLS_MAY, "default tls");
	is_int(c.defaults.window, 8, "default window");
	is_int(c.defaults.breaker, 25, "default breaker");
	is_int(c.defaults.route_memory, 30 * 86400, "default route-memory");
	is_int(c.defaults.notify_after, 0, "default notify-after");
}

/* A domain, the file that answers for it, and what its "expire" is. */
static const struct {
	const char *domain;
	enum conf_match match;
	const char *file;
	int64_t expire;
} matches[] = {
	{ "example.org", CONF_YES, "example.org", 101 },
	{ "sub.example.org", CONF_YES, ".example.org", 102 },
	{ "deep.sub.example.org", CONF_YES, ".example.org", 102 },
	{ "near.example.org", CONF_YES, "near.example.org", 104 },
	{ "x.near.example.org", CONF_YES, ".near.example.org", 103 },
	{ "a.x.near.example.org", CONF_YES, ".near.example.org", 103 },
	{ "empty.test", CONF_YES, "empty.test", 1000 },
	{ "parent.test", CONF_NO, "", 1000 },
	{ "a.parent.test", CONF_YES, ".parent.test", 1000 },
	{ "xexample.org", CONF_NO, "", 1000 },
	{ "org", CONF_NO, "", 1000 },
	{ "other.test", CONF_NO, "", 1000 },
	{ "EXAMPLE.org", CONF_NO, "", 1000 },
	{ "example.org.", CONF_NO, "", 1000 },
	{ "", CONF_NO, "", 1000 },
	{ "..", CONF_NO, "", 1000 },
	{ "../mxkeep.conf", CONF_NO, "", 1000 },
	{ "x/../example.org", CONF_NO, "", 1000 },
	{ "192.0.2.1", CONF_NO, "", 1000 },
	{ "bad.test", CONF_BROKEN, "", 0 },
	{ "global.test", CONF_BROKEN, "", 0 },
	{ "nul.test", CONF_BROKEN, "", 0 },
	{ "dir.test", CONF_BROKEN, "", 0 },
	{ "sub.bad.test", CONF_NO, "", 1000 },
	{ "a.badparent.test", CONF_BROKEN, "", 0 },
	{ "b.a.badparent.test", CONF_BROKEN, "", 0 },
};

static int
collect(const char *name, void *arg)
{
	char *all = arg;

	(void)strlcat(all, name, 1024);
	(void)strlcat(all, " ", 1024);
	return strcmp(name, "stop") == 0 ? 7 : 0;
}

static void
check_domains(void)
{
	char error[CONF_ERROR_MAX], file[ADDR_DOMAIN_MAX + 2], all[1024] = "";
	char want[CONF_ERROR_MAX], *big;
	struct settings s;
	struct conf c;

	put_text("mxkeep.conf", "expire 1000\nbounce no\nroute a.test\n");
	put_text("domains/example.org", "expire 101\r\nroute b.test c.test");
	put_text("domains/.example.org", "expire 102\n");
	put_text("domains/.near.example.org", "expire 103\n");
	put_text("domains/near.example.org", "expire 104\nbounce yes\n");
	put_text("domains/empty.test", "");
	put_text("domains/.parent.test", "# all below\n");
	put_text("domains/bad.test", "\nexpire\n");
	put_text("domains/global.test", "spool /x\n");
	put("domains/nul.test", "expire 1\0\n", 10);
	put_text("domains/.badparent.test", "x");
	put_text("domains/.hidden~", "x");
	put_text("domains/UPPER.test", "x");
	put_text("domains/back.test~", "x");
	put_text("domains/1.2.3.4", "x");
	if (mkdir(in_dir("domains/dir.test"), 0700) == -1 ||
	    conf_load(&c, dir, error) == -1)
		abort();
	for (size_t i = 0; i < sizeof(matches) / sizeof(matches[0]); i++) {
		file[0] = '\0';
		is_int(conf_domain(&c, matches[i].domain, &s, file, error),
		    matches[i].match, "\"%s\"", matches[i].domain);
		is_str(file, matches[i].file, "\"%s\": file",
		    matches[i].domain);
		if (matches[i].match != CONF_BROKEN)
			is_int(s.expire, matches[i].expire, "\"%s\": expire",
			    matches[i].domain);
	}
	conf_domain(&c, "example.org", &s, NULL, error);
	is_int(s.nroute, 2, "a route replaces the default");
	is_str(s.route[0].host, "b.test", "wholly");
	is_int(s.bounce, 0, "the default applies where the file is silent");
	conf_domain(&c, "near.example.org", &s, NULL, error);
	is_int(s.bounce, 1, "and not where it speaks");
	conf_domain(&c, "bad.test", &s, NULL, error);
	(void)snprintf(want, sizeof(want),
	    "%s/domains/bad.test:2: expire: expected a duration as 30d", dir);
	is_str(error, want, "file, line, what was expected");
	conf_domain(&c, "global.test", &s, NULL, error);
	(void)snprintf(want, sizeof(want), "%s/domains/global.test:1: spool "
	    "belongs in mxkeep.conf, not in a domain's file", dir);
	is_str(error, want, "a key of mxkeep.conf");
	conf_domain(&c, "nul.test", &s, NULL, error);
	(void)snprintf(want, sizeof(want), "%s/domains/nul.test:1: expected "
	    "text, found a NUL", dir);
	is_str(error, want, "a NUL");
	is_int(conf_domains(&c, collect, all), 0, "all of them");
	is_str(all, ".badparent.test .example.org .near.example.org "
	    ".parent.test bad.test dir.test empty.test example.org "
	    "global.test near.example.org nul.test ", "in order");
	put_text("domains/stop", "");
	put_text("domains/zz", "");
	is_int(conf_domains(&c, collect, all), 7, "until told to stop");
	if ((big = malloc(200001)) == NULL)
		abort();
	memset(big, 'x', 200000);
	put("domains/big.test", big, 200000);
	is_int(conf_domain(&c, "big.test", &s, NULL, error), CONF_BROKEN,
	    "a very long line");
	ok(strlen(error) < CONF_ERROR_MAX && strstr(error, "unknown key") !=
	    NULL, "gives a short message");
	memcpy(big, "expire 5 #", 10);
	put("domains/big.test", big, 200000);
	is_int(conf_domain(&c, "big.test", &s, NULL, error), CONF_YES,
	    "a very long comment");
	free(big);
	c.defaults.expire = 30 * 86400;
	conf_domain(&c, "stranger.test", &s, NULL, error);
	is_int(s.expire, 30 * 86400, "a stranger has the defaults");
	is_int(conf_report_expire(&s), 5 * 86400,
	    "a report lives 5 days at most");
	s.expire = 3 * 86400;
	is_int(conf_report_expire(&s), 3 * 86400, "or less");
}

static void
check_missing(void)
{
	char error[CONF_ERROR_MAX], all[1024] = "";
	struct settings s;
	struct conf c;

	unlink(in_dir("mxkeep.conf"));
	is_int(conf_load(&c, dir, error), 0, "domains alone are enough");
	is_int(conf_load(&c, in_dir("nowhere"), error), -1, "nothing is not");
	ok(strstr(error, "expected mxkeep.conf") != NULL, "and says so");
	memset(all, 'x', sizeof(all) - 1);
	all[0] = '/';
	all[sizeof(all) - 1] = '\0';
	is_int(conf_load(&c, all, error), -1, "nor is what cannot be");
	put_text("mxkeep.conf", "");
	if (conf_load(&c, dir, error) == -1)
		abort();
	(void)snprintf(all, sizeof(all), "%s/gone", dir);
	if (rename(in_dir("domains"), all) == -1)
		abort();
	is_int(conf_domain(&c, "example.org", &s, NULL, error), CONF_BROKEN,
	    "without the directory nobody is a stranger");
	ok(strstr(error, "/domains") != NULL, "and it is named");
	all[0] = '\0';
	is_int(conf_domains(&c, collect, all), -1, "nor can it be read");
}

/* The directory comes and goes while somebody asks. */
static void
check_swapped(void)
{
	char gone[300], error[CONF_ERROR_MAX];
	struct settings s;
	struct conf c;
	int strangers = 0, found = 0;
	pid_t pid;

	(void)snprintf(gone, sizeof(gone), "%s/gone", dir);
	if (rename(gone, in_dir("domains")) == -1)
		abort();
	put_text("domains/example.org", "");
	if (conf_load(&c, dir, error) == -1 || (pid = fork()) == -1)
		abort();
	if (pid == 0) {
		for (int i = 0; i < 20000; i++)
			if (rename(in_dir("domains"), gone) == -1 ||
			    rename(gone, in_dir("domains")) == -1)
				_exit(1);
		_exit(0);
	}
	while (waitpid(pid, NULL, WNOHANG) == 0)
		switch (conf_domain(&c, "example.org", &s, NULL, error)) {
		case CONF_YES:
			found++;
			break;
		case CONF_NO:
			strangers++;
			break;
		case CONF_BROKEN:
			break;
		}
	ok(found > 0, "a directory that is moved about is found");
	is_int(strangers, 0, "and never lacks a domain it has");
}

int
main(void)
{
	const char *tmp = getenv("TMPDIR");

	if (snprintf(dir, sizeof(dir), "%s/mxkeep-conf.XXXXXX", tmp != NULL ?
	    tmp : "/tmp") >= (int)sizeof(dir) || mkdtemp(dir) == NULL ||
	    mkdir(in_dir("domains"), 0700) == -1)
		return 1;
	check_global();
	check_values();
	check_domains();
	check_missing();
	check_swapped();
	nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
	return done_testing();
}
