# SPDX-License-Identifier: ISC
# What a listening receiver must notice by itself: certificates, and lists of
# recipients that its sandbox would keep it from.
. "$(dirname "$0")/../tap.sh"
need python3 openssl

mkconf "tls-certificate $T/tls/cert.pem" "tls-key $T/tls/key.pem"
mkdomain far.test "recipients $T/lists/far"
mkdomain near.test "recipients near"
mkdomain new.test
mkdir "$T/tls" "$T/lists"
echo here >"$T/lists/far"
echo here >"$CONF/near"
for n in 1 2 3; do
	mkdir "$T/tls/$n"
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 \
	    -nodes -days 2 -subj "/CN=number$n.test" -keyout "$T/tls/$n/key" \
	    -out "$T/tls/$n/cert" 2>/dev/null || skip_all "no certificates"
done
cp "$T/tls/1/cert" "$T/tls/cert.pem"
cp "$T/tls/1/key" "$T/tls/key.pem"

cat >"$T/driver" <<'END'
import os, re, signal, smtplib, socket, ssl, subprocess, sys, time

receive, conf, tmp = sys.argv[1:4]
tls = tmp + '/tls/'
where = ('127.0.0.1', 0)
context = ssl.create_default_context()
context.check_hostname = False
context.verify_mode = ssl.CERT_NONE

def check(name, held):
    print(('ok ' if held else 'not ok ') + name, flush=True)

def until(what, seconds=12):
    end = time.time() + seconds
    while not what() and time.time() < end:
        time.sleep(0.1)
    return what()

def log():
    return open(tmp + '/log').read()

def session():
    c = smtplib.SMTP(*where, timeout=10)
    c.ehlo('client.test')
    return c

def certificate():
    c = session()
    code, text = c.docmd('STARTTLS')
    if code != 220:
        c.close()
        return code
    c.sock = context.wrap_socket(c.sock)
    found = re.search(rb'number(\d)', c.sock.getpeercert(True))
    c.close()
    return int(found.group(1))

def recipient(address):
    c = session()
    c.mail('')
    code = c.rcpt(address)[0]
    c.close()
    return code

def put(name, text):
    with open(name + '.new', 'w') as f:
        f.write(text)
    os.rename(name + '.new', name)

def begin():
    return subprocess.Popen([receive, '-v', '-C', conf], stdin=s,
        stdout=subprocess.DEVNULL, stderr=open(tmp + '/log', 'a'))

s = socket.create_server(where, backlog=50)
where = s.getsockname()
p = begin()
try:
    check('a certificate', certificate() == 1)
    # As certbot's deploy hooks do it: one file, then the other.
    os.rename(tls + '2/cert', tls + 'cert.pem')
    os.kill(p.pid, signal.SIGHUP)
    check('a certificate without its key is told',
          until(lambda: log().count('stays in force') == 1))
    check('... and the old one goes on', certificate() == 1)
    os.rename(tls + '2/key', tls + 'key.pem')
    check('replaced by rename', until(lambda: certificate() == 2))
    # As certbot's live/ directory does it.
    os.symlink('3/cert', tls + 'link')
    os.rename(tls + 'link', tls + 'cert.pem')
    os.symlink('3/key', tls + 'link')
    os.rename(tls + 'link', tls + 'key.pem')
    os.kill(p.pid, signal.SIGHUP)
    check('by a link that is turned', until(lambda: certificate() == 3))
    print('# %d times in vain' % log().count('stays in force'))

    check('a list elsewhere is read', recipient('here@far.test') == 250)
    check('... and refuses', recipient('new@far.test') == 550)
    check('one in the directory is read', recipient('here@near.test') == 250)
    put(conf + '/near', 'new\n')
    check('... and anew at once', recipient('new@near.test') == 250)
    put(tmp + '/lists/far', 'new\n')
    check('one elsewhere is read when it is replaced',
          until(lambda: recipient('new@far.test') == 250))
    check('... no more for whom it had', recipient('here@far.test') == 550)
    # In place, so that the directory stays as it was.
    with open(conf + '/domains/new.test', 'w') as f:
        f.write('recipients %s/lists/later\n' % tmp)
    put(tmp + '/lists/later', 'here\n')
    os.kill(p.pid, signal.SIGHUP)
    check('a list that a domain names later',
          until(lambda: recipient('here@new.test') == 250))
    check('nothing waits for ever', p.poll() is None)

    # Gone at the start: mail is taken all the same, in clear text.
    p.terminate()
    p.wait(10)
    os.unlink(tls + 'key.pem')
    p = begin()
    check('without the key STARTTLS is answered', until(
          lambda: certificate() == 454, 3))
    check('... and mail is taken', recipient('here@new.test') == 250)
    os.symlink('3/key', tls + 'key.pem')
    os.kill(p.pid, signal.SIGHUP)
    check('... until it is there again', until(lambda: certificate() == 3))
finally:
    p.kill()
print('end')
END
python3 "$T/driver" "$BIN/mx-receive" "$CONF" "$T" >"$T/out" 2>&1
while read -r line; do
	case $line in
	"ok "*) pass "${line#ok }" ;;
	"not ok "*) fail "${line#not ok }" ;;
	"# "*|end) echo "# ${line#\# }" ;;
	*) fail "the driver: $line" ;;
	esac
done <"$T/out"
is "$(tail -n 1 "$T/out")" end "the driver came to its end"
unlike "$(cat "$T/log")" 'Sanitizer|runtime error' "no sanitizer speaks"

# The same without anybody who listens: each process sees what is there.
mkdomain far.test "recipients $T/lists/far"
{ sleep 0.2; printf 'HELO client.test\r\n'; sleep 0.2
  printf 'MAIL FROM:<>\r\n'; sleep 0.2
  printf 'RCPT TO:<new@far.test>\r\n'; sleep 0.2; } |
    "$BIN/mx-receive" -C "$CONF" >"$T/out" 2>&1
like "$(cat "$T/out")" '^250 2\.1\.5 ' "a list elsewhere, one connection"

done_testing
