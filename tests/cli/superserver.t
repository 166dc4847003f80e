# SPDX-License-Identifier: ISC
# The same dialogues under each program that can start mx-receive.
. "$(dirname "$0")/../tap.sh"
need python3

mkdir -p "$T/d/etc" "$T/d/spool"
receive="$BIN/mx-receive -C $T/d/etc"

# Mail by many connections to one that listens, whose configuration stays:
# NAME PORT
mkconf
mkdomain example.org
cat >"$T/send" <<'END'
import smtplib, sys
for i in range(5):
    c = smtplib.SMTP('127.0.0.1', int(sys.argv[1]), timeout=10)
    c.sendmail('a@sender.test', 'b@example.org', 'Subject: x\r\n\r\nx\r\n')
    c.quit()
END
waiting()
{
	"$BIN/mx-queue" -C "$CONF" list | wc -l
}

send()
{
	if ! wait_port 127.0.0.1 "$2"; then
		fail "$1 listens" "$(cat "$T/log")"
		return
	fi
	tap_before=$(waiting)
	ok "$1: five messages" python3 "$T/send" "$2"
	is $(($(waiting) - tap_before)) 5 "$1: they are kept"
}

nobody_listens()
{
	! tap_listens tcp "$1"
}

# Plays the chosen dialogues: NAME PORT
play()
{
	if ! wait_port 127.0.0.1 "$2"; then
		fail "$1 listens" "$(cat "$T/log")"
		return
	fi
	for which in "data.talk:^(one message|all in three|two domains)" \
	    "commands.talk:^(greeting|a client that goes away: .*half)"; do
		ok "$1: ${which#*:}" python3 "$TOP/tests/talk" -d "$T/d" \
		    -p "$2" "$TOP/tests/smtp/${which%%:*}" "${which#*:}"
	done
}

if command -v tcpserver >/dev/null; then
	port=$(free_port)
	tcpserver -HRl0 127.0.0.1 "$port" $receive >"$T/log" 2>&1 &
	pid=$!
	cleanup_pid $pid
	play tcpserver "$port"
	stop $pid
	like "$(cat "$T/log")" '^mx-receive' "tcpserver: the log is on fd 2"
else
	skip "tcpserver" "no ucspi-tcp here"
fi

if command -v tcpsvd >/dev/null; then
	port=$(free_port)
	tcpsvd -l 0 127.0.0.1 "$port" $receive >"$T/log" 2>&1 &
	pid=$!
	cleanup_pid $pid
	play tcpsvd "$port"
	stop $pid
else
	skip "tcpsvd" "no ipsvd here"
fi

# Under inetd the client is on fd 2 too: a line of the log there would be an
# answer that the dialogues do not expect.
if inetd=$(sh "$TOP/tests/pkg" openbsd-inetd 2>"$T/log"); then
	port=$(free_port)
	echo "127.0.0.1:$port stream tcp nowait.1000 $(id -un)" \
	    "$BIN/mx-receive mx-receive -C $T/d/etc" >"$T/inetd.conf"
	"$inetd/usr/sbin/inetd" -i "$T/inetd.conf" >"$T/log" 2>&1 &
	pid=$!
	cleanup_pid $pid
	play inetd "$port"
	stop $pid

	# It hands over the listening socket, and takes no part any more.
	port=$(free_port)
	echo "127.0.0.1:$port stream tcp wait $(id -un)" \
	    "$BIN/mx-receive mx-receive -C $CONF" >"$T/inetd.conf"
	"$inetd/usr/sbin/inetd" -i "$T/inetd.conf" >"$T/log" 2>&1 &
	pid=$!
	cleanup_pid $pid
	send "inetd, wait" "$port"
	master=$(pgrep -P $pid)
	cleanup_pid "$master"
	is "$(pgrep -c -P $pid)" 1 "inetd, wait: one process for all"
	kill "$master"
	# Whoever connects next is served by another.
	until_ok 5 tap_gone "$master"
	send "inetd, wait, once more" "$port"
	master=$(pgrep -P $pid)
	cleanup_pid "$master"
	stop $pid
	stop "$master"
	ok "inetd, wait: all are gone" until_ok 5 nobody_listens "$port"
else
	skip "inetd" "$(tail -n 1 "$T/log")"
fi

