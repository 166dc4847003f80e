# SPDX-License-Identifier: ISC
#
# Other people's servers as primaries: Postfix, Exim, OpenSMTPD, sendmail and
# aiosmtpd each get what has waited for them, byte for byte and once, over TLS
# where theirs works, and their refusal of an unknown recipient is reported.

. "$(dirname "$0")/../tap.sh"

[ "$(id -u)" -eq 0 ] || skip_all "takes root, for the servers' several users"
need openssl python3 unshare ip
MESSAGES=12

if [ -z "${PRIMARIES:-}" ]; then
	need_pkg POSTFIX postfix
	need_pkg EXIM exim4-daemon-light
	need_pkg OPENSMTPD opensmtpd
	need_pkg SENDMAIL sendmail-bin
	need_pkg AIOSMTPD python3-aiosmtpd
	need_pkg PUBLIC python3-public
	need_pkg ATTR python3-attr
	need_pkg TYPING python3-typing-extensions
	OUTSIDE=$T
	export POSTFIX EXIM OPENSMTPD SENDMAIL AIOSMTPD PUBLIC ATTR TYPING \
	    OUTSIDE PRIMARIES=inside
	mkdir "$T/world"
	unshare -nmupf --mount-proc --kill-child sh -c \
	    '. "$TOP/tests/postfix.sh" &&
	    postfix_world "$POSTFIX" "$OUTSIDE/world"' 2>/dev/null ||
	    skip_all "no namespaces, or no overlay file systems, here"
	unshare -nmupf --mount-proc --kill-child sh "$0"
	exit $?
fi
. "$TOP/tests/postfix.sh"

# USER UID
user()
{
	sed -i "/^$1:/d" /etc/passwd /etc/group
	echo "$1:x:$2:$2::/:/bin/false" >>/etc/passwd
	echo "$1:x:$2:" >>/etc/group
}

