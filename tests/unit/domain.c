/* SPDX-License-Identifier: ISC */
#include <stdlib.h>

#include "domain.h"
#include "tap.h"

static const struct {
	const char *name, *in;
	enum domain_state state;
	time_t since, last_try, held_until;
	const char *error, *why, *route, *ehlo;
} cases[] = {
	{ "nothing", "", DOMAIN_UNKNOWN, 0, 0, 0, "", "", "", "" },
	{ "all", "state down\nsince 100 x\nlast-try 200 y\nheld-until 300\n"
	    "error 421 go away\nwhy moving\nroute mx [192.0.2.1]:25\n"
	    "ehlo SIZE 1;PIPELINING\n", DOMAIN_DOWN, 100, 200, 300,
	    "421 go away", "moving", "mx [192.0.2.1]:25",
	    "SIZE 1;PIPELINING" },
	{ "no final newline", "state up", DOMAIN_UP, 0, 0, 0, "", "", "", "" },
	{ "unknown state", "state sideways\n", DOMAIN_UNKNOWN, 0, 0, 0, "",
	    "", "", "" },
	{ "unknown keys", "color red\nstate held\n", DOMAIN_HELD, 0, 0, 0, "",
	    "", "", "" },
	{ "empty lines", "\n\nstate up\n\n\nsince 5\n", DOMAIN_UP, 5, 0, 0,
	    "", "", "", "" },
	{ "no value", "state\nsince \nerror\n", DOMAIN_UNKNOWN, 0, 0, 0, "",
	    "", "", "" },
	{ "no number", "since x\nlast-try -5\n", DOMAIN_UNKNOWN, 0, 0, 0, "",
	    "", "", "" },
	{ "the last one counts", "state up\nstate down\n", DOMAIN_DOWN, 0, 0,
	    0, "", "", "", "" },
};

static void
check_long(void)
{
	struct domain d;
	char text[3000];

	memset(text, 'x', sizeof(text));
	memcpy(text, "error ", 6);
	text[700] = '\n';
	memcpy(text + 701, "state up\n", 9);
	text[710] = '\0';
	domain_parse(&d, text);
	is_int(strlen(d.error), sizeof(d.error) - 1, "a long value is cut");
	is_int(d.state, DOMAIN_UP, "and what follows is read");
	memset(text, 'x', sizeof(text));
	text[2900] = '\n';
	memcpy(text + 2901, "state down", 11);
	domain_parse(&d, text);
	is_int(d.state, DOMAIN_DOWN, "a line that is no line of ours");
}

static void
check_print(void)
{
	struct domain d, e;
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	if (f == NULL)
		abort();
	domain_init(&d);
	d.state = DOMAIN_UNROUTABLE;
	d.since = 1764000000;
	(void)snprintf(d.error, sizeof(d.error), "one\nstate up");
	(void)snprintf(d.route, sizeof(d.route), "mx [192.0.2.1]:25");
	domain_print(&d, f);
	fclose(f);
	is_str(text, "state unroutable\nsince 1764000000 "
	    "2025-11-24T16:00:00Z\nerror one state up\n"
	    "route mx [192.0.2.1]:25\n", "printed; no value makes a line");
	domain_parse(&e, text);
	is_int(e.state, d.state, "the state is read back");
	is_int(e.since, d.since, "and its time");
	is_str(e.route, d.route, "and the route");
	free(text);
}

/* What the breaker and a detour need to know again. */
static void
check_memory(void)
{
	static const char want[] = "state stopped\n"
	    "next-try 300 1970-01-01T00:05:00Z\n"
	    "good 60 1970-01-01T00:01:00Z\n"
	    "released 120 1970-01-01T00:02:00Z\n"
	    "tls TLSv1.3\ndetour null MX\n"
	    "host a [192.0.2.1]:25\nhost b [2001:db8::1]:25\n"
	    "accepted 5\nrefuses yes\n";
	char *text = NULL, lines[4096] = "";
	size_t size;
	struct domain d;
	FILE *f = open_memstream(&text, &size);

	if (f == NULL)
		abort();
	domain_parse(&d, want);
	is_int(d.state, DOMAIN_STOPPED, "stopped");
	ok(!domain_waits_for_us(&d), "it refuses: tried again and again");
	d.refuses = false;
	ok(domain_waits_for_us(&d), "else it waits for the operator");
	d.refuses = true;
	is_str(d.host[1], "b [2001:db8::1]:25", "the second host");
	is_str(d.host[2], "", "there are no more");
	domain_print(&d, f);
	fclose(f);
	is_str(text, want, "printed as it was read");
	free(text);
	for (int i = 0; i < 2 * DOMAIN_HOSTS_MAX; i++)
		(void)strlcat(lines, "host mx [192.0.2.9]:25\n",
		    sizeof(lines));
	domain_parse(&d, lines);
	is_str(d.host[DOMAIN_HOSTS_MAX - 1], "mx [192.0.2.9]:25",
	    "as many as there is room for");
	is_str(d.detour, "", "and nothing behind them");
	memset(lines, 'x', DOMAIN_HOST_MAX + 8);
	memcpy(lines, "host ", 5);
	(void)strlcpy(lines + DOMAIN_HOST_MAX + 8, "\nhost b [192.0.2.2]:25",
	    64);
	domain_parse(&d, lines);
	is_str(d.host[0], "b [192.0.2.2]:25", "one too long is none");
}

int
main(void)
{
	struct domain d;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		domain_parse(&d, cases[i].in);
		is_int(d.state, cases[i].state, "%s: state", cases[i].name);
		is_int(d.since, cases[i].since, "%s: since", cases[i].name);
		is_int(d.last_try, cases[i].last_try, "%s: last try",
		    cases[i].name);
		is_int(d.held_until, cases[i].held_until, "%s: held until",
		    cases[i].name);
		is_str(d.error, cases[i].error, "%s: error", cases[i].name);
		is_str(d.why, cases[i].why, "%s: why", cases[i].name);
		is_str(d.route, cases[i].route, "%s: route", cases[i].name);
		is_str(d.ehlo, cases[i].ehlo, "%s: ehlo", cases[i].name);
	}
	check_long();
	check_print();
	check_memory();
	is_str(domain_state_name(DOMAIN_HELD), "held", "names");
	return done_testing();
}
