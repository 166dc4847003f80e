# SPDX-License-Identifier: ISC
# STARTTLS as other people's programs see it, on a listening socket and with
# a process for each connection.
. "$(dirname "$0")/../tap.sh"
need python3 openssl

# A root, one below it that signs, and three servers' keys.
certify()
{
	name=$1 issuer=$2 type=$3
	shift 3
	openssl req -new -newkey "$@" -nodes -keyout "$T/$name.key" \
	    -out "$T/$name.req" -subj "/CN=$name.test" 2>/dev/null
	echo "basicConstraints=critical,CA:$type" >"$T/ext"
	echo "subjectAltName=DNS:$name.test" >>"$T/ext"
	set -- -CA "$T/$issuer.crt" -CAkey "$T/$issuer.key"
	[ "$issuer" != "$name" ] || set -- -signkey "$T/$name.key"
	openssl x509 -req -in "$T/$name.req" -days 2 -extfile "$T/ext" \
	    "$@" -set_serial 1 -out "$T/$name.crt" 2>/dev/null
}
ec='ec -pkeyopt ec_paramgen_curve:P-256'
certify root root TRUE $ec
certify below root TRUE $ec
certify mx2 below FALSE $ec
certify rsa below FALSE rsa:2048
cat "$T/mx2.crt" "$T/below.crt" >"$T/chain.pem"
cat "$T/rsa.crt" "$T/below.crt" "$T/rsa.key" >"$T/rsa.pem"

cat >"$T/listen" <<'END'
import os, socket, sys
s = socket.create_server(('127.0.0.1', int(sys.argv[1])), backlog=64)
os.dup2(s.fileno(), 0)
os.dup2(0, 1)
os.execv(sys.argv[2], sys.argv[2:])
END

# Serves on $port, with these lines of configuration, until served is called
# again.
pid=
serve()
{
	[ -z "$pid" ] || stop "$pid"
	rm -rf "$T/etc" "$T/spool"
	mkconf "$@"
	mkdomain example.org
	port=$(free_port)
	python3 "$T/listen" "$port" "$BIN/mx-receive" -v -C "$CONF" \
	    2>>"$T/log" &
	pid=$!
	cleanup_pid "$pid"
	wait_port 127.0.0.1 "$port"
}

s_client()
{
	printf 'QUIT\r\n' | timeout 10 openssl s_client -starttls smtp \
	    -connect "127.0.0.1:$port" -CAfile "$T/root.crt" "$@" 2>&1
}

queued()
{
	"$BIN/mx-queue" -C "$CONF" list | wc -l | tr -d ' '
}

serve "tls-certificate $T/chain.pem" "tls-key $T/mx2.key"
for version in 2 3; do
	got=$(s_client -tls1_$version -verify_return_error \
	    -verify_hostname mx2.test)
	like "$got" 'Verify return code: 0' "TLS 1.$version: the whole chain"
	like "$got" "^New, TLSv1\.$version" "and the version"
	unlike "$got" 'Compression: [^N]' "no compression"
done
for version in 1 1_1; do
	got=$(s_client -tls$version -cipher 'ALL:@SECLEVEL=0')
	like "$got" 'alert protocol version|Cipher is \(NONE\)' \
	    "no TLS $version"
done
unlike "$(s_client -tls1_2 -reconnect)" '^Reused' "no resumption"
like "$(s_client -tls1_2 -no_ticket)" 'Secure Renegotiation IS supported' \
    "old clients' renegotiation is told to be secure"

if command -v swaks >/dev/null; then
	for version in tlsv1_2 tlsv1_3; do
		ok "swaks --tls, $version" swaks --tls --tls-protocol $version \
		    -s 127.0.0.1:"$port" -f a@sender.test -t b@example.org \
		    --tls-ca-path "$T/root.crt" --timeout 10
	done
	is "$(queued)" 2 "both messages are queued"
	like "$(cat "$SPOOL/mail/example.org/new/"*)" '^Mx-Tls: TLSv1\.2 ' \
	    "TLS is in the envelope"
	like "$(cat "$SPOOL/mail/example.org/new/"*)" 'with ESMTPS' "and in Received"
else
	skip "swaks --tls" "no swaks here"
fi

# What is said in clear behind STARTTLS is neither answered nor kept.
cat >"$T/inject" <<'END'
import socket, sys
s = socket.create_connection(('127.0.0.1', int(sys.argv[1])), 10)
s.settimeout(10)
f = s.makefile('rb')
f.readline()
s.sendall(b'EHLO client.test\r\n')
while f.readline()[3:4] == b'-':
    pass
s.sendall(b'STARTTLS\r\nMAIL FROM:<injected@sender.test>\r\n')
print(f.readline().decode().strip())
print('rest', f.read())
END
got=$(python3 "$T/inject" "$port" 2>&1)
like "$got" '^5[0-9][0-9] 5' "plain text behind STARTTLS is refused"
like "$got" "^rest b''" "and the connection closed"

