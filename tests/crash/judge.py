"""judge — compares what clients were promised with what came out, over the whole run.

Invariants by their names: I1 no loss, I2 bounded duplicates, I3 integrity, I7 no phantom.
"""
import collections
import os
import pathlib

import dsn
from ledger import maildir_files
from mails import MARK, Copy

EXAMPLES = 5


class Message:
    def __init__(self, at, recipients):
        self.at, self.recipients = at, recipients
        self.acknowledged = None            # its queue id
        self.deleted = False                # an operator asked for it: gone or not is both right


class Verdict:
    """Of one phase. `faults` are sentences; none is good."""

    def __init__(self):
        self.sent = self.acknowledged = self.copies = self.extra = 0
        self.faults = []

    def fault(self, what, examples):
        examples = list(examples)
        if examples:
            self.faults.append(f"{len(examples)} {what}: {', '.join(map(str, examples[:EXAMPLES]))}")


class Tail:
    """The lines that a growing file got since the last look."""

    def __init__(self, path):
        self.path, self.at = path, 0

    def lines(self):
        if not self.path.exists():
            return []
        with open(self.path, "rb") as file:
            file.seek(self.at)
            new = file.read()
        whole = new[:new.rfind(b"\n") + 1]
        self.at += len(whole)
        return whole.decode().splitlines()


class Judge:
    """refuses: whether the next hop refuses a recipient for good, so that its sender has to be told."""

    def __init__(self, promises, taken, maildirs, refuses=lambda recipient: False):
        self.promises, self.taken = Tail(pathlib.Path(promises)), Tail(pathlib.Path(taken))
        self.maildirs = maildirs
        self.messages = {}                  # id -> Message
        self.copies = {}                    # (id, recipient) -> [(time, queue id)]
        self.bounces = {}                   # (id, recipient) -> [(time, queue id)]
        self.refuses = refuses
        self.strangers, self.damaged = [], []
        self.kills = []                     # (begin, end)
        self.refusals = collections.Counter()   # code -> how often

    def killed(self, began, ended):
        self.kills.append((began, ended))

    def forget(self):
        """What is settled: later copies of it are phantoms. Keeps a run of thousands of cuts from slowing down."""
        self.messages, self.copies, self.bounces, self.kills = {}, {}, {}, []

    def read_promises(self):
        for line in self.promises.lines():
            words = line.split(" ")
            if words[0] == "S":
                self.messages[words[1]] = Message(float(words[2]), set(words[3].split(",")))
            elif words[0] == "R":
                self.refusals[words[1]] += 1
            elif words[0] == "X":
                self.messages[words[1]].deleted = True
            else:
                self.messages[words[1]].acknowledged = words[3]

    def _copy(self, name, at, recipient, queue_id, whole):
        if name == "?":
            self.strangers.append(recipient)
        elif not whole:
            self.damaged.append((name, recipient))
        else:
            self.copies.setdefault((name, recipient), []).append((at, queue_id))

    def _read_copies(self):
        for line in self.taken.lines():
            _, name, at, recipient, queue_id, whole = line.split(" ")
            self._copy(name, float(at), recipient, queue_id, whole == "whole")
        for recipient, path in self.maildirs.items():
            for file in list(maildir_files(path)):
                content = file.read_bytes()
                copy = Copy(content, lf=True)
                at = file.stat().st_mtime
                if copy.name or not self._notice(content, at, copy.queue_id):
                    self._copy(copy.name or "?", at, recipient, copy.queue_id, copy.whole)
                os.unlink(file)             # read, as a user would; the next phase has less to look through

    def _notice(self, content, at, queue_id):
        """True for a notification about messages of ours; it counts for the recipients that it names."""
        try:
            notices = dsn.find([content])
        except AssertionError:
            return False
        for notice in notices:
            name = MARK.search(notice.original.replace("\n", "\r\n").encode())
            if name is None:
                return False
            for group in notice.recipients:
                recipient = group["Final-Recipient"].partition(";")[2].strip()
                self.bounces.setdefault((name.group(1).decode(), recipient), []).append((at, queue_id))
        return bool(notices)

    def acknowledged(self):
        """Queue ids of all that was promised so far."""
        self.read_promises()
        return {m.acknowledged for m in self.messages.values() if m.acknowledged}

    @staticmethod
    def harsh(refusals):
        """Trouble of ours is "not now"; nothing that these clients do deserves "never"."""
        never = {code: count for code, count in refusals.items() if code[0] not in "04"}
        return [f"clients were told never: {never}"] if never else []

    def settled(self, prefix, extra_allowed):
        """Of the messages whose names begin with `prefix`. extra_allowed: False for phases in which nothing may come twice."""
        self.read_promises()
        self._read_copies()
        verdict = Verdict()
        ours = {name: m for name, m in self.messages.items() if name.startswith(prefix)}
        verdict.sent = len(ours)
        verdict.acknowledged = sum(m.acknowledged is not None for m in ours.values())
        self._losses(verdict, ours)
        self._extras(verdict, ours, extra_allowed)
        self._phantoms(verdict)
        return verdict

    def _losses(self, verdict, ours):
        verdict.fault("recipients lost that were promised (I1)", (
            f"{name} ({m.acknowledged}) to {recipient}" for name, m in ours.items() if m.acknowledged and not m.deleted
            for recipient in m.recipients if (name, recipient) not in self._fates(recipient)))
        verdict.fault("copies with another queue id than was promised (I1)", (
            f"{name}: {m.acknowledged}" for name, m in ours.items() if m.acknowledged
            for recipient in m.recipients for _, queue_id in self.copies.get((name, recipient), ()) if queue_id != m.acknowledged))

    def _fates(self, recipient):
        """Where a recipient's end must show: a copy, or word to the sender."""
        return self.bounces if self.refuses(recipient) else self.copies

    def _extras(self, verdict, ours, extra_allowed):
        too_many = []
        for name, m in ours.items():
            for recipient in m.recipients:
                copies = self._fates(recipient).get((name, recipient), ())
                verdict.copies += len(copies)
                verdict.extra += max(0, len(copies) - 1)
                if len(copies) > 1 and len(copies) > 1 + (self._kills_while(m, copies) if extra_allowed else 0):
                    too_many.append(f"{name} to {recipient}: {copies}")
        verdict.fault("recipients with more copies than kills explain (I2)", too_many)

    def _kills_while(self, message, copies):
        """How many kills fell between the message's dot and its last copy; file times are coarse by a few milliseconds."""
        last = max(at for at, _ in copies) + 0.02
        return sum(message.at <= ended and began <= last for began, ended in self.kills)

    def _phantoms(self, verdict):
        """Also of earlier phases: what comes late is found at the next look."""
        verdict.fault("copies that are not what was sent (I3)", self.damaged)
        verdict.fault("messages that nobody sent (I7)", self.strangers)
        verdict.fault("copies for recipients whom nobody named (I7)", (
            key for key in self.copies if key[0] not in self.messages or key[1] not in self.messages[key[0]].recipients))
        verdict.fault("recipients given back whom nobody refused (I7)", (
            key for key in self.bounces if key[0] not in self.messages or not self.refuses(key[1])))
        self.damaged, self.strangers = [], []
