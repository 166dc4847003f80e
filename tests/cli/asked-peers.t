# SPDX-License-Identifier: ISC
# What senders ask for, and what is not ASCII, with real servers: Postfix and
# Exim know DSN and SMTPUTF8; a second Postfix is told to offer neither.

. "$(dirname "$0")/../tap.sh"

[ "$(id -u)" -eq 0 ] || skip_all "takes root, for Postfix' several users"
need unshare ip python3

if [ -z "${PEERS:-}" ]; then
	need_pkg POSTFIX postfix
	need_pkg EXIM exim4-daemon-light
	# What is mounted there is gone when the namespaces are.
	OUTSIDE=$T
	export POSTFIX EXIM OUTSIDE PEERS=inside
	mkdir "$T/world"
	unshare -nmpf --mount-proc --kill-child sh -c ". \"\$TOP/tests/postfix.sh\" &&
	    postfix_world \"\$POSTFIX\" \"\$OUTSIDE/world\"" 2>/dev/null ||
	    skip_all "no namespaces, or no overlay file systems, here"
	unshare -nmpf --mount-proc --kill-child sh "$0"
	exit $?
fi

. "$TOP/tests/postfix.sh"

# NAME ADDR [LINE...]
start()
{
	name=$1
	mkdir -p "$T/box.$name" && chown postfix "$T/box.$name" || return 1
	addr=$2
	shift 2
	postfix_new "$name" "$addr" \
	    'virtual_mailbox_domains = example.test sender.test both.test plain.test' \
	    "virtual_mailbox_base = $T/box.$name" \
	    'virtual_mailbox_maps = static:inbox/' \
	    'virtual_mailbox_limit = 0' 'virtual_minimum_uid = 1' \
	    "virtual_uid_maps = static:$(id -u postfix)" \
	    "virtual_gid_maps = static:$(id -g postfix)" \
	    'smtpd_recipient_restrictions = check_recipient_access inline:{ no@example.test=REJECT }, permit_auth_destination, reject' \
	    "$@" && postfix_begin "$name"
}
exim()
{
	echo "Debian-exim:x:61300:61300::/:/bin/false" >>/etc/passwd
	echo "Debian-exim:x:61300:" >>/etc/group
	mkdir -p /etc/exim4 "$T/exim" "$T/box.exim"
	chown 61300:61300 "$T/exim" "$T/box.exim"
	cat >/etc/exim4/exim4.conf <<-END
	exim_path = $EXIM/usr/sbin/exim4
	spool_directory = $T/exim
	log_file_path = $T/exim/%slog
	pid_file_path = $T/exim/pid
	primary_hostname = exim.test
	local_interfaces = 192.0.2.3
	daemon_smtp_ports = 25
	acl_smtp_rcpt = take
	dsn_advertise_hosts = *
	smtputf8_advertise_hosts = *
	chunking_advertise_hosts =
	tls_advertise_hosts =
	hosts_treat_as_local =
	host_lookup =
	rfc1413_query_timeout = 0s
	begin acl
	take:
	  accept
	begin routers
	all:
	  driver = accept
	  transport = box
	begin transports
	box:
	  driver = appendfile
	  file = $T/box.exim/all
	  user = Debian-exim
	  envelope_to_add
	  return_path_add
	END
	chmod 644 /etc/exim4/exim4.conf
	"$EXIM/usr/sbin/exim4" -bdf >"$T/exim.out" 2>&1 &
	cleanup_pid $!
	wait_port 192.0.2.3 25
}
stage()
{
	ip link set lo up
	for a in 192.0.2.1 192.0.2.2 192.0.2.3; do
		ip addr add $a/32 dev lo || return 1
	done
	chmod 755 "$T" "$OUTSIDE"
	POSTFIX_SPOOL=$T
	postfix_world "$POSTFIX" "$OUTSIDE/world" || return 1
	rm -f /etc/resolv.conf /etc/nsswitch.conf
	echo '127.0.0.1 localhost' >/etc/hosts
	echo 'hosts: files' >/etc/nsswitch.conf
}

ok "the stage" stage
ok "Postfix starts" start full 192.0.2.1
ok "and one that offers neither" start less 192.0.2.2 \
    'smtputf8_enable = no' 'smtpd_discard_ehlo_keywords = dsn'
ok "Exim starts" exim

