# SPDX-License-Identifier: ISC
# What the operator did not mean to have: mail is taken, and the log tells.
. "$(dirname "$0")/../tap.sh"

mkconf
mkdomain long.test 'recipients users'
mkdomain quota.test 'quota 10'

# Nobody in particular asks for ADDRESSes; the log is in $T/log.
ask()
{
	{
		printf 'EHLO x\r\nMAIL FROM:<>\r\n'
		printf 'RCPT TO:<%s>\r\n' "$@"
	} | "$BIN/mx-receive" -C "$CONF" >"$T/out" 2>"$T/log"
}

awk 'BEGIN { for (i = 9999; i > 0; i--) printf("user%d\n", i) }' \
    >"$CONF/users"
ask user1@long.test nobody@long.test
like "$(cat "$T/out")" '^550 5\.1\.1' "a long list, not sorted, is read"
like "$(cat "$T/log")" 'users:[0-9]*: not sorted.*LC_ALL=C sort' \
    "and the log says so"

mkdir "$SPOOL/seen/usage:quota.test"
ask a@quota.test b@quota.test
like "$(cat "$T/out")" '^250 2\.1\.5' "a quota that cannot be counted"
is "$(grep -c 'the quota of quota.test cannot be counted: ' "$T/log")" 1 \
    "is told once in a session"

done_testing
