# SPDX-License-Identifier: ISC
# The same dialogues under each program that can start mx-receive.
. "$(dirname "$0")/../tap.sh"
need python3

mkdir -p "$T/d/etc" "$T/d/spool"
receive="$BIN/mx-receive -C $T/d/etc"

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
else
	skip "inetd" "$(tail -n 1 "$T/log")"
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
mkconf
mkdomain example.org
(sleep 0.3; printf 'EHLO client.test\r\n'; sleep 0.3; printf 'QUIT\r\n') |
    TCPREMOTEIP=192.0.2.5 "$BIN/mx-receive" -C "$CONF" >"$T/out" 2>"$T/log"
is "$?" 0 "pipes: exit 0"
like "$(head -n 1 "$T/out")" '^220 mx2\.backup\.test ESMTP' "pipes: a greeting"
like "$(tail -n 1 "$T/out")" '^221 2\.0\.0 ' "pipes: good bye"

done_testing
