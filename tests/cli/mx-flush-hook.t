# SPDX-License-Identifier: ISC
#
# The operator's program, run for what happens to a domain.

. "$(dirname "$0")/../tap.sh"

need python3
mkdir "$T/primary"
cat >"$T/table" <<'END'
good
down GREET=554 5.3.2 never
END
python3 "$TOP/tests/peers/badmx.py" "$T/table" "$T/primary" 2>"$T/peer" &
cleanup_pid $!
until_ok 10 test -e "$T/primary/ready" || diag_file "$T/peer"

# A configuration with the hook whose text is on standard input.
fresh()
{
	rm -rf "$T/etc" "$T/spool" "$T/run" "$T/env"
	cat >"$T/hook"
	chmod 755 "$T/hook"
	mkconf "timeout 2s" "timeout connect 1s" "timeout dns 1s" \
	    "timeout hook 1s" "resolver 127.0.0.1@9" "hook $T/hook"
}

primary()
{
	mkdomain "$2" "route 127.0.0.1:$(cat "$T/primary/$1.port")"
}

add()
{
	printf 'Subject: x\r\n\r\ntext\r\n' |
	    "$BIN/mx-queue" -C "$CONF" add -f "sender@elsewhere.test" "$1"
}

flush()
{
	"$BIN/mx-flush" -v -C "$CONF" a.test >"$T/log" 2>&1
}

fresh <<END
#!/bin/sh
env >"$T/env"
echo "\$MX_EVENT" >>"$T/run"
ls -l /proc/self/fd >"$T/fds"
cat >"$T/input"
ps -o pid=,pgid= -p \$\$ >"$T/group"
pwd >"$T/pwd"
END
primary down a.test
add one@a.test >"$T/out"
add two@a.test >"$T/out"
flush
is "$(cat "$T/run")" down "it runs when an outage begins"
flush
is "$(cat "$T/run")" down "and not again"
is "$(sed 's/=.*//' "$T/env" | grep -v '^\(_\|PWD\|SHLVL\|OLDPWD\)$' | sort |
    tr '\n' ' ')" "MX_DELIVERED MX_DOMAIN MX_DURATION MX_EVENT MX_HOST \
MX_HOSTNAME MX_NOTIFY MX_OLDEST MX_REASON MX_SINCE MX_STATE MX_WAITING PATH " \
    "it has these variables and no others"
# shellcheck disable=SC2013
for word in DOMAIN=a.test STATE=down WAITING=2 DELIVERED=0 NOTIFY= \
    HOSTNAME=mx2.backup.test; do
	ok "MX_$word" grep -qx "MX_$word" "$T/env"
done
like "$(grep MX_REASON "$T/env")" '=.*554 5\.3\.2 never' "the reason"
like "$(grep MX_SINCE "$T/env")" '=20..-..-..T..:..:..Z$' "since when"
like "$(grep MX_OLDEST "$T/env")" '=20..-..-..T..:..:..Z$' "the oldest mail"
is "$(wc -c <"$T/input")" 0 "nothing to read"
is "$(grep -c -- '->' "$T/fds")" 4 "nothing open but 0, 1, 2 (and ls's own)"
is "$(awk '{ print $1 == $2 }' "$T/group")" 1 "a process group of its own"
is "$(cat "$T/pwd")" / "in the root directory"

primary good a.test
flush
is "$(tr '\n' ' ' <"$T/run")" "down up " "it runs when the outage ends"
ok "with what was delivered" grep -qx MX_DELIVERED=2 "$T/env"
ok "with what waits" grep -qx MX_WAITING=0 "$T/env"
like "$(grep MX_HOST= "$T/env")" '\[127\.0\.0\.1\]' "with the server"

### Hooks that misbehave

fresh <<END
#!/bin/sh
echo "pager: no such
line" >&2
exit 3
END
primary down a.test
add one@a.test >"$T/out"
flush
like "$(cat "$T/log")" \
    'hook failed domain=a\.test event=down .*"exit status 3: pager: no such"' \
    "its status and first line are logged"
flush
unlike "$(cat "$T/log")" 'hook failed' "once"

fresh <<END
#!/bin/sh
echo \$\$ >"$T/pid"
sleep 60 &
echo \$! >>"$T/pid"
wait
END
primary down a.test
add one@a.test >"$T/out"
begin=$(date +%s)
flush
ok "one that hangs is waited for no longer than its time" \
    test $(($(date +%s) - begin)) -le 3
like "$(cat "$T/log")" 'hook failed .*"killed after 1 seconds' "logged"
for pid in $(cat "$T/pid"); do
	ok "process $(grep -n "^$pid$" "$T/pid" | cut -d : -f 1) of it is gone" \
	    until_ok 2 tap_gone "$pid"
done
primary good a.test
flush
like "$(cat "$T/log")" 'delivered' "and mail went out"

fresh <<END
#!/bin/sh
echo \$\$ >"$T/pid"
exec sleep 60
END
sed -i 's/^timeout hook.*/timeout hook 30s/' "$CONF/mxkeep.conf"
primary down a.test
add one@a.test >"$T/out"
"$BIN/mx-flush" -C "$CONF" a.test >"$T/log" 2>&1 &
flusher=$!
cleanup_pid $flusher
until_ok 5 test -s "$T/pid"
stop $flusher
ok "it ends with mx-flush" until_ok 3 tap_gone "$(cat "$T/pid")"
unlike "$(cat "$SPOOL/state/a.test/told")" '^down [0-9]* [1-9]' \
    "and runs again, for it may not have told"

fresh <<END
#!/bin/sh
sleep 2 &
echo fast
END
primary down a.test
add one@a.test >"$T/out"
begin=$(date +%s)
flush
like "$(cat "$T/log")" 'hook domain=a\.test event=down' \
    "what it leaves in the background is not waited for"

fresh <<END
#!/bin/sh
yes
END
primary down a.test
add one@a.test >"$T/out"
flush
like "$(cat "$T/log")" 'hook failed .*killed after' "endless words end, too"

# A turn to deliver, of which there is one here, is not held meanwhile.
fresh <<END
#!/bin/sh
[ "\$MX_EVENT" = down ] || sleep 4
echo "\$MX_EVENT" >>"$T/run"
END
sed -i 's/^timeout hook.*/timeout hook 30s/' "$CONF/mxkeep.conf"
primary down a.test
add one@a.test >"$T/out"
flush
primary good a.test
primary good b.test
add two@b.test >"$T/out"
"$BIN/mx-flush" -v -j 1 -C "$CONF" >"$T/log" 2>&1 &
flusher=$!
cleanup_pid $flusher
until_ok 3 grep -q 'delivered .*domain=a.test' "$T/log"
until_ok 3 grep -q 'delivered .*domain=b.test' "$T/log"
is "$(cat "$T/run")" down "another domain's mail goes while a hook runs"
wait $flusher
is "$(tr '\n' ' ' <"$T/run")" "down up " "which is seen to its end"

rm "$T/hook"
primary down a.test
add one@a.test >"$T/out"
rm -f "$SPOOL/state/a.test/told"
flush
like "$(cat "$T/log")" 'hook failed .*exit status 127: .*No such file' \
    "one that is not there"

done_testing
