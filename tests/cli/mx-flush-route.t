#!/bin/sh
# SPDX-License-Identifier: ISC
#
# The way to a domain whose DNS has failed: the one remembered, or none; with
# "strict-routing" the verdicts of RFC 5321; and never to ourselves.

. "$(dirname "$0")/../tap.sh"

need python3

port=$(free_port)
mkdir "$T/primary"
cat >"$T/table" <<END
one at:127.0.0.2:$port
two at:127.0.0.3:$port
greet at:127.0.0.4:$port;GREET=220 mx2.backup.test ESMTP
ehlo at:127.0.0.5:$port;EHLO=250-MX2.Backup.Test hello\n250 SIZE
self at:127.0.0.6:$port;GREET=220 nat.backup.test ESMTP
down at:127.0.0.7:$port;GREET=421 4.3.2 later
END
python3 "$TOP/tests/peers/badmx.py" "$T/table" "$T/primary" 2>"$T/peer" &
cleanup_pid $!
until_ok 10 test -e "$T/primary/ready" || diag_file "$T/peer"

# A name server for a.test: what it is asked for, in evildns.py's words.
dns_port=$(free_port)
dns_pid=
dns()
{
	[ -z "$dns_pid" ] || stop "$dns_pid"
	: >"$T/zone"
	for line; do
		echo "$line" >>"$T/zone"
	done
	cat >>"$T/zone" <<-END
	mx1.a.test A 127.0.0.2
	mx1.a.test A 127.0.0.3
	greet.test A 127.0.0.4
	ehlo.test A 127.0.0.5
	self.test A 127.0.0.6
	down.test A 127.0.0.7
	dead.test A 127.0.0.8
	bare.test TXT here
	fail.test @2
	mx2.backup.test A 127.0.0.9
	END
	python3 "$TOP/tests/peers/evildns.py" -p "$dns_port" -c "$T/zone" \
	    >"$T/evil" 2>"$T/evil.err" &
	dns_pid=$!
	cleanup_pid $dns_pid
	wait_udp "$dns_port"
}

# An empty spool: LINE...
fresh()
{
	rm -rf "$T/etc" "$T/spool"
	mkconf "timeout 2s" "timeout connect 1s" "timeout dns 1s" \
	    "resolver 127.0.0.1@$dns_port" "port $port" \
	    "self nat.backup.test 127.0.0.9" "$@"
	mkdomain a.test
}

add()
{
	printf 'Subject: x\r\n\r\ntext\r\n' | "$BIN/mx-queue" -C "$CONF" \
	    add -f "s@elsewhere.test" a@a.test >"$T/out"
}

flush()
{
	"$BIN/mx-flush" -C "$CONF" -v a.test >"$T/log" 2>&1
	status=$?
}

left()
{
	echo "$(find "$SPOOL/mail/a.test/new" "$SPOOL/mail/a.test/cur" \
	    -type f | wc -l) $(find "$SPOOL/mail" -path '*/elsewhere.test/*' \
	    -type f | wc -l)"
}

state()
{
	sed -n "s/^${1:-state} //p" "$SPOOL/state/a.test/state"
}

outages()
{
	cut -f 2 "$SPOOL/state/a.test/outages" | tr '\n' ' '
}

good="a.test MX 10 mx1.a.test"
us="a.test MX 20 mx2.backup.test"

# How DNS fails: NAME | zone lines with ';' between | status | reason
cat >"$T/failures" <<END
SERVFAIL|a.test @2|-|MX of a.test: .*SERVFAIL
NXDOMAIN|a.test @3|5.1.2|a.test does not exist
no answer|a.test @silent|-|MX of a.test
null MX|a.test MX 0 .|5.1.10|null MX
only ourselves|$us|5.4.6|no host of a.test is better
we are best|$us;a.test MX 30 mx1.a.test|5.4.6|no host of a.test is better
our equal|$us;a.test MX 20 mx1.a.test|5.4.6|no host of a.test is better
no MX, no address|a.test TXT here|5.4.4|a.test has no address
a name without addresses|a.test MX 10 bare.test|5.4.4|bare.test has no address
a name that is none|a.test MX 10 gone.test|5.4.4|gone.test does not exist
an address that fails|a.test MX 10 fail.test|-|address of fail.test
some names without|a.test MX 10 bare.test;a.test MX 15 fail.test;$us|-|bare.test has no address
END

set_dns()
{
	saved_ifs=$IFS
	IFS=';'
	# shellcheck disable=SC2086
	set -- $1
	IFS=$saved_ifs
	dns "$@"
}

### It works, and is remembered

dns "$good" "$us"
fresh
add
flush
is "$status $(state) $(left)" "0 up 0 0" "the way by the DNS"
like "$(state route)" "^mx1\.a\.test \[127\.0\.0\.[23]\]:$port\$" "the server"
is "$(state host | sort)" "mx1.a.test [127.0.0.2]:$port
mx1.a.test [127.0.0.3]:$port" "and all there are"
like "$(state good)" "^[0-9]+ 20" "when it was good"
is "$(state accepted)" 8 "a new domain need not prove itself"

### Remembered, without memory, and strict: each kind of failure

