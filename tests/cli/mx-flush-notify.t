# SPDX-License-Identifier: ISC
#
# Who is told of an outage, when, and how often.

. "$(dirname "$0")/../tap.sh"

need python3
mkdir "$T/primary"
cat >"$T/table" <<'END'
good
down GREET=554 5.3.2 never
refuse RCPT=550 5.1.1 no such user
some RCPT=550 5.1.1 no;RCPT=ok
us GREET=220 mx2.backup.test
later RCPT=450 4.2.1 later
slow RCPT=ok;RCPT=ok;RCPT=450 4.2.1 later;RCPT=450 4.2.1 later;RCPT=ok
END
python3 "$TOP/tests/peers/badmx.py" "$T/table" "$T/primary" 2>"$T/peer" &
cleanup_pid $!
until_ok 10 test -e "$T/primary/ready" || diag_file "$T/peer"

fresh()
{
	rm -rf "$T/etc" "$T/spool"
	mkconf "timeout 2s" "timeout connect 1s" "timeout dns 1s" \
	    "resolver 127.0.0.1@9" "$@"
}

# primary NAME DOMAIN [LINE...]
primary()
{
	tap_to=$1
	tap_for=$2
	shift 2
	mkdomain "$tap_for" "route 127.0.0.1:$(cat "$T/primary/$tap_to.port")" \
	    "$@"
}

add()
{
	printf 'Subject: x\r\n\r\ntext\r\n' |
	    "$BIN/mx-queue" -C "$CONF" add -f "sender@elsewhere.test" "$1"
}

flush()
{
	"$BIN/mx-flush" -v -C "$CONF" a.test >"$T/log" 2>&1
}

# How many mails wait for the operator, and the last of them.
mails()
{
	find "$SPOOL/mail/ops.test" -type f 2>"$T/.find" | wc -l
}

mail()
{
	find "$SPOOL/mail/ops.test" -type f | sort -V | tail -n 1
}

# The outage began SECONDS ago.
age()
{
	sed -i "s/^\(down\|unroutable\|route-memory\) [0-9]*/\1 $(($(date +%s) - $1))/" \
	    "$SPOOL/state/a.test/told"
}

### The beginning and the end

fresh "notify ops@ops.test" "postmaster post@backup.test" "notify-after 30m"
primary down a.test
add one@a.test >"$T/out"
add two@a.test >"$T/out"
flush
is "$(mails)" 0 "notify-after: an outage that has just begun is not told"
flush
is "$(mails)" 0 "nor a minute later"
age 1700
flush
is "$(mails)" 0 "nor after 28 minutes"
age 7500
flush
is "$(mails)" 1 "after more than half an hour it is told"
like "$(cat "$T/log")" 'told domain=a.test event=down to=<ops@ops.test> id=1' \
    "the log says so"
tr -d '\r' <"$(mail)" >"$T/mail"
like "$(cat "$T/mail")" '^Mx-Sender: <>$' "the mail has no sender to answer to"
like "$(cat "$T/mail")" '^Mx-Recipient: p <ops@ops\.test>$' "and one recipient"
like "$(cat "$T/mail")" '^Subject: a\.test: its servers are down' "its subject"
like "$(cat "$T/mail")" '^Auto-Submitted: auto-generated$' "nobody answers it"
like "$(cat "$T/mail")" '^From: .*<post@backup\.test>$' "from the postmaster"
like "$(cat "$T/mail")" '^lasted:    2 hours and 5 minutes$' "how long"
like "$(cat "$T/mail")" '^waiting:   2 messages$' "how many"
like "$(cat "$T/mail")" '^reason:    .*554' "and why"
if python3 - "$(mail)" <<'END' >"$T/out" 2>&1
import email, email.policy, sys
raw = open(sys.argv[1], "rb").read()
raw = raw[int(raw.split(b" ")[2]):]
assert raw.count(b"\n") == raw.count(b"\r\n")
m = email.message_from_bytes(raw, policy=email.policy.default)
assert not m.defects, m.defects
for name in "Date", "From", "To", "Subject", "Message-ID", "Received":
    assert len(m.get_all(name)) == 1, name
    assert not m[name].defects if hasattr(m[name], "defects") else True
assert m["To"].addresses[0].addr_spec == "ops@ops.test"
assert max(map(len, raw.split(b"\r\n"))) <= 998
END
then
	pass "the mail is well-formed"
else
	fail "the mail is well-formed" "$(tail -n 1 "$T/out")"
fi
flush
flush
is "$(mails)" 1 "once"
add three@a.test >"$T/out"
flush
is "$(mails)" 1 "not for each message either"

