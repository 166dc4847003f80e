# SPDX-License-Identifier: ISC
#
# mx-flush and DANE (RFC 7672): signed zones of nsd, through unbound, which
# validates them.  One line a case; the domain is NAME.sound.test, or NAME.
# plain.test, a zone that is not signed, if that is the ZONE:
#
#	NAME | WANT | ZONE | CHAIN | WORDS (see tests/peers/tlsmx.py) | REASON
#
# WANT is how the server was known (dane-ee, dane-ta; none in TLS), clear, or
# kept, for REASON (an ERE).  The servers have an address each, and records
# below.

. "$(dirname "$0")/../tap.sh"

need python3 openssl ldns-keygen ldns-signzone
need_pkg nsd_root nsd
need_pkg unbound_root unbound

cat >"$T/cases" <<'END'
ee | dane-ee | sound | self | |
ee-name | dane-ee | sound | other | |
ee-expired | dane-ee | sound | expired | |
ee-two | dane-ee | sound | self | |
ee-wrong | kept | sound | self | | no TLSA record matches
ee-clear | kept | sound | self | none | STARTTLS is not offered
ee-broken | kept | sound | self | garbage | TLS: wrong version
ta | dane-ta | sound | ta | |
ta-domain | dane-ta | sound | ta-domain | |
ta-other | kept | sound | ta-other | | the certificate is another's: other.test
ta-expired | kept | sound | ta-expired | | certificate has expired
ta-alias | dane-ta | sound | ta-alias | |
ta-self | kept | sound | self | | no TLSA record matches
missing | none | sound | self | |
missing-clear | clear | sound | self | garbage |
unusable | none | sound | self | |
unusable-clear | kept | sound | self | garbage | TLS: wrong version
unusable-none | kept | sound | self | none | STARTTLS is not offered
forged | kept | sound | self | | TLSA of _.*: bogus
expired | kept | sound | self | | TLSA of _.*: bogus
temp | kept | sound | self | | TLSA of _.*: resolver
next | dane-ee | sound | self | |
next-wrong | dane-ee | sound | self | |
plain | none | plain | self | |
plain-mx | none | plain | self | |
plain-host | none | sound | self | |
cname | dane-ee | sound | self | |
cname-name | dane-ee | sound | self | |
cname-out | dane-ee | sound | self | |
cname-wrong | kept | sound | self | | no TLSA record matches
tlsa-cname | dane-ee | sound | self | |
tlsa-out | none | sound | self | |
route | dane-ee | sound | self | |
implicit | dane-ee | sound | self | |
END
each()
{
	n=10
	while IFS='|' read -r name want zone chain words reason; do
		name=${name% } want=${want# } want=${want% } n=$((n + 1))
		zone=${zone# } zone=${zone% } chain=${chain# } chain=${chain% }
		words=${words# } words=${words% } reason=${reason# }
		"$@"
	done <"$T/cases"
}

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
		set -- -signkey "$T/$name.key" "$@"
	else
		set -- -CA "$T/ca.pem" -CAkey "$T/ca.key" -CAcreateserial "$@"
	fi
	openssl x509 -req -in "$T/req" -extfile "$T/ext" "$@" \
	    -out "$T/$name.pem" 2>"$T/err" || diag_file "$T/err"
	# Usage 2 wants to see the anchor.
	[ "$issuer" = self ] || cat "$T/ca.pem" >>"$T/$name.pem"
}
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 \
    -keyout "$T/ca.key" -out "$T/ca.pem" -subj /CN=ca 2>"$T/err"
certify self self.test self -days 2
certify expired self.test self -days -1
certify other other.test ca -days 2
certify ta ta-mx.sound.test ca -days 2
certify ta-domain ta-domain.sound.test ca -days 2
certify ta-other other.test ca -days 2
certify ta-expired ta-expired-mx.sound.test ca -days -1
certify ta-alias ta-real.sound.test ca -days 2
# The key of CHAIN, the certificate of the authority: SHA-256
spki()
{
	openssl x509 -in "$T/$1.pem" -pubkey -noout |
	    openssl pkey -pubin -outform DER | sha256sum | cut -d ' ' -f 1
}
self=$(spki self)
ca=$(openssl x509 -in "$T/ca.pem" -outform DER | sha256sum | cut -d ' ' -f 1)
wrong=$(printf '%064d' 0)
port=$(free_port)

table()
{
	echo "$name $T/$chain.pem $T/$chain.key 127.0.0.$n:$port $words"
}
each table >"$T/table"
mkdir "$T/primary"
python3 "$TOP/tests/peers/tlsmx.py" "$T/table" "$T/primary" 2>"$T/peer" &
cleanup_pid $!

# Of each case: the domain, its host and the host's TLSA record.
records()
{
	mx="$name MX 10 $name-mx" host="$name-mx A 127.0.0.$n"
	tlsa="_$port._tcp.$name-mx TLSA 3 1 1 $self"
	case $name in
	ee-name|ee-expired)
		tlsa="${tlsa%$self}$(spki "$chain")" ;;
	ee-two)
		tlsa="$tlsa
_$port._tcp.$name-mx TLSA 3 1 1 $wrong
_$port._tcp.$name-mx TLSA 1 1 1 $wrong" ;;
	ee-wrong)
		tlsa="${tlsa%$self}$wrong" ;;
	ta*)
		tlsa="_$port._tcp.$name-mx TLSA 2 0 1 $ca"
		# The name that the certificate bears is the alias's.
		[ "$name" != ta-alias ] || mx="$name CNAME ta-real
