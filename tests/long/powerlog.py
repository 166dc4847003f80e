# SPDX-License-Identifier: ISC
"""What a disk may hold after a power cut, from the log of powerdisk.py."""

import bisect
import os
import struct

RECORD = struct.Struct('<BxxxIQ')       # as in powerdisk.py
WRITE, WRITE_THROUGH, FLUSH = 1, 2, 3
SECTOR = 512


class Log:
    """The records of a file, numbered from 0; a cut is between two."""

    def __init__(self, name):
        self.fd = os.open(name, os.O_RDONLY)
        size = os.fstat(self.fd).st_size
        self.records, self.ends, at = [], [], 0
        while at + RECORD.size <= size:
            kind, length, offset = RECORD.unpack(
                os.pread(self.fd, RECORD.size, at))
            at += RECORD.size
            self.records.append((kind, length, offset, at))
            at += length
            self.ends.append(at)
        self.flushes = [i for i, r in enumerate(self.records) if r[0] == FLUSH]

    def close(self):
        os.close(self.fd)

    def cut_at(self, stamp):
        """The first cut that has all that was logged at a stamp."""
        return bisect.bisect_right(self.ends, stamp)

    def apply(self, disk, i, sectors=None):
        """Record I onto DISK: all of it, or these of its sectors."""
        kind, length, offset, at = self.records[i]
        if kind == FLUSH:
            return
        data = os.pread(self.fd, length, at)
        if sectors is None:
            disk[offset:offset + length] = data
            return
        for n in sectors:
            part = data[n * SECTOR:(n + 1) * SECTOR]
            start = offset + n * SECTOR
            disk[start:start + len(part)] = part


class Cuts:
    """Images of what the disk may hold, for cuts in rising order."""

    def __init__(self, log, base, rng):
        self.log, self.rng, self.at = log, rng, 0
        with open(base, 'rb') as f:
            self.durable = bytearray(f.read())
        self.later = self.dropped = self.torn = 0
        self.state = None

    def again(self, cut):
        """The last image, but what was torn in it is dropped."""
        self.rng.setstate(self.state)
        return self.image(cut, False)

    def image(self, cut, tear=True):
        """All up to the last flush, and some of what came later."""
        self.state = self.rng.getstate()
        i = bisect.bisect_left(self.log.flushes, cut)
        flushed = self.log.flushes[i - 1] if i else 0
        for n in range(self.at, flushed):
            self.log.apply(self.durable, n)
        self.at = max(self.at, flushed)
        disk = bytearray(self.durable)
        keep = self.rng.choice((0, 0.3, 0.7, 0.95))
        for n in range(flushed, cut):
            kind, length = self.log.records[n][:2]
            if kind == FLUSH:
                continue
            if kind == WRITE_THROUGH:
                self.log.apply(disk, n)
                continue
            self.later += 1
            if self.rng.random() < 0.15:
                sectors = [s for s in range(length // SECTOR)
                           if self.rng.random() < 0.5]
                self.torn += 1
                if tear:
                    self.log.apply(disk, n, sectors)
            elif self.rng.random() < keep:
                self.log.apply(disk, n)
            else:
                self.dropped += 1
        return disk
