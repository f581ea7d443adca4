"""scenes — what a posthorn does when its power is cut: a row each, with what was there before and what happens then.

`before` lays the ground once, without faults; what it leaves on the disks is copied for every cut. `play` runs until it is through
or the power is gone; the cuts are at every persistence point that it passes.
"""
import collections
import contextlib
import dataclasses
import json
import signal
import time
from typing import Callable

from client import Client, Closed
from mails import Source
from posthorn import serves
from station import sync

LARGE_EVERY, SMALL_ALWAYS = 1.0, 0.0
WAIT = 20
FILLING = 64                    # messages of about 200 KiB: more than once round a ring of 8 MiB


class Dark(Exception):
    """The power went while the scene was played."""


class Actor:
    """Sends, operates and waits, and writes the ledger; every wait ends when the power goes."""

    def __init__(self, station, seed, prefix):
        self.station, self.mta, self.prefix = station, station.mta, prefix
        self.small, self.large = Source(seed, large=SMALL_ALWAYS), Source(seed, large=LARGE_EVERY)
        self.count = 0
        self.dark, self.error = False, None
        self.at_start = collections.Counter()   # points passed before the scene begins
        self.ids, self.names = [], []
        self.file = open(station.promises, "a", encoding="ascii", buffering=1)

    def note(self, line):
        self.file.write(line + "\n")

    def send(self, *recipients, large=False, size=None):
        self.count += 1
        name = f"{self.prefix}-{self.count}"
        content = (self.large if large else self.small).message(name) if size is None else sized(self.small, name, size)
        try:
            with Client(self.mta.trusted, timeout=WAIT) as client:
                client.hello()
                lines = ["MAIL FROM:<user0@local.test> BODY=8BITMIME"] + [f"RCPT TO:<{r}>" for r in recipients] + ["DATA"]
                refused = [reply for reply in client.pipeline(lines) if reply.code >= 400]
                assert not refused, f"refused: {refused}"
                self.note(f"S {name} {time.time():.6f} {','.join(recipients)}")
                client.send(client.content(content))
                reply = client.reply()
                assert reply.code == 250 or self.dark, f"refused: [{reply!r}]"
                if reply.code == 250:
                    self.note(f"A {name} {time.time():.6f} {reply.text.split()[-1]}")
                    self.ids.append(reply.text.split()[-1])
                    self.names.append(name)
        except (OSError, Closed, AssertionError):
            self.look()
            raise
        return name

    def look(self):
        """Raises when the power is gone or going; then nothing that fails means anything."""
        end = time.monotonic() + 2
        while not self.dark and self.mta.process is not None and time.monotonic() < end and self.going():
            time.sleep(0.005)
        if self.dark:
            raise Dark

    def ready(self):
        self.until(lambda: serves(self.mta.trusted), "service")

    def going(self):
        return any(self.station.stopped(who) for who in ("queue", "mda", "worker", "smtpd"))

    def ask(self, *words):
        if self.dark:
            raise Dark
        done = self.mta.command("posthorn", *words)
        if done.returncode != 0:
            self.look()
        return done.stdout

    def until(self, condition, what):
        end = time.monotonic() + WAIT
        while not condition():
            if self.dark:
                raise Dark
            if time.monotonic() > end:
                self.look()
                raise AssertionError(f"waited in vain for {what}: {self.mta.words(1500)}")
            time.sleep(0.005)

    def empty(self):
        self.until(lambda: self.listed() == [], "an empty queue")

    def listed(self):
        """The queue as a list, None when there is no answer."""
        if self.dark:
            raise Dark
        done = self.mta.command("posthorn", "queue", "list", "--json")
        return [json.loads(line) for line in done.stdout.splitlines()] if done.returncode == 0 else None

    def deferred(self):
        """Every message was tried once."""
        self.until(lambda: (queue := self.listed()) and all(r.get("attempts", 0) for m in queue for r in m["recipients"]), "an attempt")

    def close(self):
        with contextlib.suppress(OSError):
            self.file.close()


