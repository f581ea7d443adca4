"""system_peers — the same power cut for Debian's Postfix, Exim and OpenSMTPD: mail comes in and is kept, the power goes at a random
moment, the MTA starts again and passes on what it has; what was acknowledged and does not arrive is counted.

Nobody passes or fails here: docs/DURABILITY.md says what was seen. The packages are downloaded, not installed.
"""
import collections
import os
import pathlib
import random
import shutil
import tempfile
import time

import disk
from judge import Judge
from load import Load
from peers import PEERS
from ports import free_port
from postfix_peer import Unavailable
from station import USERS, sync
from taker import TakerProcess
from waiting import wait_for

CUTS = 10                       # of each
RATE = 200
LOADED = (0.5, 4.0)             # seconds of load before the power goes
LEAST = 20                      # messages acknowledged before it may
QUIET = 15                      # seconds without a new copy: no more will come
EMPTY = 180
CACHE = "/var/tmp/posthorn-peers"


class Trial:
    """One peer, one disk, one cut after the other, each on a new file system."""

    def __init__(self, kind, directory, images, seed):
        directory.mkdir()
        self.taken, self.promises = directory / "taken", directory / "promises"
        self.next_hop = TakerProcess(self.taken)
        self.peer = kind(directory / "peer", os.environ.get("POSTHORN_PEERS", CACHE), ("127.0.0.1", free_port()), self.next_hop.port)
        # The queue's first: whoever loses it while the other still works can forget nothing any more.
        self.disks = [disk.Disk(images / f"{kind.__name__}-{number}.img", place) for number, place in enumerate(self.peer.places)]
        self.random = random.Random(seed)
        self.load = Load(self.promises, self.peer.address, self.peer.address, USERS, seed, pipelined=kind.pipelined)
        self.judge = Judge(self.promises, self.taken, {})

    def loaded(self):
        self.judge.read_promises()
        return sum(m.acknowledged is not None for m in self.judge.messages.values()) >= LEAST

    def cut(self, number, power=True):
        self.judge.forget()
        for store in self.disks:
            store.make()
            store.on()
        self.peer.prepare()
        self.peer.start(hold=self.peer.holds)
        for store in self.disks:
            sync(store.place)               # what an MTA makes at its first start is old when the power goes
        self.load.go(f"cut{number}", RATE)
        wait_for(self.loaded, 30, lambda: f"mail to be taken: {self.peer.words()}")
        time.sleep(self.random.uniform(*LOADED))        # the moment is the point
        if power:
            for store in self.disks:
                store.cut()
        self.peer.kill()
        self.load.rest()
        self.off()

    def off(self):
        for store in self.disks:
            store.off()

    def drain(self):
        for store in self.disks:
            store.on()
        self.peer.start(hold=False)
        end, last, since = time.monotonic() + EMPTY, 0, time.monotonic()
        while time.monotonic() < min(end, since + QUIET) and not self.peer.empty():
            self.peer.flush()
            size = self.taken.stat().st_size
            if size != last:
                last, since = size, time.monotonic()
            time.sleep(1)
        self.peer.kill()
        self.delivered = collections.Counter(self.peer.delivered())
        self.off()

    def count(self):
        """(promised, lost, extra) of this round."""
        self.judge.read_promises()
        promised = [(name, r) for name, m in self.judge.messages.items() if m.acknowledged for r in m.recipients]
        copies = self.delivered
        for line in self.judge.taken.lines():
            _, name, _, recipient, _, _ = line.split(" ")       # whole or not: some add a Date and a Message-ID
            copies[name, recipient] += 1
        return len(promised), sum(key not in copies for key in promised), copies.total() - len(copies)

    def calibrate(self):
        """Killed without a cut: what is lost then would be this test's fault, or says that the queue was not passed on whole."""
        self.cut(0, power=False)
        self.drain()
        promised, lost, _ = self.count()
        assert lost == 0, f"of {promised} recipients {lost} are missing after a kill without a power cut: {self.peer.words()}"

    def run(self, cuts):
        self.calibrate()
        total = collections.Counter()
        for number in range(1, cuts + 1):
            self.cut(number)
            self.drain()
            promised, lost, extra = self.count()
            total.update(promised=promised, lost=lost, extra=extra, losing=int(lost > 0))
            print(f"# {self.peer.name}, cut {number}: {promised} recipients acknowledged, {lost} lost", flush=True)
        return (f"{self.peer.name} {self.peer.version}: {cuts} cuts {self.peer.doing}, {total['promised']} recipients acknowledged, "
                f"{total['lost']} lost (in {total['losing']} of the cuts), {total['extra']} extra copies")

    def end(self):
        self.load.end()
        self.peer.kill()
        self.off()
        self.peer.end()
        self.next_hop.end()


def run(directory, seed, report, only=()):
    images = pathlib.Path(tempfile.mkdtemp(prefix="ph-disks-", dir=disk.room()))
    try:
        why = disk.why_not("ext4", images)
        if why:
            report.skip("power cuts of other MTAs", why)
            return
        pathlib.Path(os.environ.get("POSTHORN_PEERS", CACHE)).mkdir(parents=True, exist_ok=True)
        for kind in PEERS:
            if only and kind.name.lower().replace(" ", "-") not in only:
                continue
            try:
                trial = Trial(kind, directory / kind.__name__, images, seed)
            except Unavailable as error:
                report.skip(f"power cuts of {kind.name}", str(error))
                continue
            try:
                report(trial.run(CUTS), [])
            except (AssertionError, Unavailable) as error:
                report.skip(f"power cuts of {kind.name}", f"it could not be run here: {error}")
            finally:
                trial.end()
    finally:
        shutil.rmtree(images, ignore_errors=True)
