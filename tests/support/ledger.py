"""ledger — messages that can be recognised and checked wherever they come out again.

Each message begins with "X-Ledger: ID"; what an MTA puts in front of it (Received, Return-Path ...) is skipped, what follows
must be the very bytes that were sent. Maildir files have LF where SMTP has CRLF, so both are compared with LF.
"""
import hashlib
import os
import pathlib
import random
import re
import threading

MARK = re.compile(rb"^X-Ledger: ([A-Za-z0-9._-]+)\r?\n", re.M)


def lf(content):
    return content.replace(b"\r\n", b"\n")


class Found:
    """What a look at all mailboxes and sinks gave."""

    def __init__(self):
        self.copies = {}            # (id, recipient) -> how many
        self.damaged = []           # (id or "?", where)

    def __repr__(self):
        return f"Found({len(self.copies)} deliveries, {len(self.damaged)} damaged)"


class Ledger:
    def __init__(self, prefix="m", seed=1):
        self.prefix = prefix
        self.random = random.Random(seed)
        self.digests = {}           # id -> SHA-256 with LF
        self.promised = {}          # (id, recipient) -> queue id
        self._next = 0
        self._lock = threading.Lock()

    def message(self, size=1000, headers="", eightbit=False):
        """A new message as (id, content with CRLF). `size` is about how long the content becomes."""
        with self._lock:
            self._next += 1
            name = f"{self.prefix}{self._next}"
            noise = self.random.randbytes(max(1, size // 2)).hex()
        head = f"X-Ledger: {name}\r\nSubject: message {name}\r\nMessage-ID: <{name}@ledger.test>\r\n{headers}\r\n".encode()
        need = max(0, size - len(head))
        lines = [noise[i:i + 70] for i in range(0, min(len(noise), need), 70)]
        body = "\r\n".join(lines) + "\r\n"
        content = head + (body.replace("a", "ä").encode() if eightbit else body.encode())
        self.digests[name] = hashlib.sha256(lf(content)).hexdigest()
        return name, content

    def note(self, name, content):
        """Registers a message that the test wrote itself; it must begin with its X-Ledger line."""
        self.digests[name] = hashlib.sha256(lf(content)).hexdigest()

    def promise(self, name, recipients, reply_text=""):
        """250 was said for these recipients."""
        for recipient in recipients:
            with self._lock:
                self.promised[name, recipient] = reply_text

    def look(self, maildirs=(), sinks=()):
        """maildirs: {recipient: path}. Sinks' transactions count for each recipient they accepted."""
        found = Found()
        for recipient, path in dict(maildirs).items():
            for file in maildir_files(path):
                self._judge(found, file.read_bytes(), [recipient], str(file))
        for sink in sinks:
            for transaction in sink.accepted():
                self._judge(found, transaction.content, transaction.recipients, f"session {transaction.session}")
        return found

    def _judge(self, found, content, recipients, where):
        match = MARK.search(content)
        if match is None:
            return                  # not ours: a DSN, say
        name = match.group(1).decode()
        if self.digests.get(name) != hashlib.sha256(lf(content[match.start():])).hexdigest():
            found.damaged.append((name, where))
            return
        for recipient in recipients:
            found.copies[name, recipient] = found.copies.get((name, recipient), 0) + 1

    def missing(self, found):
        return sorted(key for key in self.promised if key not in found.copies)

    def check(self, found, extra=0):
        """Everything promised is there, whole, and no recipient has more than 1 + extra copies."""
        assert not found.damaged, f"damaged: {found.damaged[:5]}"
        missing = self.missing(found)
        assert not missing, f"{len(missing)} of {len(self.promised)} promised are lost, first {missing[:5]}"
        doubled = {key: count for key, count in found.copies.items() if count > 1 + extra}
        assert not doubled, f"more than {extra} extra copies: {dict(list(doubled.items())[:5])}"


def maildir_files(path):
    """What is delivered: new/ and cur/, never tmp/."""
    for folder in ("new", "cur"):
        try:
            names = sorted(os.listdir(pathlib.Path(path) / folder))
        except FileNotFoundError:
            continue
        for name in names:
            yield pathlib.Path(path) / folder / name
