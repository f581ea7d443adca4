"""taker — the next hop: a sink in a process of its own that writes down every copy before it says 250.

    D ID TIME RECIPIENT QUEUE-ID whole | damaged

ID is "?" for what no client of these tests sent.
"""
import multiprocessing
import os
import random
import time

from mails import Copy
from sink import Sink


class Taker(Sink):
    def __init__(self, ledger):
        self.file = os.open(ledger, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        super().__init__(name="taker.example")

    def record(self, transaction):
        if not transaction.accepted:
            return
        copy = Copy(transaction.content)
        words = f"{time.time():.6f} %s {copy.queue_id} {'whole' if copy.whole else 'damaged'}"
        for recipient in transaction.recipients:
            os.write(self.file, f"D {copy.name or '?'} {words % recipient}\n".encode())
        transaction.content = b""


class Fickle(Taker):
    """A next hop that judges by the recipient's name: no... is refused for good; later... is told "not now" the first time, stay...
    until `open`; nay... until then, too, and refused for good afterwards."""

    def __init__(self, ledger):
        self.open, self.seen = False, set()
        super().__init__(ledger)

    def follow(self, ledger):
        """From now on into another ledger, having met nobody."""
        os.close(self.file)
        self.file = os.open(ledger, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        self.open, self.seen = False, set()

    def end(self):
        os.close(self.file)
        self.close()

    def reply_for(self, session, verb, line, usual):
        name = line[line.find("<") + 1:]
        if verb == "RCPT" and name.startswith("no"):
            return "550 5.1.1 nobody here"
        if verb == "RCPT" and name.startswith(("stay", "nay")) and not self.open:
            return "451 4.2.1 not now"
        if verb == "RCPT" and name.startswith("nay"):
            return "550 5.1.1 nobody here any more"
        if verb == "RCPT" and name.startswith("later") and name not in self.seen:
            self.seen.add(name)
            return "451 4.2.1 later"
        return super().reply_for(session, verb, line, usual)


def refuses(recipient):
    return recipient.startswith(("no", "nay"))


class Moody(Taker):
    """A next hop that puts off a share of the recipients, whoever they are, until `open`."""

    def __init__(self, ledger, defers):
        self.open, self.defers = False, defers
        super().__init__(ledger)

    def reply_for(self, session, verb, line, usual):
        if verb == "RCPT" and not self.open and random.random() < self.defers:
            return "451 4.2.1 not now"
        return super().reply_for(session, verb, line, usual)


def run(pipe, ledger, defers):
    taker = Moody(ledger, defers)
    pipe.send(taker.port)
    try:
        while (said := pipe.recv()) != "end":       # or until the tests are gone
            taker.open = said == "open"
    except EOFError:
        pass
    taker.close()


class TakerProcess:
    def __init__(self, ledger, defers=0.0):
        context = multiprocessing.get_context("spawn")
        self.pipe, theirs = context.Pipe()
        self.process = context.Process(target=run, args=(theirs, str(ledger), defers), daemon=True)
        self.process.start()
        theirs.close()
        self.port = self.pipe.recv()
        self._open = False

    @property
    def open(self):
        """Does it take everything? The answer may be one recipient late."""
        return self._open

    @open.setter
    def open(self, value):
        self._open = value
        self.pipe.send("open" if value else "shut")

    def end(self):
        self.pipe.send("end")
        self.process.join(10)
        if self.process.is_alive():
            self.process.kill()
