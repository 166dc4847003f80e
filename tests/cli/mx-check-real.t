# SPDX-License-Identifier: ISC
# Real servers: two nsd with signed zones, some of them broken, and unbound,
# which validates them; and mx-check, which validates them by itself.
. "$(dirname "$0")/../tap.sh"
need ldns-keygen ldns-signzone ldns-key2ds
if [ -z "${NAMES:-}" ]; then
	need_pkg nsd_root nsd
	need_pkg unbound_root unbound
	export nsd_root unbound_root
fi
. "$TOP/tests/names.sh"

# NAME SERVERS [SIGN-OPTION...]: signs it with further lines on standard input
zone()
{
	name=$1
	servers=$2
	shift 2
	cat - >"$T/more"
	{
		echo "\$ORIGIN $name."
		echo "\$TTL 300"
		echo "@ SOA ns.$name. root.$name. 1 3600 900 604800 300"
		for names_i in $servers; do
			echo "@ NS $names_i"
		done
		cat "$T/more"
	} >"$T/$name.zone"
	(
		cd "$T" &&
		key=$(ldns-keygen -r /dev/urandom -a ECDSAP256SHA256 -k \
		    "$name") &&
		ldns-signzone "$@" -f "$name.signed" "$name.zone" "$key" &&
		ldns-key2ds -n -2 "$key.key" >"$name.ds" &&
		cat "$key.key" >"$name.key"
	) || fail "sign $name"
}
both="ns1.test. ns2.test."
hosts()
{
	echo "@ MX 10 mx1"
	echo "@ MX 20 mx2.backup.test."
	echo "mx1 A 8.8.4.4"
	echo "mx1 AAAA 2a00::1"
	echo "bare A 8.8.4.5"
	echo "bare AAAA 2a00::5"
}
hosts | zone sound.test "$both"
hosts | zone nsec3.test "$both" -n
hosts | zone forged.test "$both"
sed -i 's/\(IN[[:space:]]*MX[[:space:]]*\)10 /\111 /' "$T/forged.test.signed"
hosts | zone expired.test "$both" -i 20200101000000 -e 20200201000000
hosts | zone wrongds.test "$both"
sed -i 's/ [0-9a-f]\{8\}/ 01234567/' "$T/wrongds.test.ds"
hosts | zone plain.test "$both"
hosts | zone lame.test "$both"
hosts | zone stale.test "$both"
hosts | zone split.test "$both"
{
	hosts
	echo "* MX 10 mx9"
	echo "* A 8.8.4.9"
	echo "* AAAA 2a00::9"
} | zone wild.test "$both"
zone caught.test "$both" <<'END'
@ MX 10 mx
* A 8.8.4.4
* AAAA 2a00::1
END
zone backup.test "ns2.test." <<'END'
mx2 A 8.8.8.8
mx2 AAAA 2a02::2
_25._tcp.mx2 TLSA 3 1 1 abababababababababababababababababababababababababababababababab
END
{
	echo "ns1 A 9.9.1.1"
	echo "ns2 A 9.8.1.1"
	for names_i in sound nsec3 forged expired wrongds plain lame stale \
	    split wild caught; do
		echo "$names_i NS ns1"
		echo "$names_i NS ns2"
	done
	echo "backup NS ns2"
	cat "$T"/sound.test.ds "$T"/nsec3.test.ds "$T"/forged.test.ds \
	    "$T"/expired.test.ds "$T"/wrongds.test.ds "$T"/backup.test.ds \
	    "$T"/wild.test.ds
} | zone test "$both" -n -p

all="test:test.signed sound.test:sound.test.signed nsec3.test:nsec3.test.signed
    forged.test:forged.test.signed expired.test:expired.test.signed
    wrongds.test:wrongds.test.signed plain.test:plain.test.zone
    wild.test:wild.test.signed caught.test:caught.test.zone"
sed 's/\(SOA.*\) 1 3600/\1 2 3600/' "$T/stale.test.zone" >"$T/stale2.zone"
sed 's/MX 20/MX 30/' "$T/split.test.zone" >"$T/split2.zone"
# shellcheck disable=SC2086
names_nsd 9.9.1.1 $all lame.test:lame.test.zone stale.test:stale.test.zone \
    split.test:split.test.zone