ta-real MX 10 $name-mx" ;;
	tlsa-cname)
		tlsa="_$port._tcp.$name-mx CNAME _$port._tcp.ee-mx" ;;
	tlsa-out)		# out of what is signed: as if there were none
		tlsa="_$port._tcp.$name-mx CNAME tlsa.plain.test."
		echo "tlsa TLSA 3 1 1 $wrong" >>"$T/plain.zone" ;;
	missing*)
		tlsa= ;;
	unusable*)
		tlsa="_$port._tcp.$name-mx TLSA 1 1 1 $self
_$port._tcp.$name-mx TLSA 3 1 9 $self" ;;
	plain)
		tlsa="${tlsa%$self}$wrong" ;;
	plain-mx)		# the host is in a zone that is signed
		mx="$name MX 10 there.sound.test." host= tlsa= ;;
	plain-host)		# and here it is not
		mx="$name MX 10 there.plain.test." host= tlsa= ;;
	temp)			# a part of the zone whose servers are dead
		tlsa="_tcp.temp-mx NS ns.dead
ns.dead A 127.0.0.99" ;;
	next)			# the first host is of no use
		mx="$name MX 10 forged-mx
$name MX 20 $name-mx" ;;
	next-wrong)
		mx="$name MX 10 ee-wrong-mx
$name MX 20 $name-mx" ;;
	implicit)
		mx="$name A 127.0.0.$n" host=
		tlsa="_$port._tcp.$name TLSA 3 1 1 $self" ;;
	esac
	case $name in
	plain-mx|plain-host)
		there=sound
		[ "$name" = plain-mx ] || there=plain
		echo "there A 127.0.0.$n
_$port._tcp.there TLSA 3 1 1 $wrong" >>"$T/$there.zone" ;;
	cname)			# records at both; those of the target count
		host="$name-mx CNAME $name-real
$name-real A 127.0.0.$n
_$port._tcp.$name-real TLSA 3 1 1 $self"
		tlsa="${tlsa%$self}$wrong" ;;
	cname-wrong)
		host="$name-mx CNAME $name-real
$name-real A 127.0.0.$n
_$port._tcp.$name-real TLSA 3 1 1 $wrong"
		tlsa="_$port._tcp.$name-mx TLSA 3 1 1 $self" ;;
	cname-name)
		host="$name-mx CNAME $name-real
$name-real A 127.0.0.$n" ;;
	cname-out)
		host="$name-mx CNAME out.plain.test."
		echo "out A 127.0.0.$n" >>"$T/plain.zone" ;;
	esac
	printf '%s\n%s\n%s\n' "$mx" "$host" "$tlsa" >>"$T/$zone.zone"
}
for zone in sound plain; do
	{
		echo "\$ORIGIN $zone.test."
		echo "\$TTL 300"
		echo "@ SOA ns.$zone.test. root.$zone.test. 1 3600 900 604800 300"
		echo "@ NS ns"
		echo "ns A 127.0.0.1"
	} >"$T/$zone.zone"
