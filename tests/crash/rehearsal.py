"""rehearsal — a scene on one station: played once to learn the points that it passes, then again and again up to one of them.

Every time begins with the same disks, so the n-th pass of a point is the same moment.
"""
import collections
import threading
import time

import points
from scenes import Actor, Dark
from waiting import wait_for

STOPS = 30                      # seconds for a scene to come to its point, or to its end
DRAIN = 40
QUIET = 0.15                    # without a new point: the scene is over
MANY = 60                       # passes of one point; the catalog begins each of its logs with two thousand writes of zeros


class Cut:
    """One place where the power goes. Its name is what --cut takes."""

    def __init__(self, rehearsal, point, nth):
        self.scene, self.point, self.nth = rehearsal.scene, point, nth
        self.stage = rehearsal.station.layout, rehearsal.station.kind, self.scene.name

    def __str__(self):
        return "/".join((*self.stage, self.point, str(self.nth)))


def thinned(first, last):
    """All of them; of more than MANY so many, the first and the last among them."""
    count = last - first + 1
    if count <= MANY:
        return range(first, last + 1)
    return sorted({first + round(i * (count - 1) / (MANY - 1)) for i in range(MANY)})


class Rehearsal:
    def __init__(self, station, scene, seed):
        self.station, self.scene, self.seed = station, scene, seed
        self.promises = ""              # of what was there before
        self.names = []                 # of its messages
        self.passed, self.order = collections.Counter(), []

    def prepare(self):
        """Lays the ground and keeps a copy of the disks."""
        station = self.station
        station.settle(self.scene.settings)
        station.make()
        station.clear_ledger()
        actor = Actor(station, self.seed, "before")
        self.scene.before(actor)
        actor.close()
        station.cut()
        station.save(self.scene.name)
        self.promises, self.names = station.promises.read_text(), actor.names

    def survey(self):
        """Plays the scene undisturbed; returns the cuts that it offers."""
        self.from_the_beginning()
        actor, thread = self.begin(points.tell_all(*self.also()))
        thread.join(STOPS)
        if actor.error:
            raise AssertionError(f"{self.scene.name}: {actor.error!r}\n{self.station.mta.words()}")
        self.passed = self.quiet()
        self.order = points.order(self.errors())
        self.end(actor, thread)
        return [Cut(self, point, nth) for point, count in self.passed.items() for nth in thinned(actor.at_start[point] + 1, count)]

    def also(self):
        return (self.scene.also,) if self.scene.also else ()

    def quiet(self):
        """The points passed, when for a while no more come: what the last change leaves to be done is done behind its answer."""
        passed, since = points.told(self.errors()), time.monotonic()
        while time.monotonic() < since + QUIET:
            time.sleep(0.01)
            more = points.told(self.errors())
            if more != passed:
                passed, since = more, time.monotonic()
        return passed

    def errors(self):
        return self.station.mta.errors.read_text(errors="replace")

    def from_the_beginning(self):
        self.station.settle(self.scene.settings)
        self.station.restore(self.scene.name)
        self.station.clear_ledger(self.promises)

    def begin(self, environment):
        """Power on, posthorn with these faults, and the scene in a thread of its own (which is not posthorn's parent: it ends earlier)."""
        station = self.station
        station.on()
        station.mta.errors.unlink(missing_ok=True)
        actor = Actor(station, self.seed, "play")
        actor.names += self.names
        station.next_hop.open = self.scene.opened
        station.start(environment, ["--paused"] if self.scene.paused else [], ready=False)
        thread = threading.Thread(target=self.play, args=(actor,), daemon=True)
        thread.start()
        return actor, thread

    def play(self, actor):
        try:
            actor.ready()
            if self.scene.started:
                actor.at_start = points.told(self.errors())
            self.scene.play(actor)
        except Dark:
            pass
        except Exception as error:      # seen by whoever waits for the thread
            actor.error = error

    def end(self, actor, thread):
        actor.dark = True
        self.station.cut()
        thread.join(STOPS)
        assert not thread.is_alive(), f"{self.scene.name}: the scene does not end"
        actor.close()

    def perform(self, cut, *lies):
        """Returns (was the point reached?, verdict)."""
        self.from_the_beginning()
        plan = points.plan((cut.point, cut.nth, "STOP"), *self.also(), *lies)
        reached = self.stop_and_cut(cut, plan)
        if reached and self.scene.twice:
            self.stop_and_cut(cut, plan)
        return reached, self.judge()

    def stop_and_cut(self, cut, plan):
        station, who = self.station, points.owner(cut.point)
        actor, thread = self.begin(plan)
        wait_for(lambda: station.stopped(who) or not thread.is_alive(), STOPS, lambda: f"{cut}: the point or the end", step=0.002)
        end = time.monotonic() + QUIET
        while not (reached := station.stopped(who)) and time.monotonic() < end:
            time.sleep(0.002)
        self.end(actor, thread)
        if actor.error and not reached:
            raise AssertionError(f"{cut}: {actor.error!r}\n{station.mta.words()}")
        return reached

    def judge(self):
        """Power comes back, all goes where it belongs, and a last cut."""
        station = self.station
        station.on()
        station.start()
        station.drain(DRAIN)
        left = station.left_over(self.scene.aside)
        station.cut()
        station.on()
        verdict = station.judge.settled("", True)
        station.off()
        verdict.faults += left
        return verdict
