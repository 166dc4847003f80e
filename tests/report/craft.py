#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Puts a message into the spool by hand, with an envelope of one's choice.

usage: craft.py SPOOL DOMAIN AGE SENDER RECIPIENT-LINE ... <message

SENDER is "<address> parameters"; a RECIPIENT-LINE "p <address> parameters",
behind which "|" and further lines of the envelope may stand.  Prints the id.
"""
import os
import sys
import time

spool, domain, age, sender = sys.argv[1:5]
text = sys.stdin.buffer.read()
arrived = int(time.time()) - int(age)
lines = "Mx-Arrived: %d x\r\nMx-Domain: %s\r\nMx-Sender: %s\r\n" % (
    arrived, domain, sender)
for recipient in sys.argv[5:]:
    lines += "Mx-Recipient: %s\r\n" % recipient.replace("|", "\r\n")
lines += "Mx-End: 1\r\n"
lines = os.fsencode(lines)
block = b"Mx-Envelope: 1 %08d -\r\n%s" % (27 + len(lines), lines)
data = block + text
new = "%s/mail/%s/new" % (spool, domain)
for d in "tmp", "new", "cur":
    os.makedirs(os.path.dirname(new) + "/" + d, 0o700, exist_ok=True)
name = "%d.M1P%dQ1.mx2.backup.test,S=%d" % (arrived, os.getpid(), len(data))
with open(new + "/" + name, "wb") as f:
    f.write(data)
print(name)
