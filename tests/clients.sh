# SPDX-License-Identifier: ISC
#
# What other people's programs send to: mx-receive under tcpserver and on a
# listening socket of its own, with STARTTLS, both of one configuration; and
# a message that a careless program would spoil.  Sourced after tap.sh.
#
#	receivers [CONF-LINE...]	starts both, at 127.0.0.1; sets $port
#				(tcpserver) and $port2 (listening); their logs
#				are $T/log and $T/log2
#	message SUBJECT		writes $T/mail, with newlines, and $T/wire,
#				as DATA takes it, without the last dot; the
#				text alone is $T/text
#	arrived NAME WORD	checks that the message of message() is kept,
#				by the protocol WORD, as it was, and once; its
#				file is then $T/file

receivers()
{
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes \
	    -days 90 -subj /CN=mx2.backup.test \
	    -addext subjectAltName=DNS:mx2.backup.test,IP:127.0.0.1 \
	    -keyout "$T/key.pem" -out "$T/cert.pem" 2>"$T/openssl" || return 1
	mkconf "tls-certificate $T/cert.pem" "tls-key $T/key.pem" "$@"
	mkdomain example.org
	cat >"$T/listen.py" <<-'END'
	import os, socket, sys
	s = socket.create_server(('127.0.0.1', int(sys.argv[1])), backlog=64)
	os.dup2(s.fileno(), 0)
	os.execv(sys.argv[2], sys.argv[2:])
	END
	port=$(free_port)
	tcpserver -HRl0 127.0.0.1 "$port" "$BIN/mx-receive" -v -C "$CONF" \
	    </dev/null >"$T/tcpserver" 2>"$T/log" &
	cleanup_pid $!
	port2=$(free_port)
	python3 "$T/listen.py" "$port2" "$BIN/mx-receive" -v -C "$CONF" \
	    >"$T/listen" 2>"$T/log2" &
	cleanup_pid $!
	wait_port 127.0.0.1 "$port" && wait_port 127.0.0.1 "$port2"
}

# Dots, a line that mboxes quote, blanks at the end, a long line, what is not
# ASCII, and empty lines at the end.
message()
{
	{
		printf '.\n..\n.dot\n\nFrom here\n>From there\nblank \t \n'
		printf '%0900d\n' 7
		printf 'gr\303\274\303\237e \377\n.\n\n\n'
	} | sed 's/$/\r/' >"$T/text"
	{
		printf 'From: a@sender.test\r\nTo: b@example.org\r\n'
		printf 'Subject: %s\r\nMessage-ID: <1@sender.test>\r\n' "$1"
		printf 'Date: Mon, 23 Nov 2026 20:00:00 +0000\r\n\r\n'
		cat "$T/text"
	} >"$T/all"
	tr -d '\r' <"$T/all" >"$T/mail"
	sed 's/^\./../' "$T/all" >"$T/wire"
	subject=$1
}

a_message_is_kept()
{
	set -- "$SPOOL"/mail/example.org/new/*
	[ -e "$1" ]
}

arrived()
{
	until_ok 10 a_message_is_kept || {
		fail "$1: a message is kept" "$(tail -n 5 "$T/log" "$T/log2")"
		diag_file "$T/out"
		return
	}
	client=$1 word=$2
	set -- "$SPOOL"/mail/example.org/new/*
	is "$#" 1 "$client: one message is kept"
	"$BIN/mx-queue" -C "$CONF" cat -w "${1##*/}" >"$T/kept"
	like "$(tr -d '\r' <"$T/kept")" "^Subject: $subject\$" \
	    "$client: it is the one that was sent"
	sed '1,/^\r$/d' "$T/kept" >"$T/kept.text"
	same "$T/kept.text" "$T/text" "$client: its text is as it was"
	like "$(tr -d '\r' <"$T/kept" | sed '/^[^R	 ]/q')" \
	    " with $word( |\$)" "$client: received with $word"
	mv "$1" "$T/file"
	rm -f "$SPOOL"/mail/example.org/new/*
}
