"""runs — what is done to each server, one function for each kind of run, and what comes back: a dictionary of figures.

Every run that sends mail is audited: what the clients were told equals what the queue holds, what the sink took or what lies in the
mailboxes, or the run fails.
"""
import concurrent.futures
import contextlib
import os
import re
import resource
import shutil
import socket
import subprocess
import time

import posthorn
from place import program, say
from ports import free_port
from servers import TICKS, USERS
from waiting import wait_for

SIZE = 4096
LARGE = 20 << 20
MANY = 10                           # recipients, each in a domain with a mail exchanger of its own
MX_BASE = "127.77.0.0"              # the mail exchangers are the addresses behind it
IDLE_CLIENTS = 1000
EVENTS = {"calls": ["raw_syscalls:sys_enter"],
          "syncs": [f"syscalls:sys_enter_{name}" for name in ("fdatasync", "fsync", "syncfs", "sync_file_range")]}


class Failed(Exception):
    """A run whose figures mean nothing, and why."""


# -- the generator ------------------------------------------------------------------------------------------------------

def load_command(port, seconds, to, clients=1, per=1, size=SIZE, **more):
    words = {"port": port, "seconds": seconds, "to": to, "clients": clients, "per-connection": per, "size": size, "users": USERS, **more}
    return [str(program("smtp_load"))] + [str(word) for name, value in words.items() for word in ((f"--{name}", value) if value is not True else (f"--{name}",))]


def load(*arguments, prefix=(), **more):
    command = [*prefix, *load_command(*arguments, **more)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=arguments[1] + 120)
    figures = dict(re.findall(r"(\w+)=([\d.]+)", done.stdout))
    if "messages" not in figures:
        raise Failed(f"{' '.join(map(str, command))}: {done.stdout}{done.stderr}")
    if figures["refusals"] != "0":
        say(f"    refusals: {done.stdout.strip()}")
    return {name: float(value) for name, value in figures.items()}


@contextlib.contextmanager
def sink(directory, host="127.0.0.1", hosts=1, port=None):
    """A sink of so many addresses; gives its port and a function that tells (messages, connections now, connections so far)."""
    port, count = port or free_port(host), directory / f"count-{time.monotonic_ns()}"
    with subprocess.Popen([program("smtp_sink"), "--host", host, "--hosts", str(hosts), "--port", str(port), "--count", count],
                          stdout=subprocess.DEVNULL) as process:
        try:
            wait_for(lambda: process.poll() is not None or (count.exists() and count.read_text()), 10, "the sink")
            if process.poll() is not None:
                raise Failed(f"no sink on {host}:{port}")
            yield port, lambda: [int(word) for word in count.read_text().split()]
        finally:
            process.terminate()


@contextlib.contextmanager
def dns(directory, base=MX_BASE, address="127.77.1.53:53"):
    """A DNS that has an answer for every name; gives a resolv.conf that names it. Others than posthorn know DNS on port 53 only,
    which wants root: without it there is none."""
    host, _, port = address.partition(":")
    if port == "53" and os.getuid() != 0:
        yield None
        return
    with subprocess.Popen([program("dns_load"), "--host", host, "--port", port, "--base", base]) as process:
        try:
            conf = directory / "resolv.conf"
            conf.write_text(f"nameserver {host if port == '53' else address}\n")
            yield conf
        finally:
            process.terminate()


# -- runs ---------------------------------------------------------------------------------------------------------------

STALL = 60                          # seconds without one more message: what is missing will not come
DRAIN = 4                           # times the sending itself: whoever needs longer is counted by what arrived until then


def audited(server, told, found):
    """posthorn holds exactly what it acknowledged. Others may hold more: a client gave up on a slow answer."""
    if found < told or found > told and server.name == "posthorn":
        raise Failed(f"{server.name} acknowledged {told:.0f} messages and {found} are there\n{server.explain()}")


def wait_until_there(finished, goal, most=3600):
    """How many are there at the end: all, or when nothing comes any more or the time is up."""
    seen, began = finished(), time.monotonic()
    since = began
    while seen < goal and time.monotonic() - since < STALL and time.monotonic() - began < most:
        time.sleep(0.1)
        now = finished()
        if now != seen:
            seen, since = now, time.monotonic()
    return seen


def measure(server, seconds, to, finished=None, goal=1, **more):
    """Figures of one run; `finished` tells how many messages have reached their end, for runs that are over only then."""
    cpu, began = server.cpu(), time.monotonic()
    figures = load(server.port(), seconds, to, **more)
    done = figures["messages"]
    if finished is not None:
        there = wait_until_there(finished, done * goal, DRAIN * seconds)
        took = time.monotonic() - began
        if server.name == "posthorn" or took < DRAIN * seconds:
            audited(server, done * goal, there)
        else:
            say(f"    {server.name} still has mail after {took:.0f} s: {there} of {done * goal:.0f} arrived")
        done = min(done, there / goal)
        figures["rate"] = done / took
    figures["cpu_ms"] = (server.cpu() - cpu) * 1000 / TICKS / max(1, done)
    return figures


def accept(server, seconds, clients, per, **more):
    figures = measure(server, seconds, "user%u@far.example", clients=clients, per=per, **more)
    audited(server, figures["messages"], server.queued())
    return figures


def handshakes(server, seconds, clients):
    """Sessions a second that go over to TLS, by a full handshake each, and quit; CPU for one of them."""
    cpu = server.cpu()
    figures = load(server.port(), seconds, "user@far.example", clients=clients, starttls=True, **{"no-mail": True})
    figures["rate"] = figures["connections"] / seconds
    figures["cpu_ms"] = (server.cpu() - cpu) * 1000 / TICKS / max(1, figures["connections"])
    return figures


