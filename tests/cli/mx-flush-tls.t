# SPDX-License-Identifier: ISC
#
# mx-flush and TLS of primaries, good and bad.  One line a case:
#
#	NAME | WANT | CHAIN | WORDS (see tests/peers/tlsmx.py) | SETTING | REASON
#
# WANT is how the message went: tls, clear, or kept, for REASON (an ERE).  A
# server is mx.test, but for those that are an address.  All cases run side by
# side in one mx-flush.

. "$(dirname "$0")/../tap.sh"

need python3 openssl

# NAME NAME-IN-IT ISSUER OPTIONS: $T/NAME.pem, and NAME.key
certify()
{
	name=$1
	printf 'subjectAltName=DNS:%s\n' "$2" >"$T/ext"
	issuer=$3
	shift 3
	openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes \
	    -keyout "$T/$name.key" -subj "/CN=$name" -out "$T/req" 2>"$T/err" ||
	    diag_file "$T/err"
	if [ "$issuer" = self ]; then
		openssl x509 -req -in "$T/req" -signkey "$T/$name.key" \
		    -extfile "$T/ext" -out "$T/$name.pem" "$@" 2>"$T/err" ||
		    diag_file "$T/err"
	else
		openssl x509 -req -in "$T/req" -CA "$T/$issuer.pem" \
		    -CAkey "$T/$issuer.key" -CAcreateserial -extfile "$T/ext" \
		    -out "$T/$name.pem" "$@" 2>"$T/err" || diag_file "$T/err"
	fi
}
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 \
    -keyout "$T/ca.key" -out "$T/ca.pem" -subj /CN=ca 2>"$T/err"
certify good mx.test ca -days 2
certify domain verify-domain.test ca -days 2
certify other other.test ca -days 2
certify self mx.test self -days 2
# OpenSSL 3.0 makes none that is over already, but it counts days below none.
certify expired mx.test ca -days -1
pin=$(openssl pkey -in "$T/self.key" -pubout -outform DER | sha256sum |
    cut -d ' ' -f 1)
wrong=$(printf '%064d' 0)

cat >"$T/cases" <<END
may-good | tls | good | | tls may |
may-self | tls | self | | |
may-expired | tls | expired | tls12 | |
may-none | clear | good | none | |
may-refuse | clear | good | refuse | |
may-close | clear | good | close | |
may-garbage | clear | good | garbage | |
may-slam | clear | good | slam | |
may-late | clear | good | late | |
may-late12 | clear | good | late tls12 | |
may-deaf | kept | good | garbage deaf | | 530 5.7.0
dane-insecure | tls | self | | tls dane |
dane-garbage | clear | self | garbage | tls dane |
verify-good | tls | good | | tls verify |
verify-domain | tls | domain | | tls verify |
verify-address | kept | good | | tls verify | the certificate is another's: mx.test
verify-other | kept | other | | tls verify | the certificate is another's: other.test
verify-self | kept | self | | tls verify | certificate: self-signed
verify-expired | kept | expired | | tls verify | certificate has expired
verify-none | kept | good | none | tls verify | STARTTLS is not offered
verify-refuse | kept | good | refuse | tls verify | STARTTLS: 454 4.7.0
verify-close | kept | good | close | tls verify | STARTTLS
verify-garbage | kept | good | garbage | tls verify | TLS: wrong version
verify-late | kept | good | late | tls verify | TLS: .*alert|EHLO
pin-good | tls | self | | tls pin sha256:$pin |
pin-second | tls | self | | tls pin sha256:$wrong sha256:$pin |
pin-wrong | kept | self | | tls pin sha256:$wrong | not one of those pinned: sha256:$pin
pin-none | kept | self | none | tls pin sha256:$pin | STARTTLS is not offered
pin-late | kept | self | late | tls pin sha256:$pin | TLS: .*alert|EHLO
pin-once | tls | self | once | tls pin sha256:$pin |
pin-once12 | tls | self | once tls12 | tls pin sha256:$pin |
require-good | tls | self | requiretls | tls pin sha256:$pin |
require-none | kept | self | | tls pin sha256:$pin | asked for REQUIRETLS
require-may | kept | self | requiretls | tls may | asked for REQUIRETLS
require-null | tls | self | requiretls | tls may |
require-less | clear | self | none | tls may |
END
each()
{
	while IFS='|' read -r name want chain words setting reason; do
		name=${name% } want=${want# } want=${want% }
		chain=${chain# } chain=${chain% }
		words=${words# } words=${words% } setting=${setting# }
		setting=${setting% } reason=${reason# }
		"$@"
	done <"$T/cases"
}

table()
{
	echo "$name $T/$chain.pem $T/$chain.key $words"
}
each table >"$T/table"
mkdir "$T/primary"
python3 "$TOP/tests/peers/tlsmx.py" "$T/table" "$T/primary" 2>"$T/peer" &
cleanup_pid $!
printf '%s A 127.0.0.1\n' mx.test mx-b.test >"$T/zone"
python3 "$TOP/tests/peers/evildns.py" -c "$T/zone" >"$T/dns" &
cleanup_pid $!
until_ok 10 test -s "$T/dns" || fail "a name server"
until_ok 10 test -e "$T/primary/ready" || diag_file "$T/peer"
read -r addr port <"$T/dns"

mkconf "timeout 5s" "resolver $addr@$port" "tls-authorities $T/ca.pem"
printf 'Subject: x\r\n\r\nbody\r\n' >"$T/m"
add()
{
	"$BIN/mx-queue" -C "$CONF" add -f ann@sender.test "a@$1.test" \
	    <"$T/m" >"$T/out" 2>&1 || diag_file "$T/out"
}
prepare()
{
	host=mx.test
	[ "$name" != verify-address ] || host=127.0.0.1
	mkdomain "$name.test" "$setting" \
	    "route $host:$(cat "$T/primary/$name.port")"
	add "$name"
	case $name in *-once*) add "$name" ;; esac
	sender=ann@sender.test
	case $name in *-null|*-less) sender= ;; esac
	case $name in require-*)
		rm "$SPOOL/mail/$name.test/new/"*
		python3 "$TOP/tests/report/craft.py" "$SPOOL" "$name.test" 60 \
		    "<$sender> REQUIRETLS" "p <a@$name.test>" \
		    <"$T/m" >"$T/out" ;;
	esac
}
each prepare
"$BIN/mx-flush" -v -C "$CONF" 2>"$T/log"
is "$?" 75 "something waits"

check()
{
	log=$T/primary/$name.log
	went=$(sed -n 's/^mail //p' "$log" | head -n 1)
	is "${went:-kept}" "$want" "$name"
	mail=$(find "$SPOOL/mail/$name.test" -type f -path '*/cur/*' -o \
	    -type f -path '*/new/*' | wc -l | tr -d ' ')
	case $want in
	kept)
		is "$mail" 1 "$name: it waits"
		like "$(grep "reason=" "$T/log" | grep "domain=$name.test ")" \
		    "$reason" "$name: why"
		is "$(grep -c "reported\|refused" "$T/log")" 0 \
		    "$name: nobody is told of it" ;;
	clear)
		is "$mail" 0 "$name: it has left"
		case $words in
		none) is "$(grep -c connect "$log")" 1 "$name: at once" ;;
		*)
			is "$(grep -c connect "$log")" 2 \
			    "$name: by a new connection"
			like "$(cat "$T/log")" \
			    "clear domain=$name.test .*reason=\"" \
			    "$name: the log says why" ;;
		esac ;;
	tls)
		is "$mail" 0 "$name: it has left" ;;
	esac
}
each check

