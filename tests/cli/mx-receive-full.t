# SPDX-License-Identifier: ISC
# Full disks, no inodes, limits of the process: "try later", never a loss.
. "$(dirname "$0")/../tap.sh"
need python3

mkconf "max-size 100M"
mkdomain example.org
mkdomain example.net

# A session on standard input with a text of N kilobytes: N [MAIL-PARAMS]
session()
{
	python3 - "$@" <<'END'
import sys
size = ' '.join(sys.argv[2:])
out = sys.stdout.buffer
if size == 'BDAT':
    for kb in int(sys.argv[1]), 1:
        out.write(b'EHLO client.test\r\n' if kb > 1 else b'')
        out.write(b'MAIL FROM:<a@sender.test>\r\nRCPT TO:<b@example.org>\r\n')
        out.write(b'BDAT %d\r\n' % (kb * 1024))
        for i in range(kb):
            out.write(b'x' * 1022 + b'\r\n')
        out.write(b'BDAT 3 LAST\r\nx\r\n')
    sys.exit(out.write(b'QUIT\r\n') * 0)
out.write(b'EHLO client.test\r\n')
out.write(b'MAIL FROM:<a@sender.test> %s\r\n' % size.encode())
out.write(b'RCPT TO:<b@example.org>\r\nRCPT TO:<b@example.net>\r\n'
          b'DATA\r\nSubject: large\r\n\r\n')
for i in range(int(sys.argv[1])):
    out.write(b'x' * 1022 + b'\r\n')
out.write(b'.\r\nNOOP\r\nQUIT\r\n')
END
}

# Plays it under a ulimit: "" or LIMIT, KB [MAIL-PARAMS]; answers are in
# $T/out, the exit status in $?.
receive()
{
	limit=$1
	shift
	session "$@" >"$T/session"
	sh -c 'limit=$1
	    shift
	    [ -z "$limit" ] || ulimit $limit
	    exec "$@"' sh "$limit" "$BIN/mx-receive" -C "$CONF" \
	    <"$T/session" >"$T/out" 2>"$T/log"
}

# Replies by codes alone, the dialogue of EHLO as one.
codes()
{
	tr -d '\r' <"$T/out" | sed -n 's/^\([0-9]*\) \([245]\.[0-9.]*\).*/\1 \2/p
	    t
	    s/^\([0-9]*\) .*/\1/p' | tr '\n' ' ' | sed 's/ $//'
}

queued()
{
	"$BIN/mx-queue" -C "$CONF" list | wc -l | tr -d ' '
}

left()
{
	(cd "$SPOOL" && find tmp mail -path '*tmp/*' -type f)
}

receive "" 1
is "$?" 0 "room enough: exit 0"
like "$(codes)" '250 2.0.0 250 2.0.0 221 2.0.0$' "room enough: taken"
is "$(queued)" 2 "room enough: queued"

mkdir "$SPOOL/seen/usage:example.net"
mkdomain example.net "quota 1000"
receive "" 1
like "$(codes)" '250 2.0.0 250 2.0.0 221 2.0.0$' "no counting: taken"
like "$(cat "$T/log")" 'the quota of example.net does not hold' \
    "no counting: the log tells"
rm -rf "$SPOOL/mail" "$SPOOL/seen"
mkdomain example.net
receive "" 1

# A limit of the process: as if a disk gave up amid a text.
if [ -z "$ASAN" ]; then
	receive "-f 100" 4000
	is "$?" 75 "file size limit: no signal, exit 75"
	like "$(codes)" '(452|451) 4\.3\.[01] 250 2\.0\.0 221 2\.0\.0$' \
	    "file size limit: try later, and the session goes on"
	is "$(queued)" 2 "file size limit: nothing more is queued"
	is "$(left)" "" "file size limit: nothing is left behind"

	receive "-v 65536" 60000
	is "$?" 0 "64 MB of memory do for a text of 60 MB"
	like "$(codes)" '250 2.0.0 250 2.0.0 221 2.0.0$' "and it is taken"
	is "$(queued)" 4 "and queued"
	rm -rf "$SPOOL"/mail

	n=0
	for fds in 3 4 5 6 7 8 9 10 12 14 16; do
		receive "-n $fds" 10
		# Without a 354 the text is taken for commands.
		grep -Eq '^(55[0-35]|554 5\.[67])' "$T/out" && n=$((n + 1))
		[ "$(grep -c '^354' "$T/out")" -eq 0 ] ||
		    grep -Eq '^(250 2\.0\.0|4[0-9][0-9] 4)' "$T/out" ||
		    n=$((n + 100))
	done
	is "$n" 0 "few descriptors: never a permanent refusal"
	is "$(left)" "" "few descriptors: nothing is left behind"
