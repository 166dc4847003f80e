# SPDX-License-Identifier: ISC
#
# The Test Anything Protocol for the shell tests, which begin with
#
#	. "$(dirname "$0")/../tap.sh"
#
# and end with done_testing.  They get
#
#	$TOP	the checkout
#	$BIN	the programs under test
#	$T	a directory of their own, removed at the end
#	$ASAN	1 when the programs are built with AddressSanitizer, else empty
#
# ok NAME CMD...		CMD succeeds
# not_ok NAME CMD...		CMD fails, but not by a signal
# exits STATUS NAME CMD...	CMD exits with STATUS
# is GOT WANT NAME		two strings are equal
# like GOT ERE NAME		a string matches an extended regular expression
# unlike GOT ERE NAME		or does not
# same FILE FILE NAME		two files are equal
# pass NAME, fail NAME [TEXT]	the test has found out by itself
# skip NAME WHY			one check is not made
# skip_all WHY			none is made
# need CMD...			skip_all unless these commands are there
# need_pkg VAR NAME		sets VAR to the root of an unpacked package
#				(tests/pkg), or skip_all
# until_ok SECONDS CMD...	waits until CMD succeeds
# cleanup_pid PID		ended when the test ends
# stop PID			ended now
# free_port			prints a TCP and UDP port nobody listens on
# wait_port ADDR PORT		waits until somebody listens (TCP)
# wait_udp PORT			the same for UDP
# mkconf [LINE...]		$T/etc (also $CONF) and $T/spool (also $SPOOL),
#				hostname mx2.backup.test, and these lines
# mkdomain NAME [LINE...]	a domain's file

set -u

LC_ALL=C
TZ=UTC0
export LC_ALL TZ
umask 022

TOP=$(cd "$(dirname "$0")/../.." && pwd -P)
BIN=${BIN:-$TOP/bin}
ASAN=${ASAN:-}
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin
export TOP BIN ASAN PATH
T=$(mktemp -d "${TMPDIR:-/tmp}/mxkeep.XXXXXX") || exit 1
: >"$T/.pids"
tap_run=0
tap_failed=0

tap_end()
{
	tap_status=$?
	trap '' EXIT HUP INT TERM
	while read -r tap_pid; do
		stop "$tap_pid"
	done <"$T/.pids"
	if [ -n "${KEEP:-}" ] && [ "$tap_status" -ne 0 ]; then
		echo "# kept $T"
	else
		rm -rf "$T"
	fi
	exit "$tap_status"
}
trap tap_end EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

# Comments, one line each, of a text or of the end of a file.
diag()
{
	printf '%s\n' "$*" | sed 's/^/#   /'
}

diag_file()
{
	tail -n 40 "$1" | cut -c 1-400 | LC_ALL=C tr -c '\11\12\40-\176' '?' |
	    sed 's/^/#     /'
}

pass()
{
	tap_run=$((tap_run + 1))
	echo "ok $tap_run - $1"
}

