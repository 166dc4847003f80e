# SPDX-License-Identifier: ISC
#
# mx-check looks at other people's servers by SMTP: Postfix, Exim, OpenSMTPD
# and smtp-sink as they are when well and badly set up, and mx-receive as the
# backup that rehearses.

. "$(dirname "$0")/../tap.sh"

[ "$(id -u)" -eq 0 ] || skip_all "takes root, for the servers' several users"
need openssl python3 tcpserver unshare ip

# What is unpacked lies over /usr and /etc in a mount namespace; the network
# is one of our own, in which nothing has a way out.
if [ -z "${LOOKS:-}" ]; then
	need_pkg POSTFIX postfix
	need_pkg EXIM exim4-daemon-light
	need_pkg OPENSMTPD opensmtpd
	OUTSIDE=$T
	export POSTFIX EXIM OPENSMTPD OUTSIDE LOOKS=inside
	mkdir "$T/world"
	unshare -nmupf --mount-proc --kill-child sh -c \
	    '. "$TOP/tests/postfix.sh" &&
	    postfix_world "$POSTFIX" "$OUTSIDE/world"' 2>/dev/null ||
	    skip_all "no namespaces, or no overlay file systems, here"
	unshare -nmupf --mount-proc --kill-child sh "$0"
	exit $?
fi
. "$TOP/tests/postfix.sh"

# It wants directories of root's that nobody else can write to.
opensmtpd_home()
{
	mount -t tmpfs -o mode=755 tmpfs /var/lib &&
	    mkdir -p /var/lib/opensmtpd/empty && chmod 711 /var/lib/opensmtpd
}

stage()
{
	hostname mx2.backup.test && ip link set lo up || return 1
	chmod 755 "$T" "$OUTSIDE"
	POSTFIX_SPOOL=$T
	postfix_world "$POSTFIX" "$OUTSIDE/world" || return 1
	rm -f /etc/resolv.conf /etc/nsswitch.conf
	echo '127.0.0.1 localhost mx2.backup.test' >/etc/hosts
	echo 'hosts: files' >/etc/nsswitch.conf
	for user in Debian-exim opensmtpd opensmtpq; do
		sed -i "/^$user:/d" /etc/passwd /etc/group
		echo "$user:x:61210:61210::/var/lib/$user:/bin/false" \
		    >>/etc/passwd
		echo "$user:x:61210:" >>/etc/group
	done
	mount -t tmpfs tmpfs /var/log && rm -rf /etc/exim4 &&
	    mkdir -p /etc/exim4 "$T/exim" && chown Debian-exim "$T/exim" &&
	    cp "$EXIM/usr/sbin/exim4" /usr/sbin/exim4 &&
	    cp -R "$OPENSMTPD/usr/." /usr/ &&
	    mount -t tmpfs tmpfs /var/spool && opensmtpd_home
}

# NAME DAYS HOST: $T/NAME.pem, .key and, of its key, .hash
certificate()
{
	openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes \
	    -subj "/CN=$3" -keyout "$T/$1.key" -out "$T/$1.csr" \
	    2>>"$T/openssl" &&
	    printf 'subjectAltName=DNS:%s\n' "$3" >"$T/$1.ext" &&
	    openssl x509 -req -in "$T/$1.csr" -CA "$T/ca.pem" \
	    -CAkey "$T/ca.key" -CAcreateserial -days "$2" \
	    -extfile "$T/$1.ext" -out "$T/$1.pem" 2>>"$T/openssl" &&
	    openssl x509 -in "$T/$1.pem" -noout -pubkey |
	    openssl pkey -pubin -outform DER 2>>"$T/openssl" |
	    openssl sha256 -r | cut -d ' ' -f 1 >"$T/$1.hash" &&
	    chmod 644 "$T/$1.key"
}

certificates()
{
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes \
	    -days 90 -subj /CN=authority -keyout "$T/ca.key" \
	    -out "$T/ca.pem" 2>>"$T/openssl" &&
	    certificate mx1 80 mx1.example.org &&
	    certificate backup 80 mx2.backup.test &&
	    certificate short 5 exim.example.org
}

