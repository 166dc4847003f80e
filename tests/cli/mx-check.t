# SPDX-License-Identifier: ISC
# What mx-check says of good and bad MX sets, and in which form.
. "$(dirname "$0")/../tap.sh"
. "$TOP/tests/names.sh"

names_serve <<END
two.example MX 20 mx2.backup.test
two.example MX 10 mx1.two.example
mx1.two.example A 8.8.4.4
mx1.two.example AAAA 2a00::1
cn.example CNAME two.example
cngone.example CNAME none.example
implicit.example A 8.8.4.4
null.example MX 0 .
nullmix.example MX 0 .
nullmix.example MX 10 mx1.two.example
cname.example MX 10 www.two.example
cname.example MX 20 mx2.backup.test
www.two.example CNAME mx1.two.example
dangling.example MX 10 old.two.example
old.two.example CNAME none.two.example
literal.example MX 10 8.8.4.4
gone.example MX 10 none.two.example
noaddr.example MX 10 nodata.two.example
underscore.example MX 10 mx_1.two.example
mx_1.two.example A 8.8.4.4
twice.example MX 10 mx1.two.example
twice.example MX 20 mx1.two.example
twin.example MX 10 mx1.two.example
twin.example MX 20 mx3.two.example
mx3.two.example A 8.8.4.4
special.example MX 10 special.two.example
special.two.example A 192.168.1.1
special.two.example A 127.0.0.1
special.two.example AAAA fd00::1
special.two.example AAAA ::ffff:8.8.8.8
temp.example MX 10 rcode-2.two.example
bogus.example MX 10 ede-6.two.example
alone.example MX 10 mx2.backup.test
best.example MX 10 mx2.backup.test
best.example MX 20 mx1.two.example
equal.example MX 10 mx2.backup.test
equal.example MX 10 mx1.two.example
backups.example MX 10 mx1.two.example
backups.example MX 20 mx2.backup.test
backups.example MX 20 mx4.two.example
mx4.two.example A 8.8.4.5
nat.example MX 10 mx1.two.example
nat.example MX 20 nat.two.example
nat.two.example A 8.8.8.9
xn--bcher-kva.example MX 10 mx1.two.example
$(for i in $(seq 24); do
	echo "dead$i.example @silent"
	echo "*.dead$i.example @silent"
done)
$(for i in $(seq 40); do
	echo "late$i.example @slow-500"
	echo "*.late$i.example @slow-500"
done)
tardy.example MX 10 mx1.two.example
9.8.1.1> tardy.example @slow-1500
9.8.1.1> tardy.example MX 10 mx1.two.example
_mta-sts.tardy.example @slow-1500
_mta-sts.tardy.example TXT v=STSv1; id=1;
END
resolver=127.0.0.1

# The whole output, once.
check -b mx2.backup.test two.example
is "$status" 0 "two.example: exit 0"
is "$(cat "$T/stdout")" "two.example. 300 IN MX 20 mx2.backup.test.
two.example. 300 IN MX 10 mx1.two.example.
try	two.example	10	mx1.two.example	2a00::1 8.8.4.4
try	two.example	20	mx2.backup.test	2a02::2 8.8.8.8
so	two.example	mail goes to mx1.two.example; if it does not answer, to mx2.backup.test
ok	two.example	mx-records	two.example	There are 2 MX records.
ok	two.example	mx-address	mx1.two.example	The host has the addresses 2a00::1, 8.8.4.4.
ok	two.example	mx-family	mx1.two.example	The host has IPv4 and IPv6.
ok	two.example	mx-address	mx2.backup.test	The host has the addresses 2a02::2, 8.8.8.8.
ok	two.example	mx-family	mx2.backup.test	The host has IPv4 and IPv6.
ok	two.example	backup-listed	mx2.backup.test	1 host is better than the backup.
ok	two.example	backup-apart	mx2.backup.test	It stands in another network than mx1.two.example.
ok	two.example	backup-names	mx2.backup.test	Its name and that of mx1.two.example have different name servers.
ok	two.example	ns-records	example	There are 2 name servers.
ok	two.example	ns-answer	example	All name servers answer, 2 addresses.
ok	two.example	ns-tcp	example	All answer over TCP, too.
ok	two.example	ns-edns	example	All know EDNS.
ok	two.example	ns-serial	example	All name servers have serial 7.
ok	two.example	ns-mx	two.example	All name servers have the same MX set.
ok	two.example	ns-view	two.example	The resolver has the MX set that the name servers have.
ok	two.example	ttl	two.example	The TTL of the MX set is 300 seconds.
ok	two.example	dnssec	two.example	Secure: the resolver has validated the MX set." \
    "two.example: answer, order, findings"
