#!/bin/sh
# SPDX-License-Identifier: ISC
#
# A primary that comes back half repaired: nothing is lost, somebody is told,
# and what is really refused is refused.

. "$(dirname "$0")/../tap.sh"

need python3

# ENTRY N times, and ';' behind each
repeat()
{
	# shellcheck disable=SC2046
	printf "$1;%.0s" $(seq "$2")
}

mkdir "$T/primary"
cat >"$T/table" <<END
good
unknown RCPT=550 5.1.1 no such user
relay RCPT=554 5.7.1 relaying denied
mail MAIL=550 5.7.1 go away
large MAIL=552 5.3.4 too large
latemail MAIL=ok;MAIL=550 5.7.1 go away
text END=554 5.6.0 never
greet GREET=554 5.3.2 no
one $(repeat RCPT=ok 12)RCPT=550 5.1.1 no such user;RCPT=ok
quarter RCPT=550 5.1.1 no such user;RCPT=550 5.1.1 no such user;RCPT=ok
late $(repeat RCPT=ok 100)RCPT=550 5.1.1 no such user
few RCPT=550 5.1.1 no such user;RCPT=550 5.1.1 no such user;$(repeat RCPT=ok 3)RCPT=550 5.1.1 no such user;RCPT=ok
crowd RCPT=550 5.1.1 no such user;RCPT=ok;RCPT=452 4.5.3 too many;RCPT=452 4.5.3 too many;RCPT=ok
half RCPT=ok;RCPT=550 5.1.1 no such user;RCPT=ok
END
python3 "$TOP/tests/peers/badmx.py" "$T/table" "$T/primary" 2>"$T/peer" &
cleanup_pid $!
until_ok 10 test -e "$T/primary/ready" || diag_file "$T/peer"
nobody=$(free_port)

# The domain a.test with that server and these lines: SERVER [LINE...]
primary()
{
	port=$nobody
	[ "$1" = nobody ] || port=$(cat "$T/primary/$1.port")
	shift
	mkdomain a.test "route 127.0.0.1:$port" "$@"
}

# An empty spool, and a domain that is down or up: STATE SERVER [LINE...]
fresh()
{
	rm -rf "$T/etc" "$T/spool"
	mkconf "timeout 2s" "timeout connect 1s" "timeout dns 1s" \
	    "resolver 127.0.0.1@9"
	primary nobody
	if [ "$1" = down ]; then
		add 1
		flush
	fi
	shift
	primary "$@"
}

# N messages, each to another user, or to USER.
add()
{
	for n in $(seq "$1"); do
		printf 'Subject: x\r\n\r\ntext\r\n' | "$BIN/mx-queue" \
		    -C "$CONF" add -f "s@elsewhere.test" "${2:-u$n}@a.test"
	done >"$T/ids"
}

flush()
{
	"$BIN/mx-flush" -C "$CONF" -v a.test >"$T/log" 2>&1
	status=$?
}

queue()
{
	"$BIN/mx-queue" -C "$CONF" "$@"
}

# Messages that wait, and reports: "W R"
left()
{
	echo "$(find "$SPOOL/mail/a.test/new" "$SPOOL/mail/a.test/cur" \
	    -type f | wc -l) $(find "$SPOOL/mail" -path '*/elsewhere.test/*' \
	    -type f | wc -l)"
}

state()
{
	sed -n "s/^${1:-state} //p" "$SPOOL/state/a.test/state"
}

outages()
{
	cut -f 2 "$SPOOL/state/a.test/outages" | tr '\n' ' '
}

rcpts()
{
	grep -c '^> RCPT' "$T/primary/$1.log"
}

### All are refused after an outage

fresh down unknown
add 19
flush
is "$status $(state) $(left)" "75 stopped 20 0" \
    "everybody unknown after an outage: it stops, and nothing has failed"
is "$(rcpts unknown)" 8 "after eight recipients"
like "$(state error)" '^8 of 8 recipients .*550 5\.1\.1 no such user$' \
    "why is known"
like "$(cat "$T/log")" '^mx-flush.*: stopped domain=a\.test reason="8 of 8' \
    "and told"
