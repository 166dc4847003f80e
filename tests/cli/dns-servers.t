# SPDX-License-Identifier: ISC
# Real servers: nsd with signed zones, one of them forged, and unbound, which
# validates them with and without extended errors.
. "$(dirname "$0")/../tap.sh"
need ldns-keygen ldns-signzone drill
need_pkg nsd_root nsd
need_pkg unbound_root unbound

# NAME, further lines on standard input
zone()
{
	cat - >"$T/more"
	{
		echo "\$ORIGIN $1."
		echo "\$TTL 300"
		echo "@ SOA ns.$1. root.$1. 1 3600 900 604800 300"
		echo "@ NS ns"
		echo "ns A 127.0.0.1"
		cat "$T/more"
	} >"$T/$1.zone"
	(
		cd "$T" &&
		key=$(ldns-keygen -r /dev/urandom -a ECDSAP256SHA256 -k "$1") &&
		ldns-signzone -n -f "$1.signed" "$1.zone" "$key" &&
		cat "$key.key" >>anchors
	) || fail "sign $1"
}

{
	echo "@ MX 20 mx2.backup.test."
	echo "@ MX 10 mx1"
	echo "mx1 A 8.8.4.4"
	echo "mx1 AAAA 2a00::1"
	echo "cname CNAME @"
	echo "away CNAME mail.elsewhere.example."
	echo "null MX 0 ."
	echo "implicit A 8.8.4.4"
	echo "nomail TXT \"nothing here\""
	echo "tomx MX 10 cname"
	for i in $(seq 60); do
		echo "many MX $i host-with-a-rather-long-name-$i.elsewhere.example."
	done
	echo "badaddr MX 10 mx.forged.test."
} | zone sound.test
{
	echo "@ MX 10 mx"
	echo "mx A 8.8.4.4"
} | zone forged.test
sed 's/\(IN[[:space:]]*MX[[:space:]]*\)10 /\111 /
    s/\(IN[[:space:]]*A[[:space:]]*8.8.4.\)4/\15/' "$T/forged.test.signed" \
    >"$T/forged"
not_ok "the forged zone differs" cmp -s "$T/forged" "$T/forged.test.signed"
mv "$T/forged" "$T/forged.test.signed"

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
	zonefile: sound.test.signed
zone:
	name: forged.test
	zonefile: forged.test.signed
END
"$nsd_root/usr/sbin/nsd" -d -c "$T/nsd.conf" >"$T/nsd.out" 2>&1 &
cleanup_pid $!
wait_udp "$nsd_port" || { diag_file "$T/nsd.out"; diag_file "$T/nsd.log"; }

# NAME, ede yes or no; prints the port
resolver()
{
	cat >"$T/$1.conf" <<END
server:
	interface: 127.0.0.1@$2
	do-daemonize: no
	num-threads: 1
	chroot: ""
	username: ""
	directory: "$T"
	pidfile: ""
	use-syslog: no
	logfile: "$T/$1.log"
	module-config: "validator iterator"
	trust-anchor-file: "$T/anchors"
	do-not-query-localhost: no
	local-zone: "." static
	local-zone: "sound.test." transparent
	local-zone: "forged.test." transparent
	val-log-level: 1
	ede: $3
	root-hints: ""
remote-control:
	control-enable: no
stub-zone:
	name: sound.test
	stub-addr: 127.0.0.1@$nsd_port
stub-zone:
	name: forged.test
	stub-addr: 127.0.0.1@$nsd_port
END
	"$unbound_root/usr/sbin/unbound" -c "$T/$1.conf" >"$T/$1.out" 2>&1 &
	cleanup_pid $!
	wait_udp "$2" || { diag_file "$T/$1.out"; diag_file "$T/$1.log"; }
}
ede_port=$(free_port)
resolver ede "$ede_port" yes
old_port=$(free_port)
resolver old "$old_port" no

# PORT DOMAIN: outcome and secure
outcome()
{
	"$BIN/mx-check" -D -4j -t 5 -r "127.0.0.1@$1" "$2" >"$T/json"
	sed 's/.*"outcome":"\([a-z]*\)","secure":\([a-z]*\).*/\1 \2/' \
	    "$T/json"
}

for port in $nsd_port $ede_port $old_port; do
	case $port in
	"$nsd_port") who=nsd secure=false ;;
	"$ede_port") who="unbound with extended errors" secure=true ;;
	"$old_port") who=unbound secure=true ;;
	esac
	is "$(outcome "$port" sound.test)" "data $secure" "$who: MX"
	is "$(outcome "$port" cname.sound.test)" "data $secure" \
	    "$who: an alias of a domain"
	is "$(outcome "$port" null.sound.test)" "data $secure" "$who: null MX"
	is "$(outcome "$port" implicit.sound.test)" "nodata $secure" \
	    "$who: no MX"
	is "$(outcome "$port" none.sound.test)" "nxdomain $secure" \
	    "$who: no such name"
	is "$(outcome "$port" many.sound.test)" "data $secure" \
	    "$who: 60 MX, by TCP"
	is "$(grep -o ' IN MX ' "$T/json" | wc -l | tr -d ' ')" 60 \
	    "$who: all of them"
	if [ "$who" = nsd ]; then
		is "$(outcome "$port" forged.test)" "data false" \
		    "$who: does not validate"
		is "$(outcome "$port" away.sound.test)" "tempfail false" \
		    "$who: an alias that leads elsewhere is no data"
		is "$(outcome "$port" other.example)" "tempfail false" \
		    "$who: a zone that is not its own"
	else
		is "$(outcome "$port" forged.test)" "bogus false" \
		    "$who: a forged MX"
	fi
done

"$BIN/mx-check" -D -r "127.0.0.1@$ede_port" badaddr.sound.test tomx.sound.test \
    >"$T/out"
is "$?" 2 "faults of hosts"
like "$(cat "$T/out")" \
    '^fail	badaddr.sound.test	lookup-bogus	mx.forged.test	' \
    "the addresses of a host are forged"
like "$(cat "$T/out")" '^fail	tomx.sound.test	mx-alias	cname.sound.test	' \
    "a host is an alias"

"$BIN/mx-check" -D -r "127.0.0.1@$nsd_port" sound.test | grep ' IN ' | sort \
    >"$T/ours"
drill -p "$nsd_port" @127.0.0.1 sound.test MX |
    sed -n '/ANSWER SECTION/,/^$/p' | grep '^sound' | tr '\t' ' ' | sort \
    >"$T/theirs"
same "$T/ours" "$T/theirs" "the answer section is what drill shows"

done_testing
