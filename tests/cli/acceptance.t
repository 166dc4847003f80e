# SPDX-License-Identifier: ISC
#
# The promise, with nobody but real servers: a sender's Postfix that is given
# only the DNS falls over to us while the primary is stopped, and every
# message, of any size and shape, arrives at the primary's Postfix as it was,
# each once.  "make check-postfix" sends 1000 instead of the 60 of every day.

. "$(dirname "$0")/../tap.sh"

[ "$(id -u)" -eq 0 ] || skip_all "takes root, for Postfix' several users"
need unshare ip tcpserver python3

if [ -z "${ACCEPTANCE:-}" ]; then
	need_pkg POSTFIX postfix
	need_pkg NSD nsd
	need_pkg UNBOUND unbound
	# What is mounted there is gone when the namespaces are.
	OUTSIDE=$T
	export POSTFIX NSD UNBOUND OUTSIDE ACCEPTANCE=inside
	mkdir "$T/world"
	unshare -nmpf --mount-proc --kill-child sh -c ". \"\$TOP/tests/postfix.sh\" &&
	    postfix_world \"\$POSTFIX\" \"\$OUTSIDE/world\"" 2>/dev/null ||
	    skip_all "no namespaces, or no overlay file systems, here"
	unshare -nmpf --mount-proc --kill-child sh "$0"
	exit $?
fi

MESSAGES=${ACCEPTANCE_MESSAGES:-60}
. "$TOP/tests/postfix.sh"

# The names are a zone of nsd's; unbound asks it and answers on port 53.
name_servers()
{
	cat >"$T/zone" <<-END
	\$ORIGIN example.test.
	\$TTL 60
	@	SOA ns hostmaster 1 3600 600 86400 60
	@	NS ns
	@	MX 10 primary
	@	MX 20 mx2
	ns	A 127.0.0.1
	primary	A 192.0.2.1
	mx2	A 192.0.2.2
	END
	cat >"$T/nsd.conf" <<-END
	server:
		ip-address: 127.0.0.1@5300
		username: ""
		chroot: ""
		zonesdir: "$T"
		xfrdir: "$T"
		database: ""
		xfrdfile: ""
		zonelistfile: "$T/nsd.zones"
		pidfile: "$T/nsd.pid"
		server-count: 1
	remote-control:
		control-enable: no
	zone:
		name: example.test
		zonefile: zone
	END
	cat >"$T/unbound.conf" <<-END
	server:
		interface: 127.0.0.1
		username: ""
		chroot: ""
		directory: "$T"
		pidfile: ""
		use-syslog: no
		do-not-query-localhost: no
		local-zone: "test." nodefault
		module-config: "iterator"
	stub-zone:
		name: example.test
		stub-addr: 127.0.0.1@5300
	remote-control:
		control-enable: no
	END
	"$NSD/usr/sbin/nsd" -d -c "$T/nsd.conf" >"$T/nsd.log" 2>&1 &
	cleanup_pid $!
	"$UNBOUND/usr/sbin/unbound" -d -c "$T/unbound.conf" \
	    >"$T/unbound.log" 2>&1 &
	cleanup_pid $!
	wait_udp 5300 && wait_udp 53
}

stage()
{
	ip link set lo up
	for a in 192.0.2.1 192.0.2.2 198.51.100.7; do
		ip addr add $a/32 dev lo || return 1
	done
	chmod 755 "$T"
	chmod 755 "$OUTSIDE"
	mkdir "$T/box"
	POSTFIX_SPOOL=$T
	postfix_world "$POSTFIX" "$OUTSIDE/world" || return 1
	rm -f /etc/resolv.conf /etc/hosts /etc/nsswitch.conf
	echo 'nameserver 127.0.0.1' >/etc/resolv.conf
	echo '127.0.0.1 localhost' >/etc/hosts
	echo 'hosts: files dns' >/etc/nsswitch.conf
	name_servers
}

# As little as possible is changed in passing.
sender()
{
	postfix_new sender 198.51.100.7 \
	    'mynetworks = 198.51.100.7/32' \
	    'smtp_bind_address = 198.51.100.7' \
	    'smtpd_relay_restrictions = permit_mynetworks, reject' \
	    'smtp_line_length_limit = 0' \
	    'disable_mime_output_conversion = yes' \
	    'minimal_backoff_time = 5s' 'queue_run_delay = 5s' &&
	    postfix_begin sender
}

primary()
{
	chown postfix "$T/box"
	postfix_new primary 192.0.2.1 \
	    'virtual_mailbox_domains = example.test' \
	    "virtual_mailbox_base = $T/box" \
	    'virtual_mailbox_maps = static:inbox/' \
	    'virtual_mailbox_limit = 0' \
	    'virtual_minimum_uid = 1' \
	    "virtual_uid_maps = static:$(id -u postfix)" \
	    "virtual_gid_maps = static:$(id -g postfix)" &&
	    postfix_begin primary
}

backup()
{
	mkconf
	sed -i 's/^hostname .*/hostname mx2.example.test/' "$CONF/mxkeep.conf"
	mkdomain example.test
	tcpserver -H -R -l 0 -c 40 192.0.2.2 25 "$BIN/mx-receive" -C "$CONF" \
	    </dev/null >/dev/null 2>"$T/receive.log" &
	cleanup_pid $!
	wait_port 192.0.2.2 25
}

# Writes $T/sent/N as it must arrive, and hands each to the sender's server:
# by SMTP, and where there is no newline at the end, which SMTP cannot say,
# by its sendmail.
cat >"$T/send.py" <<'END'
import os, random, smtplib, subprocess, sys
where, count = sys.argv[1], int(sys.argv[2])
rnd = random.Random(7)
text = bytes(b for b in range(1, 256) if b not in b"\r\n")
stock = bytes(rnd.choices(text, k=1 << 18))