fi

# As root in a mount namespace, as anybody in a user namespace as well.
for unshare in "unshare -m" "unshare -rm" ""; do
	[ -n "$unshare" ] || break
	$unshare mount -t tmpfs none "$SPOOL" 2>/dev/null && break
done
if [ -z "$unshare" ]; then
	skip "a full file system" "no namespace for a mount is to be had"
	done_testing
fi

# The same session on a file system of its own: MOUNT-OPTIONS KB [PARAMS]
on_tmpfs()
{
	options=$1
	shift
	session "$@" >"$T/session"
	rm -rf "$SPOOL"
	mkdir -m 700 "$SPOOL"
	# A limit without a namespace of its own would outlive the test.
	$unshare sh -c '
		mount -t tmpfs -o "$1",mode=700 none "$2" || exit 99
		shift 2
		[ -z "$FILL" ] || head -c "$FILL" /dev/zero >"$SPOOL/filler"
		"$BIN/mx-receive" -C "$CONF" \
		    <"$T/session" >"$T/out" 2>"$T/log"
		echo $? >"$T/status"
		ls "$SPOOL/tmp" >"$T/left" 2>/dev/null
		"$BIN/mx-queue" -C "$CONF" list >"$T/list" 2>&1
	' sh "$options" "$SPOOL"
}
export CONF SPOOL T
FILL=
export FILL

on_tmpfs size=64m 100
like "$(codes)" '250 2.0.0 250 2.0.0 221 2.0.0$' "tmpfs with room: taken"
is "$(wc -l <"$T/list" | tr -d ' ')" 2 "tmpfs with room: queued"

on_tmpfs size=8m 10
is "$(cat "$T/status")" 0 "no room from the start: exit 0"
like "$(codes)" ' 452 4\.3\.1 ' "no room from the start: 452 4.3.1"
unlike "$(cat "$T/out")" '^(354|55[0-9])' "no room from the start: no 354"
is "$(cat "$T/list")" "" "no room from the start: nothing queued"

on_tmpfs size=40m 10 SIZE=50000000
like "$(codes)" '^220 250 452 4\.3\.1 ' "no room for the SIZE given: at MAIL"

on_tmpfs size=30m 40000
like "$(codes)" ' 354 452 4\.3\.1 250 2\.0\.0 221 2\.0\.0$' \
    "full amid the text: 452 4.3.1 to its end, and the session goes on"
is "$(cat "$T/list")" "" "full amid the text: nothing queued"
is "$(cat "$T/left")" "" "full amid the text: nothing left"
is "$(cat "$T/status")" 75 "full amid the text: exit 75"

on_tmpfs size=30m 40000 BDAT
like "$(codes)" '^220 250 250 2\.1\.0 250 2\.1\.5 452 4\.3\.1 452 4\.3\.1 250 2\.1\.0 250 2\.1\.5 250 2\.0\.0 250 2\.0\.0 221 2\.0\.0$' \
    "full amid the chunks: 452 4.3.1 to the last, and a new transaction"
is "$(wc -l <"$T/list" | tr -d ' ')" 1 "full amid the chunks: the next is queued"

# Two copies: room for one is not enough.
on_tmpfs size=30m 20000
like "$(codes)" ' 354 (452 4\.3\.1|250 2\.0\.0) 250 2\.0\.0 221 2\.0\.0$' \
    "full between two domains: all or none"
case $(wc -l <"$T/list" | tr -d ' ') in
0) ok "full between two domains: none" grep -q '^452' "$T/out" ;;
2) ok "full between two domains: all" grep -q '^250 2.0.0' "$T/out" ;;
*) fail "full between two domains" "$(cat "$T/list")" ;;
esac

on_tmpfs size=64m,nr_inodes=40 10
like "$(codes)" ' 452 4\.3\.1 ' "no inodes: 452 4.3.1"
unlike "$(codes)" ' 55[0-9] | 354' "no inodes: neither refused nor begun"
is "$(cat "$T/list")" "" "no inodes: nothing queued"

on_tmpfs size=64m,ro 10
unlike "$(codes)" '(^| )(5[0-9][0-9]|354)( |$)' "read only: try later"
like "$(codes)" '(^| )4[0-9][0-9] 4\.3\.' "read only: 4.3"

done_testing
