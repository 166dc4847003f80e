# SPDX-License-Identifier: ISC
# The lines of mx-check -s: what they say, that they are lines of a zone file,
# and that nothing is left to be said once they are in it.
. "$(dirname "$0")/../tap.sh"
need openssl ldns-read-zone
. "$TOP/tests/names.sh"

names_serve <<'END'
mx1.example A 8.8.4.4
mx1.example AAAA 2a00::1
mx3.example A 8.7.4.4
mx3.example AAAA 2a03::1
www.example CNAME mx1.example
absent.example MX 10 mx1.example
shown.example MX 10 mx1.example
shown.example MX 20 live.example
live.example A 9.6.6.6
good.example MX 10 mx1.example
good.example MX 20 mx2.backup.test
best.example MX 10 mx2.backup.test
best.example MX 20 mx1.example
equal.example MX 10 mx2.backup.test
equal.example MX 10 mx1.example
three.example MX 10 mx1.example
three.example MX 20 mx3.example
alone.example MX 10 mx2.backup.test
high.example MX 65530 mx1.example
high.example MX 65535 mx3.example
alias.example MX 10 www.example
implicit.example A 8.8.4.4
implicit.example AAAA 2a00::1
null.example MX 0 .
nullplus.example MX 0 .
nullplus.example MX 10 mx1.example
nullplus.example MX 20 mx2.backup.test
dotless.example NS ns1.example
dotless.example NS ns2.example
dotless.example SOA 1
dotless.example MX 10 mx1.example
dotless.example MX 20 mx2.backup.test.dotless.example
dotted.example NS ns1.example
dotted.example NS ns2.example
dotted.example SOA 1
dotted.example MX 10 mx1.example.dotted.example
dotted.example MX 20 mx2.backup.test
numbers.example MX 10 8.8.4.4
numbers.example MX 20 mx2.backup.test
relative.example NS ns1.example
relative.example NS ns2.example
relative.example SOA 1
relative.example MX 10 8.8.4.4.relative.example
relative.example MX 20 mx2.backup.test
twice.example MX 10 mx1.example
twice.example MX 20 mx2.backup.test
twice.example MX 30 mx2.backup.test
oddalias.example MX 10 oddalias.elsewhere.example
oddalias.example MX 20 mx2.backup.test
slow.example 86400 MX 10 mx1.example
END

# DOMAIN WANT NAME: its lines, without comments, one space between fields
plan()
{
	check -s -b mx2.backup.test "$1"
	is "$(grep -v '^;' "$T/stdout" | tr -s '\t ' '  ')" "$2" "$3"
}

plan absent.example "absent.example. 300 IN MX 10 mx1.example.
absent.example. 300 IN MX 20 mx2.backup.test." "absent: added"
is "$status" 0 "exit 0"
plan good.example "" "good: nothing"
says '; the MX set needs no change' "and says so"
plan best.example "best.example. 300 IN MX 20 mx1.example.
best.example. 300 IN MX 30 mx2.backup.test." "best: behind the primary"
plan equal.example "equal.example. 300 IN MX 10 mx1.example.
equal.example. 300 IN MX 20 mx2.backup.test." "equal: behind the primary"
plan three.example "three.example. 300 IN MX 10 mx1.example.
three.example. 300 IN MX 20 mx3.example.
three.example. 300 IN MX 30 mx2.backup.test." "three: behind them all"
plan alone.example "alone.example. 300 IN MX 20 mx2.backup.test." \
    "alone: as it is"
says '; the primary is missing: add a line for it, with a number below 20' \
    "alone: a primary is needed"
plan high.example "high.example. 300 IN MX 10 mx1.example.
high.example. 300 IN MX 20 mx3.example.
high.example. 300 IN MX 30 mx2.backup.test." "no number left: all anew"
plan alias.example "alias.example. 300 IN MX 10 mx1.example.
alias.example. 300 IN MX 20 mx2.backup.test." "an alias: its true name"
plan implicit.example \
    "implicit.example. 300 IN MX 10 implicit.example.
implicit.example. 300 IN MX 20 mx2.backup.test." "implicit: the domain itself"
plan null.example "null.example. 300 IN MX 20 mx2.backup.test." \
    "null: not that"
