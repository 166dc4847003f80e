#!/bin/sh
# SPDX-License-Identifier: ISC
#
# mx-flush -w: what the trigger begins and what it does not, signals, and what
# goes on meanwhile.

. "$(dirname "$0")/../tap.sh"

need python3 pgrep flock

mkdir "$T/primary"
cat >"$T/table" <<'EOF'
good
other
mute GREET=?
refuse RCPT=550 5.1.1 no such user
down GREET=554 5.3.2 never
EOF
python3 "$TOP/tests/peers/badmx.py" "$T/table" "$T/primary" 2>"$T/peer" &
cleanup_pid $!
until_ok 10 test -e "$T/primary/ready" || diag_file "$T/peer"

route()
{
	echo "route 127.0.0.1:$(cat "$T/primary/$1.port")"
}

mkconf "timeout 10s" "timeout connect 1s" "timeout dns 1s" \
    "resolver 127.0.0.1@9"
mkdomain a.test "$(route good)"
mkdomain d.test "$(route down)"
mkdomain e.test "$(route down)"

add()
{
	printf 'Subject: x\r\n\r\ntext\r\n' |
	    "$BIN/mx-queue" -C "$CONF" add -f s@elsewhere.test "x@$1" \
	    >"$T/added"
}

begin()
{
	"$BIN/mx-flush" -C "$CONF" "$@" 2>"$T/said" &
	pid=$!
	cleanup_pid $pid
}

pull()
{
	# shellcheck disable=SC2059
	printf "$1" >"$SPOOL/trigger"
}

# How often a server was called.
calls()
{
	grep -c '^connection' "$T/primary/$1.log"
}

called()
{
	[ "$(calls "$1")" -ge "$2" ]
}

waiting()
{
	find "$SPOOL/mail/$1/new" "$SPOOL/mail/$1/cur" -type f | wc -l
}

gone()
{
	[ "$(waiting "$1")" -eq 0 ]
}

### Only those whose trigger was pulled

add a.test
add d.test
begin -w 1h
ok "it begins with a run of all" until_ok 5 called down 1
until_ok 5 gone a.test
add a.test
ok "mail for a domain that is up goes at once" until_ok 5 gone a.test
n=$(calls down)
"$BIN/mx-queue" -q -C "$CONF" hold a.test
add a.test
"$BIN/mx-queue" -q -C "$CONF" release a.test
ok "what is released does, too" until_ok 5 gone a.test
is "$(calls down)" "$n" "and no other is tried"
add d.test
ok "retry" "$BIN/mx-queue" -q -C "$CONF" retry d.test
ok "tries the domain at once" until_ok 5 called down $((n + 1))
sleep 0.2
n=$(calls down)
pull '+d.test\n+d.test\n+d.test\n'
sleep 0.5
is "$(calls down)" "$n" "mail for one that is down is no reason to try it"
add e.test
ok "for one not known it is" until_ok 5 called down $((n + 1))
sleep 0.2
pull '=d.test\n'
ok "who asks for it gets it tried" until_ok 5 called down $((n + 2))
"$BIN/mx-queue" -q -C "$CONF" hold a.test
add a.test
pull '=a.test\n'
sleep 0.5
is "$(waiting a.test)" 1 "what is on hold is left alone"
"$BIN/mx-queue" -q -C "$CONF" release a.test
ok "until it is released" until_ok 5 gone a.test

### Storms, oddities

n=$(calls down)
begun=$(date +%s)
i=0
while [ $i -lt 150 ]; do
	pull '=d.test\n'
	i=$((i + 1))
	sleep 0.01
done
sleep 0.3
took=$(($(calls down) - n))
ok "pulled all the time: once a second ($took)" \
    test $took -ge 1 -a $took -le $(($(date +%s) - begun + 2))
sleep 1
n=$(calls down)
pull 'x'
ok "any other byte begins a run of all" until_ok 5 called down $((n + 1))
n=$(calls down)
sleep 1
pull '=../../../etc/passwd\n'
ok "as does what is no domain" until_ok 5 called down $((n + 1))
n=$(calls down)
sleep 1
kill -HUP $pid
ok "and SIGHUP" until_ok 5 called down $((n + 1))

### The configuration, runs that go on

mkdomain a.test "$(route other)"
n=$(calls other)
add a.test
pull '=a.test\n'
ok "the configuration is read for each run" until_ok 5 called other \
    $((n + 1))
until_ok 5 gone a.test
mkdomain s.test "$(route good)" "rate 2/s"
add s.test
add s.test
add s.test
pull '=s.test\n'
until_ok 5 sh -c "[ \$(find '$SPOOL/mail/s.test/new' -type f | wc -l) -le 2 ]"
add s.test
ok "mail that comes amid a run goes after it" until_ok 12 gone s.test
mkdomain r.test "$(route refuse)"
mkdomain elsewhere.test "$(route good)"
add r.test
ok "a report goes at once, too" until_ok 5 sh -c \
    "grep -l 'your mail for r.test' '$T'/primary/good.*"
is "$(cat "$T/said")" "" "all in silence"

### The end

mkconf "timeout 10s" "timeout connect 1s" "timeout dns 1s" \
    "resolver 127.0.0.1@9"
mkdomain m.test "$(route mute)"
add m.test
pull '=m.test\n'
until_ok 5 called mute 1
ok "a worker waits for its server" \
    test -n "$(pgrep -P "$(pgrep -P $pid | head -n 1)")"
kill $pid
wait $pid
is "$?" 0 "SIGTERM is a good end"
is "$(pgrep -f -- "-C $CONF")" "" "of all that it has started"
ok "no lock is left" flock -n "$SPOOL/locks/m.test" true

### Some domains alone

begin -w 1h a.test
n=$(calls down)
add a.test
pull '=d.test\n=a.test\n'
ok "with arguments the trigger works" until_ok 5 gone a.test
is "$(calls down)" "$n" "for these domains alone"
stop $pid
begin -w 1h no/such/thing
wait $pid
is "$?" 64 "what makes no sense ends it"
done_testing
