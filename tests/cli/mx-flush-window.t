# SPDX-License-Identifier: ISC
#
# Several messages in flight on a connection, and several connections: servers
# that refuse, close, lose count or allow only one connection in the middle.

. "$(dirname "$0")/../tap.sh"

need python3

repeat()
{
	i=0
	while [ $i -lt "$2" ]; do
		printf '%s;' "$1"
		i=$((i + 1))
	done
}

mkdir "$T/primary"
cat >"$T/table" <<END
good offers:CHUNKING
rcpt offers:CHUNKING;$(repeat RCPT=ok 10)RCPT=550 5.1.1 no such user;RCPT=ok
bdat offers:CHUNKING;$(repeat BDAT=ok 10)BDAT=552 5.3.4 too big;BDAT=ok
mail offers:CHUNKING;$(repeat MAIL=ok 10)MAIL=451 4.3.0 later;MAIL=ok
closes offers:CHUNKING;$(repeat BDAT=ok 10)BDAT=!;BDAT=ok
leaves offers:CHUNKING;$(repeat RCPT=ok 10)RCPT=421 4.3.2 closing;RCPT=ok
counts offers:CHUNKING;BDAT=twice:250 2.0.0 taken
never offers:CHUNKING;BDAT=502 5.5.1 what
limits offers:CHUNKING;offers:LIMITS RCPTMAX=2 MAILMAX=5
slow offers:CHUNKING;BDAT=late:250 2.0.0 taken
single offers:CHUNKING;BDAT=late:250 2.0.0 taken;GREET=220 primary.test;GREET=421 4.7.0 one is enough
jealous offers:CHUNKING;BDAT=late:250 2.0.0 taken;GREET=ok;GREET=!;GREET=ok;$(repeat MAIL=ok 40)MAIL=421 4.7.0 enough;MAIL=ok
early TEXT=early:250 2.0.0 taken
earlier offers:CHUNKING;TEXT=early:250 2.0.0 taken
data RCPT=ok
END
python3 "$TOP/tests/peers/badmx.py" "$T/table" "$T/primary" 2>"$T/peer" &
cleanup_pid $!
until_ok 10 test -e "$T/primary/ready" || diag_file "$T/peer"
mkconf 'timeout 5s' 'breaker off'

# A domain for a primary: NAME [LINE...]
domain()
{
	name=$1
	shift
	mkdomain "$name.test" "route 127.0.0.1:$(cat "$T/primary/$name.port")" \
	    "$@"
}

# COUNT messages for NAME, copies of one under ids of their own.
add()
{
	id=$(printf 'Subject: %s\r\n\r\n%s\r\n' "$1" "$(seq 100)" |
	    "$BIN/mx-queue" -C "$CONF" add -f s@elsewhere.test "a@$1.test")
	dir=$SPOOL/mail/$1.test/new
	n=1
	while [ $n -lt "$2" ]; do
		cp -p "$dir/$id" "$dir/$((1000000 + n)).M1P1Q$n.${id#*Q*.}"
		n=$((n + 1))
	done
}

left()
{
	find "$SPOOL/mail/$1.test/new" "$SPOOL/mail/$1.test/cur" -type f |
	    grep -c .
}

flush()
{
	"$BIN/mx-flush" -v -C "$CONF" "$1.test" 2>"$T/log.$1"
}

said()
{
	grep -c -e "$2" "$T/log.$1"
}

connections()
{
	grep -c '^connection' "$T/primary/$1.log"
}

# How many texts the primary has got.
got()
{
	find "$T/primary" -name "$1.[0-9]*" | grep -c .
}

for name in good data rcpt bdat mail closes leaves counts never; do
	domain $name 'sessions 1'
	add $name 30
	flush $name
done

is "$(left good) $(got good) $(connections good)" "0 30 1" "all goes well"
is "$(grep -c '^> RSET' "$T/primary/good.log")" 28 \
    "RSET between those that follow each other"
id=$("$BIN/mx-queue" -C "$CONF" add -f s@elsewhere.test a@good.test <"$T/table")
"$BIN/mx-queue" -C "$CONF" cat -w "$id" >"$T/wire"
flush good
same "$T/wire" "$T/primary/good.31" "the text is as it was"
is "$(left data) $(got data) $(connections data)" "0 30 1" \
    "the same without CHUNKING"
is "$(left rcpt) $(said rcpt ' delivered ') $(said rcpt ' refused ')" \
    "0 29 1" "one recipient refused: that one"
is "$(left bdat) $(said bdat ' delivered ') $(said bdat ' refused ')" \
    "0 29 1" "one text refused: that one"
is "$(left mail) $(said mail ' delivered ') $(said mail ' deferred ')" \
    "1 29 1" "one MAIL put off: that one waits"