is "$(cat "$T/stderr")" "" "nothing on standard error"

backup=
bad two.example 0
bad cn.example 0
bad implicit.example 1 "warn implicit-mx implicit.example"
has null.example "ok null-mx null.example"
is "$status" 0 "null.example: exit 0"
bad nullmix.example 2 "fail null-mx-mixed nullmix.example"
bad cname.example 2 "fail mx-alias www.two.example"
bad dangling.example 2 "fail mx-alias old.two.example" \
    "fail mx-address old.two.example"
says 'alias .CNAME. of none.two.example, which does not exist: put a host' \
    "an alias of nothing is not to be put into the record"
bad literal.example 2 "fail mx-literal 8.8.4.4"
bad gone.example 2 "fail mx-address none.two.example"
bad noaddr.example 2 "fail mx-address nodata.two.example"
bad underscore.example 1 "warn mx-name mx_1.two.example"
bad twice.example 1 "warn mx-twice mx1.two.example"
bad twin.example 1 "warn address-twice mx3.two.example"
bad special.example 2 "fail address-special special.two.example" \
    "fail address-special special.two.example" \
    "fail address-special special.two.example" \
    "fail address-special special.two.example"
bad temp.example 3 "fail lookup-temp rcode-2.two.example" \
    "fail lookup-temp rcode-2.two.example"
bad bogus.example 2 "fail lookup-bogus ede-6.two.example" \
    "fail lookup-bogus ede-6.two.example"
bad none.example 2 "fail no-domain none.example"
bad cngone.example 2 "fail no-domain cngone.example"
like "$(cat "$T/stdout")" "alias of none.example, which does not exist" \
    "cngone.example: whose alias it is"
bad rcode-2.example 2 "fail lookup-temp rcode-2.example" \
    "fail ns-lame ns1.example" "fail ns-lame ns2.example"
bad ede-6.example 2 "fail lookup-bogus ede-6.example" \
    "fail ns-lame ns1.example" "fail ns-lame ns2.example"
check edesays-9.example
says 'SERVFAIL, extended error 9 .DNSKEY missing.. no key.\[2J for you: ' \
    "what the resolver says of it"
bad nobody@two.example 2 "fail domain-name nobody@two.example"
bad big-21.example 2 "warn mx-many big-21.example" \
    "$(for i in $(seq 0 19); do
	echo "fail mx-address mx$i.a-rather-long-name.evil"; done)" \
    "fail ns-lame ns1.example" "fail ns-lame ns2.example"
backup=MX2.backup.test.
bad two.example 0
bad backups.example 0
bad null.example 2 "fail null-mx null.example"
bad twin.example 2 "warn address-twice mx3.two.example" \
    "fail backup-listed mx2.backup.test"
bad implicit.example 2 "warn implicit-mx implicit.example" \
    "fail backup-listed mx2.backup.test"
bad alone.example 2 "fail backup-alone mx2.backup.test"
bad best.example 2 "fail backup-best mx2.backup.test"
bad equal.example 2 "fail backup-equal mx2.backup.test"

# The worst of all; what failed for now is not as bad as what is proven.
check -q two.example temp.example underscore.example
is "$status" 3 "unknown is worse than a warning"
check -q temp.example literal.example two.example
is "$status" 2 "critical is worse than unknown"

# Families.
check -4 two.example
like "$(cat "$T/stdout")" '^try	two.example	10	mx1.two.example	8.8.4.4$' \
    "-4: IPv4 alone"
check -6 two.example
like "$(cat "$T/stdout")" '^try	two.example	20	mx2.backup.test	2a02::2$' \
    "-6: IPv6 alone"
is "$status" 0 "-6: name servers without it are not at fault"

# Many domains, in the order given, with comments, by standard input.
{
	echo "# ours"
	echo "two.example  # the first"
	printf '\n\tBÜCHER.example \r\n#\n'
	echo " two.example.	TWO.example"
	for i in $(seq 150); do
		echo "n$i.example"
	done
} >"$T/list"
: >"$T/log"
"$BIN/mx-check" -D -r "$resolver" - <"$T/list" >"$T/stdout" 2>"$T/stderr"
is "$?" 2 "a list: exit status"
{
	echo two.example
	echo xn--bcher-kva.example
	echo two.example
	for i in $(seq 150); do
		echo "n$i.example"
	done
} >"$T/want"
cut -f 2 <"$T/stdout" | grep -v ' IN ' | uniq >"$T/got"
same "$T/got" "$T/want" "a list: in the order given"
: >"$T/log"
check two.example xn--bcher-kva.example
is "$(grep -c 'mx1.two.example A ' "$T/log")" 1 \
    "a host of two domains is asked for once"

