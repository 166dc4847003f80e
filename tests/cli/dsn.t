# SPDX-License-Identifier: ISC
# Reports to senders, read by somebody else's parser of mail.
. "$(dirname "$0")/../tap.sh"

need python3 strace

mkconf "timeout 2s" "timeout connect 1s" "timeout dns 1s" \
    "resolver 127.0.0.1@$(free_port)"
mkdir "$T/primary"
cat >"$T/table" <<'END'
refuse RCPT=550-5.1.1 no such\n550 5.1.1 user;RCPT=550 51234 strange \x1b[2J;RCPT=ok;RCPT=550 5.7.1 no
end END=554 5.6.0 content
END
python3 "$TOP/tests/peers/badmx.py" "$T/table" "$T/primary" 2>"$T/peer" &
cleanup_pid $!
until_ok 10 test -e "$T/primary/ready" || diag_file "$T/peer"
mkdomain refuse.test "route 127.0.0.1:$(cat "$T/primary/refuse.port")"
mkdomain end.test "route 127.0.0.1:$(cat "$T/primary/end.port")"
mkdomain old.test "expire 1d" "route 127.0.0.1:$(free_port)"
mkdomain hold.test "expire 1d" "bounce no"

craft()
{
	python3 "$TOP/tests/report/craft.py" "$SPOOL" "$@"
}

report()
{
	python3 "$TOP/tests/report/read.py" "$SPOOL/mail/$1" >"$T/report" 2>&1
}
said()
{
	ok "$2" grep -Fxq -e "$1" "$T/report"
}
unsaid()
{
	not_ok "$2" grep -Eq -e "$1" "$T/report"
}
clean_report()
{
	said "reports 1" "$1: one report"
	said "type multipart/report delivery-status" "$1: its type"
	is "$(sed -n 's/^part //p' "$T/report" | tr '\n' ' ')" \
	    "text/plain message/delivery-status text/rfc822-headers " \
	    "$1: its parts"
	said "envelope Mx-Sender: <>$2" "$1: from the null sender"
	said "header Auto-Submitted: auto-replied" "$1: says it is automatic"
	said "message-id True" "$1: a Message-ID"
	said "date True" "$1: a date"
	unsaid '^defect|^bare|^long|^8bit|^Traceback' "$1: nothing wrong with it"
}

# Refused at RCPT: two of three.
printf 'Subject: hello\r\nX-Dash: 1\r\n\r\nsecret body\r\n' |
    "$BIN/mx-queue" -C "$CONF" add -f ann@one.test a@refuse.test \
    '"b c"@refuse.test' c@refuse.test >"$T/id"
# Refused at the end; the header has octets outside ASCII, no body.
printf 'Subject: gr\303\274n\r\n' | "$BIN/mx-queue" -C "$CONF" add \
    -f ann@two.test x@end.test >/dev/null
# The null sender is never told.
printf 'x\r\n' | "$BIN/mx-queue" -C "$CONF" add -f '<>' x@end.test >/dev/null
ok "all leaves" "$BIN/mx-flush" -C "$CONF" refuse.test end.test

report one.test
clean_report "refused" ""
said "header From: \"Mail system of mx2.backup.test\" <postmaster@mx2.backup.test>" \
    "from our postmaster"
said "header To: ann@one.test" "to the sender"
said "envelope Mx-Recipient: p <ann@one.test>" "in the envelope too"
said "envelope Mx-Protocol: report" "known as a report"
said "message Reporting-MTA: dns; mx2.backup.test" "the reporter"
said "message Arrival-Date: DATE" "the arrival"
said "recipient 1 Final-Recipient: rfc822; a@refuse.test" "the first"
said "recipient 1 Action: failed" "has failed"
said "recipient 1 Status: 5.1.1" "with the status of the reply"
said "recipient 1 Diagnostic-Code: smtp; 550 5.1.1 no such user" "and words"
said "recipient 2 Status: 5.0.0" "no status is made of what is none"
unsaid 'recipient 3|c@refuse' "who got it is not in it"
unsaid 'secret' "the body is not in it"
said "original Subject: hello" "the header is"
escape=$(printf '\033')
not_ok "no escape sequence is passed on" grep -rq "$escape" \
    "$SPOOL/mail/one.test"

report two.test
clean_report "8 bit" " BODY=8BITMIME"
said "recipient 1 Status: 5.6.0" "refused at the end of data"
said "original Subject: $(printf 'gr\303\274n')" "a header outside ASCII"
is "$(find "$SPOOL/mail" -path '*/new/*' -type f | wc -l | tr -d ' ')" 2 \
    "two reports, none for the null sender"

# Expired.
printf 'Received: x\r\nSubject: old\r\n\r\nbody\r\n' >"$T/m"
craft old.test 90000 '<ann@three.test> ENVID=a+2Bb' \
    'p <a@old.test> ORCPT=rfc822;o+40r.test' 'd <b@old.test>' \
    'f <c@old.test>' 'p <d@old.test> NOTIFY=NEVER' \
    'r <e@old.test>' 'p <f@old.test> NOTIFY=DELAY,failure' <"$T/m" >"$T/id"
ok "expire" "$BIN/mx-expire" -C "$CONF"
report three.test
clean_report "expired" ""
said "message Original-Envelope-Id: a+b" "the sender's name for it"
said "recipient 1 Original-Recipient: rfc822; o@r.test" "and for him"
said "recipient 1 Final-Recipient: rfc822; a@old.test" "the first"
said "recipient 1 Status: 4.4.7" "was not delivered in time"
said "recipient 2 Final-Recipient: rfc822; c@old.test" "one that was refused"
said "recipient 3 Final-Recipient: rfc822; f@old.test" "one that wants it"
unsaid 'recipient 4|<[bde]@old' "and no other"
is "$(find "$SPOOL/mail/old.test" -type f)" "" "the message is gone"

# What would break a line, and what is no xtext.
u=$(printf '\303\274')
craft old.test 90000 '<ann@six.test> SMTPUTF8 ENVID=+0D+0AX-Bad:' \
    "p <$u@old.test> ORCPT=utf-8;$u\\x{F6}+2B@old.test" \
    'p <b@old.test> ORCPT=rfc822;b+0D+0AX-Bad:+20y' \
    'p <c@old.test> ORCPT=rfc822;c+2' <"$T/m" >"$T/id"
ok "expire" "$BIN/mx-expire" -C "$CONF"
report six.test
said 'message Original-Envelope-Id: \r\nX-Bad:' "a name with a line break"
said "recipient 1 Original-Recipient: utf-8; $u$(printf '\303\266')+@old.test" \
    "the address in UTF-8 it was sent to"
said "recipient 1 Final-Recipient: utf-8; $u@old.test" "and came to"
said 'recipient 2 Original-Recipient: rfc822; b\r\nX-Bad: y' \
    "an address with a line break"
said 'recipient 3 Original-Recipient: rfc822; c+2' "one that is no xtext"

# Who is not told.
expect_none()
{
	ok "expire: $1" "$BIN/mx-expire" -C "$CONF"
	is "$(find "$SPOOL/mail" -path '*/old.test/*' -type f -o \
	    -path '*/hold.test/*' -type f | sed "s,.*/old.test/,,")" \
	    "${2:+.Expired/cur/$(cat "$T/id"):2,}" "${2:-gone}: $1"
	rm -rf "$SPOOL/mail/old.test/.Expired"
	is "$(find "$SPOOL/mail" -path '*four*' -type f)" "" "no report: $1"
}
craft old.test 90000 '<>' 'p <a@old.test>' <"$T/m" >"$T/id"
expect_none "the null sender" "a copy is kept"
craft old.test 90000 '<a@four.test>' 'p <a@old.test> NOTIFY=NEVER' \
    <"$T/m" >"$T/id"
expect_none "NOTIFY=NEVER" "a copy is kept"
craft old.test 90000 '<a@four.test>' 'p <a@old.test> NOTIFY=SUCCESS' \
    <"$T/m" >"$T/id"
expect_none "NOTIFY=SUCCESS" "a copy is kept"
craft old.test 90000 '<a@four.test>' 'd <a@old.test>' 'r <b@old.test>' \
    <"$T/m" >"$T/id"
expect_none "nobody failed"
craft old.test 90000 '<a@[192.0.2.4]>' 'p <a@old.test>' <"$T/m" >"$T/id"
expect_none "an address literal" "a copy is kept"
craft hold.test 90000 '<a@four.test>' 'p <a@hold.test>' <"$T/m" >"$T/id"
expect_none "bounce no"

# A crash after the report was planned and committed, before the marks.
plan()
{
	base=${id%,S=*}
	mkdir -p -m 700 "$SPOOL/state/old.test/replies"
	printf 'report\t%s 0\n' "$1" >"$SPOOL/state/old.test/replies/$base"
	mv "$SPOOL/mail/old.test/new/$id" "$SPOOL/mail/old.test/cur/$id:2,"
}
planned=$(date +%s).M5P5Q5.mx2.backup.test
id=$(craft old.test 90000 '<ann@five.test>' 'p <a@old.test>' <"$T/m")
plan "$planned"
ok "expire with a plan" "$BIN/mx-expire" -v -C "$CONF"
report five.test
said "reports 1" "the planned report is made"
like "$(ls "$SPOOL/mail/five.test/new")" "^$planned,S=" \
    "under the id that was planned"
id=$(craft old.test 90000 '<ann@five.test>' 'p <a@old.test>' <"$T/m")
plan "$planned"
ok "expire after the crash" "$BIN/mx-expire" -v -C "$CONF"
report five.test
said "reports 1" "no second one is made"
is "$(find "$SPOOL/mail/old.test" -type f)" "" "and the message is gone"

# kill -9 at each call that changes the spool; what is on its way then leaves
# at once, which is the worst that can happen; then the next run.  In the end
# there was one report, never two and never none.
sent()
{
	n=$(find "$SPOOL/mail/six.test/new" "$SPOOL/mail/six.test/cur" \
	    -type f 2>/dev/null | wc -l)
	find "$SPOOL/mail/six.test/new" "$SPOOL/mail/six.test/cur" -type f \
	    -exec rm {} + 2>/dev/null
	total=$((total + n))
}
killed=0
for call in pwrite64:1 pwrite64:2 linkat:1 renameat:1 renameat:2 renameat:3 \
    fsync:1 fsync:2 fsync:3 fsync:4 fsync:5 fsync:6 fsync:7 fsync:8 fsync:9 \
    unlinkat:1 unlinkat:2 unlinkat:3 flock:1 flock:2 flock:3; do
	rm -rf "$SPOOL/mail/old.test" "$SPOOL/mail/six.test" \
	    "$SPOOL/state/old.test"
	id=$(craft old.test 90000 '<ann@six.test>' 'p <a@old.test>' \
	    'p <b@old.test>' <"$T/m")
	total=0
	strace -f -qq -o /dev/null -e "trace=${call%:*}" \
	    -e "inject=${call%:*}:signal=KILL:when=${call#*:}" \
	    "$BIN/mx-expire" -C "$CONF" >/dev/null 2>&1 ||
	    killed=$((killed + 1))
	sent
	"$BIN/mx-expire" -C "$CONF" >/dev/null 2>&1
	sent
	is "$total" 1 "one report after a kill at $call"
	is "$(find "$SPOOL/mail/old.test" "$SPOOL/mail/six.test" -type f)" "" \
	    "and nothing is left of it"
done
ok "most of them were reached" test "$killed" -ge 12

# Odd headers: none at all, one too long, many, and no mail.
printf 'no header\r\n' >"$T/m1"
{
	printf 'Received: x\r\n--mxkeep-1: x\r\nX-Long: '
	head -c 3000 /dev/zero | tr '\0' x
	printf '\r\nSubject: end\r\n\r\nbody\r\n'
} >"$T/m2"
{
	head -c 100000 /dev/zero | tr '\0' y | fold -w 70 |
	    sed "s/^/X: /;s/\$/$(printf '\r')/"
	printf '\r\n\r\nbody\r\n'
} >"$T/m3"
printf '\nnothing' >"$T/m4"
for i in 1 2 3 4; do
	craft old.test 90000 "<ann@odd$i.test>" 'p <a@old.test>' \
	    <"$T/m$i" >"$T/id"
done
ok "expire odd ones" "$BIN/mx-expire" -C "$CONF"
for i in 1 2 3 4; do
	report odd$i.test
	clean_report "odd header $i" ""
done
report odd2.test
said "original Subject: end" "what follows a long line is there"
report odd3.test
unsaid 'body' "a long header is cut at a line"
done_testing
