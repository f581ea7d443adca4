"""system_power — the power of the whole system is cut: at every persistence point of every scene, at random under load, and once with
disks that lie, where a loss must be seen.

The process that passes a point stops there (fault STOP). Then the file systems die without flushing their logs, every process is
killed, the disks come back, posthorn starts, delivers what it has, and the power goes a last time: what the ledger promises must
be in the Maildirs and at the next hop of a machine that is switched off.
"""
import collections
import pathlib
import random
import re
import shutil
import tempfile
import time

import disk
import points
from judge import Tail
from load import TRUSTED, Load
from rehearsal import Cut, Rehearsal
from scenes import SCENES as PLAIN
from sleepers import SLEEPERS
from station import LAYOUTS, USERS, Station
from taker import TakerProcess

SCENES = PLAIN + SLEEPERS
KINDS = ("ext4", "xfs")
SAMPLE_SECONDS = 50             # of cuts at points, without --long
LONG_SECONDS = 900              # and with it, of every scene on every layout in the order that the seed gives; --every-point: all of them
OTHER_LAYOUTS = 3               # scenes for each layout but the seed's own, without --long
RANDOM_SECONDS = 30
ROUND = 12                      # cuts until the queue is drained and the judge asked
RATE = 400                      # messages a second that are offered
EARLY = 0.25                    # share of the cuts that fall into the start
LONG_CUTS = 4000                # at random
PROGRESS = 10                   # seconds between two signs of life
LARGE = 0.01
DEFERS = 0.4                    # share of the recipients that the next hop puts off while the load lasts

# Each start opens a fresh segment, so after four cuts mail leaves such a ring; what was put off twice waits long enough to sleep.
RANDOM_SETTINGS = {
    "trusted-networks": [TRUSTED + "/32"],
    "queue": {"ring-segments": 8, "segment-size": "4MiB", "retry": ["300ms", "7s"]},
}
FOUND = re.compile(r"messages found in the ring, (\d+) in the spool")
EVACUATION, TRIES = "evacuate-one", 4
CONTROLS = ("receive-small", "receive-large", "maildir", "relay-refused")


def say(text):
    print(f"# {text}", flush=True)


class Progress:
    """A line now and then."""

    def __init__(self):
        self.began = self.told = time.monotonic()

    def __call__(self, text):
        now = time.monotonic()
        if now - self.told >= PROGRESS:
            self.told = now
            say(f"{now - self.began:.0f} s: {text}")


class AtPoints:
    """Every scene on every layout; without --long a sample in the order that the seed gives."""

    def __init__(self, directory, images, seed, report):
        self.directory, self.images, self.seed, self.report = directory, images, seed, report
        self.random = random.Random(seed)
        self.rehearsals, self.stations, self.sums = {}, [], {}
        self.passed = set()
        self.progress = Progress()

    def survey(self, layout, kind, scenes):
        """Plays the scenes once; returns the cuts that they offer."""
        name = f"{layout}-{kind}"
        station = Station(self.directory / name, self.images / name, layout, kind)
        self.stations.append(station)
        cuts = []
        for scene in scenes:
            rehearsal = self.rehearsals[layout, kind, scene.name] = Rehearsal(station, scene, self.seed)
            rehearsal.prepare()
            cuts += rehearsal.survey()
            self.passed |= set(rehearsal.passed)
        say(f"{layout}/{kind}: {len(scenes)} scenes pass {len(cuts)} points")
        return cuts

    def perform(self, cut, *lies):
        reached, verdict = self.rehearsals[cut.stage].perform(cut, *lies)
        total = self.sums.setdefault(cut.stage, collections.Counter())
        total.update(cuts=int(reached), missed=int(not reached), acknowledged=verdict.acknowledged, extra=verdict.extra, bad=len(verdict.faults))
        return verdict

    def perform_all(self, cuts, seconds=None):
        end = time.monotonic() + seconds if seconds else None
        for number, cut in enumerate(cuts):
            if end and time.monotonic() > end:
                say(f"a sample: {number} of {len(cuts)} cuts in {seconds} s; --every-point makes all of them")
                break
            verdict = self.perform(cut)
            if verdict.faults:
                self.report(f"power at {cut} (again: run.py --seed {self.seed} --cut {cut} power)", verdict.faults)
            self.progress(f"{number + 1} of {len(cuts)} cuts at points")

    def finish(self):
        """A line for each scene. Returns the number of cuts."""
        for (layout, kind, scene), total in self.sums.items():
            if not total["bad"]:
                self.report(f"power at points of {scene} on {layout}/{kind}: {total['cuts']} cuts, {total['missed']} not met again, "
                            f"{total['acknowledged']} acknowledged, {total['extra']} extra copies", [])
        return sum(total["cuts"] for total in self.sums.values())

    def end(self):
        for station in self.stations:
            station.end()


