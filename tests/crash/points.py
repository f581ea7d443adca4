"""points — where the power is cut: the names of all persistence points, from the code itself, and who passes them.

A running posthorn whose plan is TELL names every point that it passes. What the code has and no scene passes must stand in
ELSEWHERE with its reason, so a new point that nobody thought of is a failure and not a gap.
"""
import collections
import os
import pathlib
import re

from posthorn import ROOT

# What a point's name begins with, and the process that passes it.
OWNERS = {
    "step-": "queue", "store-": "queue", "mda-syncfs": "mda", "maildir-": "worker", "content-write": "smtpd", "catalog-": "queue",
}
# Points that change nothing on disk.
HARMLESS = {"store-open", "store-read", "catalog-begin", "catalog-change", "catalog-read"}
# Points that no scene passes, and why that is no gap. A name may end in "*".
ELSEWHERE = {
    "step-rescue-*": "needs a ring with one free segment at start: store_kill",
    "step-corrupt-*": "needs damage: store_flip and store_kill",
    "store-link": "needs damage to a large content: tests/unit/queue/test_damaged",
    "step-backup-*": "passed by posthorn queue backup, of which the queue depends for nothing: tests/system/test_backup.py",
    "step-restore-*": "passed by posthorn queue restore while posthorn is stopped: tests/system/test_backup.py",
    "maildir-sync": "only on file systems that the shared sync does not serve",
}
# A disk that never syncs and says that it did.
LIES = (("store-sync", "1+", "SKIP"), ("mda-syncfs", "1+", "SKIP"), ("maildir-sync", "1+", "SKIP"))
TOLD = re.compile(r"^fault: passed (\S+)$", re.M)


def owner(point):
    return next((who for start, who in OWNERS.items() if point.startswith(start)), None)


def is_persistent(point):
    return owner(point) is not None and point not in HARMLESS


def plan(*entries):
    """The environment for a list of (point, nth, what), each for the process that owns the point."""
    plans = collections.defaultdict(list)
    for point, nth, what in entries:
        plans[f"POSTHORN_FAULT_{owner(point).upper()}"].append(f"{point}:{nth}:{what}")
    return {name: ",".join(rows) for name, rows in plans.items()}


def tell_all(*entries):
    """Every point is told, and these faults happen, too."""
    plans = {f"POSTHORN_FAULT_{who.upper()}": "*:1+:TELL" for who in set(OWNERS.values())}
    for name, rows in plan(*entries).items():
        plans[name] += "," + rows
    return plans


def told(text):
    """How often each point was passed, in order of the first time."""
    return collections.Counter(order(text))


def order(text):
    """Every pass of every point, in the order in which they came."""
    return [name for name in TOLD.findall(text) if is_persistent(name)]


def lies_between(passes, first, last):
    """Syncs that do nothing from the first pass of one point to the next of another, in a process that does what it did then."""
    at = passes.index(first)
    before, inside = passes[:at].count("store-sync"), passes[at:passes.index(last, at)].count("store-sync")
    return [("store-sync", before + i + 1, "SKIP") for i in range(inside)]


def in_the_code(root=None):
    """Every point that the sources have. POSTHORN_SOURCE says where they are; tests may run from a copy of the tests alone."""
    found = set()
    root = pathlib.Path(root or os.environ.get("POSTHORN_SOURCE") or ROOT)
    for folder in ("queue", "mda", "smtpd"):
        for path in sorted((root / folder).rglob("*.[ch]")):
            text = path.read_text(errors="replace")
            found |= {"step-" + name for name in re.findall(r'\bSTEP\("([a-z0-9-]+)"\)', text)}
            found |= set(re.findall(r'\b(?:fault_at|planned)\("([a-z0-9-]+)"\)', text))
    return {name for name in found if is_persistent(name)}


def excused(point):
    for name, why in ELSEWHERE.items():
        if point == name or (name.endswith("*") and point.startswith(name[:-1])):
            return why
    return None


def forgotten(passed, root=None):
    return sorted(name for name in in_the_code(root) - set(passed) if not excused(name))
