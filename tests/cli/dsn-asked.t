# SPDX-License-Identifier: ISC
# What a sender asked of reports (RFC 3461), what is not ASCII (RFC 6533), and
# mail that nobody vouched for.
. "$(dirname "$0")/../tap.sh"

need python3 strace

mkconf "timeout 2s" "timeout connect 1s" "timeout dns 1s" \
    "resolver 127.0.0.1@$(free_port)"
mkdir "$T/primary"
cat >"$T/table" <<'END'
plain
dsn EHLO=250-p\n250-8BITMIME\n250-PIPELINING\n250 DSN
helo EHLO=500 what
veil EHLO=250-p\n250-XCLIENT ADDR NAME HELO PROTO\n250-PIPELINING\n250-SMTPUTF8\n250 DSN;EHLO=250 p
half RCPT=550 5.1.1 no such user;RCPT=ok
other RCPT=550 5.1.1 no such user;RCPT=ok
refuse RCPT=550 5.1.1 no such user
END
python3 "$TOP/tests/peers/badmx.py" "$T/table" "$T/primary" 2>"$T/peer" &
cleanup_pid $!
until_ok 10 test -e "$T/primary/ready" || diag_file "$T/peer"
route()
{
	echo "route 127.0.0.1:$(cat "$T/primary/$1.port")"
}
for name in plain dsn helo half refuse; do
	mkdomain $name.test "$(route $name)"
done
mkdomain veil.test "$(route veil)" "identify xclient"
mkdomain held.test "bounce no" "$(route other)"
mkdomain no.test "bounce no" "expire 1d" "$(route refuse)"
mkdomain old.test "expire 1d" "route 127.0.0.1:$(free_port)"

printf 'Received: x\r\nSubject: old\r\n\r\nsecret body\r\n' >"$T/m"
craft()
{
	id=$(python3 "$TOP/tests/report/craft.py" "$SPOOL" "$@" <"$T/m")
}
report()
{
	python3 "$TOP/tests/report/read.py" "$SPOOL/mail/$1" >"$T/report" 2>&1
	unlike "$(cat "$T/report")" '^defect|^bare|^long|^8bit|Traceback' \
	    "$1: nothing wrong with it"
}
said()
{
	ok "$2" grep -Fxq -e "$1" "$T/report"
}
unsaid()
{
	not_ok "$2" grep -Eq -e "$1" "$T/report"
}
parts()
{
	is "$(sed -n 's/^part //p' "$T/report" | tr '\n' ' ')" "$1 " "$2"
}
flush()
{
	"$BIN/mx-flush" -v -C "$CONF" "$@" 2>"$T/log"
}
expire()
{
	"$BIN/mx-expire" -v -C "$CONF" "$@" >"$T/log" 2>&1
}
# How many files below SPOOL/mail: DOMAIN...
n()
{
	for domain; do
		find "$SPOOL/mail/$domain" -type f 2>/dev/null
	done | wc -l | tr -d ' '
}

### A server with DSN gets what was asked, as it was asked

craft dsn.test 60 '<ann@a1.test> BODY=8BITMIME ret=Full ENVID=e+2B1' \
    'p <a@dsn.test> notify=Success,FAILURE ORCPT=rfc822;O+2Bx@x.test' \
    'p <b@dsn.test> NOTIFY=NEVER' 'p <c@dsn.test>'
ok "to a server with DSN" flush dsn.test
is "$(grep -E '^> (MAIL|RCPT)' "$T/primary/dsn.log")" \
"> MAIL FROM:<ann@a1.test> BODY=8BITMIME ret=Full ENVID=e+2B1
> RCPT TO:<a@dsn.test> notify=Success,FAILURE ORCPT=rfc822;O+2Bx@x.test
> RCPT TO:<b@dsn.test> NOTIFY=NEVER
> RCPT TO:<c@dsn.test>" "the parameters pass"
is "$(n dsn.test a1.test)" 0 "and the word is with that server"

### One without: nothing of it, and a report in its stead

craft plain.test 60 '<ann@a2.test> RET=FULL ENVID=e+2B1' \
    'p <a@plain.test> NOTIFY=success,FAILURE ORCPT=rfc822;O+2Bx@x.test' \
    'p <b@plain.test> NOTIFY=FAILURE,DELAY' 'p <c@plain.test>' \
    'p <d@plain.test> NOTIFY=NEVER' \
    'p <e@plain.test> NOTIFY=SUCCESS|Mx-Unverified: yes' \
    'p <f@plain.test> NOTIFY=SUCCESS'
ok "to a server without DSN" flush plain.test
unlike "$(cat "$T/primary/plain.log")" 'NOTIFY|ORCPT|RET=|ENVID' \
    "no parameters pass"
