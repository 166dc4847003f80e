# SPDX-License-Identifier: ISC
#
# A real Postfix as the primary, which comes back from an outage without what
# it needs, each time in another way; then it is repaired.

. "$(dirname "$0")/../tap.sh"

[ "$(id -u)" -eq 0 ] || skip_all "takes root, for Postfix' several users"
need unshare ip

if [ -z "${HALF_REPAIRED:-}" ]; then
	need_pkg POSTFIX postfix
	OUTSIDE=$T
	export POSTFIX OUTSIDE HALF_REPAIRED=inside
	mkdir "$T/world"
	unshare -nmupf --mount-proc --kill-child sh -c \
	    '. "$TOP/tests/postfix.sh" &&
	    postfix_world "$POSTFIX" "$OUTSIDE/world"' 2>/dev/null ||
	    skip_all "no namespaces, or no overlay file systems, here"
	unshare -nmupf --mount-proc --kill-child sh "$0"
	exit $?
fi
. "$TOP/tests/postfix.sh"

stage()
{
	hostname backup.test && ip link set lo up &&
	    ip address add 127.0.0.2/32 dev lo || return 1
	chmod 755 "$T" "$OUTSIDE"
	POSTFIX_SPOOL=$T
	postfix_world "$POSTFIX" "$OUTSIDE/world" || return 1
	rm -f /etc/resolv.conf /etc/nsswitch.conf
	echo '127.0.0.1 localhost backup.test primary.test' >/etc/hosts
	echo 'hosts: files' >/etc/nsswitch.conf
	# As it should be: it has u1, u2, ... and throws their mail away.
	printf '/^u[0-9]+@a\\.test$/ OK\n' >"$T/users"
	postfix_new primary 127.0.0.2 \
	    "relay_domains = a.test" "relay_transport = discard" \
	    "relay_recipient_maps = regexp:$T/users" \
	    "smtpd_delay_reject = no" "mynetworks =" \
	    "smtpd_relay_restrictions = reject_unauth_destination" \
	    "max_use = 1" "smtpd_error_sleep_time = 0" "smtpd_hard_error_limit = 1000"
	cp /etc/primary/main.cf "$T/sound.cf"
	postfix_begin primary && wait_port 127.0.0.2 25
}
stage || { fail "set up"; done_testing; }

mkconf "timeout 10s" "timeout connect 1s" "resolver 127.0.0.1@9" "port 25"

flush()
{
	"$BIN/mx-flush" -C "$CONF" -v a.test >"$T/log" 2>&1
	status=$?
}

sent()
{
	grep -c 'status=sent' "$(postfix_log primary)"
}

# The primary with these lines more, which each new process of it reads; all
# of them are, after each connection.
configure()
{
	{
		cat "$T/sound.cf"
		printf '%s\n' "$@"
	} >/etc/primary/main.cf
}

# Messages that wait, reports, and what the primary took since the outage.
left()
{
	echo "$(find "$SPOOL/mail/a.test/new" "$SPOOL/mail/a.test/cur" \
	    -type f | wc -l) $(find "$SPOOL/mail" -path '*/elsewhere.test/*' \
	    -type f | wc -l) $(($(sent) - before))"
}

state()
{
	sed -n "s/^${1:-state} //p" "$SPOOL/state/a.test/state"
}

# It is away, mail comes, and it is back, with these lines: NAME [LINE...]
outage()
{
	name=$1
	shift
	rm -rf "$SPOOL/state/a.test" "$SPOOL/mail"
	mkdomain a.test "route 127.0.0.2:26"
	for n in 1 2 3 4 5 6 7 8 9 10 11 12; do
		printf 'Subject: %d\n\ntext\n' "$n" | "$BIN/mx-queue" \
		    -C "$CONF" add -f s@elsewhere.test "u$n@a.test" >"$T/ids"
	done
	flush
	is "$status $(state)" "75 down" "$name: an outage"
	mkdomain a.test "route 127.0.0.2:25"
	configure "$@"
	before=$(sent)
}

# The operator looks, and repairs it.
repair()
{
	is "$status $(state) $(left)" "75 stopped 12 0 0" \
	    "$name: it stops, nothing has failed"
	like "$(state error)" "$1" "$name: why"
	configure
}

all_gone()
{
	until_ok 5 eval '[ "$(left)" = "0 0 12" ]'
	is "$(state) $(left)" "up 0 0 12" "$name: repaired, all has gone"
}

outage "without its domain" "relay_domains ="
flush
repair '554 5\.7\.1 .*Relay access denied'
"$BIN/mx-queue" -C "$CONF" retry a.test >"$T/out"
flush
all_gone

: >"$T/nobody"
outage "without its users" "relay_recipient_maps = regexp:$T/nobody"
flush
repair '550 5\.1\.1 .*User unknown'
"$BIN/mx-queue" -C "$CONF" retry a.test >"$T/out"
flush
all_gone

outage "refusing at MAIL" "smtpd_sender_restrictions = reject"
flush
repair 'MAIL was refused, and nobody accepted: 554 5\.7\.1'
"$BIN/mx-queue" -C "$CONF" retry a.test >"$T/out"
flush
all_gone

# It is let in without a word of the operator.
outage "refusing at the greeting" "smtpd_client_restrictions = reject"
flush
repair 'the greeting: 554 5\.7\.1 '
flush
all_gone

# And one that is sound, but for a user who is really unknown.
outage "sound"
printf 'Subject: ghost\n\ntext\n' | "$BIN/mx-queue" -C "$CONF" \
    add -f s@elsewhere.test ghost@a.test >"$T/ids"
flush
until_ok 5 eval '[ "$(left)" = "0 1 12" ]'
is "$status $(state) $(left)" "0 up 0 1 12" \
    "a real unknown among them: all go, and one report comes"
postfix_end primary

done_testing