is "$(grep -c requiretls "$T/primary/require-good.log")" 1 \
    "REQUIRETLS goes on to a server that is known"
is "$(grep -c requiretls "$T/primary/require-null.log")" 1 \
    "nor need the server be known for a report"
is "$(cat "$T"/primary/require-none.log "$T"/primary/require-may.log |
    grep -c requiretls)" 0 "and to no other"
like "$(cat "$T/primary/may-good.log")" '^tls TLSv1.3 new mx.test$' \
    "the server hears its name"
like "$(cat "$T/primary/verify-address.log")" \
    '^(tls .* verify-address.test|failed)$' "or that of the domain"
is "$(grep '^tls' "$T/primary/pin-once.log" | cut -d ' ' -f 3 | tr '\n' ' ')" \
    "new resumed " "the second connection resumes the session"
is "$(grep '^tls' "$T/primary/pin-once12.log" | cut -d ' ' -f 3 |
    tr '\n' ' ')" "new resumed " "in TLS 1.2, too"

# REQUIRETLS: the next server may offer it.
mkdomain walk.test "tls pin sha256:$pin" \
    "route mx.test:$(cat "$T/primary/require-none.port") mx.test:$(cat "$T/primary/require-good.port")"
mkdomain never.test "tls pin sha256:$pin" \
    "route mx.test:$(cat "$T/primary/require-none.port")"
mkdomain down.test "tls pin sha256:$pin" \
    "route mx.test:$(cat "$T/primary/require-none.port") mx.test:$(cat "$T/primary/pin-none.port")"
for name in walk never down; do
	mkdir -p -m 700 "$SPOOL/state/$name.test"
	printf 'state up\nsince %d x\n' $(($(date +%s) - 90000)) \
	    >"$SPOOL/state/$name.test/state"
	python3 "$TOP/tests/report/craft.py" "$SPOOL" "$name.test" 60 \
	    '<ann@sender.test> REQUIRETLS' "p <a@$name.test>" <"$T/m" >"$T/out"
done
"$BIN/mx-flush" -v -C "$CONF" walk.test never.test down.test 2>"$T/walk"
like "$(cat "$T/walk")" 'delivered id=.* domain=walk.test ' \
    "REQUIRETLS: the first does not offer it, so the second gets it"
is "$(grep -c requiretls "$T/primary/require-good.log")" 2 "as it was asked"
like "$(cat "$T/walk")" 'refused id=.* domain=never.test reason="not sent: 5\.7\.30 ' \
    "nobody offers it, for a day: returned"
