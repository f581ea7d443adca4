"""posthorn — a private posthorn in a temporary directory: its configuration, its processes, its commands, its files.

    with Posthorn(tmp_path, dns=dns, users=["alice", "bob"]) as mta:
        client.send(mta.mx, "a@far.test", ["alice@local.test"], content)
        wait_for(lambda: mta.mails("alice"))

`settings` is a nested dictionary laid over the defaults below; None takes a setting away. A key "listener mx" becomes
the section `listener "mx" { }`. POSTHORN_BUILD names the build tree (build/test when it is not set).
"""
import ctypes
import json
import os
import pathlib
import pwd
import re
import shutil
import signal
import subprocess
import time

from client import Client, Closed
from ledger import maildir_files
from ports import free_ports
from waiting import wait_for

ROOT = pathlib.Path(__file__).resolve().parents[2]
DOMAIN = "local.test"
HOSTNAME = "mx.test.example"


def build_directory():
    return pathlib.Path(os.environ.get("POSTHORN_BUILD") or ROOT / "build" / "test")


def sanitized():
    """True for a build that runs several times slower and whose sandbox is wider."""
    header = build_directory() / "config.h"
    if header.is_file():
        return "#define POSTHORN_SANITIZERS 1" in header.read_text()
    program = build_directory() / "control/supervisor/posthornd"
    return program.is_file() and b"__asan_init" in program.read_bytes()


PATIENCE = 3 if sanitized() else 1


def render(settings, indent=""):
    """A nested dictionary as posthorn.conf(5)."""
    lines = []
    for key, value in settings.items():
        if value is None:
            continue
        if isinstance(value, dict):
            name, _, label = key.partition(" ")
            title = f'{name} "{label}"' if label else name
            lines.append(f"{indent}{title} {{\n{render(value, indent + '    ')}{indent}}}\n")
        else:
            lines.append(f"{indent}{key} = {literal(value)}\n")
    return "".join(lines)


def literal(value):
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (list, tuple)):
        return "{" + ", ".join(literal(v) for v in value) + "}"
    if isinstance(value, int):
        return str(value)
    return '"' + str(value).replace("\\", "\\\\").replace('"', '\\"') + '"'


def merged(base, over):
    out = dict(base)
    for key, value in over.items():
        out[key] = merged(out[key], value) if isinstance(value, dict) and isinstance(out.get(key), dict) else value
    return out


