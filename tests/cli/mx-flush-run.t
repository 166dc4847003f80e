#!/bin/sh
# SPDX-License-Identifier: ISC
#
# What a run of mx-flush does besides talking: locks, holds, state, order,
# shared knowledge of hosts, what it says and its exit status.

. "$(dirname "$0")/../tap.sh"

need python3 flock pgrep

mkdir "$T/primary"
cat >"$T/table" <<'END'
good
us GREET=220 mx2.backup.test
mute GREET=?
often GREET=ok;GREET=421 4.7.0 too often;MAIL=ok;MAIL=421 4.7.0 enough
down GREET=554 5.3.2 never
refuse RCPT=550 5.1.1 no such\x07user
hundred MAIL=ok;MAIL=ok;MAIL=421 enough;MAIL=ok
losing MAIL=!
dies DATA=ok;DATA=!;DATA=ok
hops MAIL=ok;MAIL=!;MAIL=ok
busy
exact
takes END=?
END
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
	mkconf "timeout 2s" "timeout connect 1s" "timeout dns 1s" \
	    "resolver 127.0.0.1@9" "$@"
}

add()
{
	printf 'Subject: %s\r\n\r\ntext\r\n' "$2" |
	    "$BIN/mx-queue" -C "$CONF" add -f "sender@elsewhere.test" "$1"
}

flush()
{
	"$BIN/mx-flush" -C "$CONF" "$@"
}

# Slips of the hand.
fresh
mkdomain a.test
exits 0 "a domain with nothing" flush a.test
is "$(cat "$T/.out")" "" "is no news"
exits 0 "a domain that is not ours" flush b.test
like "$(cat "$T/.out")" 'b.test: not in .*/domains, and nothing' "is"
exits 64 "no number of jobs" flush -j many
like "$(cat "$T/.out")" 'expected a number from 1 to 1000' "says which"
exits 64 "no time to wait" flush -w soon
like "$(cat "$T/.out")" 'expected seconds, or a duration' "says what"

waiting()
{
	find "$SPOOL/mail/$1/new" "$SPOOL/mail/$1/cur" -type f | wc -l
}

arrived()
{
	find "$T/primary" -name "$1.[0-9]*" | wc -l
}

state()
{
	sed -n "s/^$2 //p" "$SPOOL/state/$1/state"
}

### Exit status and silence

fresh
mkdomain a.test "$(route good)"
mkdomain d.test "$(route down)"
exits 0 "an empty spool" flush
is "$(cat "$T/.out")" "" "an empty spool: silence"
add one@a.test one >/dev/null
add one@d.test one >/dev/null
exits 75 "one domain is down" flush
is "$(cat "$T/.out")" "" "one domain is down: silence"
is "$(arrived good) $(waiting a.test) $(waiting d.test)" "1 0 1" \
    "the other one's mail went"
exits 0 "a domain with nothing left" flush a.test
exits 75 "a domain that waits" flush d.test
exits 64 "neither domain nor id" flush 'no such/thing'
exits 64 "an unknown option" flush -x
exits 64 "no jobs" flush -j 0
exits 1 "an id that is nowhere" flush 1764000000.M1P1Q1.host
echo "nonsense yes" >>"$CONF/domains/d.test"
exits 78 "a domain's file that is wrong" flush
like "$(cat "$T/.out")" "domains/d.test:2: " "the place is told"
is "$(waiting d.test)" 1 "and its mail is kept"
echo "nonsense yes" >>"$CONF/mxkeep.conf"
exits 78 "a mxkeep.conf that is wrong" flush

### State and outages

