# SPDX-License-Identifier: ISC
# A real proxy in front says who the client is, in both versions of the PROXY
# protocol, and nobody else is believed.
. "$(dirname "$0")/../tap.sh"
need python3
need_pkg root haproxy

mkconf "trusted-proxy 127.0.0.5" "timeout proxy 2s" \
    "timeout command 10s"
mkdomain example.org
port=$(free_port)

cat >"$T/listen" <<'END'
import os, socket, sys
s = socket.create_server(('127.0.0.1', int(sys.argv[1])))
os.dup2(s.fileno(), 0)
os.execv(sys.argv[2], sys.argv[2:])
END
python3 "$T/listen" "$port" "$BIN/mx-receive" -v -C "$CONF" 2>"$T/log" &
cleanup_pid $!
ok "it listens" wait_port 127.0.0.1 "$port"

v1=$(free_port) v2=$(free_port) checked=$(free_port)
six= with_six=
if python3 -c 'import socket; socket.create_server(("::1", 0),
    family=socket.AF_INET6)' 2>/dev/null; then
	six=$(free_port)
	with_six="listen six
	bind ::1:$six
	server s 127.0.0.1:$port source 127.0.0.5 send-proxy-v2"
fi
cat >"$T/haproxy.cfg" <<END
global
	stats socket $T/haproxy.sock
defaults
	mode tcp
	timeout connect 5s
	timeout client 10s
	timeout server 10s
listen v1
	bind 127.0.0.1:$v1
	server s 127.0.0.1:$port source 127.0.0.5 send-proxy
listen v2
	bind 127.0.0.1:$v2
	unique-id-format %ci:%cp
	server s 127.0.0.1:$port source 127.0.0.5 send-proxy-v2 proxy-v2-options crc32c,unique-id
listen checked
	bind 127.0.0.1:$checked
	option smtpchk EHLO check.test
	server s 127.0.0.1:$port source 127.0.0.5 send-proxy-v2 check check-send-proxy inter 200ms
$with_six
END
"$root/usr/sbin/haproxy" -db -f "$T/haproxy.cfg" >"$T/haproxy.log" 2>&1 &
cleanup_pid $!
if ! wait_port 127.0.0.1 "$v1"; then
	diag_file "$T/haproxy.log"
	skip_all "haproxy does not start"
fi

# Prints "ok NAME" or "not ok NAME" for each check: to TAP.
report()
{
	while read -r line; do
		case $line in
		"ok "*) pass "${line#ok }" ;;
		"not ok "*) fail "${line#not ok }" ;;
		*) fail "said: $line" ;;
		esac
	done <"$1"
}

cat >"$T/mail" <<'END'
import smtplib, sys
v1, v2, checked, six, port = sys.argv[1:]
for to, source, host, port in (
        ('one', '127.0.0.9', '127.0.0.1', v1),
        ('two', '127.0.0.10', '127.0.0.1', v2),
        ('three', '127.0.0.11', '127.0.0.1', checked),
        ('four', '::1', '::1', six),
        ('five', '127.0.0.7', '127.0.0.1', port)):
    if port == '':
        continue
    try:
        with smtplib.SMTP(host, int(port), 'a.test', 10, (source, 0)) as s:
            s.sendmail('ann@sender.test', [to + '@example.org'], 'x\r\n')
        print('ok mail ' + to)
    except OSError as e:
        print('not ok mail %s: %s' % (to, e))
END
python3 "$T/mail" "$v1" "$v2" "$checked" "$six" "$port" >"$T/out" 2>&1
report "$T/out"

# The proxy's own checks go through: as LOCAL, with a greeting and EHLO.
cat >"$T/check" <<'END'
import socket, sys
s = socket.socket(socket.AF_UNIX)
s.connect(sys.argv[1])
s.sendall(b'show stat\n')
rows = b''.join(iter(lambda: s.recv(65536), b'')).decode().splitlines()
names = rows[0].lstrip('# ').split(',')
for row in rows[1:]:
    row = dict(zip(names, row.split(',')))
    if row.get('pxname') == 'checked' and row['svname'] == 's':
        print(row['status'], row['check_status'])
END
healthy()
{
	python3 "$T/check" "$T/haproxy.sock" | grep -qx 'UP L7OK'
}
ok "its health checks succeed" until_ok 5 healthy

# Those who say it wrong, or who may not.
cat >"$T/liars" <<'END'
import socket, struct, sys, time
port = int(sys.argv[1])
V1 = b'PROXY TCP4 192.0.2.66 127.0.0.1 4711 25\r\n'
V2 = (b'\r\n\r\n\0\r\nQUIT\n\x21\x11\x00\x0c' + bytes([192, 0, 2, 67]) +
      bytes([127, 0, 0, 1]) + struct.pack('>HH', 4711, 25))

def check(name, held):
    print(('ok ' if held else 'not ok ') + name, flush=True)