# Mail for example.org, for whom it is, and nobody else's.
postfix_primary()
{
	name=$1 addr=$2
	shift 2
	postfix_new "$name" "$addr" "myhostname = $name.example.org" \
	    'virtual_mailbox_domains = example.org, grey.test' \
	    'virtual_mailbox_maps = inline:{postmaster@example.org=x,
	     postmaster@grey.test=x}' 'virtual_transport = discard' \
	    'disable_dns_lookups = yes' "$@" && postfix_begin "$name"
}

# It takes mail for and from anybody.
exim_relay()
{
	cat >/etc/exim4/exim4.conf <<-END
	spool_directory = $T/exim
	log_file_path = $T/exim/log-%s
	primary_hostname = exim.example.org
	local_interfaces = 8.1.1.3
	daemon_smtp_ports = 25
	keep_environment =
	tls_advertise_hosts = *
	tls_certificate = $T/short.pem
	tls_privatekey = $T/short.key
	acl_smtp_rcpt = accept
	begin acl
	begin routers
	all:
	  driver = manualroute
	  route_list = * 127.0.0.1
	  transport = smtp
	  self = send
	begin transports
	smtp:
	  driver = smtp
	END
	/usr/sbin/exim4 -bdf -oP "$T/exim/pid" >"$T/exim.out" 2>&1 &
	wait_listener 8.1.1.3
}

# Debian 12's offers STARTTLS, and then cannot.
opensmtpd()
{
	cat >/etc/smtpd.conf <<-END
	pki smtpd.test cert "$T/backup.pem"
	pki smtpd.test key "$T/backup.key"
	listen on 8.1.1.4 port 25 tls pki smtpd.test hostname smtpd.test
	action "in" maildir
	match from any for domain "smtpd.test" action "in"
	END
	chmod 600 "$T/backup.key" && chmod 644 /etc/smtpd.conf
	/usr/sbin/smtpd -d -f /etc/smtpd.conf >"$T/smtpd.out" 2>&1 &
	wait_listener 8.1.1.4
}

backup()
{
	mkconf "tls-certificate $T/backup.pem" "tls-key $T/backup.key" \
	    "source 8.1.1.9"
	mkdomain example.org
	tcpserver -HRl0 8.1.1.2 25 "$BIN/mx-receive" -C "$CONF" </dev/null \
	    >"$T/tcpserver" 2>&1 &
	wait_listener 8.1.1.2
}

# ADDR: somebody listens at its port 25
listens()
{
	python3 -c 'import socket, sys
socket.create_connection((sys.argv[1], 25), 1)' "$1"
}

wait_listener()
{
	until_ok 10 listens "$1"
}

zone()
{
	cat >"$T/names" <<-END
	example.org MX 10 mx1.example.org
	example.org MX 20 mx2.backup.test
	mx1.example.org A 8.1.1.1
	_25._tcp.mx1.example.org TLSA 020101$(cat "$T/short.hash")
	_25._tcp.mx1.example.org TLSA 030101$(cat "$T/mx1.hash")
	1.1.1.8.in-addr.arpa PTR mx1.example.org
	mx2.backup.test A 8.1.1.2
	2.1.1.8.in-addr.arpa PTR mx2.backup.test
	exim.test MX 10 exim.example.org
	exim.example.org A 8.1.1.3
	3.1.1.8.in-addr.arpa PTR mx1.example.org
	_25._tcp.exim.example.org TLSA 030101$(cat "$T/mx1.hash")
	smtpd.test MX 10 smtpd.test
	smtpd.test A 8.1.1.4
	_25._tcp.smtpd.test TLSA 030101$(cat "$T/mx1.hash")
	sink.test MX 10 sink.test
	sink.test A 8.1.1.5
	gone.test MX 10 gone.test
	gone.test A 8.1.1.7
	gone.test AAAA 2a00::1
	grey.test MX 10 grey.test
	many1.test MX 10 mx1.example.org
	many2.test MX 10 mx1.example.org
	many3.test MX 10 mx1.example.org
	grey.test A 8.1.1.8
	END
	python3 "$TOP/tests/peers/evildns.py" -c "$T/names" >"$T/evil" &
	until_ok 10 test -s "$T/evil" && read -r addr port <"$T/evil" &&
	    resolver=$addr@$port
}

