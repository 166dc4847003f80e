# SPDX-License-Identifier: ISC
#
# A primary and two backups on hosts of their own, a sender's Postfix on a
# fourth, which is given the DNS alone.  Each of the three is away in turn, by
# the death of its processes or of its line; each message ends at the primary,
# once.

. "$(dirname "$0")/../tap.sh"

[ "$(id -u)" -eq 0 ] || skip_all "takes root, for Postfix' several users"
need unshare ip tcpserver python3

if [ -z "${BACKUPS:-}" ]; then
	need_pkg POSTFIX postfix
	need_pkg UNBOUND unbound
	OUTSIDE=$T
	export POSTFIX UNBOUND OUTSIDE BACKUPS=inside
	mkdir "$T/world"
	unshare -nmpf --mount-proc --kill-child sh -c ". \"\$TOP/tests/postfix.sh\" &&
	    postfix_world \"\$POSTFIX\" \"\$OUTSIDE/world\" && mkdir /run/netns &&
	    ip netns add probe && ip netns exec probe true" 2>/dev/null ||
	    skip_all "no namespaces, or no overlay file systems, here"
	unshare -nmpf --mount-proc --kill-child sh "$0"
	exit $?
fi

. "$TOP/tests/postfix.sh"

# The line: a switch, to which the sender and the DNS are next.
line()
{
	ip link set lo up &&
	    ip link add switch type bridge forward_delay 0 &&
	    ip link set switch up &&
	    ip addr add 10.9.0.1/24 dev switch
}

# host NAME ADDR
host()
{
	ip netns add "$1" &&
	    ip link add "$1" type veth peer name eth0 netns "$1" &&
	    ip link set "$1" master switch up &&
	    ip -n "$1" addr add "$2/24" dev eth0 &&
	    ip -n "$1" link set eth0 up &&
	    ip -n "$1" link set lo up
}

name_server()
{
	cat >"$T/unbound.conf" <<-END
	server:
		interface: 10.9.0.1
		access-control: 10.9.0.0/24 allow
		username: ""
		chroot: ""
		directory: "$T"
		pidfile: ""
		use-syslog: no
		module-config: "iterator"
		local-zone: "test." static
		local-data: "example.test. 60 MX 10 primary.example.test."
		local-data: "example.test. 60 MX 20 mx2.example.test."
		local-data: "example.test. 60 MX 30 mx3.example.test."
		local-data: "primary.example.test. 60 A 10.9.0.10"
		local-data: "mx2.example.test. 60 A 10.9.0.20"
		local-data: "mx3.example.test. 60 A 10.9.0.30"
	remote-control:
		control-enable: no
	END
	"$UNBOUND/usr/sbin/unbound" -d -c "$T/unbound.conf" \
	    >"$T/unbound.log" 2>&1 &
	cleanup_pid $!
	wait_udp 53
}

stage()
{
	chmod 755 "$T"
	chmod 755 "$OUTSIDE"
	POSTFIX_SPOOL=$T
	postfix_world "$POSTFIX" "$OUTSIDE/world" || return 1
	line && mkdir /run/netns && host primary 10.9.0.10 &&
	    host mx2 10.9.0.20 && host mx3 10.9.0.30 || return 1
	rm -f /etc/resolv.conf /etc/hosts /etc/nsswitch.conf
	echo 'nameserver 10.9.0.1' >/etc/resolv.conf
	echo '127.0.0.1 localhost' >/etc/hosts
	echo 'hosts: files dns' >/etc/nsswitch.conf
	name_server
}

sender()
{
	postfix_new sender 127.0.0.1 \
	    'mynetworks = 127.0.0.0/8' \
	    'smtpd_relay_restrictions = permit_mynetworks, reject' \
	    'smtp_connect_timeout = 2s' \
	    'minimal_backoff_time = 1s' 'maximal_backoff_time = 2s' \
	    'queue_run_delay = 1s' && postfix_begin sender
}

primary()
{
	mkdir "$T/box" && chown postfix "$T/box" &&
	    postfix_new primary 10.9.0.10 \
	    'virtual_mailbox_domains = example.test' \
	    "virtual_mailbox_base = $T/box" \
	    'virtual_mailbox_maps = static:inbox/' \
	    'virtual_mailbox_limit = 0' \
	    'virtual_minimum_uid = 1' \
	    "virtual_uid_maps = static:$(id -u postfix)" \
	    "virtual_gid_maps = static:$(id -g postfix)"
}

primary_up()
{
	ip netns exec primary sh -c ". \"\$TOP/tests/postfix.sh\" &&
	    POSTFIX_SPOOL='$T' postfix_begin primary"
}