report a2.test
said "reports 1" "relayed: one report"
said "type multipart/report delivery-status" "relayed: its type"
said "envelope Mx-Sender: <>" "relayed: from the null sender"
said "header Subject: Passed on: your mail for plain.test" "relayed: subject"
said "message Original-Envelope-Id: e+1" "relayed: ENVID"
said "recipient 1 Original-Recipient: rfc822; O+x@x.test" "relayed: ORCPT"
said "recipient 1 Final-Recipient: rfc822; a@plain.test" "relayed: the first"
said "recipient 1 Action: relayed" "relayed: it is not delivered"
said "recipient 1 Status: 2.0.0" "relayed: its status"
said "recipient 1 Diagnostic-Code: smtp; 250 2.0.0 taken" "relayed: the reply"
said "recipient 2 Final-Recipient: rfc822; f@plain.test" \
    "relayed: the other who asked for success"
unsaid 'recipient 3|<[bcde]@' "relayed: and nobody else"
unsaid 'secret' "relayed: only the header, for all that RET says"
is "$(n plain.test)" 0 "relayed: the message is gone"

craft helo.test 60 '<ann@a3.test>' 'p <a@helo.test> NOTIFY=SUCCESS'
craft helo.test 61 '<>' 'p <b@helo.test> NOTIFY=SUCCESS'
craft helo.test 62 '<ann@a4.test>' 'p <c@helo.test> NOTIFY=NEVER'
ok "to a server of old" flush helo.test
report a3.test
said "recipient 1 Action: relayed" "HELO: relayed"
is "$(n helo.test)" 0 "HELO: all are gone"
is "$(find "$SPOOL/mail" -path '*/new/*' -type f | wc -l)" 2 \
    "no report to the null sender, none with NOTIFY=NEVER"

craft veil.test 60 '<ann@a8.test>' \
    'p <a@veil.test> NOTIFY=SUCCESS|Mx-Client: 192.0.2.7'
craft veil.test 61 '<ann@a9.test> SMTPUTF8' \
    'p <a@veil.test>|Mx-Client: 192.0.2.7'
flush veil.test
unlike "$(cat "$T/primary/veil.log")" '^> .*(NOTIFY|SMTPUTF8)' \
    "an XCLIENT takes its offers away: they are not used"
report a8.test
said "recipient 1 Action: relayed" "and the sender told of that"
is "$(n veil.test)" 1 "what needs them waits"
rm -r "$SPOOL/mail/veil.test" "$SPOOL/mail/a8.test"

craft half.test 60 '<ann@a5.test>' 'p <a@half.test> NOTIFY=SUCCESS,FAILURE' \
    'p <b@half.test> NOTIFY=SUCCESS,FAILURE' \
    'p <c@half.test> NOTIFY=SUCCESS'
ok "one refused, two taken" flush half.test
report a5.test
said "reports 1" "both: one report"
said "header Subject: Not delivered: your mail for half.test" "both: subject"
said "recipient 1 Action: failed" "both: the first failed"
said "recipient 1 Status: 5.1.1" "both: why"
said "recipient 2 Action: relayed" "both: the second was relayed"
said "recipient 3 Action: relayed" "both: the third, too"

craft held.test 60 '<ann@a6.test>' 'p <a@held.test> NOTIFY=SUCCESS,FAILURE' \
    'p <b@held.test> NOTIFY=SUCCESS'
flush held.test
report a6.test
said "recipient 1 Final-Recipient: rfc822; b@held.test" \
    "bounce no: success is reported"
said "recipient 1 Action: relayed" "bounce no: as it was asked"
unsaid "recipient 2|<a@" "bounce no: failure is not"
is "$(ls "$SPOOL/mail/held.test/.Held/cur")" "$id:2," "bounce no: held"
like "$("$BIN/mx-queue" -C "$CONF" -j show "$id")" \
    '"status":"failed".*"status":"delivered"' "bounce no: each is known"

# kill -9 at each call that changes the spool: one report in the end.
sent()
{
	total=$((total + $(find "$SPOOL/mail/a7.test/new" \
	    "$SPOOL/mail/a7.test/cur" -type f 2>/dev/null | wc -l)))
	find "$SPOOL/mail/a7.test/new" "$SPOOL/mail/a7.test/cur" -type f \
	    -exec rm {} + 2>/dev/null
}
killed=0
for call in pwrite64:1 pwrite64:2 linkat:1 renameat:2 renameat:3 renameat:4 \
    fsync:1 fsync:3 fsync:4 fsync:6 fsync:7 fsync:8 unlinkat:1; do
	rm -rf "$SPOOL/mail/plain.test" "$SPOOL/mail/a7.test" \
	    "$SPOOL/state/plain.test/replies"
	craft plain.test 60 '<ann@a7.test>' 'p <a@plain.test> NOTIFY=SUCCESS' \
	    'p <b@plain.test> NOTIFY=SUCCESS'
	total=0
	strace -f -qq -o /dev/null -e "trace=${call%:*}" \
	    -e "inject=${call%:*}:signal=KILL:when=${call#*:}" \
	    "$BIN/mx-flush" -C "$CONF" plain.test >/dev/null 2>&1 ||
	    killed=$((killed + 1))
	sent
	flush plain.test
	sent
	is "$total" 1 "one report after a kill at $call"
	is "$(n plain.test a7.test)" 0 "and nothing is left of it"
