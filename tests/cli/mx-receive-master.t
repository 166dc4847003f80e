# SPDX-License-Identifier: ISC
# A listening receiver through changes of its files, deaths and want of
# everything: nobody is refused who need not be.
. "$(dirname "$0")/../tap.sh"
need python3

mkconf "max-sessions 40" "max-sessions-per-client 4"
mkdomain example.org

cat >"$T/driver" <<'END'
import os, resource, shutil, signal, socket, subprocess, sys, threading, time

receive, conf, tmp = sys.argv[1:4]
path = conf + '/mxkeep.conf'
text = open(path).read()

def check(name, held):
    print(('ok ' if held else 'not ok ') + name, flush=True)

def until(what, seconds=5):
    end = time.time() + seconds
    while not what() and time.time() < end:
        time.sleep(0.02)
    return what()

def put(name, what):
    with open(name + '.new', 'w') as f:
        f.write(what)
    os.rename(name + '.new', name)

def connect(where, timeout=10):
    s = socket.socket(where[0])
    s.settimeout(timeout)
    s.connect(where[1])
    return s, s.makefile('rwb', buffering=0)

def leave(*both):
    for c in both:
        c.close()

def greeting(where, timeout=10):
    s, f = connect(where, timeout)
    line = f.readline().decode()
    leave(s, f)
    return line

def say(f, text):
    f.write(text.encode() + b'\r\n')
    while (line := f.readline().decode())[3:4] == '-':
        pass
    return line[:3]

def log():
    return open(tmp + '/log').read()

# The last that said how it is locked in; 0 when it is gone.
def acceptor():
    said = [l for l in log().split('\n') if ']: sandbox: ' in l]
    pid = int(said[-1].split('[')[1].split(']')[0]) if said else 0
    return pid if os.path.exists('/proc/%d' % pid) else 0

# Two sockets as systemd hands them over.
places, socks = [], []
for family, addr in ((socket.AF_INET, '127.0.0.1'), (socket.AF_INET6, '::1')):
    try:
        s = socket.create_server((addr, 0), family=family, backlog=300)
    except OSError:
        print('skip %s' % addr)
        continue
    socks.append(s)
    places.append((family, s.getsockname()[:2]))
four = places[0]

code = 'import os,sys;os.environ["LISTEN_PID"]=str(os.getpid());' \
    'os.execv(sys.argv[1],sys.argv[1:])'
def begin():
    def fds():
        high = [os.dup(s.fileno()) for s in socks]
        high = [os.dup2(fd, 50 + i) for i, fd in enumerate(high)]
        for i, fd in enumerate(high):
            os.dup2(fd, 3 + i)
        os.closerange(3 + len(high), 60)
    return subprocess.Popen([sys.executable, '-c', code, receive, '-v',
        '-C', conf], preexec_fn=fds, close_fds=False,
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
        stderr=open(tmp + '/log', 'a'),
        env=dict(os.environ, LISTEN_FDS=str(len(socks))))

