# SPDX-License-Identifier: ISC
# What protects the way: DNSSEC, TLSA, MTA-STS, TLS reports.
. "$(dirname "$0")/../tap.sh"
. "$TOP/tests/names.sh"

hash=$(printf 'ab%.0s' $(seq 32))
names_serve <<END
mx1.example A 8.8.4.4
mx1.example AAAA 2a00::1
_25._tcp.mx1.example TLSA 030101$hash
plain.example A 8.8.4.5
plain.example AAAA 2a00::5
odd.example A 8.8.4.6
odd.example AAAA 2a00::6
_25._tcp.odd.example TLSA 010101$hash
_25._tcp.odd.example TLSA 0301010203
unsigned.example A 8.8.4.7
unsigned.example AAAA 2a00::7
_25._tcp.unsigned.example TLSA 030101$hash
_25._tcp.unsigned.example @noad
broken.example A 8.8.4.8
broken.example AAAA 2a00::8
_25._tcp.broken.example @2
mx3.example A 8.7.4.5
mx3.example AAAA 2a05::5
_25._tcp.mx3.example TLSA 030101$hash
good.example MX 10 mx1.example
good.example MX 20 mx3.example
_mta-sts.good.example TXT v=STSv1; id=20260101;
_smtp._tls.good.example TXT v=TLSRPTv1; rua=mailto:tls@good.example
half.example MX 10 mx1.example
half.example MX 20 mx2.backup.test
odds.example MX 10 odd.example
nosig.example MX 10 unsigned.example
noroot.example NS ns1.example
noroot.example NS ns2.example
noroot.example SOA 1
noroot.example MX 10 mx.noroot.example
mx.noroot.example A 8.8.4.9
mx.noroot.example AAAA 2a00::9
_25._tcp.mx.noroot.example TLSA 030101$hash
_25._tcp.mx.noroot.example @noad
noroot.example @noad
failing.example MX 10 broken.example
insecure.example MX 10 plain.example
insecure.example @noad
signed.example NS ns1.example
signed.example NS ns2.example
signed.example SOA 1
signed.example DS 00010d02$hash
signed.example MX 10 plain.example
signed.example @noad
twice.example MX 10 plain.example
_mta-sts.twice.example TXT v=STSv1; id=1;
_mta-sts.twice.example TXT v=STSv1; id=2;
_smtp._tls.twice.example TXT v=TLSRPTv1; rua=mailto:a@b.example
_smtp._tls.twice.example TXT v=TLSRPTv1; rua=mailto:c@d.example
noid.example MX 10 plain.example
_mta-sts.noid.example TXT v=STSv1;
_smtp._tls.noid.example TXT v=TLSRPTv1; rua=ftp://x
none.example MX 10 plain.example
_mta-sts.none.example TXT v=spf1 -all
END

bad good.example 0
has good.example "ok dnssec good.example" "ok tlsa-cover mx1.example" \
    "ok sts-record _mta-sts.good.example" "ok sts-policy good.example" \
    "ok tlsrpt _smtp._tls.good.example"
says 'give it by -P' "the policy is to be given"
has insecure.example "ok dnssec insecure.example"
says 'Insecure: the zone is not signed' "insecure"
bad signed.example 0
has signed.example "ok dnssec signed.example"
says 'The zone is signed; whether as it should be' "signed, not validated"
has none.example "ok dnssec none.example"
not_ok "another TXT record is no MTA-STS" grep sts- "$T/stdout"

backup=mx2.backup.test
bad half.example 1 "warn tlsa-cover mx2.backup.test"
says 'certificate of the primary mx1.example' "whose are missing"
backup=
bad odds.example 1 "warn tlsa-cover odd.example"
bad nosig.example 1 "warn tlsa-cover unsigned.example"
bad noroot.example 1 "warn tlsa-cover mx.noroot.example"
says 'in a zone that is not signed, so nobody heeds it' "unsigned all over"
bad failing.example 3 "fail lookup-temp broken.example"
says 'The TLSA lookup failed' "which lookup"

bad twice.example 1 "warn sts-record _mta-sts.twice.example" \
    "warn tlsrpt _smtp._tls.twice.example"
bad noid.example 1 "warn sts-record _mta-sts.noid.example" \
    "warn tlsrpt _smtp._tls.noid.example"

# MODE MAX-AGE MX...
policy()
{
	printf 'version: STSv1\r\nmode: %s\r\nmax_age: %s\r\n' "$1" "$2"
	shift 2
	[ $# -eq 0 ] || printf 'mx: %s\r\n' "$@"
}

# WANT LINE...
with()
{
	want=$1
	shift
	check -b mx3.example -q -P - good.example <"$T/policy"
	is "$status" "$want" "policy: exit $want"
	is "$(cut -f 1,3,4 <"$T/stdout" | tr '\t' ' ')" \
	    "$(for line; do echo "$line"; done)" "policy: findings"
}

policy enforce 604800 mx1.example mx3.example >"$T/policy"
with 0
check -b mx3.example -P "$T/policy" good.example
is "$(awk -F'\t' '$3 == "sts-cover" { print $1, $4 }' "$T/stdout")" \
    "ok mx3.example" "a policy from a file covers the backup"
wanted="ok sts-cover mx3.example"
like "$(cut -f 1,3,4 <"$T/stdout" | tr '\t' ' ')" "^$wanted\$" "it says so"
policy enforce 604800 mx1.example >"$T/policy"
with 2 "fail sts-cover mx3.example"
says 'will never deliver to it. Add "mx: mx3.example"' "how to mend it"
policy testing 604800 mx1.example >"$T/policy"
with 1 "warn sts-cover mx3.example"
policy none 604800 >"$T/policy"
with 0
policy enforce 604800 '*.example' >"$T/policy"
with 0
policy enforce 604800 '*.good.example' mx1.example mx3.example >"$T/policy"
with 1 "warn sts-policy *.good.example"
policy enforce 3600 MX1.example mx3.EXAMPLE >"$T/policy"
with 1 "warn sts-policy good.example"
for broken in 'mode: enforce' 'version: STSv2' 'mx: 192.0.2.1' 'nonsense' \
    'max_age: week'; do
	{
		printf '%s\r\n' "$broken"
		policy enforce 604800 mx1.example mx3.example |
		    grep -v "^$(printf '%s' "$broken" | sed 's/:.*//')"
	} >"$T/policy"
	case $broken in
	mode*) with 0 ;;
	*) with 2 "fail sts-policy good.example" ;;
	esac
done
grep -v version "$T/policy" >"$T/p2" && mv "$T/p2" "$T/policy"
with 2 "fail sts-policy good.example"
says 'mend https://mta-sts.good.example/.well-known/mta-sts.txt' "and where"
policy enforce 604800 plain.example >"$T/policy"
check -q -P - none.example <"$T/policy"
is "$(cut -f 1,3,4 <"$T/stdout" | tr '\t' ' ')" \
    "warn sts-record none.example" "a policy that nobody asks for"

exits 64 "no policy" "$BIN/mx-check" -D -r 127.0.0.1 -P "$T/none" good.example
exits 64 "a policy of several" "$BIN/mx-check" -D -r 127.0.0.1 \
    -P "$T/policy" good.example none.example
exits 64 "both from standard input" "$BIN/mx-check" -D -r 127.0.0.1 -P - -

done_testing
