#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""A primary mail server that plays scripts, for mx-flush's tests.

usage: badmx.py TABLE DIR

TABLE has a line for each server: "NAME SCRIPT", SCRIPT being entries
"STEP=ACTION" with ';' between, or nothing.  STEP is one of GREET EHLO HELO
MAIL RCPT DATA TEXT END BDAT RSET QUIT; the first unused entry of a step is its
answer, in whatever connection, then the last one again.  ACTION is

    ok          what a good server says
    !           close the connection
    ?           say nothing any more, and wait
    drip:TEXT   TEXT, an octet every 0.1 s
    raw:TEXT    TEXT without an end of line
    twice:TEXT  the reply, and again
    late:TEXT   the reply, 30 ms later
    endless     a reply that does not end
    longline    a line of 20,000 octets
    TEXT        a reply; \\n separates its lines, \\xNN is an octet

A step TEXT is taken when the first octets of a message came; "early:TEXT"
there is the reply to all of it, and the end.  The word
"inturn" instead of an entry takes PIPELINING from the offers, "size:N" sets
the limit that is offered, "offers:WORDS" is one more line of the reply to
EHLO, and "at:ADDR:PORT" is where to listen instead of any port of 127.0.0.1.

Writes DIR/NAME.port when all servers listen, DIR/NAME.log with what each
heard and said, and DIR/NAME.N for the text of the Nth message that came
whole, before it is answered.  DIR/ready appears last.
"""

import os
import re
import socket
import sys
import threading
import time

GOOD = {
    "GREET": "220 primary.test ESMTP", "HELO": "250 primary.test",
    "DATA": "354 go on", "END": "250 2.0.0 taken", "BDAT": "250 2.0.0 taken",
    "RCPT": "250 2.1.5 ok", "QUIT": "221 2.0.0 bye",
}
PATIENCE = 30


class Closed(Exception):
    pass


class Server:
    def __init__(self, name, script, directory):
        self.name = name
        self.path = os.path.join(directory, name)
        self.entries = []
        self.pipelining = True
        self.size = 50000000
        self.offers = []
        at = ("127.0.0.1", 0)
        for entry in filter(None, script.split(";")):
            if entry == "inturn":
                self.pipelining = False
            elif entry.startswith("size:"):
                self.size = int(entry[5:])
            elif entry.startswith("offers:"):
                self.offers.append(entry[7:])
            elif entry.startswith("at:"):
                addr, port = entry[3:].rsplit(":", 1)
                at = (addr, int(port))
            else:
                step, action = entry.split("=", 1)
                self.entries.append([step, action, False])
        self.lock = threading.Lock()
        self.messages = 0
        self.log = open(self.path + ".log", "w", buffering=1)
        self.listener = socket.create_server(at, backlog=50)
        with open(self.path + ".port", "w") as f:
            f.write("%d\n" % self.listener.getsockname()[1])

    def action(self, step):
        """What the script has for STEP, or None."""
        found = None
        with self.lock:
            for entry in self.entries:
                if entry[0] == step:
                    found = entry[1]
                    if not entry[2]:
                        entry[2] = True
                        break
        return found

    def good(self, step):
        if step == "EHLO":
            lines = ["250-primary.test", "250-SIZE %d" % self.size,
                     "250-8BITMIME"]
            if self.pipelining:
                lines.append("250-PIPELINING")
            lines += ["250-" + words for words in self.offers]
            return "\n".join(lines + ["250 ENHANCEDSTATUSCODES"])
        return GOOD.get(step, "250 2.1.0 ok")

    def run(self):
        while True:
            sock = self.listener.accept()[0]
            threading.Thread(target=self.session, args=(sock,),
                             daemon=True).start()

    def session(self, sock):
        sock.settimeout(PATIENCE)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.log.write("connection\n")
        try:
            Session(self, sock).talk()
        except (Closed, OSError):
            pass
        self.log.write("closed\n")
        sock.close()

    def keep(self, text):
        with self.lock:
            self.messages += 1
            name = "%s.%d" % (self.path, self.messages)
        with open(name, "wb") as f:
            f.write(text)


class Session:
    def __init__(self, server, sock):
        self.server = server
        self.sock = sock
        self.buf = b""

    def read(self):
        data = self.sock.recv(65536)
        if not data:
            raise Closed
        self.buf += data

    def line(self):
        while b"\n" not in self.buf:
            self.read()
        line, self.buf = self.buf.split(b"\n", 1)
        return line.decode("latin-1").rstrip("\r")

    def send(self, data):
        self.sock.sendall(data)

    @staticmethod
    def octets(text):
        text = re.sub(r"\\x([0-9a-f]{2})", lambda m: chr(int(m[1], 16)), text)
        return text.encode("latin-1")

    def reply(self, text):
        text = text.replace("\\n", "\n").replace("\n", "\r\n")
        return self.octets(text) + b"\r\n"

    def say(self, step):
        """Plays the step; returns the first character of what was said."""
        action = self.server.action(step)
        self.server.log.write("%s: %s\n" % (step, action or "ok"))
        if action is None or action == "ok":
            action = self.server.good(step)
        if action == "!":
            raise Closed
        if action == "?":
            time.sleep(PATIENCE)
            raise Closed
        if action == "endless":
            while True:
                self.send(b"250-more\r\n" * 1000)
        if action == "longline":
            action = "250 " + "x" * 20000
        kind, _, text = action.partition(":")
        if kind == "drip":
            for octet in self.reply(text):
                self.send(bytes([octet]))
                time.sleep(0.1)
        elif kind == "raw":
            self.send(self.octets(text))
        elif kind == "late":
            time.sleep(0.03)
            self.send(self.reply(text))
        elif kind == "twice":
            self.send(self.reply(text) * 2)
        else:
            text = action
            self.send(self.reply(text))
        return text[:1]

    def early(self, action):
        if action and action.startswith("early:"):
            self.send(self.reply(action[6:]))
        if action == "!" or action and action.startswith("early:"):
            raise Closed

    def text(self):
        """The text of a message, dots removed."""
        if not self.buf:
            self.read()
        action = self.server.action("TEXT")
        self.early(action)
        if action == "?":
            time.sleep(PATIENCE)
        data = bytearray(self.buf)
        while not data.startswith(b".\r\n"):
            at = data.find(b"\r\n.\r\n")
            if at != -1:
                break
            more = self.sock.recv(65536)
            if not more:
                raise Closed
            data += more
        else:
            at = -2
        self.buf = bytes(data[at + 5:])
        text = bytes(data[:at + 2])
        return re.sub(rb"(\A|\r\n)\.", rb"\1", text)

    def chunk(self, size):
        self.early(self.server.action("TEXT"))
        while len(self.buf) < size:
            self.read()
        text, self.buf = self.buf[:size], self.buf[size:]
        return text

    def talk(self):
        if self.say("GREET") != "2":
            while self.line() != "QUIT":
                self.send(b"503 5.5.1 no\r\n")
            self.send(b"221 bye\r\n")
            return
        mail = False
        accepted = 0
        while True:
            line = self.line()
            self.server.log.write("> %s\n" % line)
            step = line[:4].upper()
            if step == "BDAT":
                text = self.chunk(int(line.split()[1]))
                if accepted:
                    self.server.keep(text)
                mail, accepted = False, 0
            said = self.say(step)
            if step == "RSET":
                mail, accepted = False, 0
            if step == "MAIL":
                mail = said == "2"
                accepted = 0
            if step == "RCPT" and said == "2" and mail:
                accepted += 1
            if step == "QUIT":
                return
            if step == "DATA" and said == "3":
                text = self.text()
                if accepted:
                    self.server.keep(text)
                self.say("END")


def main():
    table, directory = sys.argv[1:3]
    with open(table) as f:
        lines = [line.rstrip("\n") for line in f]
    for line in lines:
        name, _, script = line.partition(" ")
        server = Server(name, script.strip(), directory)
        threading.Thread(target=server.run, daemon=True).start()
    with open(os.path.join(directory, "ready"), "w"):
        pass
    while True:
        time.sleep(60)


if __name__ == "__main__":
    main()
