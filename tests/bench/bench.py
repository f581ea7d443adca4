#!/usr/bin/python3
"""bench — posthorn beside Debian's Postfix, Exim and OpenSMTPD, on one file system, in one run.

    ./dev bench [accept relay ...] [--seconds N] [--peers postfix,exim,opensmtpd] [--out FILE]
    ./dev bench queue --messages N          a long queue, see queue_bench.py
    ./dev bench crowd                       idle and slow clients by the thousand, see crowd.py

Called by ./dev bench, which names the build with POSTHORN_BUILD. As root it works on a loop-mounted ext4 image with a
journal, runs posthorn as an ordinary user and the others as they want it; without root it measures posthorn alone and says so.

accept   deliveries paused on all sides: messages acknowledged per second, for 1, 20 and 100 clients; the queue must hold them all.
relay    through the queue to a sink that takes everything: messages per second, until the last has arrived.
many     the same with ten recipients in ten domains, each with a mail exchanger of its own.
maildir  to 50 users: files in new/ per second, until the last is there.
large    20 MiB messages, deliveries paused.
tls      STARTTLS with a full handshake and nothing behind it; then messages over TLS, deliveries paused (beside Postfix only).
latency  one message at a time on a quiet server that delivers.
calls    system calls and syncs for a message, in a pass of its own.
memory   PSS of all processes, idle and with 1,000 idle clients.
limits   a null server under the same generator; the disk and the store alone.
turns    three volumes of the ring with deliveries going on; left out while deferred mail cannot leave the ring.

CPU is the user and system time of all processes of the server, dead ones included, for each message. Machines are shared and
noisy: compare the columns of one run, not runs.
"""
import argparse
import json
import os
import pathlib
import shutil
import signal
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

import bars  # noqa: E402
import posthorn  # noqa: E402
import runs  # noqa: E402
from certificates import Authority  # noqa: E402
from deb_tree import Unavailable  # noqa: E402
from place import place, say  # noqa: E402
from servers import SEGMENTS, Scene, available  # noqa: E402

# Clients are told 452 when half of the ring is live mail: in an accept run, where nothing leaves, it must hold twice what comes.
SEGMENT_MIB = {1: 16, 20: 64, 100: 128}
KINDS = ("accept", "relay", "many", "maildir", "large", "tls", "latency", "calls", "memory", "turns", "limits")
NOWHERE = ("127.0.0.1", 9)