# One that breaks, or stops, is not proven to be anything; the others are.
# SIGNAL SECONDS NAME...
hurt()
{
	signal=$1
	seconds=$2
	shift 2
	"$BIN/mx-check" -D -J 1 -t "$seconds" -r "$resolver" "$@" \
	    >"$T/stdout" 2>"$T/stderr" &
	parent=$!
	cleanup_pid "$parent"
	until_ok 5 sh -c "ps -o pid= --ppid $parent | grep -q ."
	kill -"$signal" $(ps -o pid= --ppid "$parent")
	wait "$parent"
	status=$?
}
line="fail unfinished silent.example"
hurt ABRT 9 silent.example two.example
is "$status" 3 "a child that breaks: exit 3"
is "$(sed -n 1p "$T/stdout" | cut -f 1,3,4 | tr '\t' ' ')" "$line" \
    "a child that breaks: says so"
says 'ended by a signal' "and why"
says '^try	two.example	10	mx1.two.example	' "the next is checked"
hurt STOP 1 silent.example
is "$(cut -f 1,3,4 <"$T/stdout" | tr '\t' ' ')" "$line" \
    "a child that stops: says so"
says 'out of time' "and why"

# Of two slow answers that do not depend on each other, neither waits.
began=$(date +%s%N)
"$BIN/mx-check" -D -r "$resolver" tardy.example >"$T/stdout"
took=$((($(date +%s%N) - began) / 1000000))
is "$? $(cut -f 1,3 "$T/stdout" | grep -c '^ok	\(sts-record\|ns-mx\)$')" "0 2" \
    "slow answers are waited for"
[ "$took" -ge 1500 ] && [ "$took" -lt 2700 ] && pass "together" ||
    fail "together" "$took ms"

# Those that are slow do not take the time of others, nor their turn: they ask
# more questions than are asked at once.
{
	echo silent.example
	for i in $(seq 24); do
		echo "dead$i.example"
	done
	head -n 32 "$T/list"
} >"$T/slow"
began=$(date +%s%N)
"$BIN/mx-check" -D -t 3 -r "$resolver" - <"$T/slow" >"$T/stdout"
took=$((($(date +%s%N) - began) / 1000000))
is "$(cut -f 2 <"$T/stdout" | grep -v ' IN ' | uniq | sed -n '1p;26p')" \
    "silent.example
two.example" "a slow domain comes in its turn"
is "$(awk -F'\t' '$1 == "fail" && $2 == "two.example"' "$T/stdout")" "" \
    "those beside it are looked at"
says '^try	two.example	20	mx2.backup.test	2a02::2 8.8.8.8$' "in full"
is "$(grep -c 'no-domain	n[0-9]*.example' "$T/stdout")" 26 "all of them"
[ "$took" -lt 4900 ] && pass "and takes no more than its time" ||
    fail "and takes no more than its time" "$took ms"

# Once a resolver is known to take its time, it is not asked twice.
for i in $(seq 40); do
	echo "late$i.example"
done >"$T/slow"
: >"$T/log"
"$BIN/mx-check" -D -r "$resolver" - <"$T/slow" >"$T/stdout"
is "$(grep -c 'implicit-mx	late' "$T/stdout")" 40 "a resolver that is slow"
all=$(grep 'late.*0120$' "$T/log" | sort -u | wc -l)
twice=$(grep 'late.*0120$' "$T/log" | sort | uniq -d | wc -l)
[ "$all" -gt 200 ] && [ "$twice" -lt $((all * 3 / 4)) ] &&
    pass "is not asked again for all" ||
    fail "is not asked again for all" "$twice of $all are"

# The line of a monitoring plugin.
check -p two.example
is "$status" 0 "-p: exit 0"
like "$(cat "$T/stdout")" '^MX OK - two.example: [0-9]+ findings, all ok\|domains=1;;;0 ok=[0-9]+;;;0 warn=0;0;;0 fail=0;;0;0 unknown=0;0;;0 time=0\.[0-9]{3}s;;10;0$' \
    "-p: one line"