p = begin()
try:
    for where in places:
        check('LISTEN_FDS: %s is greeted' % where[1][0],
              greeting(where).startswith('220 mx2.backup.test'))
    first = acceptor()

    # A domain that comes is there at once, in sessions that are open, too.
    s, f = connect(four)
    f.readline()
    say(f, 'EHLO client.test')
    say(f, 'MAIL FROM:<>')
    check('a domain that is not there', say(f, 'RCPT TO:<a@new.test>') == '550')
    put(conf + '/domains/new.test', '')
    check('is there at once', say(f, 'RCPT TO:<a@new.test>') == '250')

    put(path, text.replace('mx2.', 'mx3.'))
    check('a new mxkeep.conf is noticed',
          until(lambda: 'mx3' in greeting(four), 12))
    check('... by another process', acceptor() not in (first, 0))
    check('... and the first is gone',
          until(lambda: not os.path.exists('/proc/%d' % first)))
    check('... but its session is not', say(f, 'NOOP') == '250')

    # The limits count those of the process that is gone.
    # Those that asked before may still be leaving.
    more = []
    def one_more():
        c = connect(four)
        if c[1].readline().startswith(b'220'):
            more.append(c)
        else:
            leave(*c)
        return len(more) == 3
    until(one_more)
    check('a limit holds across both', greeting(four).startswith('421 4.7.0'))
    for c in more + [(s, f)]:
        leave(*c)
    check('all four leave', until(lambda: greeting(four).startswith('220'), 8))

    # Nothing is lost while one takes over from the other.
    put(path, text.replace('-client 4', '-client 40').replace('mx2', 'mx3'))
    os.kill(p.pid, signal.SIGHUP)
    until(lambda: log().count('took over') == 2)
    answers, stop = [], time.time() + 1.5
    def client():
        while time.time() < stop or len(answers) < 200:
            try:
                answers.append(greeting(four))
            except OSError as e:
                answers.append(str(e))
    clients = [threading.Thread(target=client) for i in range(4)]
    for c in clients:
        c.start()
    takes = log().count('took over')
    while any(c.is_alive() for c in clients):
        os.kill(p.pid, signal.SIGHUP)
        time.sleep(0.05)
    for c in clients:
        c.join()
    bad = [a for a in answers if not a.startswith('220 mx3')]
    check('all connections are answered while it is renewed',
          len(answers) >= 200 and not bad)
    takes = log().count('took over') - takes
    check('... many times', takes >= 3)
    print('# %d renewals, %d connections' % (takes, len(answers)), *bad[:3])

    # A broken file changes nothing but the log.
    put(path, 'nonsense here\n' + text)
    os.kill(p.pid, signal.SIGHUP)
    before = acceptor()
    check('a broken mxkeep.conf is told',
          until(lambda: 'mxkeep.conf:1: ' in log()))
    time.sleep(0.3)
    check('... once', log().count('mxkeep.conf:1: ') == 1)
    check('... and what was there goes on', acceptor() == before and
          greeting(four).startswith('220 mx3.'))

    # Deaths.
    os.kill(before, signal.SIGKILL)
    check('another begins when it is killed',
          until(lambda: acceptor() not in (0, before)))
    check('... with the last good configuration',
          greeting(four).startswith('220 mx3.'))
    check('... and the log knows', 'died of signal 9' in log())
    put(path, text)
    os.kill(p.pid, signal.SIGHUP)
    check('the mended one holds again',
          until(lambda: 'mx2' in greeting(four)))

    # No descriptor is left for a connection.
    a = acceptor()
    before = resource.prlimit(a, resource.RLIMIT_NOFILE)
    resource.prlimit(a, resource.RLIMIT_NOFILE, (1, before[1]))
    s, f = connect(four)
    check('without a descriptor it says so',
          until(lambda: 'cannot accept: Too many open files' in log()))
    time.sleep(0.5)
    check('... once', log().count('cannot accept') == 1)
    resource.prlimit(a, resource.RLIMIT_NOFILE, before)
    check('... and the connection is answered later',
          f.readline().startswith(b'220'))
    leave(s, f)

    if shutil.which('strace'):
        for name, calls, error, want in (
            ('no room for a process', 'clone,clone3,fork,vfork', 'EAGAIN',
             '421 4.3.2'),
            ('no memory for one', 'clone,clone3,fork,vfork', 'ENOMEM',
             '421 4.3.2'),
            ('a system full of files', 'accept4', 'ENFILE', '220'),
            ('no memory for a socket', 'accept4', 'ENOBUFS', '220'),
            ('a client that has left', 'accept4', 'ECONNABORTED', '220'),
            ('a call that is interrupted', 'accept4', 'EINTR', '220')):
            t = subprocess.Popen(['strace', '-q', '-o', '/dev/null', '-p',
                str(acceptor()), '-e', 'inject=%s:error=%s:when=1' %
                (calls, error)], stderr=open(tmp + '/strace', 'w'))
            traced = lambda: 'TracerPid:\t0' not in \
                open('/proc/%d/status' % acceptor()).read()
            if not until(traced, 3):
                print('skip strace may not attach here')
                t.kill()
                t.wait()
                break
            got = greeting(four)
            check('%s: %s' % (name, got[:9].strip()), got.startswith(want))
            t.terminate()
            t.wait()
            check('... and the next is served',
                  greeting(four).startswith('220'))
        # One that never passes, and leaves the connection where it is.
        t = subprocess.Popen(['strace', '-q', '-o', tmp + '/calls', '-p',
            str(acceptor()), '-e', 'inject=accept4:error=EACCES'],
            stderr=open(tmp + '/strace', 'w'))
        if until(traced, 3):
            s, f = connect(four)
            time.sleep(1)
            t.terminate()
            t.wait()
            calls = open(tmp + '/calls').read().count('EACCES')
            check('a door that is shut is tried ten times a second, not more',
                  1 <= calls <= 12)
            check('... and when it opens the client is served',
                  f.readline().startswith(b'220'))
            leave(s, f)
        else:
            t.kill()
            t.wait()
    else:
        print('skip no strace here')

    # The end: nobody is left that accepts, and sessions go on.
    s, f = connect(four)
    f.readline()
    a = acceptor()
    p.terminate()
    p.wait(10)
    check('SIGTERM: nobody accepts any more',
          until(lambda: not os.path.exists('/proc/%d' % a)))
    check('... but a session goes on', say(f, 'NOOP') == '250')
    leave(s, f)

    # A broken configuration from the start.
    put(path, 'nonsense here\n' + text)
    p = begin()
    check('broken from the start: 421 4.3.5',
          greeting(four).startswith('421 4.3.5'))
    put(path, text)
    os.kill(p.pid, signal.SIGHUP)
    check('... until it is mended', until(
          lambda: greeting(four).startswith('220')))
    a = acceptor()
    p.kill()
    p.wait(10)
    check('a killed master leaves nobody who accepts',
          until(lambda: not os.path.exists('/proc/%d' % a)))
finally:
    p.kill()
print('end')
END
python3 "$T/driver" "$BIN/mx-receive" "$CONF" "$T" >"$T/out" 2>&1
while read -r line; do
	case $line in
	"ok "*) pass "${line#ok }" ;;
	"not ok "*) fail "${line#not ok }" ;;
	"skip "*) skip "${line#skip }" "not to be had" ;;
	"# "*|end) echo "# ${line#\# }" ;;
	*) fail "the driver: $line" ;;
	esac
done <"$T/out"
is "$(tail -n 1 "$T/out")" end "the driver came to its end"
unlike "$(cat "$T/log")" 'Sanitizer|runtime error' "no sanitizer speaks"

done_testing