SSL_CERT_FILE=$T/ca.pem
export SSL_CERT_FILE

# NAME [OPTION...] DOMAIN: $T/found has what SMTP found
check()
{
	name=$1
	shift
	"$BIN/mx-check" -C "$CONF" -t 20 -r "$resolver" "$@" >"$T/stdout" \
	    2>"$T/stderr"
	is "$(cat "$T/stderr")" "" "$name: nothing on standard error"
	cut -f 1,3- "$T/stdout" | tr '\t' ' ' | grep -E \
	    '^(ok|warn|fail) (smtp-|rehearse-|tlsa-[mr]|backup-o)' >"$T/found"
}

# LINE...: all that was found of the host of the first line, in order
finds()
{
	host=${1##* }
	is "$(grep -E "^[a-z]+ [-a-z]+ $host " "$T/found" |
	    cut -d ' ' -f 1-3)" "$(printf '%s\n' "$@")" "$name: $host"
}

# CHECK ERE
says()
{
	like "$(grep -E "^[a-z]+ $1 $host " "$T/found")" "$2" "$host: $1 says so"
}

ok "a place for the servers" stage
ok "certificates" certificates
for i in 1 2 3 4 5 6 7 8 9; do
	ip addr add "8.1.1.$i/32" dev lo
done
ok "names" zone
ok "a primary: Postfix" postfix_primary mx1 8.1.1.1 \
    "smtpd_tls_cert_file = $T/mx1.pem" "smtpd_tls_key_file = $T/mx1.key" \
    'smtpd_tls_security_level = may' 'message_size_limit = 52428800' \
    'smtpd_authorized_xclient_hosts = 8.1.1.9' 'smtputf8_enable = yes'
ok "a primary that greylists: Postfix" postfix_primary grey 8.1.1.8 \
    'smtpd_recipient_restrictions = check_client_access
     static:{450 4.2.0 Greylisted}'
ok "the backup: mx-receive" backup
ok "an open relay: Exim" exim_relay
ok "a broken one: OpenSMTPD" opensmtpd
"$POSTFIX/usr/sbin/smtp-sink" -u postfix -f EHLO 8.1.1.5:25 10 \
    >"$T/sink" 2>&1 &
ok "an old one: smtp-sink" wait_listener 8.1.1.5

check "all is well" --rehearse example.org
finds "ok smtp-connect mx1.example.org" \
    "ok smtp-session mx1.example.org" \
    "ok smtp-name mx1.example.org" \
    "ok smtp-ptr mx1.example.org" \
    "ok smtp-starttls mx1.example.org" \
    "ok smtp-cert mx1.example.org" \
    "ok tlsa-match mx1.example.org" \
    "ok tlsa-rollover mx1.example.org" \
    "ok smtp-null mx1.example.org" \
    "ok smtp-postmaster mx1.example.org" \
    "ok smtp-relay mx1.example.org" \
    "ok rehearse-mail mx1.example.org" \
    "ok rehearse-spf mx1.example.org" \
    "ok rehearse-users mx1.example.org" \
    "ok rehearse-xclient mx1.example.org"
says smtp-session '8\.1\.1\.1: .*PIPELINING, SIZE 52428800, .*CHUNKING\.$'
says smtp-cert 'mx1\.example\.org\) is good until .* 79 days'
says tlsa-match 'TLSA 3 1 1 matches'
says rehearse-users 'knows its users \(550 5\.1\.1 <mx-check-.*@example\.org'
says rehearse-xclient 'offers us XCLIENT'
finds "ok smtp-connect mx2.backup.test" \
    "ok smtp-session mx2.backup.test" \
    "ok smtp-name mx2.backup.test" \
    "ok smtp-ptr mx2.backup.test" \
    "ok smtp-starttls mx2.backup.test" \
    "ok smtp-cert mx2.backup.test" \
    "ok smtp-null mx2.backup.test" \
    "ok smtp-postmaster mx2.backup.test" \
    "ok smtp-relay mx2.backup.test" \
    "ok backup-offers mx2.backup.test"
