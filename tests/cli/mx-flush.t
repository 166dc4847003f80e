#!/bin/sh
# SPDX-License-Identifier: ISC
#
# mx-flush against a primary that misbehaves at every step.  One line a case:
#
#	NAME | WANT | RCPTS | SCRIPT (see tests/peers/badmx.py)
#
# WANT says what is to be true after one run:
#
#	delivered	the message has left, the primary has it, no report
#	failed		it has left, the primary has none, one report
#	kept		it waits, the primary has none, no report
#	twice		it waits, the primary has it (and will get it again)
#	half		it has left, the primary has it, and one report
#	part		it waits, the primary has it, no report
#
# RCPTS are local parts.  All cases run side by side in one mx-flush.

. "$(dirname "$0")/../tap.sh"

need python3

cat >"$T/cases" <<'END'
good | delivered | a |
good-inturn | delivered | a | inturn
good-two | delivered | a b |
good-helo | delivered | a | EHLO=500 what
good-multi | delivered | a | GREET=220-a\n220-b\n220 c;MAIL=250-a\n250 b;END=250-a\n250-b\n250 c
good-drip | delivered | a | MAIL=drip:250
quit-drop | delivered | a | QUIT=!
quit-4xx | delivered | a | QUIT=421 x
greet-4xx | kept | a | GREET=450 busy
greet-5xx | kept | a | GREET=554 never
greet-421 | kept | a | GREET=421 busy
greet-drop | kept | a | GREET=!
greet-slow | kept | a | GREET=?
greet-drip | kept | a | GREET=drip:220 primary.test ready
greet-garbage | kept | a | GREET=raw:\x00\x01\x1b[2J\x0d\x0a
greet-endless | kept | a | GREET=endless
greet-long | kept | a | GREET=longline
greet-us | kept | a | GREET=220 mx2.backup.test
ehlo-4xx | kept | a | EHLO=451 later
ehlo-5xx | kept | a | EHLO=550 no;HELO=550 no
ehlo-drop | kept | a | EHLO=!
ehlo-slow | kept | a | EHLO=?
ehlo-garbage | kept | a | EHLO=hello yourself
ehlo-mixed | kept | a | EHLO=250-a\n550 b
ehlo-endless | kept | a | EHLO=endless
ehlo-us | kept | a | EHLO=250-mx2.backup.test\n250 SIZE
ehlo-twice | kept | a | EHLO=twice:250 ok
mail-4xx | kept | a | MAIL=451 4.3.0 later
mail-5xx | kept | a | MAIL=550 5.1.8 never;RCPT=503 5.5.1 mail?;DATA=503 5.5.1 rcpt?
mail-5xx-354 | kept | a | MAIL=550 5.1.8 never;RCPT=503 5.5.1 mail?;END=554 none
mail-5xx-inturn | kept | a | inturn;MAIL=550 5.1.8 never
mail-421 | kept | a | MAIL=421 4.3.2 closing
mail-drop | kept | a | MAIL=!
mail-slow | kept | a | MAIL=?
mail-garbage | kept | a | MAIL=\xff\xff\xff
mail-mixed | kept | a | MAIL=250-a\n451 b
mail-endless | kept | a | MAIL=endless
mail-twice | kept | a | MAIL=twice:250 ok
rcpt-4xx | kept | a | RCPT=450 4.2.1 later
rcpt-4xx-inturn | kept | a | inturn;RCPT=450 4.2.1 later
rcpt-5xx | failed | a | RCPT=550 5.1.1 never
rcpt-5xx-inturn | failed | a | inturn;RCPT=550 5.1.1 never
rcpt-5xx-data | failed | a | RCPT=550 5.1.1 never;DATA=554 5.5.1 none
rcpt-5xx-multi | failed | a | RCPT=550-5.1.1 no\n550-5.1.1 such\n550 5.1.1 user
rcpt-421 | kept | a | RCPT=421 4.3.2 closing
rcpt-521 | kept | a | RCPT=521 5.3.2 closing
rcpt-drop | kept | a | RCPT=!
rcpt-slow | kept | a | RCPT=?
rcpt-garbage | kept | a | RCPT=55 no such user
rcpt-bare | failed | a | RCPT=550
rcpt-mixed | kept | a | RCPT=550-5.1.1 a\n250 b
rcpt-503 | kept | a | RCPT=503 5.5.1 MAIL first
rcpt-530 | kept | a | RCPT=530 5.7.0 Must issue a STARTTLS command first
rcpt-twice | kept | a | RCPT=twice:550 5.1.1 no
rcpt-twice-inturn | delivered | a b | inturn;RCPT=twice:550 5.1.1 no;RCPT=ok
rcpt-silent | kept | a b | RCPT=raw:;RCPT=550 5.1.1 no;RCPT=raw:;RCPT=550 5.1.1 no
rcpt-silent-chunk | kept | a b | offers:CHUNKING;RCPT=raw:;RCPT=550 5.1.1 no
rcpt-forgets | delivered | a | RCPT=raw:;DATA=raw:;RCPT=ok;DATA=ok
rcpt-long | kept | a | RCPT=longline
rcpt-one-5xx | half | a b | RCPT=550 5.1.1 never;RCPT=ok
rcpt-one-4xx | part | a b | RCPT=450 4.2.1 later;RCPT=ok
rcpt-5xx-4xx | kept | a b | RCPT=550 5.1.1 never;RCPT=450 4.2.1 later
rcpt-552-first | failed | a | RCPT=552 5.2.2 full
rcpt-552-later | delivered | a b | RCPT=ok;RCPT=552 5.5.3 too many;RCPT=ok
rcpt-452-later | delivered | a b c | RCPT=ok;RCPT=452 4.5.3 too many;RCPT=452 4.5.3 too many;RCPT=ok;RCPT=452 4.5.3 too many;RCPT=ok
data-4xx | kept | a | DATA=451 4.3.0 later
data-5xx | kept | a | DATA=554 5.5.1 never
data-5xx-inturn | kept | a | inturn;DATA=554 5.5.1 never
data-2xx | kept | a | DATA=250 what
data-drop | kept | a | DATA=!
data-slow | kept | a | DATA=?
data-garbage | kept | a | DATA=raw:354\x0d\x0a354\x0d\x0a
data-421 | kept | a | DATA=421 4.3.2 closing
text-drop | kept | a | TEXT=!
text-slow | kept | a | TEXT=?
end-4xx | twice | a | END=451 4.3.0 later
end-5xx | half | a | END=554 5.6.0 never
end-5xx-multi | half | a | END=554-5.6.0 we\n554 5.6.0 mind
end-552 | half | a | END=552 5.2.3 too big
end-503 | twice | a | END=503 5.5.1 out of turn
end-421 | twice | a | END=421 4.3.2 closing
end-3xx | twice | a | END=354 more
end-drop | twice | a | END=!
end-slow | twice | a | END=?
end-drip | twice | a | END=drip:250 2.0.0 taken
end-garbage | twice | a | END=okay
end-mixed | twice | a | END=250-a\n554 b
end-endless | twice | a | END=endless
end-one-5xx | half | a b | RCPT=ok;RCPT=550 5.1.1 never;END=ok
end-rset-drop | half | a b | RCPT=550 5.1.1 never;RCPT=ok
rset-drop | failed | a | inturn;RCPT=550 5.1.1 never;RSET=!
rset-5xx | failed | a | inturn;RCPT=550 5.1.1 never;RSET=500 what
size-small | kept | a | size:10
END

mkconf "timeout 1s" "timeout connect 1s" "timeout dns 1s" \
    "resolver 127.0.0.1@$(free_port)"

clean()
{
	sed 's/^ *//; s/ *$//'
}

mkdir "$T/primary"
while IFS='|' read -r name want rcpts script; do
	printf '%s %s\n' "$(echo "$name" | clean)" \
	    "$(printf '%s' "$script" | clean)"
done <"$T/cases" >"$T/table"
python3 "$TOP/tests/peers/badmx.py" "$T/table" "$T/primary" 2>"$T/peer" &
cleanup_pid $!
until_ok 10 test -e "$T/primary/ready" || diag_file "$T/peer"

printf 'Subject: test\r\n\r\nHello\r\n.dot\r\n' >"$T/message"
while IFS='|' read -r name want rcpts script; do
	name=$(echo "$name" | clean)
	mkdomain "$name.test" "route 127.0.0.1:$(cat "$T/primary/$name.port")"
	addresses=
	for rcpt in $rcpts; do
		addresses="$addresses $rcpt@$name.test"
	done
	# shellcheck disable=SC2086
	"$BIN/mx-queue" -C "$CONF" add -f "from@sender-$name.test" \
	    $addresses <"$T/message" >>"$T/ids" ||
	    fail "set up $name"
done <"$T/cases"

exits 75 "some of it waits" "$BIN/mx-flush" -C "$CONF" -v -j 100
cp "$T/.out" "$T/log"

# Files of a domain in folders: DOMAIN FOLDER...
count()
{
	domain=$1
	shift
	n=0
	for folder; do
		for file in "$SPOOL/mail/$domain/$folder"/*; do
			[ -e "$file" ] && n=$((n + 1))
		done
	done
	echo $n
}

while IFS='|' read -r name want rcpts script; do
	name=$(echo "$name" | clean)
	waits=$(count "$name.test" new cur)
	reports=$(count "sender-$name.test" new)
	arrived=0
	[ -e "$T/primary/$name.1" ] && arrived=1
	case $waits$arrived$reports in
	010) got=delivered ;;
	001) got=failed ;;
	100) got=kept ;;
	110) got=twice ;;
	011) got=half ;;
	*) got="waits=$waits arrived=$arrived reports=$reports" ;;
	esac
	case $want in
	*part*) want=twice ;;
	esac
	is "$got" "$(echo "$want" | clean)" "$name"
done <"$T/cases"

is "$(count rcpt-5xx.test new cur .Held/cur .Sent/cur .Expired/cur)" 0 \
    "a failed message is gone"
like "$(cat "$T/log")" "possible duplicate id=[^ ]* domain=end-drop.test" \
    "the log names a possible duplicate"
unlike "$(cat "$T/log")" "possible duplicate id=[^ ]* domain=data-drop.test" \
    "and nothing that cannot be one"
unlike "$(cat "$T/log")" " refused id=[^ ]* domain=rcpt-silent" \
    "no refusal is another one's"
unlike "$(tr -d '\11\12\40-\176' <"$T/log")" . "nothing raw is logged"
like "$(cat "$SPOOL/state/greet-5xx.test/state")" '^state down' \
    "a refused greeting is down"
like "$(cat "$SPOOL/state/greet-us.test/state")" '^state unroutable' \
    "ourselves is unroutable"
like "$(cat "$SPOOL/state/good.test/state")" '^state up' "one that works is up"
is "$(ls "$SPOOL/mail/rcpt-4xx.test/new")" "" "what was tried is not new"
is "$(ls "$SPOOL/mail/greet-4xx.test/cur")" "" "what was not tried is"

done_testing