class Posthorn:
    def __init__(self, directory, settings=None, users=("alice", "bob"), dns=None, mx_port=None, environment=None, arguments=(),
                 wrapper=(), account=None, mail=None):
        self.directory = pathlib.Path(directory)
        self.account = account          # whom a test that is root itself runs it as: a row of the password file
        self.mail = pathlib.Path(mail or self.directory / "mail")
        self.over = settings or {}
        self.users = list(users)
        self.dns = dns
        self.mx_port = mx_port
        self.environment = environment or {}
        self.arguments = list(arguments)
        self.wrapper = list(wrapper)    # strace and its options, say: what posthornd is started by
        self.process = None
        self.conf = self.directory / "posthorn.conf"
        self.log = self.directory / "log"
        self.errors = self.directory / "stderr"
        self.expect_dirty_stop = False
        self._lay_out()

    def _lay_out(self):
        for path in (self.mail, self.directory / "home"):
            path.mkdir(parents=True, exist_ok=True)
        # Unix socket paths have 107 bytes; pytest's folders can be longer.
        self.run = pathlib.Path(os.environ.get("TMPDIR", "/tmp")) / f"ph-{os.getpid()}-{id(self) & 0xffffff:x}"
        self.run.mkdir(mode=0o755, exist_ok=True)
        self.write_users()
        for path in (self.directory, self.mail, self.run):
            self.give(path)

    def give(self, path):
        """To the user who runs it, if that is another one than we are."""
        if self.account:
            os.chown(path, self.account.pw_uid, self.account.pw_gid)

    def write_users(self, users=None):
        self.users = list(users) if users is not None else self.users
        me = self.account or pwd.getpwuid(os.getuid())
        lines = []
        for user in self.users:
            home = self.directory / "home" / user
            home.mkdir(exist_ok=True)
            self.give(home)
            lines.append(f"{user}:x:{me.pw_uid}:{me.pw_gid}:{user}:{home}:/usr/sbin/nologin\n")
        path = self.directory / "users"
        scratch = self.directory / "users.new"
        scratch.write_text("".join(lines))
        scratch.replace(path)

    def defaults(self):
        mx, trusted, submission = self.ports

        def listener(port, role):
            return {"address": ["127.0.0.1"], "port": port, "role": role}

        return {
            "hostname": HOSTNAME,
            "postmaster": "alice@" + DOMAIN,
            "run-directory": self.run,
            "trusted-networks": ["127.0.0.0/8"],
            "listener mx": listener(mx, "mx"),
            "listener trusted": listener(trusted, "trusted"),
            "listener submission": listener(submission, "submission"),
            f"domain {DOMAIN}": {"users": f"file:{self.directory}/users", "maildir": f"{self.mail}/%u"},
            "smtpd": {"workers": 1, "client-sessions": 0, "client-rate": 0},
            "queue": {"directory": self.directory / "queue", "ring-segments": 8, "segment-size": "4MiB",
                      "retry": ["300ms", "600ms", "1s"]},
            "relay": {"mx-port": self.mx_port or 25, "allow-private-targets": True, "connect-timeout": "2s"},
            "dns": {"servers": [self.dns.address] if self.dns else ["127.0.0.1:1"], "timeout": "500ms", "tries": 2},
            "mda": {"first-uid": 1 if os.getuid() or self.account else 500},
            "log": {"target": f"file:{self.log}", "format": "text"},
        }

    def configure(self, over=None):
        """Writes the configuration; `over` is laid over what the test gave before, and stays."""
        self.over = merged(self.over, over or {})
        self.conf.write_text(render(merged(self.defaults(), self.over)))

    # -- life ---------------------------------------------------------------------------------------------------------

    def start(self, seconds=20, ready=True):
        """Ports are free when asked for and may be taken a moment later; then all of them are chosen anew."""
        for attempt in range(4):
            self.choose_ports()
            self.configure()
            self.spawn()
            try:
                if ready:
                    self.wait_ready(seconds * PATIENCE)
                return self
            except AssertionError:
                self.kill_all()
                if attempt == 3 or "in use" not in self.words():
                    raise
        return self

    def restart(self, ready=True, seconds=20):
        """Again with the same files and the same ports."""
        self.spawn()
        if ready:
            self.wait_ready(seconds * PATIENCE)

    def choose_ports(self):
        self.ports = free_ports(3)
        self.mx, self.trusted, self.submission = [("127.0.0.1", port) for port in self.ports]

    def spawn(self):
        build = build_directory()
        environment = dict(os.environ, POSTHORN_LIBEXEC=str(build), ASAN_OPTIONS="detect_leaks=0:abort_on_error=1",
                           UBSAN_OPTIONS="print_stacktrace=1", **self.environment)
        with open(self.errors, "ab") as errors:
            self.process = subprocess.Popen(
                [*self.wrapper, build / "control/supervisor/posthornd", "-f", "-c", self.conf, *self.arguments],
                stdin=subprocess.DEVNULL, stdout=errors, stderr=errors, env=environment, start_new_session=True,
                preexec_fn=end_with_me, **self.identity())

    def identity(self):
        if not self.account:
            return {}
        return {"user": self.account.pw_uid, "group": self.account.pw_gid, "extra_groups": []}

    def wait_ready(self, seconds):
        """Ready when every listener takes MAIL. Says what it printed when it ended instead."""
        end = time.monotonic() + seconds
        for address in self.talkers():
            while not serves(address):
                if self.process.poll() is not None:
                    raise AssertionError(f"posthornd ended with {self.process.returncode}: {self.words()}")
                if time.monotonic() > end:
                    raise AssertionError(f"no service on {address} within {seconds} s: {self.words()}")
                time.sleep(0.02)

    def talkers(self):
        """The addresses where a client may begin in clear."""
        named = (("mx", self.mx), ("trusted", self.trusted), ("submission", self.submission))
        return [address for name, address in named if not (self.over.get("listener " + name) or {}).get("implicit-tls")]

    def serves(self):
        return all(serves(address) for address in self.talkers())

    def words(self, most=4000):
        """The last of what it said on stderr and in its log."""
        return "\n".join(path.read_text(errors="replace")[-most:] for path in (self.errors, self.log) if path.exists())

    def stop(self, seconds=20):
        """An orderly stop; what a sanitizer printed is a failure of the test."""
        if self.process is None:
            return
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(seconds * PATIENCE)
            except subprocess.TimeoutExpired:
                self.kill_all()
                raise AssertionError("posthornd did not stop: " + self.words()) from None
        status, self.process = self.process.returncode, None
        if not self.expect_dirty_stop:
            assert status == 0, f"posthornd ended with {status}: {self.words()}"
        self.check_sanitizers()

    def check_sanitizers(self):
        said = self.errors.read_text(errors="replace") if self.errors.exists() else ""
        assert not re.search(r"AddressSanitizer|runtime error:|ThreadSanitizer", said), said[-6000:]

    def kill_all(self):
        """SIGKILL for the supervisor and everything below it: the power fails."""
        if self.process is None:
            return
        pids = [self.process.pid] + [pid for pid, _, _ in self.children()]
        for pid in pids:
            kill(pid)
        self.process.wait(10)
        for pid in pids[1:]:
            wait_for(lambda pid=pid: not alive(pid), 10, f"the end of {pid}")
        self.process = None

    def __enter__(self):
        return self.start()

    def __exit__(self, kind, *_):
        try:
            self.stop()
        except AssertionError:
            if kind is None:
                raise
        finally:
            self.kill_all()
            shutil.rmtree(self.run, ignore_errors=True)

    # -- processes ----------------------------------------------------------------------------------------------------

    def children(self):
        """(pid, name, role) of every process below the supervisor; the name is its binary's."""
        found, parents = [], {self.process.pid}
        table = list(processes())
        grown = True
        while grown:
            grown = False
            for pid, parent, name, words in table:
                if parent in parents and pid not in parents:
                    parents.add(pid)
                    found.append((pid, name, words))
                    grown = True
        return found

    def pids(self, name):
        """Of all processes called so: "queue", "smtpd-mx-0", or "smtpd" for all of that kind."""
        return [pid for pid, _, words in self.children() if words and (words[0] == name or words[0].startswith(name + "-"))]

    def kill_one(self, name, sig=signal.SIGKILL):
        """Kills one process of that name; returns its pid."""
        pids = wait_for(lambda: self.pids(name), 10, f"a process called {name}: {self.children()}")
        kill(pids[0], sig)
        return pids[0]

    def reload(self):
        self.process.send_signal(signal.SIGHUP)

    # -- commands -----------------------------------------------------------------------------------------------------

    @staticmethod
    def tool(program):
        return build_directory() / "control/cli" / program

    def command(self, program, *arguments, check=False, seconds=20, fault=None, stdin=subprocess.DEVNULL):
        """One of the tools in control/cli, told which configuration it belongs to."""
        with self.begin(program, *arguments, fault=fault, stdin=stdin) as tool:
            try:
                out, errors = tool.communicate(timeout=seconds * PATIENCE)
            except subprocess.TimeoutExpired:
                tool.kill()
                raise
        done = subprocess.CompletedProcess(tool.args, tool.returncode, out, errors)
        if check:
            assert done.returncode == 0, f"{program} {arguments}: {done.returncode}: {done.stdout}{done.stderr}"
        return done

    def begin(self, program, *arguments, fault=None, stdin=subprocess.DEVNULL):
        """The same, and not waited for. `fault`: a plan of common/base/fault.h."""
        environment = dict(os.environ, POSTHORN_LIBEXEC=str(build_directory()), ASAN_OPTIONS="detect_leaks=0")
        if fault:
            environment["POSTHORN_FAULT"] = fault
        return subprocess.Popen([self.tool(program), "-c", self.conf, *map(str, arguments)], stdin=stdin,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)

    def posthorn(self, *arguments, check=True):
        return self.command("posthorn", *arguments, check=check).stdout

    def mailq(self):
        return self.command("mailq", check=True).stdout

    def queue(self):
        """`posthorn queue list --json`: one object per message."""
        return [json.loads(line) for line in self.posthorn("queue", "list", "--json").splitlines() if line.strip()]

    def wait_empty(self, seconds=20):
        """A queue that is just being replaced gives no answer; that is no empty queue."""
        def said():
            return self.command("mailq").stdout

        wait_for(lambda: "Mail queue is empty" in said(), seconds * PATIENCE, lambda: "an empty queue: " + said())

    # -- files --------------------------------------------------------------------------------------------------------

    def maildir(self, user):
        return self.mail / user

    def maildirs(self):
        return {f"{user}@{DOMAIN}": self.maildir(user) for user in self.users}

    def mails(self, user):
        """The delivered messages as bytes, in the order of their names."""
        return [path.read_bytes() for path in maildir_files(self.maildir(user))]

    def wait_mails(self, user, count=1, seconds=20):
        wait_for(lambda: len(self.mails(user)) >= count, seconds * PATIENCE,
                 lambda: f"{count} mails of {user} ({len(self.mails(user))} there)\n{self.words()}")
        return self.mails(user)

    def log_lines(self):
        return self.log.read_text(errors="replace").splitlines() if self.log.exists() else []

    def wait_log(self, pattern, seconds=20, count=1):
        """Until so many log lines match; returns the matches."""
        expression = re.compile(pattern)

        def matches():
            found = [m for m in map(expression.search, self.log_lines()) if m]
            return found if len(found) >= count else None

        return wait_for(matches, seconds * PATIENCE, lambda: f"{count} x {pattern!r} in the log:\n{self.words()}")


