#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Checks the one report that waits in a folder, and says what is in it.

usage: read.py SPOOL/mail/DOMAIN

Prints lines "part TYPE", "header NAME: value", "message NAME: value",
"recipient N NAME: value", "text LINE", "original LINE", and what is wrong.
"""
import email
import email.policy
import glob
import re
import sys

found = glob.glob(sys.argv[1] + "/new/*") + glob.glob(sys.argv[1] + "/cur/*")
print("reports", len(found))
if len(found) != 1:
    sys.exit()
raw = open(found[0], "rb").read()
env = raw[:int(raw[15:23])].decode("utf-8")
for line in env.split("\r\n"):
    if re.match("Mx-(Sender|Recipient|Protocol)", line):
        print("envelope", line)
raw = raw[int(raw[15:23]):]
if b"\n" in raw.replace(b"\r\n", b"") or b"\r" in raw.replace(b"\r\n", b""):
    print("bare CR or LF")
if max(len(l) for l in raw.split(b"\r\n")) > 998:
    print("long line")
if raw.isascii() == (b"8bit" in raw.lower().split(b"\r\n\r\n")[0]):
    print("8bit wrongly labelled")
m = email.message_from_bytes(raw, policy=email.policy.SMTP)


def walk(p):
    yield p
    if p.get_content_maintype() == "multipart":
        for q in p.iter_parts():
            yield from walk(q)


def groups(part):
    """The groups of fields in a part message/...delivery-status."""
    if part.get_content_type() == "message/delivery-status":
        for group in part.get_payload():
            yield list(group.items())
        return
    # The library takes the other type for a message: from the octets, then.
    at = raw.index(b"message/global-delivery-status")
    at = raw.index(b"\r\n\r\n", at) + 4
    end = raw.index(b"\r\n--mxkeep-", at)
    for group in raw[at:end].decode("utf-8").strip("\r\n").split("\r\n\r\n"):
        yield [line.split(": ", 1) for line in group.split("\r\n")]


for p in walk(m):
    for d in p.defects:
        print("defect", d)
print("type", m.get_content_type(), m.get_param("report-type"))
for name in "From", "To", "Subject", "Auto-Submitted", "MIME-Version":
    line = re.search(rb"(?m)^%s: (.*)\r$" % name.encode(), raw)[1]
    print("header %s: %s" % (name, m[name] if line.isascii() else
        line.decode("utf-8")))
    for d in m[name].defects:
        if line.isascii():
            print("defect", d)
print("message-id", bool(re.fullmatch(r"<[^@<>\s]+@[a-z0-9.-]+>",
    m["Message-ID"])))
print("date", m["Date"].datetime.utcoffset().total_seconds() == 0)
parts = list(m.iter_parts())
for p in parts:
    print("part", p.get_content_type())
for n, group in enumerate(groups(parts[1])):
    for name, value in group:
        value = re.sub("[A-Z][a-z][a-z], .* [+]0000", "DATE", value)
        print("%s %s: %s" % ("recipient %d" % n if n else "message", name,
            value))
for line in parts[0].get_content().split("\n"):
    print("text", line.rstrip("\r"))
at = raw.index(b"Content-Description", raw.index(b"Content-Description",
    raw.index(b"Content-Description") + 1) + 1)
at = raw.index(b"\r\n\r\n", at) + 4
for line in raw[at:raw.rindex(b"\r\n--mxkeep-")].split(b"\r\n"):
    print("original", line.decode("utf-8", "backslashreplace"))
