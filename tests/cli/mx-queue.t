# SPDX-License-Identifier: ISC
# Every verb of mx-queue, in every form of output.
. "$(dirname "$0")/../tap.sh"

need python3 flock

mkconf
mkdomain a.test
mkdomain b.test "expire 1d"
mkdomain .wild.test
tab=$(printf '\t')
escape=$(printf '\033')

queue()
{
	"$BIN/mx-queue" -C "$CONF" "$@"
}
add()
{
	printf 'Subject: x\n\nhi\n' | queue add -f ann@sender.test "$@"
}
# Checks each line of JSON; prints the value of an expression over list d.
json()
{
	python3 -c 'import json, sys
d = [json.loads(l) for l in sys.stdin.buffer.read().decode().splitlines()]
print(eval(sys.argv[1]))' "$1"
}

# Usage and configuration.
exits 64 "an unknown option" queue -x
exits 64 "show needs an id" queue show
exits 64 "cat needs an id" queue cat
exits 64 "rm needs an id" queue rm
exits 64 "retry needs something" queue retry
exits 64 "hold needs something" queue hold
exits 64 "release needs something" queue release
exits 64 "add needs a sender" sh -c 'echo x | "$0" -C "$1" add b@a.test' \
    "$BIN/mx-queue" "$CONF"
exits 64 "add needs a recipient" queue add -f a@b.test
exits 64 "hold -u wants a time" queue hold -u yesterday a.test
exits 64 "in the time to come" queue hold -u 2001-01-01T00:00:00Z a.test
exits 78 "no configuration" "$BIN/mx-queue" -C "$T/none" list
is "$(queue)$(queue list)" "" "nothing waits"
exits 1 "a word that is no verb" queue lst
like "$(cat "$T/.out")" ': lst: no such verb, message or domain$' "says so"
mkdir "$T/bare"
echo "spool $SPOOL" >"$T/bare/mxkeep.conf"
exits 78 "stat without a directory domains" "$BIN/mx-queue" -C "$T/bare" stat
exits 1 "no such message" queue show 1764000000.M1P1Q1.h,S=1
exits 1 "nor a path" queue cat ../../etc/passwd
exits 1 "nor words" queue rm "$escape[2J"
unlike "$(cat "$T/.out")" "$escape" "which are printed plain"

# add, and back.
a=$(add bob@a.test)
exits 1 "cat of a domain" queue cat a.test
like "$(cat "$T/.out")" '"mx-queue list a.test" prints them' "tells how"
like "$a" '^[0-9]+\.M[0-9]+P[0-9]+Q[0-9]+\.mx2\.backup\.test,S=[0-9]+$' "add"
ok "it is there" test -f "$SPOOL/mail/a.test/new/$a"
is "$(add bob@a.test carol@B.Test dan@x.wild.test 'e f'@x \
    2>/dev/null | wc -l)" 0 \
    "one bad recipient, none is added"
both=$(add bob@a.test '"c d"@B.Test' eve@a.test dan@x.wild.test)
is "$(echo "$both" | wc -l | tr -d ' ')" 3 "a file for each domain"
is "$(ls "$SPOOL/mail")" "a.test
b.test
x.wild.test" "in its folder"
exits 1 "not for strangers" add bob@c.test
like "$(cat "$T/.out")" 'c.test is not kept here' "says so"
for bad in bob bob@ @a.test 'bob@a.test.' 'bob@1.2.3.4' 'bob@[192.0.2.1]' \
    '<bob@a.test>' 'bob@_x.a.test'; do
	exits 64 "no recipient: $bad" add "$bad"
done
exits 64 "no sender" sh -c 'echo x | "$0" -C "$1" add -f ann b@a.test' \
    "$BIN/mx-queue" "$CONF"
for bad in 'a\rb\n' 'a\0b\n' '\r\r\n' 'a\n\rb' 'a\r'; do
	# the last is whole: a final line may lack its LF
	want=1
	[ "$bad" = 'a\r' ] && want=0
	printf "$bad" >"$T/m"
	exits $want "octets $(printf '%s' "$bad" | tr '\\' /)" sh -c '"$0" -C "$1" add -f "<>" b@b.test <"$2"' \
	    "$BIN/mx-queue" "$CONF" "$T/m"
done
is "$(find "$SPOOL/tmp" -type f)" "" "no temporary is left"

