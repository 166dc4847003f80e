#!/bin/sh
# SPDX-License-Identifier: ISC
#
# Many domains at once: servers that do not answer at all, or accept and never
# greet, or serve many domains; long queues beside short ones.
#
# All of it in a network namespace, one side of a cable whose other side takes
# what comes and never answers.

. "$(dirname "$0")/../tap.sh"

need python3 unshare ip
if [ -z "${MANY_INSIDE:-}" ]; then
	opts=-n
	[ "$(id -u)" -eq 0 ] || opts=-Urn
	unshare $opts true 2>/dev/null || skip_all "no network namespaces here"
	# shellcheck disable=SC2086
	MANY_INSIDE=1 unshare $opts sh "$0"
	exit
fi

silence()
{
	ip link set lo up && ip link add here type veth peer name there &&
	    ip addr add 10.99.0.1/16 dev here &&
	    ip addr add fd99::1/64 dev here nodad &&
	    ip link set here up arp off && ip link set there up arp off
}
silence >"$T/.out" 2>&1 || skip_all "no cable to cut: $(tail -n 1 "$T/.out")"

mkdir "$T/primary"
cat >"$T/table" <<'EOF'
good
mute GREET=?
slow GREET=drip:220 slow.test
EOF
python3 "$TOP/tests/peers/badmx.py" "$T/table" "$T/primary" 2>"$T/peer" &
cleanup_pid $!
until_ok 10 test -e "$T/primary/ready" || diag_file "$T/peer"

route()
{
	echo "route 127.0.0.1:$(cat "$T/primary/$1.port")"
}

# A configuration and an empty spool for the next tests: LINE...
fresh()
{
	rm -rf "$T/etc" "$T/spool"
	mkconf "timeout 8s" "timeout connect 2s" "timeout dns 1s" \
	    "resolver 127.0.0.1@9" "$@"
}

# One message, or COUNT, for DOMAIN.
add()
{
	id=$(printf 'Subject: x\r\n\r\ntext\r\n' |
	    "$BIN/mx-queue" -C "$CONF" add -f s@elsewhere.test "a@$1")
	new=$SPOOL/mail/$1/new
	i=1
	while [ "$i" -lt "${2:-1}" ]; do
		cp "$new/$id" \
		    "$new/${id%%Q*}Q$((i + 1)).mx2.backup.test,${id#*,}" ||
		    return
		i=$((i + 1))
	done
}

flush()
{
	"$BIN/mx-flush" -C "$CONF" "$@"
}

waiting()
{
	find "$SPOOL/mail/$1/new" "$SPOOL/mail/$1/cur" -type f | wc -l
}

now_ms()
{
	echo $(($(date +%s%N) / 1000000))
}

### Servers that do not answer at all

fresh
n=2
while [ $n -lt 102 ]; do
	mkdomain "d$n.test" "route 10.99.0.$n [fd99::$n] 10.99.1.$n"
	add "d$n.test"
	n=$((n + 1))
done
mkdomain live.test "$(route good)"
add live.test
begin=$(now_ms)
exits 75 "a hundred domains with three silent servers each" flush
took=$(($(now_ms) - begin))
ok "take less than three time-outs of 2 s ($took ms)" test $took -lt 6000
is "$(waiting live.test)" 0 "one among them that answers gets its mail"
is "$(grep -l '^state down' "$SPOOL"/state/d*.test/state | wc -l)" 100 \
    "the others are known to be down"
for server in 10.99.0.7 fd99::7 10.99.1.7; do
	like "$(grep '^error ' "$SPOOL/state/d7.test/state")" \
	    "\\[$server\\]:25: cannot connect: Connection timed out" \
	    "for want of $server"
done

### One that accepts and says nothing

fresh
mkdomain a.test "$(route mute)"
mkdomain b.test "$(route good)"
add a.test
add b.test
"$BIN/mx-flush" -C "$CONF" -j 1 &
pid=$!
cleanup_pid $pid
ok "one that never greets holds nobody up" until_ok 4 sh -c \
    "[ -z \"\$(find '$SPOOL/mail/b.test' -type f)\" ]"
ok "while it is waited for" kill -0 $pid
kill $pid
wait $pid
is "$?" 143 "SIGTERM ends a run"
is "$(pgrep -f -- "-C $CONF")" "" "with all its workers"

### A long queue and a short one

fresh
mkdomain long.test "$(route good)" "rate 100/s"
mkdomain short.test "$(route slow)"
add long.test 2000
add short.test 2
"$BIN/mx-flush" -C "$CONF" -j 1 long.test short.test &
pid=$!
cleanup_pid $pid
begin=$(now_ms)
ok "two messages do not wait for two thousand" until_ok 8 sh -c \
    "[ -z \"\$(find '$SPOOL/mail/short.test' -type f)\" ]"
took=$(($(now_ms) - begin))
left=$(waiting long.test)
ok "but for a slice of time ($took ms)" test $took -lt 4500
ok "the long queue was begun before ($left left)" test "$left" -lt 2000
ok "and goes on" until_ok 5 sh -c \
    "[ \$(find '$SPOOL/mail/long.test' -type f | wc -l) -lt $((left - 20)) ]"
kill $pid
wait $pid

### One server of many domains

fresh "rate 4/s"
for n in 1 2 3 4 5 6 7 8 9 10 11 12; do
	mkdomain "c$n.test" "$(route good)"
	add "c$n.test" 4
done
hex=$(printf ':%04X' "$(cat "$T/primary/good.port")")
"$BIN/mx-flush" -C "$CONF" -j 12 &
pid=$!
cleanup_pid $pid
most=0
while kill -0 $pid 2>/dev/null; do
	n=$(awk -v p="$hex\$" '$3 ~ p && $4 == "01"' /proc/net/tcp | wc -l)
	[ "$n" -gt $most ] && most=$n
	sleep 0.05
done
wait $pid
is "$?" 0 "twelve domains of one server"
ok "are given to it over five connections at once ($most)" \
    test "$most" -gt 1 -a "$most" -le 5
done_testing
