# SPDX-License-Identifier: ISC
#
# Reports and warnings to senders: how many, when, and what becomes of mail
# that nobody is told of.

. "$(dirname "$0")/../tap.sh"

need python3
mkdir "$T/primary"
cat >"$T/table" <<'END'
refuse RCPT=550 5.1.1 no such user
late RCPT=550 5.1.1 no;RCPT=450 4.2.0 wait;RCPT=550 5.7.1 never
half RCPT=550 5.1.1 no;RCPT=450 4.2.0 wait
down GREET=554 5.3.2 never
END
python3 "$TOP/tests/peers/badmx.py" "$T/table" "$T/primary" 2>"$T/peer" &
cleanup_pid $!
until_ok 10 test -e "$T/primary/ready" || diag_file "$T/peer"

# A configuration with one domain: NAME [LINE...]
fresh()
{
	rm -rf "$T/etc" "$T/spool"
	mkconf "timeout 2s" "timeout connect 1s" "timeout dns 1s" \
	    "resolver 127.0.0.1@9" "breaker off"
	name=$1
	shift
	mkdomain "$name.test" \
	    "route 127.0.0.1:$(cat "$T/primary/$name.port")" "$@"
}

printf 'Received: x\r\nSubject: x\r\n\r\nbody\r\n' >"$T/m"
# AGE SENDER RECIPIENT-LINE...
craft()
{
	id=$(python3 "$TOP/tests/report/craft.py" "$SPOOL" "$name.test" "$@" \
	    <"$T/m")
}

flush()
{
	"$BIN/mx-flush" -v -C "$CONF" "$name.test" >"$T/log" 2>&1
}

reports()
{
	find "$SPOOL/mail/one.test" -type f 2>"$T/.find" | wc -l
}

copies()
{
	find "$SPOOL/mail/$name.test/.Expired" -type f 2>"$T/.find" | wc -l
}

report()
{
	python3 "$TOP/tests/report/read.py" "$SPOOL/mail/one.test" >"$T/report" 2>&1
	unlike "$(cat "$T/report")" '^defect|^bare|^long|^8bit|Traceback' \
	    "$1: nothing wrong with it"
}

### So many in an hour

fresh refuse "report-limit 3"
for i in 1 2 3 4 5; do
	craft $i '<ann@one.test>' "p <a@refuse.test>"
done
flush
is "$(reports)" 3 "no more reports than the limit"
is "$(copies)" 2 "of the others there are copies"
is "$(grep -c '^withheld .*"too many reports in an hour"\|withheld id=' \
    "$T/log")" 2 "the log has them"
like "$(cat "$SPOOL/state/refuse.test/reports")" '^withheld 2$' "counted"
is "$("$BIN/mx-queue" -j -C "$CONF" stat refuse.test |
    sed 's/.*"withheld":\([0-9]*\).*/\1/')" 2 "mx-queue stat has the count"
craft 6 '<ann@one.test>' "p <a@refuse.test>"
flush
is "$(reports)" 3 "none by a later run either"
# An hour later.
sed -i "s/^sent [0-9]*/sent $(($(date +%s) - 3700))/" \
    "$SPOOL/state/refuse.test/reports"
craft 7 '<ann@one.test>' "p <a@refuse.test>"
flush
is "$(reports)" 4 "an hour later there is one"
ok "the file of counts is small" test \
    "$(wc -c <"$SPOOL/state/refuse.test/reports")" -lt 400
fresh refuse "report-limit 1"
craft 1 '<ann@one.test>' "p <a@refuse.test>"
craft 2 '<>' "p <a@refuse.test>"
craft 3 '<ann@one.test>' "p <a@refuse.test> NOTIFY=NEVER"
flush
is "$(reports) $(copies)" "1 2" \
    "null sender and NOTIFY=NEVER: no report, but copies"
fresh refuse "report-limit 0"
for i in 1 2 3 4; do
	craft $i '<ann@one.test>' "p <a@refuse.test>"
done
flush
is "$(reports) $(copies)" "4 0" "0 is no limit"

### One for a message

fresh late
craft 1 '<ann@one.test>' "p <a@late.test>" "p <b@late.test>"
flush
is "$(reports)" 0 "a report waits for the others"
flush
report "two recipients, two runs"
ok "one report" grep -qx "reports 1" "$T/report"
ok "has the first" grep -q "^recipient 1 .*<*a@late.test" "$T/report"
ok "and the second" grep -q "^recipient 2 .*<*b@late.test" "$T/report"
fresh half
craft 1 '<ann@one.test>' "p <a@half.test>" "p <b@half.test>"
flush
flush
is "$(reports)" 0 "it waits while something may come"
if command -v faketime >/dev/null && [ -z "$ASAN" ]; then
	NO_FAKE_STAT=1 faketime -f +5h "$BIN/mx-flush" -C "$CONF" half.test \
	    >"$T/log" 2>&1
	is "$(reports)" 1 "but not for ever"
else
	skip "not for ever" "no faketime here, or a build it cannot be loaded into"
fi

### Warnings

fresh down
craft 20000 '<ann@one.test>' "p <a@down.test>"
flush
is "$(reports)" 0 "nobody is warned by default"
fresh down "warn 4h"
craft 20000 '<ann@one.test> ENVID=x' "p <a@down.test> ORCPT=rfc822;o@r.test" \
    "p <b@down.test> NOTIFY=FAILURE" "d <c@down.test>" \
    "p <d@down.test> NOTIFY=DELAY" "p <e@down.test> NOTIFY=NEVER" \
    "p <f@down.test>|Mx-Unverified: yes"
craft 20001 '<>' "p <a@down.test>"
craft 13000 '<ann@one.test>' "p <young@down.test>"
flush
report "a warning"
ok "one" grep -qx "reports 1" "$T/report"
for line in "type multipart/report delivery-status" \
    "header Subject: Delayed: your mail for down.test" \
    "envelope Mx-Sender: <>" "message Original-Envelope-Id: x" \
    "recipient 1 Original-Recipient: rfc822; o@r.test" \
    "recipient 1 Final-Recipient: rfc822; a@down.test" \
    "recipient 1 Action: delayed" "recipient 1 Status: 4.4.1" \
    "recipient 1 Will-Retry-Until: DATE" \
    "recipient 2 Final-Recipient: rfc822; d@down.test"; do
	ok "${line%%: *}" grep -Fqx "$line" "$T/report"
done
not_ok "for those who want it" grep -q "recipient 3" "$T/report"
is "$(find "$SPOOL/mail/down.test" -type f | wc -l)" 3 "all wait on"
flush
is "$(reports)" 1 "once"
rm "$SPOOL/state/down.test/warned"
rm -r "$SPOOL/mail/one.test"
printf 'last %s\nnext 0\n' "$id" >"$SPOOL/state/down.test/warned"
flush
is "$(reports)" 0 "who was warned is known by the name alone"
craft 15000 '<ann@one.test>' "p <late@down.test>"
flush
is "$(reports)" 0 "who came before it is done with"

fresh down "warn 4h" "report-limit 3"
for i in 1 2 3 4; do
	craft $((20000 + i)) '<ann@one.test>' "p <a@down.test>"
done
flush
is "$(reports)" 2 "warnings take half of the limit"
flush
is "$(reports)" 2 "for this hour"
sed -i "s/^sent [0-9]*/sent $(($(date +%s) - 3700))/" \
    "$SPOOL/state/down.test/reports"
sed -i 's/^next.*/next 0/' "$SPOOL/state/down.test/warned"
flush
is "$(reports)" 4 "the next hour brings the others"
flush
is "$(reports)" 4 "and that is all"

done_testing