def end_with_me():
    """In the child: SIGTERM when the test program dies, so that an aborted run leaves nothing behind."""
    ctypes.CDLL(None).prctl(1, signal.SIGTERM)


def serves(address):
    """True when somebody there greets and MAIL is not answered with "the queue is not there yet"."""
    try:
        with Client(address, timeout=5) as client:
            if client.greeting.code == 220 and client.command("EHLO ready.test").code == 250:
                return client.pipeline(["MAIL FROM:<>", "QUIT"])[0].code not in (421, 451)
    except (OSError, Closed):
        pass
    return False


def processes():
    """(pid, parent, binary's name, words of the command line) of everything we may look at."""
    for entry in os.scandir("/proc"):
        if not entry.name.isdigit():
            continue
        try:
            stat = pathlib.Path(entry.path, "stat").read_text()
            words = pathlib.Path(entry.path, "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        name = stat[stat.index("(") + 1:stat.rindex(")")]
        parent = int(stat[stat.rindex(")") + 2:].split()[1])
        if stat[stat.rindex(")") + 2] == "Z":
            continue
        yield int(entry.name), parent, name, [os.path.basename(w.decode(errors="replace")) for w in words if w]


def alive(pid):
    try:
        stat = pathlib.Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return stat[stat.rindex(")") + 2] != "Z"


def kill(pid, sig=signal.SIGKILL):
    try:
        os.kill(pid, sig)
    except ProcessLookupError:
        pass