# It needs no systemd that runs, so its package need not be installed.
activate=$(command -v systemd-socket-activate) || {
	systemd=$(sh "$TOP/tests/pkg" systemd 2>"$T/log")
	activate=$systemd/usr/bin/systemd-socket-activate
}
if [ -x "$activate" ]; then
	# Accept=no and Accept=yes, each with StandardInput=socket or without.
	for how in '' --inetd '--accept --inetd' --accept; do
		port=$(free_port)
		# shellcheck disable=SC2086
		"$activate" $how -l "127.0.0.1:$port" \
		    "$BIN/mx-receive" -C "$CONF" >"$T/log" 2>&1 &
		pid=$!
		cleanup_pid $pid
		send "systemd-socket-activate${how:+ }$how" "$port"
		stop $pid
		ok "... and it ends" until_ok 5 nobody_listens "$port"
	done
else
	skip "systemd-socket-activate" "$(tail -n 1 "$T/log")"
fi

# What systemd does for Accept=yes with StandardInput=socket.
cat >"$T/systemd" <<'END'
import os, socket, sys
s = socket.create_server(('127.0.0.1', int(sys.argv[1])))
while True:
    c, peer = s.accept()
    if os.fork() == 0:
        os.dup2(c.fileno(), 0)
        os.dup2(c.fileno(), 1)
        env = dict(os.environ, REMOTE_ADDR=peer[0], REMOTE_PORT=str(peer[1]))
        os.execve(sys.argv[2], sys.argv[2:], env)
    c.close()
END
port=$(free_port)
python3 "$T/systemd" "$port" $receive >"$T/log" 2>&1 &
pid=$!
cleanup_pid $pid
play "as systemd, Accept=yes" "$port"
stop $pid

# A service that is supervised, with a listening socket of its own.
cat >"$T/listen" <<'END'
import os, socket, sys
s = socket.create_server(('127.0.0.1', int(sys.argv[1])))
os.dup2(s.fileno(), 0)
os.execv(sys.argv[2], sys.argv[2:])
END
if command -v s6-svscan >/dev/null; then
	port=$(free_port)
	mkdir -p "$T/scan1/smtp"
	cat >"$T/scan1/smtp/run" <<END
#!/bin/sh
exec 2>&1
exec python3 $T/listen $port $BIN/mx-receive -C $CONF
END
	chmod +x "$T/scan1/smtp/run"
	s6-svscan "$T/scan1" >"$T/log" 2>&1 &
	pid=$!
	cleanup_pid $pid
	send "s6, listening" "$port"
	ok "s6-svc -h" s6-svc -h "$T/scan1/smtp"
	ok "... makes it load anew" until_ok 5 grep -q 'took over' "$T/log"
	send "s6, listening, after -h" "$port"
	ok "s6-svc -d" s6-svc -d "$T/scan1/smtp"
	ok "... and nobody listens" until_ok 5 nobody_listens "$port"
	stop $pid
else
	skip "s6, listening" "no s6 here"
fi

if command -v s6-svscan >/dev/null && command -v tcpserver >/dev/null; then
	port=$(free_port)
	mkdir -p "$T/scan/smtp"
	cat >"$T/scan/smtp/run" <<END
#!/bin/sh
exec 2>&1
exec tcpserver -HRl0 127.0.0.1 $port $receive
END
	chmod +x "$T/scan/smtp/run"
	s6-svscan "$T/scan" >"$T/log" 2>&1 &
	pid=$!
	cleanup_pid $pid
	play s6 "$port"
	ok "s6 ends with its services" stop $pid
	not_ok "s6: nobody listens any more" tap_listens tcp "$port"
else
	skip "s6" "no s6 here"
fi

# Behind a TLS helper the standard input is a pipe.
(sleep 0.3; printf 'EHLO client.test\r\n'; sleep 0.3; printf 'QUIT\r\n') |
    TCPREMOTEIP=192.0.2.5 "$BIN/mx-receive" -C "$CONF" >"$T/out" 2>"$T/log"
is "$?" 0 "pipes: exit 0"
like "$(head -n 1 "$T/out")" '^220 mx2\.backup\.test ESMTP' "pipes: a greeting"
like "$(tail -n 1 "$T/out")" '^221 2\.0\.0 ' "pipes: good bye"

done_testing