done
ok "most of them were reached" test "$killed" -ge 9

### RET

craft refuse.test 60 '<ann@b1.test> RET=FULL' 'p <a@refuse.test>'
craft refuse.test 61 '<ann@b2.test> RET=HDRS' 'p <a@refuse.test>'
# It would not be sent in clear text; here it was refused before.
craft refuse.test 62 '<ann@b3.test> RET=FULL REQUIRETLS' 'f <a@refuse.test>'
printf 'Subject: 8\r\n\r\nsecret \303\274 body' >"$T/m"
craft refuse.test 63 '<ann@b4.test> ret=full BODY=8BITMIME' 'p <a@refuse.test>'
{
	printf 'Subject: long\r\n\r\nsecret '
	head -c 1000 /dev/zero | tr '\0' x
} >"$T/m"
craft refuse.test 64 '<ann@b5.test> RET=FULL' 'p <a@refuse.test>'
{
	printf 'Subject: big\r\n\r\n'
	yes 'secret' | head -n 10000 | sed "s/\$/$(printf '\r')/"
} >"$T/m"
craft refuse.test 65 '<ann@b6.test> RET=FULL' 'p <a@refuse.test>'
printf '\r\nsecret\r\n' >"$T/m"
craft refuse.test 66 '<ann@b7.test>' 'p <a@refuse.test>'
ok "refused" flush refuse.test
head="text/plain message/delivery-status text/rfc822-headers"
report b1.test
parts "text/plain message/delivery-status message/rfc822" "FULL: its parts"
said "original secret body" "FULL: the body, too"
said "text Your message is attached." "FULL: says so"
for case in 'b2 HDRS' 'b3 REQUIRETLS' 'b5 a long line' 'b6 a big one' \
    'b7 no header'; do
	report "${case%% *}.test"
	parts "$head" "${case#* }: its parts"
	unsaid secret "${case#* }: the header alone"
done
report b3.test
said "envelope Mx-Sender: <> REQUIRETLS" "REQUIRETLS: its report has it, too"
report b4.test
said "envelope Mx-Sender: <> BODY=8BITMIME" "FULL: 8 bits"
said "original secret $(printf '\303\274') body" "FULL: 8 bits as they are"

### Beyond ASCII

u=$(printf '\303\274')
o=$(printf '\303\266')
printf 'Subject: gr%sn\r\n\r\nsecret\r\n' "$u" >"$T/m"
craft old.test 90000 "<j${o}rg@c1.test> SMTPUTF8 BODY=8BITMIME" \
    "p <${o}@old.test> ORCPT=utf-8;\\x{F6}\\x{2B}x@old.test" \
    'p <b@old.test> ORCPT=rfc822;b+2Bx@old.test' \
    "p <c@old.test> ORCPT=utf-8;${u}@old.test"
craft old.test 90001 "<ann@c2.test> SMTPUTF8 RET=FULL" "p <${o}@old.test>"
craft old.test 90002 "<ann@c3.test> SMTPUTF8" \
    "p <b@old.test> ORCPT=utf-8;${u}\\x{2B}@old.test"
craft old.test 90003 "<ann@b${u}cher.test> SMTPUTF8" 'p <b@old.test>'
craft old.test 90004 "<ann@c4.test>" \
    "p <$(printf '\302\233\377')@old.test> ORCPT=rfc822;+1B+80"
printf 'Subject: gr\374n\r\n\r\nsecret\r\n' >"$T/m"
craft old.test 90005 "<ann@c5.test> SMTPUTF8" "p <b@old.test>"
ok "expire" expire
global="text/plain message/global-delivery-status"
report c1.test
said "type multipart/report global-delivery-status" "RFC 6533: its type"
parts "$global message/global-headers" "RFC 6533: its parts"
said "envelope Mx-Sender: <> BODY=8BITMIME SMTPUTF8" "RFC 6533: SMTPUTF8"
said "envelope Mx-Recipient: p <j${o}rg@c1.test>" "RFC 6533: its recipient"
said "header To: <j${o}rg@c1.test>" "RFC 6533: To"
said "recipient 1 Original-Recipient: utf-8; ${o}+x@old.test" \
    "RFC 6533: ORCPT of type utf-8"