# shellcheck disable=SC2086
names_nsd 9.8.1.1 $all backup.test:backup.test.signed stale.test:stale2.zone \
    split.test:split2.zone
names_unbound "trust-anchor-file: \"$T/test.key\"" \
    'module-config: "validator iterator"' "ede: yes" <<'END'
test 9.9.1.1 9.8.1.1
END
until_ok 10 "$BIN/mx-check" -D -t 1 -r 127.0.0.1 -q sound.test ||
    { check sound.test; diag_file "$T/stdout"; }

bad sound.test 0
has sound.test "ok dnssec sound.test" "ok ns-answer sound.test" \
    "ok ns-tcp sound.test" "ok ns-edns sound.test" "ok ns-serial sound.test" \
    "ok ns-mx sound.test" "ok ns-view sound.test" "ok ns-parent sound.test" \
    "ok tlsa-cover mx2.backup.test"
bad forged.test 2 "fail lookup-bogus forged.test"
says 'extended error 6 .bogus.' "and why"
bad expired.test 2 "fail lookup-bogus expired.test"
says 'extended error [0-9]' "and why"
has plain.test "ok dnssec plain.test"
says 'Insecure: the zone is not signed' "insecure"
# What a resolver makes of it is a matter of luck.
has lame.test "fail ns-lame ns2.test"
bad stale.test 1 "warn ns-serial stale.test"
has split.test "fail ns-mx split.test"
says 'has the MX record [23]0 mx2.backup.test, and' "which"
bad wild.test 1 "warn wildcard-mx wild.test"
has wild.test "ok dnssec wild.test"
bad caught.test 1 "warn wildcard-address mx.caught.test"

# By ourselves, by a resolver that does not validate: an nsd is none, so by
# unbound, which gives us what it refuses to others.
own()
{
	check -k "$T/test.key" -q "$1"
	is "$(awk -F'\t' '$3 == "dnssec-own" { print $1, $3, $4 }' \
	    "$T/stdout")" "$2" "-S: $1"
}
check -k "$T/test.key" sound.test
is "$status" 0 "-S: exit 0"
is "$(grep dnssec-own "$T/stdout" | cut -f 1,3,4 | tr '\t' ' ')" \
    "ok dnssec-own sound.test" "-S: secure"
check -k "$T/test.key" nsec3.test
like "$(grep dnssec-own "$T/stdout")" '^ok.*Secure' "-S: NSEC3"
check -k "$T/test.key" plain.test
like "$(grep dnssec-own "$T/stdout" | head -n 1)" '^ok.*Insecure.*plain.test' \
    "-S: insecure"
for name in bare none; do
	for zone in sound nsec3; do
		check -k "$T/test.key" "$name.$zone.test"
		[ "$name" = none ] ||
		    like "$(grep dnssec-own "$T/stdout" | head -n 1)" \
		    '^ok.*Secure' "-S: $name.$zone.test: no MX"
		not_ok "-S: $name.$zone.test: proven" \
		    grep '^fail.*dnssec-own' "$T/stdout"
	done
done
check -k "$T/test.key" any.wild.test
like "$(grep dnssec-own "$T/stdout" | head -n 1)" '^ok.*any.*Secure' \
    "-S: from a wildcard"
own forged.test "fail dnssec-own forged.test"
says 'Bogus: answer of forged.test' "and why"
own expired.test "fail dnssec-own expired.test"
says 'xpired' "and why"
own wrongds.test "fail dnssec-own wrongds.test"
says 'none has the digest' "and why"
check -k "$T/sound.test.key" forged.test
like "$(grep dnssec-own "$T/stdout" | head -n 1)" 'no anchor' \
    "-S: another anchor"
cp "$T/sound.test.ds" "$T/ds"
check -k "$T/ds" sound.test
like "$(grep dnssec-own "$T/stdout")" '^ok.*Secure' "-k: a DS record"
check -S sound.test
like "$(grep dnssec-own "$T/stdout" | head -n 1)" '^fail.*Not verified: no DNSKEY' \
    "-S: there is no root here"
is "$status" 3 "which proves nothing"
exits 64 "-k: no anchor" "$BIN/mx-check" -D -k "$T/sound.test.zone" sound.test

done_testing