# Bigger than any buffer, there and in a record of its own each.
cat >"$T/big" <<'END'
import smtplib, ssl, sys
context = ssl.create_default_context(cafile=sys.argv[2])
s = smtplib.SMTP('127.0.0.1', int(sys.argv[1]), timeout=10)
s._host = 'mx2.test'
s.starttls(context=context)
text = b''.join(b'%06d ' % i + b'x' * 70 + b'\r\n' for i in range(40000))
s.sendmail('a@sender.test', ['b@example.org'], b'Subject: x\r\n\r\n' + text)
print(s.sock.version(), 'ticket', s.sock.session.has_ticket)
s.quit()
open(sys.argv[3], 'wb').write(text)
END
ok "a message of 3 MB" python3 "$T/big" "$port" "$T/root.crt" "$T/text"
got=$(cat "$T/.out")
id=$("$BIN/mx-queue" -C "$CONF" list | awk '$0 ~ /S=3/ { print $1 }')
"$BIN/mx-queue" -C "$CONF" cat -w "${id:-none}" >"$T/wire" 2>/dev/null
tail -c "$(wc -c <"$T/text")" "$T/wire" >"$T/end"
same "$T/end" "$T/text" "is as it was"
is "$got" "TLSv1.3 ticket False" "no resumption with TLS 1.3"

if scan=$(sh "$TOP/tests/pkg" sslscan 2>/dev/null); then
	got=$("$scan/usr/bin/sslscan" --no-colour --starttls-smtp \
	    "127.0.0.1:$port" 2>&1)
	like "$got" '^TLSv1\.3 +enabled' "sslscan: TLS 1.3"
	like "$got" '^TLSv1\.2 +enabled' "and 1.2"
	unlike "$got" '^(SSLv[23]|TLSv1\.[01]) +enabled' "nothing older"
	like "$got" 'renegotiation not supported' "no renegotiation"
	like "$got" '^Accepted +TLSv1\.2 .*ECDHE-ECDSA-AES128-GCM-SHA256' \
	    "a cipher that everybody has"
	is "$(printf '%s\n' "$got" | grep -E '^(Accepted|Preferred)' |
	    grep -vE 'TLS_(AES|CHACHA20)|ECDHE-ECDSA-(AES|CHACHA20)')" "" \
	    "no cipher is weak, and all have forward secrecy"
	is "$(printf '%s\n' "$got" | grep -c 'not vulnerable to heartbleed')" 2 \
	    "no heart bleeds"
else
	skip "sslscan" "cannot be had"
fi

serve "tls-certificate $T/rsa.pem"
got=$(s_client -tls1_2 -verify_return_error -verify_hostname rsa.test)
like "$got" 'Verify return code: 0' "certificate and RSA key in one file"
like "$got" 'Cipher is ECDHE-RSA' "with forward secrecy"
stop "$pid"

# A process for each connection: OpenSSL comes when it is asked for.
alone()
{
	mkconf "$@"
	printf 'EHLO client.test\r\nSTARTTLS\r\n' |
	    "$BIN/mx-receive" -C "$CONF" 2>"$T/err"
}
like "$(alone "tls-certificate $T/chain.pem" "tls-key $T/mx2.key" |
    tail -n 1)" '^220 2\.' "a process of its own goes ahead"
for bad in none.key rsa.key chain.pem; do
	got=$(alone "tls-certificate $T/chain.pem" "tls-key $T/$bad")
	like "$got" '^250[- ]STARTTLS' "key $bad: it is offered"
	like "$got" '^454 4\.7\.0' "but not available"
	like "$(cat "$T/err")" "/$bad: " "and the log names the file"
done
unlike "$(ldd "$BIN/mx-receive" 2>/dev/null)" 'libssl|libcrypto' \
    "OpenSSL is not loaded with the program"
mkdir "$T/lib"
echo "no library" >"$T/lib/$(basename "$(ls /usr/lib/*/libssl.so.* \
    /usr/lib64/libssl.so.* /usr/lib/libssl.so.* 2>/dev/null | head -n 1)")"
LD_LIBRARY_PATH=$T/lib
export LD_LIBRARY_PATH
# The sandbox would keep that one out, and find the system's.
got=$(alone "tls-certificate $T/chain.pem" "tls-key $T/mx2.key" 'sandbox no')
unset LD_LIBRARY_PATH
like "$got" '^454 4\.7\.0' "no OpenSSL: not available"
like "$(cat "$T/err")" 'no OpenSSL: .*libssl' "and the log says why"
got=$(alone)
unlike "$got" 'STARTTLS' "without a certificate it is not offered"
like "$got" '^502 5\.5\.1' "and not known"
unlike "$(cat "$T/log" "$T/err")" 'Sanitizer|runtime error' \
    "no sanitizer speaks"

done_testing
