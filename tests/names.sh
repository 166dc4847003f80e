# SPDX-License-Identifier: ISC
#
# A world of names, for the tests of mx-check, which begin with
#
#	. "$(dirname "$0")/../tap.sh"
#	. "$TOP/tests/names.sh"
#
# and run in a network namespace where all of 9.0.0.0/8 and 2a00:9::1 to ::9
# are this machine, so that name servers have port 53 and addresses that the
# Internet could have.
#
# names_serve [ADDR...]		starts tests/peers/evildns.py at 127.0.0.1, the
#				resolver, and at these, with the zones on
#				standard input and those below; $T/log
# names_nsd ADDR ZONE:FILE...	starts an nsd there; before this file is read,
#				need_pkg nsd_root nsd and export that
# names_unbound [LINE...]	starts unbound at 127.0.0.1, with these lines in
#				its "server:", and "ZONE ADDR..." on standard
#				input: who is asked for what; needs unbound_root
# check ARG...			mx-check -D: $T/stdout, $T/stderr, $status
# bad DOMAIN STATUS LINE...	what is not ok are these "level check subject";
#				$backup, if any, is the backup
# has DOMAIN LINE...		these are among all; $T/stdout stays
# says ERE NAME			a line of $T/stdout is like it

need unshare ip python3
if [ -z "${NAMES:-}" ]; then
	unshare -Urnmpf --mount-proc --kill-child true 2>/dev/null ||
	    skip_all "no namespaces here"
	export NAMES=inside
	unshare -Urnmpf --mount-proc --kill-child sh "$0"
	exit $?
fi
ip link set lo up
ip addr add 9.0.0.1/8 dev lo
for names_i in 1 2 3 4 5 6 7 8 9; do
	ip -6 addr add "2a00:9::$names_i/128" dev lo nodad
done

names_serve()
{
	cat - >"$T/zone"
	cat >>"$T/zone" <<'END'
example NS ns1.example
example NS ns2.example
example SOA 7
ns1.example A 9.9.1.1
ns2.example A 9.8.1.1
backup.test NS ns.backup.test
backup.test SOA 1
ns.backup.test A 9.7.1.1
mx2.backup.test A 8.8.8.8
mx2.backup.test AAAA 2a02::2
END
	names_at=
	for names_i in 127.0.0.1 9.9.1.1 9.8.1.1 9.7.1.1 "$@"; do
		names_at="$names_at -a $names_i"
	done
	# shellcheck disable=SC2086
	python3 "$TOP/tests/peers/evildns.py" $names_at -p 53 -c "$T/zone" \
	    -l "$T/log" >"$T/evil" &
	cleanup_pid $!
	until_ok 10 test -s "$T/evil" || fail "no name server"
}

names_nsd()
{
	names_at=$1
	shift
	mkdir -p "$T/$names_at"
	{
		cat <<END
server:
	ip-address: $names_at@53
	server-count: 1
	username: ""
	zonesdir: "$T"
	database: ""
	pidfile: "$T/$names_at/pid"
	logfile: "$T/$names_at/log"
	xfrdfile: "$T/$names_at/xfrd"
	xfrdir: "$T/$names_at"
	zonelistfile: "$T/$names_at/zones"
remote-control:
	control-enable: no
END
		for names_i; do
			printf 'zone:\n\tname: %s\n\tzonefile: %s\n' \
			    "${names_i%:*}" "${names_i#*:}"
		done
	} >"$T/$names_at/nsd.conf"
	"$nsd_root/usr/sbin/nsd" -d -c "$T/$names_at/nsd.conf" \
	    >"$T/$names_at/out" 2>&1 &
	cleanup_pid $!
}

names_unbound()
{
	{
		cat <<END
server:
	interface: 127.0.0.1@53
	do-daemonize: no
	num-threads: 1
	chroot: ""
	username: ""
	directory: "$T"
	pidfile: ""
	use-syslog: no
	logfile: "$T/unbound.log"
	local-zone: "test." nodefault
	root-hints: ""
END
		for names_i; do
			printf '\t%s\n' "$names_i"
		done
		printf 'remote-control:\n\tcontrol-enable: no\n'
		while read -r names_i names_at; do
			printf 'stub-zone:\n\tname: %s\n' "$names_i"
			# shellcheck disable=SC2086
			printf '\tstub-addr: %s\n' $names_at
		done
	} >"$T/unbound.conf"
	"$unbound_root/usr/sbin/unbound" -c "$T/unbound.conf" \
	    >"$T/unbound.out" 2>&1 &
	cleanup_pid $!
	wait_udp 53 || diag_file "$T/unbound.out"
}

backup=
check()
{
	"$BIN/mx-check" -D -r 127.0.0.1 "$@" >"$T/stdout" 2>"$T/stderr"
	status=$?
}

bad()
{
	name=$1
	want=$2
	shift 2
	check ${backup:+-b "$backup"} -q "$name"
	is "$status" "$want" "$name: exit $want"
	is "$(cut -f 1,3,4 <"$T/stdout" | tr '\t' ' ')" \
	    "$(for line; do printf '%s\n' "$line"; done)" "$name: findings"
	not_ok "$name: nothing else" grep -v "^[a-z]*	$name	" "$T/stdout"
}

has()
{
	name=$1
	shift
	check ${backup:+-b "$backup"} "$name"
	for line; do
		cut -f 1,3,4 <"$T/stdout" | tr '\t' ' ' |
		    grep -qxF -e "$line" && pass "$name: $line" || {
			fail "$name: $line"
			diag_file "$T/stdout"
		}
	done
}

says()
{
	grep -Eq -e "$1" "$T/stdout" && pass "$2" || {
		fail "$2" "not like: $1"
		diag_file "$T/stdout"
	}
}