def large(server, seconds, most):
    """20 MiB each; ends early when the disk has enough of them."""
    return accept(server, seconds, 4, 5, size=LARGE, messages=most)


def relay(server, seconds, count):
    before = count()[0]
    return measure(server, seconds, "user%u@far.example", lambda: count()[0] - before, clients=20, per=20)


def relay_many(server, seconds, count):
    before = count()[0]
    return measure(server, seconds, "user@d%u.many.example", lambda: count()[0] - before, MANY, clients=20, per=20, recipients=MANY,
                   users=MANY)


def maildir(server, seconds):
    return measure(server, seconds, f"user%u@{posthorn.DOMAIN}", server.delivered, clients=20, per=20)


def latency(server, seconds, count):
    """One message at a time, 50 ms after the one before, on a server that delivers each at once."""
    before = count()[0]
    return measure(server, seconds, "user%u@far.example", lambda: count()[0] - before, **{"pace-ms": 50, "per": 20})


# -- without rates ------------------------------------------------------------------------------------------------------

def calls(server, seconds):
    """System calls and syncs a message, counted by the kernel's tracepoints, which cost little; not a run for rates."""
    names = [name for names in EVENTS.values() for name in names]
    pids = ",".join(str(pid) for pid in server.all_pids())
    out = server.directory / "perf"
    prefix = ["perf", "stat", "-x", ";", "-o", out, *[word for name in names for word in ("-e", name)], "-p", pids]
    figures = load(server.port(), seconds, "user%u@far.example", clients=20, per=20, prefix=prefix)
    counted = {row[2]: int(row[0]) for row in (line.split(";") for line in out.read_text().splitlines()) if len(row) > 2 and row[0].isdigit()}
    if not counted:
        raise Failed(f"perf counted nothing: {out.read_text()}")
    return {kind: sum(counted.get(name, 0) for name in names) / figures["messages"] for kind, names in EVENTS.items()}


def why_no_calls():
    if shutil.which("perf") is None:
        return "perf is not installed"
    done = subprocess.run(["perf", "stat", "-e", EVENTS["calls"][0], "true"], capture_output=True, text=True, check=False)
    return "" if done.returncode == 0 else "perf may not count system calls here"


def idle_client(address):
    sock = socket.create_connection(address, 30)
    sock.settimeout(60)
    if not sock.recv(500).startswith(b"220"):
        raise Failed("no greeting")
    sock.sendall(b"EHLO client.sender.example\r\n")
    sock.recv(2000)
    return sock


def memory(server):
    """PSS of all processes in MiB: started and idle, then with 1,000 clients that said EHLO and nothing more."""
    time.sleep(2)
    figures = {"idle": server.pss()}
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, IDLE_CLIENTS + 200), hard))
    clients = []
    try:
        for _ in range(IDLE_CLIENTS):
            clients.append(idle_client(("127.0.0.1", server.port())))
        time.sleep(1)
        figures["clients"] = server.pss()
    except (OSError, Failed) as error:
        say(f"    {server.name} took {len(clients)} idle clients: {error}")
    finally:
        for sock in clients:
            sock.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return figures


# -- limits -------------------------------------------------------------------------------------------------------------

def null_server(directory, seconds, shapes):
    """What the generator and the kernel can do when nothing is stored: a rate for each (clients, messages a connection)."""
    with sink(directory) as (port, _):
        return {shape: load(port, seconds, "user%u@far.example", clients=shape[0], per=shape[1])["rate"] for shape in shapes}


def store_alone(directory, seconds):
    """The disk without company: syncs a second of a bare appender, messages a second of the store, by number of writers."""
    done = subprocess.run([program("store_bench"), directory, str(seconds)], capture_output=True, text=True, check=True)
    bare = re.search(r"fdatasync:\s+(\d+)/s", done.stdout)
    rows = re.findall(r"^\s*(\d+) writers, accept only\s+(\d+) messages/s", done.stdout, re.M)
    return int(bare.group(1)), {int(writers): int(rate) for writers, rate in rows}


def large_alone(directory, seconds):
    """The same for 20 MiB messages: files of that size written and synced by four threads, a rate a second."""
    block, end, done = os.urandom(1 << 20), time.monotonic() + seconds, []

    def write_files(writer):
        while time.monotonic() < end:
            path = directory / f"large-{writer}-{len(done)}"
            with open(path, "wb", buffering=0) as file:
                for _ in range(LARGE >> 20):
                    file.write(block)
                os.fdatasync(file.fileno())
            done.append(path)

    began = time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        list(pool.map(write_files, range(4)))
    rate = len(done) / (time.monotonic() - began)
    for path in done:
        path.unlink()
    return rate


def evacuation_in_tree():
    """Berkeley DB in the queue's binary is the sign that deferred mail leaves the ring."""
    binary = posthorn.build_directory() / "queue/queue"
    told = subprocess.run(["ldd", binary], capture_output=True, text=True, check=False).stdout
    return "libdb" in told


def ring_turns(server, seconds, ring_mib, count):
    """At least three ring volumes through a posthorn that delivers meanwhile: the rate must hold beyond the first."""
    wanted = 3 * ring_mib * (1 << 20) // SIZE
    figures = {"messages": 0, "seconds": 0}
    began = time.monotonic()
    before = count()[0]
    while figures["messages"] < wanted:
        figures["messages"] += load(server.port(), seconds, "user%u@far.example", clients=100, per=20)["messages"]
        say(f"    {figures['messages']:.0f} of {wanted} messages")
    figures["rate"] = figures["messages"] / (time.monotonic() - began)
    figures["left"] = server.queued()
    there = wait_until_there(lambda: count()[0] - before, figures["messages"])
    audited(server, figures["messages"], there + server.queued())
    return figures


