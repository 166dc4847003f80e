# SPDX-License-Identifier: ISC
#
# The peers: how each is started, in a control group of its own, where it
# listens, how its queue is counted, emptied and run.
#
#	mxkeep, mxkeep-static		under tcpserver
#	listener, listener-static	the same on a listening socket
#	postfix exim opensmtpd
#	executed, forked, ...		fixed replies: see begin_floors
#
# Exim only queues what comes, and runs its queue with four runners at once,
# which is the quickest that it has; the others are as they come.

# in_group PEER COMMAND...
in_group() {
	if [ -n "$GROUP" ]; then
		mkdir -p "$GROUP/$1"
		echo 0 >"$GROUP/$1/cgroup.procs"
	fi
	shift
	exec "$@"
}

# CPU time a peer has used so far, microseconds.  Without control groups it
# is that of tcpserver and the children it has waited for.
cpu() {
	if [ -f "$GROUP/$1/cpu.stat" ]; then
		awk '$1 == "usage_usec" { print $2 }' "$GROUP/$1/cpu.stat"
	elif [ -f "$GROUP/$1/cpuacct.usage" ]; then
		echo $(($(cat "$GROUP/$1/cpuacct.usage") / 1000))
	else
		awk -v hz="$(getconf CLK_TCK)" '{ sub(/.*\) /, "")
		    printf "%d\n", ($12 + $13 + $14 + $15) * 1e6 / hz }' \
		    "/proc/$(cat "$W/$1.pid")/stat"
	fi
}

# Waits until a peer has next to nothing to do any more, at most a minute.
settle() {
	i=0 before=$(cpu "$1")
	while [ $i -lt 120 ]; do
		sleep 0.5
		after=$(cpu "$1")
		[ $((after - before)) -lt 10000 ] && break
		before=$after i=$((i + 1))
	done
}

# superserver PEER COMMAND...
superserver() {
	peer=$1
	shift
	in_group "$peer" tcpserver -H -R -l 0 -c 200 -b 1024 127.0.0.1 \
	    "$(port "$peer")" "$@" </dev/null >/dev/null 2>>"$W/fs/mxkeep.log" &
	echo $! >"$W/$peer.pid"
}

begin_mxkeep() {
	mkdir -p "$W/etc/domains" "$W/fs/mxkeep"
	chmod 700 "$W/fs/mxkeep"
	printf '%s\n' 'hostname mx2.test' "spool $W/fs/mxkeep" \
	    'max-sessions 200' 'max-sessions-per-client 200' \
	    'max-size 200M' "tls-certificate $W/certificate" "tls-key $W/key" \
	    >"$W/etc/mxkeep.conf"
	echo "route 127.0.0.1:$SINK" >"$W/etc/domains/$DOMAIN"
	superserver mxkeep "$TOP/bin/mx-receive" -C "$W/etc"
}

# listening PEER COMMAND...: with a listening socket on fd 0
listening() {
	peer=$1 port=$(port "$1")
	shift
	in_group "$peer" python3 -c '
import os, socket, sys
s = socket.socket()
s.bind(("127.0.0.1", int(sys.argv[1])))
s.listen(1024)
os.dup2(s.fileno(), 0)
os.execv(sys.argv[2], sys.argv[2:])' "$port" "$@" \
	    >/dev/null 2>>"$W/fs/mxkeep.log" &
	echo $! >"$W/$peer.pid"
	answers "$peer"
}

begin_listener() {
	listening listener "$TOP/bin/mx-receive" -C "$W/etc"
	[ -x "$TOP/build/bench/mx-receive" ] || return
	cp "$TOP/build/bench/mx-receive" "$W"
	superserver mxkeep-static "$W/mx-receive" -C "$W/etc"
	listening listener-static "$W/mx-receive" -C "$W/etc"
	STATICS='mxkeep-static listener-static'
}

