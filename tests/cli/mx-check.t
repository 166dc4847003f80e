# SPDX-License-Identifier: ISC
# What mx-check says of good and bad MX sets, and in which form.
. "$(dirname "$0")/../tap.sh"
need python3

cat >"$T/zone" <<'END'
two.example MX 20 mx2.backup.test
two.example MX 10 mx1.two.example
mx1.two.example A 8.8.4.4
mx1.two.example AAAA 2a00::1
mx2.backup.test A 8.8.8.8
cn.example CNAME two.example
cngone.example CNAME none.example
implicit.example A 8.8.4.4
null.example MX 0 .
nullmix.example MX 0 .
nullmix.example MX 10 mx1.two.example
cname.example MX 10 www.two.example
cname.example MX 20 mx2.backup.test
www.two.example CNAME mx1.two.example
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
END
python3 "$TOP/tests/peers/evildns.py" -c "$T/zone" -l "$T/log" >"$T/evil" &
cleanup_pid $!
until_ok 10 test -s "$T/evil"
read -r addr port <"$T/evil"
resolver=$addr@$port

check()
{
	"$BIN/mx-check" -r "$resolver" "$@" >"$T/stdout" 2>"$T/stderr"
	status=$?
}

# The whole output, once.
check -b mx2.backup.test two.example
is "$status" 0 "two.example: exit 0"
is "$(cat "$T/stdout")" "two.example. 300 IN MX 20 mx2.backup.test.
two.example. 300 IN MX 10 mx1.two.example.
try	two.example	10	mx1.two.example	2a00::1 8.8.4.4
try	two.example	20	mx2.backup.test	8.8.8.8
ok	two.example	mx-records	two.example	There are 2 MX records.
ok	two.example	mx-address	mx1.two.example	The host has 2 addresses.
ok	two.example	mx-address	mx2.backup.test	The host has 1 address.
ok	two.example	backup-listed	mx2.backup.test	1 host is better than the backup." \
    "two.example: answer, order, findings"
is "$(cat "$T/stderr")" "" "nothing on standard error"

# DOMAIN STATUS "LEVEL CHECK SUBJECT" ... of what is not ok
bad()
{
	name=$1
	want=$2
	shift 2
	check ${backup:+-b "$backup"} -q "$name"
	is "$status" "$want" "$name: exit $want"
	is "$(cut -f 1,3,4 <"$T/stdout" | tr '\t' ' ')" \
	    "$(for line; do echo "$line"; done)" "$name: findings"
	not_ok "$name: nothing else" grep -v "^[a-z]*	$name	" "$T/stdout"
}

backup=
bad two.example 0
bad cn.example 0
bad implicit.example 1 "warn implicit-mx implicit.example"
bad null.example 1 "warn null-mx null.example"
bad nullmix.example 2 "fail null-mx-mixed nullmix.example"
bad cname.example 2 "fail mx-alias www.two.example"
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
bad rcode-2.example 3 "fail lookup-temp rcode-2.example"
bad ede-6.example 2 "fail lookup-bogus ede-6.example"
bad nobody@two.example 2 "fail domain-name nobody@two.example"
bad big-21.example 2 "warn mx-many big-21.example" \
    "$(for i in $(seq 0 19); do
	echo "fail mx-address mx$i.a-rather-long-name.evil"; done)"
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
like "$(cat "$T/stdout")" '^try	two.example	20	mx2.backup.test	-$' \
    "-6: the other has none"
is "$status" 2 "-6: and that is wrong"

# Many domains, in the order given, with comments, by standard input.
{
	echo "# ours"
	echo "two.example  # the first"
	printf '\n\tBÜCHER.example \r\n'
	for i in $(seq 150); do
		echo "n$i.example"
	done
} >"$T/list"
: >"$T/log"
"$BIN/mx-check" -r "$resolver" - <"$T/list" >"$T/stdout" 2>"$T/stderr"
is "$?" 2 "a list: exit status"
{
	echo two.example
	echo xn--bcher-kva.example
	for i in $(seq 150); do
		echo "n$i.example"
	done
} >"$T/want"
cut -f 2 <"$T/stdout" | grep -v ' IN ' | uniq >"$T/got"
same "$T/got" "$T/want" "a list: in the order given"
is "$(grep -c 'mx1.two.example A ' "$T/log")" 1 \
    "a host of two domains is asked for once"

