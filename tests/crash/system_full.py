"""system_full — a queue's file system that is really full, and one that turns read-only under a running posthorn.

Clients are told "not now" and never a false 250; what was promised before is delivered meanwhile or afterwards; service comes back by
itself, without a restart by hand, when there is room or the disk is writable again.
"""
import os
import pathlib
import shutil
import tempfile

import disk
from client import Closed
from posthorn import merged
from scenes import Actor
from sleepers import HOURS, asleep, catalog_lost, figures, waiting_long
from station import Station, sync
from waiting import wait_for

MIB = 1 << 20
SMALL = 32 * MIB                # the whole file system: ring, journal of ext4, log of the catalog, and a little room
SETTINGS = {"queue": {"ring-segments": 8, "segment-size": "1MiB", "retry": ["300ms", "600ms", "1s"]}}
BLOCK = 4096
ROOM = (1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 14, 16, 20, 24, 32, 48, 64, 128, 512, 1024, 2048, 2060)
RING, PIECE = 8 * MIB, 200 * 1024
BACK = 30                       # seconds until service must be back


class Full:
    def __init__(self, directory, images, seed, kind="ext4", size=SMALL):
        self.station = Station(directory, images, "two", kind, settings=SETTINGS, size=size)
        self.station.make()
        self.station.clear_ledger()
        self.actor = Actor(self.station, seed, "full")
        self.queue = self.station.disks[0]
        self.filler = self.queue.place / "filler"
        self.left = []              # in the spool, at the verdict

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

    def leave(self, blocks):
        """Full but for so many blocks."""
        self.filler.unlink(missing_ok=True)
        self.fill()
        os.truncate(self.filler, self.filler.stat().st_size - blocks * BLOCK)
        sync(self.queue.place)

    def answers(self, large, count=6):
        """The last reply to each of some messages; only 250 goes into the ledger as promised."""
        return [code for _ in range(count) for code in self.answers_to(["user1@local.test", "far@far.example"], large=large)]

    def answers_to(self, recipients, **options):
        try:
            self.actor.send(*recipients, **options)
            return [250]
        except AssertionError as error:
            return [int(str(error).split("refused: ")[1].lstrip("[Reply('\"")[:3])]
        except (OSError, Closed):
            return [0]

    def start_or_refuse(self, when=""):
        mta = self.station.mta
        self.station.start(ready=False)
        wait_for(lambda: mta.process.poll() is not None or mta.serves(), BACK, "a start or a refusal")
        if mta.process.poll() is None:
            return harsh(self.answers(False))
        print("# " + when + next(line for line in mta.words().splitlines() if "does not start" in line), flush=True)
        return [] if "No space left" in mta.words() else ["it does not say that there is no space"]

    def takes_mail(self, large=False):
        def once():
            return self.answers(large, 1) == [250]

        wait_for(once, BACK, lambda: f"mail to be taken again: {self.station.mta.words(1500)}", step=0.2)

    def waits_long(self):
        """What the next hop puts off may sleep."""
        self.station.settle(merged(SETTINGS, HOURS))

    def pour(self, most=RING // PIECE):
        """Messages that wait, until one is refused; never more than the ring has room for."""
        codes = []
        while len(codes) < most and codes[-1:] != [451] and codes[-1:] != [452]:
            codes += self.answers_to([f"stay{len(codes)}@far.example"], size=PIECE)
        return codes

    def leaves(self):
        """By itself, when there is room again."""
        wait_for(lambda: figures(self.actor)["evacuated"] > 0, BACK, lambda: f"mail to leave the ring: {self.station.mta.words(1500)}", step=0.2)

    def verdict(self):
        """On a machine that was switched off."""
        self.station.drain(30)
        self.left = self.station.left_over()
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


def evacuation_without_space(full, report):
    """The ring fills with mail that waits and cannot leave: clients hear 4xx before it is full, and with room it leaves by itself."""
    full.waits_long()
    waiting_long(full.actor, large=False)
    full.station.start()
    full.fill()
    codes = full.pour()
    faults = harsh(codes) + ([] if 250 in codes else ["a ring with room takes nothing"])
    faults += [] if codes[-1] != 250 else ["clients fill the whole ring with mail that cannot leave"]
    faults += ["mail left the ring without space"] if figures(full.actor)["evacuated"] else []
    full.filler.unlink()
    full.leaves()
    full.takes_mail()
    report("full: the ring fills up, and the spool has no space", faults + full.verdict())


def sleepers_without_space(full, report):
    """Mail that sleeps is finished while neither spool nor catalog can grow; then a restart, still without space."""
    full.waits_long()
    asleep(full.actor, large=False)
    full.station.start()
    full.fill()
    full.station.next_hop.open = True
    full.actor.ask("queue", "retry", "all")
    faults = harsh(full.answers(False))
    full.actor.empty()
    full.station.kill()
    faults += full.start_or_refuse()
    full.station.kill()
    full.filler.unlink()
    full.station.start()
    full.takes_mail()
    verdict = full.verdict()
    report("full: mail that sleeps is finished without space", faults + verdict + full.left)


def sleepers_at_a_restart(full, report):
    """No block free at the start, and mail sleeps."""
    full.waits_long()
    asleep(full.actor, large=False)
    full.fill()
    faults = full.start_or_refuse()
    full.station.kill()
    full.filler.unlink()
    full.station.start()
    report("full: no block is free at a restart, and mail sleeps", faults + full.verdict() + full.left)


def nearly_full(full, report):
    """Mail sleeps, and from start to start there is a little more room: wherever it ends, nothing of the catalog is given up."""
    full.waits_long()
    asleep(full.actor, large=False)
    faults, served = [], 0
    for blocks in ROOM:
        full.leave(blocks)
        refused = full.start_or_refuse(f"{blocks} blocks free: ")
        faults += [f"{blocks} blocks free: {fault}" for fault in refused]
        if full.station.mta.process.poll() is None:
            served += 1
            full.actor.ask("queue", "hold" if served % 2 else "release", "@other.example")
            faults += harsh(full.pour(2))
        full.station.kill()
    full.filler.unlink()
    full.station.start()
    full.takes_mail()
    print(f"# {served} of {len(ROOM)} starts served", flush=True)
    report("full: nearly, at many starts, and mail sleeps", faults + full.verdict() + full.left)


def rebuild_without_space(full, report):
    """The catalog is lost, and there is no room for another."""
    full.waits_long()
    catalog_lost(full.actor, large=False)
    full.fill()
    faults = full.start_or_refuse()
    full.station.kill()
    full.filler.unlink()
    full.station.start()
    full.takes_mail()
    report("full: no room to make a lost catalog anew", faults + full.verdict() + full.left)


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


PLAYS = [(full_under_way, 32), (full_at_a_restart, 32), (full_from_the_start, 32), (read_only, 32),
         (evacuation_without_space, 40), (evacuation_without_space, 64), (sleepers_without_space, 40), (sleepers_at_a_restart, 40),
         (sleepers_at_a_restart, 64), (rebuild_without_space, 40), (nearly_full, 40)]


def run(directory, seed, report):
    images = pathlib.Path(tempfile.mkdtemp(prefix="ph-disks-", dir=disk.room()))
    try:
        why = disk.why_not("ext4", images)
        if why:
            report.skip("a full disk", why)
            return
        for number, (play, size) in enumerate(PLAYS):
            full = Full(directory / f"full{number}", images / str(number), seed, size=size * MIB)
            try:
                play(full, report)
            except AssertionError as error:
                report(f"full: {play.__name__} on {size} MiB", [str(error)])
            finally:
                full.end()
    finally:
        shutil.rmtree(images, ignore_errors=True)
