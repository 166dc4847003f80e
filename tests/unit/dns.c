/* SPDX-License-Identifier: ISC */
/* What needs no server: the limits of a set. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "ask.h"
#include "deadline.h"
#include "dns.h"
#include "tap.h"

static void
test_open(void)
{
	struct sockaddr_storage ss[RESOLV_SERVERS_MAX];
	struct dns *d;

	memset(ss, 0, sizeof(ss));
	((struct sockaddr_in *)&ss[0])->sin_family = AF_INET;
	((struct sockaddr_in *)&ss[0])->sin_addr.s_addr = htonl(0xc0000201);
	ok((d = dns_open(ss, 1, NULL)) != NULL, "one server");
	ok(!d->resolv.trust_ad, "AD of a server elsewhere is not believed");
	dns_trust_ad(d);
	ok(d->resolv.trust_ad, "but on the operator's word");
	dns_close(d);
	ok(dns_open(ss, RESOLV_SERVERS_MAX + 1, NULL) == NULL &&
	    errno == EINVAL,
	    "too many servers");
	d = dns_open(NULL, 0, "/nonexistent/resolv.conf");
	ok(d != NULL && d->resolv.trust_ad, "AD of this host is believed");
	dns_close(d);
	ok(dns_open(NULL, 0, "/") == NULL && errno == EISDIR,
	    "a file that cannot be read");
	ok(dns_open(ss, -1, NULL) == NULL && errno == EINVAL,
	    "less than none");
}

static void
test_lookup(void)
{
	struct dns_query q[3];
	struct dns *d = dns_open(NULL, 0, "/nonexistent/resolv.conf");
	int64_t began = deadline_now();
	char longest[400];

	memset(longest, 'a', sizeof(longest));
	longest[sizeof(longest) - 1] = '\0';
	dns_query_init(&q[0], "no name", DNS_MX);
	dns_query_init(&q[1], longest, DNS_A);
	dns_query_init(&q[2], "Example.ORG", DNS_A);
	dns_lookup(d, q, 3, deadline_in(0));
	is_int(q[0].outcome, DNS_NXDOMAIN, "what is no name does not exist");
	is_int(q[1].outcome, DNS_NXDOMAIN, "nor does what is too long");
	is_int(q[2].outcome, DNS_TEMPFAIL, "no time, no answer");
	is_str(q[2].canonical, "example.org", "the name in lower case");
	is_str(q[2].answer, "", "the answer is empty");
	ok(q[2].why[0] != '\0', "there is a reason: %s", q[2].why);
	dns_lookup(d, q, 0, deadline_in(1000));
	dns_lookup(d, q, 2, DEADLINE_NEVER);
	ok(deadline_now() - began < 500, "nobody waited");
	dns_query_clear(&q[0]);
	dns_query_clear(&q[1]);
	dns_query_clear(&q[2]);
	dns_close(d);
}

/* How many of N questions go out while nobody answers. */
static int
asked_of(int n, size_t processes)
{
	struct sockaddr_storage ss, from[512];
	struct sockaddr_in *in = (struct sockaddr_in *)&ss;
	struct dns_query q[512];
	socklen_t len = sizeof(*in);
	int i, k, got = 0, fd = socket(AF_INET, SOCK_DGRAM, 0);
	struct dns *d;
	char name[32], buf[512];

	memset(&ss, 0, sizeof(ss));
	in->sin_family = AF_INET;
	in->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (bind(fd, (struct sockaddr *)in, len) == -1 ||
	    getsockname(fd, (struct sockaddr *)in, &len) == -1 ||
	    (d = dns_open(&ss, 1, NULL)) == NULL)
		return -1;
	if (processes > 1)
		dns_divide(d, processes);
	for (i = 0; i < n; i++) {
		(void)snprintf(name, sizeof(name), "n%d.example", i);
		dns_query_init(&q[i], name, DNS_A);
	}
	dns_lookup(d, q, (size_t)n, deadline_in(200));
	for (i = 0; i < n; i++)
		dns_query_clear(&q[i]);
	dns_close(d);
	/* One that is asked again has the port that it had. */
	while (got < 512 && (len = sizeof(ss), recvfrom(fd, buf, sizeof(buf),
	    MSG_DONTWAIT, (struct sockaddr *)&ss, &len)) > 0) {
		for (k = 0; k < got; k++)
			if (memcmp(&from[k], &ss, len) == 0)
				break;
		if (k == got)
			from[got++] = ss;
	}
	close(fd);
	return got;
}

static void
test_burst(void)
{
	is_int(asked_of(40, 1), 40, "a few are all asked at once");
	is_int(asked_of(400, 1), 128, "of many not more than are kept");
	is_int(asked_of(400, 4), 32, "nor by four processes");
	is_int(asked_of(40, 64), 8, "and each may ask some");
}

int
main(void)
{
	test_open();
	test_burst();
	test_lookup();
	return done_testing();
}