primary good a.test
flush
is "$(mails)" 2 "the end is told"
tr -d '\r' <"$(mail)" >"$T/mail"
like "$(cat "$T/mail")" '^Subject: a\.test: its servers take mail again$' \
    "by its subject"
like "$(cat "$T/mail")" '^lasted:    2 hours and 5 minutes$' "how long it was"
like "$(cat "$T/mail")" '^delivered: 3 messages$' "how many came through"
like "$(cat "$T/mail")" '^All mail that waited has been delivered\.$' "all"
is "$(cat "$SPOOL/state/a.test/told")" "" "and that is the end of it"
add four@a.test >"$T/out"
flush
is "$(mails)" 2 "mail for a domain that is up is no news"

# It does not take all at once.
fresh "notify ops@ops.test"
primary down a.test
for i in 1 2 3; do
	add $i@a.test >"$T/out"
done
flush
primary slow a.test
flush
is "$(mails)" 1 "the end is not told while mail waits"
flush
flush
is "$(mails)" 2 "but when all is delivered"
like "$(cat "$(mail)")" '^delivered: 3 messages' "of all runs together"
rm -r "$SPOOL/mail/ops.test"
primary down a.test
add one@a.test >"$T/out"
flush
printf 'up %s 0 0 x\n' $(($(date +%s) - 3700)) >>"$SPOOL/state/a.test/told"
primary later a.test
flush
is "$(mails)" 2 "or after an hour"
like "$(cat "$(mail)")" '^waiting:   1 message' "with what still waits"

# Not all were taken.
fresh "notify ops@ops.test" "breaker off"
primary down a.test
for i in 1 2 3 4; do
	add $i@a.test >"$T/out"
done
flush
primary some a.test
flush
like "$(cat "$(mail)")" '^delivered: 3 messages' "those that were delivered"
like "$(cat "$(mail)")" '^refused:   1 message.$' "and those that were not"
unlike "$(cat "$(mail)")" 'has been delivered\.' "are told apart"

# Nobody had heard of it, so nobody hears of its end.
fresh "notify ops@ops.test" "notify-after 30m"
primary down a.test
add one@a.test >"$T/out"
flush
primary good a.test
flush
is "$(mails)" 0 "an outage shorter than that is never heard of"

### At once, and after a crash

fresh "notify ops@ops.test"
primary down a.test
add one@a.test >"$T/out"
flush
is "$(mails)" 1 "an outage that begins with mail waiting is told at once"
flush
is "$(mails)" 1 "and once"
# Killed between the mail and the memory of it.
sed -i 's/^\(down [0-9]* [0-9]*\) [0-9]*/\1 0/' "$SPOOL/state/a.test/told"
flush
is "$(mails)" 2 "what may not have been told is told again"
echo "down $(date +%s) 0 0 x" >"$SPOOL/state/a.test/told"
rm -r "$SPOOL/mail/ops.test"
: >"$SPOOL/mail/ops.test"
flush
like "$(cat "$T/log")" 'cannot tell ops@ops.test' "a mail that cannot be written"
rm "$SPOOL/mail/ops.test"
flush
is "$(mails)" 1 "is written by the next run"

### kill -9 while telling, at each call that changes the spool

if command -v strace >/dev/null && [ -z "$ASAN" ]; then
	fresh "notify ops@ops.test" "hook $T/hook"
	printf '#!/bin/sh\necho "$MX_EVENT" >>"%s"\n' "$T/hooks" >"$T/hook"
	chmod 755 "$T/hook"
	primary down a.test
	add one@a.test >"$T/out"
	cp -R -p "$T/spool" "$T/spool.then"
	killed=0
	for call in linkat:1 renameat:1 renameat:2 renameat:3 renameat:4 \
	    fsync:1 fsync:2 fsync:3 fsync:4 fsync:5 fsync:6 fsync:8 \
	    execve:2 wait4:1; do
		rm -rf "$T/spool" "$T/hooks"
		cp -R -p "$T/spool.then" "$T/spool"
		strace -f -qq -o "$T/trace" -e "trace=${call%:*}" \
		    -e "inject=${call%:*}:signal=KILL:when=${call#*:}" \
		    "$BIN/mx-flush" -C "$CONF" a.test >"$T/out" 2>&1
		grep -q SIGKILL "$T/trace" && killed=$((killed + 1))
		flush
		flush
		n=$(mails)
		h=$(grep -c down "$T/hooks")
		ok "killed at $call: told, and once or twice ($n, $h)" \
		    test "$n" -ge 1 -a "$n" -le 2 -a "$h" -ge 1 -a "$h" -le 2
	done
	ok "most of them were reached" test "$killed" -ge 8
else
	skip "kill -9" "no strace here, or a build that is slow under it"
fi

### DNS that has no answer

