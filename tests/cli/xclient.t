# SPDX-License-Identifier: ISC
# XCLIENT: who may say for whom he speaks is believed, by swaks and by nginx's
# mail proxy; nobody else is.
. "$(dirname "$0")/../tap.sh"
need python3 swaks

mkconf "xclient 127.0.0.1 127.0.0.6" "timeout command 10s"
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

# mail TO SOURCE-ADDRESS SWAKS-OPTIONS...
mail()
{
	to=$1
	from=$2
	shift 2
	swaks --from ann@sender.test --to "$to@example.org" --helo client.test \
	    --server 127.0.0.1:"$port" -li "$from" --timeout 10 "$@" \
	    >"$T/swaks" 2>&1 || { cat "$T/swaks"; false; }
}
# The client of the message to TO: as the envelope has it, then in Received.
client_of()
{
	"$BIN/mx-queue" -C "$CONF" -j list | python3 -c '
import json, sys
for line in sys.stdin:
    m = json.loads(line)
    if m["recipients"][0]["address"] == sys.argv[1] + "@example.org":
        print(m["client"]["address"], m["id"])' "$1" >"$T/client"
	read -r address id <"$T/client" || return 1
	printf '%s %s\n' "$address" "$("$BIN/mx-queue" -C "$CONF" cat "$id" |
	    sed -n '1s/^Received: from \([^ ]* (.*)\).*/\1/p')"
}
got()
{
	cat "$T/swaks"
}

ok "a name, an address and a HELO" mail one 127.0.0.6 \
    --xclient-addr 192.0.2.77 --xclient-name Mail.Client.test \
    --xclient-helo helo.client.test --xclient-proto ESMTP \
    --xclient-port 4711 --xclient-login me --xclient-destaddr 192.0.2.25
like "$(got)" '^<-  250[ -]XCLIENT NAME ADDR PORT PROTO HELO' "it is offered"
like "$(got)" '^<-  220 mx2' "it is greeted again"
is "$(client_of one)" \
    "192.0.2.77 helo.client.test (mail.client.test [192.0.2.77])" \
    "the message is that client's"
ok "IPv6, and no name" mail two 127.0.0.6 \
    --xclient "ADDR=IPV6:2001:DB8::7 NAME=[UNAVAILABLE]"
is "$(client_of two)" "2001:db8::7 client.test ([IPv6:2001:db8::7])" \
    "the message is that client's"
ok "an address alone" mail three 127.0.0.6 --xclient-addr 192.0.2.79
is "$(client_of three)" "192.0.2.79 client.test ([192.0.2.79])" \
    "the message is that client's"
ok "a client who may, and does not" mail four 127.0.0.6
is "$(client_of four)" "127.0.0.6 client.test ([127.0.0.6])" \
    "is the client himself"
not_ok "another address" mail five 127.0.0.8 --xclient-addr 192.0.2.78
unlike "$(got)" '^<-  250[ -]XCLIENT' "is not offered it"
not_ok "an address that is none" mail six 127.0.0.6 \
    --xclient "ADDR=192.0.2.300"
like "$(got)" '^<\*\* 501 5\.5\.4' "is told so"
not_ok "an attribute that is none" mail seven 127.0.0.6 --xclient "IDENT=1"
like "$(got)" '^<\*\* 501 5\.5\.4' "is told so too"
is "$("$BIN/mx-queue" -C "$CONF" list | grep -cE '(five|six|seven)@')" 0 \
    "none of them left mail"

# What XCLIENT may not do, octet by octet.
cat >"$T/say" <<'END'
import socket, sys
s = socket.create_connection(('127.0.0.1', int(sys.argv[2])), 10,
                             (sys.argv[1], 0))
f = s.makefile('rb')
def reply():
    while True:
        line = f.readline().decode()
        if line[3:4] != '-':
            return line[:3]
print(reply(), end='')
for line in sys.argv[3:]:
    s.sendall(line.encode() + b'\r\n')
    print('', reply(), end='')
print()
END
say()
{
	from=$1
	shift
	python3 "$T/say" "$from" "$port" "$@"
}
is "$(say 127.0.0.8 "EHLO a.test" "XCLIENT ADDR=192.0.2.1" QUIT)" \
    "220 250 550 221" "said by another address it is refused"
is "$(say 127.0.0.6 "XCLIENT ADDR=192.0.2.1" "EHLO a.test" QUIT)" \
    "220 220 250 221" "it needs no EHLO before"
is "$(say 127.0.0.6 "EHLO a.test" "XCLIENT ADDR=192.0.2.1" \
    "MAIL FROM:<a@b.test>" QUIT)" "220 250 220 503 221" "it needs one after"
is "$(say 127.0.0.6 "EHLO a.test" "MAIL FROM:<a@b.test>" \
    "XCLIENT ADDR=192.0.2.1" "RCPT TO:<b@example.org>" QUIT)" \
    "220 250 250 503 250 221" "not within a transaction, which stays"
is "$(say 127.0.0.6 "EHLO a.test" "XCLIENT ADDR=192.0.2.1 FOO=1" \
    "XCLIENT ADDR=192.0.2.1" "XCLIENT ADDR=192.0.2.2" "EHLO a.test" QUIT)" \
    "220 250 501 220 220 250 221" "it may be said again, for the next client"

# nginx says the client's address and nothing of a name.
if ! nginx=$(sh "$TOP/tests/pkg" nginx libnginx-mod-mail 2>"$T/.out"); then
	skip "nginx's mail proxy" "no nginx: $(tail -n 1 "$T/.out")"
	done_testing
	exit
fi
front=$(free_port) auth=$(free_port)
cat >"$T/auth" <<'END'
import http.server, sys
class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header('Auth-Status', 'OK')
        self.send_header('Auth-Server', '127.0.0.1')
        self.send_header('Auth-Port', sys.argv[2])
        self.end_headers()
    def log_message(self, *words):
        pass
http.server.HTTPServer(('127.0.0.1', int(sys.argv[1])), Answer).serve_forever()
END
python3 "$T/auth" "$auth" "$port" &
cleanup_pid $!
wait_port 127.0.0.1 "$auth"
module=$(printf '%s\n' "$nginx" | tail -n 1)
cat >"$T/nginx.conf" <<END
load_module $module/usr/lib/nginx/modules/ngx_mail_module.so;
daemon off;
master_process off;
pid $T/nginx.pid;
error_log $T/nginx.log;
events {
}
mail {
	server_name front.test;
	auth_http 127.0.0.1:$auth/;
	xclient on;
	server {
		listen 127.0.0.1:$front;
		protocol smtp;
		smtp_auth none;
	}
}
END
"$(printf '%s\n' "$nginx" | head -n 1)/usr/sbin/nginx" -p "$T" \
    -e "$T/nginx.log" -c "$T/nginx.conf" >"$T/nginx.out" 2>&1 &
cleanup_pid $!
if ! wait_port 127.0.0.1 "$front"; then
	cat "$T/nginx.out" "$T/nginx.log" >"$T/.out"
	fail "nginx starts"
	diag_file "$T/.out"
fi
ok "mail by nginx" swaks --from ann@sender.test --to eight@example.org \
    --helo behind.test --server 127.0.0.1:"$front" -li 127.0.0.9 --timeout 10
is "$(client_of eight)" "127.0.0.9 behind.test ([127.0.0.9])" \
    "the message is of the client in front of it"

unlike "$(cat "$T/log")" 'Sanitizer|runtime error' "no sanitizer speaks"
done_testing
