#!/usr/bin/python3
"""run — the crash tests of the whole system: power cuts, kills, faults of the disk, a restart with a full ring.

    run.py [--long] [--kills N] [--cuts N] [--seed S] [power | full | clock | ring | faults | kills | peers ...]

Prints TAP and progress; the last line is "N passed, N failed, N skipped". Parts that mount file systems need root; posthorn never
runs as root, and the other parts become an ordinary user altogether.
"""
import argparse
import os
import pathlib
import pwd
import random
import shutil
import signal
import sys
import tempfile
import time
import traceback

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "support"))
sys.path.insert(0, str(HERE))
os.environ["PYTHONPATH"] = os.pathsep.join(sys.path[:2])        # for the processes that load.py and taker.py start

import system_clock
import system_fault
import system_full
import system_kill
import system_peers
import system_power
import system_ring

ORDINARY = ("posthorn-test", "nobody")
NEED_ROOT = ("power", "peers", "full")
ON_REQUEST = ("peers",)          # other MTAs: nothing of ours is tested
LONG_KILLS = 6000
SAMPLE_KILLS = 150               # so that a run with all its parts takes some six minutes on two cores


class Report:
    """Counts, and prints each result as a line of TAP."""

    def __init__(self):
        self.passed = self.failed = self.skipped = 0
        self.blows = 0                      # power cuts and kills

    def __call__(self, name, faults):
        self.passed += not faults
        self.failed += bool(faults)
        number = self.passed + self.failed + self.skipped
        print(f"{'not ok' if faults else 'ok'} {number} - {name}")
        for fault in faults:
            print("\n".join("#   " + line for line in str(fault).splitlines()))
        sys.stdout.flush()

    def skip(self, name, why):
        self.skipped += 1
        print(f"ok {self.passed + self.failed + self.skipped} - {name} # SKIP {why}", flush=True)


def become_ordinary():
    if os.getuid() != 0:
        return
    for name in ORDINARY:
        try:
            user = pwd.getpwnam(name)
            break
        except KeyError:
            continue
    else:
        sys.exit("run.py: no ordinary user to run posthorn as: " + ", ".join(ORDINARY))
    os.setgroups([])
    os.setgid(user.pw_gid)
    os.setuid(user.pw_uid)
    os.environ["HOME"] = "/nonexistent"


def parts(options):
    """In the order in which they run: those that need root first."""
    def power(directory, report):
        system_power.run(directory, options.seed, options.long, report, options.cut, options.phase, options.cuts,
                         options.every_point)

    def kills(directory, report):
        system_kill.run(directory, options.seed, options.kills, options.long, report, options.phase)

    def faults(directory, report):
        system_fault.run(directory, options.seed, report, options.phase)

    def ring(directory, report):
        system_ring.run(directory, options.seed, report)

    def clock(directory, report):
        system_clock.run(directory, options.seed, report)

    def full(directory, report):
        system_full.run(directory, options.seed, report)

    def peers(directory, report):
        system_peers.run(directory, options.seed, report, options.phase)

    return {"power": power, "peers": peers, "full": full, "clock": clock, "ring": ring, "faults": faults, "kills": kills}


def main():
    parser = argparse.ArgumentParser(description="crash tests of the whole system")
    parser.add_argument("--long", action="store_true", help="power cuts and kills by the thousand, and what takes minutes: an hour or two in all")
    parser.add_argument("--kills", type=int, default=0, help="how many, about; 150 when not said")
    parser.add_argument("--cuts", type=int, default=0, help="power cuts at random, with --long; 4000 when not said")
    parser.add_argument("--seed", type=int, default=0, help="replays the random choices of another run")
    parser.add_argument("--phase", action="append", default=[], help="only this phase of the kills, faults with this in the plan, "
                        "power cuts at points or random, or this peer")
    parser.add_argument("--every-point", action="store_true", help="power cuts at each persistence point on each layout, which takes hours")
    parser.add_argument("--cut", help="only this power cut, by the name that a failure prints; LAYOUT/KIND/SCENE: all of them")
    parser.add_argument("--keep", action="store_true", help="leave the directories behind")
    parser.add_argument("parts", nargs="*", help="power, full, clock, ring, faults, kills; all when not said. peers: other MTAs")
    options = parser.parse_args()
    options.kills = options.kills or (LONG_KILLS if options.long else SAMPLE_KILLS)
    options.seed = options.seed or random.SystemRandom().randrange(1, 1 << 31)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))     # so that what lies in memory is removed
    report, began = Report(), time.monotonic()
    print(f"# seed {options.seed}", flush=True)
    for name, part in parts(options).items():
        if name not in NEED_ROOT:
            become_ordinary()
        if name in options.parts or (not options.parts and name not in ON_REQUEST):
            run_part(name, part, options.keep, report)
    print(f"# {report.blows} power cuts and kills")
    print(f"# took {time.monotonic() - began:.0f} s")
    print(f"{report.passed} passed, {report.failed} failed, {report.skipped} skipped", flush=True)
    return 1 if report.failed or not (report.passed or report.skipped) else 0


def run_part(name, part, keep, report):
    directory = tempfile.mkdtemp(prefix=f"ph-crash-{name}-", dir=os.environ.get("TMPDIR", "/var/tmp"))
    os.chmod(directory, 0o755)
    try:
        part(pathlib.Path(directory), report)
    except Exception as error:              # one part that breaks must not hide what the others find
        traceback.print_exc()
        report(f"{name}: broke off", [f"{type(error).__name__}: {error}"])
        keep = True
    if keep:
        print(f"# left behind: {directory}")
    else:
        shutil.rmtree(directory, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