fresh
mkdomain a.test "$(route down)"
add one@a.test one >/dev/null
ok "first try" test "$(flush; echo $?)" = 75
is "$(state a.test state)" down "state: down"
like "$(state a.test error)" "the greeting: 554 5.3.2 never" "state: why"
like "$(state a.test last-try)" "^[0-9]+ 20" "state: when"
since=$(state a.test since)
sleep 1.1
flush
is "$(state a.test since)" "$since" "down since the first time"
unlike "$(state a.test last-try)" "^$since\$" "but tried again"
mkdomain a.test "$(route good)"
flush
is "$(state a.test state) $?" "up 0" "state: up"
like "$(state a.test route)" "^127.0.0.1 \[127.0.0.1\]:[0-9]+$" "state: route"
like "$(state a.test ehlo)" "^SIZE 50000000;8BITMIME;PIPELINING" "state: EHLO"
is "$(cut -f 2 "$SPOOL/state/a.test/outages" | tr '\n' ' ')" "down up " \
    "a line a change in outages"

fresh
mkdomain a.test "$(route us) 127.0.0.1:$(cat "$T/primary/down.port")"
mkdomain b.test "$(route down)"
add one@a.test one >/dev/null
add one@b.test one >/dev/null
flush -j 1 b.test a.test
is "$(state a.test state)" down "ourselves, and a host known to be dead: down"

fresh
mkdomain a.test "$(route often)"
for n in 1 2 3; do
	add "$n@a.test" "$n" >/dev/null
done
exits 75 "one message, then no connection more" flush
is "$(state a.test state) $(waiting a.test)" "up 2" \
    "one message, then no connection more: busy, not down"
like "$(state a.test error)" "421 4.7.0 too often" "but with its words"
flush
is "$(cut -f 2 "$SPOOL/state/a.test/outages" | tr '\n' ' ')" "up down " \
    "refused from the start of a run: down"

### No route: unroutable, then the last one that worked

fresh
mkdomain a.test
add one@a.test one >/dev/null
exits 75 "no answer from the DNS" flush
is "$(state a.test state)" unroutable "no answer from the DNS: unroutable"
rm -rf "$SPOOL/state/a.test"
mkdomain a.test "$(route good)"
flush
add two@a.test two >/dev/null
mkdomain a.test
exits 0 "no answer from the DNS, but a memory" flush
is "$(waiting a.test)" 0 "the last route that worked is used"

### A dead host is tried once

fresh
before=$(grep -c '^connection' "$T/primary/down.log")
for n in 1 2 3 4 5 6; do
	mkdomain "d$n.test" "$(route down)"
	add "a@d$n.test" one >/dev/null
done
flush -j 3
is "$(($(grep -c '^connection' "$T/primary/down.log") - before))" 1 \
    "six domains of one dead host: one probe"
like "$(state d6.test error)" "554 5.3.2 never" "all know why"

### Order, many over one connection

fresh
mkdomain a.test "$(route busy)"
for n in 1 2 3 4 5 6 7 8 9; do
	add a@a.test "$n" >/dev/null
done
flush
is "$(cat "$T"/primary/busy.[1-9] | sed -n 's/^Subject: \([0-9]\).*/\1/p' |
    tr -d '\n')" 123456789 "oldest first"
is "$(grep -c '^connection' "$T/primary/busy.log")" 1 "over one connection"

### Byte for byte

fresh
mkdomain a.test "$(route exact)"
n=0
for text in '' '\r\n' 'x' '.' '.\r\n..\r\n.' '\377\200\r\n\r\n.\r\n'; do
	n=$((n + 1))
	# shellcheck disable=SC2059
	id=$(printf "$text" | "$BIN/mx-queue" -C "$CONF" add -f a@x.test \
	    "$n@a.test")
	"$BIN/mx-queue" -C "$CONF" cat -w "$id" >"$T/sent.$n"
	[ -z "$(tail -c 1 "$T/sent.$n" | tr -d '\n')" ] ||
	    printf '\r\n' >>"$T/sent.$n"
done
flush
for n in 1 2 3 4 5 6; do
	same "$T/sent.$n" "$T/primary/exact.$n" "text $n arrives as it is"
done

### A server that ends connections