class Bench:
    def __init__(self, options, directory, kinds, resolv_conf):
        self.seconds, self.directory, self.kinds, self.resolv_conf = options.seconds, directory, kinds, resolv_conf
        self.results, self.limit_lines, self.count, self.failed = {}, [], 0, False

    def fresh(self):
        self.count += 1
        path = self.directory / f"run{self.count}"
        path.mkdir(mode=0o755)
        return path

    def one(self, kind, name, scene, run):
        """Figures of one server, or None with the reason printed. For posthorn there is no excuse: the whole run has failed."""
        path = self.fresh()
        scene.resolv_conf = self.resolv_conf
        try:
            with kind.make(path, scene) as server:
                figures = run(server)
        except (runs.Failed, Unavailable, AssertionError, OSError) as error:
            self.failed = self.failed or kind is self.kinds[0]
            say(f"{name:20} {kind.name:10} {'FAILED' if kind is self.kinds[0] else 'left out'}: {error}")
            return None
        finally:
            shutil.rmtree(path, ignore_errors=True)
        told = "  ".join(f"{key} {value:,.3f}" for key, value in figures.items() if key in
                         ("rate", "cpu_ms", "p50_ms", "p99_ms", "calls", "syncs", "idle", "clients", "left"))
        say(f"{name:20} {kind.name:10} {told}")
        return figures

    def all(self, name, scene, run, kinds=None):
        for kind in kinds or self.kinds:
            self.results.setdefault(name, {})[kind.name] = self.one(kind, name, scene, run)

    def run_accept(self):
        for clients, per in bars.ACCEPTS:
            scene = Scene(paused=True, smart_host=NOWHERE, segment_mib=SEGMENT_MIB[clients])
            self.all(bars.accept_name((clients, per)), scene, lambda server, c=clients, p=per: runs.accept(server, self.seconds, c, p))

    def run_relay(self):
        with runs.sink(self.directory) as (port, count):
            self.all(bars.RELAYS[0], Scene(smart_host=("127.0.0.1", port)), lambda server: runs.relay(server, self.seconds, count))

    def run_many(self):
        if os.getuid() != 0:
            say(f"{bars.RELAYS[1]:20} left out: ports 25 and 53 on loopback want root")
            return
        with runs.sink(self.directory, runs.MX_BASE, runs.MANY, 25) as (_, count):
            self.all(bars.RELAYS[1], Scene(), lambda server: runs.relay_many(server, self.seconds, count))

    def run_maildir(self):
        self.all(bars.MAILDIR, Scene(), lambda server: runs.maildir(server, self.seconds))

    def run_large(self):
        most = shutil.disk_usage(self.directory).free // 3 // runs.LARGE
        self.all(bars.LARGE, Scene(paused=True, smart_host=NOWHERE), lambda server: runs.large(server, self.seconds, most))

    def run_tls(self):
        pair = Authority(self.directory / "authority").issue("bench", posthorn.HOSTNAME)
        for path in (self.directory / "authority").iterdir():
            path.chmod(0o644)
        kinds = [kind for kind in self.kinds if kind.name in ("posthorn", "Postfix")]
        for clients, name in bars.HANDSHAKES.items():
            scene = Scene(paused=True, smart_host=NOWHERE, tls=pair, receivers=2)
            self.all(name, scene, lambda server, c=clients: runs.handshakes(server, self.seconds, c), kinds)
        for clients, per in bars.TLS_ACCEPTS:
            scene = Scene(paused=True, smart_host=NOWHERE, segment_mib=SEGMENT_MIB[clients], tls=pair)
            self.all(bars.tls_name((clients, per)), scene,
                     lambda server, c=clients, p=per: runs.accept(server, self.seconds, c, p, starttls=True), kinds)

    def run_latency(self):
        with runs.sink(self.directory) as (port, count):
            self.all(bars.LATENCY, Scene(smart_host=("127.0.0.1", port)), lambda server: runs.latency(server, self.seconds, count))

    def run_calls(self):
        why = runs.why_no_calls()
        if why:
            say(f"{bars.CALLS:20} left out: {why}")
            return
        scene = Scene(paused=True, smart_host=NOWHERE, segment_mib=SEGMENT_MIB[20])
        self.all(bars.CALLS, scene, lambda server: runs.calls(server, min(5, self.seconds)))

    def run_memory(self):
        self.all(bars.MEMORY, Scene(smart_host=NOWHERE, sessions=runs.IDLE_CLIENTS + 100), runs.memory)

    def run_turns(self):
        if not runs.evacuation_in_tree():
            say(f"{'ring turns':20} left out: deferred mail cannot leave the ring yet (queue is built without Berkeley DB)")
            return
        with runs.sink(self.directory) as (port, count):
            self.all("ring turns", Scene(smart_host=("127.0.0.1", port)),
                     lambda server: runs.ring_turns(server, self.seconds, SEGMENTS * 16, count), self.kinds[:1])

    def run_limits(self):
        seconds = min(self.seconds, 10)
        null = runs.null_server(self.directory, seconds, bars.ACCEPTS)
        self.limit_lines = bars.limits(self.results, null, *runs.store_alone(self.directory, seconds), runs.large_alone(self.directory, seconds))

    def report(self):
        return [*bars.tables(self.results, [kind.name for kind in self.kinds]), *self.limit_lines, *bars.verdicts(self.results)]


def options_of(arguments):
    parser = argparse.ArgumentParser(prog="./dev bench", description="posthorn beside other MTAs; ./dev bench queue for a long queue, ./dev bench crowd for idle clients")
    parser.add_argument("--seconds", type=int, default=30, help="how long each run sends (30)")
    parser.add_argument("kinds", nargs="*", metavar="KIND", help="of runs, all when none is named: " + ", ".join(KINDS))
    parser.add_argument("--peers", default="postfix,exim,opensmtpd", help="beside whom (postfix,exim,opensmtpd; empty: nobody)")
    parser.add_argument("--size-gib", type=int, default=30, help="of the file system image (30; sparse)")
    parser.add_argument("--packages", default="build/peers", help="where the others are unpacked")
    parser.add_argument("--out", help="write the tables to this file, and all figures as JSON beside it")
    return parser.parse_args(arguments)


def head(options):
    return [f"{os.cpu_count()} cores, {runs.SIZE} bytes a message, {options.seconds} s a run",
            f"ring: {SEGMENTS} segments of {SEGMENT_MIB} MiB by clients in accept runs, of 16 MiB else"]


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))       # so that the image is unmounted
    if sys.argv[1:2] == ["queue"]:
        import queue_bench
        return queue_bench.main(sys.argv[2:])
    if sys.argv[1:2] == ["crowd"]:
        import crowd
        return crowd.main(sys.argv[2:])
    options = options_of(sys.argv[1:])
    wanted = options.kinds or KINDS
    if not set(wanted) <= set(KINDS):
        say(f"there are these kinds of runs: {', '.join(KINDS)}, queue, crowd")
        return 64
    kinds = available(options.packages, options.peers.lower().split(","), say)
    for line in head(options):
        say(line)
    with place(options.size_gib) as directory, runs.dns(directory) as resolv_conf:
        bench = Bench(options, directory, kinds, resolv_conf)
        for name in [name for name in KINDS if name in wanted]:
            getattr(bench, f"run_{name}")()
    lines = bench.report()
    say("\n".join(lines))
    if options.out:
        pathlib.Path(options.out).write_text("\n".join([*head(options), *lines]) + "\n")
        pathlib.Path(options.out + ".json").write_text(json.dumps(bench.results, indent=1) + "\n")
    return 1 if bench.failed else 0


if __name__ == "__main__":
    sys.exit(main())