done
each records
(
	cd "$T" &&
	key=$(ldns-keygen -r /dev/urandom -a ECDSAP256SHA256 -k sound.test) &&
	ldns-signzone -n -f good sound.zone "$key" &&
	ldns-signzone -n -i 20200101000000 -e 20200201000000 -f old \
	    sound.zone "$key" &&
	cp "$key.key" anchors
) || fail "sign"
# One record is changed, and the signature of another is long over.
sed "/^_$port._tcp.forged-mx/s/TLSA	3 1 1 ..../TLSA	3 1 1 0000/" "$T/good" |
    grep -v "^_$port._tcp.expired-mx.*RRSIG.TLSA" >"$T/signed"
grep "^_$port._tcp.expired-mx.*RRSIG.TLSA" "$T/old" >>"$T/signed"
not_ok "the signed zone has been forged" cmp -s "$T/signed" "$T/good"
is "$(grep -c "RRSIG.TLSA.* 20200201000000 " "$T/signed")" 1 \
    "and a signature has expired"

nsd_port=$(free_port)
cat >"$T/nsd.conf" <<END
server:
	ip-address: 127.0.0.1@$nsd_port
	server-count: 1
	username: ""
	zonesdir: "$T"
	database: ""
	pidfile: "$T/nsd.pid"
	logfile: "$T/nsd.log"
	xfrdfile: "$T/xfrd"
	xfrdir: "$T"
	zonelistfile: "$T/zones"
remote-control:
	control-enable: no
zone:
	name: sound.test
	zonefile: signed
zone:
	name: plain.test
	zonefile: plain.zone
END
"$nsd_root/usr/sbin/nsd" -d -c "$T/nsd.conf" >"$T/nsd.out" 2>&1 &
cleanup_pid $!
wait_udp "$nsd_port" || { diag_file "$T/nsd.out"; diag_file "$T/nsd.log"; }
dns_port=$(free_port)
cat >"$T/unbound.conf" <<END
server:
	interface: 127.0.0.1@$dns_port
	do-daemonize: no
	num-threads: 1
	chroot: ""
	username: ""
	directory: "$T"
	pidfile: ""
	use-syslog: no
	logfile: "$T/unbound.log"
	module-config: "validator iterator"
	trust-anchor-file: "$T/anchors"
	do-not-query-localhost: no
	local-zone: "." static
	local-zone: "sound.test." transparent
	local-zone: "plain.test." transparent
	ede: yes
	root-hints: ""
remote-control:
	control-enable: no
stub-zone:
	name: sound.test
	stub-addr: 127.0.0.1@$nsd_port
stub-zone:
	name: plain.test
	stub-addr: 127.0.0.1@$nsd_port
END
"$unbound_root/usr/sbin/unbound" -c "$T/unbound.conf" >"$T/unbound.out" 2>&1 &
cleanup_pid $!
wait_udp "$dns_port" ||
    { diag_file "$T/unbound.out"; diag_file "$T/unbound.log"; }
until_ok 10 test -e "$T/primary/ready" || diag_file "$T/peer"

mkconf "timeout 5s" "timeout dns 4s" "resolver 127.0.0.1@$dns_port" \
    "port $port" "tls dane"
printf 'Subject: x\r\n\r\nbody\r\n' >"$T/m"
prepare()
{
	mkdomain "$name.$zone.test"
	[ "$name" != route ] || mkdomain "$name.$zone.test" \
	    "route route-mx.sound.test"
	"$BIN/mx-queue" -C "$CONF" add -f ann@sender.test \
	    "a@$name.$zone.test" <"$T/m" >"$T/out" 2>&1 || diag_file "$T/out"
}
each prepare
"$BIN/mx-flush" -v -C "$CONF" 2>"$T/log"
is "$?" 75 "something waits"