said "recipient 1 Final-Recipient: utf-8; ${o}@old.test" "RFC 6533: its type"
said "recipient 1 Status: 4.4.7" "RFC 6533: its status"
said "recipient 2 Original-Recipient: rfc822; b+x@old.test" \
    "RFC 6533: ORCPT of type rfc822"
said "recipient 2 Final-Recipient: rfc822; b@old.test" "RFC 6533: ASCII"
said "recipient 3 Original-Recipient: utf-8; ${u}@old.test" \
    "RFC 6533: ORCPT as UTF-8"
said "original Subject: gr${u}n" "RFC 6533: the header"
said "text   <${o}@old.test>" "RFC 6533: in words, too"
report c2.test
parts "$global message/global" "RFC 6533: FULL"
said "original secret" "RFC 6533: the body"
report c3.test
parts "text/plain message/delivery-status message/global-headers" \
    "ASCII addresses: only the header is not"
said "envelope Mx-Sender: <> BODY=8BITMIME" "ASCII addresses: no SMTPUTF8"
said "recipient 1 Original-Recipient: utf-8; \\x{FC}\\x{2B}@old.test" \
    "ASCII addresses: ORCPT as xtext"
report xn--bcher-kva.test
said "header To: <ann@b${u}cher.test>" "a U-label: written as it was"
said "envelope Mx-Recipient: p <ann@b${u}cher.test>" "a U-label: in MAIL, too"
report c4.test
said "type multipart/report delivery-status" "no UTF-8: not RFC 6533"
said "recipient 1 Final-Recipient: rfc822; \\302\\233\\377@old.test" \
    "no UTF-8: made plain"
said "recipient 1 Original-Recipient: rfc822; \\033\\200" "ORCPT: made plain"
report c5.test
parts "$head" "SMTPUTF8 and Latin 1: no global headers"

### Nobody vouched for them

printf 'Subject: x\r\n\r\nbody\r\n' >"$T/m"
mark='|Mx-Unverified: yes'
craft refuse.test 60 '<ann@d1.test>' "p <a@refuse.test>$mark"
ok "refused and unverified" flush refuse.test
is "$(n d1.test)" 0 "unverified: no report"
is "$(ls "$SPOOL/mail/refuse.test/.Expired/cur")" "$id:2," \
    "unverified: a copy is kept"
like "$(cat "$T/log")" "unreported id=$id domain=refuse.test rcpts=1 " \
    "unverified: logged"
craft refuse.test 61 '<ann@d2.test>' "p <a@refuse.test>$mark" \
    "p <b@refuse.test>" "p <c@refuse.test> NOTIFY=FAILURE$mark"
ok "refused, one of three verified" flush refuse.test
report d2.test
said "recipient 1 Final-Recipient: rfc822; b@refuse.test" \
    "one verified: is reported"
unsaid "recipient 2|<[ac]@" "one verified: the others are not"
is "$(ls "$SPOOL/mail/refuse.test/.Expired/cur" | wc -l)" 2 \
    "one verified: a copy is kept"
sleep 2.1
ok "two seconds later" expire
is "$(ls "$SPOOL/mail/refuse.test/.Expired/cur" | wc -l)" 2 \
    "copies stay for a week"
mkdomain refuse.test "$(route refuse)" "keep 1s"
ok "another" expire
is "$(ls "$SPOOL/mail/refuse.test/.Expired/cur")" "" \
    "or as \"keep\" says"
mkdomain refuse.test "$(route refuse)"
craft plain.test 60 '<ann@d3.test>' "p <a@plain.test>$mark"
ok "delivered and unverified" flush plain.test
is "$(n plain.test d3.test)" 0 "delivered: no copy"
craft no.test 60 '<ann@d4.test>' "p <a@no.test>$mark"
flush no.test
is "$(ls "$SPOOL/mail/no.test/.Held/cur")" "$id:2," "bounce no: held"
is "$(n d4.test)" 0 "bounce no: no report"
craft no.test 90000 '<ann@d5.test>' "p <a@no.test>$mark"
ok "expire with bounce no" expire no.test
is "$(ls "$SPOOL/mail/no.test/.Expired/cur")" "$id:2," \
    "expired with bounce no: a copy is kept"
craft old.test 90000 '<ann@d6.test>' "p <a@old.test>$mark" "p <b@old.test>"
ok "expire" expire old.test
report d6.test
said "recipient 1 Final-Recipient: rfc822; b@old.test" \
    "expired: who was verified is reported"
unsaid "recipient 2|<a@" "expired: the other is not"
is "$(ls "$SPOOL/mail/old.test/.Expired/cur")" "$id:2," \
    "expired: a copy is kept"
done_testing