is "$(grep -c ': kept id=' "$T/log")" 8 "each message is accounted for"
is "$(outages)" "down up stopped " "outages has it"
is "$(queue stat a.test | cut -f 5,11)" "stopped	-" "so has mx-queue stat"
like "$(cat "$SPOOL/state/a.test/told")" '^stopped ' "and the operator"
is "$(queue list a.test | cut -f 3 | sort | uniq -c | tr -s ' ')" \
    " 12 new
 8 tried" "the rest was not even opened"
like "$(queue show "$(queue list a.test | awk '$3 == "tried" { print $1; exit }')")" \
    '550 5\.1\.1 no such user' "what was said is shown"
flush
is "$status $(state) $(rcpts unknown)" "75 stopped 8" \
    "nothing is tried by itself"
like "$(cat "$T/log")" 'stopped domain=a\.test' "-v says why"

# Its mail does not age.
sed -i 's/^[0-9]* hold !/1000000000 hold !/' "$SPOOL/state/a.test/holds"
id=$(queue list a.test | head -n 1 | cut -f 1)
before=$(queue -j show "$id" | sed 's/.*"expires":"\([^"]*\)".*/\1/')
primary unknown "expire 1s"
sleep 1.1
unlike "$(queue -j show "$id")" "\"expires\":\"$before\"" \
    "the expiry moves on as time does"
"$BIN/mx-expire" -C "$CONF" >"$T/out" 2>&1
is "$(left)" "20 0" "and mx-expire lets it wait"
cp -rp "$SPOOL" "$T/saved"
rm "$SPOOL/state/a.test/holds"
"$BIN/mx-expire" -C "$CONF" >"$T/out" 2>&1
is "$(left)" "0 20" "which it would not do otherwise"
rm -rf "$SPOOL"
mv "$T/saved" "$SPOOL"
primary unknown

queue retry "$id" >"$T/out" 2>&1
like "$(cat "$T/out")" 'a\.test: is stopped, and stays so' \
    "who retries a message is told that its domain is stopped"
is "$(queue stat a.test | cut -f 17)" "-" "and gives no order"
queue retry a.test >"$T/out" 2>&1
unlike "$(cat "$T/out")" 'stays so' "who retries the domain is not"
is "$(queue stat a.test | cut -f 5,17)" "stopped	retry" "retry is an order"
flush
is "$(state) $(left) $(rcpts unknown)" "stopped 20 0 16" \
    "retry: as careful as before, and it stops again"
is "$(queue stat a.test | cut -f 17)" "-" "an order is followed once"
primary good
queue retry a.test >"$T/out"
flush
is "$status $(state) $(left)" "0 up 0 0" "retry, repaired: all goes"
is "$(outages)" "down up stopped retry up stopped retry up " "outages again"
like "$(cut -d ' ' -f 2,3 "$SPOOL/state/a.test/holds" | tr '\n' ' ')" \
    '^(hold ! release ! ){2}$' "the clock stood still and runs again"

fresh down relay
add 19
flush
is "$(state) $(left)" "stopped 20 0" "relaying denied: it stops"
queue release a.test >"$T/out"
flush
is "$status $(left)" "0 0 20" "released: the refusals are believed"
add 5
flush
is "$(left)" "0 25" "for a day"
sed -i 's/^released.*/released 1000/; s/^since .*/since 1000/' \
    "$SPOOL/state/a.test/state"
add 9
flush
is "$(state) $(left)" "stopped 9 25" "and no longer"

fresh down text
add 9
flush
is "$(state) $(left)" "stopped 10 0" "refused at the end of the text: it stops"

### Without an outage that we know of

fresh up unknown
add 7
flush
is "$status $(state) $(left)" "0 up 0 7" "seven of seven in a new domain fail"
add 8
flush
is "$(state) $(left)" "stopped 8 7" "eight of eight do not"
fresh up late
add 130
flush
is "$(state) $(left)" "stopped 30 0" "a hundred go, then all are refused: it stops"
n=$(rcpts late)
# Those in flight on each connection are asked for all the same.
ok "when a burst shows, and the share does not" [ "$n" -ge 120 -a "$n" -lt 130 ]

fresh down unknown "breaker off"
add 19
flush
is "$status $(state) $(left)" "0 up 0 20" "breaker off: all are believed"
fresh down unknown "breaker 100"
add 19
flush
is "$status $(state) $(left)" "0 up 0 20" "breaker 100: all may be refused"

