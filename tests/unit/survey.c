/* SPDX-License-Identifier: ISC */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>

#include "survey.h"
#include "tap.h"

static void
reverse(const char *text, const char *want)
{
	struct sockaddr_storage ss;
	char name[ADDR_DOMAIN_MAX + 1];

	memset(&ss, 0, sizeof(ss));
	if (inet_pton(AF_INET, text, &((struct sockaddr_in *)&ss)->sin_addr))
		ss.ss_family = AF_INET;
	else if (inet_pton(AF_INET6, text,
	    &((struct sockaddr_in6 *)&ss)->sin6_addr))
		ss.ss_family = AF_INET6;
	survey_reverse(name, &ss);
	is_str(name, want, "%s", text);
}

int
main(void)
{
	struct check_options o;
	struct look_us us;

	reverse("192.0.2.1", "1.2.0.192.in-addr.arpa");
	reverse("255.255.255.254", "254.255.255.255.in-addr.arpa");
	reverse("2001:db8::567:89ab", "b.a.9.8.7.6.5.0.0.0.0.0.0.0.0.0.0.0.0.0."
	    "0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa");

	/* Nobody to visit. */
	memset(&o, 0, sizeof(o));
	memset(&us, 0, sizeof(us));
	survey(NULL, 0, NULL, &o, &us, 0);
	ok(true, "no domain, no look");
	return done_testing();
}
