# SPDX-License-Identifier: ISC
# Mail that needs SMTPUTF8 (RFC 6531) goes only where that is offered, and mail
# that is too large for one server (RFC 1870) to another.
. "$(dirname "$0")/../tap.sh"

need python3

mkconf "timeout 2s" "timeout connect 1s" "timeout dns 1s" \
    "resolver 127.0.0.1@$(free_port)"
mkdir "$T/primary"
cat >"$T/table" <<'END'
without EHLO=250-p\n250-8BITMIME\n250-PIPELINING\n250 DSN
with EHLO=250-p\n250-8BITMIME\n250-PIPELINING\n250-DSN\n250 SMTPUTF8
old EHLO=500 what
masked EHLO=250-p\n250-XXXXXXXX\n250 XXXXXXXXX
busy GREET=421 later
small EHLO=250-p\n250-SIZE 60\n250 SMTPUTF8
mid EHLO=250-p\n250-SIZE 3000\n250 8BITMIME
ends EHLO=250-p\n250 SMTPUTF8;MAIL=ok;MAIL=!;MAIL=ok
END
python3 "$TOP/tests/peers/badmx.py" "$T/table" "$T/primary" 2>"$T/peer" &
cleanup_pid $!
until_ok 10 test -e "$T/primary/ready" || diag_file "$T/peer"
port()
{
	echo "127.0.0.1:$(cat "$T/primary/$1.port")"
}

printf 'Subject: \303\274\r\n\r\nbody\r\n' >"$T/m"
age=100
craft()
{
	age=$((age - 1))
	id=$(python3 "$TOP/tests/report/craft.py" "$SPOOL" "$1" $age \
	    "${2:-<ann@sender.test> SMTPUTF8 BODY=8BITMIME}" \
	    "${3:-p <bob@$1>}" <"$T/m")
}
# As if the domain had been up for so many seconds: DOMAIN SECONDS
up()
{
	mkdir -p -m 700 "$SPOOL/state/$1"
	printf 'state up\nsince %d x\n' $(($(date +%s) - $2)) \
	    >"$SPOOL/state/$1/state"
}
flush()
{
	"$BIN/mx-flush" -v -C "$CONF" "$@"
}
waiting()
{
	find "$SPOOL/mail/$1" -type f | wc -l | tr -d ' '
}
reports()
{
	find "$SPOOL/mail/sender.test" -type f 2>/dev/null | wc -l | tr -d ' '
}
reply()
{
	"$BIN/mx-queue" -C "$CONF" show "$id" | sed -n 's/^recipient\t//p'
}
mails()
{
	grep -c '^> MAIL' "$T/primary/$1.log"
}

# The way it should be.
mkdomain good.test "route $(port with)"
craft good.test
craft good.test "<j$(printf '\303\266')rg@sender.test>"
craft good.test '<ann@sender.test>'
exits 0 "a server with SMTPUTF8" flush good.test
# The server's log takes octets for Latin 1.
is "$(grep '^> MAIL' "$T/primary/with.log")" \
"> MAIL FROM:<ann@sender.test> SMTPUTF8 BODY=8BITMIME
> MAIL FROM:<j$(printf '\303\203\302\266')rg@sender.test> SMTPUTF8
> MAIL FROM:<ann@sender.test>" "gets it where it is needed"
like "$(tail -n 3 "$T/primary/with.1")" "$(printf '^Subject: \303\274')" \
    "and the message as it is"
is "$(grep -c '^connection' "$T/primary/with.log")" 1 "over one connection"

# The first has none, the next has.
mkdomain two.test "route $(port without) $(port with)"
craft two.test
craft two.test '<ann@sender.test>'
craft two.test '<ann@sender.test>' "p <$(printf '\303\266')@two.test>"
exits 0 "one server of two has it" flush two.test
is "$(mails without) $(mails with)" "1 5" "each message where it can go"
unlike "$(cat "$T/primary/without.log")" 'SMTPUTF8' \
    "the other has not heard of them"

# None has: it waits.
mkdomain none.test "route $(port without)"
craft none.test
exits 75 "no server has it" flush none.test
like "$(cat "$T/.out")" "deferred id=$id .*it needs SMTPUTF8: 127.0.0.1 .*not offered" \
    "the log says why"
