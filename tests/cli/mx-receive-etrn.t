# SPDX-License-Identifier: ISC
# ETRN, and primaries that call: what wakes the flusher.
. "$(dirname "$0")/../tap.sh"
need python3

mkconf 'etrn 192.0.2.0/24' 'xclient 203.0.113.9'
mkdomain example.org
mkdomain empty.test
mkdomain .example.org
mkdomain notexample.org
printf 'Subject: x\n\nx\n' >"$T/mail"
for address in a@example.org b@example.org c@sub.example.org \
    d@notexample.org; do
	"$BIN/mx-queue" -C "$CONF" add -f '' "$address" <"$T/mail" >"$T/id" ||
	    exit 1
done

# A client that waits for each reply: RECEIVER -C DIR COMMAND...
cat >"$T/client" <<'END'
import socket, subprocess, sys
ours, theirs = socket.socketpair()
p = subprocess.Popen(sys.argv[1:4], stdin=theirs, stdout=theirs)
theirs.close()
f = ours.makefile('rwb', buffering=0)
for command in [None, 'EHLO client.test'] + sys.argv[4:] + ['QUIT']:
    if command is not None:
        f.write(command.encode() + b'\r\n')
    line = b'   -'
    while line[3:4] == b'-':
        line = f.readline()
        print(line.decode().rstrip('\r\n'))
p.wait()
END

# What a client at ADDRESS hears to the commands that follow.
as()
{
	client=$1
	shift
	TCPREMOTEIP=$client python3 "$T/client" "$BIN/mx-receive" -C "$CONF" \
	    "$@" >"$T/replies" 2>"$T/log"
	reply=$(grep -v '^2[25][01][- ]' "$T/replies" | tail -1)
	all=$(cat "$T/replies")
}

as 192.0.2.1 'ETRN example.org'
like "$all" '250-ETRN' "it is offered to those who may"
is "$reply" "252 2.0.0 messages for example.org go with the next run" \
    "nobody stays to be woken"
as 192.0.2.1 'ETRN #example.org'
like "$reply" '^252 2\.0\.0' "a queue by its name"
as 192.0.2.1 'ETRN empty.test'
like "$all" '251 2\.0\.0 no messages wait for empty\.test' "an empty queue"
as 192.0.2.1 'ETRN'
like "$all" '501 5\.5\.4' "a name is wanted"
as 192.0.2.1 'ETRN ..'
like "$all" '501 5\.5\.4' "a good one"
as 192.0.2.1 'MAIL FROM:<a@b.test>' 'ETRN example.org'
like "$all" '503 5\.5\.1' "not within a transaction"
as 198.51.100.7 'ETRN example.org'
unlike "$all" '250-ETRN' "it is not offered to others"
like "$all" '459 4\.7\.1 example\.org' "and refused to them"
"$BIN/mx-queue" -C "$CONF" hold example.org >"$T/out" 2>&1
as 192.0.2.1 'ETRN example.org'
like "$all" '458 4\.3\.2 example\.org is on hold' "held by the operator"
as 192.0.2.1 'ETRN @example.org'
like "$all" '252 2\.0\.0' "what is below is not on hold"
"$BIN/mx-queue" -C "$CONF" release example.org >"$T/out" 2>&1

# Somebody stays: a reader of the trigger.
sleep 30 <>"$SPOOL/trigger" &
cleanup_pid $!
exec 8<>"$SPOOL/trigger"
as 192.0.2.1 'ETRN example.org'
is "$reply" "253 2.0.0 2 messages for example.org started" "two were started"
as 192.0.2.1 'ETRN @example.org'
is "$reply" "253 2.0.0 3 messages for example.org started" "three with those below"

# The domain's own server, as the flusher has noted it.
mkdir "$SPOOL/state/.primaries"
echo example.org >"$SPOOL/state/.primaries/198.51.100.7"
as 198.51.100.7 'ETRN example.org'
like "$reply" '^253 2\.0\.0 2' "a domain's own server may"
as 198.51.100.7 'ETRN empty.test'
like "$all" '459' "but not for another domain"

# Which domains it was pulled for.
woken()
{
	dd bs=4096 count=1 iflag=nonblock <&8 2>"$T/dd" | sort -u | tr '\n' ' '
}
is "$(woken)" "=example.org =sub.example.org " \
    "the flusher is told of each domain"
as 198.51.100.8 NOOP
is "$(woken)" "" "a stranger's call wakes nobody"
as 198.51.100.7 NOOP
is "$(woken)" "=example.org " "a primary's call wakes the flusher"
like "$(cat "$T/log")" 'primary \[198\.51\.100\.7\] is here' "and is logged"
as 203.0.113.9 'XCLIENT ADDR=198.51.100.7'
is "$(woken)" "=example.org " "and so does one that speaks through another"
as 203.0.113.9 'XCLIENT ADDR=198.51.100.8'
is "$(woken)" "" "but not a stranger's"
rm -r "$SPOOL"/mail/*/new/* "$SPOOL"/mail/*/cur/* 2>"$T/out"
as 198.51.100.7 NOOP
is "$(woken)" "" "but not when nothing waits"

done_testing