# The message as it goes on the wire, and through a pipe and back.
round()
{
	queue add -f ann@sender.test b@a.test <"$T/m" >"$T/id"
	queue cat -w "$(cat "$T/id")" | sed '1,3d' >"$T/wire"
	queue cat "$(cat "$T/id")" | sed '1,3d' >"$T/text"
	same "$T/wire" "$T/want-wire" "$1: on the wire"
	same "$T/text" "$T/want-text" "$1: in a pipe"
	queue add -f ann@sender.test b@a.test <"$T/text" >"$T/id2"
	queue cat -w "$(cat "$T/id2")" | sed '1,3d' >"$T/wire2"
	same "$T/wire2" "$T/wire" "$1: and back"
}
printf 'S: x\n\n.dot\n..\n\nlast' >"$T/m"
printf 'S: x\r\n\r\n.dot\r\n..\r\n\r\nlast\r\n' >"$T/want-wire"
printf 'S: x\n\n.dot\n..\n\nlast\n' >"$T/want-text"
round "LF"
printf 'S: x\r\n\r\n.dot\r\n..\n\r\nlast' >"$T/m"
round "mixed"
python3 - "$T" <<'END'
import random, sys
random.seed(1)
t = sys.argv[1]
data = b"S: x\n\n" + b"".join(bytes(random.choice(range(0x20, 0x100))
    for _ in range(random.randrange(200))) + b"\n" for _ in range(3000))
open(t + "/m", "wb").write(data)
open(t + "/want-text", "wb").write(data)
open(t + "/want-wire", "wb").write(data.replace(b"\n", b"\r\n"))
END
round "big, 8 bit"
cp "$T/want-wire" "$T/m"
round "big, CRLF"
: >"$T/m"
: >"$T/want-wire"
: >"$T/want-text"
round "empty"
is "$(queue cat "$a" | head -n 1)" "Received: by mx2.backup.test (mxkeep)" \
    "our own field comes first"
is "$(queue cat "${a%,S=*}" | wc -l)" "$(queue cat "$a" | wc -l)" \
    "a base is as good as an id"

