"""system_ring — a ring full of mail, a power failure, and how long it takes until posthorn greets again.

Deliveries are paused, the catalog has no space, so that nothing can leave the ring, and clients send until they are told 452. Everything is killed; at the next start the queue lists exactly
what was acknowledged, and in the end all of it is delivered.
"""
import time

from plant import Plant, greets, say
from waiting import wait_for

SETTINGS = {"queue": {"ring-segments": 8, "segment-size": "16MiB"}, "smtpd": {"max-errors": 20}}
FILL_SECONDS = 90
GREETING_AIM, GREETING_LIMIT = 1.0, 10.0        # the aim is printed; only the limit fails, for a machine may be busy
AS_FAST_AS_IT_GOES = 100000
NO_WAY_OUT = {"POSTHORN_FAULT_QUEUE": "catalog-commit:1+:ENOSPC"}


def fill(plant):
    """Until the first 452."""
    def full():
        plant.judge.read_promises()
        return plant.judge.refusals["452"] > 0

    plant.load.go("ring", AS_FAST_AS_IT_GOES)
    began = time.monotonic()
    wait_for(full, FILL_SECONDS, "the first 452", step=0.1)
    plant.load.rest()
    return time.monotonic() - began


def greeting_time(mta):
    """From exec to the first 220."""
    began = time.monotonic()
    mta.restart(ready=False)
    while not greets(mta.mx):
        assert mta.process.poll() is None, f"posthornd ended: {mta.words()}"
        assert time.monotonic() - began < 6 * GREETING_LIMIT, f"no greeting: {mta.words()}"
        time.sleep(0.005)
    return time.monotonic() - began


def run(directory, seed, report):
    with Plant(directory, seed, SETTINGS, arguments=["--paused"]) as plant:
        mta = plant.mta
        plant.kill_everything()         # it has made its store
        mta.environment = NO_WAY_OUT
        mta.restart()
        seconds = fill(plant)
        promised = plant.judge.acknowledged()
        say(f"ring: {len(promised)} messages in {seconds:.1f} s, then 452")
        plant.kill_everything()
        mta.environment = {}
        took = greeting_time(mta)
        slow = [f"{took:.2f} s until the greeting"] if took > GREETING_LIMIT else []
        report(f"a full ring: {took:.3f} s from exec to the greeting (aim {GREETING_AIM} s), {len(promised)} messages", slow)
        listed = {message["queue_id"] for message in mta.queue()}
        report("a full ring: the queue lists what was acknowledged", differences(promised, listed))
        plant.kill_everything()
        mta.arguments = []
        began = time.monotonic()
        mta.restart()
        verdict = plant.settle("ring-", True)
        say(f"ring: {verdict.copies} copies delivered in {plant.drained - began:.1f} s")
        report("a full ring: everything is delivered afterwards", verdict.faults)


def differences(promised, listed):
    """What was taken and never acknowledged may be there, too: its 250 was on the way when the power failed."""
    lost = promised - listed
    return [f"{len(lost)} acknowledged messages are not listed: {sorted(lost)[:5]}"] if lost else []