check()
{
	domain=$name.$zone.test
	tls=$(sed -n "s/.*delivered id=.* domain=$domain .* tls=\"\([^\"]*\)\".*/\1/p" \
	    "$T/log")
	mail=$(sed -n 's/^mail //p' "$T/primary/$name.log")
	case $want in
	kept)
		is "${mail:-none}" none "$name: kept"
		like "$(grep "^.*down domain=$domain " "$T/log")" "$reason" \
		    "$name: why"
		is "$(grep -c "reported\|refused" "$T/log")" 0 \
		    "$name: nobody is told of it" ;;
	clear)
		is "$mail" clear "$name: in clear text"
		is "$tls" none "$name: the log says so" ;;
	*)
		is "$mail" tls "$name: in TLS"
		like "$tls" "^TLSv1.3 [A-Z0-9_]+ $want\$" "$name: $want" ;;
	esac
}
each check

# RFC 7672 8.1: the server is called by the TLSA base domain.
for name in ee:ee-mx cname:cname-real cname-name:cname-name-mx \
    cname-out:cname-out-mx route:route-mx implicit:implicit; do
	is "$(sed -n 's/^tls .* //p' "$T/primary/${name%:*}.log")" \
	    "${name#*:}.sound.test" "${name%:*}: SNI"
done

### Who says so

# One more resolver, never asked, that is not on this host.
again()
{
	echo "$1" >>"$CONF/mxkeep.conf"
	"$BIN/mx-queue" -C "$CONF" add -f ann@sender.test a@ee-two.sound.test \
	    <"$T/m" >"$T/out" 2>&1 || diag_file "$T/out"
	"$BIN/mx-flush" -v -C "$CONF" ee-two.sound.test 2>"$T/log"
}
again "resolver 198.51.100.1"
like "$(cat "$T/log")" 'no DANE, for the resolver is not believed' \
    "a resolver elsewhere is not believed"
like "$(cat "$T/log")" 'delivered id=.* tls="TLSv1.3 [A-Z0-9_]* none"' \
    "so DANE says nothing"
again "resolver trust-ad"
like "$(cat "$T/log")" 'delivered id=.* tls="TLSv1.3 [A-Z0-9_]* dane-ee"' \
    "but on the operator's word"
sed -i '/^resolver 198\|^resolver trust/d' "$CONF/mxkeep.conf"

### The last route that worked, when the DNS names none

# DOMAIN as if it had been delivered to the server of ee, known as that was
recall()
{
	mkdomain "$1"
	mkdir -p "$SPOOL/state/$1"
	sed "s/ee-mx/${2:-ee-mx}/" "$SPOOL/state/ee.sound.test/state" \
	    >"$SPOOL/state/$1/state"
	"$BIN/mx-queue" -C "$CONF" add -f ann@sender.test "a@$1" <"$T/m" \
	    >"$T/out" 2>&1 || diag_file "$T/out"
	"$BIN/mx-flush" -v -C "$CONF" "$1" 2>"$T/log"
}
recall gone.sound.test
like "$(cat "$T/log")" 'delivered id=.* tls="TLSv1.3 [A-Z0-9_]* dane-ee"' \
    "a host that was known by DANE still is"
recall gone2.sound.test ee-gone
like "$(cat "$T/log")" 'unroutable .*it was known by DANE.*and is not now' \
    "or, if it is not, it is left alone"
is "$(grep -c '^tls' "$T/primary/ee.log")" 2 "one mail more has come"

# And with no DNS at all.
echo "resolver 127.0.0.1@$(free_port)" >>"$CONF/mxkeep.conf"
sed -i "/^resolver 127.0.0.1@$dns_port/d" "$CONF/mxkeep.conf"
recall gone3.sound.test
like "$(cat "$T/log")" 'unroutable .*Connection refused.*it was known by DANE' \
    "without a DNS it cannot be known"
is "$(find "$SPOOL/mail" -type f -path '*gone[23]*' | wc -l | tr -d ' ')" 2 \
    "the mail waits"
sed -i 's/^tls .*/tls none/' \
    "$SPOOL/state/gone3.sound.test/state"
"$BIN/mx-flush" -v -C "$CONF" gone3.sound.test 2>"$T/log"
like "$(cat "$T/log")" 'delivered id=.* tls="TLSv1.3 [A-Z0-9_]* none"' \
    "one that was not known by DANE need not be"
done_testing