def at_points(directory, images, seed, long, kinds, report, every):
    """Returns the number of cuts."""
    suite = AtPoints(directory, images, seed, report)
    stages = [(layout, kind) for kind in kinds for layout in LAYOUTS]
    main = suite.random.choice([stage for stage in stages if stage[1] == kinds[0]])
    try:
        cuts = []
        for stage in stages:
            scenes = SCENES if long or stage == main else suite.random.sample(SCENES, OTHER_LAYOUTS)
            cuts += suite.survey(*stage, scenes)
        forgotten(suite, report)
        control(suite, main, report)
        suite.random.shuffle(cuts)
        suite.perform_all(cuts if every else spread(cuts), None if every else LONG_SECONDS if long else SAMPLE_SECONDS)
        return suite.finish()
    finally:
        suite.end()


def spread(cuts):
    """Of scenes that pass a thousand points, a sample takes fifty."""
    seen = collections.Counter()
    chosen = []
    for cut in cuts:
        seen[cut.stage] += 1
        if not cut.scene.often or seen[cut.stage] <= 50:
            chosen.append(cut)
    return chosen


def forgotten(suite, report):
    name = "power: every persistence point of the sources is passed by a scene or excused"
    if not points.in_the_code():
        report.skip(name, "the sources are not here (POSTHORN_SOURCE)")
        return
    report(name, [f"no scene passes {point}" for point in points.forgotten(suite.passed)])


def control(suite, stage, report):
    """The same cuts with syncs that do nothing: unless promised mail is lost, these tests could not see a loss."""
    for name in CONTROLS:
        rehearsal = suite.rehearsals.get((*stage, name))
        last = list(rehearsal.passed.items())[-1]
        lost, seen = tried(rehearsal, Cut(rehearsal, *last), points.LIES)
        report(f"control: without syncs {name} loses promised mail", [] if lost else [f"no loss was seen: {seen}"])
    control_of_evacuation(suite.rehearsals[(*stage, EVACUATION)], report)


def control_of_evacuation(rehearsal, report):
    """The ring is synced, and the spool and the catalog are not: mail that left the one is not in the other. Threads take turns as
    they like, so that now and then the lies fall on others' syncs; not every time."""
    lies = points.lies_between(rehearsal.order, "step-evacuate-1", "step-evacuate-5")
    wiped = rehearsal.order[:rehearsal.order.index("step-evacuate-5")].count("step-wipe-3") + 1
    lost, seen = tried(rehearsal, Cut(rehearsal, "step-wipe-3", wiped), lies)
    report(f"control: without the syncs of an evacuation {EVACUATION} loses promised mail",
           [] if lost else [f"no loss was seen: {lies}, {seen}"])


def tried(rehearsal, cut, lies):
    """What was lost, and all faults. A disk that is busy with others' work may write by itself what nobody synced: not every time."""
    for _ in range(TRIES):
        verdict = rehearsal.perform(cut, *lies)[1]
        lost = [fault for fault in verdict.faults if "(I1)" in fault]
        if lost:
            break
    return lost, verdict.faults


