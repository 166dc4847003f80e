# SPDX-License-Identifier: ISC
# A receiver that was taken over can add mail, and do nothing else.
. "$(dirname "$0")/../tap.sh"
need python3 cc
[ -z "$ASAN" ] || skip_all "the sanitizers read /proc, fork and trace"

# The product with another smtp_serve, and what plays an older kernel.
build()
{
	also="-Wl,-z,muldefs tests/hijack.c"
	make -s -n -W bin/mx-receive.c bin/mx-receive |
	    sed "s|-o bin/mx-receive |-o $T/hijacked $also |" |
	    sh && cc -D_GNU_SOURCE -o "$T/enosys" tests/enosys.c
}
cd "$TOP" || exit 1
ok "a hijacked receiver and an older kernel are built" build

conf()
{
	mkconf "$@"
	mkdomain a.example
	mkdomain b.example
	mkdomain new.example
}

# A spool with mail of two tenants, anew for each run.
furnish()
{
	rm -rf "$T/spool"
	for tap_dir in mail/a.example mail/b.example; do
		mkdir -p "$T/spool/$tap_dir/new" "$T/spool/$tap_dir/cur" \
		    "$T/spool/$tap_dir/tmp"
		echo secret >"$T/spool/$tap_dir/new/1"
	done
	mkdir -p "$T/spool/state" "$T/spool/tmp" "$T/spool/seen"
	echo secret >"$T/spool/tmp/named"
	echo up >"$T/spool/state/file"
	rm -f "$T/spool/trigger"
	mkfifo "$T/spool/trigger"
	chmod -R go= "$T/spool"
	rm -f "$T/made" "$T/etc/domains/evil"
	echo secret >"$T/secret"
}

# How receivers are started, and what a client does: HOW CLIENT COMMAND...
cat >"$T/host" <<'END'
import os, socket, subprocess, sys, time
how, client, command = sys.argv[1], sys.argv[2], sys.argv[3:]
top = os.environ['T']
door = socket.create_server(('127.0.0.1', 0))
# Somebody to connect to.
tcp = socket.create_server(('127.0.0.1', 0))
port = tcp.getsockname()[1]
udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
udp.bind(('127.0.0.1', port))
started = []
def start(fd):
    started.append(subprocess.Popen(command, stdin=fd, stdout=fd))
def connect():
    s = socket.create_connection(door.getsockname())
    if how == 'session':
        conn = door.accept()[0]
        start(conn.fileno())
        conn.close()
    s.settimeout(15)
    return s, s.makefile('rwb', buffering=0)
if how == 'socket':
    start(door.fileno())
if client == 'hijacker':
    _, one = connect()
    one.write(b'hold\r\n')
    pid, fd = one.readline().split()
    _, two = connect()
    two.write(b'%s %d %s %s\r\n' % (top.encode(), port, pid, fd))
    for line in two:
        print(line.decode().rstrip())
    one.write(b'end\r\n')
    one.read()
    # What came to the one who listens.
    for name, s in ('TCP', tcp), ('UDP', udp):
        s.setblocking(False)
        try:
            s.accept() if s is tcp else s.recv(100)
            print('heard by %s: yes' % name)
        except BlockingIOError:
            print('heard by %s: no' % name)
else:
    _, f = connect()
    for line in ('', 'EHLO client.example', 'MAIL FROM:<x@client.example>',
                 'RCPT TO:<y@a.example>', 'RCPT TO:<y@new.example>', 'DATA',
                 'Subject: z\r\n\r\nz\r\n.', 'QUIT'):
        if line:
            f.write(line.encode() + b'\r\n')
        while True:
            reply = f.readline().decode().rstrip()
            if reply[3:4] != '-':
                break
        print(reply)
        if reply[:3] in ('', '421'):
            break
if how == 'socket':
    started[0].terminate()
status = [p.wait() for p in started]
if how == 'session':
    print('exit', *status)
END
export T
host()
{
	timeout 60 python3 "$T/host" "$@" 2>"$T/log"
}

# Everything but their names: of the mail that was there.
looks()
{
	(cd "$T/spool" && find mail state/file tmp/named -type f ! -name second \
	    -exec stat -c '%n %a %u %g %s %Y' {} + | sort)
}

