# SPDX-License-Identifier: ISC
# Who has only the output of mx-check mends a zone with it: each of these is
# broken in another way, the first finding on the screen says so, and what -s
# prints, pasted into the zone file, is what a server loads and mx-check likes.
. "$(dirname "$0")/../tap.sh"
need openssl ldns-read-zone script
if [ -z "${NAMES:-}" ]; then
	need_pkg nsd_root nsd
	need_pkg unbound_root unbound
	export nsd_root unbound_root
fi
. "$TOP/tests/names.sh"

# NAME SERIAL: a zone, with the lines on standard input
zone()
{
	cat >"$T/$1.test" <<END
\$ORIGIN $1.test.
\$TTL 3600
@ SOA ns1.test. root.test. $2 3600 900 604800 300
@ NS ns1.test.
@ NS ns2.test.
mail A 8.8.4.4
mail AAAA 2a00::1
$(cat -)
END
	echo "$1" >>"$T/zones"
}
sane="@ MX 10 mail
@ MX 20 mx2.backup.test."
echo '@ MX 10 mail' | zone absent 1
printf '@ MX 10 mx2.backup.test.\n@ MX 20 mail\n' | zone best 1
printf '@ MX 10 mx2.backup.test.\n@ MX 10 mail\n' | zone equal 1
printf '@ MX 10 mail\n@ MX 20 mx2.backup.test\n' | zone dotless 1
printf '@ MX 10 mail.dotted.test\n@ MX 20 mx2.backup.test.\n' | zone dotted 1
printf '@ MX 10 smtp\n@ MX 20 mx2.backup.test.\nsmtp CNAME mail\n' |
    zone alias 1
printf '@ MX 10 8.8.4.4\n@ MX 20 mx2.backup.test.\n' | zone number 1
printf '@ MX 5 9.8.7.6.\n@ MX 20 mx2.backup.test.\n' | zone number2 1
printf '@ A 8.8.4.4\n@ AAAA 2a00::1\n' | zone implicit 1
printf '@ MX 0 .\n@ MX 10 mail\n@ MX 20 mx2.backup.test.\n' | zone null 1
printf '@ MX 10 mail\n@ MX 20 mx2.backup.test.\n@ MX 10 mx2.backup.test.\n' |
    zone twice 1
printf '@ 259200 MX 10 mx2.backup.test.\n@ 259200 MX 20 mail\n' | zone slow 1
zone odd 1 <<'END'
@ MX 10 mail
@ MX 65535 mx2.backup.test.
@ MX 65535 ns1.test.
@ MX 9 a\032b\;c
END
printf '@ MX 10 mial\n@ MX 20 mx2.backup.test.\n' | zone lost 1
printf '@ MX 10 mx2.backup.test.\n' | zone alone 1
printf '%s\n_mta-sts TXT "v=STSv1; id=1;"\n' "$sane" | zone sts 1
echo '@ MX 10 mail' | zone own 1

served()
{
	"$BIN/mx-check" -D -t 1 -r 127.0.0.1 own.test | grep -q '	ns-mx	'
}
serve()
{
	zones=$(cat "$T/zones")
	{
		echo "\$ORIGIN test."
		echo "\$TTL 3600"
		echo "@ SOA ns1 root 1 3600 900 604800 300"
		for i in @ $zones; do
			echo "$i NS ns1"
			echo "$i NS ns2"
		done
		echo "ns1 A 9.9.1.1"
		echo "ns2 A 9.8.1.1"
		echo "backup NS ns2"
	} >"$T/test"
	cat >"$T/backup" <<'END'
$ORIGIN backup.test.
$TTL 3600
@ SOA ns2.test. root.test. 1 3600 900 604800 300
@ NS ns2.test.
mx2 A 8.8.8.8
mx2 AAAA 2a02::2
END
	all=test:test
	for i in $zones; do
		all="$all $i.test:$i.test"
	done
	# shellcheck disable=SC2086
	names_nsd 9.9.1.1 $all
	# shellcheck disable=SC2086
	names_nsd 9.8.1.1 $all backup.test:backup
	names_unbound 'module-config: "iterator"' <<-'END'
	test 9.9.1.1 9.8.1.1
	END
	ok "the zones are served" until_ok 10 served ||
	    diag_file "$T/9.9.1.1/log"
}
policy='version: STSv1
mode: enforce
max_age: 604800
mx: mail.sts.test'
printf '%s\n' "$policy" >"$T/policy"
printf '%s\nmx: mx2.backup.test\n' "$policy" >"$T/policy.new"
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes \
    -keyout "$T/key.pem" -out "$T/cert.pem" -subj /CN=mx2.own.test -days 2 \
    2>"$T/err" || diag_file "$T/err"
mkconf "self 8.6.1.1" "self 2a06::1" "tls-certificate $T/cert.pem" \
    "tls-key $T/key.pem" "resolver 127.0.0.1"
sed -i 's/^hostname .*/hostname mx2.own.test/' "$CONF/mxkeep.conf"

# The options that go with a zone, in $@ of a function
options()
{
	case $1 in
	sts) echo "-b mx2.backup.test -P $T/policy" ;;
	own) echo "-C $CONF" ;;
	*) echo "-b mx2.backup.test" ;;
	esac
}

