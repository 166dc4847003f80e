#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Primary mail servers with TLS, good and bad, for mx-flush's tests.

usage: tlsmx.py TABLE DIR

TABLE has a line for each server: "NAME CHAIN KEY [WORD ...]", CHAIN and KEY
being files in PEM.  A server offers STARTTLS and takes all mail; the words
make it do otherwise:

    ADDR:PORT   listen there instead of at any port of 127.0.0.1
    none        STARTTLS is not offered
    refuse      454 to STARTTLS
    close       close the connection instead of a reply to STARTTLS
    garbage     220, then text instead of a handshake
    slam        220, then close
    late        want a certificate of the client, and refuse it without
    tls12       no TLS 1.3
    deaf        no mail in clear text
    once        close after each message
    requiretls  offer REQUIRETLS inside TLS; the log has "requiretls" when MAIL
                has it

Writes DIR/NAME.port when it listens, and DIR/NAME.log: "connect", then
"tls VERSION new|resumed SNI" or "failed", then "mail clear|tls" for each
message that came whole.  DIR/ready appears last.
"""

import os
import socket
import ssl
import sys
import threading

PATIENCE = 20


class Server:
    def __init__(self, name, chain, key, words, directory):
        self.words = words
        self.log = open(os.path.join(directory, name + ".log"), "w",
                        buffering=1)
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(chain, key)
        self.context.sni_callback = self.sni
        if "late" in words:
            self.context.verify_mode = ssl.CERT_REQUIRED
        if "tls12" in words:
            self.context.maximum_version = ssl.TLSVersion.TLSv1_2
        at = ("127.0.0.1", 0)
        for word in words:
            if ":" in word:
                addr, port = word.rsplit(":", 1)
                at = (addr, int(port))
        self.listener = socket.create_server(at, backlog=50)
        with open(os.path.join(directory, name + ".port"), "w") as f:
            f.write("%d\n" % self.listener.getsockname()[1])
        threading.Thread(target=self.serve, daemon=True).start()

    def sni(self, sock, name, context):
        sock.sni = name

    def serve(self):
        while True:
            sock, _ = self.listener.accept()
            threading.Thread(target=self.session, args=(sock,),
                             daemon=True).start()

    def session(self, sock):
        sock.settimeout(PATIENCE)
        self.log.write("connect\n")
        try:
            self.talk(sock)
        except (OSError, EOFError):
            pass
        finally:
            # The file made of the socket inside TLS holds it, too.
            try:
                sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            sock.close()

    def starttls(self, sock):
        """The socket inside TLS, or None at the end of it all."""
        if "refuse" in self.words:
            sock.sendall(b"454 4.7.0 TLS not available\r\n")
            return sock
        if "close" in self.words:
            return None
        sock.sendall(b"220 2.0.0 go on\r\n")
        if "garbage" in self.words:
            sock.recv(4096)
            sock.sendall(b"500 5.5.1 what?\r\n")
            return None
        if "slam" in self.words:
            return None
        try:
            sock = self.context.wrap_socket(sock, server_side=True)
        except OSError:
            self.log.write("failed\n")
            return None
        self.log.write("tls %s %s %s\n" % (
            sock.version(), "resumed" if sock.session_reused else "new",
            getattr(sock, "sni", None) or "-"))
        return sock

    def talk(self, sock):
        sock.sendall(b"220 primary.test ESMTP\r\n")
        secret = False
        lines = sock.makefile("rb")
        while True:
            line = lines.readline()
            if not line:
                return
            verb = line.split(b" ")[0].strip().upper()
            if verb == b"EHLO":
                offer = "none" not in self.words and not secret
                sock.sendall(b"250-primary.test\r\n250-PIPELINING\r\n" +
                             (b"250-STARTTLS\r\n" if offer else b"") +
                             (b"250-REQUIRETLS\r\n" if secret and
                              "requiretls" in self.words else b"") +
                             b"250 8BITMIME\r\n")
            elif verb == b"STARTTLS":
                inside = self.starttls(sock)
                if inside is None:
                    return
                secret = inside is not sock
                sock = inside
                lines = sock.makefile("rb")
            elif verb in (b"MAIL", b"RCPT", b"DATA") and not secret and \
                    "deaf" in self.words:
                sock.sendall(b"530 5.7.0 STARTTLS first\r\n")
            elif verb == b"DATA":
                sock.sendall(b"354 go on\r\n")
                while True:
                    line = lines.readline()
                    if not line:
                        return
                    if line == b".\r\n":
                        break
                self.log.write("mail %s\n" % ("tls" if secret else "clear"))
                sock.sendall(b"250 2.0.0 taken\r\n")
                if "once" in self.words:
                    return
            elif verb == b"QUIT":
                sock.sendall(b"221 2.0.0 bye\r\n")
                return
            else:
                if verb == b"MAIL" and b" REQUIRETLS" in line:
                    self.log.write("requiretls\n")
                sock.sendall(b"250 2.0.0 ok\r\n")


def main():
    table, directory = sys.argv[1:3]
    with open(table) as f:
        for line in f:
            name, chain, key, *words = line.split()
            Server(name, chain, key, words, directory)
    open(os.path.join(directory, "ready"), "w").close()
    threading.Event().wait()


main()
