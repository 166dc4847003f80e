# SPDX-License-Identifier: ISC
# A listening socket on standard input is served, a process a connection.
. "$(dirname "$0")/../tap.sh"
need python3

mkconf "max-sessions 5" "max-sessions-per-client 3" "timeout command 20s"
mkdomain example.org
port=$(free_port)

cat >"$T/listen" <<'END'
import os, socket, sys
s = socket.create_server(('127.0.0.1', int(sys.argv[1])))
os.dup2(s.fileno(), 0)
os.dup2(0, 1)
os.execv(sys.argv[2], sys.argv[2:])
END
python3 "$T/listen" "$port" "$BIN/mx-receive" -C "$CONF" 2>"$T/log" &
pid=$!
cleanup_pid $pid
ok "it listens" wait_port 127.0.0.1 "$port"

cat >"$T/client" <<'END'
import socket, sys, time
port = int(sys.argv[1])
def connect():
    s = socket.create_connection(('127.0.0.1', port))
    s.settimeout(10)
    f = s.makefile('rwb', buffering=0)
    return s, f, f.readline().decode()
def say(f, text):
    f.write(text.encode() + b'\r\n')
    while True:
        line = f.readline().decode()
        if line[3:4] != '-':
            return line[:3]
def check(name, held):
    print(('ok ' if held else 'not ok ') + name)
open_ = [connect() for i in range(3)]
check('three are greeted', all(c[2].startswith('220 ') for c in open_))
check('a fourth of the same client is sent away',
      connect()[2].startswith('421 4.'))
check('and so are twenty more', all(
      connect()[2].startswith('421 4.') for i in range(20)))
# They do not wait for each other.
for s, f, _ in reversed(open_):
    say(f, 'EHLO client.test')
for text, code in (('MAIL FROM:<a@sender.test>', '250'),
                   ('RCPT TO:<b@example.org>', '250'), ('DATA', '354'),
                   ('Subject: x\r\n\r\nx\r\n.', '250')):
    got = [say(f, text) for s, f, _ in open_]
    check(text.split('\r')[0] + ' in all three', got == [code] * 3)
check('QUIT', say(open_[0][1], 'QUIT') == '221')
open_[0][0].close()
open_[1][0].close()
until = time.time() + 5
while not (again := connect())[2].startswith('220 ') and time.time() < until:
    time.sleep(0.05)
check('room again for the same client', again[2].startswith('220 '))
END
python3 "$T/client" "$port" >"$T/out" 2>&1
while read -r line; do
	case $line in
	"ok "*) pass "${line#ok }" ;;
	"not ok "*) fail "${line#not ok }" ;;
	*) fail "the client: $line" ;;
	esac
done <"$T/out"
is "$(grep -c . "$T/out")" 9 "the client came to its end"
is "$(grep -c 'sent away client=\[127' "$T/log")" 1 \
    "a flood is told once, not 21 times"
is "$("$BIN/mx-queue" -C "$CONF" list | wc -l | tr -d ' ')" 3 \
    "three messages are queued"

# A child that dies takes nothing with it.
ok "it still listens" tap_listens tcp "$port"
stop $pid
not_ok "SIGTERM ends it" tap_listens tcp "$port"
unlike "$(cat "$T/log")" 'Sanitizer|runtime error' "no sanitizer speaks"

# As inetd's "wait" hands it over: the socket is fd 0, 1 and 2.
cat >"$T/wait" <<'END'
import os, socket, subprocess, sys
s = socket.create_server(('127.0.0.1', 0))
p = subprocess.Popen(sys.argv[1:], stdin=s, stdout=s, stderr=s)
try:
    c = socket.create_connection(s.getsockname())
    c.settimeout(10)
    c.recv(1)
    # The master, the one that accepts, and the session.
    child = p.pid
    for i in range(2):
        child = open('/proc/%s/task/%s/children' % (child, child)).read().strip()
    ours = os.readlink('/proc/self/fd/%d' % s.fileno())
    held = [f for f in os.listdir('/proc/%s/fd' % child)
            if os.readlink('/proc/%s/fd/%s' % (child, f)) == ours]
    print('held', *held)
    c.close()
    s.shutdown(socket.SHUT_RDWR)
    print('exit', p.wait(10))
finally:
    p.kill()
END
got=$(python3 "$T/wait" "$BIN/mx-receive" -C "$CONF" 2>&1)
like "$got" '^held *$' "no child holds the listening socket"
like "$got" '^exit 1$' "a broken listening socket ends it"

done_testing
