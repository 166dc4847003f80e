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
