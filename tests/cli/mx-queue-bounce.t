# SPDX-License-Identifier: ISC
#
# mx-queue bounce and export: mail that leaves the queue by the operator's
# word, or is only looked at.

. "$(dirname "$0")/../tap.sh"

need python3
mkconf "resolver 127.0.0.1@9"
mkdomain a.test
mkdomain hold.test "bounce no"

printf 'Received: x\r\nSubject: x\r\n\r\nline\r\n.dot\r\n' >"$T/m"
# DOMAIN SENDER RECIPIENT-LINE...
craft()
{
	domain=$1
	shift
	id=$(python3 "$TOP/tests/report/craft.py" "$SPOOL" "$domain" 60 "$@" \
	    <"$T/m")
}

queue()
{
	"$BIN/mx-queue" -C "$CONF" "$@"
}

report()
{
	python3 "$TOP/tests/report/read.py" "$SPOOL/mail/$1" >"$T/report" 2>&1
	unlike "$(cat "$T/report")" '^defect|^bare|^long|^8bit|Traceback' \
	    "$1: nothing wrong with it"
}

### bounce

craft a.test '<ann@one.test> ENVID=x' "p <x@a.test>" "d <y@a.test>" \
    "p <z@a.test> NOTIFY=NEVER"
exits 0 "a dry run" queue -n bounce "$id"
ok "changes nothing" test -f "$SPOOL/mail/a.test/new/$id"
ok "bounce" queue bounce -m "moved away" "$id"
is "$(find "$SPOOL/mail/a.test" -type f)" "" "the message is gone"
report one.test
ok "one report" grep -qx "reports 1" "$T/report"
for line in "recipient 1 Final-Recipient: rfc822; x@a.test" \
    "recipient 1 Action: failed" "recipient 1 Status: 5.0.0" \
    "text It was not delivered to:" "recipient 1 Diagnostic-Code: x-mxkeep; \
not sent: 5.0.0 returned by the postmaster of mx2.backup.test: moved away"; do
	ok "${line%%:*}" grep -Fqx "$line" "$T/report"
done
not_ok "and no other" grep -q '^recipient 2' "$T/report"

craft a.test '<>' "p <x@a.test>"
ok "the null sender's" queue bounce "$id"
like "$(cat "$T/.out")" 'its sender is not told; a copy is in \.Expired' \
    "is not told"
is "$(find "$SPOOL/mail/a.test" -type f | sed "s,.*a.test/,,")" \
    ".Expired/cur/$id:2," "there is the copy"
craft hold.test '<ann@two.test>' "f <x@hold.test>" "p <y@hold.test>"
ok "where nothing is returned by itself" queue bounce "$id"
report two.test
ok "the first is told" grep -q "^recipient 1 .*x@hold" "$T/report"
ok "and the second" grep -q "^recipient 2 .*y@hold" "$T/report"
is "$(find "$SPOOL/mail/hold.test" -type f)" "" "it is gone"
craft a.test '<ann@three.test>' "p <x@a.test>"
python3 - "$SPOOL/mail/a.test/new/$id" <<'END' &
import fcntl, sys, time
f = open(sys.argv[1], "r+")
fcntl.flock(f, fcntl.LOCK_EX)
open(sys.argv[1].replace("new/", "tmp/"), "w").close()
time.sleep(10)
END
lock=$!
cleanup_pid $lock
until_ok 5 test -e "$SPOOL/mail/a.test/tmp/$id"
exits 75 "one that is being delivered" queue bounce "$id"
stop $lock
: >"$SPOOL/mail/three.test"
exits 75 "a report that cannot be made" queue bounce "$id"
ok "keeps the message" test -f "$SPOOL/mail/a.test/new/$id"
rm "$SPOOL/mail/three.test"
ok "which goes later" queue bounce - <<END
$id
END
report three.test
ok "with one report" grep -qx "reports 1" "$T/report"
exits 1 "one that is not there" queue bounce "$id"
exits 64 "nothing named" queue bounce

### export

rm -r "$SPOOL/mail/a.test"
craft a.test '<ann@one.test> ENVID=x' "p <x@a.test> NOTIFY=NEVER" \
    "d <y@a.test>"
new=$id
craft a.test '<>' "p <x@a.test>"
mkdir -p "$SPOOL/mail/a.test/.Held/cur"
mv "$SPOOL/mail/a.test/new/$id" "$SPOOL/mail/a.test/.Held/cur/$id:2,"
held=$id
find "$SPOOL/mail/a.test" -type f -exec cksum {} + | sort >"$T/before"
rm -rf "$T/out"
umask 077
exits 0 "a dry run" queue -n export a.test "$T/out"
not_ok "makes nothing" test -e "$T/out"
ok "export" queue export a.test "$T/out"
is "$(cd "$T/out" && find . -type f | sort)" "./cur/${held%,*}:2,
./new/${new%,*}" "both are there"
is "$(cat "$T/out/new/${new%,*}")" "Return-Path: <ann@one.test>
Delivered-To: x@a.test
X-Mxkeep-Id: $new
X-Mxkeep-Sender: <ann@one.test> ENVID=x
X-Mxkeep-Recipient: pending <x@a.test> NOTIFY=NEVER
X-Mxkeep-Recipient: delivered <y@a.test>
Received: x
Subject: x

line
.dot" "with all facts"
is "$(python3 -c 'import mailbox, sys
m = mailbox.Maildir(sys.argv[1], create=False)
print(sorted((x["Subject"], x["Return-Path"]) for x in m))' "$T/out" 2>&1)" \
    "[('x', '<>'), ('x', '<ann@one.test>')]" "another program reads them"
echo mine >"$T/out/new/${new%,*}"
ok "again" queue export a.test "$T/out"
is "$(cat "$T/out/new/${new%,*}")" mine "nothing is overwritten"
mv "$T/out/new/${new%,*}" "$T/out/cur/${new%,*}:2,S"
ok "again" queue export a.test "$T/out"
is "$(find "$T/out/new" -type f)" "" "nor doubled where a reader moved it"
find "$SPOOL/mail/a.test" -type f -exec cksum {} + | sort >"$T/after"
same "$T/before" "$T/after" "the queue is as it was"
: >"$T/file"
exits 1 "no directory" queue export a.test "$T/file"
exits 64 "no domain" queue export a/b "$T/out"
exits 64 "one word" queue export a.test
ok "a domain with nothing" queue export none.test "$T/none"
ok "makes an empty one" test -d "$T/none/cur"

done_testing