fail()
{
	tap_run=$((tap_run + 1))
	tap_failed=$((tap_failed + 1))
	echo "not ok $tap_run - $1"
	shift
	[ $# -eq 0 ] || diag "$@"
}

# Runs a command, its output aside, and leaves its exit status in $status.
tap_command()
{
	"$@" >"$T/.out" 2>&1
	status=$?
}

ok()
{
	tap_name=$1
	shift
	tap_command "$@"
	if [ "$status" -eq 0 ]; then
		pass "$tap_name"
	else
		fail "$tap_name" "exit $status: $*"
		diag_file "$T/.out"
	fi
}

not_ok()
{
	tap_name=$1
	shift
	tap_command "$@"
	if [ "$status" -ne 0 ] && [ "$status" -lt 126 ]; then
		pass "$tap_name"
	else
		fail "$tap_name" "exit $status, wanted a failure: $*"
		diag_file "$T/.out"
	fi
}

exits()
{
	tap_want=$1
	tap_name=$2
	shift 2
	tap_command "$@"
	if [ "$status" -eq "$tap_want" ]; then
		pass "$tap_name"
	else
		fail "$tap_name" "exit $status, wanted $tap_want: $*"
		diag_file "$T/.out"
	fi
}

is()
{
	if [ "$1" = "$2" ]; then
		pass "$3"
	else
		fail "$3" "got:  $1"
		diag "want: $2"
	fi
}

like()
{
	if printf '%s\n' "$1" | grep -Eq -e "$2"; then
		pass "$3"
	else
		fail "$3" "got: $1"
		diag "not like: $2"
	fi
}

unlike()
{
	if printf '%s\n' "$1" | grep -Eq -e "$2"; then
		fail "$3" "got: $1"
		diag "wanted nothing like: $2"
	else
		pass "$3"
	fi
}

same()
{
	if cmp -s "$1" "$2"; then
		pass "$3"
	else
		fail "$3" "$(cmp "$1" "$2" 2>&1)"
		diag "$(ls -l "$1" "$2" 2>&1)"
	fi
}

skip()
{
	tap_run=$((tap_run + 1))
	echo "ok $tap_run - $1 # SKIP $2"
}

skip_all()
{
	echo "1..0 # SKIP $1"
	exit 0
}

need()
{
	for tap_cmd; do
		command -v "$tap_cmd" >/dev/null || skip_all "no $tap_cmd here"
	done
}

need_pkg()
{
	tap_root=$(sh "$TOP/tests/pkg" "$2" 2>"$T/.out") ||
	    skip_all "no $2 to be had: $(tail -n 1 "$T/.out")"
	eval "$1=\$tap_root"
}

until_ok()
{
	tap_tries=$(($1 * 20))
	shift
	until "$@" >/dev/null 2>&1; do
		tap_tries=$((tap_tries - 1))
		[ "$tap_tries" -gt 0 ] || return 1
		sleep 0.05
	done
}

cleanup_pid()
{
	echo "$1" >>"$T/.pids"
}

tap_gone()
{
	# A child that ended stays until it is waited for.
	case $(ps -o stat= -p "$1") in ''|Z*) return 0 ;; esac
	return 1
}

stop()
{
	kill "$1" 2>/dev/null || return 0
	until_ok 3 tap_gone "$1" || kill -9 "$1" 2>/dev/null
	wait "$1" 2>/dev/null
	return 0
}

# Listening sockets of this network namespace: proto port
tap_listens()
{
	tap_hex=$(printf '%04X' "$2")
	case $1 in
	tcp) set -- "$1" 0A ;;
	udp) set -- "$1" 07 ;;
	esac
	cat "/proc/net/$1" "/proc/net/${1}6" 2>/dev/null |
	    awk -v port=":$tap_hex\$" -v state="$2" \
	    '$2 ~ port && $4 == state { found = 1 } END { exit !found }'
}

# Below the range that the kernel gives to clients, begun at a place that
# depends on the process, so that tests side by side do not meet.
free_port()
{
	tap_port=$(cat "$T/.port" 2>/dev/null || echo $(($$ * 61 % 20000)))
	while :; do
		tap_port=$(((tap_port + 1) % 20000))
		tap_listens tcp $((tap_port + 11000)) && continue
		tap_listens udp $((tap_port + 11000)) && continue
		break
	done
	echo "$tap_port" >"$T/.port"
	echo $((tap_port + 11000))
}

wait_port()
{
	until_ok 10 tap_listens tcp "$2" && return 0
	echo "# nobody listens on $1 port $2"
	return 1
}

wait_udp()
{
	until_ok 10 tap_listens udp "$1" && return 0
	echo "# nobody listens on UDP port $1"
	return 1
}

mkconf()
{
	CONF=$T/etc
	SPOOL=$T/spool
	mkdir -p "$CONF/domains" "$SPOOL"
	chmod 700 "$SPOOL"
	{
		echo "hostname mx2.backup.test"
		echo "spool $SPOOL"
		for tap_line; do
			printf '%s\n' "$tap_line"
		done
		# The sanitizers find leaks by /proc, ptrace and a thread.
		case $ASAN:$* in
		1:*sandbox*) ;;
		1:*) echo "sandbox no" ;;
		esac
	} >"$CONF/mxkeep.conf"
}

mkdomain()
{
	tap_file=$CONF/domains/$1
	shift
	: >"$tap_file"
	for tap_line; do
		printf '%s\n' "$tap_line"
	done >>"$tap_file"
}

done_testing()
{
	echo "1..$tap_run"
	[ "$tap_failed" -eq 0 ] || exit 1
	exit 0
}
