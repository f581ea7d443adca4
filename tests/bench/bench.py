#!/usr/bin/python3
"""bench — posthorn and Debian's Postfix side by side, on one file system, in one run.

    ./dev bench [--seconds N] [--only accept,relay,maildir] [--no-postfix] [--out FILE]

Called by ./dev bench, which names the build with POSTHORN_BUILD. As root it works on a loop-mounted ext4 image with a
journal, runs posthorn as an ordinary user and Postfix as Postfix wants it; without root it measures posthorn alone and says so.

accept   deliveries paused on both sides (posthornd --paused; defer_transports): messages acknowledged per second; afterwards
         the queue is counted and must hold every one of them.
relay    through the queue to a sink that takes everything: messages at the sink per second, until the last has arrived.
maildir  to 50 users: files in new/ per second, until the last is there.

CPU is the user and system time of all processes of the server, dead ones included, for each message. Machines are shared and
noisy: compare the columns of one run, not runs.
"""
import argparse
import contextlib
import os
import pathlib
import pwd
import re
import shutil
import signal
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

import postfix_peer  # noqa: E402
import posthorn as posthorn_module  # noqa: E402
from ports import free_port  # noqa: E402
from waiting import wait_for  # noqa: E402

USER = "posthorn-bench"
USERS = 50
SIZE = 4096
TICKS = os.sysconf("SC_CLK_TCK")
ACCEPTS = [(clients, per) for clients in (1, 20, 100) for per in (1, 20)]
SEGMENTS = 64
# Clients are told 452 when half of the ring is live mail: in an accept run, where nothing leaves, it must hold twice what comes.
SEGMENT_MIB = {1: 16, 20: 64, 100: 128}


def say(text):
    print(text, flush=True)


# -- where it happens ---------------------------------------------------------------------------------------------------

@contextlib.contextmanager
def place(size_gib):
    """A fresh ext4 with a journal; without root, a folder of whatever is there."""
    base = pathlib.Path("/var/tmp" if os.access("/var/tmp", os.W_OK) else "/tmp") / f"posthorn-bench-{os.getpid()}"
    base.mkdir(mode=0o755)
    mounted = False
    try:
        if os.getuid() == 0:
            image = base / "image"
            with open(image, "wb") as file:
                file.truncate(size_gib << 30)
            subprocess.run(["mkfs.ext4", "-q", "-F", "-E", "lazy_itable_init=0,lazy_journal_init=0", "-N", "4000000", image], check=True)
            (base / "fs").mkdir()
            subprocess.run(["mount", "-o", "loop", image, base / "fs"], check=True)
            mounted = True
            say(f"file system: ext4 with journal, loop-mounted, {size_gib} GiB")
        else:
            (base / "fs").mkdir()
            say(f"file system: the one below {base}; without root there is no image to mount")
        yield base / "fs"
    finally:
        if mounted:
            subprocess.run(["umount", base / "fs"], check=False)
        shutil.rmtree(base, ignore_errors=True)


def ordinary_user():
    if os.getuid() != 0:
        return pwd.getpwuid(os.getuid())
    try:
        return pwd.getpwnam(USER)
    except KeyError:
        subprocess.run(["useradd", "--system", "--no-create-home", "--shell", "/usr/sbin/nologin", USER], check=True)
        return pwd.getpwnam(USER)