mkconf "timeout 10s"
mkdomain example.test "route 192.0.2.1:25"
mkdomain sender.test "route 192.0.2.1:25"
mkdomain plain.test "route 192.0.2.2:25"
mkdomain both.test "route 192.0.2.2:25 192.0.2.1:25"
mkdomain exim.test "route 192.0.2.3:25"
o=$(printf '\303\266')
printf 'From: <j%srg@sender.test>\r\nSubject: gr%sn\r\n\r\nbody\r\n' "$o" \
    "$o" >"$T/m"
craft()
{
	python3 "$TOP/tests/report/craft.py" "$SPOOL" "$@" <"$T/m" >"$T/id"
}
flush()
{
	"$BIN/mx-flush" -v -C "$CONF" "$@"
}
# Is there a mail with all these patterns in BOX?
has()
{
	box=$1
	shift
	for file in "$T/$box"/*/new/* "$T/$box"/all; do
		[ -f "$file" ] || continue
		for pattern; do
			grep -aqE -e "$pattern" "$file" || continue 2
		done
		return 0
	done
	ls "$T/$box"
	tail -n 20 "$T/full/log" "$T/exim/mainlog"
	return 1
}

# To Postfix: it takes all of it, and acts on it.
craft example.test 60 "<j${o}rg@sender.test> SMTPUTF8 BODY=8BITMIME RET=HDRS ENVID=e+2B1" \
    "p <b${o}b@example.test> NOTIFY=SUCCESS,FAILURE ORCPT=utf-8;b\\x{F6}b+40old.test" \
    'p <no@example.test> NOTIFY=FAILURE ORCPT=rfc822;no@old.test'
exits 0 "to Postfix" flush example.test
ok "the mail arrived" until_ok 10 has box.full "Subject: gr${o}n" \
    "^Delivered-To: b${o}b@example.test" "^X-Original-To"
ok "and it told the sender of that" until_ok 10 has box.full \
    '^Action: delivered' '^Original-Envelope-Id: e[+]1' \
    "^Original-Recipient: utf-8; *b"
# Our report on the other goes there, too.
is "$(ls "$SPOOL/mail/sender.test/new" | wc -l)" 1 "one report of ours"
exits 0 "it is sent" flush sender.test
ok "and Postfix takes it" until_ok 10 has box.full '^Action: failed' \
    'message/global-delivery-status' '^Original-Recipient: rfc822; no@old.test' \
    'Diagnostic-Code: smtp; 554 5.7.1' "^To: <j${o}rg@sender.test>"
like "$(cat "$T/full/log")" "to=<j${o}rg@sender.test>.*status=sent" \
    "by its log"

# To Exim.
craft exim.test 60 "<j${o}rg@sender.test> SMTPUTF8 BODY=8BITMIME RET=FULL ENVID=x" \
    "p <b${o}b@exim.test> NOTIFY=NEVER ORCPT=utf-8;b${o}b@old.test" \
    'p <b@exim.test> NOTIFY=FAILURE,DELAY ORCPT=rfc822;b+2B@old.test'
exits 0 "to Exim" flush exim.test
ok "the mail arrived" until_ok 10 has box.exim "Subject: gr${o}n" \
    "b${o}b@exim.test"

# The one that offers neither: not to it, unless ASCII will do.
craft plain.test 60 "<j${o}rg@sender.test> SMTPUTF8" 'p <b@plain.test>'
exits 75 "SMTPUTF8 to one without" flush plain.test
like "$(cat "$T/.out")" 'deferred .*it needs SMTPUTF8' "says so"
printf 'From: <ann@sender.test>\r\nSubject: plain\r\n\r\nbody\r\n' >"$T/m"
craft plain.test 30 "<ann@sender.test> RET=HDRS ENVID=y" \
    'p <b@plain.test> NOTIFY=SUCCESS'
exits 75 "what asks only for reports" flush plain.test
ok "arrives" until_ok 10 has box.less '^Subject: plain'
exits 0 "our report" flush sender.test
ok "says relayed, and Postfix takes it" until_ok 10 has box.full \
    '^Action: relayed' '^Original-Envelope-Id: y' '^Status: 2'
craft both.test 60 "<j${o}rg@sender.test> SMTPUTF8" "p <${o}@both.test>"
exits 0 "one without and one with" flush both.test
ok "it is with the right one" until_ok 10 has box.full \
    "^Delivered-To: ${o}@both.test"
not_ok "and not with the other" grep -rq "${o}@both" "$T/box.less"
postfix_end full
postfix_end less
done_testing
