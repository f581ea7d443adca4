"""system_clock — the wall clock jumps by an hour and by ten years, forward and back, while mail is deferred or sleeps in the spool, and
across restarts.

No mail is given back, the next hop is not stormed, retries go on, new mail is served, and in the end everything arrives once. The
clock is the processes' own (fault TURN): the machine's stays as it is.
"""
import collections
import concurrent.futures
import multiprocessing
import os
import signal
import time

from judge import Judge
from posthorn import Posthorn, merged
from scenes import Actor
from sleepers import figures
from station import SETTINGS, USERS
from taker import Fickle, refuses
from waiting import wait_for

HOUR, YEARS = 3600, 10 * 365 * 86400
JUMPS = [("an hour forward", HOUR), ("an hour back", -HOUR), ("ten years forward", YEARS), ("ten years back", -YEARS)]
PROCESSES = ("LOGGER", "LOOKUP", "QUEUE", "RELAY", "MDA", "SMTPD")
WAITING = 12                    # messages that the next hop defers
WINDOW = 2.0                    # seconds in which attempts are counted
STORM = 2                       # times the attempts of an equal window before
LADDER = ["300ms", "600ms", "1s"]
PROGRESS = 10
SLEEP_LADDER = ["7s"]           # long enough to fall asleep
SLEEP_WINDOW = 4.0
SLEEP_PROGRESS = 20


class Counting(Fickle):
    """Counts what is asked for."""

    def __init__(self, ledger):
        self.asked = collections.Counter()      # recipient -> times
        super().__init__(ledger)

    def reply_for(self, session, verb, line, usual):
        if verb == "RCPT":
            self.asked[line[line.find("<") + 1:line.rfind(">")]] += 1
        return super().reply_for(session, verb, line, usual)


class Jump:
    ladder, window, progress = LADDER, WINDOW, PROGRESS

    def __init__(self, directory, seconds, seed):
        directory.mkdir()
        self.seconds = seconds
        self.promises = directory / "promises"
        self.next_hop = Counting(directory / "taken")
        smart = {"relay": {"smart-host": f"[127.0.0.1]:{self.next_hop.port}"}, "queue": {"retry": self.ladder}}
        self.mta = Posthorn(directory / "posthorn", merged(SETTINGS, smart), users=USERS, environment=self.plan("TURN"))
        self.judge = Judge(self.promises, directory / "taken", self.mta.maildirs(), refuses)
        self.actor = Actor(self, seed, "clock")
        self.waiting = [f"stay{i}@far.example" for i in range(WAITING)]
        self.faults = []

    def plan(self, what):
        return {f"POSTHORN_FAULT_{name}": f"clock:{self.seconds}:{what}" for name in PROCESSES}

    def stopped(self, _):
        return False            # nobody stands still here; Actor asks

    def turn(self):
        for name in PROCESSES:
            for pid in self.mta.pids(name.lower()):
                os.kill(pid, signal.SIGUSR2)

    def attempts(self):
        """In one window."""
        before = self.next_hop.asked.total()
        time.sleep(self.window)         # the window is the measure
        return self.next_hop.asked.total() - before

    def look(self, when, usual):
        """Attempts go on as usual, and new mail passes."""
        asked = self.attempts()
        if asked > STORM * usual + WAITING:
            self.faults.append(f"{when}: {asked} attempts in {self.window} s, {usual} before: a storm")
        before = self.next_hop.asked.copy()
        try:
            wait_for(lambda: all(self.next_hop.asked[r] > before[r] for r in self.waiting), self.progress, "an attempt for everybody")
        except AssertionError:
            stalled = sum(self.next_hop.asked[r] <= before[r] for r in self.waiting)
            self.faults.append(f"{when}: {stalled} of {WAITING} messages are not tried within {self.progress} s")
        self.actor.send("user1@local.test", "far@far.example")
        wait_for(lambda: len(self.listed()) == WAITING, 20, lambda: f"{when}: new mail to pass: {self.listed()}")

    def listed(self):
        return self.mta.queue()

    def restart(self, what):
        self.mta.kill_all()
        self.mta.environment = self.plan(what) if what else {}
        self.mta.restart()

    def lay(self):
        """What waits while the clock jumps."""
        self.mta.start()
        for recipient in self.waiting:
            self.actor.send(recipient)
        self.actor.deferred()

    def run(self):
        self.lay()
        usual = self.attempts()
        self.turn()
        self.look("after the jump", usual)
        self.mta.posthorn("queue", "hold", "all")
        self.mta.posthorn("queue", "release", "all")
        self.look("released after the jump", usual)
        self.restart("TURNED")
        self.look("started with the other clock", usual)
        self.restart(None)
        self.look("started with the clock put right", usual)
        self.next_hop.open = True
        self.mta.wait_empty(20)
        self.faults += self.judge.settled("", False).faults
        self.faults += [f"{len(self.judge.bounces)} recipients were given back"] if self.judge.bounces else []
        return self.faults

    def end(self):
        self.actor.close()
        self.mta.__exit__(Exception)
        self.next_hop.end()


