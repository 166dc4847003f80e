# SPDX-License-Identifier: ISC
#
# The hooks of contrib, as they are but for the address to be told.

. "$(dirname "$0")/../tap.sh"

[ -z "$ASAN" ] || skip_all "there is nothing to build in them"
mkdir "$T/bin"

# Runs hook NAME as mx-flush does, with stand-ins for other programs first.
hook()
{
	env -i PATH="$T/bin:/usr/bin:/bin" MX_DOMAIN=a.test \
	    MX_STATE=down MX_SINCE=2026-01-01T00:00:00Z MX_DURATION=7260 \
	    MX_HOST='mx.a.test [192.0.2.1]:25' \
	    MX_REASON='554 "no" \" $(touch x) `y`' MX_WAITING=12 \
	    MX_OLDEST=2026-01-01T00:00:00Z MX_DELIVERED=0 \
	    MX_HOSTNAME=mx2.backup.test MX_NOTIFY= "MX_EVENT=$2" \
	    sh -eu "${3:-$TOP/contrib/hooks/$1}" </dev/null
}

stand_in()
{
	printf '#!/bin/sh\nprintf "%%s\\n" "$@" >"%s/args"\ncat >"%s/input"\n' \
	    "$T" "$T" >"$T/bin/$1"
	chmod 755 "$T/bin/$1"
}

ls -l "$TOP"/contrib/hooks/* >"$T/.out"
is "$(grep -vc '^-rwx' "$T/.out")" 0 "all can be run"
if command -v shellcheck >/dev/null; then
	ok "shellcheck has nothing to say" shellcheck "$TOP"/contrib/hooks/*
else
	skip "shellcheck" "none here"
fi

stand_in logger
ok "syslog runs" hook syslog down
is "$(sed -n 4p "$T/args")" mail.alert "an outage is an alert"
like "$(sed -n '$p' "$T/args")" \
    '^event=down domain=a\.test .* waiting=12 .* reason="554 "no" .*`y`"$' \
    "one line"
ok "syslog at the end" hook syslog up
is "$(sed -n 4p "$T/args")" mail.notice "which is a notice"

stand_in sendmail
ok "pager runs" hook pager up
is "$(sed -n 2p "$T/input")" \
    "Subject: a.test up after 121 min, 12 waiting" "short"
ok "pager" hook pager stopped
like "$(cat "$T/input")" '^Subject: a\.test STOPPED' "what needs a hand"
is "$(sed -n '$p' "$T/input")" '554 "no" \" $(touch x) `y`' \
    "nothing of the reason is run"

if command -v curl >/dev/null && command -v python3 >/dev/null; then
	port=$(free_port)
	python3 - "$port" "$T/json" <<'END' >"$T/server" 2>&1 &
import http.server, sys
class H(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        open(sys.argv[2], "wb").write(body)
        self.send_response(200 if self.path == "/good" else 500)
        self.end_headers()
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), H).serve_forever()
END
	cleanup_pid $!
	wait_port 127.0.0.1 "$port"
	sed "s|^url=.*|url=http://127.0.0.1:$port/good|" \
	    "$TOP/contrib/hooks/web" >"$T/web"
	ok "web posts" hook web down "$T/web"
	is "$(python3 -c 'import json, sys
d = json.load(open(sys.argv[1]))
print(d["event"], d["waiting"], d["reason"])' "$T/json" 2>&1)" \
	    'down 12 554 "no" \" $(touch x) `y`' "JSON"
	sed "s|/good|/bad|" "$T/web" >"$T/web2"
	not_ok "and fails where it is not taken" hook web down "$T/web2"
else
	skip "web" "no curl or python3 here"
fi
done_testing
