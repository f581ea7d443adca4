"""taker — the next hop: a sink in a process of its own that writes down every copy before it says 250.

    D ID TIME RECIPIENT QUEUE-ID whole | damaged

ID is "?" for what no client of these tests sent.
"""
import multiprocessing
import os
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
    """A next hop that judges by the recipient's name: no... is refused for good; later... the first time, stay... until `open`."""

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
        if verb == "RCPT" and name.startswith("stay") and not self.open:
            return "451 4.2.1 not now"
        if verb == "RCPT" and name.startswith("later") and name not in self.seen:
            self.seen.add(name)
            return "451 4.2.1 later"
        return super().reply_for(session, verb, line, usual)


def refuses(recipient):
    return recipient.startswith("no")


def run(pipe, ledger):
    taker = Taker(ledger)
    pipe.send(taker.port)
    try:
        pipe.recv()                 # until the tests end, or say so
    except EOFError:
        pass
    taker.close()


class TakerProcess:
    def __init__(self, ledger):
        context = multiprocessing.get_context("spawn")
        self.pipe, theirs = context.Pipe()
        self.process = context.Process(target=run, args=(theirs, str(ledger)), daemon=True)
        self.process.start()
        theirs.close()
        self.port = self.pipe.recv()

    def end(self):
        self.pipe.send("end")
        self.process.join(10)
        if self.process.is_alive():
            self.process.kill()