is "$(find "$SPOOL/mail/sender.test" -type f | wc -l | tr -d ' ')" 1 \
    "and reported"
like "$(cat "$SPOOL"/mail/sender.test/new/*)" 'Status: 5\.7\.30' "with its status"
like "$(cat "$T/walk")" 'deferred id=.* domain=down.test .*asked for REQUIRETLS: .*REQUIRETLS is not offered; .*STARTTLS is not offered' \
    "one without the TLS that is wanted says nothing: it waits"

### What is remembered

state()
{
	sed -n "s/^$2 //p" "$SPOOL/state/$1.test/state"
}
like "$(state pin-good tls)" '^TLSv1.3 [A-Z0-9_]+ pin$' "the state has it"
is "$(state may-none tls)" none "and that there was none"
like "$(state may-good best-tls)" '^[0-9]+ mx.test TLSv1.3 .* none$' \
    "and the best there was"
like "$(cat "$T/log")" \
    'delivered id=.* domain=pin-good.test .* tls="TLSv1.3 [A-Z0-9_]* pin" ' \
    "the log says how the server was known"
like "$(cat "$T/log")" 'delivered id=.* domain=may-none.test .* tls="none" ' \
    "or that it was in clear text"
is "$(grep -c 'less TLS' "$T/log")" 0 "nobody has less than before"

# The same host, and now it offers nothing.
cat >"$T/hook" <<END
#!/bin/sh
echo "\$MX_EVENT \$MX_DOMAIN \$MX_REASON" >>"$T/events"
END
chmod 755 "$T/hook"
mkdomain may-good.test "route mx.test:$(cat "$T/primary/may-none.port")" \
    "hook $T/hook"
mkdomain pin-good.test "route mx.test:$(cat "$T/primary/pin-none.port")" \
    "tls pin sha256:$pin" "hook $T/hook"
mkdomain verify-good.test "route mx.test:$(cat "$T/primary/may-self.port")" \
    "tls may" "hook $T/hook"
add may-good
add pin-good
add verify-good
"$BIN/mx-flush" -v -C "$CONF" may-good.test pin-good.test verify-good.test \
    2>"$T/log"
like "$(cat "$T/log")" \
    'less TLS domain=may-good.test .* now="none" before="[0-9]* mx.test TLSv1' \
    "TLS before, and clear text now: the log warns"
like "$(cat "$T/log")" \
    'less TLS domain=pin-good.test .* now="STARTTLS is not offered" before=' \
    "a pinned key before, and now nothing"
like "$(grep "^tls-downgrade may-good" "$T/events")" 'none$' \
    "the operator hears of it"
like "$(grep "^tls-downgrade pin-good" "$T/events")" 'STARTTLS is not' \
    "of both"
is "$(grep -c verify-good "$T/events" | tr -d ' ')" 0 \
    "but not of what was wanted"
is "$(grep -c '^mail clear' "$T/primary/may-none.log")" 2 "one mail has left"
is "$(grep -c '^mail' "$T/primary/pin-none.log")" 0 "the other waits"

"$BIN/mx-flush" -C "$CONF" pin-good.test 2>"$T/log"
is "$(grep -c "^tls-downgrade pin-good" "$T/events")" 1 "as it lasts: once"

# It still offers TLS, which leads to nothing: it is said why, and once.
mkdomain may-expired.test "hook $T/hook" \
    "route mx.test:$(cat "$T/primary/may-slam.port")"
add may-expired
"$BIN/mx-flush" -v -C "$CONF" may-expired.test 2>"$T/log"
is "$(grep -c 'less TLS .* now="TLS: ' "$T/log")" 1 "its TLS is broken now"
is "$(grep -c 'less TLS' "$T/log")" 1 "which is said once"
like "$(grep "^tls-downgrade may-expired" "$T/events")" 'TLS: ' "and why"

# Each server has its own past: the second is missed, too.
mkdomain both.test "hook $T/hook" "tls pin sha256:$pin" \
    "route mx.test:$(cat "$T/primary/pin-none.port") mx-b.test:$(cat "$T/primary/verify-none.port")"
add both
mkdir -p -m 700 "$SPOOL/state/both.test"
printf 'state up\nbest-tls %d mx-b.test TLSv1.3 X pin\n' $(($(date +%s) - 99)) \
    >"$SPOOL/state/both.test/state"
printf 'best-tls %d mx-c.test TLSv1.3 X pin\n' $(($(date +%s) - 9)) \
    >>"$SPOOL/state/both.test/state"
"$BIN/mx-flush" -v -C "$CONF" both.test 2>"$T/log"
like "$(cat "$T/log")" 'less TLS domain=both.test host="mx-b.test .* pin"' \
    "the second server of two, behind one that never had any"
is "$(grep -c "less TLS" "$T/log")" 1 "of which nothing is said"
is "$(state both best-tls | grep -c .)" 2 "nothing is forgotten for that"

done_testing
