# SPDX-License-Identifier: ISC
#
# What mx-check says of mail servers with bad manners or none: each refusal,
# each way to hang, and words that would move a terminal's cursor.

. "$(dirname "$0")/../tap.sh"
need openssl
. "$TOP/tests/names.sh"

# HOST DAYS: $T/HOST.pem and .key, by an authority that is trusted; .key.hash
# and .cert.hash of them
certificate()
{
	printf 'subjectAltName=DNS:%s\n' "$1" >"$T/ext"
	openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes \
	    -subj "/CN=$1" -keyout "$T/$1.key" -out "$T/csr" 2>>"$T/openssl" &&
	    openssl x509 -req -in "$T/csr" -CA "$T/ca.pem" -CAkey "$T/ca.key" \
	    -CAcreateserial -days "$2" -extfile "$T/ext" -out "$T/$1.pem" \
	    2>>"$T/openssl" &&
	    openssl x509 -in "$T/$1.pem" -noout -pubkey |
	    openssl pkey -pubin -outform DER 2>>"$T/openssl" |
	    openssl sha256 -r | cut -d ' ' -f 1 >"$T/$1.key.hash" &&
	    openssl x509 -in "$T/$1.pem" -outform DER |
	    openssl sha256 -r | cut -d ' ' -f 1 >"$T/$1.cert.hash"
}

certificates()
{
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes \
	    -days 90 -subj /CN=authority -keyout "$T/ca.key" \
	    -out "$T/ca.pem" 2>>"$T/openssl" &&
	    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 \
	    -nodes -days 90 -subj /CN=own.example \
	    -addext subjectAltName=DNS:own.example -keyout "$T/own.key" \
	    -out "$T/own.pem" 2>>"$T/openssl" &&
	    certificate good.example 80 && certificate old.example 0
}

ok "certificates" certificates
SSL_CERT_FILE=$T/ca.pem
export SSL_CERT_FILE
mkdir "$T/bad" "$T/tls"

# Each is HOST.example, the only host of its own domain, and its script one of
# badmx.py's or the words of tlsmx.py.
i=0
: >"$T/names"
host()
{
	i=$((i + 1))
	cat >>"$T/names" <<-END
	$1.example A 9.1.0.$i
	$i.0.1.9.in-addr.arpa PTR $1.example
	END
}
bad()
{
	host "$1"
	echo "$1.example MX 10 $1.example" >>"$T/names"
	printf '%s\n' "$1 $2;EHLO=250-$1.example\n250 8BITMIME;at:9.1.0.$i:25" \
	    >>"$T/bad/table"
}
# NAME CERTIFICATE [WORD...]
tls()
{
	host "$1"
	echo "$1.example MX 10 $1.example" >>"$T/names"
	name=$1 cert=$2
	shift 2
	echo "$name $T/$cert.pem $T/$cert.key 9.1.0.$i:25 $*" >>"$T/tls/table"
}

good='RCPT=250 ok;RCPT=554 5.7.1 no relaying'
bad good "$good"
bad silent 'GREET=?'
bad drip 'GREET=drip:220 good.example is a server that thinks for a long time about each letter of its greeting'
bad endless 'GREET=endless'
bad longline 'GREET=longline'
bad flood 'EHLO=endless'
bad web 'GREET=HTTP/1.0 400 \x1b[2J\x9b1m'
bad busy 'GREET=421 busy'
bad away 'GREET=554 go away'
bad noehlo 'EHLO=!'
bad mute 'RCPT=?'
bad eager 'GREET=twice:220 two.example'
bad escape "EHLO=250-escape.example\\n250 X\\x1b]0\\x3btitle\\x07;$good"
bad quits "$good;QUIT=?"
bad nohelo 'EHLO=502 no;HELO=502 no'
bad loop "EHLO=250 mx2.backup.test;$good"
bad noname "EHLO=250 localhost;$good"
bad nullno "MAIL=550 no;MAIL=250 ok;$good"
bad nulllater "MAIL=450 later;MAIL=250 ok;$good"
bad nopost 'RCPT=550 5.1.1 unknown;RCPT=554 5.7.1 no'
bad later 'RCPT=450 4.2.0 greylisted;RCPT=554 5.7.1 no'
bad foreign 'RCPT=554 5.7.1 relay access denied'
bad open 'RCPT=250 ok'
bad tlshang 'EHLO=250-tlshang.example\n250 STARTTLS;STAR=220 go on'
bad forged 'EHLO=250-forged.example\n250 STARTTLS;STAR=twice:220 go on'
bad tlsweb 'EHLO=250-tlsweb.example\n250 STARTTLS;STAR=endless'
tls notls good.example none
tls refuse good.example refuse
tls garbage good.example garbage
tls slam good.example slam
tls late good.example late
tls wrongname good.example
tls untrusted own
tls old old.example
tls bycert good.example
tls mismatch good.example
tls twelve good.example tls12
cat >>"$T/names" <<-END
_25._tcp.bycert.example TLSA 030001$(cat "$T/good.example.cert.hash")
_25._tcp.mismatch.example TLSA 030101$(cat "$T/old.example.key.hash")
_25._tcp.notls.example TLSA 030101$(cat "$T/good.example.key.hash")
_25._tcp.twelve.example TLSA 030101$(cat "$T/good.example.key.hash")
END

