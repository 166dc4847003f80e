#!/bin/sh
# SPDX-License-Identifier: ISC
#
# mx-flush against Postfix's smtp-sink: what was queued arrives, each message
# once and line for line, with and without PIPELINING, EHLO and 8BITMIME.

. "$(dirname "$0")/../tap.sh"

need python3
need_pkg POSTFIX postfix

# smtp-sink keeps texts with LF at the end of lines and a head of its own.
cat >"$T/texts.py" <<'END'
import os, sys

def texts():
    yield b""
    yield b"\r\n"
    yield b"Subject: no end of line\r\n\r\nlast"
    yield b"Subject: dots\r\n\r\n.\r\n..\r\n.x\r\n\r\n."
    yield b"Subject: 8 bits\r\n\r\n" + bytes(range(128, 256)) + b"\r\n"
    yield b"Subject: a long line\r\n\r\n" + b"x" * 900 + b"\r\n"
    for size in (1000, 65535, 65536, 65537, 131072, 700000):
        line = b".%d\r\n" % size
        yield b"Subject: %d\r\n\r\n" % size + line * (size // len(line))

def received(name):
    with open(name, "rb") as f:
        text = f.read()
    # Ours begins with the Received field that mx-queue put there; an empty
    # line was added at the end.
    at = text.index(b"Received: ", text.index(b"Received: ") + 1)
    return text[at:-1]

directory, verb = sys.argv[1:3]
if verb == "make":
    for n, text in enumerate(texts()):
        with open("%s/%02d" % (directory, n), "wb") as f:
            f.write(text)
else:
    want = []
    for name in sorted(os.listdir(directory)):
        with open(directory + "/" + name, "rb") as f:
            text = f.read().replace(b"\r\n", b"\n")
        want.append(text if text.endswith(b"\n") else text + b"\n")
    got = []
    for name in sys.argv[3:]:
        got.append(received(name))
    with open(directory + "/../diff", "w") as f:
        for one in sorted(got):
            if one not in want:
                f.write("unknown: %r\n" % one[:300])
        for one in want:
            if got.count(one) != 1:
                f.write("%d times: %r\n" % (got.count(one), one[:300]))
    sys.exit(os.path.getsize(directory + "/../diff") != 0)
END

mkdir "$T/made"
python3 "$T/texts.py" "$T/made" make

# As root it insists on being told so.
user=
[ "$(id -u)" != 0 ] || user="-u root"

# NAME OPTION...
try()
{
	name=$1
	shift
	rm -rf "$T/etc" "$T/spool" "$T/sent" "$T/got"
	mkdir "$T/sent" "$T/got"
	port=$(free_port)
	mkconf "timeout 5s"
	mkdomain a.test "route 127.0.0.1:$port"
	for file in "$T"/made/*; do
		id=$("$BIN/mx-queue" -C "$CONF" add -f s@x.test r@a.test \
		    <"$file")
		"$BIN/mx-queue" -C "$CONF" cat -w "$id" \
		    >"$T/sent/${file##*/}"
	done
	# shellcheck disable=SC2086
	LD_LIBRARY_PATH=$POSTFIX/usr/lib/postfix \
	    "$POSTFIX/usr/sbin/smtp-sink" $user "$@" -d "$T/got/m." \
	    "127.0.0.1:$port" 10 2>"$T/sink" &
	pid=$!
	cleanup_pid $pid
	wait_port 127.0.0.1 "$port" || diag_file "$T/sink"
	exits 0 "$name: all delivered" "$BIN/mx-flush" -C "$CONF" -v
	stop $pid
	if python3 "$T/texts.py" "$T/sent" check "$T"/got/*; then
		pass "$name: each once, line for line"
	else
		fail "$name: each once, line for line"
		diag_file "$T/diff"
	fi
}

try "a modern server"
try "no PIPELINING" -p
try "no EHLO" -e
try "no 8BITMIME" -8

done_testing
