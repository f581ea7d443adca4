"""system_full — a queue's file system that is really full, and one that turns read-only under a running posthorn.

Clients are told "not now" and never a false 250; what was promised before is delivered meanwhile or afterwards; service comes back by
itself, without a restart by hand, when there is room or the disk is writable again.
"""
import os
import pathlib
import shutil
import tempfile

import disk
from client import Client, Closed
from scenes import Actor
from station import Station
from waiting import wait_for

MIB = 1 << 20
SMALL = 32 * MIB                # the whole file system: ring, journal of ext4, and a little room
SETTINGS = {"queue": {"ring-segments": 8, "segment-size": "1MiB", "retry": ["300ms", "600ms", "1s"]}}
BACK = 30                       # seconds until service must be back


class Full:
    def __init__(self, directory, images, seed, kind="ext4"):
        self.station = Station(directory, images, "two", kind, settings=SETTINGS, size=SMALL)
        self.station.make()
        self.station.clear_ledger()
        self.actor = Actor(self.station, seed, "full")
        self.queue = self.station.disks[0]
        self.filler = self.queue.place / "filler"

    def fill(self):
        """Another file takes every block that is left."""
        with open(self.filler, "wb", buffering=0) as file:
            piece = MIB
            while piece >= 512:
                try:
                    file.write(b"x" * piece)
                except OSError:
                    piece //= 2
            os.fsync(file.fileno())

    def answers(self, large, count=6):
        """The last reply to each of some messages; only 250 goes into the ledger as promised."""
        codes = []
        for _ in range(count):
            try:
                self.actor.send("user1@local.test", "far@far.example", large=large)
                codes.append(250)
            except AssertionError as error:
                codes.append(int(str(error).split("refused: ")[1].lstrip("[Reply('\"")[:3]))
            except (OSError, Closed):
                codes.append(0)
        return codes

    def start_or_refuse(self):
        mta = self.station.mta
        self.station.start(ready=False)
        wait_for(lambda: mta.process.poll() is not None or mta.serves(), BACK, "a start or a refusal")
        if mta.process.poll() is None:
            return harsh(self.answers(False))
        print("# " + next(line for line in mta.words().splitlines() if "does not start" in line), flush=True)
        return [] if "No space left" in mta.words() else ["it does not say that there is no space"]

    def takes_mail(self, large=False):
        def once():
            return self.answers(large, 1) == [250]

        wait_for(once, BACK, lambda: f"mail to be taken again: {self.station.mta.words(1500)}", step=0.2)

    def verdict(self):
        """On a machine that was switched off."""
        self.station.drain(30)
        self.station.cut()
        self.station.on()
        faults = self.station.judge.settled("", True).faults
        self.station.off()
        return faults

    def end(self):
        self.actor.close()
        self.station.end()


def harsh(codes):
    return [f"a client was told {code}" for code in codes if code >= 500]


def full_under_way(full, report):
    """Full while posthorn runs: the ring has its space, large contents have not."""
    full.station.start()
    full.takes_mail()
    full.fill()
    small, large = full.answers(False), full.answers(True)
    faults = harsh(small + large) + (["a large message was taken on a full disk"] if 250 in large else [])
    faults += [] if 250 in small else ["small mail needs no new space, and was not taken"]
    full.filler.unlink()
    full.takes_mail()
    full.takes_mail()
    report("full: the disk of the queue fills up under posthorn", faults + full.verdict())


def full_at_a_restart(full, report):
    """Mail in the ring and no block free: posthorn serves, or says why it does not start. Nothing is lost either way."""
    full.station.start(arguments=["--paused"])
    full.takes_mail()
    full.fill()
    full.station.kill()
    faults = full.start_or_refuse()
    full.station.kill()
    full.filler.unlink()
    full.station.start()
    report("full: no block is free at a restart", faults + full.verdict())


def full_from_the_start(full, report):
    """No room for the ring: posthorn says so and promises nothing; with room it starts."""
    full.fill()
    faults = full.start_or_refuse()
    faults += [] if full.station.mta.process.poll() is not None else ["it serves without room for its ring"]
    full.station.kill()
    full.filler.unlink()
    full.station.start()
    full.takes_mail()
    report("full: no room for the ring at the first start", faults + full.verdict())


def read_only(full, report):
    """F22: the file system finds an error in itself and turns read-only; an administrator has it checked and mounts it again."""
    name = "full: the queue's file system turns read-only"
    full.station.start()
    full.takes_mail()
    try:
        full.queue.break_down()
    except disk.Unavailable as error:
        report.skip(name, str(error))
        return
    codes = full.answers(False)
    faults = harsh(codes) + (["a message was taken on a read-only disk"] if 250 in codes else [])
    full.station.kill()
    full.station.off()
    full.queue.check()
    full.station.on()
    full.station.start()
    full.takes_mail()
    report(name, faults + full.verdict())


def run(directory, seed, report):
    images = pathlib.Path(tempfile.mkdtemp(prefix="ph-disks-", dir=disk.room()))
    try:
        why = disk.why_not("ext4", images)
        if why:
            report.skip("a full disk", why)
            return
        for number, play in enumerate((full_under_way, full_at_a_restart, full_from_the_start, read_only)):
            full = Full(directory / f"full{number}", images / str(number), seed)
            try:
                play(full, report)
            except AssertionError as error:
                report(f"full: {play.__name__}", [str(error)])
            finally:
                full.end()
    finally:
        shutil.rmtree(images, ignore_errors=True)