# ZONE FINDING: the first on the screen is this; -s prints what is mended
mend()
{
	zone=$1
	NO_COLOR=1 TERM=vt100 script -qec "stty cols 80; exec $BIN/mx-check -D -r 127.0.0.1 \
	    $(options "$zone") $zone.test" /dev/null </dev/null 2>&1 |
	    tr -d '\r' >"$T/tty"
	is "$(grep -m 1 -E '^(fail|warn) ' "$T/tty")" "$2" \
	    "$zone: the first finding"
	shift 2
	for like; do
		like "$(cat "$T/tty")" "$like" "$zone: $like"
	done
	# shellcheck disable=SC2046
	"$BIN/mx-check" -D -s -r 127.0.0.1 $(options "$zone") "$zone.test" \
	    >"$T/$zone.plan"
	is "$(grep -v '^;' "$T/$zone.plan" | grep -c -v '	IN	')" 0 \
	    "$zone: -s prints comments and records"
	# In the place of the set there is, as it says.
	{
		if grep -q 'the whole MX set' "$T/$zone.plan"; then
			grep -v '^@.* MX ' "$T/$zone.test"
		else
			cat "$T/$zone.test"
		fi | sed "s/ 1 3600 / 2 3600 /; $(
		    grep -q 'the TXT record there is' "$T/$zone.plan" &&
		    echo /^_mta-sts/d)"
		cat "$T/$zone.plan"
	} >"$T/$zone.new"
	ok "$zone: nsd likes the zone file" \
	    "$nsd_root/usr/sbin/nsd-checkzone" "$zone.test" "$T/$zone.new"
	not_ok "$zone: without a word" grep -E 'warn|error' "$T/.out" "$T/.err"
	ok "$zone: so does ldns" ldns-read-zone "$T/$zone.new"
	mv "$T/$zone.new" "$T/$zone.test"
}
# ZONE WANT: what is left to be said
mended()
{
	# shellcheck disable=SC2046
	check $(options "$1") -q "$1.test"
	is "$(cut -f 1,3,4 "$T/stdout" | tr '\t' ' ')" "$2" "$1: mended"
}

serve
mend absent 'fail  backup-listed: mx2.backup.test' \
    '"absent\.test\. MX 20 mx2\.backup\.test\."'
mend best 'fail  backup-best: mx2.backup.test' \
    '"best\.test\. MX 30 mx2\.backup\.test\."'
mend equal 'fail  backup-equal: mx2.backup.test' \
    '"equal\.test\. MX 20 mx2\.backup\.test\."'
mend dotless 'fail  mx-dot: mx2.backup.test.dotless.test' \
    'write "mx2\.backup\.test\.", with the dot'
mend dotted 'fail  mx-dot: mail.dotted.test.dotted.test' \
    'write "mail\.dotted\.test\.", with the dot'
mend alias 'fail  mx-alias: smtp.alias.test' \
    '"alias\.test\. MX 10 mail\.alias\.test\."'
mend number 'fail  mx-literal: 8.8.4.4.number.test' \
    '"mail\.number\.test\. A 8\.8\.4\.4"' \
    '"number\.test\. MX 10 mail\.number\.test\."'
mend number2 'fail  mx-literal: 9.8.7.6' 'MX 5 mail\.number2\.test\.'
like "$(cat "$T/number2.plan")" 'has another address already' \
    "number2: is that what is meant?"
mend implicit 'fail  backup-listed: mx2.backup.test' \
    '"implicit\.test\. MX 10 implicit\.test\."' \
    '"implicit\.test\. MX 20 mx2\.backup\.test\."'
mend null 'fail  null-mx-mixed: null.test' '"null\.test\. MX 0 \."'
mend twice 'fail  backup-equal: mx2.backup.test'
mend slow 'fail  backup-best: mx2.backup.test'
like "$(cat "$T/slow.plan")" '^; first, 73 hours before the rest.*
;   slow\.test\.	300	IN	MX	' "slow: a step before"
mend odd 'fail  mx-name: a\032b\;c.odd.test'
mend lost 'fail  mx-address: mial.lost.test' 'misspelt, mend the MX record'
like "$(cat "$T/lost.plan")" '^; mial\.lost\.test has no address' \
    "lost: what only its owner knows"
mend alone 'fail  backup-alone: mx2.backup.test' '"alone\.test\. MX 5 primary'
like "$(cat "$T/alone.plan")" '^; the primary is missing' "alone: who knows?"
mend sts 'fail  sts-cover: mx2.backup.test' 'Add "mx: mx2\.backup\.test" to' \
    '_mta-sts\.sts\.test'
mend own 'fail  backup-listed: mx2.own.test' 'mx-check -s -C /'
like "$(cat "$T/own.plan")" '^; once that zone is signed.*
;   _25._tcp.mx2.own.test.	3600	IN	TLSA	3 1 1 ' \
    "own: a record that nobody would heed"

for i in 1 2 3; do
	stop "$(tail -n "$i" "$T/.pids" | head -n 1)"
done
mv "$T/policy.new" "$T/policy"
serve
for i in absent best equal dotless dotted alias number implicit null twice \
    slow odd sts own; do
	mended "$i" ""
done
mended lost 'fail mx-address mial.lost.test
fail backup-primary mial.lost.test'
mended alone 'fail backup-alone mx2.backup.test'

done_testing