# What no server can be below that has a process for each connection.
begin_floors() {
	mkdir -p "$W/fs/raw/new" "$W/fs/raw/tmp"
	listening forked "$W/floor" "$W/fs/raw"
	listening forked-static "$W/floor-static" "$W/fs/raw"
	superserver executed "$W/floor" -x "$W/fs/raw"
	superserver executed-static "$W/floor-static" -x "$W/fs/raw"
	FLOORS='executed executed-static forked forked-static'
}

begin_postfix() {
	. "$TOP/tests/postfix.sh"
	mkdir "$W/world"
	POSTFIX_SPOOL=$W/fs
	postfix_world "$POSTFIX" "$W/world" &&
	    postfix_new postfix 127.0.0.1 "relay_domains = $DOMAIN" \
	    'smtpd_relay_restrictions = reject_unauth_destination' \
	    "transport_maps = inline:{$DOMAIN=relay:[127.0.0.1]:$SINK}" \
	    'smtp_dns_support_level = disabled' \
	    'smtpd_tls_security_level = may' \
	    "smtpd_tls_cert_file = $W/certificate" \
	    "smtpd_tls_key_file = $W/key" \
	    'smtp_host_lookup = native' &&
	    sed -i 's/^smtp  *inet/2602 inet/' /etc/postfix/master.cf &&
	    (in_group postfix sh -c '. "$0"; POSTFIX_SPOOL=$1
		postfix_begin postfix' "$TOP/tests/postfix.sh" "$W/fs") ||
	    die "Postfix does not start"
}

# user NAME UID: lives as long as this namespace
user() {
	sed -i "/^$1:/d" /etc/passwd /etc/group
	echo "$1:x:$2:$2::/:/bin/false" >>/etc/passwd
	echo "$1:x:$2:" >>/etc/group
}

# answers PEER: waits for a greeting, a minute at most
answers() {
	python3 -c '
import socket, sys, time
for i in range(300):
    try:
        with socket.create_connection(("127.0.0.1", int(sys.argv[1])), 5) as s:
            if s.recv(3) == b"220":
                sys.exit(s.sendall(b"QUIT\r\n"))
    except OSError:
        pass
    time.sleep(0.2)
sys.exit(1)' "$(port "$1")" || die "no greeting: $1"
}

begin_exim() {
	user Debian-exim 61210
	mkdir "$W/fs/exim" && chown Debian-exim "$W/fs/exim" &&
	    rm -rf /etc/exim4 && mkdir /etc/exim4 &&
	    install -m 4755 "$EXIM/usr/sbin/exim4" /usr/sbin/exim4 || exit 1
	cat >/etc/exim4/exim4.conf <<-END
	primary_hostname = mx2.test
	spool_directory = $W/fs/exim
	log_file_path = $W/fs/exim/log-%s
	daemon_smtp_ports = $(port exim)
	local_interfaces = 127.0.0.1
	host_lookup =
	rfc1413_query_timeout = 0s
	smtp_accept_max = 200
	tls_advertise_hosts =
	keep_environment =
	queue_only = true
	split_spool_directory = true
	acl_smtp_rcpt = rcpt
	begin acl
	rcpt:
	  accept domains = $DOMAIN
	begin routers
	primary:
	  driver = manualroute
	  route_list = * 127.0.0.1::$SINK
	  transport = smtp
	  self = send
	begin transports
	smtp:
	  driver = smtp
	begin retry
	* * F,2h,15m; G,16h,1h,1.5; F,30d,6h
	END
	in_group exim /usr/sbin/exim4 -bdf </dev/null >"$W/exim.out" 2>&1 &
	answers exim
}

begin_opensmtpd() {
	user opensmtpd 61211
	user opensmtpq 61212
	# Of all that lies there nothing else is needed here.
	mount -t tmpfs tmpfs /var/spool && mount -t tmpfs tmpfs /var/lib &&
	    mkdir -p /var/spool/smtpd /var/lib/opensmtpd/empty \
	    "$W/fs/opensmtpd" && chmod 711 "$W/fs/opensmtpd" &&
	    mount --bind "$W/fs/opensmtpd" /var/spool/smtpd &&
	    install -m 755 "$OPENSMTPD/usr/sbin/smtpd" /usr/sbin/smtpd &&
	    install -g opensmtpq -m 2555 "$OPENSMTPD/usr/sbin/smtpctl" \
	    /usr/sbin/smtpctl &&
	    cp -R "$OPENSMTPD/usr/libexec/opensmtpd" /usr/libexec/ || exit 1
	cat >/etc/smtpd.conf <<-END
	listen on 127.0.0.1 port $(port opensmtpd) hostname mx2.test
	action "primary" relay host smtp://127.0.0.1:$SINK
	match from any for domain "$DOMAIN" action "primary"
	END
	in_group opensmtpd smtpd -d -f /etc/smtpd.conf </dev/null \
	    >"$W/opensmtpd.out" 2>&1 &
	echo $! >"$W/opensmtpd.pid"
	answers opensmtpd
}

# Those that every part may use.
begin_peers() {
	begin_mxkeep
	answers mxkeep
	[ -n "$POSTFIX" ] || return 0
	begin_postfix
	answers postfix
}

port() {
	case $1 in
	mxkeep) echo 2601 ;;
	postfix) echo 2602 ;;
	listener) echo 2603 ;;
	forked) echo 2604 ;;
	forked-static) echo 2605 ;;
	executed) echo 2606 ;;
	executed-static) echo 2607 ;;
	exim) echo 2610 ;;
	opensmtpd) echo 2611 ;;
	mxkeep-static) echo 2608 ;;
	listener-static) echo 2609 ;;
	esac
}

