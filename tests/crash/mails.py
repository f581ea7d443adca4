"""mails — messages that prove themselves, and what a delivered copy of one says.

    X-Crash: ID LENGTH SHA-256      of everything behind this line, with CRLF
    Subject: ...
    (blank line, body)

A copy may have trace fields in front (Received, Return-Path, Delivered-To) and nothing else; Maildir files have LF where SMTP has
CRLF. Whatever does not look like that is a stranger: a notification, say, which no test here has a reason to get.
"""
import hashlib
import random
import re

MARK = re.compile(rb"X-Crash: ([A-Za-z0-9.-]+) (\d+) ([0-9a-f]{64})\r\n")
TRACE = re.compile(rb"(?:(?:Return-Path|Delivered-To|Received):[^\r\n]*\r\n(?:[ \t][^\r\n]*\r\n)*)*")
QUEUE_ID = re.compile(rb"\sid ([0-9A-Za-z]+)")

BODIES = 64
LARGE = 300 * 1024          # above what travels in a frame: content in a file of its own


class Source:
    """Makes messages. The same seed gives the same ones. large: how often one is a large one, which is most of the bytes then."""

    def __init__(self, seed, size=4096, large=0.004):
        self.random = random.Random(seed)
        self.large = large
        self.bodies = [self._body(self._length(i, size)) for i in range(BODIES)]

    def _length(self, i, size):
        if i == 0:
            return LARGE
        return size if i % 2 else self.random.randrange(1, 2 * size)

    def _body(self, length):
        """Lines of all kinds: dots in front, eight bits, nothing at all, and nearly as long as SMTP allows."""
        lines, have = [], 0
        while have < length:
            kind = self.random.randrange(12)
            noise = self.random.randbytes(30).hex().encode()
            line = {0: b"", 1: b".", 2: b"..", 3: b"." + noise, 4: b"From " + noise, 5: "äöü ".encode() + noise,
                    6: noise * 16}.get(kind, noise)
            lines.append(line)
            have += len(line) + 2
        return b"\r\n".join(lines) + b"\r\n"

    def message(self, name):
        return self.sealed(name, self.bodies[0] if self.random.random() < self.large else self.random.choice(self.bodies[1:]))

    @staticmethod
    def sealed(name, body):
        rest = b"From: <load@sender.example>\r\nSubject: message %s\r\n\r\n%s" % (name.encode(), body)
        return b"X-Crash: %s %d %s\r\n%s" % (name.encode(), len(rest), hashlib.sha256(rest).hexdigest().encode(), rest)


class Copy:
    """What a copy says of itself. name: "" for a stranger. whole: every byte is as it was sent."""

    def __init__(self, content, lf=False):
        if lf:
            content = content.replace(b"\n", b"\r\n")
        trace = TRACE.match(content)
        mark = MARK.match(content, trace.end())
        found = QUEUE_ID.search(trace.group(0))
        self.queue_id = found.group(1).decode() if found else "?"
        self.name, self.whole = "", False
        if mark is not None:
            rest = content[mark.end():]
            self.name = mark.group(1).decode()
            self.whole = len(rest) == int(mark.group(2)) and hashlib.sha256(rest).hexdigest().encode() == mark.group(3)