class SleepingJump(Jump):
    """The mail has left the ring and sleeps: its times are in the catalog, on the store's own clock."""
    ladder, window, progress = SLEEP_LADDER, SLEEP_WINDOW, SLEEP_PROGRESS

    def lay(self):
        self.mta.start()
        for recipient in self.waiting[1:]:
            self.actor.send(recipient)
        self.actor.deferred()
        self.restart("TURN")                # the next message opens another segment, and the first is emptied
        self.actor.send(self.waiting[0])
        self.asleep()

    def asleep(self):
        """All but one are in the spool, and hardly anybody is awake."""
        def told():
            now = figures(self.actor)
            return now["spooled"] >= WAITING - 1 and now["awake"] <= 2

        wait_for(told, 20, lambda: f"mail to sleep: {figures(self.actor)}")


class FallingJump(SleepingJump):
    """The clock jumps while mail waits in the ring, and then it leaves and falls asleep."""
    ladder, progress = ["16s"], 30

    def run(self):
        self.mta.start()
        for recipient in self.waiting[1:]:
            self.actor.send(recipient)
        self.actor.deferred()
        self.restart("TURN")
        self.turn()
        self.actor.send(self.waiting[0])
        self.asleep()
        before = self.next_hop.asked.copy()
        try:
            wait_for(lambda: all(self.next_hop.asked[r] > before[r] for r in self.waiting[1:]), self.progress, "an attempt for everybody")
        except AssertionError:
            stalled = sum(self.next_hop.asked[r] <= before[r] for r in self.waiting[1:])
            self.faults.append(f"{stalled} of {WAITING - 1} messages are not tried within {self.progress} s")
        self.next_hop.open = True
        self.mta.posthorn("queue", "retry", "all")
        self.mta.wait_empty(20)
        self.faults += self.judge.settled("", False).faults
        self.faults += [f"{len(self.judge.bounces)} recipients were given back"] if self.judge.bounces else []
        return self.faults


def play(directory, seconds, seed, kind):
    jump = kind(directory, seconds, seed)
    try:
        return jump.run()
    except AssertionError as error:
        return [*jump.faults, str(error)]
    finally:
        jump.end()


KINDS = [("waits", Jump), ("sleeps", SleepingJump), ("falls asleep", FallingJump)]


def run(directory, seed, report):
    """All at the same time, each in a process of its own: they mostly wait."""
    rows = [(jump, doing, seconds, kind) for doing, kind in KINDS for jump, seconds in JUMPS]
    with concurrent.futures.ProcessPoolExecutor(len(rows), multiprocessing.get_context("spawn")) as pool:
        played = [((jump, doing), pool.submit(play, directory / str(number), seconds, seed, kind))
                  for number, (jump, doing, seconds, kind) in enumerate(rows)]
        for (jump, doing), result in played:
            report(f"clock: {jump}, while mail {doing} and across restarts", result.result())
