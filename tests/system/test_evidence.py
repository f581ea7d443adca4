"""What strace shows of the way from a client to 250: one sync for many messages, no 250 before its sync, few system calls.

20 clients on a connection each send 20 messages of 4 KiB, deliveries are paused. posthornd is started by strace, which then sees
every process from its birth; nobody has to be allowed to attach. strace writes an event down before the process that caused it
goes on, so the order of its lines is an order of cause and effect, over processes, too.
"""
import collections
import os
import pathlib
import re
import selectors
import shutil
import signal
import socket
import subprocess
import tempfile
import time

import pytest

from client import dot_stuffed
from posthorn import sanitized
from test_root import SERVICES, USERS, RootPosthorn, ensure_account

CLIENTS, MESSAGES, SIZE = 20, 20, 4096
SYNCS_PER_MESSAGE = 0.9     # strace slows the senders down, not the disk: how many share one is a matter of the machine, that many do is not
CALLS_PER_MESSAGE = 20
STRANGER, TRUSTED = "127.0.0.1", "127.0.0.2/32"
HOT_PATH = ("smtpd", "queue", "lookup", "logger")

LINE = re.compile(r"^(\d+)<([^>]*)> (\d+\.\d+) (.*)$")
BEGIN = re.compile(r"^(\w+)\((.*)$", re.S)
RESUMED = re.compile(r"^<\.\.\. (\w+) resumed>(.*)$", re.S)
RESULT = re.compile(r" = (-?\d+|\?)(?:\s.*)?$")
ACKNOWLEDGED = re.compile(r"250 2\.0\.0 Ok: queued as ([0-9A-Za-z]+)")
STORED = re.compile(r"with E?SMTP[SA]* id ([0-9A-Za-z]+)")


def why_not():
    if shutil.which("strace") is None:
        return "strace is not installed"
    if sanitized():
        return "a build with sanitizers makes system calls of its own"
    try:
        tried = subprocess.run(["strace", "-f", "-o", os.devnull, "true"], capture_output=True, timeout=20, check=False)
    except subprocess.TimeoutExpired:
        return "strace does not come back"
    return "" if tried.returncode == 0 else "no right to trace: " + tried.stderr.decode()[:200]


@pytest.fixture(autouse=True)
def can_trace():
    why = why_not()
    if why:
        pytest.skip(why)


class Call:
    """One system call. `began` and `ended` are places in the trace, `ended` after all that happened within."""

    def __init__(self, name, process, at, began, text):
        self.name, self.process, self.at, self.began, self.text = name, process, at, began, text
        self.ended, self.result = None, None

    def end(self, place, text):
        self.text += text
        self.ended = place
        found = RESULT.search(self.text)
        self.result = int(found.group(1)) if found and found.group(1) != "?" else None

    @property
    def fd(self):
        return int(re.match(r"\d+", self.text).group(0))


def read_trace(path):
    """All calls in the order of their beginning."""
    calls, open_calls = [], {}
    with open(path, encoding="utf-8", errors="replace") as trace:
        for place, line in enumerate(trace):
            parts = LINE.match(line)
            if parts is None:
                continue
            pid, process, at, rest = parts.groups()
            resumed = RESUMED.match(rest)
            begun = BEGIN.match(rest)
            if resumed and (pid, resumed.group(1)) in open_calls:
                open_calls.pop((pid, resumed.group(1))).end(place, resumed.group(2))
            elif begun:
                call = Call(begun.group(1), process, float(at), place, begun.group(2))
                calls.append(call)
                if rest.rstrip().endswith("<unfinished ...>"):
                    open_calls[pid, call.name] = call
                else:
                    call.end(place, "")
    return calls