# Primaries for a rehearsal, of domains whose backup we are.
mkconf "source 9.0.0.1"
primary()
{
	host "mx-$1"
	cat >>"$T/names" <<-END
	ours-$1.example MX 10 mx-$1.example
	ours-$1.example MX 20 mx2.backup.test
	END
	printf '%s\n' "mx-$1 $2;EHLO=250 mx-$1.example;at:9.1.0.$i:25" \
	    >>"$T/bad/table"
}
primary knows 'RCPT=250 ok;RCPT=250 ok;RCPT=550 no user;RCPT=250 ok;RCPT=554 no'
primary catchall 'RCPT=250 ok;RCPT=250 ok;RCPT=250 ok;RCPT=250 ok;RCPT=554 no'
primary spf "RCPT=250 ok;RCPT=250 ok;RCPT=550 no user;\
RCPT=550 5.7.23 SPF validation failed;RCPT=554 no"
primary grey 'RCPT=450 4.2.0 greylisted;RCPT=450 greylisted;RCPT=554 no'
primary road 'RCPT=450 4.2.0 greylisted'
primary refuse 'MAIL=250 ok;MAIL=550 5.7.1 not you;RCPT=250 ok;RCPT=554 no'
primary nopost 'RCPT=550 5.1.1 User unknown'
primary listed 'GREET=554 Blocked using bl.test'
primary trusts 'RCPT=250 ok'

cat >>"$T/names" <<-END
null.example MX 0 .
ours-route.example MX 10 mx-knows.example
ours-route.example MX 20 mx2.backup.test
ours-route2.example MX 10 mx2.backup.test
ours-nowhere.example MX 10 mx-knows.example
ours-nowhere.example MX 20 mx2.backup.test
dead.example MX 10 silent.example
dead.example MX 10 void.example
dead.example MX 20 good.example
alive.example MX 10 silent.example
alive.example MX 15 twelve.example
alive.example MX 20 good.example
pair.example MX 10 twelve.example
pair.example MX 20 good.example
END

# 280 addresses of one domain, none of which says a word.
for h in $(seq 20); do
	echo "wide.example MX $h mx$h.wide.example"
	for k in $(seq 14); do
		echo "mx$h.wide.example A 9.0.$h.$k"
	done
done >>"$T/names"
python3 -c 'import select, socket, sys
listeners = [socket.create_server(("9.0.%d.%d" % (h, k), 25))
             for h in range(1, 21) for k in range(1, 15)]
open(sys.argv[1], "w").close()
kept = []
while True:
    for s in select.select(listeners, [], [])[0]:
        kept.append(s.accept())' "$T/wide" &
cleanup_pid $!

# A queue of one that is full: the kernel drops what else comes.
host void
echo "void.example MX 10 void.example" >>"$T/names"
python3 -c 'import socket, sys, time
at = (sys.argv[1], 25)
listener = socket.create_server(at, backlog=0)
full = [socket.socket() for i in range(3)]
for s in full:
    s.setblocking(False)
    s.connect_ex(at)
open(sys.argv[2], "w").close()
time.sleep(60)' "9.1.0.$i" "$T/void" &
cleanup_pid $!
python3 "$TOP/tests/peers/badmx.py" "$T/bad/table" "$T/bad" &
cleanup_pid $!
python3 "$TOP/tests/peers/tlsmx.py" "$T/tls/table" "$T/tls" &
cleanup_pid $!
names_serve <"$T/names"
ok "the servers are ready" until_ok 10 test -f "$T/bad/ready" \
    -a -f "$T/tls/ready" -a -f "$T/void" -a -f "$T/wide"

