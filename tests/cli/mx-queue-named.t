# SPDX-License-Identifier: ISC
# Where a file system has no O_TMPFILE the file has a name in tmp/ at first;
# all or none, and nothing left, hold there too.
. "$(dirname "$0")/../tap.sh"

need strace
[ -z "$ASAN" ] || skip_all "the leak checker cannot be traced"
strace -o /dev/null true 2>/dev/null || skip_all "no tracing here"

mkconf
mkdomain a.test
mkdomain b.test
"$BIN/mx-queue" -C "$CONF" list
printf 'Subject: x\n\nhi\n' >"$T/m"

# Adds a message for two domains, with faults at calls on tmp/: FAULT...
add()
{
	for fault; do
		set -- "$@" -e "inject=$fault"
		shift
	done
	strace -qq -f -o "$T/trace" -P "$SPOOL/tmp" -e trace=openat,linkat \
	    -e inject=openat:error=EOPNOTSUPP:when=1 "$@" \
	    "$BIN/mx-queue" -C "$CONF" add -f '<>' u@a.test u@b.test <"$T/m"
}
files()
{
	find "$SPOOL/mail" "$SPOOL/tmp" -type f | wc -l | tr -d ' '
}

ok "without O_TMPFILE" add
is "$(grep -c O_EXCL "$T/trace")" 2 "two files with names"
is "$(ls "$SPOOL/tmp")" "" "which are gone"
is "$(files)" 2 "a message for each domain"
ok "whole ones" "$BIN/mx-queue" -C "$CONF" check
rm "$SPOOL"/mail/*/new/*
exits 75 "the second link fails" add linkat:error=EDQUOT:when=2
is "$(files)" 0 "none of it is left"
exits 75 "the first fails" add linkat:error=EIO:when=1
like "$(add linkat:error=ENOSPC:when=1 2>&1)" "No space" "it says why"
is "$(files)" 0 "none of it is left"
done_testing