fresh
mkdomain a.test "$(route hundred)"
mkdomain b.test "$(route hops)"
mkdomain c.test "$(route losing)"
mkdomain d.test "$(route dies)"
for n in 1 2 3 4 5; do
	for domain in a b c d; do
		add "$n@$domain.test" "$n" >/dev/null
	done
done
flush
is "$(waiting a.test)" 0 "421 to a later MAIL: on with a new connection"
is "$(waiting b.test)" 0 "closed between messages: on with a new connection"
is "$(waiting c.test)" 5 "closed at each MAIL: all wait"
is "$(grep -c '^connection' "$T/primary/losing.log")" 3 \
    "and after three in a row the run ends"
is "$(waiting d.test)" 1 "closed at one DATA: that one waits, not the others"
is "$(grep -c '^> DATA' "$T/primary/dies.log")" 5 "and is not tried again"

### Only some

fresh
mkdomain a.test "$(route good)"
mkdomain b.test "$(route good)"
one=$(add one@a.test one)
two=$(add two@a.test two)
add three@b.test three >/dev/null
exits 0 "one id, which goes" flush "${one%%,*}"
is "$(waiting a.test) $(ls "$SPOOL/mail/a.test/new")" "1 $two" "only one id"
is "$(waiting b.test)" 1 "and not the other domain"
flush b.test
is "$(waiting a.test) $(waiting b.test)" "1 0" "only one domain"
one=$(add one@b.test one)
add two@b.test two >/dev/null
flush "$one" b.test
is "$(waiting b.test)" 0 "an id and its domain: the whole domain"

### -n

(cd "$SPOOL" && find . | sort && cat state/*/*) >"$T/before"
count=$(arrived good)
exits 75 "-n" flush -n
like "$(cat "$T/.out")" "would deliver domain=a.test .*messages=1" \
    "-n says what would be done"
(cd "$SPOOL" && find . | sort && cat state/*/*) >"$T/after"
same "$T/before" "$T/after" "-n changes nothing"
is "$(arrived good)" "$count" "-n sends nothing"

### Locks and holds

(exec 9>>"$SPOOL/mail/a.test/new/$two" && flock 9 && exec sleep 10) &
cleanup_pid $!
until_ok 3 sh -c "! flock -n '$SPOOL/mail/a.test/new/$two' true"
exits 75 "a message in another's hand" flush
exits 75 "and that one alone" flush "$two"
is "$(waiting a.test)" 1 "a message in another's hand stays"
stop $!
"$BIN/mx-queue" -C "$CONF" hold a.test
exits 75 "a domain on hold" flush
is "$(waiting a.test)" 1 "a domain on hold is left alone"
sed -i '/^held-until/d' "$SPOOL/state/a.test/hold"
echo 'held-until 2' >>"$SPOOL/state/a.test/hold"
exits 0 "a hold that has run out" flush
is "$(waiting a.test)" 0 "a hold that has run out is over"

### bounce no, keep

fresh
mkdomain a.test "$(route refuse)" "bounce no"
mkdomain b.test "$(route refuse)" "keep 3d"
mkdomain c.test "$(route good)" "keep 3d"
id=$(add a@a.test one)
add a@b.test one >/dev/null
add a@c.test one >/dev/null
exits 0 "refused with bounce no, and with keep" flush a.test b.test c.test
is "$(ls "$SPOOL/mail/a.test/.Held/cur" | wc -l)" 1 "bounce no: on hold"
is "$(ls "$SPOOL/mail/b.test/.Expired/cur" | wc -l)" 1 "keep: a copy of a failure"
is "$(ls "$SPOOL/mail/c.test/.Sent/cur" | wc -l)" 1 "keep: a copy of a success"
is "$(find "$SPOOL/mail/elsewhere.test" -type f | wc -l)" 1 "one report of two"
like "$("$BIN/mx-queue" -C "$CONF" show "$id")" \
    '550 5.1.1 no such\\+auser' "the reply is shown, made plain"