check -p two.example underscore.example literal.example
is "$status" 2 "-p: the worst"
like "$(cat "$T/stdout")" '^MX CRITICAL - literal.example and 1 more of 3 domains: mx-literal 8.8.4.4: An address .*\|domains=3;;;0 ok=[0-9]+;;;0 warn=1;0;;0 fail=1;' \
    "-p: the finding to begin with"
is "$(wc -l <"$T/stdout" | tr -d ' ')" 1 "-p: one line of many domains"
check -p temp.example
like "$(cat "$T/stdout")" '^MX UNKNOWN - temp.example: lookup-temp ' \
    "-p: unknown"
is "$status" 3 "-p: unknown is 3"
check -p underscore.example
like "$(cat "$T/stdout")" '^MX WARNING - underscore.example: mx-name ' \
    "-p: a warning"
check -p - </dev/null
is "$status $(cut -d '|' -f 1 "$T/stdout")" "3 MX UNKNOWN - no domains" \
    "-p: who looks at nothing knows nothing"
check -p -C "$T/none" two.example
is "$status $(cut -d : -f 1 "$T/stdout")" "3 MX UNKNOWN - $T/none" \
    "-p: a bad configuration"
check -C "$T/none" two.example
is "$status" 78 "which is 78 without"
for opt in "-Z -p" "-p -t" "-J 0 -p" "-r name -p" "-k $T/none -p" "-b a|b -p" \
    "-p -j" "--rehearse -p"; do
	# shellcheck disable=SC2086
	check $opt two.example
	is "$status $(grep -c '^MX UNKNOWN - [^|]*$' "$T/stdout")" "3 1" \
	    "$opt: unknown"
	is "$(wc -l <"$T/stdout" | tr -d ' ') $(cat "$T/stderr")" "1 " \
	    "$opt: and nothing else"
done
check -p -J 1 two.example two.example two.example
like "$(cat "$T/stdout")" ' time=[0-9.]*s;;30;0$' "-p: the time for all rounds"

# A name that seems to end early.
printf 'two.example\000x\n' | "$BIN/mx-check" -D -r "$resolver" - >"$T/stdout"
is "$(cut -f 1,3,4 "$T/stdout")" \
    "$(printf 'fail\tdomain-name\ttwo.example\\177x')" "a NUL in a name"

if [ -w /dev/full ]; then
	for opt in -h -D -j -p; do
		"$BIN/mx-check" $opt -D -r "$resolver" two.example \
		    >/dev/full 2>"$T/stderr"
		is "$? $(cut -d : -f 1-2 "$T/stderr")" \
		    "3 mx-check: standard output" "$opt: nowhere to write"
	done
	: >"$T/log"
	"$BIN/mx-check" -D -J 1 -r "$resolver" big-21.example implicit.example \
	    >/dev/full 2>"$T/stderr"
	is "$? $(grep -c ' implicit.example' "$T/log")" "3 0" \
	    "nor any use in going on"
fi

# Help is a screen.
ok "-h" "$BIN/mx-check" -h
[ "$(wc -l <"$T/.out")" -le 24 ] && pass "-h fits on a screen" ||
    fail "-h fits on a screen" "$(wc -l <"$T/.out")"

# JSON.
check -j -b mx2.backup.test two.example implicit.example escapes.example \
    none.example
ok "JSON: parses, and the keys are there" python3 - "$T/stdout" <<'END'
import json, sys
o = [json.loads(line) for line in open(sys.argv[1], encoding="utf-8")]
assert [x["status"] for x in o] == [0, 2, 2, 2]
assert [x["outcome"] for x in o] == ["data", "nodata", "data", "nxdomain"]
assert list(o[0]) == ["domain", "status", "outcome", "secure", "answer",
    "means", "hosts", "findings"]
assert o[0]["means"].startswith("mail goes to mx1.two.example; if ")
assert o[3]["means"] is None
assert o[0]["secure"] is True
assert o[0]["answer"][1] == "two.example. 300 IN MX 10 mx1.two.example."
assert o[0]["hosts"] == [
    {"host": "mx1.two.example", "preference": 10, "backup": False,
     "outcome": "data", "addresses": ["2a00::1", "8.8.4.4"]},
    {"host": "mx2.backup.test", "preference": 20, "backup": True,
     "outcome": "data", "addresses": ["2a02::2", "8.8.8.8"]}]
assert o[0]["findings"][0] == {"level": "ok", "check": "mx-records",
    "subject": "two.example", "text": "There are 2 MX records."}