waiting() {
	case $1 in
	postfix) (cd "$W/fs/postfix/queue" &&
	    find incoming active deferred -type f) ;;
	exim) find "$W/fs/exim/input" -name '*-H' ;;
	opensmtpd) find "$W/fs/opensmtpd/queue" -name message ;;
	*) find "$W/fs/mxkeep/mail" -type f ;;
	esac | wc -l
}

wipe() {
	case $1 in
	postfix) (cd "$W/fs/postfix/queue" &&
	    find incoming active deferred defer -type f -delete)
	    : >"$(postfix_log postfix)" ;;
	exim) find "$W/fs/exim" -type f ! -name '*.pid' -delete ;;
	# It has its queue in memory, too, and would go on with it.
	opensmtpd) kill "$(cat "$W/opensmtpd.pid")"
	    find "$W/fs/opensmtpd/queue" -type f -delete ;;
	executed*|forked*) find "$W/fs/raw" -type f -delete ;;
	*) find "$W/fs/mxkeep/mail" "$W/fs/mxkeep/state" -type f -delete
	    : >"$W/fs/mxkeep.log" ;;
	esac
}

# queue_run PEER: one run over the queue, as cron or the operator starts it
queue_run() {
	case $1 in
	postfix) (in_group postfix postqueue -c /etc/postfix -f) ;;
	exim) (in_group exim /usr/sbin/exim4 -q) ;;
	opensmtpd) (in_group opensmtpd smtpctl schedule all) >/dev/null ;;
	*) (in_group mxkeep "$TOP/bin/mx-flush" -C "$W/etc" -q) ;;
	esac
}

# hand_over PEER: the same, with all that it takes to get rid of the queue
# once the primary is back
hand_over() {
	case $1 in
	exim)
		for i in 1 2 3 4; do
			(in_group exim /usr/sbin/exim4 -qff) &
		done
		wait ;;
	opensmtpd)
		# It takes some tens of messages at a time, and nothing while
		# it believes that the primary is down.
		until [ "$(waiting opensmtpd)" -eq 0 ] || [ -e "$W/gone" ]; do
			queue_run opensmtpd
			sleep 0.5
		done ;;
	*) queue_run "$1" ;;
	esac
}