is "$(connections mail)" 1 "all of it over one connection"
is "$(left closes) $(said closes ' delivered ')" "1 29" \
    "closed in mid-window: the one it closed at waits, the others go again"
# How many there are depends on who is faster: the one that it closed at, and
# no more than fit into the window.
among()
{
	[ "$1" -ge "$2" ] && [ "$1" -le "$3" ]
}
ok "all that were in flight are named" \
    among "$(said closes 'possible duplicate')" 1 8
is "$(connections closes)" 2 "over a second connection"
is "$(left leaves) $(said leaves ' delivered ')" "1 29" \
    "421 in mid-window: the same"
ok "which are named: the server went on and may have taken them" \
    among "$(said leaves 'possible duplicate')" 1 7
is "$(left counts) $(said counts 'in turn domain')" "0 1" \
    "a server that loses count is talked to in turn"
is "$(got counts) $(said counts 'possible duplicate')" "31 1" \
    "and gets the one at which it was noticed again"
is "$(grep -c '^> RSET' "$T/primary/counts.log")" 0 "without a window"
is "$(left never) $(said never ' delivered ')" "0 30" \
    "CHUNKING offered and not known: DATA, for the first one, too"
is "$(grep -c '^> BDAT' "$T/primary/never.log")" 1 "which is tried once"

# Far away, and it closes while we talk: what it has said is still heard.
python3 "$TOP/tests/peers/farmx.py" "$T/far.port" "$T/far.log" 15 2>"$T/peer" &
cleanup_pid $!
until_ok 10 test -s "$T/far.port" || diag_file "$T/peer"
mkdomain far.test "route 127.0.0.1:$(cat "$T/far.port")" 'sessions 1'
add far 60
flush far
is "$(grep -c '^connection' "$T/far.log") $(grep -c '^far' "$T/far.log")" \
    "4 60" "421 and a reset after some messages: each goes once"
is "$(left far) $(said far ' deferred ') $(said far 'possible duplicate')" \
    "0 0 0" "at once, and without alarm"

domain limits 'sessions 1'
printf 'Subject: x\r\n\r\ny\r\n' | "$BIN/mx-queue" -C "$CONF" add \
    -f s@elsewhere.test a@limits.test b@limits.test c@limits.test \
    d@limits.test e@limits.test >/dev/null
add limits 6
flush limits
is "$(left limits)" 0 "LIMITS: all is delivered"
is "$(grep '^> ' "$T/primary/limits.log" | tr -d '>' | awk '
    $1 == "MAIL" { n = 0 } $1 == "RCPT" && ++n > most { most = n }
    END { print most }')" 2 "no more recipients than RCPTMAX in a transaction"
is "$(awk '/^connection/ { n = 0 } /^> MAIL/ && ++n > most { most = n }
    END { print most }' "$T/primary/limits.log")" 5 \
    "no more messages than MAILMAX on a connection"

domain slow
add slow 150
flush slow
is "$(left slow) $(got slow)" "0 150" "several connections: each message once"
n=$(connections slow)
ok "no more than there may be ($n)" [ "$n" -gt 1 -a "$n" -le 4 ]

domain single
add single 60
flush single
is "$(left single) $(got single)" "0 60" "one connection allowed: all goes"
is "$("$BIN/mx-queue" -C "$CONF" stat single.test | cut -f 5)" up \
    "and the domain is up"

domain jealous
add jealous 120
flush jealous
is "$(left jealous) $(got jealous)" "0 120" \
    "a second connection dropped at once says nothing of the server"

# What has been answered before it was said is not answered.
for name in early earlier; do
	domain $name
	{
		printf 'Subject: big\r\n\r\n'
		yes 0123456789012345678901234567890123456789 |
		    head -c 8000000
	} | "$BIN/mx-queue" -C "$CONF" add -f s@elsewhere.test \
	    "a@$name.test" >"$T/ids"
	flush $name
	is "$(left $name) $(said $name ' delivered ')" "1 0" \
	    "$name: taken before it was sent is not taken"
done

# A connection's process dies: its messages wait, all others go.
add slow 200
"$BIN/mx-flush" -v -C "$CONF" slow.test 2>"$T/log.slow" &
flusher=$!
cleanup_pid $flusher
member()
{
	worker=$(pgrep -P $flusher | head -n 1) &&
	    pgrep -P "$worker" | head -n 1 >"$T/member" && [ -s "$T/member" ]
}
ok "a second process comes" until_ok 5 member
kill -9 "$(cat "$T/member")"
wait $flusher
is $? 75 "it is killed: something waits"
is "$(said slow 'possible duplicate domain=slow.test')" 1 \
    "and what it was sending may have arrived"
n=$(left slow)
ok "what it had in hand ($n)" [ "$n" -gt 0 -a "$n" -le 9 ]
flush slow
is "$(left slow)" 0 "which goes the next time"
done_testing
