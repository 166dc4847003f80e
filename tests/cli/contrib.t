# SPDX-License-Identifier: ISC
#
# The snippets of contrib start what they should: each is run as it is but for
# paths, port and user.

. "$(dirname "$0")/../tap.sh"

[ -z "$ASAN" ] || skip_all "the snippets are the same"
mkconf
mkdomain example.test

# adapted FILE: as it is, for this machine, $port and $CONF
adapted()
{
	sed -e "s|/usr/local/sbin/\(mx-[a-z]*\)|$BIN/\1 -C $CONF|" \
	    -e '/^    -u "$(id -u mxkeep)"/d' -e 's/ -u mxkeep//' \
	    -e 's/s6-setuidgid mxkeep//' -e 's/ -o mxkeep -g mxkeep//' \
	    -e "s|/var/log/|$T/log/|" -e "s/^    0 25 /    127.0.0.1 $port /" \
	    "$TOP/contrib/$1"
}

greets()
{
	python3 -c 'import smtplib, sys
s = smtplib.SMTP("127.0.0.1", int(sys.argv[1]), timeout=5)
s.ehlo("client.test")
s.mail("a@client.test")
code, text = s.rcpt("b@example.test")
s.quit()
sys.exit(code != 250)' "$1"
}

for server in tcpserver tcpsvd; do
	if ! command -v $server >/dev/null; then
		skip "$server.run serves" "no $server here"
		continue
	fi
	port=$(free_port)
	adapted $server.run >"$T/run"
	sh "$T/run" >"$T/$server.log" 2>&1 </dev/null &
	cleanup_pid $!
	wait_port 127.0.0.1 $port
	ok "$server.run serves" greets $port
done

if command -v s6-svscan >/dev/null && command -v tcpserver >/dev/null; then
	port=$(free_port)
	mkdir "$T/log"
	for f in mx-receive/run mx-receive/log/run mx-flush/run \
	    mx-flush/log/run; do
		mkdir -p "$T/scan/${f%/*}"
		adapted "s6/$f" >"$T/scan/$f"
		chmod 755 "$T/scan/$f"
	done
	s6-svscan "$T/scan" >"$T/svscan.log" 2>&1 </dev/null &
	scan=$!
	cleanup_pid $scan
	wait_port 127.0.0.1 $port
	ok "the s6 service mx-receive serves" greets $port
	ok "and logs" until_ok 5 test -f "$T/log/mx-receive/current"
	ok "the s6 service mx-flush is up" until_ok 5 test -p "$SPOOL/trigger"
	s6-svscanctl -t "$T/scan"
	wait $scan
	not_ok "both end" tap_listens tcp $port
else
	skip "the s6 services" "no s6, or no tcpserver, here"
fi

is "$(awk '!/^#/ { print NF, $1, $2, $3, $4, $5, $6, $7 }' \
    "$TOP/contrib/inetd.conf")" \
    "$(for p in tcp tcp6; do
	echo 7 smtp stream $p wait mxkeep /usr/local/sbin/mx-receive mx-receive
    done)" \
    "inetd.conf has the fields of inetd"

# Five fields of time, the user, and a command that takes these options.
grep -v '^#' "$TOP/contrib/crontab" >"$T/crontab"
while read -r _ _ _ _ _ user command; do
	name=${command#/usr/local/sbin/}
	is "$user" mxkeep "crontab: user of ${name%% *}"
	# shellcheck disable=SC2086
	set -- $name
	prog=$1
	shift
	[ "$prog" = mx-check ] && set -- "$@" -D -r 127.0.0.1@1
	"$BIN/$prog" -C "$CONF" "$@" >"$T/.out" 2>&1
	unlike "$?" '^64$' "crontab: $prog takes these options"
done <"$T/crontab"

if command -v systemd-analyze >/dev/null; then
	mkdir "$T/units"
	for u in "$TOP"/contrib/systemd/*; do
		sed "s|/usr/local/sbin/|$BIN/|" "$u" >"$T/units/${u##*/}"
	done
	for u in mx-receive.socket mx-receive.service mx-flush.timer mx-flush.service \
	    mx-expire.timer mx-expire.service; do
		systemd-analyze verify "$T/units/$u" >"$T/.out" 2>&1
		is "$(grep "$T/units" "$T/.out")" "" \
		    "systemd has nothing against $u"
	done
else
	skip "systemd units" "no systemd-analyze here"
fi
done_testing