plan nullplus.example "nullplus.example. 300 IN MX 10 mx1.example.
nullplus.example. 300 IN MX 20 mx2.backup.test." "nor that beside others"
plan dotless.example "dotless.example. 300 IN MX 10 mx1.example.
dotless.example. 300 IN MX 20 mx2.backup.test." "the backup without a dot"
plan dotted.example "dotted.example. 300 IN MX 10 mx1.example.
dotted.example. 300 IN MX 20 mx2.backup.test." "the primary without a dot"
plan numbers.example "numbers.example. 300 IN MX 10 mail.numbers.example.
numbers.example. 300 IN MX 20 mx2.backup.test.
mail.numbers.example. 300 IN A 8.8.4.4" "an address: a name for it"
plan relative.example "relative.example. 300 IN MX 10 mail.relative.example.
relative.example. 300 IN MX 20 mx2.backup.test.
mail.relative.example. 300 IN A 8.8.4.4" "an address without a dot"
plan twice.example "twice.example. 300 IN MX 10 mx1.example.
twice.example. 300 IN MX 20 mx2.backup.test." "twice: once"
plan slow.example "slow.example. 300 IN MX 10 mx1.example.
slow.example. 300 IN MX 20 mx2.backup.test." "slow: the TTL first"
says '^; first, 25 hours before the rest' "and when"
says '^;   slow\.example\.	300	IN	MX	10 mx1\.example\.$' "which it is"
plan oddalias.example "" "an alias of no host: nothing new"
plan none.example "" "none: nothing"
is "$status" 3 "none: exit 3"
exits 64 "no backup" "$BIN/mx-check" -D -s -r 127.0.0.1 good.example

# This backup, of which the DNS knows nothing yet.
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes \
    -keyout "$T/key.pem" -out "$T/cert.pem" -subj /CN=mx9.new.test -days 2 \
    2>"$T/err" || diag_file "$T/err"
hash=$(openssl x509 -in "$T/cert.pem" -pubkey -noout |
    openssl pkey -pubin -outform DER | sha256sum | cut -d ' ' -f 1)
mkconf "self 8.6.1.1" "self 2a06::1" "self 10.0.0.1" \
    "tls-certificate $T/cert.pem" "tls-key $T/key.pem" "resolver 127.0.0.1"
sed -i 's/^hostname .*/hostname mx9.new.test/' "$CONF/mxkeep.conf"
"$BIN/mx-check" -D -s -C "$CONF" absent.example >"$T/stdout"
is "$(grep -v '^;' "$T/stdout" | tr -s '\t ' '  ')" \
    "absent.example. 300 IN MX 10 mx1.example.
absent.example. 300 IN MX 20 mx9.new.test.
mx9.new.test. 3600 IN A 8.6.1.1
mx9.new.test. 3600 IN AAAA 2a06::1
_25._tcp.mx9.new.test. 3600 IN TLSA 3 1 1 $hash" \
    "a new one: its addresses and key"
{
	echo 'absent.example. 300 IN SOA a. b. 1 2 3 4 5'
	cat "$T/stdout"
} >"$T/zonefile"
ok "a zone file" ldns-read-zone "$T/zonefile"
is "$(grep -c 'IN' "$T/.out")" 6 "with all of it"

# A backup elsewhere, by the key that it shows.
printf 'live %s/cert.pem %s/key.pem 9.6.6.6:25\n' "$T" "$T" >"$T/table"
python3 "$TOP/tests/peers/tlsmx.py" "$T/table" "$T" >"$T/tlsmx" 2>&1 &
peer=$!
until_ok 10 test -e "$T/ready" || diag_file "$T/tlsmx"
"$BIN/mx-check" -s -t 8 -r 127.0.0.1 -b live.example shown.example \
    >"$T/shown"
is "$(grep -v '^;' "$T/shown" | tr -s '\t ' '  ')" \
    "_25._tcp.live.example. 3600 IN TLSA 3 1 1 $hash" "the key that it shows"
stop "$peer"

# Once it is published there is nothing to say.
grep -v '^;' "$T/stdout" | tr '\t' ' ' | tr -s ' ' | sed 's/\. / /; s/\.$//' |
    sed 's/^\(.*\) 3600 IN TLSA 3 1 1 /\1 TLSA 030101/; s/ [0-9]* IN / /' |
    while read -r name rest; do
	echo "$name $rest"
    done >"$T/new"
cat >>"$T/new" <<'END'
mx1.example A 8.8.4.4
mx1.example AAAA 2a00::1
new.test NS ns1.example
new.test NS ns2.example
new.test SOA 1
END
stop "$(tail -n 1 "$T/.pids")"
rm "$T/evil"
names_serve <"$T/new"
"$BIN/mx-check" -D -s -C "$CONF" absent.example >"$T/stdout"
is "$(grep -v '^;' "$T/stdout")" "" "published: nothing more"
"$BIN/mx-check" -D -q -C "$CONF" absent.example >"$T/stdout"
is "$(cat "$T/stdout")" "" "and the check is well"

policy=$(printf 'version: STSv1\nmode: enforce\nmax_age: 604800\nmx: mx1.example')
printf '%s\n' "$policy" | "$BIN/mx-check" -D -s -C "$CONF" -P - \
    absent.example >"$T/stdout"
says '^; once the MTA-STS policy has the line "mx: mx9.new.test"$' "the policy"
says '^_mta-sts.absent.example.	300	IN	TXT	"v=STSv1; id=20[0-9]{12};"$' \
    "and its id"

done_testing