def stage_binaries(directory):
    """The checkout may lie where an ordinary user cannot read."""
    build, stage = posthorn_module.build_directory(), directory / "bin"
    names = ["control/supervisor/posthornd", "control/logger/logger", "control/cli/posthorn", "control/cli/mailq", "lookup/lookup",
             "smtpd/smtpd", "queue/queue", "relay/relay", "mda/mda", "mda/worker/worker"]
    for name in names:
        (stage / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(build / name, stage / name)
    return stage


# -- the two servers ----------------------------------------------------------------------------------------------------

def cpu_ticks(pids):
    total = 0
    for pid in pids:
        with contextlib.suppress(OSError, ValueError):
            text = pathlib.Path(f"/proc/{pid}/stat").read_text()
            total += sum(int(word) for word in text[text.rindex(")") + 2:].split()[11:15])
    return total


class Ours(posthorn_module.Posthorn):
    """posthorn as an ordinary user, from binaries that user can read."""
    name = "posthorn"

    def __init__(self, directory, stage, settings, arguments=()):
        self.stage, self.account = stage, ordinary_user()
        super().__init__(directory, settings, users=[f"user{i}" for i in range(USERS)], arguments=arguments)

    def write_users(self, users=None):
        me, lines = self.account, []
        for user in users or self.users:
            home = self.directory / "home" / user
            home.mkdir(exist_ok=True)
            lines.append(f"{user}:x:{me.pw_uid}:{me.pw_gid}:{user}:{home}:/usr/sbin/nologin\n")
        (self.directory / "users").write_text("".join(lines))

    def spawn(self):
        for path in [self.directory, self.run, *self.directory.rglob("*")]:
            os.chown(path, self.account.pw_uid, self.account.pw_gid)
        as_user = {"user": self.account.pw_uid, "group": self.account.pw_gid, "extra_groups": []} if os.getuid() == 0 else {}
        with open(self.errors, "ab") as errors:
            self.process = subprocess.Popen(
                [self.stage / "control/supervisor/posthornd", "-f", "-c", self.conf, *self.arguments], stdin=subprocess.DEVNULL,
                stdout=errors, stderr=errors, env=dict(os.environ, POSTHORN_LIBEXEC=str(self.stage)), start_new_session=True, **as_user)

    def __enter__(self):
        return self.start(seconds=600)      # the ring is filled with zeros first

    def port(self):
        return self.trusted[1]

    def cpu(self):
        return cpu_ticks([self.process.pid] + [pid for pid, _, _ in self.children()])

    def queued(self):
        last = self.mailq().strip().splitlines()[-1]
        found = re.search(r"in (\d+) Request", last)
        return int(found.group(1)) if found else 0

    def delivered(self):
        return sum(len(os.listdir(new)) for new in self.directory.glob("mail/*/new"))


class Theirs(postfix_peer.PostfixPeer):
    name = "Postfix"

    def port(self):
        return self.address[1]

    def cpu(self):
        return cpu_ticks(self.pids())

    def queued(self):
        count = 0
        for name in ("incoming", "active", "deferred"):
            for _, _, files in os.walk(self.queue / name):
                count += len(files)
        return count

    def delivered(self):
        return sum(len(os.listdir(new)) for new in self.directory.glob("mail/*/new"))

    def __enter__(self):
        return self.start()


def ours(directory, stage, settings=None, arguments=()):
    base = {"queue": {"ring-segments": SEGMENTS, "segment-size": "16MiB", "retry": ["5m"]}, "smtpd": {"client-sessions": 0, "client-rate": 0}}
    return Ours(directory, stage, posthorn_module.merged(base, settings or {}), arguments)


def theirs(directory, tree, settings=None):
    return Theirs(directory, tree, ("127.0.0.1", free_port()), {"default_process_limit": 200, **(settings or {})})


# -- one measurement ----------------------------------------------------------------------------------------------------

def program(name):
    return posthorn_module.build_directory() / "tests/bench" / name


def load(port, clients, per_connection, seconds, to):
    done = subprocess.run([program("smtp_load"), "--port", str(port), "--clients", str(clients), "--per-connection", str(per_connection),
                           "--seconds", str(seconds), "--size", str(SIZE), "--users", str(USERS), "--to", to],
                          capture_output=True, text=True, check=False, timeout=seconds + 90)
    figures = dict(re.findall(r"(\w+)=([\d.]+)", done.stdout))
    if "messages" not in figures:
        raise RuntimeError(f"smtp_load: {done.stdout}{done.stderr}")
    if figures["refusals"] != "0":
        say(f"    refusals: {done.stdout.strip()}")
    return {name: float(value) for name, value in figures.items()}


def measure(server, clients, per_connection, seconds, to, finished=None):
    """Figures of one run; `finished` tells how many messages have reached their end, for runs that are over only then."""
    cpu, began = server.cpu(), time.monotonic()
    figures = load(server.port(), clients, per_connection, seconds, to)
    if finished is not None:
        wait_for(lambda: finished() >= figures["messages"], max(600, 20 * seconds), f"the last message of {server.name}", step=0.1)
        figures["rate"] = figures["messages"] / (time.monotonic() - began)
    figures["cpu_ms"] = (server.cpu() - cpu) * 1000 / TICKS / max(1, figures["messages"])
    return figures


def accept(server, seconds, clients, per_connection):
    figures = measure(server, clients, per_connection, seconds, "user%u@far.example")
    queued = server.queued()
    if queued < figures["messages"]:
        raise RuntimeError(f"{server.name} acknowledged {figures['messages']:.0f} messages and holds {queued}")
    return figures


def relay(server, seconds, count_file):
    before = int(count_file.read_text())
    return measure(server, 20, 20, seconds, "user%u@far.example", lambda: int(count_file.read_text()) - before)


def maildir(server, seconds):
    return measure(server, 20, 20, seconds, f"user%u@{posthorn_module.DOMAIN}", server.delivered)


# -- the table ----------------------------------------------------------------------------------------------------------

class Table:
    def __init__(self, out):
        self.out = out
        self.row("run", "posthorn/s", "Postfix/s", "ratio", "CPU ms/msg", "Postfix", "CPU ratio", "p50/p99 ms", "Postfix")

    def row(self, *cells):
        widths = (18, 11, 10, 7, 11, 8, 10, 15, 15)
        line = " ".join(str(cell).rjust(width) if at else str(cell).ljust(width) for at, (cell, width) in enumerate(zip(cells, widths)))
        say(line)
        if self.out:
            with open(self.out, "a") as file:
                file.write(line + "\n")

    def add(self, name, mine, peer):
        def latency(f):
            return f"{f['p50_ms']:.2f}/{f['p99_ms']:.1f}" if f else "-"

        self.row(name, f"{mine['rate']:.0f}", f"{peer['rate']:.0f}" if peer else "-", f"{mine['rate'] / peer['rate']:.1f}" if peer else "-",
                 f"{mine['cpu_ms']:.3f}", f"{peer['cpu_ms']:.3f}" if peer else "-",
                 f"1/{peer['cpu_ms'] / mine['cpu_ms']:.1f}" if peer and mine["cpu_ms"] else "-", latency(mine), latency(peer))


class Bench:
    def __init__(self, options, directory, tree, table):
        self.seconds, self.directory, self.tree, self.table = options.seconds, directory, tree, table
        self.stage = stage_binaries(directory)
        self.runs = 0

    def fresh(self):
        self.runs += 1
        path = self.directory / f"run{self.runs}"
        path.mkdir(mode=0o755)
        return path

    def both(self, name, run, our_settings=None, our_arguments=(), their_settings=None):
        results = []
        for make in (lambda d: ours(d, self.stage, our_settings, our_arguments), lambda d: theirs(d, self.tree, their_settings)):
            if len(results) == 1 and self.tree is None:
                results.append(None)
                break
            path = self.fresh()
            with make(path) as server:
                results.append(run(server))
            shutil.rmtree(path, ignore_errors=True)
        self.table.add(name, *results)

    def run_accept(self):
        for clients, per in ACCEPTS:
            self.both(f"accept {clients} x {per}", lambda server, c=clients, p=per: accept(server, self.seconds, c, p),
                      {"relay": {"smart-host": "[127.0.0.1]:9"}, "queue": {"segment-size": f"{SEGMENT_MIB[clients]}MiB"}},
                      ["--paused"], {"defer_transports": "smtp"})

    def run_relay(self):
        port, count = free_port(), self.directory / "count"
        count.write_text("0")
        sink = subprocess.Popen([program("smtp_sink"), "--port", str(port), "--count", count], stdout=subprocess.DEVNULL)
        try:
            time.sleep(0.5)
            self.both("relay 20 x 20", lambda server: relay(server, self.seconds, count),
                      {"relay": {"smart-host": f"[127.0.0.1]:{port}"}}, [], {"relayhost": f"[127.0.0.1]:{port}"})
        finally:
            sink.terminate()
            sink.wait(10)

    def run_maildir(self):
        domain = posthorn_module.DOMAIN
        nobody = pwd.getpwnam("nobody")
        self.both("maildir 50 users", lambda server: maildir(server, self.seconds), {}, [], {
            "virtual_mailbox_domains": domain, "virtual_mailbox_base": self.directory / f"run{self.runs + 2}/mail",
            "virtual_mailbox_maps": "inline:{ " + ", ".join(f"{{user{i}@{domain} = user{i}/}}" for i in range(USERS)) + " }",
            "virtual_uid_maps": f"static:{nobody.pw_uid}", "virtual_gid_maps": f"static:{nobody.pw_gid}"})


def null_server(seconds):
    """What the generator and the kernel can do when nothing is stored."""
    port = free_port()
    with subprocess.Popen([program("smtp_sink"), "--port", str(port)], stdout=subprocess.DEVNULL) as sink:
        time.sleep(0.5)
        figures = load(port, 20, 20, min(seconds, 10), "user%u@far.example")
        sink.terminate()
    say(f"null server (takes everything, stores nothing), 20 x 20: {figures['rate']:.0f} messages/s")


def options_of():
    parser = argparse.ArgumentParser(prog="./dev bench", description="posthorn and Debian's Postfix side by side")
    parser.add_argument("--seconds", type=int, default=30, help="how long each run sends (30)")
    parser.add_argument("--only", default="accept,relay,maildir", help="accept,relay,maildir")
    parser.add_argument("--no-postfix", action="store_true", help="measure posthorn alone")
    parser.add_argument("--size-gib", type=int, default=24, help="of the file system image (24; sparse)")
    parser.add_argument("--peers", default="build/peers", help="where Postfix is unpacked")
    parser.add_argument("--out", help="append the table to this file")
    return parser.parse_args()


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))       # so that the image is unmounted
    options = options_of()
    tree = None
    if not options.no_postfix:
        try:
            tree = postfix_peer.fetch(options.peers)
            postfix_peer.ensure_accounts()
        except postfix_peer.Unavailable as error:
            say(f"without Postfix: {error}")
            tree = None
    say(f"{os.cpu_count()} cores, {SIZE} bytes a message, {options.seconds} s a run")
    say(f"ring: {SEGMENTS} segments of {SEGMENT_MIB} MiB by clients in accept runs, of 16 MiB else")
    with place(options.size_gib) as directory:
        bench = Bench(options, directory, tree, Table(options.out))
        for kind in options.only.split(","):
            getattr(bench, f"run_{kind}")()
        null_server(options.seconds)
    return 0


if __name__ == "__main__":
    sys.exit(main())
