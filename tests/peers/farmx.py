#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""A primary far away that has enough of a connection after some messages.

usage: farmx.py PORTFILE LOG MESSAGES

Offers PIPELINING and CHUNKING.  All that it says takes 20 ms to arrive.  MAIL
is answered with 421 after so many MESSAGES, and the connection closed while
the client still talks, so that it is reset.  LOG gets "connection" for each
one and the subject of each message that was taken.
"""

import queue
import re
import socket
import sys
import threading
import time

DELAY = 0.02
EHLO = "250-far.test\r\n250-PIPELINING\r\n250 CHUNKING"


class Session:
    def __init__(self, sock, log, messages):
        self.sock = sock
        self.file = sock.makefile("rb")
        self.log = log
        self.left = messages
        self.words = queue.Queue()
        self.writer = threading.Thread(target=self.write, daemon=True)
        self.writer.start()

    def write(self):
        while True:
            when, text = self.words.get()
            time.sleep(max(0, when - time.monotonic()))
            if text is None:
                return
            try:
                self.sock.sendall(text.encode() + b"\r\n")
            except OSError:
                return

    def say(self, text):
        self.words.put((time.monotonic() + DELAY, text))

    def talk(self):
        self.say("220 far.test")
        for line in self.file:
            verb = line[:4].upper()
            if verb == b"EHLO":
                self.say(EHLO)
            elif verb == b"BDAT":
                text = self.file.read(int(line.split()[1]))
                subject = re.search(rb"Subject: (.*)\r", text)[1]
                self.log.write(subject.decode() + "\n")
                self.say("250 2.0.0 taken")
            elif verb == b"MAIL" and self.left == 0:
                self.say("421 4.7.0 that is enough")
                break
            elif verb == b"QUIT":
                self.say("221 2.0.0 bye")
                break
            else:
                self.left -= verb == b"MAIL"
                self.say("250 2.1.0 ok")
        self.say(None)
        self.writer.join()


def serve(sock, log, messages):
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    log.write("connection\n")
    session = Session(sock, log, messages)
    try:
        session.talk()
    except OSError:
        pass
    session.file.close()
    sock.close()


def main():
    port, log, messages = sys.argv[1:4]
    listener = socket.create_server(("127.0.0.1", 0), backlog=50)
    with open(log, "w", buffering=1) as log:
        with open(port, "w") as f:
            f.write("%d\n" % listener.getsockname()[1])
        while True:
            threading.Thread(target=serve, args=(
                listener.accept()[0], log, int(messages)),
                daemon=True).start()


if __name__ == "__main__":
    main()