like "$(reply)" "pending.*not sent: it needs SMTPUTF8" "so does mx-queue"
is "$(cat "$SPOOL/state/none.test/state" | sed -n 's/^state //p')" up \
    "that is nothing against the server"
up none.test 80000
exits 75 "nor has it the next time" flush none.test
is "$(waiting none.test) $(reports) $(mails without)" "1 0 1" \
    "a server back for less than a day may still get it"
up none.test 90000
exits 0 "nor a day later" flush none.test
like "$(cat "$T/.out")" "refused id=$id .*not sent: 5.6.7 " "that is the end"
is "$(waiting none.test) $(reports)" "0 1" "and its sender is told"
python3 "$TOP/tests/report/read.py" "$SPOOL/mail/sender.test" >"$T/report" 2>&1
ok "with the right status" grep -Fxq "recipient 1 Status: 5.6.7" "$T/report"
like "$(cat "$T/report")" '^recipient 1 Diagnostic-Code: x-mxkeep; not sent' \
    "not as if the server had said so"
ok "a clean report" sh -c "! grep -E '^defect|Traceback' '$T/report'"
rm -rf "$SPOOL/mail/sender.test"

# One of which it is not known.
for case in old masked busy; do
	mkdomain $case.test "route $(port $case) $(port without)"
	up $case.test 900000
	craft $case.test
	exits 75 "$case, and one without" flush $case.test
	is "$(waiting $case.test) $(reports)" "1 0" "$case: it waits"
done
mkdomain dead.test "route $(port without) 127.0.0.1:$(free_port)"
up dead.test 900000
craft dead.test
exits 75 "one without and one dead" flush dead.test
is "$(waiting dead.test) $(reports)" "1 0" "one dead: it waits"
mkdomain lost.test
up lost.test 900000
echo "route 127.0.0.1 [127.0.0.1]:$(cat "$T/primary/without.port")" \
    >>"$SPOOL/state/lost.test/state"
craft lost.test
exits 75 "a route from memory" flush lost.test
is "$(waiting lost.test) $(reports)" "1 0" "a route from memory: it waits"
like "$(reply)" "needs SMTPUTF8" "a route from memory: it was asked"

# On hold, where the domain's mail is not to be returned.
mkdomain held.test "bounce no" "route $(port without)"
up held.test 900000
craft held.test
exits 0 "bounce no" flush held.test
is "$(ls "$SPOOL/mail/held.test/.Held/cur") $(reports)" "$id:2, 0" \
    "bounce no: held"

# The connection to the one that has it breaks.
mkdomain ends.test "route $(port without) $(port ends)"
for n in 1 2 3; do
	craft ends.test
done
exits 0 "a connection that breaks in between" flush ends.test
is "$(waiting ends.test)" 0 "on with a new one that has it"

# Too large for one, too much for another, and too large for all.
mkdomain size.test "route $(port small) $(port mid)"
big()
{
	cp "$T/m" "$T/m.small"
	head -c "$1" /dev/zero | tr '\0' x | fold -w 70 |
	    sed "s/\$/$(printf '\r')/" >>"$T/m"
	shift
	craft "$@"
	mv "$T/m.small" "$T/m"
}
craft size.test '<ann@sender.test>'
big 2000 size.test '<ann@sender.test>'
exits 0 "the second takes more" flush size.test
is "$(mails small) $(mails mid)" "1 1" "each message where it has room"
is "$(grep -c 'SIZE=2[0-9][0-9]' "$T/primary/small.log")" 0 "the first has not heard of it"
big 2000 size.test
utf8=$id
up size.test 900000
exits 75 "room in one, SMTPUTF8 in the other" flush size.test
like "$(reply)" 'not sent: it needs SMTPUTF8: 127\.0\.0\.1 .*is not offered' \
    "neither will do, and it waits"
"$BIN/mx-queue" -C "$CONF" rm "$utf8" >"$T/out"
big 4000 size.test '<ann@sender.test>'
exits 75 "too large for both" flush size.test
like "$(reply)" 'not sent: the message has 4[0-9]* octets: .*takes less; .*takes less' \
    "both are named"
is "$(waiting size.test) $(reports)" "1 0" "it waits, however long they were up"
is "$(sed -n 's/^state //p' "$SPOOL/state/size.test/state")" up \
    "that is nothing against them"
done_testing