def sized(source, name, size):
    body = next(body for body in source.bodies[1:] if len(body) > 2048)
    return source.sealed(name, (body * (size // len(body) + 1)))


# -- before ---------------------------------------------------------------------------------------------------------------

def nothing(_):
    """The folders that an administrator makes, and no store yet."""


def store(actor):
    actor.station.start()


def waiting(actor):
    """Mail in the ring."""
    actor.station.start(arguments=["--paused"])
    actor.send("user1@local.test")
    actor.send("user2@local.test", "far@far.example")
    actor.send("user3@local.test", large=True)


def wider(actor):
    """A ring that is larger than it will be asked to be."""
    actor.mta.configure({"queue": {"ring-segments": 10}})
    actor.station.start()
    actor.mta.configure({"queue": {"ring-segments": 8}})


def orphan(actor):
    """A large content that no batch names: what is left of a receiver whose power went."""
    waiting(actor)
    queue = actor.station.disks[0].place / "queue"
    path = queue / "spool/large" / (actor.ids[-1][:-2] + "ZZ")
    path.write_bytes(b"left over")
    actor.station.own(path)
    sync(path.parent)


# -- what happens ---------------------------------------------------------------------------------------------------------

def receive_small(actor):
    actor.send("user1@local.test")
    actor.send("user1@local.test", "user2@local.test")


def receive_large(actor):
    actor.send("user1@local.test", large=True)


def relay_taken(actor):
    actor.send("far@far.example")
    actor.empty()


def relay_later(actor):
    actor.send("later@far.example")
    actor.empty()


def relay_refused(actor):
    actor.send("no@far.example")
    actor.empty()


def mixed(actor):
    actor.send("user1@local.test", "far@far.example", "later@far.example", "no@far.example")
    actor.empty()


def maildir(actor):
    actor.send("user1@local.test")
    actor.empty()
    actor.send("user1@local.test", "user2@local.test")
    actor.empty()


def large_out(actor):
    actor.send("user1@local.test", "far@far.example", large=True)
    actor.empty()


def hold(actor):
    actor.send("stay@far.example")
    actor.deferred()
    actor.ask("queue", "hold", "all")
    actor.station.next_hop.open = True
    actor.ask("queue", "release", "all")
    actor.empty()


def delete(actor):
    name = actor.send("stay@far.example")
    actor.deferred()
    actor.note(f"X {name}")
    actor.ask("queue", "delete", "all")
    actor.empty()


def wrap(actor):
    """Twice round the ring, past mail that stays and is copied forward."""
    actor.send("stay@far.example")
    actor.send("stay@far.example", "user2@local.test")
    fill(actor, 2)


def insist(actor, *recipients, **options):
    """Like a client that comes again after "not now": a ring may be full for a moment."""
    end = time.monotonic() + WAIT
    while True:
        try:
            return actor.send(*recipients, **options)
        except AssertionError as error:
            if "452" not in str(error) or time.monotonic() > end:
                raise
        time.sleep(0.05)


def fill(actor, stay):
    """More than once round the ring; so many messages do not leave."""
    for i in range(FILLING):
        insist(actor, f"user{i % 4}@local.test", size=200 * 1024)
        if i % 8 == 7:
            actor.until(lambda: (queue := actor.listed()) is not None and len(queue) <= stay, f"all but {stay} to leave")


def serve(actor):
    """What `before` left is delivered."""
    actor.station.next_hop.open = True
    actor.empty()


def stop(actor):
    actor.send("user1@local.test")
    actor.mta.process.send_signal(signal.SIGTERM)
    actor.until(lambda: actor.mta.process is None or actor.mta.process.poll() is not None, "the end")


@dataclasses.dataclass
class Scene:
    name: str
    before: Callable
    play: Callable
    paused: bool = False
    started: bool = True        # the start is over when the cuts begin; False: it is what this is about
    also: tuple = ()            # a fault that this needs: point, nth, what
    twice: bool = False         # the start after the cut is cut, too
    often: bool = False         # passes so many points that a run without --long only takes a sample
    settings: dict = dataclasses.field(default_factory=dict)
    opened: bool = False        # the next hop takes everything from the start on
    aside: str = "torn-"        # what may be in corrupt/ afterwards


SCENES = [
    Scene("make", nothing, receive_small, paused=True, started=False, often=True),
    Scene("receive-small", store, receive_small, paused=True),
    Scene("receive-large", store, receive_large, paused=True),
    Scene("relay-taken", store, relay_taken),
    Scene("relay-later", store, relay_later),
    Scene("relay-refused", store, relay_refused),
    Scene("mixed-fates", store, mixed),
    Scene("maildir", store, maildir),
    Scene("large-out", store, large_out),
    Scene("hold-release", store, hold),
    Scene("delete", store, delete),
    Scene("write-fails", store, receive_small, paused=True, also=("store-write", 2, "EIO")),
    Scene("orderly-stop", store, stop, paused=True),
    Scene("recovery", waiting, serve, started=False),
    Scene("recovery-twice", waiting, serve, started=False, twice=True),
    Scene("orphan", orphan, serve, started=False),
    Scene("shrink", wider, serve, started=False),
    Scene("ring-wrap", store, wrap, often=True),
]
