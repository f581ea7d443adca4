"""system_kill — every kind of process is killed again and again under load, then all at once; nothing promised may be lost.

One phase for each group of processes, each ended by an empty queue and a verdict, so that a loss is known by its cause. Processes
of one group die in turn at random moments; each has had about a second, because one that dies younger waits before it returns.
"""
import signal
import time

from plant import Plant, say
from posthorn import alive
from waiting import wait_for

# name, who dies in turn, share of the kills, seconds between two kills, may a recipient get an extra copy?
PHASES = [
    ("smtpd", ("smtpd-mx-0", "smtpd-trusted-0", "smtpd-mx-1", "smtpd-trusted-1"), 40, (0.05, 0.60), False),
    ("servants", ("lookup", "logger", "lookup-worker"), 36, (0.25, 0.6), False),
    ("queue", ("queue",), 26, (0.9, 1.5), False),
    ("agents", ("relay-0", "worker", "mda", "relay-1", "worker"), 50, (0.1, 0.5), True),
]
EVERYTHING = 26                 # whole trees
MIXED = 36                      # anybody, in any order
RATE_WANTED = 200               # acknowledged messages a second, over all phases: less is said, for timing decides nothing
RATE_LEAST = 50                 # below this the kills met no load worth the name, and the run proves nothing

# Kinds stopped together; each waits for the watchdog once. A worker is watched by mda, which gives a slow disk a minute.
STUCK = [("smtpd-mx-0", "smtpd-trusted-0", "relay-0", "logger"), ("lookup", "mda"), ("queue",)]
STUCK_LONG = STUCK + [("worker",)]
WATCHDOG = 10
SUPERVISORS = 3
ORPHANS_END = 5


class KillSuite:
    def __init__(self, plant, kills, report, long, only):
        self.plant, self.report, self.long, self.only = plant, report, long, only
        self.scale = kills / (sum(row[2] for row in PHASES) + EVERYTHING + MIXED)
        self.verdicts = []

    def times(self, share):
        return max(1, -int(-share * self.scale // 1))

    def sleep(self, span):
        time.sleep(self.plant.random.uniform(*span))

    def phase(self, name, disturb, extra_allowed):
        if self.only and name not in self.only:
            return
        try:
            verdict = self.plant.phase(name, disturb, extra_allowed)
        except AssertionError as error:
            self.report(f"kill {name}", [str(error)])
            raise
        self.verdicts.append(verdict)
        self.report(f"kill {name}: {verdict.kills} kills, {verdict.acknowledged} messages", verdict.faults)

    def run(self):
        for name, victims, share, span, extra in PHASES:
            self.phase(name, lambda v=victims, n=share, s=span: self.in_turn(v, self.times(n), s), extra)
        self.phase("everything", self.everything, True)
        self.phase("mixed", self.mixed, True)
        if self.verdicts:
            self.report_sum()
        self.phase("stuck", self.stuck, True)
        self.phase("supervisor", self.supervisor, True)
        self.orderly_stop()

    # -- the phases ---------------------------------------------------------------------------------------------------

    def in_turn(self, victims, count, span):
        for i in range(count):
            self.sleep(span)
            self.plant.kill(victims[i % len(victims)])
        self.sleep(span)

    def everything(self):
        for _ in range(self.times(EVERYTHING)):
            self.sleep((0.2, 1.0))
            self.plant.kill_everything()
            self.plant.mta.restart()
        self.sleep((0.5, 1.0))

    def mixed(self):
        names = [name for row in PHASES for name in row[1]]
        for _ in range(self.times(MIXED)):
            self.sleep((0.05, 0.5))
            self.plant.kill(self.plant.random.choice(names))
        self.sleep((0.5, 1.0))

    def stuck(self):
        for names in STUCK_LONG if self.long else STUCK:
            self.sleep((0.5, 1.0))
            stopped = {name: self.plant.kill(name, signal.SIGSTOP) for name in names}
            patience = 70 if "worker" in names else WATCHDOG + 5
            began = time.monotonic()
            wait_for(lambda s=stopped: self.plant.all_dead(s.values()), patience, lambda s=stopped: f"the end of what is stuck: {s}")
            say(f"stuck: {', '.join(names)} ended after {time.monotonic() - began:.1f} s")
            for name in names:
                self.plant.victim(name)     # somebody took its place

    def supervisor(self):
        for _ in range(SUPERVISORS):
            self.sleep((1.0, 1.5))
            began = time.monotonic()
            orphans = self.plant.kill_supervisor()
            self.plant.mta.restart()        # at once: the second one waits for lock and ports
            serving = time.monotonic() - began
            left = [pid for pid in orphans if alive(pid)]
            wait_for(lambda o=orphans: self.plant.all_dead(o), ORPHANS_END, lambda o=left: f"the end of orphans {o}")
            say(f"supervisor: served again after {serving:.2f} s")

    # -- the sum ------------------------------------------------------------------------------------------------------

    def report_sum(self):
        kills = sum(v.kills for v in self.verdicts)
        seconds = sum(v.seconds for v in self.verdicts)
        messages = sum(v.acknowledged for v in self.verdicts)
        extra = sum(v.extra for v in self.verdicts)
        rate = messages / seconds
        slow = [f"only {rate:.0f} messages/s were acknowledged"] if rate < RATE_LEAST else []
        busy = "" if rate >= RATE_WANTED else f" (a slow machine: {RATE_WANTED}/s are wanted)"
        self.report(f"all kills: {kills} kills, {messages} messages acknowledged, {rate:.0f}/s{busy}, {extra} extra copies", slow)

    def orderly_stop(self):
        try:
            self.plant.mta.stop()
            self.report("an orderly stop after all that", [])
        except AssertionError as error:
            self.report("an orderly stop after all that", [str(error)])


def run(directory, seed, kills, long, report, only=()):
    with Plant(directory, seed) as plant:
        KillSuite(plant, kills, report, long, only).run()
        report.blows += plant.kills
