# SPDX-License-Identifier: ISC
#
# A real Postfix learns from mx-flush who the client was that brought a
# message: by XCLIENT, by XFORWARD, and not at all where it does not trust us.

. "$(dirname "$0")/../tap.sh"

[ "$(id -u)" -eq 0 ] || skip_all "takes root, for the server's several users"
need unshare ip python3

if [ -z "${IDENTIFY:-}" ]; then
	need_pkg POSTFIX postfix
	OUTSIDE=$T
	export POSTFIX OUTSIDE IDENTIFY=inside
	mkdir "$T/world"
	unshare -nmupf --mount-proc --kill-child sh -c \
	    '. "$TOP/tests/postfix.sh" &&
	    postfix_world "$POSTFIX" "$OUTSIDE/world"' 2>/dev/null ||
	    skip_all "no namespaces, or no overlay file systems, here"
	unshare -nmupf --mount-proc --kill-child sh "$0"
	exit $?
fi
. "$TOP/tests/postfix.sh"

# NAME ADDR LINE...
primary()
{
	name=$1 addr=$2
	shift 2
	postfix_new "$name" "$addr" 'mynetworks =' \
	    "virtual_mailbox_domains = $name.test" \
	    "virtual_mailbox_base = $T/box/$name" \
	    'virtual_mailbox_maps = static:inbox/' \
	    'virtual_mailbox_limit = 0' 'virtual_minimum_uid = 1' \
	    "virtual_uid_maps = static:$(id -u postfix)" \
	    "virtual_gid_maps = static:$(id -g postfix)" "$@" &&
	    mkdir -p "$T/box/$name" && chown postfix "$T/box/$name" &&
	    { postfix_begin "$name" || { diag_file "$T/$name/out"; false; }; }
}

stage()
{
	hostname mx2.test && ip link set lo up &&
	    ip addr add 127.0.0.2/32 dev lo &&
	    ip addr add 127.0.0.3/32 dev lo &&
	    ip addr add 127.0.0.4/32 dev lo || return 1
	chmod 755 "$T" "$OUTSIDE"
	POSTFIX_SPOOL=$T
	postfix_world "$POSTFIX" "$OUTSIDE/world" || return 1
	rm -f /etc/resolv.conf /etc/nsswitch.conf
	echo '127.0.0.1 localhost mx2.test' >/etc/hosts
	echo 'hosts: files' >/etc/nsswitch.conf
	mkdir "$T/box"
	mkconf
}

# Says what stands on its arguments to a program, line by line, and waits for
# the reply to each; the last one has to be 250.
cat >"$T/talk.py" <<'END'
import subprocess, sys
at = sys.argv.index("--")
p = subprocess.Popen(sys.argv[1:at], stdin=subprocess.PIPE,
                     stdout=subprocess.PIPE, bufsize=0)
heard = p.stdout.readline()
for line in sys.argv[at + 1:]:
    p.stdin.write(line.replace("\n", "\r\n").encode() + b"\r\n")
    while (heard := p.stdout.readline())[3:4] == b"-":
        pass
p.stdin.close()
p.wait()
print(heard)
sys.exit(not heard.startswith(b"250 "))
END

# DOMAIN CLIENT-ADDRESS CLIENT-NAME HELO-LINE SUBJECT
accept()
{
	TCPREMOTEIP=$2 TCPREMOTEHOST=$3 TCPREMOTEPORT=1234 \
	    python3 "$T/talk.py" "$BIN/mx-receive" -C "$CONF" -- "$4" \
	    "MAIL FROM:<a@client.test>" "RCPT TO:<b@$1>" DATA \
	    "Subject: $5

text
." 2>>"$T/log"
}

# The Received field that the primary of DOMAIN wrote into the mail SUBJECT.
received()
{
	f=$(grep -l "^Subject: $2" -r "$T/box/${1%.test}" | head -n 1)
	[ -n "$f" ] || return
	awk '/^Received:/ { n++ } n == 1 { print } n == 2 { exit }' "$f" |
	    tr -s '\n\t ' ' '
}

came()
{
	[ -n "$(received "$@")" ]
}

log_has()
{
	grep -q -e "$2" "$(postfix_log "$1")"
}

flush()
{
	"$BIN/mx-flush" -v -C "$CONF" "$@" 2>>"$T/flush.log"
}