class Session:
    """One client: greeting, EHLO, then for each message the envelope in one write, the content in the next, QUIT."""

    def __init__(self, address, messages):
        self.sock = socket.create_connection(address, 20, source_address=(STRANGER, 0))
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.kept = b""
        self.ids = []
        self.steps = [(b"EHLO client.example\r\n", 1)]
        for envelope, content in messages:
            self.steps += [(envelope, 3), (content, 1)]
        self.steps.append((b"QUIT\r\n", 1))
        self.steps.reverse()
        self.awaited = 1                        # the greeting

    def readable(self):
        """False when all is said."""
        got = self.sock.recv(65536)
        assert got, f"closed with {len(self.steps)} steps to go"
        *lines, self.kept = (self.kept + got).split(b"\r\n")
        for line in lines:
            assert line[:1] in b"23", line
            self.awaited -= line[3:4] != b"-"
            if line.startswith(b"250 2.0.0 Ok: queued as "):
                self.ids.append(line.split()[-1].decode())
        if self.awaited == 0 and self.steps:
            data, self.awaited = self.steps.pop()
            self.sock.sendall(data)
        return self.awaited > 0


class Load:
    """20 sessions on one thread; knows afterwards which queue ids were acknowledged, and when it began and ended."""

    def __init__(self, address, ledger, users):
        self.address, self.ledger, self.users = address, ledger, users
        self.ids = []

    def message(self, i):
        envelope = f"MAIL FROM:<a@far.test>\r\nRCPT TO:<{self.users[i % len(self.users)]}@local.test>\r\nDATA\r\n"
        return envelope.encode(), dot_stuffed(self.ledger.message(SIZE)[1]) + b".\r\n"

    def run(self):
        selector = selectors.DefaultSelector()
        sessions = [Session(self.address, [self.message(i) for i in range(MESSAGES)]) for _ in range(CLIENTS)]
        self.began, limit = time.time(), time.monotonic() + 120
        for session in sessions:
            selector.register(session.sock, selectors.EVENT_READ, session)
        while selector.get_map():
            assert time.monotonic() < limit, "the clients do not come to an end"
            for key, _ in selector.select(1):
                if not key.data.readable():
                    selector.unregister(key.fileobj)
                    key.fileobj.close()
        self.ended = time.time()
        self.ids = [queue_id for session in sessions for queue_id in session.ids]
        assert len(set(self.ids)) == CLIENTS * MESSAGES


def trace_options(trace, options):
    return {"arguments": ["--paused"], "wrapper": ["strace", "-f", "-Y", "-ttt", *options, "-o", trace]}


def run_traced(mta, trace, ledger, users):
    """Runs the load; returns it and the trace."""
    mta.wait_log(" serves as ")
    load = Load(mta.mx, ledger, users)
    load.run()
    time.sleep(0.5)                             # the log's last lines
    assert len(mta.queue()) == len(load.ids)
    stop(mta)
    return load, read_trace(trace)


def stop(mta):
    """strace ends when posthornd does."""
    [pid] = [pid for pid, name, _ in mta.children() if name == "posthornd"]
    os.kill(pid, signal.SIGTERM)
    mta.process.wait(30)
    mta.stop()


def traced_as_user(posthorn, ledger, tmp_path, options):
    users = [f"user{i}" for i in range(MESSAGES)]
    trace = tmp_path / "trace"
    mta = posthorn({"trusted-networks": [TRUSTED], "smtpd": {"workers": None}}, users=users, **trace_options(trace, options))
    return run_traced(mta, trace, ledger, users)