# SECONDS [OPTION...] DOMAIN...: all of them at once
look()
{
	seconds=$1
	shift
	began=$(date +%s)
	"$BIN/mx-check" -t "$seconds" -r 127.0.0.1 "$@" >"$T/stdout" 2>"$T/stderr"
	status=$?
	took=$(($(date +%s) - began))
}
# DOMAIN LINE...: what SMTP found that is not ok
found()
{
	name=$1
	shift
	is "$(cut -f 1-4 "$T/stdout" | grep -E \
	    "^(warn|fail)	$name	(smtp-|tlsa-m|rehearse-)" |
	    cut -f 1,3,4 | tr '\t' ' ')" "$(for line; do echo "$line"; done)" \
	    "$name: findings"
}
# DOMAIN LEVEL CHECK ERE
words()
{
	like "$(grep "^$2	$1	$3	" "$T/stdout")" "$4" "$1: $3, in words"
}

(
	cut -d ' ' -f 1 "$T/bad/table" | grep -v '^mx-'
	cut -d ' ' -f 1 "$T/tls/table"
	echo void
	echo null
	echo none
) | sed 's/$/.example/' >"$T/domains"
look 6 -b mx2.backup.test - <"$T/domains"
is "$status" 2 "all: exit 2"
is "$(cat "$T/stderr")" "" "all: nothing on standard error"
[ "$took" -le 9 ] && pass "all: in $took seconds" ||
    fail "all: in $took seconds, with 6 for each"
is "$(LC_ALL=C tr -d '\11\12\40-\176' <"$T/stdout" | wc -c)" 0 \
    "all: nothing that is not printable"
is "$(grep -c '^so' "$T/stdout")" "$(($(wc -l <"$T/domains") - 2))" \
    "all: each is there"

found good.example "warn smtp-starttls good.example"
found silent.example "fail smtp-session silent.example"
words silent.example fail smtp-session 'silent at the greeting until'
found drip.example "fail smtp-session drip.example"
words drip.example fail smtp-session 'silent at the greeting until'
found endless.example "fail smtp-session endless.example"
words endless.example fail smtp-session 'no mail server.*(no end|stop talking)'
found longline.example "fail smtp-session longline.example"
found flood.example "fail smtp-session flood.example"
found web.example "fail smtp-session web.example"
words web.example fail smtp-session 'HTTP/1\.0 400 \\033\[2J\\2331m'
found busy.example "warn smtp-session busy.example"
words busy.example warn smtp-session 'turns us away at the greeting \(421 busy\)'
found away.example "fail smtp-session away.example"
found noehlo.example "fail smtp-session noehlo.example"
words noehlo.example fail smtp-session 'breaks at EHLO \(it closed'
found mute.example "fail smtp-session mute.example"
words mute.example fail smtp-session 'silent at MAIL and RCPT'
found eager.example "fail smtp-session eager.example"
found escape.example "warn smtp-starttls escape.example"
words escape.example ok smtp-session 'offers X\\033\]0;title\\a\.'
found quits.example "warn smtp-starttls quits.example"
found nohelo.example "fail smtp-session nohelo.example"
found loop.example "fail smtp-name loop.example" \
    "warn smtp-starttls loop.example"
words loop.example fail smtp-name 'mx2\.backup\.test as the backup does'
found noname.example "warn smtp-name noname.example" \
    "warn smtp-starttls noname.example"
found nullno.example "warn smtp-starttls nullno.example" \
    "fail smtp-null nullno.example"
words nullno.example ok smtp-postmaster 'is accepted'
found nulllater.example "warn smtp-starttls nulllater.example" \
    "warn smtp-null nulllater.example"
found nopost.example "warn smtp-starttls nopost.example" \
    "warn smtp-postmaster nopost.example"
found later.example "warn smtp-starttls later.example" \
    "warn smtp-postmaster later.example"
found foreign.example "warn smtp-starttls foreign.example" \
    "fail smtp-postmaster foreign.example"
found open.example "warn smtp-starttls open.example" \
    "fail smtp-relay open.example"
found tlshang.example "fail smtp-starttls tlshang.example"
words tlshang.example fail smtp-starttls 'fails at the TLS handshake'
found forged.example "fail smtp-starttls forged.example"
words forged.example fail smtp-starttls 'talks unasked'
found tlsweb.example "fail smtp-starttls tlsweb.example"
found void.example "fail smtp-connect void.example"
words void.example fail smtp-connect 'No connection \(no answer in time'
found null.example
found none.example

# The same servers take mail for everybody and call themselves primary.test.
sed -i '/	smtp-\(name\|relay\)	/d' "$T/stdout"
found notls.example "warn smtp-starttls notls.example" \
    "fail tlsa-match notls.example"
found refuse.example "fail smtp-starttls refuse.example"
words refuse.example fail smtp-starttls 'refused \(454'
found garbage.example "fail smtp-starttls garbage.example"
found slam.example "fail smtp-starttls slam.example"
found late.example "fail smtp-starttls late.example" \
    "warn smtp-cert late.example"
