# SPDX-License-Identifier: ISC
# mx-receive -n: what would be served, and what is wrong with it.
. "$(dirname "$0")/../tap.sh"
need openssl

mkdir "$T/else"
mkconf
mkdomain example.org
mkdomain .example.org 'recipients users' 'quota 1K|5' 'when-up defer'
mkdomain v.test 'recipients verify' 'unknown defer'
mkdomain out.test "recipients $T/else/list" 'quota 2000|7'
echo ann >"$CONF/users"
echo bob >"$T/else/list"
chmod 700 "$SPOOL"

rehearse()
{
	"$BIN/mx-receive" -C "$CONF" "$@" >"$T/out" 2>"$T/err" </dev/null
	status=$?
}

rehearse -n
is "$status" 0 "all is in order: exit 0"
is "$(cat "$T/err")" "" "and nothing is told of"
like "$(cat "$T/out")" '^hostname	mx2\.backup\.test$' "the name"
like "$(cat "$T/out")" '^certificate	none: no STARTTLS$' "no TLS"
like "$(cat "$T/out")" "^spool	$SPOOL\$" "the spool"
like "$(cat "$T/out")" '^sandbox	.' "the sandbox"
is "$(sed -n 's/^domain	//p' "$T/out")" \
    ".example.org, recipients $CONF/users, when-up defer, quota 1024 octets, 5 messages
example.org, recipients any, when-up accept, quota none
out.test, recipients $T/else/list, when-up accept, quota 2000 octets, 7 messages
v.test, recipients verify (unknown defer), when-up accept, quota none" \
    "the domains"
is "$(find "$SPOOL" -type f)" "" "no file is made"
rehearse -nj
is "$(grep -c '^{"what":"domain","found":"' "$T/out")" 4 "JSON"
rehearse -nq
is "$status $(cat "$T/out")" "0 " "-q says nothing when all is in order"

# Each of these is wrong: NAME PATTERN
wrong()
{
	rehearse -nq
	is "$status" 78 "$1: exit 78"
	like "$(cat "$T/err")" "$2" "$1: what it is"
	is "$(cat "$T/out")" "" "$1: no word besides"
}

mkdomain broken.test '# x' 'expire never'
wrong "a domain's file" 'domains/broken\.test:2: expire: expected a duration'
rehearse -n
is "$(grep -c '^domain	' "$T/out")" 4 "the others are told of all the same"
rm "$CONF/domains/broken.test"
: >"$CONF/users"
wrong "an empty list" '\.example\.org: recipients: .*users: empty; expected'
rm "$CONF/users"
wrong "a list that is not there" 'users: No such file'
echo ann >"$CONF/users"
if [ "$(id -u)" -ne 0 ]; then
	chmod 0 "$CONF/domains/v.test"
	wrong "a file that cannot be read" 'v\.test: Permission denied'
	chmod 644 "$CONF/domains/v.test"
fi

openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes \
    -days 2 -subj /CN=mx2.backup.test -keyout "$T/key.pem" \
    -out "$T/cert.pem" 2>"$T/openssl"
openssl genpkey -algorithm ec -pkeyopt ec_paramgen_curve:P-256 \
    -out "$T/other.pem" 2>"$T/openssl"
mkconf "tls-certificate $T/cert.pem" "tls-key $T/key.pem"
rehearse -n
is "$status" 0 "with a certificate: exit 0"
like "$(cat "$T/out")" "^certificate	$T/cert\.pem\$" "it is named"
mkconf "tls-certificate $T/cert.pem" "tls-key $T/other.pem"
wrong "another's key" 'other\.pem: .*(mismatch|not the certificate)'
mkconf "tls-certificate $T/cert.pem" "tls-key $T/missing.pem"
wrong "a key that is not there" 'missing\.pem: No such file'
mkconf "nonsense 1"
wrong "an unknown key" 'mxkeep\.conf:[0-9]+: unknown key "nonsense"'
mkconf
sed -i "s,^spool .*,spool $T/nowhere," "$CONF/mxkeep.conf"
wrong "no spool" "spool $T/nowhere: No such file"
not_ok "and none is made" test -e "$T/nowhere"

mkconf
: >"$CONF/domains/Example.NET"
: >"$CONF/domains/example.org~"
rehearse -nq
is "$status" 0 "files for no domain: exit 0"
like "$(cat "$T/err")" 'domains/Example\.NET: passed over; expected a domain' \
    "they are named"
is "$(grep -c 'passed over' "$T/err")" 2 "each of them"
rm -r "$CONF/domains"
wrong "no directory of domains" "$CONF/domains: No such file"
mkdir "$CONF/domains"
rehearse -n
like "$(cat "$T/out")" '^domain	none: all mail is refused$' "no domain at all"

# It takes no part in a session, whatever it gets.
printf 'EHLO x\r\n' | "$BIN/mx-receive" -n -C "$CONF" >"$T/out" 2>"$T/err"
unlike "$(cat "$T/out")" '220' "no greeting"
exits 64 "-n with -e" "$BIN/mx-receive" -n -e a@b.test -C "$CONF"
exits 64 "-j alone" "$BIN/mx-receive" -j -C "$CONF"
"$BIN/mx-receive" -j -e x@elsewhere.test -C "$CONF" >"$T/out" 2>"$T/err"
like "$(tail -n 1 "$T/out")" \
    '^\{"what":"answer","found":"550 5\.7\.1 [^"]*"\}$' "-e speaks JSON, too"

done_testing