# JSON.
check -j -b mx2.backup.test two.example implicit.example escapes.example \
    none.example
ok "JSON: parses, and the keys are there" python3 - "$T/stdout" <<'END'
import json, sys
o = [json.loads(line) for line in open(sys.argv[1], encoding="utf-8")]
assert [x["status"] for x in o] == [0, 2, 2, 2]
assert [x["outcome"] for x in o] == ["data", "nodata", "data", "nxdomain"]
assert list(o[0]) == ["domain", "status", "outcome", "secure", "answer",
    "hosts", "findings"]
assert o[0]["secure"] is True
assert o[0]["answer"][1] == "two.example. 300 IN MX 10 mx1.two.example."
assert o[0]["hosts"] == [
    {"host": "mx1.two.example", "preference": 10, "backup": False,
     "outcome": "data", "addresses": ["2a00::1", "8.8.4.4"]},
    {"host": "mx2.backup.test", "preference": 20, "backup": True,
     "outcome": "data", "addresses": ["8.8.8.8"]}]
assert o[0]["findings"][0] == {"level": "ok", "check": "mx-records",
    "subject": "two.example", "text": "There are 2 MX records."}
assert o[1]["hosts"][0]["preference"] is None
assert o[2]["hosts"][0]["host"].startswith("\\027[2jx.")
END

# The configuration names the backup, its addresses and the resolver.
mkconf "self 8.8.8.9" "resolver $resolver"
mkdomain two.example
mkdomain .nat.example
ok "all configured domains" "$BIN/mx-check" -C "$CONF"
is "$("$BIN/mx-check" -C "$CONF" | awk -F'\t' '$3 == "backup-listed" {
    print $1, $2, $4 }')" "ok nat.example nat.two.example
ok two.example mx2.backup.test" "known by address and by name"
exits 2 "-b instead" "$BIN/mx-check" -C "$CONF" -b other.backup.test
echo "nonsense" >>"$CONF/mxkeep.conf"
exits 78 "a broken configuration" "$BIN/mx-check" -C "$CONF" two.example
exits 78 "none where one was named" "$BIN/mx-check" -C "$T/none" two.example

# Usage.
if [ -e /etc/mxkeep/mxkeep.conf ]; then
	skip "no domain" "this machine has a configuration"
else
	exits 64 "no domain" "$BIN/mx-check"
fi
exits 64 "a resolver by name" "$BIN/mx-check" -r localhost two.example
exits 64 "no time" "$BIN/mx-check" -t 0 two.example
exits 64 "-p is to come" "$BIN/mx-check" -p two.example
exits 64 "-b without a name" "$BIN/mx-check" -b 'a b' two.example
ok "-D and -v" "$BIN/mx-check" -Dv -r "$resolver" two.example
like "$(cat "$T/.out")" '^mx-check: 1 domain looked up in [0-9]+ ms$' \
    "-v says how long it took"
exits 3 "a full disk is noticed" sh -c "'$BIN/mx-check' -r '$resolver' \
    two.example >/dev/full"

# On a terminal the columns stand below each other.
if command -v script >/dev/null; then
	script -qec "$BIN/mx-check -r $resolver two.example" /dev/null \
	    </dev/null 2>&1 | tr -d '\r' >"$T/tty"
	like "$(cat "$T/tty")" \
	    '^try  two.example             10 mx1.two.example ' "aligned"
	unlike "$(cat "$T/tty")" '	' "no tabs"
else
	skip "aligned" "no script(1)"
fi

# Names of checks: the manual's and the program's.
sed -n 's/^	\[CHECK_[A-Z_]*\] = { "\(.*\)",.*/\1/p' "$TOP/lib/finding.c" |
    sort >"$T/program"
sed -n '/^\.Ss Checks/,/^\.Sh/s/^\.It Cm //p' "$TOP/man/mx-check.1" |
    sort >"$T/manual"
same "$T/program" "$T/manual" "the manual lists every check"
[ "$(wc -l <"$T/program")" -ge 20 ] && pass "of which there are many" ||
    fail "of which there are many"

done_testing