# list
rm -rf "$SPOOL/mail"/*
a=$(add bob@a.test)
a2=$(add bob@a.test)
b=$(add '"c d"@b.test')
mv "$SPOOL/mail/b.test/new/$b" "$SPOOL/mail/b.test/cur/$b:2,FS"
is "$(queue list | sort)" "$(queue | sort)" "list is the default"
is "$(queue list | awk -F'\t' '{ print NF }' | sort -u)" 6 "six fields"
is "$(queue list b.test | cut -f 1-4)" \
    "$b${tab}b.test${tab}tried${tab}${b##*=}" "of one domain"
like "$(queue list "$a")" "^$a${tab}a.test${tab}new${tab}${a##*=}${tab}20[0-9-]*T[0-9:]*Z${tab}20[0-9-]*T[0-9:]*Z$" \
    "of one message"
is "$(queue -q list | sort)" "$(queue list | cut -f 1 | sort)" "-q: ids alone"
is "$(queue -0 list | tr '\0' '\n' | sort)" "$(queue -q list | sort)" "-0"
# Keys may be added to; those there are stay.
is "$(queue list -j | json '[k for k in "id domain state size arrived expires sender recipients client tls next_try error".split() if any(k not in x for x in d)]')" \
    "[]" "-j behind the verb, its keys"
is "$(queue -j list "$b" | json '[d[0][k] for k in ("id", "domain", "state", "size", "sender", "tls")]')" \
    "['$b', 'b.test', 'tried', ${b##*=}, 'ann@sender.test', None]" "JSON values"
is "$(queue -j show "$b" | json 'd[0]["recipients"], sorted(d[0]["client"])')" \
    "([{'address': '\"c d\"@b.test', 'status': 'pending', 'reply': None, 'params': '', 'unverified': False}], ['address', 'helo', 'name'])" \
    "JSON of recipients and client"
u=$(printf 'x\r\n' | python3 "$TOP/tests/report/craft.py" "$SPOOL" b.test 60 \
    '<ann@sender.test>' 'p <a@b.test> NOTIFY=NEVER|Mx-Unverified: yes' \
    'p <b@b.test>|Mx-Tls: TLSv1.3 AES')
is "$(queue show "$u" | grep '^recipient')" \
    "recipient${tab}a@b.test${tab}pending${tab}-${tab}unverified
recipient${tab}b@b.test${tab}pending${tab}-" "show: who was not verified"
is "$(queue -j list "$u" | json '[(r["params"], r["unverified"]) for r in d[0]["recipients"]], d[0]["tls"]')" \
    "([('NOTIFY=NEVER', True), ('', False)], 'TLSv1.3 AES')" "JSON of them"
queue rm "$u"
is "$(queue -j list "$b" | json '(__import__("datetime").datetime.fromisoformat(d[0]["expires"][:-1]) - __import__("datetime").datetime.fromisoformat(d[0]["arrived"][:-1])).total_seconds()')" \
    86400.0 "it expires a day after it arrived"
if command -v strace >/dev/null && [ -z "$ASAN" ]; then
	strace -qq -e trace=openat,open -o "$T/trace" "$BIN/mx-queue" \
	    -C "$CONF" list >/dev/null
	unlike "$(cat "$T/trace")" 'S=[0-9]' "list opens no message"
	strace -qq -e trace=openat,open -o "$T/trace" "$BIN/mx-queue" \
	    -C "$CONF" stat >/dev/null
	unlike "$(cat "$T/trace")" 'S=[0-9]' "nor does stat"
fi

# ids on standard input
is "$(queue list | queue show - | grep -c '^id')" 3 "the list is read back"
is "$(queue -q list a.test | queue -q list - | wc -l | tr -d ' ')" 2 \
    "ids alone too"
is "$(queue -0 list | queue -0 list - | tr '\0' '\n' | wc -l | tr -d ' ')" 3 \
    "and with NUL"
echo 1.M1P1Q1.h >"$T/ids"
exits 1 "one of them is not there" sh -c '"$0" -C "$1" show - <"$2"' \
    "$BIN/mx-queue" "$CONF" "$T/ids"

# show
queue show "$b" >"$T/show"
for line in "id$tab$b" "domain${tab}b.test" "state${tab}tried" \
    "sender${tab}ann@sender.test BODY=8BITMIME" "protocol${tab}local" \
    "recipient$tab\"c d\"@b.test${tab}pending$tab-"; do
	ok "show: $line" grep -Fxq "$line" "$T/show"
done

# Nothing raw: what a peer said, or a client called itself.
mkdir -p "$SPOOL/state/a.test/replies"
printf '0\t550 \033[2Jx\303\244\2333\n' >"$SPOOL/state/a.test/replies/${a%,*}"
mv "$SPOOL/mail/a.test/new/$a" "$SPOOL/mail/a.test/cur/$a:2,"
printf 'state down\nerror \033]0;x\007\342\200\256y\n' \
    >"$SPOOL/state/a.test/state"
for how in "show $a" "-j show $a" "-j list" "stat" "-j stat" "list"; do
	# shellcheck disable=SC2086
	queue $how >"$T/out"
	is "$(LC_ALL=C tr -d '\11\12\40-\176\303\244' <"$T/out" | od -c)" \
	    "$(od -c </dev/null)" "plain: $how"
done
is "$(queue -j show "$a" | json 'ascii(d[0]["recipients"][0]["reply"])')" \
    "'550 \\x1b[2Jx\\xe4\\ufffd3'" "JSON keeps what is UTF-8"

# stat
is "$(queue stat a.test | cut -f 1,2,3,5)" \
    "a.test${tab}2${tab}$((${a##*=} + ${a2##*=}))${tab}down" "stat"
is "$(queue -j stat | json '[x["domain"] for x in d], list(d[0])')" \
    "(['a.test', 'b.test'], ['domain', 'messages', 'bytes', 'oldest', 'state', 'since', 'error', 'expires', 'withheld', 'last_try', 'next_try', 'server', 'server_good', 'server_tls', 'offers', 'detour', 'order'])" \
    "JSON of stat"
mkdomain empty.test
is "$(queue -j stat | json 'list(d[-1].values())')" \
    "['empty.test', 0, 0, None, 'unknown', None, None, None, 0$(printf ', None%.0s' 1 2 3 4 5 6 7 8)]" \
    "a domain without mail"
exits 64 "stat of no domain" queue stat a/b

# What is known of servers.
mkdir -p "$SPOOL/state/empty.test"
servers()
{
	cat >"$SPOOL/state/empty.test/state"
	queue "$@"
}
state="since 1764000000 x
last-try 1764000600 x
next-try 4000000000 x
error 9 of 10 were refused
route mx1.empty.test [192.0.2.1]:25
good 1764000500 x
tls TLSv1.3 none
ehlo SIZE;DSN
detour null MX"
is "$(printf 'state down\n%s\n' "$state" |
    servers -j stat empty.test | json '[d[0][x] for x in d[0]][4:]')" \
    "['down', '2025-11-24T16:00:00Z', '9 of 10 were refused', None, 0, '2025-11-24T16:10:00Z', '2096-10-02T07:06:40Z', 'mx1.empty.test [192.0.2.1]:25', '2025-11-24T16:08:20Z', 'TLSv1.3 none', 'SIZE;DSN', 'null MX', None]" \
    "all that is known"
is "$(printf 'state stopped\n%s\n' "$state" |
    servers stat empty.test | cut -f 5,11,17)" "stopped$tab-$tab-" \
    "stopped: nothing is planned"
like "$(queue -n release empty.test)" 'would be released' "-n: no order"
not_ok "is given" test -e "$SPOOL/state/empty.test/order"
exits 0 "an order" queue release empty.test
is "$(queue stat empty.test | cut -f 5,11,17)" \
    "stopped${tab}2096-10-02T07:06:40Z${tab}release" "is to be followed"
queue retry empty.test
is "$(queue stat empty.test | cut -f 17)" retry "the last one counts"
queue hold empty.test
is "$(queue stat empty.test | cut -f 5)" held "stopped and on hold"
queue release empty.test
is "$(queue stat empty.test | cut -f 5,17)" "stopped${tab}retry" \
    "released: stopped as before"
rm "$SPOOL/state/empty.test/state"
exits 1 "release what is neither" queue release empty.test
rm -r "$SPOOL/state/empty.test"

is "$(queue -j show "$a" | json 'd[0]["servers"]["state"]')" "down" \
    "show tells of the servers, too"
like "$(queue show "$a")" "^servers${tab}down\$" "in lines as well"

# -n
find "$SPOOL" | sort >"$T/before"
for how in "rm $a" "retry $a" "hold $a" "hold b.test" "retry b.test"; do
	# shellcheck disable=SC2086
	like "$(queue -n $how)" 'would be' "-n $how"
done
printf 'x\n' | queue -n add -f a@b.test b@a.test >/dev/null
find "$SPOOL" | sort >"$T/after"
same "$T/before" "$T/after" "-n changes nothing"

# hold, release, retry
ok "hold" queue hold -m 'moving house' "$a"
is "$(queue list "$a" | cut -f 3)" held "it is held"
ok "in its folder" test -f "$SPOOL/mail/a.test/.Held/cur/$a:2,"
ok "hold again" queue hold "$a"
exits 64 "-u is for domains" queue hold -u 2h "$a2"
ok "release" queue release "$a"
is "$(queue list "$a" | cut -f 3)" tried "it is released"
ok "hold a domain" queue hold -u 2h -m 'moving house' a.test
is "$(queue list a.test | cut -f 3 | sort -u)" held "all are held"
is "$(queue stat a.test | cut -f 5)" held "so is the domain"
like "$(queue show "$a")" "why${tab}moving house" "why"
ok "release it" queue release a.test
exits 1 "once" queue release a.test
is "$(queue list "$a2" | cut -f 3)" new "none is"
printf f | dd of="$SPOOL/mail/a.test/cur/$a:2," bs=1 conv=notrunc 2>/dev/null \
    seek="$(grep -abo 'Mx-Recipient: p' "$SPOOL/mail/a.test/cur/$a:2," |
    head -n 1 | awk -F: '{ print $1 + 14 }')"
is "$(queue -j show "$a" | json 'd[0]["recipients"][0]["status"]')" failed \
    "one was refused"
ok "hold it" queue hold "$a"
ok "retry it" queue retry "$a"
is "$(queue -j show "$a" | json 'd[0]["recipients"][0]["status"]')" pending \
    "it is pending again"

# Somebody else's hand on it.
exec 9<"$SPOOL/mail/a.test/new/$a2"
flock -n 9
exits 75 "rm of a message in use" queue rm "$a2"
exits 75 "hold of a message in use" queue hold "$a2"
ok "show of a message in use" queue show "$a2"
ok "cat too" queue cat "$a2"
exec 9<&-

# check
ok "all are whole" queue check
is "$(queue check b.test)" "b.test${tab}1" "so many"
printf x >>"$SPOOL/mail/b.test/cur/$b:2,FS"
exits 1 "one is not" queue -q check
like "$(cat "$T/.out")" "$b: damaged: its size" "which, and why"
exits 1 "show says so too" queue show "$b"
exits 1 "rm does not take it away" queue rm "$b"
ok "it is kept" test -f "$SPOOL/mail/b.test/cur/$b:2,FS"

# rm
ok "rm" queue rm "$a"
is "$(find "$SPOOL" -name "${a%,*}*")" "" "nothing of it is left"
exits 1 "it is gone" queue rm "$a"
chmod 755 "$SPOOL"
chmod 777 "$SPOOL"
exits 78 "a spool that others may write to" queue list
chmod 700 "$SPOOL"
exits 1 "no room for the output" sh -c '"$0" -C "$1" list >/dev/full' \
    "$BIN/mx-queue" "$CONF"
done_testing
