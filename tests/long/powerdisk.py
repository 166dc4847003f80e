# SPDX-License-Identifier: ISC
"""A plugin of nbdkit's: a disk in memory that logs what is done to it.

	nbdkit python powerdisk.py base=FILE log=FILE

It begins with what is in base.  Each write and each flush is appended to
log as a RECORD (kind, length, offset) with the data behind it, before it is
answered; tests/long/powercut makes from it what a disk may hold after a cut.
"""

import os
import struct

import nbdkit

API_VERSION = 2
RECORD = struct.Struct('<BxxxIQ')
WRITE, WRITE_THROUGH, FLUSH = 1, 2, 3

settings = {}
disk = bytearray()
log = -1


def config(key, value):
    settings[key] = value


def get_ready():
    global disk, log
    with os.fdopen(os.open(settings['base'], os.O_RDONLY), 'rb') as f:
        disk = bytearray(f.read())
    log = os.open(settings['log'], os.O_WRONLY | os.O_CREAT | os.O_APPEND,
                  0o600)


def record(kind, offset, data):
    head = RECORD.pack(kind, len(data), offset)
    if os.writev(log, [head, data]) != len(head) + len(data):
        raise OSError('the log is full')


def open(readonly):
    return 1


def get_size(handle):
    return len(disk)


def can_fua(handle):
    return nbdkit.FUA_NATIVE


def pread(handle, buf, offset, flags):
    buf[:] = disk[offset:offset + len(buf)]


def pwrite(handle, buf, offset, flags):
    disk[offset:offset + len(buf)] = buf
    record(WRITE_THROUGH if flags & nbdkit.FLAG_FUA else WRITE, offset, buf)


def flush(handle, flags):
    record(FLUSH, 0, b'')
