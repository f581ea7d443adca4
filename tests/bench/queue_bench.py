"""queue_bench — a long queue of mail for dead destinations, and what else the server does meanwhile.

    ./dev bench queue --messages N [--destinations D] [--seconds N] [--out FILE]

Mail comes in by SMTP, for D domains whose mail exchangers refuse connections, until N messages wait. Beside that queue are measured:
the rate of accepting mail for a live destination, and the same before, with an empty queue; a canary, one message a second to the
live destination, from the client's first byte to the sink; the listing by mailq and posthorn queue list; the memory of queue. Then
posthorn is killed and started anew, and at last the dead destinations come back.

A queue that cannot leave the ring needs a ring for all of it: the segments are made as large as N asks, up to 1 GiB each. One whose
deferred mail goes to files of its own gets the usual ring.
"""
import argparse
import json
import os
import pathlib
import socket
import subprocess
import sys
import threading
import time

import runs
from client import Client
from place import place, say
from ports import free_port
from servers import SEGMENTS, Kind, Ours, Scene, pss_kib
from waiting import wait_for

BASE = "127.99.0.0"
LIVE, CANARY, DEAD = 1, 2, 10       # as addresses behind the base; the dead ones begin there
DEFAULT_SEGMENTS = 16               # of 16 MiB: what a server has that sets nothing
ROUNDS_MOST = 20                    # in which those that were put off come back
BYTES = 6144  
                      # of the ring, for a message of 4 KiB with its envelope and states
DEAD_TO = "user@x%u.dead.example"   # dns_load takes the number as the address
LIVE_TO = "user%u@d.live-{}.example"


