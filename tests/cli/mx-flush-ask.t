# SPDX-License-Identifier: ISC
#
# Whom mx-receive knows nothing about, mx-flush asks the primary about.

. "$(dirname "$0")/../tap.sh"

need python3
mkdir "$T/primary"
cat >"$T/table" <<'END'
any
nobody RCPT=550 5.1.1 no such user
grey RCPT=250 2.1.5 ok;RCPT=550 5.1.1 no;RCPT=450 4.7.1 greylisted
down GREET=554 5.3.2 never
quits RCPT=250 2.1.5 ok;RCPT=550 5.1.1 no;RCPT=421 4.3.2 enough
mail MAIL=550 5.7.1 not from <>
END
# The first: who exists is in a file.
cat >"$T/real.py" <<'END'
import socketserver, sys
class H(socketserver.StreamRequestHandler):
    def handle(self):
        log = open(sys.argv[2], "a")
        def say(text):
            self.wfile.write(text.encode() + b"\r\n")
        say("220 real.test ESMTP")
        for line in self.rfile:
            line = line.decode().strip()
            print(line, file=log, flush=True)
            verb = line[:4].upper()
            if verb == "EHLO":
                say("250-real.test\r\n250 PIPELINING")
            elif verb == "RCPT":
                who = line.split("<")[1].split("@")[0].lower()
                known = open(sys.argv[3]).read().split()
                say("250 2.1.5 ok" if who in known else
                    "550 5.1.1 no such user")
            elif verb == "QUIT":
                say("221 2.0.0 bye")
                return
            else:
                say("250 2.0.0 ok")