fresh "notify ops@ops.test"
mkdomain a.test
add one@a.test >"$T/out"
flush
flush
is "$(mails)" 1 "a domain without a route is told of once"
like "$(cat "$(mail)")" '^Subject: a\.test: DNS names no server' "as such"
printf 'state up\nroute primary.test [127.0.0.1]:%s\n' \
    "$(cat "$T/primary/good.port")" >"$SPOOL/state/a.test/state"
flush
is "$(mails)" 3 "with a route that is remembered its end is told, and why"
like "$(cat "$SPOOL"/mail/ops.test/new/*)" \
    '^Subject: a\.test: DNS fails, the last good route is used' "in words"
add two@a.test >"$T/out"
flush
is "$(mails)" 3 "once"

### The breaker

fresh "notify ops@ops.test"
primary refuse a.test
for i in 1 2 3 4 5 6 7 8 9 10; do
	add $i@a.test >"$T/out"
done
flush
is "$(mails)" 1 "a domain that stops is told of at once"
like "$(cat "$(mail)")" '^Subject: a\.test: stopped' "as such"
like "$(cat "$(mail)")" 'mx-queue retry a\.test ' "with what is to be done"
flush
is "$(mails)" 1 "once"
# Killed before it could tell.
rm "$SPOOL/state/a.test/told" "$(mail)"
flush
is "$(mails)" 1 "by the next run where the first was killed"
primary good a.test
sed -i "s/^state .*/state down/" "$SPOOL/state/a.test/state"
flush
is "$(mails)" 2 "and its end"

# Stopped at its greeting.
fresh "notify ops@ops.test"
primary down a.test
add one@a.test >"$T/out"
mkdir -p "$SPOOL/state/a.test"
echo "state down" >"$SPOOL/state/a.test/state"
flush
is "$(mails)" 1 "a domain that is not let in is told of at once"
like "$(cat "$(mail)")" 'by itself when it does' "it needs no word"
unlike "$(cat "$(mail)")" 'mx-queue retry' "and none is asked for"

### A loop

fresh "notify ops@ops.test"
primary us a.test
add one@a.test >"$T/out"
flush
is "$(mails)" 1 "a way that leads back to us is told of at once"
like "$(cat "$(mail)")" '^Subject: a\.test: a loop' "as such"
flush
is "$(mails)" 1 "once, and not as unroutable too"
primary good a.test
flush
is "$(mails)" 2 "and its end"
primary us a.test
add two@a.test >"$T/out"
# The first was some time ago.
sed -i "s/^loop .*/loop $(($(date +%s) - 60)) 0 $(($(date +%s) - 60)) x/" \
    "$SPOOL/state/a.test/told"
flush
is "$(mails)" 3 "a second one within the day"
like "$(cat "$(mail)")" '^Subject: a\.test: DNS names no server' \
    "is told, as what it is besides"

### Addresses that do not help

fresh "notify me@a.test" "notify-after 0"
primary down a.test
add one@a.test >"$T/out"
flush
is "$(find "$SPOOL/mail" -type f | wc -l)" 1 "none is sent into the outage"
like "$(cat "$T/log")" 'a\.test: notify me@a\.test: .* of the same domain' \
    "the log says why"

exits 78 "mx-queue stat looks for it" "$BIN/mx-queue" -C "$CONF" stat
like "$(cat "$T/.out")" 'a\.test: notify me@a\.test: expected an address of' \
    "and says what is wrong"
mkdomain a.test "notify me@b.test"
exits 0 "no complaint about another domain" "$BIN/mx-queue" -C "$CONF" stat

fresh "notify me@mail.b.test" "notify-after 0"
primary down .b.test
add one@www.b.test >"$T/out"
"$BIN/mx-flush" -v -C "$CONF" >"$T/log" 2>&1
is "$(find "$SPOOL/mail" -type f | wc -l)" 1 "nor to its sibling"

fresh "notify-after 0"
primary down a.test "notify ops@ops.test"
primary down ops.test
mkdir -p "$SPOOL/state/ops.test"
echo "state down" >"$SPOOL/state/ops.test/state"
add one@a.test >"$T/out"
flush
is "$(mails)" 0 "where the address is down too it waits"
like "$(cat "$T/log")" 'ops@ops.test: its domain is not up either' "says so"
echo "state up" >"$SPOOL/state/ops.test/state"
flush
is "$(mails)" 1 "and is told when that is up"

fresh "notify ops@ops.test"
primary down a.test
add one@a.test >"$T/out"
"$BIN/mx-flush" -n -C "$CONF" a.test >"$T/out" 2>&1
is "$(mails)" 0 "a dry run tells nobody"
not_ok "and remembers nothing" test -e "$SPOOL/state/a.test/told"

done_testing
