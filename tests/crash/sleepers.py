"""sleepers — scenes whose mail leaves the ring for the spool: it is evacuated, sleeps, is woken, finished, found again after a loss.

Each start opens a fresh segment with its first batch, and with two of eight in use the older one is emptied. So a scene is: mail that
waits, an orderly stop, another start, one more message.
"""
import re
import shutil

from scenes import Scene, fill, store, wrap
from station import sync

FIGURES = re.compile(r"\b(messages|awake|spooled|evacuated) (\d+)")
HOURS = {"queue": {"retry": ["1h"]}}            # who waits that long sleeps until somebody asks
SECONDS = {"queue": {"retry": ["12s"]}}         # sleeps, and is due when a saved disk is used again
NO_SPACE = ("catalog-begin", "1+", "ENOSPC")    # nothing leaves the ring


def figures(actor):
    return {name: int(count) for name, count in FIGURES.findall(actor.ask("status"))}


def reaches(actor, **wanted):
    """Until posthorn says these figures."""
    actor.until(lambda: wanted.items() <= figures(actor).items(), f"{wanted}")


def spool_empty(actor):
    """What is finished has left, too; a large content may wait for the next start (station.left_over)."""
    actor.until(lambda: not [name for name in actor.station.spooled() if not name.startswith("large/") or name.endswith(".env")],
                "an empty spool")


# -- before ---------------------------------------------------------------------------------------------------------------

def waiting_long(actor, large=True):
    """In the first segment: small and large, one recipient delivered already, one whom the next hop will refuse."""
    actor.station.start()
    actor.send("stay1@far.example")
    actor.send("user2@local.test", "stay2@far.example", "stay3@other.example")
    actor.send("stay4@far.example", large=large)
    actor.send("nay5@far.example")
    actor.until(lambda: len(actor.mta.mails("user2")) == 1, "the local copy")
    actor.deferred()
    actor.mta.stop()


def one_waits(actor):
    actor.station.start()
    actor.send("stay1@far.example")
    actor.deferred()
    actor.mta.stop()


def asleep(actor, large=True):
    """The same in the spool and asleep; one more waits in the ring."""
    waiting_long(actor, large)
    actor.station.start()
    actor.send("stay6@far.example")
    reaches(actor, spooled=4, awake=1)
    actor.deferred()
    actor.mta.stop()


def catalog_lost(actor, large=True):
    """Somebody removed the catalog."""
    asleep(actor, large)
    queue = actor.station.disks[0].place / "queue"
    shutil.rmtree(queue / "db")
    sync(queue)


def held_and_catalog_lost(actor):
    """What is held is held after the catalog was made anew, and nothing else is."""
    asleep(actor)
    actor.station.start()
    held = [message["queue_id"] for message in actor.listed() if "stay4@" in str(message)]
    actor.ask("queue", "hold", *held)
    actor.deferred()
    actor.mta.stop()
    queue = actor.station.disks[0].place / "queue"
    shutil.rmtree(queue / "db")
    sync(queue)


def cut_off(actor):
    """Files in the spool that no transaction names: the power goes (behind this) before the first one is committed."""
    waiting_long(actor)
    actor.station.start({"POSTHORN_FAULT_QUEUE": "step-evacuate-4:1:STOP"})
    actor.send("stay6@far.example")
    actor.until(lambda: actor.station.stopped("queue"), "an evacuation")


# -- what happens ---------------------------------------------------------------------------------------------------------

def finish(actor):
    """The next hop is back, and an operator says so."""
    actor.station.next_hop.open = True
    actor.ask("queue", "retry", "all")
    actor.empty()
    spool_empty(actor)


def wake(actor):
    """The next hop is back, and nobody says so."""
    actor.empty()
    spool_empty(actor)


def only_held(listed):
    return listed is not None and all(message["queue_name"] == "hold" for message in listed)


def still_held(actor):
    """The next hop is back and takes what nobody holds; then the rest, if it was not released before the power went."""
    actor.station.next_hop.open = True
    actor.ask("queue", "retry", "all")
    actor.until(lambda: only_held(actor.listed()), "only held mail")
    actor.ask("queue", "release", "all")
    finish(actor)


def evacuate(actor):
    """Out of the ring, to sleep, awake, and out of the house."""
    actor.send("stay6@far.example")
    reaches(actor, spooled=4, awake=1)
    actor.deferred()
    finish(actor)


def evacuate_one(actor):
    """Out of the ring, and its segment is free again."""
    actor.send("stay6@far.example")
    reaches(actor, spooled=1, awake=1)


def hold_asleep(actor):
    """By an operator: all of them, then those of a domain, then one."""
    actor.ask("queue", "hold", "all")
    actor.ask("queue", "release", "@other.example")
    actor.ask("queue", "hold", actor.listed()[0]["queue_id"])
    actor.station.next_hop.open = True
    actor.ask("queue", "retry", "@other.example")
    actor.ask("queue", "release", "all")
    finish(actor)


def delete_asleep(actor):
    """By an operator: those of a domain, then all."""
    for name in actor.names:
        actor.note(f"X {name}")
    actor.ask("queue", "delete", "@other.example")
    actor.ask("queue", "delete", "all")
    actor.empty()
    spool_empty(actor)


def condemned(actor):
    """The catalog's first commit fails: another queue makes it anew."""
    actor.station.next_hop.open = True
    actor.mta.command("posthorn", "queue", "retry", "all")
    actor.until(lambda: list((actor.station.disks[0].place / "queue/corrupt").glob("catalog-*")), "a catalog in corrupt/")
    actor.until(lambda: actor.mta.command("posthorn", "queue", "retry", "all").returncode == 0, "another queue")
    actor.empty()
    spool_empty(actor)


def wrap_asleep(actor):
    """More than once round the ring, past mail that leaves it."""
    for i in range(6):
        actor.send(f"stay{i}@far.example", "user2@local.test")
    fill(actor, 6)
    finish(actor)


SLEEPERS = [
    Scene("evacuate", waiting_long, evacuate, settings=HOURS),
    Scene("evacuate-one", one_waits, evacuate_one, settings=HOURS),
    Scene("asleep-finished", asleep, finish, settings=HOURS),
    Scene("asleep-woken", asleep, wake, settings=SECONDS, started=False, opened=True),
    Scene("asleep-recovery", asleep, finish, settings=HOURS, started=False),
    Scene("asleep-recovery-twice", asleep, finish, settings=HOURS, started=False, twice=True),
    Scene("asleep-held", asleep, hold_asleep, settings=HOURS),
    Scene("asleep-deleted", asleep, delete_asleep, settings=HOURS),
    Scene("evacuation-cut-off", cut_off, finish, settings=HOURS, started=False, twice=True),
    Scene("catalog-lost", catalog_lost, finish, settings=HOURS, started=False, twice=True),
    Scene("catalog-lost-held", held_and_catalog_lost, still_held, settings=HOURS, started=False, twice=True),
    Scene("catalog-condemned", asleep, condemned, settings=HOURS, also=("catalog-commit", 1, "EIO"), aside="catalog-"),
    Scene("wrap-evacuating", store, wrap_asleep, settings=HOURS, often=True),
    Scene("copy-forward", store, wrap, also=NO_SPACE, often=True),
]