def line(n):
    at = rnd.randrange(len(stock) - n)
    return stock[at:at + n]

def body(kind):
    if kind == 0:
        return b""
    if kind == 1:                       # dots in every place
        return b".\n..\n.x\n\n...\n" + line(40) + b"\n.\n"
    if kind == 2:                       # long lines
        return line(rnd.randrange(900, 70000)) + b"\n" + line(998) + b"\n"
    if kind == 3:                       # no newline at the end
        return line(rnd.randrange(1, 300))
    if kind == 4:                       # white space and empty lines
        return b" \n\t\n\n\n" + b"x \t \n" * 5 + b"\n\n"
    if kind == 5 and rnd.random() < .2:
        return (line(76) + b"\n") * rnd.randrange(1000, 14000)
    return b"".join(line(rnd.randrange(0, 120)) + b"\n"
        for i in range(rnd.randrange(0, 200)))

def message(n):
    kind = n % 8
    head = b"X-Marker: %d\nFrom: <ann@elsewhere.test>\n" % n
    head += b"To: <ben@example.test>\nDate: Mon, 2 Mar 2026 09:00:00 +0000\n"
    head += b"Message-Id: <%d@elsewhere.test>\nSubject: of kind %d\n" % (n, kind)
    if kind in (2, 6):
        head += b"X-Long: " + b"h" * rnd.randrange(900, 60000) + b"\n"
        head += b"X-Folded: one\n\ttwo\n   three " + b"y" * 3000 + b"\n"
    large = n == 5 or n % 400 == 5      # just under 25 MB
    return head + b"\n" + ((line(99) + b"\n") * 249900 if large else body(kind))

smtp = smtplib.SMTP("198.51.100.7", 25, timeout=60)
smtp.ehlo("laptop.elsewhere.test")
for n in range(count):
    data = message(n)
    if not data.endswith(b"\n"):
        subprocess.run(["sendmail", "-C", "/etc/sender", "-i", "-f",
            "ann@elsewhere.test", "ben@example.test"], input=data, check=True)
        data += b"\n"
    else:
        wire = data.replace(b"\n", b"\r\n").replace(b"\r\n.", b"\r\n..")
        for verb in ("MAIL FROM:<ann@elsewhere.test> BODY=8BITMIME",
                "RCPT TO:<ben@example.test>", "DATA"):
            code, reply = smtp.docmd(verb)
            assert code in (250, 354), reply
        smtp.sock.sendall(wire + b".\r\n")
        code, reply = smtp.getreply()
        assert code == 250, reply
    with open(os.path.join(where, str(n)), "wb") as f:
        f.write(data)
smtp.quit()
END

# Prints "equal DIFFERENT missing doubled", in numbers.
cat >"$T/compare.py" <<'END'
import glob, os, sys
sent, box = sys.argv[1:]
seen = {}
equal = different = 0
for name in glob.glob(os.path.join(box, "new", "*")):
    with open(name, "rb") as f:
        data = f.read()
    at = data.index(b"X-Marker: ")
    n = int(data[at + 10:data.index(b"\n", at)])
    seen[n] = seen.get(n, 0) + 1
    with open(os.path.join(sent, str(n)), "rb") as f:
        if f.read() == data[at:]:
            equal += 1
        else:
            different += 1
            print("differs:", n, name, file=sys.stderr)
count = len(os.listdir(sent))
print(equal, different, count - len(seen), sum(seen.values()) - len(seen))
END

in_queue()
{
	find "$T/$1/queue/incoming" "$T/$1/queue/active" \
	    "$T/$1/queue/deferred" "$T/$1/queue/maildrop" -type f | grep -c .
}
nothing_left()
{
	[ "$(in_queue "$1")" -eq 0 ]
}
kept()
{
	find "$SPOOL/mail/example.test/new" "$SPOOL/mail/example.test/cur" \
	    -type f | grep -c .
}
all_kept()
{
	[ "$(kept)" -eq "$MESSAGES" ]
}
arrived()
{
	find "$T/box/inbox/new" -type f | grep -c .
}
all_arrived()
{
	[ "$(arrived)" -ge "$MESSAGES" ]
}

ok "name servers answer" stage
ok "we answer on port 25" backup
ok "the sender's Postfix starts" sender
mkdir "$T/sent"
ok "$MESSAGES messages are handed to the sender's Postfix" \
    python3 "$T/send.py" "$T/sent" "$MESSAGES"
until_ok 40 all_kept
is "$(kept)" "$MESSAGES" "we keep them all while the primary is stopped"
until_ok 10 nothing_left sender
is "$(in_queue sender)" 0 "the sender's queue is empty"
exits 75 "a run while the primary is stopped leaves them" \
    "$BIN/mx-flush" -C "$CONF"
is "$(kept)" "$MESSAGES" "none is lost by that"
ok "the primary's Postfix starts" primary
ok "mx-flush hands everything over" "$BIN/mx-flush" -C "$CONF"
is "$(kept)" 0 "we keep nothing any more"
[ "$(kept)" -ne 0 ] || until_ok 40 all_arrived
until_ok 10 nothing_left primary
is "$(python3 "$T/compare.py" "$T/sent" "$T/box/inbox" 2>"$T/differ")" \
    "$MESSAGES 0 0 0" \
    "all are equal byte for byte; none missing, none there twice"
[ ! -s "$T/differ" ] || diag_file "$T/differ"
postfix_end sender
postfix_end primary
done_testing
