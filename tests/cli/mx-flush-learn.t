# SPDX-License-Identifier: ISC
# What the primary says of recipients decides what mx-receive answers.
. "$(dirname "$0")/../tap.sh"

need python3
mkdir "$T/primary"
printf '%s\n' 'some RCPT=250 2.1.5 ok;RCPT=550 5.1.1 no such user' \
    'none RCPT=550 5.1.1 no such user' \
    'forgets RCPT=ok;RCPT=550 5.1.1 who;RCPT=ok;RCPT=550 5.1.1 who;RCPT=ok;RCPT=550 5.1.1 who;RCPT=ok' \
    'back RCPT=ok;RCPT=550 5.1.1 who;RCPT=ok' \
    >"$T/table"
python3 "$TOP/tests/peers/badmx.py" "$T/table" "$T/primary" 2>"$T/err" &
cleanup_pid $!
until_ok 5 test -e "$T/primary/ready"

mkconf
for name in some none; do
	mkdomain "$name.test" 'recipients verify' 'unknown defer' \
	    "route 127.0.0.1:$(cat "$T/primary/$name.port")"
	printf 'Subject: x\n\nx\n' | "$BIN/mx-queue" -C "$CONF" add -f '' \
	    "good@$name.test" "bad@$name.test" >"$T/id"
done

answer()
{
	"$BIN/mx-receive" -C "$CONF" -e "$1" | sed -n 's/^answer	//p'
}
like "$(answer good@some.test)" '^450 4\.1\.1' "nothing is known yet"
"$BIN/mx-flush" -v -C "$CONF" >"$T/out" 2>&1
like "$(cat "$T/out")" 'delivered id=.* domain=some.test .*reply="250 2.0.0' \
    "whom it took is logged with that reply, not with another's"
like "$(answer good@some.test)" '^250' "whom the primary took is taken"
like "$(answer GOOD+tag@some.test)" '^450' "exactly that address"
like "$(answer bad@some.test)" '^550 5\.1\.1' "whom it refused is refused"
like "$(answer other@some.test)" '^450 4\.1\.1' "another is unknown"
like "$(answer bad@none.test)" '^450 4\.1\.1' \
    "a primary that refuses everybody is not believed"

# Somebody who was known good is not known bad because of one refusal: two
# messages that he gets and one that is refused, in three runs.
mkdomain forgets.test 'recipients verify' 'unknown defer' \
    "route 127.0.0.1:$(cat "$T/primary/forgets.port")"
add()
{
	for n; do
		printf 'Subject: x\n\nx\n' | "$BIN/mx-queue" -C "$CONF" add \
		    -f ann@sender.test "$n@forgets.test"
	done >"$T/id"
}
flush()
{
	"$BIN/mx-flush" -v -C "$CONF" forgets.test >"$T/out" 2>&1
}
waiting()
{
	find "$SPOOL/mail/$1" -type f 2>/dev/null | wc -l | tr -d ' '
}
add known
flush
for run in 1 2; do
	[ $run = 2 ] || add known
	add other
	flush
	like "$(cat "$T/out")" 'refused id=.* reply="550 5\.1\.1 who"' \
	    "run $run: somebody known good is refused"
	is "$(answer known@forgets.test | cut -d ' ' -f 1)" 250 \
	    "run $run: mail for him is still taken"
	is "$(waiting forgets.test) $(waiting sender.test)" "1 0" \
	    "run $run: what he was to get waits"
done
add other
id=$(ls "$SPOOL/mail/forgets.test/cur")
mv "$SPOOL/mail/forgets.test/cur/$id" \
    "$SPOOL/mail/forgets.test/cur/$(echo "$id" | sed 's/^[0-9]*/1700000000/')"
flush
is "$(waiting forgets.test) $(waiting sender.test)" "0 1" \
    "what has waited for a day fails"
like "$(answer known@forgets.test)" '^550 5\.1\.1' "and he is known bad"

# A server that is just back and has not shown yet that it is itself.
mkdomain back.test 'recipients verify' 'unknown defer' \
    "route 127.0.0.1:$(cat "$T/primary/back.port")"
mkdir -p -m 700 "$SPOOL/state/back.test"
printf 'state down\nsince %s x\n' "$(($(date +%s) - 7200))" \
    >"$SPOOL/state/back.test/state"
printf 'Subject: x\n\nx\n' | "$BIN/mx-queue" -C "$CONF" add \
    -f ann@sender.test a@back.test b@back.test c@back.test >"$T/id"
"$BIN/mx-flush" -C "$CONF" back.test >"$T/out" 2>&1
like "$(answer a@back.test)" '^250' "just back: good news are good"
like "$(answer b@back.test)" '^450' "bad news are none yet"

done_testing