cp -r "$SPOOL" "$T/remembered"
while IFS='|' read -r name zone code reason; do
	set_dns "$zone"
	rm -rf "$SPOOL"
	cp -rp "$T/remembered" "$SPOOL"
	mkdomain a.test
	add
	flush
	is "$status $(state) $(left)" "0 up 0 0" "$name: by the way remembered"
	like "$(state detour)" "$reason" "$name: the state says why"
	like "$(cat "$T/log")" "detour domain=a.test .*reason=\".*$reason" \
	    "$name: the log, too"
	add
	flush
	is "$(outages)" "up detour " "$name: one line in outages"
	like "$(cat "$SPOOL/state/a.test/told")" '^route-memory ' \
	    "$name: and the operator is told"

	mkdomain a.test "route-memory 0"
	add
	flush
	is "$status $(state) $(left)" "75 unroutable 1 0" \
	    "$name: without memory it waits"
	like "$(state error)" "$reason" "$name: and says why"

	mkdomain a.test "strict-routing yes"
	flush
	if [ "$code" = - ]; then
		is "$status $(state) $(left)" "75 unroutable 1 0" \
		    "$name, strict: waits"
		continue
	fi
	is "$status $(state) $(left)" "0 unroutable 0 1" "$name, strict: fails"
	report=$(cat "$SPOOL"/mail/elsewhere.test/new/*)
	like "$report" "^Status: $code" "$name, strict: $code"
	like "$report" "$reason" "$name, strict: the sender hears why"
done <"$T/failures"

### The end of a detour, and of a memory

rm -rf "$SPOOL"
cp -rp "$T/remembered" "$SPOOL"
mkdomain a.test
dns "a.test MX 0 ."
add
flush
dns "$good"
add
flush
is "$(state) $(state detour)" "up " "DNS is back: the detour is over"
is "$(cat "$SPOOL/state/a.test/told")" "" "and will be told again"

# The server that took the last mail is gone; another took some, too.
dns "a.test MX 0 ."
sed -i 's/^route .*/route old [127.0.0.8]:'"$port"'/' "$SPOOL/state/a.test/state"
add
flush
is "$status $(left)" "0 0 0" "the other servers are remembered, too"
like "$(state route)" '^mx1\.a\.test' "and the one that works"

add
sed -i 's/^good .*/good '$(($(date +%s) - 30 * 86400 - 10))' x/' \
    "$SPOOL/state/a.test/state"
flush
is "$status $(state) $(left)" "75 unroutable 1 0" "after 30 days it is forgotten"
mkdomain a.test "route-memory 40d"
flush
is "$status $(left)" "0 0 0" "or after as many as one likes"
mkdomain a.test
add
sed -i '/^host/d; s/^route .*/route mx1.a.test [127.0.0.8]:'"$port"'/' \
    "$SPOOL/state/a.test/state"
flush
is "$status $(state)" "75 unroutable" "nobody there: unroutable"
like "$(state error)" 'null MX.*; and by the last route that worked: .*127\.0\.0\.8' \
    "both reasons are told"
sed -i 's/^route .*/route mx1.a.test [127.0.0.9]:'"$port"'/' \
    "$SPOOL/state/a.test/state"
flush
is "$(state error)" "null MX: the domain takes no mail" \
    "an address that is ours by now is not tried"

# A new domain has nothing to remember.
fresh
add
flush
is "$status $(state) $(left)" "75 unroutable 1 0" "a new domain waits"
mkdomain a.test "route nobody.test"
flush
is "$(state) $(left)" "unroutable 1 0" "so it does with a route to nowhere"
mkdomain a.test "route nobody.test" "strict-routing yes"
flush
is "$(state) $(left)" "unroutable 1 0" "whose error is ours: never a verdict"

# The operator's own word: another host is not what he has named.
dns "named.test A 127.0.0.2"
mkdomain a.test "route named.test"
flush
is "$status $(state)" "0 up" "by the route that the operator has named"
dns "named.test @2" "moved.test @2"
add
flush
is "$status $(state) $(left)" "0 up 0 0" "its host is remembered, too"
mkdomain a.test "route moved.test"
add
flush
is "$status $(state) $(left)" "75 unroutable 1 0" \
    "but not for another that he names, which may be where it has moved"

### Ourselves

loop()
{
	fresh
	dns "a.test MX 10 $1"
	add
	before=$(grep -c '^> MAIL' "$T/primary/$2.log")
	flush
	is "$status $(state) $(left)" "75 unroutable 1 0" "$3: waits"
	like "$(state error)" "bears a name of ours" "$3: why"
	like "$(cat "$T/spool/state/a.test/told")" '^loop ' "$3: told"
	mkdomain a.test "strict-routing yes"
	flush
	is "$(state) $(left)" "unroutable 1 0" "$3, strict: never returned"
	is "$(grep -c '^> MAIL' "$T/primary/$2.log")" "$before" \
	    "$3: never sent to ourselves"
}
loop greet.test greet "our name in the greeting"
loop ehlo.test ehlo "our name in the reply to EHLO"
loop self.test self "a name of self in the greeting"

fresh
dns "a.test MX 10 mx.nat.test" "mx.nat.test A 127.0.0.9"
add
flush
is "$status $(state) $(left)" "75 unroutable 1 0" "an address of self: waits"
like "$(state error)" 'no host of a\.test is better' "why"

# Ourselves by name, but another way is known.
rm -rf "$SPOOL"
cp -rp "$T/remembered" "$SPOOL"
dns "a.test MX 10 greet.test"
add
flush
is "$status $(state) $(left)" "0 up 0 0" "a loop now, by the way remembered"
# Ourselves, and one that is down: that is an outage.
dns "a.test MX 10 greet.test" "a.test MX 10 down.test"
add
flush
is "$status $(state) $(left)" "75 down 1 0" "ourselves, and one that is down: down"

done_testing
