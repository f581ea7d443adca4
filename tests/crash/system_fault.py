"""system_fault — the disk and the memory of a running posthorn fail, once or for ever, while mail comes in.

For each row: mail is laid into the ring with deliveries paused, everything is killed, and posthorn starts with the fault in it.
Clients get 4xx or no connection and never a false 250; without the fault it then serves again and nothing promised is lost.
"""
import time

from plant import Plant, greets, say

PAUSED = ["--paused"]           # then every batch holds a client's message; one that fails is written again elsewhere

# name, process, how posthornd is started, plan, must clients notice it (or posthorn refuse to start)?
ROWS = [
    ("write fails once, under a client's message", "QUEUE", PAUSED, "store-write:60:EIO", False),
    ("write fails for ever, in the middle", "QUEUE", [], "store-write:60+:EIO", True),
    ("write finds the disk full", "QUEUE", [], "store-write:40+:ENOSPC", True),
    ("write fails while starting", "QUEUE", [], "store-write:1:EIO", True),
    ("sync fails once, under a client's message", "QUEUE", PAUSED, "store-sync:60:EIO", False),
    ("write fails once, under anything", "QUEUE", [], "store-write:90:EIO", False),
    ("sync fails once, under anything", "QUEUE", [], "store-sync:90:EIO", False),
    ("sync fails for ever, in the middle", "QUEUE", [], "store-sync:60+:EIO", True),
    ("sync fails for ever from the start", "QUEUE", [], "store-sync:1+:EIO", True),
    ("rename fails once", "QUEUE", [], "store-rename:1:EIO", True),
    ("rename fails for ever", "QUEUE", [], "store-rename:1+:EROFS", True),
    ("reading the ring fails", "QUEUE", [], "store-read:3:EIO", False),
    ("files of large messages cannot be removed", "QUEUE", [], "store-unlink:1+:EIO", False),
    ("no descriptor for large messages", "QUEUE", [], "store-open:20+:EMFILE", True),
    ("no memory once", "QUEUE", [], "alloc:3000:ENOMEM", False),
    ("no memory for a while", "QUEUE", [], "alloc:2500+:ENOMEM", True),
    ("the catalog's commit fails once", "QUEUE", [], "catalog-commit:2:EIO", False),
    ("the catalog's commit finds no space", "QUEUE", [], "catalog-commit:1+:ENOSPC", False),
    ("the catalog cannot begin", "QUEUE", [], "catalog-begin:1+:ENOSPC", False),
    ("a change of the catalog fails", "QUEUE", [], "catalog-change:20:EIO", False),
    ("the catalog cannot be read", "QUEUE", [], "catalog-read:30:EIO", False),
    ("the catalog's files cannot be written", "QUEUE", [], "catalog-write:1+:EIO", False),
    ("the catalog's files find no space", "QUEUE", [], "catalog-write:1+:ENOSPC", False),
    ("large content cannot be written", "SMTPD", [], "content-write:1+:ENOSPC", True),
    ("the file system is nearly full", "QUEUE", [], "disk-space:1+:ENOSPC", True),
    ("accept fails once", "SMTPD", [], "accept:3:EMFILE", False),
]
SETTINGS = {"smtpd": {"workers": 1}, "relay": {"workers": 1}}
RATE = 150
LAID, LOADED, AFTER = 0.4, 1.5, 0.5         # seconds of load before, with and after the fault
START = 15


class FaultSuite:
    def __init__(self, plant, report):
        self.plant, self.mta, self.report = plant, plant.mta, report

    def run(self, only):
        rows = [row for row in ROWS if not only or any(part in row[3] for part in only)]
        for number, row in enumerate(rows):
            self.row(f"fault{number}.", *row)

    def load(self, prefix, seconds):
        self.plant.load.go(prefix, RATE)
        time.sleep(seconds)
        self.plant.load.rest()

    def row(self, prefix, name, process, arguments, plan, felt):
        before = self.plant.judge.refusals.copy()
        self.lay(prefix)
        began = time.time()
        deaths = len(self.deaths())
        started = self.start_broken(process, arguments, plan)
        if started:
            self.load(prefix + "during", LOADED)
        self.mta.kill_all()
        for _ in range(len(self.deaths()) - deaths + 1):
            self.plant.killed(began)
        verdict, after = self.recover(prefix)
        refused = self.plant.judge.refusals - before
        self.report(f"fault: {name} ({plan})", verdict.faults + list(self.complaints(started, felt, refused, after)))
        say(f"{plan}: {'ran' if started else 'did not start'}, refusals {dict(refused)}, {verdict.acknowledged} acknowledged, "
            f"{len(self.deaths()) - deaths} deaths, {verdict.extra} extra copies")

    def lay(self, prefix):
        """Mail in the ring, then a power failure."""
        self.mta.kill_all()
        self.mta.environment, self.mta.arguments = {}, ["--paused"]
        self.mta.restart()
        self.plant.next_hop.open = False        # what waits leaves the ring
        self.load(prefix + "before", LAID)
        self.mta.kill_all()

    def start_broken(self, process, arguments, plan):
        """False when it says that it cannot start, and ends."""
        self.mta.environment, self.mta.arguments = {"POSTHORN_FAULT_" + process: plan}, arguments
        if plan.split(":")[1].endswith("+"):
            self.mta.environment["POSTHORN_FAULT_AGAIN_" + process] = plan
        self.mta.restart(ready=False)
        end = time.monotonic() + START
        while self.mta.process.poll() is None:
            if greets(self.mta.mx):
                return True
            assert time.monotonic() < end, f"neither serves nor ends: {self.mta.words()}"
            time.sleep(0.02)
        assert "does not start" in self.mta.words(), self.mta.words()
        return False

    def recover(self, prefix):
        """Without the fault; returns the judge's word on the row and how many messages were taken afterwards."""
        self.mta.environment, self.mta.arguments = {}, []
        self.mta.restart()
        self.load(prefix + "after", AFTER)
        verdict = self.plant.settle(prefix, True)
        return verdict, self.plant.judge.settled(prefix + "after", True).acknowledged

    def complaints(self, started, felt, refused, after):
        yield from self.plant.judge.harsh(refused)
        if felt and started and not refused:
            yield "nobody noticed the fault"
        if after == 0:
            yield "no mail was taken after the fault had gone"

    def deaths(self):
        return [line for line in self.mta.log_lines() if "it is started again" in line]


def run(directory, seed, report, only=()):
    with Plant(directory, seed, SETTINGS, large=0.05) as plant:
        FaultSuite(plant, report).run(only)