### A real one among many

fresh down one
add 29
flush
is "$status $(state) $(left)" "0 up 0 1" \
    "one unknown among thirty: fails, with its report"
fresh down quarter
add 7
flush
is "$status $(state) $(left)" "0 up 0 2" "a quarter is not more than a quarter"
fresh up half
printf 'Subject: x\r\n\r\ntext\r\n' | queue add -f s@elsewhere.test a@a.test \
    b@a.test c@a.test >"$T/ids"
flush
is "$status $(left)" "0 0 1" "one of three recipients: fails"
like "$(cat "$SPOOL"/mail/elsewhere.test/new/*)" 'Final-Recipient: rfc822; b@' \
    "it is the right one"

fresh up crowd
printf 'Subject: x\r\n\r\ntext\r\n' | queue add -f s@elsewhere.test a@a.test \
    b@a.test c@a.test d@a.test >"$T/ids"
flush
is "$status $(left)" "0 0 1" "one refused, and two too many for a transaction"
is "$(sed -n 's/^> RCPT TO:<\(.\)@.*/\1/p' "$T/primary/crowd.log" |
    tr -d '\n')" abcdcd "who was refused is not asked again"

### Too few to tell

fresh down few
flush
is "$status $(state) $(left)" "75 up 1 0" "a lone refusal after an outage waits"
like "$(cat "$T/log")" 'kept id=.* reason="the server is just back' "says so"
add 3 known
flush
is "$(left) $(state accepted)" "1 0 3" "and waits on with three accepted"
primary few
add 5
flush
is "$(left) $(state accepted)" "0 1 8" "and fails when eight were"
fresh down unknown
flush
sed -i 's/^since .*/since 1000 x/' "$SPOOL/state/a.test/state"
flush
is "$status $(left)" "0 0 1" "or when the server has been up for a day"

### Somebody who was known good

fresh up good
add 1 known
flush
primary nobody
add 1 known
flush
primary unknown
flush
is "$status $(state) $(left)" "75 stopped 1 0" \
    "known good, unknown after an outage: it stops at once"
like "$(state error)" '^known@a\.test was known good: 550 5\.1\.1' "why"
queue release a.test >"$T/out"
flush
is "$status $(left)" "0 0 1" "released: it fails"

fresh down unknown "recipients list"
echo u1@a.test >"$CONF/list"
touch -d '1 hour ago' "$CONF/list"
flush
is "$(state) $(left)" "stopped 1 0" "or by the operator's list"

fresh up good
add 1 known
flush
primary unknown
add 1 known
flush
is "$status $(state) $(left)" "75 up 1 0" "known good in a domain that is up: waits"
id=$(ls "$SPOOL/mail/a.test/cur")
mv "$SPOOL/mail/a.test/cur/$id" \
    "$SPOOL/mail/a.test/cur/$(echo "$id" | sed 's/^[0-9]*/1700000000/')"
flush
is "$status $(left)" "0 0 1" "and fails when it is a day old"

### MAIL

fresh down mail
flush
is "$status $(state) $(left)" "75 stopped 1 0" "MAIL refused after an outage: it stops"
like "$(state error)" '^MAIL was refused.*550 5\.7\.1 go away' "why"
fresh up mail
add 20
flush
is "$status $(state) $(left)" "75 up 20 0" "in a domain that is up it waits"
fresh down latemail
add 2
flush
is "$(state) $(left)" "up 2 0" "one accepted before: it waits, too"
fresh down large
flush
is "$(state) $(left)" "up 1 0" "too large is about the message"

### The greeting

fresh down greet
flush
is "$status $(state) $(left)" "75 stopped 1 0" \
    "nobody, then refused at the greeting: stopped"
flush
is "$(state)" stopped "and tried on"
is "$(grep -c '^connection' "$T/primary/greet.log")" 2 "at each run"
not_ok "its clock runs" test -e "$SPOOL/state/a.test/holds"
primary nobody
flush
is "$(state)" down "gone again: down"
primary greet
flush
primary good
flush
is "$status $(state) $(left)" "0 up 0 0" "let in: it goes on by itself"
fresh up greet
add 1
flush
flush
is "$(state)" down "one that refused from the beginning is down"

done_testing