@pytest.mark.root_only
@pytest.mark.skipif(os.getuid() != 0, reason="the processes let only root look at their memory")
def test_no_250_before_its_sync(ledger, capsys):
    """For each 250: the message was written, that file was then synced, the sync returned 0, and only then the 250 went out."""
    for name in SERVICES:
        ensure_account("posthorn-" + name)
    directory = pathlib.Path(tempfile.mkdtemp(prefix="posthorn-trace.", dir="/var/tmp"))
    directory.chmod(0o755)
    options = ["-s", "16384", "-e", "trace=pwrite64,pwritev,pwritev2,fdatasync,fsync,write,writev,sendto,sendmsg"]
    try:
        with RootPosthorn(directory / "p", {"trusted-networks": [TRUSTED], "smtpd": {"workers": None}}, users=list(USERS),
                          **trace_options(directory / "trace", options)) as mta:
            load, calls = run_traced(mta, directory / "trace", ledger, list(USERS))
    finally:
        shutil.rmtree(directory)
    written, syncs, said = what_matters(calls)
    assert sorted(queue_id for queue_id, _ in said) == sorted(load.ids), "not every 250 was seen"
    early = [queue_id for queue_id, call in said if not synced_before(call, written.get(queue_id), syncs)]
    assert not early, f"{len(early)} of {len(said)} left before their sync had returned 0: {early[:5]}"
    with capsys.disabled():
        print(f"\n{len(said)} times 250, each after the sync of its batch")


def what_matters(calls):
    """Where each message was written, the syncs, and the answers: (queue id, call)."""
    written, syncs, said = {}, [], []
    for call in calls:
        if call.process.startswith("queue") and call.name.startswith("pwrite"):
            for queue_id in STORED.findall(call.text):
                written.setdefault(queue_id, call)
        elif call.process.startswith("queue") and call.name in ("fdatasync", "fsync"):
            syncs.append(call)
        elif call.process.startswith("smtpd") and call.name in ("write", "writev", "sendto", "sendmsg"):
            said += [(queue_id, call) for queue_id in ACKNOWLEDGED.findall(call.text)]
    return written, syncs, said


def synced_before(answer, write, syncs):
    if write is None or write.result is None or write.result < 0:
        return False
    return any(s.fd == write.fd and s.began > write.ended and s.result == 0 and s.ended < answer.began for s in syncs)


def test_one_sync_for_many(posthorn, ledger, tmp_path, capsys):
    load, calls = traced_as_user(posthorn, ledger, tmp_path, ["-s", "0", "--seccomp-bpf", "-e", "trace=fdatasync,fsync"])
    syncs = [c for c in calls if load.began <= c.at <= load.ended and c.process.startswith("queue")]
    with capsys.disabled():
        print(f"\n{len(load.ids)} messages, {len(syncs)} syncs: {len(syncs) / len(load.ids):.3f} a message")
    assert 0 < len(syncs) < SYNCS_PER_MESSAGE * len(load.ids)


def test_few_system_calls(posthorn, ledger, tmp_path, capsys):
    """As few as on a good moment: where senders stand still, fewer messages share a batch. One of three loads has to be one."""
    each = []
    while len(each) < 3 and (not each or min(each) > CALLS_PER_MESSAGE):
        (tmp_path / str(len(each))).mkdir()
        load, calls = traced_as_user(posthorn, ledger, tmp_path / str(len(each)), ["-s", "0"])
        counts = collections.defaultdict(collections.Counter)
        for call in calls:
            kind = next((kind for kind in HOT_PATH if call.process.startswith(kind)), None)
            if kind and load.began <= call.at <= load.ended + 0.2:
                counts[kind][call.name] += 1
        each.append(sum(sum(counter.values()) for counter in counts.values()) / len(load.ids))
        with capsys.disabled():
            print("\n" + table(counts, len(load.ids)))
    assert min(each) <= CALLS_PER_MESSAGE, each


def table(counts, messages):
    """Calls per message: a line for each call, a column for each kind of process."""
    names = sorted({name for counter in counts.values() for name in counter}, key=lambda n: -sum(c[n] for c in counts.values()))
    lines = [f"{'per message':20}" + "".join(f"{kind:>9}" for kind in HOT_PATH) + f"{'sum':>9}"]
    for name in names + [None]:
        row = [sum(c for n, c in counts[kind].items() if name in (n, None)) / messages for kind in HOT_PATH]
        lines.append(f"{name or 'all':20}" + "".join(f"{value:9.2f}" for value in row) + f"{sum(row):9.2f}")
    return "\n".join(lines)
