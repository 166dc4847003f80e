# SPDX-License-Identifier: ISC
# Programs that send by themselves: swaks, msmtp and openssl s_client, each
# in clear text and with TLS, under tcpserver and on a listening socket.
. "$(dirname "$0")/../tap.sh"
. "$TOP/tests/clients.sh"

need openssl python3 tcpserver
ok "two receivers" receivers

# PORT OPTION...
swaks_sends()
{
	# It adds the last end of line.
	printf '%s' "$(cat "$T/wire"; echo .)" >"$T/swaks"
	at=$1
	shift
	swaks --server "127.0.0.1:$at" --from a@sender.test \
	    --to b@example.org --no-data-fixup --data "@$T/swaks" \
	    --timeout 10 "$@" >"$T/out" 2>&1
}
msmtp_sends()
{
	at=$1
	shift
	"$msmtp/usr/bin/msmtp" --file=/dev/null --host=127.0.0.1 \
	    --port="$at" --from=a@sender.test --auth=off --timeout=10 "$@" \
	    b@example.org <"$T/mail" >"$T/out" 2>&1
}

# NAME WORD CMD...
asked=0
sends()
{
	name=$1 word=$2
	asked=$((asked + 1))
	shift 2
	message "$name"
	ok "$name is content" "$@"
	arrived "$name" "$word"
}

msmtp=$(sh "$TOP/tests/pkg" msmtp 2>"$T/pkg") || msmtp=
for how in "tcpserver $port" "listening $port2"; do
	at=${how#* }
	how=${how% *}
	if command -v swaks >/dev/null; then
		sends "swaks, HELO, $how" SMTP swaks_sends "$at" --protocol SMTP
		sends "swaks, $how" ESMTP swaks_sends "$at" --pipeline
		sends "swaks, TLS, $how" ESMTPS swaks_sends "$at" --tls
	else
		skip "swaks, $how" "no swaks here"
	fi
	if [ -z "$msmtp" ]; then
		skip "msmtp, $how" "cannot be had: $(tail -n 1 "$T/pkg")"
		continue
	fi
	sends "msmtp, $how" ESMTP msmtp_sends "$at"
	sends "msmtp, TLS, $how" ESMTPS msmtp_sends "$at" --tls=on \
	    --tls-trust-file="$T/cert.pem" \
	    --tls-host-override=mx2.backup.test
	sends "msmtp, DSN, $how" ESMTP msmtp_sends "$at" \
	    --dsn-notify=failure,delay --dsn-return=hdrs
	like "$(cat "$T/file")" '^Mx-Sender: <a@sender\.test>.* RET=HDRS' \
	    "RET is kept"
	like "$(cat "$T/file")" '<b@example\.org>.* NOTIFY=FAILURE,DELAY' \
	    "NOTIFY is kept"
done

# What a person does by hand, by DATA and by BDAT: PORT TLS-VERSION DATA|BDAT
cat >"$T/by-hand.py" <<'END'
import signal, subprocess, sys
signal.alarm(20)
to, version, verb, wire, text = sys.argv[1:6]
p = subprocess.Popen(['openssl', 's_client', '-quiet', '-starttls', 'smtp',
    '-connect', '127.0.0.1:' + to, '-' + version, '-verify_return_error',
    '-CAfile', sys.argv[6], '-verify_hostname', 'mx2.backup.test'],
    stdin=subprocess.PIPE, stdout=subprocess.PIPE)
def say(data, want, replies=1):
    p.stdin.write(data)
    p.stdin.flush()
    while replies:
        line = p.stdout.readline()
        if line[3:4] != b'-':
            replies -= 1
            if not line.startswith(want):
                sys.exit('%r: %r' % (data[:40], line))
say(b'EHLO client.test\r\n', b'250')
envelope = b'MAIL FROM:<a@sender.test>\r\nRCPT TO:<b@example.org>\r\n'
if verb == 'DATA':
    say(envelope, b'250', 2)
    say(b'DATA\r\n', b'354')
    say(open(wire, 'rb').read() + b'.\r\n', b'250')
else:
    text = open(text, 'rb').read()
    one, two = text[:100], text[100:]
    say(envelope + b'BDAT %d\r\n' % len(one) + one +
        b'BDAT %d LAST\r\n' % len(two) + two, b'250', 4)
say(b'QUIT\r\n', b'221')
p.stdin.close()
sys.exit(p.wait())
END
for at in "$port" "$port2"; do
	for how in "tls1_2 DATA" "tls1_3 BDAT"; do
		sends "s_client, $how, $at" ESMTPS python3 "$T/by-hand.py" \
		    "$at" ${how% *} ${how#* } "$T/wire" "$T/all" "$T/cert.pem"
	done
done
is "$(cat "$T/log" "$T/log2" | grep -c ' accepted ')" "$asked" \
    "nothing was accepted besides"

done_testing