stage()
{
	hostname primary.test && ip link set lo up || return 1
	chmod 755 "$T" "$OUTSIDE"
	POSTFIX_SPOOL=$T
	postfix_world "$POSTFIX" "$OUTSIDE/world" || return 1
	rm -f /etc/resolv.conf /etc/nsswitch.conf
	echo '127.0.0.1 localhost primary.test' >/etc/hosts
	echo 'hosts: files' >/etc/nsswitch.conf
	user Debian-exim 61210
	user opensmtpd 61211
	user opensmtpq 61212
	user smmta 61213
	user smmsp 61213
	user reader 61214
	mount -t tmpfs tmpfs /var/log && mount -t tmpfs tmpfs /var/spool &&
	    mount -t tmpfs tmpfs /var/lib && rm -rf /etc/exim4 &&
	    mkdir -p /etc/exim4 "$T/exim" "$T/sendmail" "$T/box" \
	    /var/lib/opensmtpd/empty /var/spool/smtpd /var/lib/sendmail &&
	    chmod 711 /var/spool/smtpd &&
	    chown Debian-exim "$T/exim" && chown reader "$T/box" &&
	    install -m 4755 "$EXIM/usr/sbin/exim4" /usr/sbin/exim4 &&
	    cp "$OPENSMTPD"/usr/sbin/* /usr/sbin/ &&
	    cp -R "$OPENSMTPD/usr/libexec/opensmtpd" /usr/libexec/ &&
	    openssl req -x509 -newkey rsa:2048 -nodes -days 90 \
	    -subj /CN=primary.test -keyout "$T/key.pem" -out "$T/cert.pem" &&
	    cat "$T/key.pem" "$T/cert.pem" >"$T/both.pem" &&
	    chmod 600 "$T/key.pem" && chown Debian-exim "$T/both.pem"
}

postfix_primary()
{
	mkdir "$T/box/postfix" && chown postfix "$T/box/postfix" &&
	    printf 'b@example.org inbox/\n' >/etc/boxes &&
	    postfix_new primary 127.0.0.1 \
	    'virtual_mailbox_domains = example.org' \
	    "virtual_mailbox_base = $T/box/postfix" \
	    'virtual_mailbox_maps = texthash:/etc/boxes' \
	    'virtual_mailbox_limit = 0' 'virtual_minimum_uid = 1' \
	    "virtual_uid_maps = static:$(id -u postfix)" \
	    "virtual_gid_maps = static:$(id -g postfix)" \
	    'smtpd_tls_security_level = may' \
	    "smtpd_tls_cert_file = $T/cert.pem" \
	    "smtpd_tls_key_file = $T/key.pem" || return 1
	sed -i "s/^smtp  *inet/127.0.0.1:$1 inet/" /etc/primary/master.cf
	postfix_begin primary
}

exim_primary()
{
	mkdir "$T/box/exim" && chown reader "$T/box/exim" || return 1
	cat >/etc/exim4/exim4.conf <<-END
	spool_directory = $T/exim
	log_file_path = $T/exim/log-%s
	primary_hostname = primary.test
	keep_environment =
	daemon_smtp_ports = $1
	local_interfaces = 127.0.0.1
	tls_advertise_hosts = *
	tls_certificate = $T/both.pem
	acl_smtp_rcpt = rcpt
	begin acl
	rcpt:
	  deny !verify = recipient
	    message = nobody of that name
	  accept
	begin routers
	box:
	  driver = accept
	  domains = example.org
	  local_parts = b
	  transport = box
	begin transports
	box:
	  driver = appendfile
	  maildir_format
	  directory = $T/box/exim/inbox
	  user = reader
	END
	/usr/sbin/exim4 -bdf -q10s >"$T/exim.out" 2>&1 &
	cleanup_pid $!
}

opensmtpd_primary()
{
	mkdir "$T/box/opensmtpd" && chown reader "$T/box/opensmtpd" || return 1
	cat >/etc/smtpd.conf <<-END
	pki primary.test cert "$T/cert.pem"
	pki primary.test key "$T/key.pem"
	table users { "b" = "61214:61214:$T/box/opensmtpd" }
	listen on 127.0.0.1 port $1 tls pki primary.test hostname primary.test
	action "box" maildir "$T/box/opensmtpd/inbox" userbase <users>
	match from any for domain "example.org" action "box"
	END
	smtpd -d -f /etc/smtpd.conf >"$T/opensmtpd.out" 2>&1 &
	cleanup_pid $!
}

sendmail_primary()
{
	mkdir -p "$T/box/sendmail/inbox/new" &&
	    chown -R reader "$T/box/sendmail" || return 1
	cat >/usr/bin/into-box <<-END
	#!/bin/sh
	exec cat >"$T/box/sendmail/inbox/new/\$\$"
	END
	chmod 755 /usr/bin/into-box
	# It trusts nothing below a directory that all may write to.
	cp "$T/cert.pem" "$T/key.pem" /etc/ssl/ && chmod 600 /etc/ssl/key.pem
	cat >"$T/sendmail.cf" <<-END
	V10/Berkeley
	Cwexample.org
	Djprimary.test
	DnMAILER-DAEMON
	Troot
	O QueueDirectory=$T/sendmail
	O DontBlameSendmail=GroupWritableDirPathSafe
	O DaemonPortOptions=Name=MTA, Addr=127.0.0.1, Port=$1
	O DeliveryMode=i
	O SuperSafe=True
	O PidFile=$T/sendmail.pid
	O EightBitMode=pass8
	O LogLevel=0
	O TempFileMode=0600
	O RefuseLA=1000
	O QueueLA=1000
	O Timeout.ident=0
	O DefaultUser=reader
	O ServerCertFile=/etc/ssl/cert.pem
	O ServerKeyFile=/etc/ssl/key.pem
	O CACertFile=/etc/ssl/cert.pem
	O CACertPath=/etc/ssl/certs
	S3
	R\$* < \$* > \$*	\$2
	S0
	Rb @ example.org	\$#local \$: b
	R\$* @ \$*	\$#esmtp \$@ \$2 \$: \$1 @ \$2
	Scheck_rcpt
	R< b @ example.org >	\$@ OK
	R\$*	\$#error \$@ 5.1.1 \$: "550 5.1.1 User unknown"
	S4
	Mesmtp, P=[IPC], F=mDFMuXa8, A=TCP \$h
	Mlocal, P=/usr/bin/into-box, F=lsDFM8, A=into-box \$u
	Mprog, P=/bin/false, F=lsDFM, A=false
	END
	"$SENDMAIL/usr/libexec/sendmail/sendmail" -C "$T/sendmail.cf" -bD \
	    >"$T/sendmail.out" 2>&1 &
	cleanup_pid $!
}

aiosmtpd_primary()
{
	mkdir -p "$T/box/aiosmtpd" || return 1
	cat >"$T/aio.py" <<-'END'
	import asyncio, mailbox, ssl, sys
	from aiosmtpd.controller import Controller
	port, box, cert, key = sys.argv[1:]

	class Handler:
	    box = mailbox.Maildir(box, create=True)
	    async def handle_RCPT(self, server, session, envelope, address, opts):
	        if address != "b@example.org":
	            return "550 5.1.1 who is that"
	        envelope.rcpt_tos.append(address)
	        return "250 OK"
	    async def handle_DATA(self, server, session, envelope):
	        self.box.add(envelope.content)
	        return "250 OK"

	context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
	context.load_cert_chain(cert, key)
	Controller(Handler(), hostname="127.0.0.1", port=int(port),
	    tls_context=context).start()
	asyncio.new_event_loop().run_forever()
	END
	packages=
	for dir in "$AIOSMTPD" "$PUBLIC" "$ATTR" "$TYPING"; do
		packages=$packages:$dir/usr/lib/python3/dist-packages
	done
	PYTHONPATH=${packages#:} /usr/bin/python3 "$T/aio.py" "$1" \
	    "$T/box/aiosmtpd/inbox" "$T/cert.pem" "$T/key.pem" \
	    >"$T/aiosmtpd.out" 2>&1 &
	cleanup_pid $!
}

# What is hard to carry: dots, 8 bits, long lines, nothing at all.
cat >"$T/write.py" <<'END'
import random, sys
rnd = random.Random(5)
for n in range(int(sys.argv[2])):
    body = [b"", b".\n..\n.x\n", b"gr\xc3\xbc\xc3\x9fe \xff\n" * 3,
        b"x" * 990 + b"\n", b"line\n" * 40000, b" \n\t\n\n"][n % 6]
    body += b"".join(b"%d \n" % rnd.randrange(1 << 30) for i in range(n))
    with open("%s/%d" % (sys.argv[1], n), "wb") as f:
        f.write(b"From: <a@sender.test>\nTo: <b@example.org>\n"
            b"Date: Mon, 23 Nov 2026 20:00:00 +0000\n"
            b"Message-ID: <%d@sender.test>\nSubject: n\nX-Marker: %d\n\n"
            % (n, n) + body)
END

# Prints "equal different missing doubled".  What a server's file format
# changes by itself: an empty line at the end.
cat >"$T/compare.py" <<'END'
import glob, os, sys
sent, box = sys.argv[1:]
seen, equal, different = {}, 0, 0
for name in glob.glob(os.path.join(box, "new", "*")):
    data = open(name, "rb").read().replace(b"\r\n", b"\n")
    if b"X-Marker: " not in data:
        continue
    at = data.index(b"X-Marker: ")
    n = data[at + 10:data.index(b"\n", at)].decode()
    seen[n] = seen.get(n, 0) + 1
    want = open(os.path.join(sent, n), "rb").read()
    if want[want.index(b"X-Marker: "):].rstrip(b"\n") == \
            data[at:].rstrip(b"\n"):
        equal += 1
    else:
        different += 1
count = len(os.listdir(sent))
print(equal, different, count - len(seen), sum(seen.values()) - len(seen))
END

outcome()
{
	python3 "$T/compare.py" "$T/sent" "$T/box/$1/inbox"
}
all_there()
{
	[ "$(outcome "$1")" = "$MESSAGES 0 0 0" ]
}

# NAME TLS: does its TLS work?
hands_over()
{
	name=$1 tls=$2
	mkdomain example.org "route 127.0.0.1:$port"
	rm -rf "$SPOOL"
	mkdir -m 700 "$SPOOL"
	for n in $(seq 0 $((MESSAGES - 1))); do
		"$BIN/mx-queue" -C "$CONF" add -f a@sender.test \
		    b@example.org <"$T/sent/$n" >>"$T/ids" || break
	done
	"$BIN/mx-queue" -C "$CONF" add -f a@sender.test b@example.org \
	    nobody@example.org <"$T/sent/0" >>"$T/ids"
	is "$("$BIN/mx-queue" -C "$CONF" list example.org | grep -c .)" \
	    "$((MESSAGES + 1))" "$name: messages wait"
	exits 0 "$name: mx-flush hands them over" "$BIN/mx-flush" -v \
	    -C "$CONF" example.org
	cp "$T/.out" "$T/$name.log"
	case $tls in
	yes)
		like "$(cat "$T/$name.log")" \
		    'delivered id=.* tls="TLSv1\.[23] [A-Z0-9_-]* none"' \
		    "$name: in TLS" ;;
	no)
		like "$(cat "$T/$name.log")" 'clear domain=example.org' \
		    "$name: its TLS leads to nothing"
		like "$(cat "$T/$name.log")" 'delivered id=.* tls="none"' \
		    "$name: in clear text, then" ;;
	esac
	find "$T/box/$name/inbox/new" -type f -exec \
	    grep -l 'nobody@example.org' {} + >"$T/.copies" 2>/dev/null
	until_ok 15 has "$name" $((MESSAGES + 1))
	is "$(outcome "$name")" "$((MESSAGES + 1)) 0 0 1" \
	    "$name: all are there and equal, and the one with two names too"
	like "$(cat "$T/$name.log")" 'refused id=.* rcpt=2 reply="5[0-9][0-9] ' \
	    "$name: its refusal of a recipient is heard"
	is "$("$BIN/mx-queue" -C "$CONF" list sender.test | grep -c .)" 1 \
	    "$name: and reported"
}
has()
{
	[ "$(find "$T/box/$1/inbox/new" -type f 2>/dev/null | grep -c .)" \
	    -ge "$2" ]
}

# NAME TLS: who wants to know the server's key gets that or nothing
pinned()
{
	key=$(openssl pkey -in "$T/key.pem" -pubout -outform DER | sha256sum |
	    cut -d ' ' -f 1)
	mkdomain example.org "route 127.0.0.1:$port" "tls pin sha256:$key"
	"$BIN/mx-queue" -C "$CONF" add -f a@sender.test b@example.org \
	    <"$T/sent/1" >>"$T/ids"
	case $2 in
	yes)
		exits 0 "$1: by its key" "$BIN/mx-flush" -v -C "$CONF" \
		    example.org
		like "$(cat "$T/.out")" 'delivered id=.* tls="TLS.* pin"' \
		    "$1: as the log says" ;;
	no)
		exits 75 "$1: nothing for who wants to know its key" \
		    "$BIN/mx-flush" -v -C "$CONF" example.org
		like "$(cat "$T/.out")" 'less TLS|down domain=.*TLS' \
		    "$1: as the log says" ;;
	esac
}

ok "a place for the servers" stage
mkconf
mkdir "$T/sent"
python3 "$T/write.py" "$T/sent" "$MESSAGES"
for server in postfix:yes exim:yes opensmtpd:no sendmail:yes aiosmtpd:yes; do
	tls=${server#*:} server=${server%:*}
	port=$(free_port)
	ok "$server starts" "${server}_primary" "$port"
	ok "$server answers" wait_port 127.0.0.1 "$port"
	hands_over "$server" "$tls"
	pinned "$server" "$tls"
done
postfix_end primary
done_testing
