#!/usr/bin/python3
"""keeper — starts a server and stays the parent of everything that comes from it, also of what detaches itself.

    keeper.py COMMAND [argument...]

A daemon that forks for each message and leaves the children to init would take their CPU time out of sight. The keeper is the
subreaper of its descendants (prctl(2)): whoever ends is waited for here, so the keeper's own children times in /proc hold it all.
It ends when the last of them has ended; at SIGTERM it ends the others first.
"""
import ctypes
import os
import signal
import subprocess
import sys

PR_SET_CHILD_SUBREAPER = 36


def children(pid):
    try:
        with open(f"/proc/{pid}/task/{pid}/children") as file:
            return [int(word) for word in file.read().split()]
    except OSError:
        return []


def descendants(pid):
    found = children(pid)
    for child in found:                 # grows while it is walked
        found += children(child)
    return found


def end_all(*_):
    for sig in (signal.SIGTERM, signal.SIGKILL):
        for pid in descendants(os.getpid()):
            try:
                os.kill(pid, sig)
            except ProcessLookupError:
                pass
        if sig == signal.SIGTERM:
            signal.sigtimedwait([signal.SIGALRM], 1)
    os._exit(0)


def main():
    if len(sys.argv) < 2:
        print(__doc__, file=sys.stderr)
        return 64
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1)
    signal.signal(signal.SIGTERM, end_all)
    subprocess.Popen(sys.argv[1:])
    while True:
        try:
            os.wait()
        except ChildProcessError:
            return 0


if __name__ == "__main__":
    sys.exit(main())