assert o[1]["hosts"][0]["preference"] is None
assert o[2]["hosts"][0]["host"].startswith("\\027[2jx.")
END

# The configuration names the backup, its addresses and the resolver.
mkconf "self 8.8.8.9" "resolver $resolver"
mkdomain two.example
mkdomain .nat.example
ok "all configured domains" "$BIN/mx-check" -D -C "$CONF"
is "$("$BIN/mx-check" -D -C "$CONF" | awk -F'\t' '$3 == "backup-listed" {
    print $1, $2, $4 }')" "ok nat.example nat.two.example
ok two.example mx2.backup.test" "known by address and by name"
exits 2 "-b instead" "$BIN/mx-check" -D -C "$CONF" -b other.backup.test
echo "nonsense" >>"$CONF/mxkeep.conf"
exits 78 "a broken configuration" "$BIN/mx-check" -D -C "$CONF" two.example
exits 78 "none where one was named" "$BIN/mx-check" -D -C "$T/none" two.example

# Usage.
if [ -e /etc/mxkeep/mxkeep.conf ]; then
	skip "no domain" "this machine has a configuration"
else
	exits 64 "no domain" "$BIN/mx-check" -D
fi
exits 64 "a resolver by name" "$BIN/mx-check" -D -r localhost two.example
exits 64 "two forms of output" "$BIN/mx-check" -D -s -j -b mx2.backup.test \
    two.example
exits 64 "no time" "$BIN/mx-check" -D -t 0 two.example
exits 64 "-b without a name" "$BIN/mx-check" -D -b 'a b' two.example
exits 3 "a full disk is noticed" sh -c "'$BIN/mx-check' -D -r '$resolver' \
    two.example >/dev/full"

# For eyes: aligned, folded, faults first, what is ok only counted.
# ARG...: on a terminal of 80 columns
eyes()
{
	script -qec "stty cols 80; exec $BIN/mx-check -D -r $resolver $*" \
	    /dev/null </dev/null 2>&1 | tr -d '\r' >"$T/tty"
}
if command -v script >/dev/null; then
	TERM=vt100 eyes two.example
	like "$(cat "$T/tty")" \
	    '^try  two.example             10 mx1.two.example ' "aligned"
	unlike "$(cat "$T/tty")" '	' "no tabs"
	like "$(cat "$T/tty")" 'ok.*[0-9]+ findings \(-v shows them\)' \
	    "what is ok is counted"
	TERM=vt100 eyes -v two.example
	like "$(cat "$T/tty")" 'mx-address: mx1.two.example' "-v shows it"
	like "$(tail -n 1 "$T/tty")" '^next  -b NAME' "and what would tell more"
	TERM=vt100 NO_COLOR=1 eyes -b mx2.backup.test equal.example \
	    ede-6.example
	is "$(sed -n '/^fail  backup-equal/,/^      its/p' "$T/tty")" \
	    "fail  backup-equal: mx2.backup.test
      The backup has the lowest number (10) together with another host, so it
      gets a part of all mail and has nobody to hand it to: in the zone, change
      its record to \"equal.example. MX 20 mx2.backup.test.\"." \
	    "a record is not broken"
	is "$(sed -n '/^next/,/^$/p' "$T/tty")" \
	    "next  mx-check -s -b mx2.backup.test equal.example
      prints the lines for the zone file" "a command to copy, where it helps"
	is "$(grep -c '^ede-6.example:$' "$T/tty")" 1 "whose findings they are"
	TERM=vt100 NO_COLOR=1 eyes -q two.example literal.example
	is "$(sed -n '1,/^fail/p' "$T/tty")" "
literal.example:
fail  mx-literal: 8.8.4.4" "-q: only of those with a fault"
	TERM=vt100 NO_COLOR=1 eyes two.example twin.example literal.example
	unlike "$(cat "$T/tty")" "$(printf '\033')" "NO_COLOR"
	is "$(grep -c '.\{81\}' "$T/tty")" 0 "no line is too long"
	like "$(tail -n 3 "$T/tty")" \
	    '^CRITICAL +[1-9] +0 +0 +[0-9]+  literal.example
OK +1 other domain$' "a table of what is not well"
	TERM=dumb eyes literal.example
	unlike "$(cat "$T/tty")" "$(printf '\033')" "a dumb terminal"
	TERM=vt100 eyes literal.example
	like "$(cat "$T/tty")" "^$(printf '\033')\[31mfail" "colours"
else
	skip "on a terminal" "no script(1)"
fi

done_testing