class S(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
S(("127.0.0.1", int(sys.argv[1])), H).serve_forever()
END
python3 "$TOP/tests/peers/badmx.py" "$T/table" "$T/primary" 2>"$T/peer" &
cleanup_pid $!
port=$(free_port)
echo "postmaster good better" >"$T/people"
python3 "$T/real.py" "$port" "$T/real.log" "$T/people" 2>"$T/err" &
cleanup_pid $!
wait_port 127.0.0.1 "$port"
until_ok 10 test -e "$T/primary/ready" || diag_file "$T/peer"

fresh()
{
	rm -rf "$T/etc" "$T/spool"
	mkconf "timeout 2s" "timeout connect 1s" "timeout dns 1s" \
	    "resolver 127.0.0.1@9" "recipients verify" "unknown defer"
	for name in any nobody grey down quits mail; do
		mkdomain $name.test \
		    "route 127.0.0.1:$(cat "$T/primary/$name.port")"
	done
	mkdomain real.test "route 127.0.0.1:$port"
	mkdomain .real.test "route 127.0.0.1:$port"
}

# A client asks for ADDRESS...
client()
{
	{
		sleep 0.1
		printf 'EHLO client.test\r\n'
		sleep 0.1
		printf 'MAIL FROM:<x@client.test>\r\n'
		for rcpt; do
			printf 'RCPT TO:<%s>\r\n' "$rcpt"
		done
		printf 'QUIT\r\n'
	} | TCPREMOTEIP=192.0.2.9 PROTO=TCP "$BIN/mx-receive" -C "$CONF" \
	    2>"$T/receive" | sed -n 's/^\([0-9]*\)[ -]\([0-9.]*\).*/\1 \2/p' |
	    sed '1,/^250 2.1.0/d;/^221/d' | tr '\n' ' '
}

flush()
{
	"$BIN/mx-flush" -v -C "$CONF" "$@" >"$T/log" 2>&1
}

### A primary that knows its people, and nothing waits

fresh
is "$(client good@real.test bad@real.test)" "450 4.1.1 450 4.1.1 " \
    "nothing is known yet"
flush
is "$(client good@real.test bad@real.test)" "250 2.1.5 550 5.1.1 " \
    "then it is, although no mail waited"
is "$(grep -c '^RCPT' "$T/real.log")" 4 \
    "by one question each, and two about the server"
is "$(grep -c '^RSET' "$T/real.log")" 4 "each taken back"
is "$(grep -c '^DATA\|^BDAT' "$T/real.log")" 0 "and no mail"
is "$(grep '^MAIL' "$T/real.log" | sort -u)" "MAIL FROM:<>" "from nobody"
like "$(cat "$T/log")" 'asked domain=real\.test .*recipients=2 refused=2 .*=yes' \
    "the log says so"
: >"$T/real.log"
flush
is "$(cat "$T/real.log")" "" "what is known is not asked again"
client good@real.test >"$T/out"
flush
is "$(cat "$T/real.log")" "" "not even for a client"
is "$(client any@one.real.test)" "450 4.1.1 " "a subdomain"
flush
like "$(cat "$T/real.log")" 'RCPT TO:<any@one\.real\.test>' "is asked about"

# A crowd.
fresh
: >"$T/real.log"
i=0
while [ $i -lt 30 ]; do
	i=$((i + 1))
	echo "u$i"
done >"$T/crowd"
cp "$T/people" "$T/people.old"
cat "$T/crowd" >>"$T/people"
# shellcheck disable=SC2046
client $(sed 's/$/@real.test/' "$T/crowd") >"$T/out"
flush
is "$(grep -c 'RCPT TO:<u' "$T/real.log")" 20 "20 in a run"
flush
is "$(grep 'RCPT TO:<u' "$T/real.log" | sort -u | wc -l)" 30 \
    "the others in the next"
is "$(grep -c 'RCPT TO:<u' "$T/real.log")" 30 "each once"
cp "$T/people.old" "$T/people"
fresh
: >"$T/real.log"
# shellcheck disable=SC2046
client $(sed 's/$/@real.test/' "$T/crowd") >"$T/out"
flush
is "$(grep -c 'RCPT TO:<u' "$T/real.log")" 7 "fewer where they are refused"

### Others

fresh
client a@any.test b@any.test >"$T/out"
flush
like "$(cat "$T/log")" 'catch-all domain=any\.test' "a catch-all is noticed"
is "$(client a@any.test else@any.test)" "250 2.1.5 250 2.1.5 " \
    "anybody is taken then"
is "$(grep -c "> RCPT" "$T/primary/any.log")" 2 "nobody was asked about"
client a@nobody.test >"$T/out"
flush
is "$(client a@nobody.test)" "450 4.1.1 " \
    "one that refuses its postmaster is not believed"
client a@grey.test >"$T/out"
flush
is "$(client a@grey.test)" "450 4.1.1 " "450 says nothing"
n=$(grep -c 'RCPT TO:<a@' "$T/primary/grey.log")
flush
is "$(grep -c 'RCPT TO:<a@' "$T/primary/grey.log")" $((n + 1)) \
    "so it is asked about again"
client a@quits.test b@quits.test >"$T/out"
flush
is "$(grep -c 'RCPT TO:<[ab]@' "$T/primary/quits.log")" 1 "421 is enough"
ok "they are kept for later" grep -q "b@quits.test" \
    "$SPOOL/seen/asked:quits.test"
client a@mail.test >"$T/out"
flush
is "$(client a@mail.test)" "450 4.1.1 " "a refused MAIL says nothing"
client a@down.test >"$T/out"
flush
ok "nor does one that is down" grep -q "a@down.test" \
    "$SPOOL/seen/asked:down.test"
exits 0 "nothing waits" "$BIN/mx-flush" -C "$CONF"

# After an outage no refusal counts until it has taken mail.
fresh
mkdir -p -m 700 "$SPOOL/state/real.test"
printf 'state down\nsince %s x\n' $(($(date +%s) - 7200)) \
    >"$SPOOL/state/real.test/state"
client good@real.test bad@real.test >"$T/out"
flush
is "$(client good@real.test bad@real.test)" "250 2.1.5 450 4.1.1 " \
    "after an outage only good news is believed"

done_testing
