# SPDX-License-Identifier: ISC
# A name server that lies, stalls and sends nonsense.
. "$(dirname "$0")/../tap.sh"
need python3

python3 "$TOP/tests/peers/evildns.py" -l "$T/log" >"$T/evil" &
cleanup_pid $!
until_ok 10 test -s "$T/evil"
read -r addr port <"$T/evil"

# Looks the MX of names up within SECONDS; domain and outcome a line each.
ask()
{
	seconds=$1
	shift
	began=$(date +%s%N)
	"$BIN/mx-check" -D -4jt "$seconds" -r "${server:-$addr@$port}" "$@" \
	    >"$T/json" 2>"$T/stderr"
	status=$?
	took=$((($(date +%s%N) - began) / 1000000))
	awk '{
	    domain = $0; sub(/^{"domain":"/, "", domain); sub(/".*/, "", domain)
	    outcome = $0; sub(/.*"status":[0-9],"outcome":"/, "", outcome)
	    sub(/".*/, "", outcome)
	    why = ""
	    if (match($0, /"check":"lookup-[^}]*/)) {
		why = substr($0, RSTART, RLENGTH); sub(/.*"text":/, "", why)
	    }
	    print domain, outcome, gsub(/{"host":/, ""), why }' \
	    "$T/json" >"$T/got"
}

# One name: OUTCOME HOSTS NAME [ERE of the reason]
one()
{
	ask 5 "$3"
	is "$(cut -d' ' -f 2,3 "$T/got")" "$1 $2" "$3: $1"
	[ $# -lt 4 ] || like "$(cut -d' ' -f 4- "$T/got")" "$4" "$3: why"
	[ "$took" -lt 3500 ] || fail "$3: in time" "$took ms"
}

# Whatever is not the answer to our question is not heard: these are silent.
liars='source id question qtype class query opcode noquestion qdcount cut cut-11
cut-60 silent count'
ask 1 $(printf '%s.evil ' $liars) drip.evil
for name in $liars; do
	is "$(sed -n "s/^$name\.evil \([a-z]* [0-9]*\).*/\1/p" "$T/got")" \
	    "tempfail 0" "$name: not heard"
done
is "$(sed -n 's/^drip.evil \([a-z]*\).*/\1/p' "$T/got")" tempfail \
    "drip: TCP has no more time than UDP"
[ "$took" -ge 450 ] && [ "$took" -lt 2000 ] && pass "one deadline for all" ||
    fail "one deadline for all" "$took ms"
is "$status" 3 "what is not known is exit 3"
like "$(grep -c '^udp silent.evil MX' "$T/log")" '^[23]$' \
    "0.3 s, 0.6 s: asked three times in a second"

# The answer comes in the end.
one data 1 good.evil
one data 1 junk.evil
one data 1 liars.evil
one data 1 case.evil
one data 1 late.evil
one data 1 noedns.evil
one data 1 edrop.evil
one data 20 big.evil
is "$(grep -o '300 IN MX' "$T/json" | wc -l | tr -d ' ')" 61 \
    "big: all 61 records"
like "$(grep big.evil "$T/log")" '^udp big.evil MX 0120
tcp big.evil MX 0120$' "big: first UDP, then TCP, with RD and AD"
one data 20 big-1000.evil

# A server of no use is left at once.
one tempfail 0 tconly.evil 'closed the TCP connection'
one tempfail 0 tctc.evil 'malformed answer'
one tempfail 0 tcpid.evil 'something else over TCP'
one tempfail 0 empty.evil 'malformed record'
one tempfail 0 short.evil 'malformed record'
one tempfail 0 long.evil 'malformed record'
one tempfail 0 loop.evil 'malformed record'
one tempfail 0 ownerloop.evil 'malformed record'
one tempfail 0 rrclass.evil 'another name'
one tempfail 0 owner.evil 'another name'
like "$(cat "$T/json")" '"answer":\[\]' "owner: and its answer is not shown"
one tempfail 0 lame.evil 'does not resolve'
one tempfail 0 rcode-2.evil 'SERVFAIL'
one tempfail 0 rcode-5.evil 'REFUSED'
one tempfail 0 rcode-1.evil 'FORMERR'
[ "$took" -lt 1000 ] && pass "without delay" || fail "without delay" "$took ms"

# Outcomes that are never confused.
one nxdomain 0 rcode-3.evil
one nodata 1 nodata.evil
one bogus 0 ede-6.evil 'extended error 6'
one bogus 0 ede-12.evil 'extended error 12'
one tempfail 0 ede-22.evil 'extended error 22'
one bogus 0 badsig.evil 'validation failed'
is "$(grep ' badsig.evil MX' "$T/log")" "udp badsig.evil MX 0120
udp badsig.evil MX 0130
udp badsig.evil MX 0120" "badsig: asked without validation, and once more"

# Aliases.
one data 1 inchain-3.evil
one data 1 inchain-8.evil
one tempfail 0 inchain-9.evil 'too many aliases'
one data 1 alias.evil
one nxdomain 0 aliasnx.evil
one tempfail 0 selfalias.evil 'too many aliases'
one tempfail 0 chain.evil 'too many aliases'
one tempfail 0 oddalias.evil 'no host name'

# More questions than descriptors: the others wait.
for i in $(seq 60); do
	echo "good.n$i.evil"
done >"$T/list"
(ulimit -n 24 && "$BIN/mx-check" -D -4jt 10 -r "$addr@$port" - <"$T/list" \
    >"$T/json" 2>"$T/stderr")
is "$(grep -c '"outcome":"data","secure"' "$T/json")" 60 "few descriptors"

# Records without fields, of every kind that is asked for.
printf 'x.evil MX 10 empty.a.evil\n' >"$T/zone"
python3 "$TOP/tests/peers/evildns.py" -c "$T/zone" >"$T/evil2" &
cleanup_pid $!
until_ok 10 test -s "$T/evil2"
read -r addr2 port2 <"$T/evil2"
"$BIN/mx-check" -D -r "$addr2@$port2" x.evil >"$T/out"
is "$?" 3 "A and AAAA without rdata: exit 3"
is "$(grep -c 'lookup-temp.*malformed record' "$T/out")" 2 "and two reasons"

# Several resolvers.
dead=$(free_port)
server=$addr@$dead
one tempfail 0 good.evil 'refused'
[ "$took" -lt 900 ] && pass "refused at once" || fail "refused" "$took ms"
server=$addr@$port

# FIRST SECOND NAME
ask_two()
{
	began=$(date +%s%N)
	"$BIN/mx-check" -D -4jt 5 -r "$1" -r "$2" "$3" >"$T/json"
	took=$((($(date +%s%N) - began) / 1000000))
	got=$(sed 's/.*"outcome":"\([a-z]*\)","secure.*/\1/' "$T/json")
}

ask_two "$addr@$dead" "$addr@$port" good.evil
is "$got" data "the first refuses, the second answers"
[ "$took" -lt 900 ] && pass "without delay" || fail "without delay" "$took ms"
printf 'x.example MX 10 a.example\n' >"$T/zone3"
printf 'x.example @2 -\n' >"$T/zone4"
python3 "$TOP/tests/peers/evildns.py" -c "$T/zone3" >"$T/evil3" &
cleanup_pid $!
python3 "$TOP/tests/peers/evildns.py" -c "$T/zone4" >"$T/evil4" &
cleanup_pid $!
until_ok 10 test -s "$T/evil3"
until_ok 10 test -s "$T/evil4"
read -r addr3 port3 <"$T/evil3"
read -r addr4 port4 <"$T/evil4"
ask_two "$addr4@$port4" "$addr3@$port3" x.example
is "$got" data "SERVFAIL of the first, an answer of the second"
ask_two "$addr4@$port4" "$addr4@$port4" x.example
is "$got" tempfail "SERVFAIL of both"

# Nothing that a terminal obeys comes through, nor is it looked up.
"$BIN/mx-check" -D -r "$addr@$port" escapes.evil >"$T/out"
is "$?" 2 "escapes: exit 2"
is "$(LC_ALL=C tr -d '\11\12\40-\176' <"$T/out" | wc -c | tr -d ' ')" 0 \
    "escapes: plain text only"
like "$(cat "$T/out")" '^escapes.evil. 300 IN MX 10 .027.2Jx.evil.$' \
    "escapes: as dig shows them"
is "$(grep -c '	mx-name	' "$T/out")" 3 "escapes: none is a host name"
is "$(grep -c 'esc.dot\|2[jJ]x\|"d.evil' "$T/log")" 0 \
    "escapes: and none was asked for"

done_testing
