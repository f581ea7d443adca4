"""plant — a posthorn with everything around it that the crash tests need: clients, next hop, ledger, judge, and somebody who kills.

All times are bounded; what happened is printed while it happens.
"""
import os
import pathlib
import random
import signal
import socket
import time

from judge import Judge
from load import Load, TRUSTED
from posthorn import Posthorn, alive, kill, merged, processes
from taker import TakerProcess
from waiting import wait_for

USERS = [f"user{i}" for i in range(8)]
SETTLE = 90                 # seconds until the queue must be empty after a phase
RATE = 300                  # messages a second that are offered
GROWN_UP = 1.05             # seconds; the supervisor takes an earlier death for a fault and waits before it starts another
EARLY_DEATHS = 0.03
DEFERS = 0.3                # share of the recipients that the next hop puts off while there is load: such mail may leave the ring and sleep

SETTINGS = {
    "postmaster": "user0@local.test",
    "trusted-networks": [TRUSTED + "/32"],
    "smtpd": {"workers": 2, "max-errors": 1000},
    "queue": {"ring-segments": 8, "segment-size": "8MiB", "retry": ["300ms", "7s"]},
    "relay": {"workers": 2},
}


def say(text):
    print(f"# {text}", flush=True)


def greets(address):
    """True when somebody there says 220 within two seconds; whether mail would be taken is another question."""
    try:
        with socket.create_connection(address, 2) as sock:
            sock.settimeout(2)
            if not sock.recv(200).startswith(b"220"):
                return False
            sock.sendall(b"QUIT\r\n")
            sock.recv(200)
            return True
    except OSError:
        return False


def age(pid):
    """Seconds since a process began; None when it is gone."""
    try:
        stat = pathlib.Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    ticks = int(stat[stat.rindex(")") + 2:].split()[19])
    return time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / os.sysconf("SC_CLK_TCK")


class Plant:
    def __init__(self, directory, seed, settings=None, large=0.004, **options):
        directory = pathlib.Path(directory)
        self.random = random.Random(seed)
        self.promises, self.taken = directory / "promises", directory / "taken"
        self.next_hop = TakerProcess(self.taken, DEFERS)
        smart = {"relay": {"smart-host": f"[127.0.0.1]:{self.next_hop.port}"}}
        self.mta = Posthorn(directory / "posthorn", merged(merged(SETTINGS, smart), settings or {}), users=USERS, **options)
        self.judge = Judge(self.promises, self.taken, self.mta.maildirs())
        self.seed, self.large = seed, large
        self.load = None
        self.kills = 0
        self.drained = 0.0

    def __enter__(self):
        self.mta.start()
        self.load = Load(self.promises, self.mta.mx, self.mta.trusted, USERS, self.seed, self.large)
        return self

    def __exit__(self, kind, *_):
        if self.load:
            self.load.end()
        self.next_hop.end()
        self.mta.__exit__(Exception)        # end it whatever it says; an orderly stop is a test of its own
        if kind is None:
            self.mta.check_sanitizers()

    # -- killing ------------------------------------------------------------------------------------------------------

    def pids(self, name):
        """"lookup" is the one that all wires end in, "lookup-worker" one of those whom it asks; all have one name for ps."""
        if not name.startswith("lookup"):
            return self.mta.pids(name)
        broker = [pid for pid, parent, _, words in processes() if parent == self.mta.process.pid and words[:1] == ["lookup"]]
        if name == "lookup":
            return broker
        return [pid for pid in self.mta.pids("lookup") if pid not in broker]

    def victim(self, name):
        """A process called so, soon; workers live only while there is work."""
        pids = wait_for(lambda: self.pids(name), 20, lambda: f"a process called {name}: {self.mta.children()}\n{self.mta.words(1500)}")
        return self.random.choice(pids)

    def grown(self, name):
        """The same, old enough that its successor comes at once; now and then a younger one."""
        pid = self.victim(name)
        if not name.endswith("worker") and self.random.random() > EARLY_DEATHS:
            wait_for(lambda: (age(pid) or GROWN_UP) >= GROWN_UP, 5, f"process {pid} to be a second old")
        return pid

    def kill(self, name, sig=signal.SIGKILL):
        while True:
            pid = self.grown(name)
            began = time.time()
            try:
                os.kill(pid, sig)
            except ProcessLookupError:
                continue                    # it ended by itself in between: that was no kill
            self.killed(began)
            return pid

    def killed(self, began):
        self.kills += 1
        self.judge.killed(began, time.time())

    def kill_everything(self):
        began = time.time()
        self.mta.kill_all()
        self.killed(began)

    def kill_supervisor(self):
        """Alone; returns the pids that it leaves behind."""
        orphans = [pid for pid, _, _ in self.mta.children()]
        began = time.time()
        kill(self.mta.process.pid)
        self.mta.process.wait(10)
        self.killed(began)
        return orphans

    def all_dead(self, pids):
        return not any(alive(pid) for pid in pids)

    # -- phases -------------------------------------------------------------------------------------------------------

    def settle(self, prefix, extra_allowed):
        self.load.rest()
        self.next_hop.open = True
        self.mta.posthorn("queue", "retry", "all", check=False)
        self.mta.wait_empty(SETTLE)
        self.drained = time.monotonic()
        return self.judge.settled(prefix, extra_allowed)

    def phase(self, prefix, disturb, extra_allowed, rate=RATE):
        """Load, `disturb` in it, rest, an empty queue, and the judge's verdict. Returns what a report needs."""
        self.next_hop.open = False
        self.load.go(prefix, rate)
        began, kills, refusals = time.monotonic(), self.kills, self.judge.refusals.copy()
        disturb()
        loaded = time.monotonic() - began
        verdict = self.settle(prefix + "-", extra_allowed)
        verdict.faults += self.judge.harsh(self.judge.refusals - refusals)
        verdict.kills, verdict.seconds = self.kills - kills, loaded
        settled = self.drained - began - loaded
        say(f"{prefix}: {verdict.kills} kills in {loaded:.1f} s, {verdict.sent} sent, {verdict.acknowledged} acknowledged "
            f"({verdict.acknowledged / loaded:.0f}/s), {verdict.copies} copies, {verdict.extra} extra, empty {settled:.1f} s later")
        return verdict