def segment_mib(messages):
    """Half of the ring may be live mail."""
    if runs.evacuation_in_tree():
        return 16
    return min(1024, max(16, 2 * messages * BYTES // SEGMENTS // (1 << 20) + 1))


class Progress:
    """A bar on a terminal, a line every ten seconds elsewhere: how far, how fast, how long still."""

    def __init__(self, what, goal):
        self.what, self.goal, self.began, self.said = what, goal, time.monotonic(), time.monotonic()

    def show(self, count, last=False):
        tty = sys.stdout.isatty()
        if not last and time.monotonic() - self.said < (0.5 if tty else 10):
            return
        self.said = time.monotonic()
        rate = count / max(0.001, self.said - self.began)
        left = (self.goal - count) / rate if rate else 0
        done = count / max(1, self.goal)
        bar = "#" * int(30 * done) + "." * (30 - int(30 * done))
        print(f"{self.what} [{bar}] {count:,} of {self.goal:,}, {rate:,.0f}/s, {left:,.0f} s left", end="\r" if tty and not last else "\n",
              flush=True)


def send_dead(server, messages, destinations, directory, show):
    """As many as are taken; what is refused is not sent again. Returns their number and what the generator said."""
    progress = directory / "progress"
    progress.write_text("0")
    command = runs.load_command(server.port(), 86000, DEAD_TO, clients=20, per=100, messages=messages, first=DEAD,
                                users=destinations, progress=progress)
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        while process.poll() is None:
            time.sleep(0.2)
            show(int(progress.read_text() or 0))
        said = process.stdout.read()
    return int(progress.read_text() or 0), said


def fill(server, messages, destinations, directory):
    """N messages for the dead; a client that was told to come back does. Returns the rate, and how many were put off."""
    bar, there, put_off = Progress("filling", messages), 0, 0
    for _ in range(ROUNDS_MOST):
        accepted, said = send_dead(server, messages - there, destinations, directory, lambda n, had=there: bar.show(had + n))
        there += accepted
        if there >= messages:
            break
        put_off += messages - there
    bar.show(there, last=True)
    if there < messages:
        raise runs.Failed(f"the queue took {there} of {messages}: {said}")
    return {"rate": there / (time.monotonic() - bar.began), "put_off": put_off}


def accept_rate(server, seconds, count):
    """Mail for the live destination: acknowledged a second, and all of it must arrive."""
    before = count()[0]
    figures = runs.load(server.port(), seconds, LIVE_TO.format(LIVE), clients=20, per=20)
    runs.wait_until_there(lambda: count()[0] - before, figures["messages"])
    runs.audited(server, figures["messages"], count()[0] - before)
    return {key: figures[key] for key in ("rate", "p50_ms", "p99_ms")}


# -- the canary ---------------------------------------------------------------------------------------------------------

class CanarySink:
    """Notes when each canary's dot arrived. One session at a time a thread; it understands what posthorn says."""

    def __init__(self, address):
        self.arrived = {}
        self.listener = socket.create_server(address, backlog=64)
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.session, args=(sock,), daemon=True).start()

    def session(self, sock):
        name = None
        with sock, sock.makefile("rwb") as file:
            self.say(file, "220 canary.example")
            in_data = False
            for line in file:
                if in_data:
                    if line.startswith(b"Subject: canary "):
                        name = int(line.split()[-1])
                    in_data = line != b".\r\n"
                    if not in_data:
                        self.arrived[name] = time.monotonic()
                        self.say(file, "250 ok")
                    continue
                in_data = line.upper().startswith(b"DATA")
                self.say(file, "354 go on" if in_data else "250 ok")

    @staticmethod
    def say(file, text):
        file.write(text.encode() + b"\r\n")
        file.flush()

    def close(self):
        self.listener.close()


def send_canary(server, number):
    with Client(("127.0.0.1", server.port()), timeout=30) as client:
        client.command("EHLO canary.sender.example")
        client.command("MAIL FROM:<canary@sender.example>")
        client.command(f"RCPT TO:<{LIVE_TO.format(CANARY).replace('%u', '')}>")
        client.command("DATA")
        return client.command(f"Subject: canary {number}\r\n\r\nsing\r\n.").code == 250


def canary(server, sink, seconds):
    """One message a second, from connect to the sink: p50 and p99 of those that came, and how many did not."""
    sent = {}
    for number in range(seconds):
        began = time.monotonic()
        if send_canary(server, number):
            sent[number] = began
        time.sleep(max(0, 1 - (time.monotonic() - began)))
    end = time.monotonic() + 30
    while not set(sent) <= set(sink.arrived) and time.monotonic() < end:
        time.sleep(0.05)
    times = sorted((sink.arrived[number] - at) * 1000 for number, at in sent.items() if number in sink.arrived)
    lost = seconds - len(times)
    sink.arrived.clear()
    if not times:
        return {"missing": lost}
    return {"p50_ms": times[len(times) // 2], "p99_ms": times[min(len(times) - 1, int(len(times) * 0.99))], "missing": lost}


# -- looking ------------------------------------------------------------------------------------------------------------

def listing(server, *words):
    """Seconds until the first line and until the last, and that line."""
    began, first, last = time.monotonic(), None, ""
    with subprocess.Popen([server.tool(words[0]), "-c", server.conf, *words[1:]], stdout=subprocess.PIPE, text=True) as process:
        for line in process.stdout:
            first = first or time.monotonic() - began
            last = line.strip() or last
    return {"first_s": first or 0, "all_s": time.monotonic() - began, "last": last}


def queue_pss(server):
    return pss_kib(server.pids("queue")) / 1024


# -- the cold start -----------------------------------------------------------------------------------------------------

def drop_caches():
    """The next reads come from the disk. Only root may."""
    try:
        os.sync()
        pathlib.Path("/proc/sys/vm/drop_caches").write_text("3\n")
        return "cold"
    except OSError:
        return "warm, the page cache could not be dropped"


def cold_start(server):
    server.kill_all()
    how = drop_caches()
    began = time.monotonic()
    server.spawn()
    server.wait_ready(3600)
    return {"seconds": time.monotonic() - began, "how": how, "pss_mib": queue_pss(server)}


# -- the return of the dead ---------------------------------------------------------------------------------------------

class Nudge:
    """An operator's `retry all`, while we look on."""

    def __init__(self, server):
        self.began, self.process = time.monotonic(), server.begin("posthorn", "queue", "retry", "all")

    def end(self):
        self.process.communicate(timeout=3600)
        if self.process.returncode != 0:
            raise runs.Failed(f"posthorn queue retry all: {self.process.returncode}")
        return {"retry_all_s": time.monotonic() - self.began}


def comeback(server, directory, port, options):
    """The dead listen again: connections and messages at the sink over time, until all is there or nothing moves. When the back-off
    is longer than our patience an operator asks for another attempt."""
    hosts = min(options.destinations, 200)
    goal = options.messages if hosts == options.destinations else options.messages * hosts // options.destinations
    bar, steps, nudge = Progress("returning", goal), [], None
    with runs.sink(directory, f"127.99.0.{DEAD}", hosts, port) as (_, count):
        began = last = time.monotonic()
        while time.monotonic() - last < options.patience:
            messages, now, _ = count()
            if not steps or (messages, now) != steps[-1][1:]:
                last = time.monotonic()
                steps.append((last - began, messages, now))
            if nudge is None and messages == 0 and time.monotonic() - began > options.patience / 2:
                nudge = Nudge(server)
            bar.show(messages)
            if messages >= goal:
                break
            time.sleep(0.05)
        bar.show(count()[0], last=True)
        nudged = {"asked_s": nudge.began - began, **nudge.end()} if nudge else {}
    busy = [step for step in steps if step[2] > 0]
    say("    seconds after the return, messages, connections at once:")
    for at, messages, now in busy[:12] + busy[12:: max(1, len(busy) // 12)]:
        say(f"    {at:8.1f} {messages:10,} {now:6}")
    return {**nudged, "first_s": busy[0][0] if busy else None, "first_connections": busy[0][2] if busy else 0,
            "most_connections": max((step[2] for step in steps), default=0), "all_s": steps[-1][0], "messages": steps[-1][1], "goal": goal}


# -- the whole ----------------------------------------------------------------------------------------------------------

def tell(results, name, figures):
    results[name] = figures
    cells = figures.items() if isinstance(figures, dict) else [("", figures)]
    say(f"{name:34}" + "  ".join(f"{key} {value:,.2f}" if isinstance(value, float) else f"{key} {value}" for key, value in cells))


def measure_all(server, directory, options, port, count):
    results, sink = {}, CanarySink((f"127.99.0.{CANARY}", port))
    beside = f"beside {options.messages:,} waiting"
    tell(results, "accept, empty queue", accept_rate(server, options.seconds, count))
    tell(results, "canary, empty queue", canary(server, sink, options.seconds))
    tell(results, "PSS of queue, empty, MiB", queue_pss(server))
    tell(results, "filled", fill(server, options.messages, options.destinations, directory))
    time.sleep(options.settle)
    queued = server.queued()
    if queued != options.messages:
        raise runs.Failed(f"{options.messages} were acknowledged and {queued} are there\n{server.explain()}")
    tell(results, f"PSS of queue, {beside}, MiB", queue_pss(server))
    # Half of the ring is mail of the filling, which leaves while the first new mail comes in.
    tell(results, f"accept, {beside}, first 10 s", accept_rate(server, 10, count))
    tell(results, f"accept, {beside}", accept_rate(server, options.seconds, count))
    tell(results, f"canary, {beside}", canary(server, sink, options.seconds))
    tell(results, "posthorn queue count", listing(server, "posthorn", "queue", "count"))
    tell(results, "mailq", listing(server, "mailq"))
    tell(results, "posthorn queue list", listing(server, "posthorn", "queue", "list"))
    tell(results, "start after kill -9", cold_start(server))
    wait_for(lambda: server.queued() == options.messages, 600, lambda: f"all messages after the start: {server.queued()}", step=1)
    tell(results, "the dead come back", comeback(server, directory, port, options))
    if results["the dead come back"]["messages"] < results["the dead come back"]["goal"]:
        say(server.explain())
    sink.close()
    rates = [results[name]["rate"] for name in ("accept, empty queue", f"accept, {beside}")]
    say(f"accept beside the queue: {rates[1] / rates[0]:.0%} of the rate with an empty queue")
    return results


def options_of(arguments):
    parser = argparse.ArgumentParser(prog="./dev bench queue", description="a long queue for dead destinations")
    parser.add_argument("--messages", type=int, default=5000, help="how many wait (5000)")
    parser.add_argument("--destinations", type=int, default=1, help="dead domains, each with its own mail exchanger: 1 to 10000 (1)")
    parser.add_argument("--seconds", type=int, default=30, help="how long accept runs and canaries last (30)")
    parser.add_argument("--settle", type=int, default=2, help="seconds of rest after filling (2)")
    parser.add_argument("--retry", default="30s", help="the wait between attempts (30s)")
    parser.add_argument("--patience", type=int, default=240, help="seconds until a return in which nothing moves is over; at half of "
                        "them an operator's retry helps (240)")
    parser.add_argument("--size-gib", type=int, default=60, help="of the file system image (60; sparse)")
    parser.add_argument("--out", help="write all figures to this file, as JSON")
    return parser.parse_args(arguments)


def main(arguments):
    options, port = options_of(arguments), free_port()
    segments = DEFAULT_SEGMENTS if runs.evacuation_in_tree() else SEGMENTS
    say(f"{options.messages:,} messages for {options.destinations:,} dead destinations; {segments} segments of "
        f"{segment_mib(options.messages)} MiB")
    with place(options.size_gib) as directory, runs.sink(directory, f"127.99.0.{LIVE}", 1, port) as (_, count), \
            runs.dns(directory, BASE, f"127.99.1.53:{free_port('127.99.1.53')}") as conf:
        home = directory / "run"
        home.mkdir(mode=0o755)
        server = Kind(Ours).make(home, Scene(resolv_conf=conf, segment_mib=segment_mib(options.messages)))
        server.over["relay"] = {"mx-port": port}
        server.over["queue"]["retry"] = [options.retry]
        if runs.evacuation_in_tree():
            server.over["queue"]["ring-segments"] = DEFAULT_SEGMENTS
        with server:
            results = measure_all(server, directory, options, port, count)
    if options.out:
        pathlib.Path(options.out).write_text(json.dumps(results, indent=1) + "\n")
    return 0