# Nothing can be filed: what was delivered is not delivered again.
fresh
mkdomain a.test "$(route good)" "keep 3d"
count=$(arrived good)
add a@a.test one >/dev/null
echo "in the way" >"$SPOOL/mail/a.test/.Sent"
flush
exits 75 "the copy cannot be filed" flush
is "$(arrived good) $(waiting a.test)" "$((count + 1)) 1" \
    "the copy cannot be filed: it waits, delivered once"
rm "$SPOOL/mail/a.test/.Sent"
exits 0 "then it can" flush
is "$(arrived good) $(ls "$SPOOL/mail/a.test/.Sent/cur" | wc -l)" \
    "$((count + 1)) 1" "then it can: a copy, still delivered once"

### A worker that is killed

fresh
mkdomain a.test "$(route mute)"
mkdomain b.test "$(route good)"
add a@a.test one >/dev/null
add a@b.test one >/dev/null
before=$(grep -c '^connection' "$T/primary/mute.log")
"$BIN/mx-flush" -C "$CONF" -j 1 2>"$T/said" &
pid=$!
cleanup_pid $pid
until_ok 5 sh -c \
    "[ \"\$(grep -c '^connection' '$T/primary/mute.log')\" -gt $before ]"
kill -ABRT "$(pgrep -P $pid)"
wait $pid
is "$?" 1 "a worker that is killed: exit 1"
like "$(cat "$T/said")" "ended by signal 6" "a worker that is killed: told"
is "$(waiting a.test) $(waiting b.test)" "1 0" "the others go on"

fresh "timeout dot 20s"
mkdomain a.test "$(route takes)"
add a@a.test one >/dev/null
"$BIN/mx-flush" -C "$CONF" 2>"$T/said" &
pid=$!
cleanup_pid $pid
ok "a server that does not answer a text" until_ok 5 \
    test -e "$T/primary/takes.1"
kill -9 "$(pgrep -P $pid)" $pid
wait $pid
mkdomain a.test "$(route good)"
"$BIN/mx-flush" -v -C "$CONF" 2>"$T/said"
is "$(waiting a.test)" 0 "cut short in the middle: sent again"
like "$(cat "$T/said")" \
    'possible duplicate domain=a\.test reason="the run of 20.* was cut short' \
    "and the log says so"
add a@a.test two >/dev/null
"$BIN/mx-flush" -v -C "$CONF" 2>"$T/said"
unlike "$(cat "$T/said")" 'possible duplicate' "once"

### Crashed after the mark, before the report; damaged files

fresh
mkdomain a.test "$(route good)"
id=$(add a@a.test one)
file=$SPOOL/mail/a.test/new/$id
count=$(arrived good)
# What the state table calls "marked": the recipient's byte is f.
python3 - "$file" <<'END'
import re, sys
with open(sys.argv[1], "r+b") as f:
    text = f.read()
    f.seek(re.search(rb"Mx-Recipient: .*\r\n", text).start())
    line = f.readline()
    f.seek(-len(line) + line.index(b" p ") + 1, 1)
    f.write(b"f")
END
exits 0 "a failed recipient found, its sender not told" flush a.test
is "$(waiting a.test) $(arrived good)" "0 $count" "not sent again, and gone"
is "$(find "$SPOOL/mail/elsewhere.test" -type f | wc -l)" 1 "and told"
id=$(add a@a.test one)
add b@a.test two >/dev/null
printf 'x' >>"$SPOOL/mail/a.test/new/$id"
exits 75 "a damaged file" flush -v a.test
like "$(cat "$T/.out")" "damaged id=$id" "a damaged file is told of"
is "$(waiting a.test) $(arrived good)" "1 $((count + 1))" \
    "a damaged file is kept, the rest goes"

### rate

fresh
mkdomain a.test "$(route good)" "rate 5/s"
for n in 1 2 3 4 5; do
	add "$n@a.test" "$n" >/dev/null
