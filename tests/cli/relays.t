# SPDX-License-Identifier: ISC
#
# Other people's servers hand their mail to us: Postfix, Exim, which sends by
# CHUNKING, and sendmail, each in clear text and with TLS, under tcpserver and
# on a listening socket.

. "$(dirname "$0")/../tap.sh"
. "$TOP/tests/clients.sh"

[ "$(id -u)" -eq 0 ] || skip_all "takes root, for the servers' several users"
need openssl python3 tcpserver unshare ip

# What is unpacked lies over /usr and /etc in a mount namespace; the network
# is one of our own, in which nothing has a way out.
if [ -z "${RELAYS:-}" ]; then
	need_pkg POSTFIX postfix
	need_pkg EXIM exim4-daemon-light
	need_pkg SENDMAIL sendmail-bin
	OUTSIDE=$T
	export POSTFIX EXIM SENDMAIL OUTSIDE RELAYS=inside
	mkdir "$T/world"
	unshare -nmupf --mount-proc --kill-child sh -c \
	    '. "$TOP/tests/postfix.sh" &&
	    postfix_world "$POSTFIX" "$OUTSIDE/world"' 2>/dev/null ||
	    skip_all "no namespaces, or no overlay file systems, here"
	unshare -nmupf --mount-proc --kill-child sh "$0"
	exit $?
fi
. "$TOP/tests/postfix.sh"

stage()
{
	hostname sender.test && ip link set lo up || return 1
	chmod 755 "$T" "$OUTSIDE"
	POSTFIX_SPOOL=$T
	postfix_world "$POSTFIX" "$OUTSIDE/world" || return 1
	rm -f /etc/resolv.conf /etc/nsswitch.conf
	echo '127.0.0.1 localhost sender.test' >/etc/hosts
	echo 'hosts: files' >/etc/nsswitch.conf
	for user in Debian-exim smmta smmsp; do
		sed -i "/^$user:/d" /etc/passwd /etc/group
		echo "$user:x:61210:61210::/:/bin/false" >>/etc/passwd
		echo "$user:x:61210:" >>/etc/group
	done
	# Nobody is to hear of this in a system's log.
	mount -t tmpfs tmpfs /var/log && rm -rf /etc/exim4 &&
	    mkdir -p /etc/exim4 "$T/exim" "$T/sendmail" &&
	    chown Debian-exim "$T/exim" &&
	    cp "$EXIM/usr/sbin/exim4" /usr/sbin/exim4
}

# NAME PROTOCOL CMD...
asked=0
sends()
{
	name=$1 word=$2
	shift 2
	asked=$((asked + 1))
	message "$name"
	ok "$name is content" "$@"
	cp "$T/.out" "$T/out"
	arrived "$name" "$word"
}

postfix_in_queue()
{
	find "$T/relay/queue/incoming" "$T/relay/queue/active" \
	    "$T/relay/queue/deferred" "$T/relay/queue/maildrop" -type f |
	    grep -q .
}
postfix_is_empty()
{
	! postfix_in_queue
}
# PORT TLS-LEVEL
postfix_sends()
{
	# It waits until a file that has just been changed is older.
	postconf -c /etc/relay "relayhost = [127.0.0.1]:$1" \
	    "smtp_tls_security_level = $2" &&
	    touch -d '1 minute ago' /etc/relay/main.cf &&
	    postfix -c /etc/relay reload &&
	    sendmail -C /etc/relay -i -N failure -R hdrs -V one+two \
	    -f a@sender.test b@example.org <"$T/mail" &&
	    until_ok 10 postfix_is_empty
}

postfix_relay()
{
	postfix_new relay 127.0.0.1 'disable_dns_lookups = yes' \
	    'smtp_host_lookup = native' 'disable_mime_output_conversion = yes' \
	    "smtp_tls_CAfile = $T/cert.pem" 'smtputf8_enable = yes' \
	    'smtp_tls_loglevel = 1' 'smtp_tls_connection_reuse = no' &&
	    postfix_begin relay
}

# PORT hosts_avoid_tls|hosts_require_tls
exim_sends()
{
	cat >/etc/exim4/exim4.conf <<-END
	spool_directory = $T/exim
	log_file_path = $T/exim/log-%s
	log_selector = +pipelining
	primary_hostname = sender.test
	keep_environment =
	dsn_advertise_hosts = *
	acl_smtp_rcpt = accept
	begin acl
	accept:
	  accept
	begin routers
	all:
	  driver = manualroute
	  route_list = * 127.0.0.1
	  transport = smtp
	  self = send
	begin transports
	smtp:
	  driver = smtp
	  port = $1
	  allow_localhost
	  $2 = *
	  tls_verify_certificates = $T/cert.pem
	  tls_verify_cert_hostnames =
	END
	rm -f "$T/exim/log-main"
	{
		printf 'EHLO client.test\r\n'
		printf 'MAIL FROM:<a@sender.test> RET=HDRS ENVID=one+2Btwo\r\n'
		printf 'RCPT TO:<b@example.org> NOTIFY=FAILURE\r\n'
		printf 'DATA\r\n'
		cat "$T/wire"
		printf '.\r\nQUIT\r\n'
	} | /usr/sbin/exim4 -odf -bs && grep -q Completed "$T/exim/log-main"
}

