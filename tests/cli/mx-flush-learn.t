# SPDX-License-Identifier: ISC
# What the primary says of recipients decides what mx-receive answers.
. "$(dirname "$0")/../tap.sh"

need python3
mkdir "$T/primary"
printf '%s\n' 'some RCPT=250 2.1.5 ok;RCPT=550 5.1.1 no such user' \
    'none RCPT=550 5.1.1 no such user' >"$T/table"
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
"$BIN/mx-flush" -C "$CONF" >"$T/out" 2>&1
like "$(answer good@some.test)" '^250' "whom the primary took is taken"
like "$(answer GOOD+tag@some.test)" '^450' "exactly that address"
like "$(answer bad@some.test)" '^550 5\.1\.1' "whom it refused is refused"
like "$(answer other@some.test)" '^450 4\.1\.1' "another is unknown"
like "$(answer bad@none.test)" '^450 4\.1\.1' \
    "a primary that refuses everybody is not believed"

done_testing
