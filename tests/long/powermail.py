# SPDX-License-Identifier: ISC
"""The mail of tests/long/powercut: who sends it, and who takes it."""

import hashlib
import random
import re
import socket
import subprocess
import threading

PATIENCE = 60
DOMAINS = ['d%02d.test' % n for n in range(12)]
# The primary of every other domain is there while mail comes in.
ALIVE = DOMAINS[::2]
LATER = 'later'         # is told 450 while the primary is moody
RECEIVED = re.compile(rb'Received: (?:[^\n]*\r\n[ \t])*[^\n]*\r\n')
SIZES = (0, 1, 100, 2000, 4096, 4097, 10000, 20000, 65536, 204800)


def digest(data):
    return hashlib.sha256(data).hexdigest()


class Message:
    """TOKEN is its sender, by which it is known wherever it turns up."""

    def __init__(self, token, text, recipients):
        self.token, self.text, self.recipients = token, text, recipients
        self.sha256 = digest(text)

    def domains(self):
        return sorted({r.split('@')[1] for r in self.recipients})


def make_messages(rng, n):
    """New domains turn up all the time: their folders are made then."""
    messages = []
    for i in range(n):
        size = rng.choice(SIZES)
        if size > 100:
            size = rng.randint(size // 2, size)
        text = b''
        if size:
            text = b'Subject: %d octets\r\n\r\n' % size
            while len(text) < size:
                text += b'.%x\r\n' % rng.getrandbits(3200)
        known = DOMAINS[:2 + i * len(DOMAINS) // n]
        recipients = []
        for domain in rng.sample(known, rng.choice((1, 1, 2))):
            users = rng.choice((['ann'], ['ann'], ['ann', 'bob'],
                                ['ann', LATER]))
            recipients += [user + '@' + domain for user in users]
        messages.append(Message('m%05d' % i, text, recipients))
    return messages


class Senders:
    """Sessions with mx-receive, four at a time, of up to three messages.

    acks has (token, stamp) for each 250, with what STAMP said then."""

    def __init__(self, messages, command, stamp, log, seed):
        self.todo, self.command, self.stamp = list(messages), command, stamp
        self.acks, self.refused, self.log = [], [], log
        self.lock = threading.Lock()
        self.threads = [
            threading.Thread(target=self.work, args=(random.Random(seed + i),))
            for i in range(4)]
        for t in self.threads:
            t.start()

    def join(self):
        for t in self.threads:
            t.join()

    def work(self, rng):
        while True:
            with self.lock:
                n = rng.randint(1, 3)
                batch, self.todo = self.todo[:n], self.todo[n:]
            if not batch:
                return
            try:
                self.session(batch)
            except (OSError, ValueError) as e:
                with self.lock:
                    self.refused.append('%s: %s' % (batch[0].token, e))

    def session(self, batch):
        ours, theirs = socket.socketpair()
        with ours:
            ours.settimeout(PATIENCE)
            with theirs:
                p = subprocess.Popen(self.command, stdin=theirs,
                                     stdout=theirs, stderr=self.log)
            try:
                with ours.makefile('rb') as replies:
                    self.talk(ours, replies, batch)
            finally:
                ours.close()
                p.wait(PATIENCE)

    def talk(self, sock, replies, batch):
        def want(digit):
            line = b'   -'
            while line[3:4] == b'-':
                line = replies.readline()
            if line[:1] != digit:
                raise ValueError(repr(line))

        def say(data, digit):
            sock.sendall(data)
            want(digit)

        want(b'2')
        say(b'EHLO client.test\r\n', b'2')
        for m in batch:
            say(b'MAIL FROM:<%s@sender.test>\r\n' % m.token.encode(), b'2')
            for r in m.recipients:
                say(b'RCPT TO:<%s>\r\n' % r.encode(), b'2')
            say(b'DATA\r\n', b'3')
            say(re.sub(rb'(?m)^\.', b'..', m.text) + b'.\r\n', b'2')
            at = self.stamp()
            with self.lock:
                self.acks.append((m, at))
        say(b'QUIT\r\n', b'2')


class Sink:
    """A primary on a port of its own.

    As long as moody is so, some recipients and some texts are deferred, and
    some connections end instead of an answer.  took maps (token, recipient)
    to the stamp of the time just before the 250, for what came whole; torn
    names what did not."""

    def __init__(self, messages, stamp):
        self.sent = {m.token: m.sha256 for m in messages}
        self.stamp = stamp
        self.moody = True
        self.lock = threading.Lock()
        self.clear()
        self.server = socket.create_server(('127.0.0.1', 0), backlog=50)
        self.port = self.server.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def clear(self):
        with self.lock:
            self.took, self.torn = {}, []

    def accept(self):
        while True:
            try:
                sock, _ = self.server.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(sock,),
                             daemon=True).start()

    def close(self):
        # Alone, close would not wake who waits in accept.
        self.server.shutdown(socket.SHUT_RDWR)
        self.server.close()

    def serve(self, sock):
        try:
            with sock, sock.makefile('rb') as lines:
                sock.settimeout(PATIENCE)
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self.dialogue(sock, lines)
        except OSError:
            pass

    def dialogue(self, sock, lines):
        sock.sendall(b'220 sink.test\r\n')
        sender, recipients = '', []
        for line in lines:
            verb, text = line[:4].upper(), line.decode('latin-1')
            reply = b'250 2.0.0 ok\r\n'
            if verb == b'EHLO':
                reply = b'250-sink.test\r\n250-PIPELINING\r\n250 8BITMIME\r\n'
            elif verb == b'MAIL':
                sender = re.sub(r'.*<(.*?)(@.*)?>.*', r'\1', text.strip())
                recipients = []
            elif verb == b'RCPT':
                address = re.sub(r'.*<(.*)>.*', r'\1', text.strip())
                if self.moody and address.startswith(LATER + '@'):
                    reply = b'450 4.2.1 later\r\n'
                else:
                    recipients.append(address)
            elif verb == b'DATA' and not recipients:
                reply = b'554 5.5.1 for nobody\r\n'
            elif verb == b'DATA':
                sock.sendall(b'354 go on\r\n')
                text = self.text(lines)
                if self.moody and random.random() < 0.1:
                    reply = b'451 4.3.0 not now\r\n'
                elif self.moody and random.random() < 0.1:
                    return
                else:
                    self.take(sender, recipients, text)
            elif verb == b'QUIT':
                sock.sendall(b'221 2.0.0 bye\r\n')
                return
            sock.sendall(reply)

    def text(self, lines):
        text = []
        for line in lines:
            if line == b'.\r\n':
                return b''.join(text)
            text.append(line[1:] if line[:1] == b'.' else line)
        raise ConnectionResetError

    def take(self, sender, recipients, text):
        head = RECEIVED.match(text)
        whole = head and self.sent.get(sender) == digest(text[head.end():])
        at = self.stamp()
        with self.lock:
            for r in recipients if whole else ():
                self.took.setdefault((sender, r), at)
            if not whole:
                self.torn.append('%s to %s' % (sender, recipients))
