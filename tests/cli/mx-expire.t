# SPDX-License-Identifier: ISC
# What ends, when, and what a wrong clock must never end.
. "$(dirname "$0")/../tap.sh"

need python3

mkconf
mkdomain a.test "expire 10d"
mkdomain short.test "expire 1h" "bounce no"
mkdomain keep.test "expire 1d" "keep 2d"
mkdomain default.test
day=86400

# A message that arrived so many seconds ago: DOMAIN AGE [SENDER]
add()
{
	id=$(printf 'Subject: x\n\nhi\n' | "$BIN/mx-queue" -C "$CONF" add \
	    -f "${3:-ann@sender.test}" "bob@$1") || return 1
	old=$(($(date +%s) - $2)).${id#*.}
	mv "$SPOOL/mail/$1/new/$id" "$SPOOL/mail/$1/new/$old" || return 1
	id=$old
}
expire()
{
	"$BIN/mx-expire" -C "$CONF" "$@"
}
# How many files below SPOOL/mail: DOMAIN...
n()
{
	for domain; do
		find "$SPOOL/mail/$domain" -type f 2>/dev/null
	done | wc -l | tr -d ' '
}
reports()
{
	find "$SPOOL/mail" -path '*/sender*/*' -type f | wc -l | tr -d ' '
}

exits 64 "an unknown option" expire -x
exits 64 "what is no domain" expire 'a/b'
exits 78 "no configuration" "$BIN/mx-expire" -C "$T/none"

# By the id's time and the domain's expire.
add a.test $((9 * day))
add a.test $((10 * day + 60))
add default.test $((29 * day))
add default.test $((30 * day + 60))
add short.test 3000
add short.test 3700
ok "a dry run" expire -n
is "$(n a.test default.test short.test)" 6 "-n removes nothing"
is "$(reports)" 0 "-n reports nothing"
is "$(expire -n | wc -l | tr -d ' ')" 3 "-n tells of three"
is "$(expire -n -q)" "" "-q says nothing of them"
is "$(expire a.test)" "" "a run is silent"
is "$(n a.test).$(n default.test).$(n short.test)" 1.2.2 \
    "with an argument only that domain"
is "$(reports)" 1 "its sender is told"
is "$(expire -v 2>/dev/null | wc -l | tr -d ' ')" 2 "-v tells of two"
is "$(n a.test).$(n default.test).$(n short.test)" 1.1.1 "what is young stays"
is "$(reports)" 2 "bounce no: nobody is told"
rm -rf "$SPOOL/mail"/*

# Sorted by time, not by name or folder; cur/ counts too.
add a.test $((11 * day))
mv "$SPOOL/mail/a.test/new/$id" "$SPOOL/mail/a.test/cur/$id:2,FS"
add a.test 60
ok "run" expire
is "$(n a.test)" 1 "one in cur/ that a reader flagged has expired"

# Held time does not count.
add a.test $((11 * day))
ok "held" "$BIN/mx-queue" -C "$CONF" hold "$id"
ok "run" expire
is "$(n a.test)" 2 "what is on hold does not expire"
# as if it were held for two days
now=$(date +%s)
echo "$((now - 2 * day)) hold $id" >"$SPOOL/state/a.test/holds"
ok "released" "$BIN/mx-queue" -C "$CONF" release "$id"
ok "run" expire
is "$(n a.test)" 2 "two days of hold are two days more"
echo "$((now - 2 * day)) hold $id
$((now - 2 * day + 3600)) release $id" >"$SPOOL/state/a.test/holds"
ok "run" expire
is "$(n a.test)" 1 "an hour of hold is not enough"
add a.test $((11 * day))
echo "$((now - 2 * day)) hold *" >"$SPOOL/state/a.test/holds"
ok "run" expire
is "$(n a.test)" 2 "the domain's hold counts for each of its messages"
rm -rf "$SPOOL/mail"/* "$SPOOL/state"/*

# The clock.
last=$SPOOL/state/.last-expire
ok "the first run" expire
ok "it leaves its time" test -s "$last"
add a.test $((11 * day))
# ahead: as if the last run were 8 days ago
echo $(($(date +%s) - 8 * day)) >"$last"
exits 75 "a clock that jumped ahead" expire -n
exits 75 "a dry run changes nothing of that" expire
like "$(cat "$T/.out")" 'nothing expires in this run' "says so"
is "$(n a.test)" 1 "nothing expires"
ok "the next run" expire
is "$(n a.test)" 0 "goes on"
add a.test $((11 * day))
echo $(($(date +%s) + 7200)) >"$last"
exits 75 "a clock that jumped back" expire
is "$(n a.test)" 1 "nothing expires"
echo $(($(date +%s) + 7200)) >"$last"
ok "-f insists" expire -f
is "$(n a.test)" 0 "so it expires"
echo $(($(date +%s) - 6 * day)) >"$last"
add a.test $((11 * day))
ok "six days without a run are nothing" expire
is "$(n a.test)" 0 "it expires"
echo garbage >"$last"
ok "a file that makes no sense" expire
if command -v faketime >/dev/null && [ -z "$ASAN" ]; then
	add a.test 60
	exits 75 "a clock 20 years ahead" faketime -f +20y "$BIN/mx-expire" \
	    -C "$CONF"
	is "$(n a.test)" 1 "nothing expires"
	exits 75 "and back again" expire
	ok "then all is well" expire
	is "$(n a.test)" 1 "nothing has expired"
else
	skip "a clock 20 years ahead" "no faketime here, or a build it cannot be loaded into"
fi
rm -rf "$SPOOL/mail"/*

# Null sender, copies.
add a.test $((11 * day)) '<>'
before=$(reports)
ok "run" expire
is "$(find "$SPOOL/mail/a.test" -type f | sed "s,.*a.test/,,")" \
    ".Expired/cur/$id:2," "the null sender's mail goes, but for a copy"
is "$(reports)" "$before" "without a word"
if command -v faketime >/dev/null && [ -z "$ASAN" ]; then
	ok "in 6 days" env NO_FAKE_STAT=1 faketime -f +6d "$BIN/mx-expire" -f -C "$CONF" a.test
	is "$(n a.test)" 1 "the copy is still there"
	ok "in 8 days" env NO_FAKE_STAT=1 faketime -f +8d "$BIN/mx-expire" -f -C "$CONF" a.test
	is "$(n a.test)" 0 "the copy is gone"
	date +%s >"$last"
else
	skip "copies for a week" "no faketime here, or a build it cannot be loaded into"
	rm -rf "$SPOOL/mail/a.test"
fi
add keep.test $((2 * day))
ok "run" expire
is "$(find "$SPOOL/mail/keep.test" -type f | sed "s,.*keep.test/,,")" \
    ".Expired/cur/$id:2," "a copy is kept"
ok "run" expire
is "$(n keep.test)" 1 "it stays"
mkdomain keep.test "expire 1d" "keep 1s"
sleep 2.1
is "$(expire -v 2>/dev/null)" "$id: a copy kept long enough" "for its time"
is "$(n keep.test)" 0 "and is removed"

# Mail of a domain that is no longer configured is no report to anybody.
mkdomain gone.test
add gone.test $((6 * day))
rm "$CONF/domains/gone.test"
ok "run" expire
is "$(n gone.test)" 1 "mail of a domain that was taken out keeps its 30 days"
mkdir -p "$SPOOL/mail/stranger.test/new"
python3 - "$SPOOL" <<'END'
import sys, time
text = ("Mx-Arrived: 5 x\r\nMx-Domain: stranger.test\r\n"
    "Mx-Protocol: report\r\nMx-Sender: <>\r\n"
    "Mx-Recipient: p <x@stranger.test>\r\nMx-End: 1\r\n")
data = "Mx-Envelope: 1 %08d -\r\n%s\r\nx\r\n" % (27 + len(text), text)
for age in 4, 6:
    name = "%d.M1P1Q%d.h,S=%d" % (time.time() - age * 86400, age, len(data))
    open("%s/mail/stranger.test/new/%s" % (sys.argv[1], name), "w").write(data)
END
ok "run" expire
is "$(n stranger.test)" 1 "a report lives five days"

# What cannot be told or read stays.
add a.test $((11 * day))
printf x >>"$SPOOL/mail/a.test/new/$id"
exits 1 "a damaged file" expire
like "$(cat "$T/.out")" 'damaged, kept: its size' "is named"
ok "and kept" test -e "$SPOOL/mail/a.test/new/$id"
rm "$SPOOL/mail/a.test/new/$id"
add a.test $((11 * day)) ann@sender2.test
: >"$SPOOL/mail/sender2.test"
exits 75 "no report can be made" expire
ok "so the message stays" test -e "$SPOOL/mail/a.test/new/$id"
rm "$SPOOL/mail/sender2.test"
ok "the next run" expire
is "$(n sender2.test)" 1 "makes it"
echo "nonsense 1" >"$CONF/domains/a.test"
add default.test $((31 * day))
exits 78 "a broken file of a domain" expire
like "$(cat "$T/.out")" 'a.test:1: unknown key' "is named"
is "$(n default.test)" 0 "the others go on"
mkdomain a.test "expire 10d"

# A domain whose holds cannot be read: its mail does not expire.
add a.test $((31 * day))
add default.test $((31 * day))
rm -f "$SPOOL/state/a.test/holds"
mkdir -p "$SPOOL/state/a.test/holds"
exits 1 "holds that cannot be read" expire
like "$(cat "$T/.out")" 'a.test: left as it is' "are named"
is "$(n a.test).$(n default.test)" 1.0 "the others go on"
rmdir "$SPOOL/state/a.test/holds"
ok "then it can be" expire
is "$(n a.test)" 0 "and it goes"

# The sweep.
touch "$SPOOL/tmp/1764000000.M1P1Q1.h" "$SPOOL/tmp/1764000000.M1P1Q2.h"
touch -d '2 days ago' "$SPOOL/tmp/1764000000.M1P1Q1.h"
mkdir -p "$SPOOL/mail/a.test/new" "$SPOOL/state/a.test/replies"
touch -d '2 days ago' "$SPOOL/state/a.test/replies/1.M1P1Q1.h"
ok "dry" expire -n
is "$(ls "$SPOOL/tmp" | wc -l | tr -d ' ')" 2 "-n sweeps nothing"
ok "not with a domain" expire a.test
is "$(ls "$SPOOL/tmp" | wc -l | tr -d ' ')" 2 "nothing is swept"
is "$(expire -v 2>/dev/null | sort)" \
"1.M1P1Q1.h: replies of a message that is gone
1764000000.M1P1Q1.h: a stale temporary" "what is stale is swept"
is "$(ls "$SPOOL/tmp")" 1764000000.M1P1Q2.h "the young one stays"
is "$(ls "$SPOOL/state/a.test/replies")" "" "replies of what is gone do not"

# Directories of a domain that is none of ours: NAME
stranger()
{
	mkdir -p "$SPOOL/state/$1/replies" "$SPOOL/locks"
	mkdir -p "$SPOOL/mail/$1/new" "$SPOOL/mail/$1/cur" "$SPOOL/mail/$1/tmp"
	mkdir -p "$SPOOL/mail/$1/.Held/new" "$SPOOL/mail/$1/.Held/cur"
	: >"$SPOOL/locks/$1"
	: >"$SPOOL/state/$1/state"
	: >"$SPOOL/state/$1/outages"
	find "$SPOOL/mail/$1" "$SPOOL/state/$1" -exec touch -d '8 days ago' {} +
}
not_free()
{
	! flock -n "$1" true
}
left()
{
	(cd "$SPOOL" && ls -d mail/"$1" state/"$1" locks/"$1" 2>/dev/null |
	    tr '\n' ' ')
}
for d in empty.test young.test asleep.test reader.test at-it.test; do
	stranger $d
done
stranger default.test
touch "$SPOOL/mail/young.test/cur"
touch "$SPOOL/state/asleep.test"
: >"$SPOOL/mail/reader.test/dovecot-uidlist"
touch -d '8 days ago' "$SPOOL/mail/reader.test"
flock "$SPOOL/locks/at-it.test" sleep 60 &
cleanup_pid $!
until_ok 5 not_free "$SPOOL/locks/at-it.test"
like "$(expire -n 2>/dev/null)" \
    '^empty.test: would remove: a domain of which nothing is left' "-n says so"
is "$(left empty.test)" "locks/empty.test mail/empty.test state/empty.test " \
    "and removes nothing"
ok "run" expire
is "$(left empty.test)" "" "a stranger's domain that is empty goes"
for d in young.test asleep.test at-it.test; do
	is "$(left $d)" "locks/$d mail/$d state/$d " "$d stays"
done
is "$(left default.test)" \
    "locks/default.test mail/default.test state/default.test " "ours stays"
is "$(left reader.test)$(ls "$SPOOL/mail/reader.test")" \
    "mail/reader.test dovecot-uidlist" "a mail reader's file keeps its place"
done_testing
