# SPDX-License-Identifier: ISC
#
# contrib/try as at a terminal, in a network of its own: a mail comes in, Enter
# tries to deliver it, Ctrl-C ends it and leaves the mail in the spool.

. "$(dirname "$0")/../tap.sh"

need unshare ip setsid swaks python3
command -v tcpserver >/dev/null || command -v tcpsvd >/dev/null ||
    skip_all "neither tcpserver nor tcpsvd here"
[ -z "$ASAN" ] || skip_all "runs the programs of the checkout"
if [ -z "${TRY:-}" ]; then
	export TRY=inside
	unshare -Urnmpf --mount-proc --kill-child true 2>/dev/null ||
	    skip_all "no namespaces here"
	unshare -Urnmpf --mount-proc --kill-child sh "$0"
	exit $?
fi

# Runs try on a terminal of its own: what comes on standard input is typed.
cat >"$T/terminal.py" <<'END'
import os, pty, signal, sys, threading
pid, fd = pty.fork()
if pid == 0:
    # Ignored in what a shell starts in the background.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    os.execvp("sh", ["sh"] + sys.argv[1:])

def typist():
    while keys := os.read(0, 100):
        os.write(fd, keys)

threading.Thread(target=typist, daemon=True).start()
try:
    while text := os.read(fd, 4096):
        os.write(1, text)
except OSError:
    pass
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
END

said()
{
	grep -q -e "$1" "$T/out"
}

begin()
{
	(cd "$T" && exec python3 "$T/terminal.py" "$TOP/contrib/try" "$@") \
	    <"$T/keys" >"$T/out" 2>&1 &
	try=$!
	cleanup_pid $try
	exec 7>"$T/keys"
}

ip link set lo up
mkfifo "$T/keys"
exits 64 "no domain, no try" sh "$TOP/contrib/try"
not_ok "a path is not a domain" sh "$TOP/contrib/try" ../etc
exits 1 "nor is a name with an empty label" timeout 5 \
    sh "$TOP/contrib/try" -l "127.0.0.1:$(free_port)" a..test

port=$(free_port)
begin -l 127.0.0.1:$port Example.Test
ok "it says that it listens" until_ok 5 said 'listening on'
ok "it takes mail for its domain" swaks --server 127.0.0.1:$port \
    --helo client.test --from a@client.test --to b@example.test
not_ok "it takes none for others" swaks --server 127.0.0.1:$port \
    --helo client.test --from a@client.test --to b@other.test
ok "a line for what came" until_ok 5 said 'accepted.*domain=example.test'
echo >&7
ok "Enter tries to deliver" until_ok 5 said 'unroutable domain=example.test'
printf '\003' >&7
wait $try
is $? 0 "Ctrl-C ends it cleanly"
ok "it tells what still waits" said 'example.test.* 1 '
is "$(find "$T/mxkeep-spool/mail/example.test" -type f | grep -c .)" 1 \
    "the mail is in ./mxkeep-spool"
not_ok "nobody listens any more" tap_listens tcp $port
is "$(pgrep -c -f "$TOP/bin/mx-" )" 0 "no process is left"
exec 7>&-

python3 -c 'import socket, sys, time
s = socket.socket()
s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.bind(("127.0.0.1", int(sys.argv[1])))
s.listen()
time.sleep(60)' $port &
cleanup_pid $!
wait_port 127.0.0.1 $port
begin -l 127.0.0.1:$port example.test
wait $try
is $? 1 "a port that is taken is an error"
exec 7>&-

if command -v tcpsvd >/dev/null; then
	mkdir "$T/path"
	for p in /usr/bin/* /usr/sbin/* /bin/* /sbin/*; do
		case ${p##*/} in tcpserver) continue ;; esac
		[ -e "$T/path/${p##*/}" ] || ln -s "$p" "$T/path/"
	done
	PATH=$T/path
	port=$(free_port)
	begin -l 127.0.0.1:$port example.test
	ok "tcpsvd will do as well" until_ok 5 said 'listening on'
	printf '\003' >&7
	wait $try
	is $? 0 "and ends as well"
else
	skip "tcpsvd will do as well" "no tcpsvd here"
fi
done_testing