class AtRandom:
    """Load, and the power goes at any moment, in the start, too. Every so many cuts all must be where it belongs."""

    def __init__(self, directory, images, layout, kind, seed, report):
        directory.mkdir(parents=True, exist_ok=True)
        self.layout, self.kind, self.report = layout, kind, report
        self.random = random.Random(f"{seed}-{layout}-{kind}")
        self.next_hop = TakerProcess(directory / "taken", DEFERS)
        self.station = Station(directory, images, layout, kind, self.next_hop, RANDOM_SETTINGS)
        self.station.make()
        self.station.start()
        self.load = Load(self.station.promises, self.station.mta.mx, self.station.mta.trusted, USERS, seed, LARGE)
        self.progress = Progress()
        self.log = Tail(self.station.mta.log)
        self.rounds = 0
        self.sum = collections.Counter()

    def one_cut(self, environment):
        early = self.random.random() < EARLY
        if not early:
            self.station.mta.wait_ready(20)
        time.sleep(self.random.uniform(0, 0.1 if early else 0.5))      # the moment is the point: there is nothing to wait for
        self.station.cut()
        self.station.on()
        self.station.start(environment, ready=False)

    def round(self, cuts, environment=None):
        """Load and cuts; then the judge's verdict on a machine that is off."""
        self.rounds += 1
        self.next_hop.open = False
        self.load.go(f"r{self.rounds}", RATE)
        refusals = self.station.judge.refusals.copy()
        for _ in range(cuts):
            self.one_cut(environment)
        self.station.mta.wait_ready(20)
        self.load.rest()
        self.station.drain(60)
        left = self.station.left_over()
        self.station.cut()
        self.station.on()
        verdict = self.station.judge.settled("", True)
        verdict.faults += left + self.station.judge.harsh(self.station.judge.refusals - refusals)
        self.station.judge.forget()
        self.station.off()
        self.station.on()
        self.station.start()
        self.sum.update(cuts=cuts + 1, acknowledged=verdict.acknowledged, copies=verdict.copies, extra=verdict.extra,
                        spooled=self.found_in_spool())
        return verdict

    def found_in_spool(self):
        """How many messages the starts of this round found there."""
        return sum(int(m.group(1)) for line in self.log.lines() for m in [FOUND.search(line)] if m)

    def run(self, cuts, seconds=None):
        """Until so many cuts are made, or so many seconds are over."""
        name = f"power at random on {self.layout}/{self.kind}"
        end = time.monotonic() + seconds if seconds else None
        while self.sum["cuts"] < cuts and not (end and time.monotonic() > end):
            verdict = self.round(min(ROUND, cuts - self.sum["cuts"]))
            if verdict.faults:
                self.report(f"{name}, round {self.rounds}", verdict.faults)
            self.progress(f"{self.sum['cuts']} cuts at random on {self.layout}/{self.kind}, {self.sum['acknowledged']} acknowledged")
        self.report(f"{name}: {self.sum['cuts']} cuts, {self.sum['acknowledged']} acknowledged, {self.sum['copies']} copies, "
                    f"{self.sum['extra']} extra, {self.sum['spooled']} found in the spool at starts", [] if self.sum["acknowledged"] else ["no load"])

    def end(self):
        self.load.end()
        self.station.end()


def at_random(directory, images, seed, long, kinds, report, at_most):
    """Returns the number of cuts."""
    chooser = random.Random(seed)
    stages = [(layout, kind) for kind in kinds for layout in LAYOUTS]
    if not long:
        stages = [chooser.choice(stages)]
    cuts = 0
    for layout, kind in stages:
        name = f"random-{layout}-{kind}"
        suite = AtRandom(directory / name, images / name, layout, kind, seed, report)
        try:
            suite.run(at_most // len(stages) if long else at_most, None if long else RANDOM_SECONDS)
        finally:
            suite.end()
        cuts += suite.sum["cuts"]
    return cuts


def again(directory, images, seed, name, report):
    """One cut by its name, or all that a scene offers."""
    layout, kind, scene, *point = name.split("/")
    suite = AtPoints(directory, images, seed, report)
    try:
        cuts = suite.survey(layout, kind, [row for row in SCENES if row.name == scene])
        suite.perform_all([Cut(suite.rehearsals[layout, kind, scene], point[0], int(point[1]))] if point else cuts)
        suite.finish()
    finally:
        suite.end()


def usable_kinds(images, report):
    found = []
    for kind in KINDS:
        why = disk.why_not(kind, images)
        if why:
            report.skip(f"power cuts on {kind}", why)
        else:
            found.append(kind)
    return found


def run(directory, seed, long, report, cut=None, only=(), at_most=0, every=False):
    images = pathlib.Path(tempfile.mkdtemp(prefix="ph-disks-", dir=disk.room()))
    try:
        kinds = usable_kinds(images, report)
        if not kinds:
            return
        if cut:
            again(directory, images, seed, cut, report)
            return
        cuts = 0
        if not only or "points" in only:
            cuts += at_points(directory, images, seed, long or every, kinds, report, every)
        if not only or "random" in only:
            cuts += at_random(directory, images, seed, long, kinds, report, at_most or LONG_CUTS)
        report.blows += cuts
    finally:
        shutil.rmtree(images, ignore_errors=True)