# The state of each attempt that is in question, a test each: NAME FILE PATTERN
refused()
{
	while IFS=: read -r attempt came; do
		case $attempt in
		heard*) is "$came" " no" "$1: nothing is $attempt" ;;
		*) is "$came" " refused" "$1 cannot $attempt" ;;
		esac
	done <<-END
	$(grep ': ' "$2" | grep -E -e "$3" | sort -u)
	END
}

# Its replies, the last of which is of its end.
accepted()
{
	is "$(grep -c '^250' "$1")" 5 "$2"
	is "$(cat "$T/spool/mail/a.example/new/"*S=* \
	    "$T/spool/mail/new.example/new/"*S=* | grep -c '^z')" 2 \
	    "$2, in each folder"
}

#
# Without a sandbox each attempt succeeds, or it would prove nothing.
#
conf "sandbox no"
for how in session socket; do
	furnish
	host $how hijacker "$T/hijacked" -C "$CONF" >"$T/free.$how"
	ok "$how: a free hijacker comes to the end" \
	    grep -q '^end$' "$T/free.$how"
	# That it has none of these is not the sandbox's doing.
	is "$(grep ': ' "$T/free.$how" | grep -vE ': (done|yes)$')" \
	    "accept in place of its parent: refused
read a file that is open: refused" "$how: and does all there is to do"
done

#
# With it none does, and mail is taken.
#
conf "sandbox required"
for how in session socket; do
	furnish
	looks >"$T/before"
	host $how hijacker "$T/hijacked" -C "$CONF" >"$T/held.$how"
	ok "$how: a hijacker comes to the end" grep -q '^end$' "$T/held.$how"
	refused "$how: it" "$T/held.$how" .
	is "$(grep -c : "$T/held.$how")" "$(grep -c : "$T/free.$how")" \
	    "$how: it has tried all"
	looks >"$T/after"
	same "$T/before" "$T/after" "$how: and all is as it was"

	furnish
	host $how sender "$BIN/mx-receive" -v -C "$CONF" >"$T/sent.$how"
	accepted "$T/sent.$how" "$how: mail is taken"
	like "$(cat "$T/log")" \
	    'sandbox: landlock-abi-[0-9]+, rlimits, seccomp' \
	    "$how: the log says what holds"
done

#
# Older kernels.
#
calls='execute|connect|send by|socket|chmod|readable|owner|time|truncate a message$|fork|signal|trace|look into|heard'
conf
furnish
host session hijacker "$T/enosys" landlock "$T/hijacked" -C "$CONF" >"$T/held"
like "$(cat "$T/log")" 'sandbox: no landlock \(Function not implemented\), ' \
    "without Landlock: the log says so"
refused "without Landlock it" "$T/held" "$calls"
furnish
host session sender "$T/enosys" landlock "$BIN/mx-receive" -C "$CONF" \
    >"$T/sent"
accepted "$T/sent" "without Landlock: mail is taken"
is "$(grep -c 'no landlock' "$T/log")" 1 "and it is said once"
furnish
host socket sender "$T/enosys" landlock "$BIN/mx-receive" -C "$CONF" \
    >"$T/sent"
accepted "$T/sent" "without Landlock, from a socket: mail is taken"
is "$(grep -c 'no landlock' "$T/log")" 1 "and it is said once there, too"

conf "sandbox required"
for layer in landlock seccomp; do
	furnish
	host session sender "$T/enosys" $layer "$BIN/mx-receive" -C "$CONF" \
	    >"$T/sent"
	like "$(cat "$T/sent")" '^421 4\.3\.' "required, no $layer: 421"
	like "$(cat "$T/sent")" '^exit 78$' "required, no $layer: exit 78"
	like "$(cat "$T/log")" "no $layer " "required, no $layer: it says why"
	host socket sender "$T/enosys" $layer "$BIN/mx-receive" -C "$CONF" \
	    >"$T/sent"
	like "$(cat "$T/sent")" '^421 4\.3\.' \
	    "required, no $layer: 421 at a socket"
done

done_testing