is "$(grep -c ': connect from unknown\[8\.1\.1\.9\]' "$(postfix_log mx1)")" \
    1 "Postfix: one connection"
like "$(cat "$(postfix_log mx1)")" 'disconnect .* rset=4 quit=1 ' \
    "Postfix: RSET and QUIT"
like "$(cat "$(postfix_log mx1)")" \
    'to=<mx-check-relay-test@example.com> .* helo=<mx2.backup.test>' \
    "Postfix: its log says who asks"
unlike "$(cat "$(postfix_log mx1)")" ': from=<' "Postfix: no mail came"

check "Exim" -b mx9.test exim.test
finds "ok smtp-connect exim.example.org" \
    "ok smtp-session exim.example.org" \
    "ok smtp-name exim.example.org" \
    "warn smtp-ptr exim.example.org" \
    "ok smtp-starttls exim.example.org" \
    "warn smtp-cert exim.example.org" \
    "fail tlsa-match exim.example.org" \
    "ok smtp-null exim.example.org" \
    "ok smtp-postmaster exim.example.org" \
    "fail smtp-relay exim.example.org"
says smtp-ptr 'says mx1\.example\.org, which has not this address'
says smtp-cert 'in 4 days'
says tlsa-match "TLSA 3 1 1 $(cat "$T/short.hash")\"\.\$"

check "OpenSMTPD" -b mx9.test smtpd.test
finds "ok smtp-connect smtpd.test" \
    "ok smtp-session smtpd.test" \
    "ok smtp-name smtpd.test" \
    "warn smtp-ptr smtpd.test" \
    "fail smtp-starttls smtpd.test" \
    "fail tlsa-match smtpd.test"
says smtp-starttls 'offered and fails at the TLS handshake'

check "smtp-sink" -b mx9.test sink.test
finds "ok smtp-connect sink.test" \
    "warn smtp-session sink.test" \
    "warn smtp-name sink.test" \
    "warn smtp-ptr sink.test" \
    "warn smtp-starttls sink.test" \
    "ok smtp-null sink.test" \
    "ok smtp-postmaster sink.test" \
    "fail smtp-relay sink.test"

check "nobody" -b mx9.test gone.test
finds "fail smtp-connect gone.test" \
    "warn smtp-ptr gone.test" \
    "fail smtp-connect gone.test"
says smtp-connect '^fail .* 8\.1\.1\.7: .*Connection refused'
says smtp-connect '^fail .* 2a00::1: .*Network is unreachable'
check "nobody by IPv6" -6 -b mx9.test gone.test
finds "fail smtp-connect gone.test" "warn smtp-ptr gone.test"

check "greylisting" -b mx9.test grey.test
finds "ok smtp-connect grey.test" \
    "ok smtp-session grey.test" \
    "warn smtp-name grey.test" \
    "warn smtp-ptr grey.test" \
    "warn smtp-starttls grey.test" \
    "ok smtp-null grey.test" \
    "warn smtp-postmaster grey.test" \
    "ok smtp-relay grey.test"
says smtp-postmaster 'put off \(450 4\.2\.0 .*Greylisted'

# Domains with the same server: one session for all of them.
: >"$(postfix_log mx1)"
check "many" example.org many1.test many2.test many3.test
is "$(grep -c ': connect from unknown\[8\.1\.1\.9\]' "$(postfix_log mx1)")" \
    1 "domains that share a server share a connection"
is "$(grep -c '^ok smtp-null mx1' "$T/found")" 4 "each has its findings"
is "$(grep -c '^fail smtp-postmaster mx1' "$T/found")" 3 \
    "a server that does not know a domain is told by it"

check "-D" -D example.org
is "$(cat "$T/found")" "" "-D: no SMTP"
exits 64 "--rehearse is not for -b" "$BIN/mx-check" -C "$CONF" \
    -r "$resolver" --rehearse -b mx9.test example.org
exits 64 "nor for -D" "$BIN/mx-check" -C "$CONF" -r "$resolver" -D \
    --rehearse example.org
postfix_end mx1
postfix_end grey

done_testing