# The few rules for a sendmail that hands all it gets to one host:
# PORT RULE-BEFORE-TLS
sendmail_sends()
{
	cat >"$T/sendmail.cf" <<-END
	V10/Berkeley
	Cwlocalhost
	Djsender.test
	DnMAILER-DAEMON
	Troot
	O QueueDirectory=$T/sendmail
	O DontBlameSendmail=GroupWritableDirPathSafe
	O DeliveryMode=i
	O SuperSafe=True
	O PidFile=$T/sendmail.pid
	O EightBitMode=pass8
	O LogLevel=0
	O TempFileMode=0600
	Stry_tls
	$2
	S3
	R\$* < \$* > \$*	\$2
	S0
	R\$+	\$#esmtp \$@ [127.0.0.1] \$: \$1
	S4
	Mesmtp, P=[IPC], F=mDFMuXa8, L=2040, E=\r\n, T=DNS/RFC822/SMTP, A=TCP [127.0.0.1] $1
	Mlocal, P=/bin/false, F=lsDFM, A=false
	Mprog, P=/bin/false, F=lsDFM, A=false
	END
	"$SENDMAIL/usr/libexec/sendmail/sendmail" -C "$T/sendmail.cf" -v -i \
	    -B8BITMIME -N failure -R hdrs -V one+2Btwo -f a@sender.test \
	    b@example.org <"$T/mail" | tee "$T/said" |
	    grep -a "Sent (kept as"
}

# What was asked for reports: NAME NOTIFY
asked_for()
{
	like "$(cat "$T/file")" \
	    '^Mx-Sender: <a@sender\.test>.* RET=HDRS.* ENVID=one\+2Btwo' \
	    "$1: RET and ENVID are kept"
	like "$(cat "$T/file")" '<b@example\.org>.* NOTIFY=FAILURE' \
	    "$1: NOTIFY is kept"
}

ok "a place for the servers" stage
ok "two receivers" receivers
ok "a Postfix starts" postfix_relay
for how in "tcpserver $port" "listening $port2"; do
	at=${how#* }
	how=${how% *}
	sends "Postfix, $how" ESMTP postfix_sends "$at" none
	asked_for "Postfix, $how"
	sends "Postfix, TLS, $how" ESMTPS postfix_sends "$at" verify
	like "$(tail -n 20 "$(postfix_log relay)")" \
	    "Verified TLS connection established to .*:$at: TLSv1\.3" \
	    "Postfix, TLS, $how: verified"
	# It sees by itself what a header has.
	sends "Postfix, grüße, $how" UTF8SMTPS postfix_sends "$at" verify

	sends "Exim, $how" ESMTP exim_sends "$at" hosts_avoid_tls
	asked_for "Exim, $how"
	like "$(cat "$T/exim/log-main")" ' => b@example\.org .* L K C="250 ' \
	    "Exim, $how: by PIPELINING and CHUNKING"
	sends "Exim, TLS, $how" ESMTPS exim_sends "$at" hosts_require_tls
	like "$(cat "$T/exim/log-main")" \
	    ' => b@example\.org .* X=TLS1\.3.* CV=yes L K C="250 ' \
	    "Exim, TLS, $how: verified, by PIPELINING and CHUNKING"

	# A rule that fails keeps it from TLS.
	sends "sendmail, $how" ESMTP sendmail_sends "$at" \
	    'R$*	$#error $@ 5.7.1 $: "550 not here"'
	asked_for "sendmail, $how"
	like "$(tr '\n' ' ' <"$T/said")" '>>> RCPT [^>]*>[^>]*>>> DATA 250' \
	    "sendmail, $how: by PIPELINING"
	sends "sendmail, TLS, $how" ESMTPS sendmail_sends "$at" 'R$*	$@ OK'
	like "$(grep -a BODY=8BITMIME "$T/said")" 'MAIL' "sendmail: 8BITMIME"
done
is "$(cat "$T/log" "$T/log2" | grep -c ' accepted ')" "$asked" \
    "nothing was accepted besides"
postfix_end relay

done_testing