# backup NAME ADDR: its receiver and its flusher
backup()
{
	mkdir -p "$T/$1/etc/domains" "$T/$1/spool"
	chmod 700 "$T/$1/spool"
	: >"$T/$1/etc/domains/example.test"
	cat >"$T/$1/etc/mxkeep.conf" <<-END
	hostname $1.example.test
	spool $T/$1/spool
	timeout connect 1s
	${ASAN:+sandbox no}
	END
}

begin()
{
	name=$1
	addr=$2
	ip netns exec "$name" tcpserver -H -R -l 0 "$addr" 25 \
	    "$BIN/mx-receive" -C "$T/$name/etc" </dev/null \
	    >/dev/null 2>>"$T/$name/receive.log" &
	echo $! >"$T/$name/receive.pid"
	cleanup_pid $!
	ip netns exec "$name" "$BIN/mx-flush" -C "$T/$name/etc" -v -w 2 \
	    </dev/null >/dev/null 2>>"$T/$name/flush.log" &
	echo $! >"$T/$name/flush.pid"
	cleanup_pid $!
}

# As by a power cut, but for the disk.
murder()
{
	pids=$(ip netns pids "$1")
	[ -z "$pids" ] || kill -9 $pids
}

# post FROM TO: messages with these numbers, by the sender's Postfix
cat >"$T/post.py" <<'END'
import smtplib, sys
smtp = smtplib.SMTP("127.0.0.1", 25, timeout=60)
for n in range(int(sys.argv[1]), int(sys.argv[2])):
    smtp.sendmail("ann@elsewhere.test", ["ben@example.test"],
        "Subject: %d\nX-Marker: %d\n\n%s\n" % (n, n, "text " * n))
smtp.quit()
END
post()
{
	python3 "$T/post.py" "$1" "$2"
}

kept()
{
	find "$T/$1/spool/mail/example.test/new" \
	    "$T/$1/spool/mail/example.test/cur" -type f 2>/dev/null | grep -c .
}
keeps()
{
	[ "$(kept "$1")" -eq "$2" ]
}
arrived()
{
	find "$T/box/inbox/new" -type f 2>/dev/null | grep -c .
}
has_arrived()
{
	[ "$(arrived)" -ge "$1" ]
}
markers()
{
	find "$T/box/inbox/new" -type f -exec grep -h '^X-Marker: ' {} + |
	    tr -cd '0-9\n' | sort -n
}

ok "a switch, four hosts, a name server" stage
ok "the sender's Postfix starts" sender
ok "the primary is set up" primary
for pair in mx2:20 mx3:30; do
	backup "${pair%:*}" "10.9.0.${pair#*:}"
	begin "${pair%:*}" "10.9.0.${pair#*:}"
done
ok "the primary starts" primary_up
ok "all are up: five messages are sent" post 0 5
until_ok 20 has_arrived 5
is "$(arrived) $(kept mx2) $(kept mx3)" "5 0 0" "they go to the primary"

murder primary
ok "the primary has died: ten more" post 5 15
until_ok 20 keeps mx2 10
is "$(kept mx2) $(kept mx3)" "10 0" "the second keeps them"
ip link set mx2 down
ok "the second's line is cut: ten more" post 15 25
until_ok 30 keeps mx3 10
is "$(kept mx3)" 10 "the third keeps them"
until_ok 10 sh -c "grep -q 'down domain=example.test' '$T/mx3/flush.log'"
ok "and finds nobody better" grep -q "down domain=example.test" \
    "$T/mx3/flush.log"
murder mx2
ip link set mx2 up
begin mx2 10.9.0.20
until_ok 20 keeps mx3 0
is "$(kept mx2) $(kept mx3)" "20 0" \
    "the second is back: the third hands over to it"
murder mx3
ok "the third has died: five more" post 25 30
until_ok 20 keeps mx2 25
is "$(kept mx2)" 25 "the second has all of it, and gives none to the third"
rm -f "$T/primary/queue/pid/"*
ok "the primary starts again" primary_up
until_ok 30 has_arrived 30
until_ok 10 keeps mx2 0
is "$(arrived) $(kept mx2)" "30 0" "everything has left"
is "$(markers | uniq | tr '\n' ' ')" "$(seq 0 29 | tr '\n' ' ')" \
    "each message is at the primary"
is "$(markers | uniq -d)" "" "and once"
[ "$tap_failed" -eq 0 ] || for name in mx2 mx3; do
	diag "$name"
	diag_file "$T/$name/flush.log"
done
postfix_end sender
murder primary
murder mx2
done_testing