done
begin=$(date +%s%N)
flush
took=$((($(date +%s%N) - begin) / 1000000))
ok "five messages at 5/s take 0.8 s ($took ms)" test "$took" -ge 790

fresh
mkdomain a.test "$(route good)" "rate 2/s"
for n in 1 2 3 4 5 6 7 8 9; do
	add "$n@a.test" "$n" >/dev/null
done
"$BIN/mx-flush" -C "$CONF" &
pid=$!
cleanup_pid $pid
sleep 0.7
"$BIN/mx-queue" -C "$CONF" hold a.test
ok "a hold in the midst of a run" until_ok 3 tap_gone $pid
like "$(waiting a.test)" '^[4-7]$' "a hold in the midst of a run ends it"

### -w and the trigger

fresh
mkdomain a.test "$(route good)"
"$BIN/mx-flush" -C "$CONF" -w 1h 2>"$T/stay" &
pid=$!
cleanup_pid $pid
until_ok 5 test -p "$SPOOL/trigger"
sleep 0.2
add a@a.test one >/dev/null
printf x >"$SPOOL/trigger"
ok "a byte in the trigger wakes -w" until_ok 5 sh -c \
    "[ \"\$(find '$SPOOL/mail/a.test' -type f | wc -l)\" = 0 ]"
is "$(cat "$T/stay")" "" "in silence"
ok "it still stays" kill -0 $pid
stop $pid
"$BIN/mx-flush" -C "$CONF" -w 1 2>"$T/stay" &
pid=$!
cleanup_pid $pid
sleep 0.5
add a@a.test one >/dev/null
ok "or it looks every second" until_ok 5 sh -c \
    "[ \"\$(find '$SPOOL/mail/a.test' -type f | wc -l)\" = 0 ]"
stop $pid
mkdomain a.test "$(route good)" "rate 1/s"
mkdomain b.test "$(route good)"
for n in 1 2 3 4 5 6 7 8; do
	add "$n@a.test" "$n" >/dev/null
done
"$BIN/mx-flush" -C "$CONF" -w 1 2>"$T/stay" &
pid=$!
cleanup_pid $pid
sleep 0.5
add b@b.test one >/dev/null
ok "a slow domain does not hold the others up" until_ok 4 sh -c \
    "[ \"\$(find '$SPOOL/mail/b.test' -type f | wc -l)\" = 0 ]"
ok "while it goes on" test "$(waiting a.test)" -gt 0
stop $pid
left=$(waiting a.test)
sleep 1.2
is "$(waiting a.test)" "$left" "and ends with mx-flush itself"
is "$(cat "$T/stay")" "" "all in silence"

# A domain that has the form of an id, too.
mkdomain 360.com.cn
ok "it is a domain where it is one" \
    "$BIN/mx-flush" -n -C "$CONF" 360.com.cn
exits 1 "else an id, and there is none" \
    "$BIN/mx-flush" -n -C "$CONF" 361.com.cn
# Who waits for his own rate lets others deliver meanwhile.
fresh
mkdomain a.test "$(route good)" "rate 1/h"
mkdomain b.test "$(route exact)"
for to in a@a.test a@a.test b@b.test; do
	add $to slow >"$T/ids"
done
"$BIN/mx-flush" -C "$CONF" -j 1 a.test b.test 2>"$T/flush" &
flusher=$!
cleanup_pid $flusher
b_is_empty()
{
	test -z "$(find "$SPOOL/mail/b.test/new" "$SPOOL/mail/b.test/cur" \
	    -type f)"
}
ok "a low rate takes no turn from others" until_ok 15 b_is_empty
a_has_one()
{
	test "$(find "$SPOOL/mail/a.test/new" "$SPOOL/mail/a.test/cur" \
	    -type f | grep -c .)" -eq 1
}
ok "and is kept" until_ok 15 a_has_one
stop $flusher
done_testing
