# SPDX-License-Identifier: ISC
# What is synced before what is said: mx-receive before its 250, mx-flush
# before each next step, in the order that mx-spool(5) gives.
. "$(dirname "$0")/../tap.sh"

need strace python3
[ -z "$ASAN" ] || skip_all "the leak checker cannot be traced"
strace -o /dev/null true 2>/dev/null || skip_all "no tracing here"

calls=trace=openat,mkdirat,linkat,unlinkat,renameat,renameat2,fsync,fdatasync
calls=$calls,write,writev,pwrite64,sendto,sendmsg,recvfrom,read

# The calls that matter, one a line; a file is known by its domain.
receive_steps()
{
	sed -nE '
	    s,.*mkdirat\([0-9]+<[^>]*/mail>\, "([^"]*)".*= 0$,mkdir \1,p
	    s,.*fsync\([0-9]+<[^>]*/mail>.*= 0$,fsync mail,p
	    s,.*fsync\([0-9]+<[^>]*/mail/([^/>]*)>.*= 0$,fsync \1,p
	    s,.* linkat\(([0-9]+)<[^"]*"".*/mail/([^/]*)/new>.*= 0$,link \1 \2,p
	    s,.* linkat\(.*/fd/([0-9]+)".*/mail/([^/]*)/new>.*= 0$,link \1 \2,p
	    s,.* linkat\(.*/mail/([^/]*)/new>.*= 0$,link \1,p
	    s,.*fsync\([0-9]+<.*/mail/([^/]*)/new>.*= 0$,fsync \1/new,p
	    s,.*fsync\(([0-9]+)<.*/spool/tmp/.*= 0$,fsync \1,p
	    s,.*(write|writev|sendto|sendmsg)\(1<.*kept as.*,250,p' "$T/trace" |
	    awk '$1 == "link" && NF == 3 { file[$2] = $3; $0 = "link " $3 }
		$1 == "fsync" && $2 in file { $0 = "fsync file " file[$2] }
		$0 != last { printf("%s%s", n++ ? ", " : "", $0) }
		{ last = $0 }'
}

# A session for these domains: STRACE-OPTION... -- DOMAIN...
receive()
{
	options=
	while [ "$1" != -- ]; do
		options="$options $1"
		shift
	done
	shift
	{
		printf 'EHLO client.test\r\nMAIL FROM:<a@sender.test>\r\n'
		printf 'RCPT TO:<u@%s>\r\n' "$@"
		printf 'DATA\r\nSubject: x\r\n\r\nbody\r\n.\r\nQUIT\r\n'
	} | strace -qq -f -y -s 2000 -o "$T/trace" \
	    -e "$calls" $options "$BIN/mx-receive" -C "$CONF" \
	    >"$T/replies" 2>"$T/log"
	receive_steps
}

mkconf "timeout 5s"
mkdomain a.test
mkdomain b.test
"$BIN/mx-queue" -C "$CONF" list

is "$(receive -- a.test)" \
    "mkdir a.test, fsync a.test, fsync mail, \
link a.test, fsync file a.test, fsync a.test/new, 250" \
    "a domain's first message: its folders are synced too"
is "$(receive -- b.test a.test)" \
    "mkdir b.test, fsync b.test, fsync mail, \
link b.test, link a.test, fsync file b.test, fsync file a.test, \
fsync b.test/new, fsync a.test/new, 250" \
    "for two domains: links, files, folders, 250"
is "$(receive -e inject=fsync:error=EIO:when=2 -- a.test)" \
    "link a.test, fsync file a.test" \
    "a folder that cannot be synced: the file is voided, no 250"
like "$(cat "$T/replies")" '^451 4\.3\.0 ' "but try again"

# Without O_TMPFILE the file has a name, and is synced before the link too.
receive -- a.test >"$T/steps"
nth=$(grep 'openat(' "$T/trace" | sed -n '/O_TMPFILE/=')
steps=$(receive -e "inject=openat:error=EOPNOTSUPP:when=$nth" -- a.test)
like "$steps" \
    '^fsync ([0-9]+), link a.test, fsync \1, fsync a.test/new, 250$' \
    "without O_TMPFILE: file, link, folder"

# A primary that takes one of two recipients, and then a second message.
mkdir "$T/primary"
echo 'sink RCPT=ok;RCPT=450 4.2.1 later;RCPT=ok' >"$T/table"
python3 "$TOP/tests/peers/badmx.py" "$T/table" "$T/primary" \
    >"$T/badmx" 2>&1 &
cleanup_pid $!
until_ok 10 test -e "$T/primary/ready"
rm "$SPOOL"/mail/*/new/*
mkdomain a.test "route 127.0.0.1:$(cat "$T/primary/sink.port")"
for rcpts in 'u@a.test v@a.test' u@a.test; do
	printf 'Subject: x\n\nhi\n' |
	    "$BIN/mx-queue" -C "$CONF" add -f '<>' $rcpts >>"$T/ids"
done
strace -qq -f -y -s 2000 -o "$T/trace" -e "$calls" \
    "$BIN/mx-flush" -C "$CONF" a.test >"$T/out" 2>&1
first=$(sed -n 's/,S=.*//;1p' "$T/ids")
second=$(sed -n 's/,S=.*//;2p' "$T/ids")
steps=$(sed "s/$first/FIRST/g;s/$second/SECOND/g" "$T/trace" | sed -nE '
    s,.*sendto\(.*"MAIL FROM.*,MAIL,p
    s,.*recvfrom\(.*taken.*,250,p
    s,.*fsync\([0-9]+<.*\.state>.*= 0$,fsync temporary,p
    s,.*renameat2?\(.*"[^"]*/replies/(FIRST|SECOND)[^"]*".*= 0$,replies \1,p
    s,.*fsync\([0-9]+<.*/replies>.*= 0$,fsync replies,p
    s,.*pwrite64\([0-9]+<.*/(FIRST|SECOND)\,.*"d".*= 1$,mark \1,p
    s,.*fsync\([0-9]+<.*/(FIRST|SECOND)\,.*= 0$,fsync \1,p
    s,.*renameat2?\(.*"[^"]*/(FIRST|SECOND)\,.*/cur>.*= 0$,move \1,p
    s,.*unlinkat\(.*/(FIRST|SECOND)\,.*= 0$,unlink \1,p
    s,.*fsync\([0-9]+<.*/mail/([^/]*/new)>.*= 0$,fsync \1,p' |
    awk '{ printf("%s%s", NR > 1 ? ", " : "", $0) }')
is "MAIL${steps#*MAIL}" "MAIL, 250, fsync temporary, replies FIRST, \
fsync replies, mark FIRST, fsync FIRST, move FIRST, MAIL, 250, unlink SECOND, \
fsync a.test/new" \
    "marks are synced before the move and the next MAIL; unlink after 250"
done_testing