class Client:
    def __init__(self, source):
        self.s = socket.create_connection(('127.0.0.1', port), 10,
                                          (source, 0))
        self.f = self.s.makefile('rb')
    def send(self, data):
        self.s.sendall(data)
    def reply(self):
        while True:
            try:
                line = self.f.readline().decode()
            except ConnectionResetError:
                return ''
            if line[3:4] != '-':
                return line[:3]
    def say(self, text):
        self.send(text.encode() + b'\r\n')
        return self.reply()
    def mail(self, to):
        return [self.say(t) for t in (
            'EHLO client.test', 'MAIL FROM:<ann@sender.test>',
            'RCPT TO:<%s@example.org>' % to, 'DATA', 'x\r\n.')]
    def silence(self):
        """What it says before it closes, and after how many seconds."""
        began = time.time()
        try:
            data = self.f.read()
        except ConnectionResetError:
            data = b''
        return data, time.time() - began
GOOD = ['250', '250', '250', '354', '250']

for name, header in (('version 1', V1), ('version 2', V2)):
    c = Client('127.0.0.5')
    for octet in header:
        c.send(bytes([octet]))
    check(name + ' in single octets', c.reply() == '220')
    check('mail behind it', c.mail(name.replace(' ', '')) == GOOD)
    c = Client('127.0.0.5')
    c.send(header + b'EHLO client.test\r\n')
    check(name + ', and a client that does not wait', c.reply() == '554')

c = Client('127.0.0.5')
c.send(b'PROXY UNKNOWN\r\n')
check('an unknown client is greeted', c.reply() == '220')
check('mail of an unknown client', c.mail('unknown') == GOOD)

for name, text in (('SMTP', b'EHLO client.test\r\n'),
                   ('a broken line', V1.replace(b'4711', b'04711')),
                   ('a line with a bare LF', V1.replace(b'\r', b'')),
                   ('a version 3', V2.replace(b'\x21', b'\x31')),
                   ('an endless line', b'PROXY UNKNOWN ' + b'x' * 2000)):
    c = Client('127.0.0.5')
    c.send(text)
    said, after = c.silence()
    check('%s from the proxy: closed, nothing said' % name,
          said == b'' and after < 1.7)
c = Client('127.0.0.5')
said, after = c.silence()
check('silence from the proxy: closed at the deadline (%.1f s)' % after,
      said == b'' and 1.8 < after < 8)
c = Client('127.0.0.5')
began = time.time()
try:
    for octet in V1[:-1]:
        c.send(bytes([octet]))
        time.sleep(0.2)
except OSError:
    pass
check('dripping does not prolong it (%.1f s)' % (time.time() - began),
      time.time() - began < 7.5)
c = Client('127.0.0.5')
c.s.close()

# An unlisted address is greeted at once, and its header is no header.
c = Client('127.0.0.8')
check('a liar is greeted', c.reply() == '220')
check('and refused', c.say(V1.decode().strip()) in ('500', '502', '503'))
check('and his mail is his own', c.mail('liar') == GOOD)
c = Client('127.0.0.8')
c.send(V1)
got = c.reply()
check('one who does not wait is greeted or refused', got in ('220', '554'))
c = Client('127.0.0.8')
c.send(V2)
check('the same in version 2', c.reply() in ('220', '554'))
END
python3 "$T/liars" "$port" >"$T/out" 2>&1
report "$T/out"
is "$(tail -n 1 "$T/out")" "ok the same in version 2" "all were tried"

# Who sent the message to TO, as the envelope and as Received has it.
"$BIN/mx-queue" -C "$CONF" -j list | python3 -c '
import json, subprocess, sys
for line in sys.stdin:
    m = json.loads(line)
    text = subprocess.run(sys.argv[1:] + [m["id"]], capture_output=True)
    first = text.stdout.decode().splitlines()[0]
    print(m["recipients"][0]["address"].split("@")[0],
          m["client"]["address"], first[first.find("("):])' \
    "$BIN/mx-queue" -C "$CONF" cat >"$T/clients"
client_of()
{
	sed -n "s/^$1 //p" "$T/clients"
}
is "$(client_of one)" "127.0.0.9 ([127.0.0.9])" "by version 1: its client"
is "$(client_of two)" "127.0.0.10 ([127.0.0.10])" "by version 2: its client"
is "$(client_of three)" "127.0.0.11 ([127.0.0.11])" \
    "by the one with checks: its client"
if [ -n "$six" ]; then
	is "$(client_of four)" "::1 ([IPv6:::1])" "by IPv6: its client"
else
	skip "by IPv6: its client" "no ::1 here"
fi
is "$(client_of five)" "127.0.0.7 ([127.0.0.7])" "without a proxy: its client"
is "$(client_of version1)" "192.0.2.66 ([192.0.2.66])" "version 1 by hand"
is "$(client_of version2)" "192.0.2.67 ([192.0.2.67])" "version 2 by hand"
is "$(client_of unknown)" "127.0.0.5 ([127.0.0.5])" \
    "of an unknown client the proxy's address is known"
is "$(client_of liar)" "127.0.0.8 ([127.0.0.8])" "a liar's address is his own"
like "$(cat "$T/log")" 'accepted .*client=\[127\.0\.0\.9\]' \
    "the log names the client"
like "$(cat "$T/log")" 'client=\[127\.0\.0\.5\].*PROXY' \
    "and the proxy whose header was none"

unlike "$(cat "$T/log")" 'Sanitizer|runtime error' "no sanitizer speaks"
done_testing