stage >"$T/stage" 2>&1 || { diag_file "$T/stage"; skip_all "no stage here"; }
ok "a primary that trusts us" primary trusts 127.0.0.2 \
    'inet_protocols = all' \
    'smtpd_authorized_xclient_hosts = 127.0.0.0/8' \
    'smtpd_authorized_xforward_hosts = 127.0.0.0/8'
ok "one that trusts us but knows no IPv6" primary old 127.0.0.4 \
    'smtpd_authorized_xclient_hosts = 127.0.0.0/8'
ok "and one that does not trust us" primary wary 127.0.0.3
wait_port 127.0.0.2 25 && wait_port 127.0.0.3 25 && wait_port 127.0.0.4 25

mkdomain trusts.test 'route 127.0.0.2' 'identify xclient'
mkdomain old.test 'route 127.0.0.4' 'identify xclient'
mkdomain wary.test 'route 127.0.0.3' 'identify xclient'

ok "mail from one client" accept trusts.test 192.0.2.7 mail.client.test \
    'EHLO helo.client.test' one
ok "from another, twice" accept trusts.test 2001:db8::7 '' \
    'HELO [192.0.2.8]' two
ok "and again" accept trusts.test 2001:db8::7 '' 'HELO [192.0.2.8]' three
echo 'Subject: four' | "$BIN/mx-queue" -C "$CONF" add -f a@trusts.test \
    b@trusts.test >/dev/null
ok "XCLIENT: all of it is delivered" flush trusts.test
ok "the first comes" until_ok 10 came trusts.test one
ok "the second comes" until_ok 10 came trusts.test two
ok "the third comes" until_ok 10 came trusts.test three
ok "what no client brought comes" until_ok 10 came trusts.test four
like "$(received trusts.test one)" \
    'from helo.client.test .mail.client.test \[192.0.2.7\]. by trusts.test .Postfix. with ESMTP' \
    "the primary's Received field shows the client"
like "$(received trusts.test two)" \
    'from \[192.0.2.8\] .unknown \[IPv6:2001:db8::7\]' \
    "another client's, over IPv6 and without a name"
like "$(received trusts.test four)" '\[127\.0\.0\.' \
    "nobody's mail comes from ourselves"
ok "the primary's log has the client" log_has trusts \
    'client=mail.client.test\[192.0.2.7\]'
# XCLIENT overrides Postfix's access control for itself: it is offered once.
is "$(grep -c ' connect from .*\[127\.0\.0\.' "$(postfix_log trusts)")" 3 \
    "a connection for each client and one for the mail without"

ok "mail for the primary without IPv6" accept old.test 192.0.2.7 \
    mail.client.test 'EHLO helo.client.test' old1
ok "from a client with IPv6" accept old.test 2001:db8::7 '' 'EHLO x.test' old2
ok "and from one without" accept old.test 192.0.2.8 '' 'EHLO x.test' old3
ok "a client it cannot understand holds no mail up" flush old.test
ok "the mail comes" until_ok 10 came old.test old2
like "$(received old.test old2)" '\[127\.0\.0\.' "from ourselves"
like "$(cat "$T/flush.log")" \
    'not identified id=.* domain=old.test .*reason="XCLIENT: 501 5.5.4' \
    "and the log says why"
ok "the one behind it comes" until_ok 10 came old.test old3
like "$(received old.test old3)" 'unknown \[192.0.2.8\]' \
    "from its own client"

ok "mail for the wary primary" accept wary.test 192.0.2.7 mail.client.test \
    'EHLO helo.client.test' wary
ok "no XCLIENT where it is not offered" flush wary.test
ok "the mail comes" until_ok 10 came wary.test wary
like "$(received wary.test wary)" '\[127\.0\.0\.' "from ourselves"

mkdomain trusts.test 'route 127.0.0.2' 'identify xforward'
ok "mail for XFORWARD" accept trusts.test 192.0.2.9 fwd.client.test \
    'EHLO helo.client.test' forward
ok "from another client" accept trusts.test 192.0.2.10 fwd.client.test 'EHLO x.test' forward2
ok "XFORWARD: it is delivered" flush trusts.test
ok "it comes" until_ok 10 came trusts.test forward2
like "$(received trusts.test forward)" '\[127\.0\.0\.' "from ourselves"
ok "but the log has the client" log_has trusts \
    'orig_client=fwd.client.test\[192.0.2.9\]'
ok "and the other one" log_has trusts \
    'orig_client=fwd.client.test\[192.0.2.10\]'

for name in trusts old wary; do
	postfix_end $name
done
done_testing