found wrongname.example "warn smtp-cert wrongname.example"
words wrongname.example warn smtp-cert 'for good\.example, not for this'
found untrusted.example "warn smtp-cert untrusted.example"
words untrusted.example warn smtp-cert 'not trusted .*self.signed'
found old.example "fail smtp-cert old.example"
found bycert.example "warn tlsa-match bycert.example"
words bycert.example warn tlsa-match 'TLSA 3 0 1 matches, but'
found mismatch.example "warn smtp-cert mismatch.example" \
    "fail tlsa-match mismatch.example"
words mismatch.example fail tlsa-match \
    "TLSA 3 1 1 $(cat "$T/good.example.key.hash")"
found twelve.example
words twelve.example ok smtp-starttls 'TLSv1\.2'
words twelve.example ok tlsa-match '3 1 1 matches'
like "$(cat "$T/bad/good.log")" '^> QUIT$' "QUIT is said"

# Rehearsals.
look 10 -C "$CONF" --rehearse ours-knows.example ours-catchall.example \
    ours-spf.example ours-grey.example ours-refuse.example \
    ours-listed.example ours-trusts.example ours-nopost.example
is "$(cat "$T/stderr")" "" "rehearsal: nothing on standard error"
sed -i '/	\(smtp-\(starttls\|ptr\|connect\|null\|postmaster\|session\)\|backup-offers\)	/d' \
    "$T/stdout"
found ours-knows.example
words ours-knows.example ok rehearse-users 'knows its users \(550 no user'
words ours-knows.example ok rehearse-xclient 'does not offer us XCLIENT'
words ours-knows.example ok rehearse-spf 'what others have sent'
found ours-catchall.example "warn rehearse-users mx-catchall.example"
found ours-spf.example "fail rehearse-spf mx-spf.example"
found ours-grey.example "warn rehearse-mail mx-grey.example"
found ours-refuse.example "fail rehearse-mail mx-refuse.example"
words ours-refuse.example fail rehearse-mail 'refuses mail from us \(550 5\.7\.1 not'
found ours-listed.example "fail rehearse-mail mx-listed.example"
words ours-listed.example fail rehearse-mail 'by a list of addresses'
found ours-nopost.example "warn rehearse-mail mx-nopost.example"
words ours-nopost.example warn rehearse-mail 'not know postmaster@ours-nopost'
found ours-trusts.example "warn smtp-relay mx-trusts.example" \
    "warn rehearse-users mx-trusts.example"

# By "route" the mail does not go to the MX hosts.
mkdomain ours-route.example "route mx-road.example"
mkdomain ours-route2.example "route mx-road.example"
mkdomain ours-nowhere.example "route nowhere.example"
: >"$T/bad/mx-road.log"
look 10 -C "$CONF" --rehearse ours-route.example ours-route2.example \
    ours-nowhere.example
sed -i '/	\(smtp-\|backup-offers\)/d' "$T/stdout"
found ours-route.example "warn rehearse-mail mx-road.example"
found ours-route2.example "warn rehearse-mail mx-road.example"
words ours-route.example warn rehearse-mail 'By route, 9\.1\.0\.[0-9]*:25: '
not_ok "its MX hosts are not rehearsed" grep 'rehearse.*	mx-knows' "$T/stdout"
is "$(grep -c connection "$T/bad/mx-road.log")" 1 "one session for both"
found ours-nowhere.example "fail rehearse-mail ours-nowhere.example"
words ours-nowhere.example fail rehearse-mail 'route leads nowhere'

# Silent addresses, more than are looked at at once, and one behind them.
look 6 wide.example good.example
is "$(cut -f 1-3 "$T/stdout" | grep -E \
    '	good.example	smtp-(connect|session)')" \
    "$(printf 'ok\tgood.example\tsmtp-%s\n' connect session)" \
    "the silent do not take the turn of others"
like "$(grep '^fail	wide.example	smtp-session' "$T/stdout" | head -n 1)" \
    'silent at the greeting until' "and each is given its time"
[ "$took" -le 9 ] && pass "in $took seconds" || fail "in $took seconds"

# The backup beside its primary.
look 10 -b mx2.backup.test ours-knows.example
not_ok "what cannot be reached is not compared" grep backup-offers "$T/stdout"
look 4 -b good.example dead.example alive.example
is "$(grep backup-primary "$T/stdout" | cut -f 1-4)" \
    "fail	dead.example	backup-primary	void.example" \
    "primaries of which none answers"
look 10 -b good.example pair.example
is "$(grep backup-offers "$T/stdout" | cut -f 1,3,4 | tr '\t' ' ')" \
    "warn backup-offers good.example" "a backup that offers less"
words pair.example warn backup-offers 'p.* offers STARTTLS and the backup does'

done_testing
